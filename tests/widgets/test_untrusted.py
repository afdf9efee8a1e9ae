"""Text from a network can neither steer the terminal nor move the columns."""

from __future__ import annotations

import time
import unicodedata

import pytest

from widgets.untrusted import cell_width, cut_to, displayable, fitted

HOSTILE = {
    "markup": "[bold]x[/bad] [@click=app.quit]y",
    "escapes": "\x1b[31mred\x1b[0m \x1b]2;title\x07 \x1b[2J\x9b31m",
    "controls": "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "bidi": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "zero width": "a\u200bb\u200dc\ufeffd\u2060e",
    "emoji": "👩‍👩‍👧 🏳️‍🌈 👍🏽 🇩🇪 ❤️",
    "climbing marks": "Z" + "\u0301" * 300,
    "leading mark": "\u0301x",
    "surrogates": "\ud83d \udc00",
    "wide": "日本語テキスト 한국어",
    "loose Hangul": "\u1160\u11ff\u1161",
    "line ends": "a\nb\r\nc\u2028d\u2029e\x85f",
    "private": "\ue000\U000f0000\uffff",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_shown_is_printable_and_safe_to_send(text: str) -> None:
    shown = displayable(text, 200)
    shown.encode("utf-8")
    for character in shown:
        assert unicodedata.category(character)[0] != "C", hex(ord(character))
        assert character not in "\u2028\u2029"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("width", [0, 1, 2, 7, 30])
def test_fitted_text_takes_exactly_its_columns(text: str, width: int) -> None:
    assert cell_width(fitted(displayable(text, 200), width)) == width


def test_markup_stays_as_it_came() -> None:
    assert displayable("[/foo] room:[lobby]") == "[/foo] room:[lobby]"


def test_controls_become_their_symbols() -> None:
    assert displayable("\x1b[31m\x00\t\n\x7f") == "␛[31m␀␉␊␡"


def test_bidirectional_controls_are_seen() -> None:
    assert displayable("\u202eabc") == "\N{REPLACEMENT CHARACTER}abc"


def test_joined_emoji_fall_apart_into_ones_of_known_width() -> None:
    assert displayable("👩‍💻👍🏽❤️🇩🇪") == "👩💻👍❤DE"


def test_at_most_two_marks_climb() -> None:
    assert displayable("x" + "\u0323" * 50) == "x" + "\u0323" * 2


def test_words_in_other_scripts_stay() -> None:
    assert displayable("Åse, Zoë, 日本, שלום") == "Åse, Zoë, 日本, שלום"


def test_a_megabyte_costs_as_much_as_a_line() -> None:
    for text in ("x" * 1_000_000, "\u0301" * 1_000_000, "\x1b[" * 500_000, "日" * 1_000_000):
        begun = time.thread_time()
        shown = displayable(text, 100)
        assert time.thread_time() - begun < 0.05
        assert len(shown) <= 100


def test_what_was_cut_says_so() -> None:
    assert displayable("abcdef", 4) == "abc…"
    assert cut_to("日本語", 4) == "日…"
    assert cut_to("abc", 3) == "abc"
