"""What a terminal sends is read whatever it is, in pieces of any size."""

from __future__ import annotations

import random

import pytest
from textual import events
from textual.message import Message

from tui.app.typed import MOST_PASTED, UNENDED, Sequences


def words(found: list[Message]) -> list[str]:
    """Keys as they are, a marked text in brackets."""
    return [
        f"[{each.text}]" if isinstance(each, events.Paste) else each.key
        for each in found
        if isinstance(each, events.Paste | events.Key)
    ]


def read(text: str, piece: int = 4096) -> list[str]:
    sequences = Sequences()
    return words(
        [
            message
            for at in range(0, len(text), piece)
            for message in sequences.take(text[at : at + piece], at / 1000)
        ]
    )


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 6, 7, 4096])
def test_a_marked_text_is_one_message_however_it_comes(piece: int) -> None:
    text = "a\x1b[200~quit\r\x1b[2 \x1b[20\x1b[A\x1b[201~b\x1b[200~\x1b[201~c\x1b[A"
    assert read(text, piece) == ["a", "[quit\r\x1b[2 \x1b[20\x1b[A]", "b", "[]", "c", "up"]


def test_a_marked_text_that_never_ends_has_ended_when_nothing_more_comes() -> None:
    sequences = Sequences()
    assert words(sequences.take("\x1b[200~abc\x1b[20", 10.0)) == []
    assert words(sequences.take("", 10.0 + UNENDED / 2)) == []
    assert sequences.is_in_text
    assert words(sequences.take("", 10.0 + UNENDED)) == ["[abc\x1b[20]"]
    assert not sequences.is_in_text
    assert words(sequences.take("q", 10.1 + UNENDED)) == ["q"]
    assert words(sequences.take("\x1b[201~j", 10.1 + UNENDED)) == ["j"]


def test_of_a_marked_text_no_more_is_kept_than_can_be_shown() -> None:
    sequences = Sequences()
    sequences.take("\x1b[200~", 1.0)
    for _ in range(1000):
        assert sequences.take("x" * 4096, 1.0) == []
    (pasted,) = sequences.take("\x1b[201~", 1.0)
    assert isinstance(pasted, events.Paste)
    assert pasted.text == "x" * MOST_PASTED


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[99999999999u",
        "\x1b[9999999;5u",
        "\x1b[48;9000;9000;1;1t",
        "\x1b[48;0;0;0;0t",
        "\x1b[48;24;80;0;0t\x1b[<35;1;1M",
        "\x1b[48;0;80;0;640t\x1b[<35;1;1M",
    ],
)
def test_a_sequence_that_cannot_be_means_nothing_and_what_follows_is_read(sequence: str) -> None:
    found = Sequences().take(sequence + "jq\x1b[A", 1.0)
    assert words(found) == ["j", "q", "up"]
    assert all(0 < each.size.area <= 24 * 80 for each in found if isinstance(each, events.Resize))


def test_no_bytes_break_it() -> None:
    random_source = random.Random(5)
    parts = ["\x1b", "[", "<", "?", ";", ":", "M", "m", "u", "~", "t", "R", "$y", "O", "48", "200", "201"]
    parts += ["0", "9", "99999999", "-1", "x", "\x00", "\x9b", "\ud800", "é"]
    sequences = Sequences()
    for now in range(3000):
        sequences.take("".join(random_source.choices(parts, k=12)), float(now))
    sequences.take("", 1e6)
    sequences.take("\x1b[201~", 1e6)
    assert words(sequences.take("q", 2e6))[-1] == "q"
