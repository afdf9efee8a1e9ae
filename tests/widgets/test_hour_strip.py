"""The strip of the last hour: what it must never hide, and that a sparkline is true to its scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.hour_strip import cells_for, strip_spans
from widgets.sparkline import sparkline

hours = st.text("012345678o?", max_size=60)


def text_of(hour: str, cells: int) -> str:
    return "".join(span.text for span in strip_spans(hour, cells))


@pytest.mark.parametrize("cells", [15, 30, 60])
def test_an_unbroken_hour_is_full(cells: int) -> None:
    assert text_of("8" * 60, cells) == "▇" * cells
    assert {span.tone for span in strip_spans("8" * 60, cells)} == {"calm"}


def test_the_shortest_break_is_seen_at_every_width() -> None:
    for minute in range(60):
        hour = "8" * minute + "7" + "8" * (59 - minute)
        for cells in (15, 30, 60):
            shown = text_of(hour, cells)
            assert shown.count("▅") == 1
            assert shown.index("▅") == minute * cells // 60


def test_only_a_time_without_any_connection_is_empty() -> None:
    assert text_of("8" * 56 + "0000", 15) == "▇" * 14 + "▁"
    assert text_of("8" * 56 + "0001", 15)[-1] == "▂"


def test_what_nobody_observed_is_not_shown_as_anything_else() -> None:
    assert text_of("8" * 20 + "?" * 20 + "8" * 20, 15) == "▇" * 5 + "?" * 5 + "▇" * 5
    assert text_of("?" * 56 + "oooo", 15)[-1] == "○"


def test_the_time_before_it_was_watched_is_no_gap() -> None:
    assert text_of("", 15) == "·" * 15
    assert text_of("?" * 57 + "888", 15) == text_of("888", 15) == "·" * 14 + "▇"
    assert text_of("?" * 20 + "8" * 36 + "????", 15) == "·" * 5 + "▇" * 9 + "?"


@given(hours, st.sampled_from([80, 100, 120, 169, 170, 250]))
def test_every_hour_takes_exactly_its_cells(hour: str, width: int) -> None:
    cells = cells_for(width)
    assert len(text_of(hour, cells)) == cells


@given(st.lists(st.floats(0, 60), max_size=100), st.integers(0, 30))
def test_a_sparkline_keeps_its_bounds_and_its_greatest_value(values: list[float], cells: int) -> None:
    bars = sparkline(values, cells)
    assert len(bars) <= cells
    if bars and max(values) > 0:
        assert "▇" in bars


def test_a_sparkline_begins_at_zero_and_keeps_the_newest_on_the_right() -> None:
    assert sparkline([0.010, 0.011, 0.010], 3) == "▇▇▇"
    assert sparkline([0.0, 1.0], 2) == "▁▇"
    assert sparkline([1.0] * 99 + [10.0], 10)[-1] == "▇"
    assert sparkline([], 10) == ""
