"""What came over a network, on a shell's terminal."""

from __future__ import annotations

import pytest

from tui.text.printable import columns, cut_to, padded, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31m", "␛[31m"),
        ("a\r\nb\tc\x00", "a␍␊b␉c␀"),
        ("\x7f\x9b2J", "␡\N{REPLACEMENT CHARACTER}2J"),
        ("\u202eevil\u2066", "\N{REPLACEMENT CHARACTER}evil\N{REPLACEMENT CHARACTER}"),
        ("a\u2028b\x85c", "a␤b␤c"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("a\u00a0b", "a b"),
        ("é宽", "é宽"),
    ],
)
def test_it_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_it_is_cut() -> None:
    assert printable("x" * 10, 5) == "xxxx…"
    assert cut_to("宽宽宽", 5) == "宽宽…"
    assert cut_to("宽宽宽", 4) == "宽…"
    assert cut_to("abc", 3) == "abc"
    assert cut_to("abc", 0) == ""
    assert columns("e\u0301宽") == 3
    assert padded("宽", 4) == "宽  "
