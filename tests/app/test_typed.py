"""What was typed is told from what was pasted without marks, at any pace of the machine."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual import events
from textual.message import Message

from tui.app.typed import FASTEST_TYPED, MOST_PASTED, MOST_TYPED, PASTE_GAP, Pasted, Typed


def keys(text: str) -> list[Message]:
    return [events.Key({"\r": "enter"}.get(sign, sign), sign) for sign in text]


def words(handed: Sequence[Message]) -> list[str]:
    """Keys as they are, a text in brackets."""
    return [
        f"[{each.text}]" if isinstance(each, Pasted) else each.key if isinstance(each, events.Key) else "*"
        for each in handed
    ]


class Reader:
    """Reads at times of its own choice."""

    def __init__(self) -> None:
        self.typed = Typed()
        self.now = 100.0

    def read(self, text: str, after: float = 0.0) -> list[str]:
        """Come back ``after`` seconds and read ``text``, all of it at once."""
        self.now += after
        return words(self.typed.take(keys(text), self.now))

    def rest(self) -> list[str]:
        """Wait as long as it asks to, and read nothing."""
        found = []
        while (wait := self.typed.wait) is not None:
            found += self.read("", wait)
        return found


def test_keys_are_handed_on_at_once() -> None:
    reader = Reader()
    assert reader.read("q") == ["q"]
    assert reader.read("yes") == ["y", "e", "s"]
    assert reader.typed.wait is None


def test_a_key_that_repeats_for_ever_stays_a_key() -> None:
    reader = Reader()
    assert all(reader.read("j", 1 / 60) == ["j"] for _ in range(10 * MOST_TYPED))
    # Nor does it become a text by a screen that could not look for a while.
    assert reader.read("j" * MOST_TYPED, 3.0) + reader.rest() == ["j"] * MOST_TYPED


@pytest.mark.parametrize("piece", [1, 7, 15, 16, MOST_TYPED, MOST_TYPED + 1, 4096])
def test_a_text_does_no_more_than_what_comes_before_it_is_known(piece: int) -> None:
    reader = Reader()
    text = "disconnect " * 1000
    found = [
        word for at in range(0, len(text), piece) for word in reader.read(text[at : at + piece], 0.002)
    ] + reader.rest()
    *typed, pasted = found
    assert len(typed) <= MOST_TYPED
    assert "".join(typed) + pasted[1:-1] == text
    assert reader.read("q") == ["q"]


def test_a_text_has_not_ended_while_its_next_piece_is_there_already() -> None:
    reader = Reader()
    assert reader.read("z" * 4096) == []
    # The thread that reads did not get its turn meanwhile.
    assert reader.read("z" * 50 + "q", 10 * PASTE_GAP) == []
    assert reader.rest() == [f"[{'z' * 4146}q]"]


def test_a_short_text_that_ended_is_keys_and_what_follows_too() -> None:
    reader = Reader()
    assert reader.read("s" * 50) == []
    assert reader.typed.wait == FASTEST_TYPED
    assert reader.rest() == ["s"] * 50


def test_what_is_no_key_keeps_its_place_among_keys_and_waits_for_no_text() -> None:
    typed = Typed()
    focus = events.AppFocus()
    assert words(typed.take([*keys("ab"), focus, *keys("c")], 1.0)) == ["a", "b", "*", "c"]
    assert words(typed.take([*keys("z" * 200), focus], 2.0)) == ["*"]


def test_of_what_holds_until_the_next_the_last_one_is_enough() -> None:
    came = [events.AppBlur(), events.AppFocus()] * 1000
    assert Typed().take(came, 1.0) == came[-1:]


def test_no_more_is_kept_than_can_be_shown() -> None:
    typed = Typed()
    for _ in range(100):
        assert typed.take(keys("x" * 1000), 1.0) == []
    (pasted,) = typed.take([], 2.0)
    assert isinstance(pasted, Pasted)
    assert (pasted.keys, pasted.text) == (100_000, "x" * MOST_PASTED)


def test_of_a_text_there_is_what_can_be_seen_and_its_line_ends() -> None:
    typed = Typed()
    typed.take([*keys("ab\r"), events.Key("up", None), events.Key("ctrl+a", "\x01"), *keys("c" * 200)], 1.0)
    (pasted,) = typed.take([], 2.0)
    assert isinstance(pasted, Pasted)
    assert pasted.text == "ab\n" + "c" * 200
    assert pasted.last.key == "c"
