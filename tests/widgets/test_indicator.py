"""The indicator's words, colours and the moments in which it is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from widgets.connection_list import ConnectionRow, row_line
from widgets.indicator import ConnectionIndicator, IndicatorValue, State
from widgets.lines import Tone

WELL = IndicatorValue(state="connected")


@pytest.mark.parametrize(
    ("state", "symbol", "words", "tone"),
    [
        ("connected", "●", "Connected", "good"),
        ("connecting", "◐", "Connecting...", "busy"),
        ("reconnecting", "◐", "Reconnecting (3)", "busy"),
        ("failed", "✗", "Connection Failed", "bad"),
        ("disconnected", "○", "Disconnected", "bad"),
    ],
)
def test_each_state_has_its_symbol_words_and_colour(
    state: State, symbol: str, words: str, tone: Tone
) -> None:
    value = IndicatorValue(state=state, attempts=3)
    assert (value.symbol, value.message, value.tone) == (symbol, words, tone)


@pytest.mark.parametrize("state", ["connected", "connecting", "reconnecting", "failed", "disconnected"])
def test_an_open_breaker_beats_every_state(state: State) -> None:
    value = IndicatorValue(state=state, circuit_open=True)
    assert (value.symbol, value.message, value.tone) == ("✗", "Circuit Breaker Open", "bad")


def test_it_is_hidden_while_all_is_well() -> None:
    assert not WELL.shown
    # What happened long ago does not count.
    assert not replace(WELL, reconnects=4, heartbeat_failures=2, circuit_trips=1, failed_reconnects=3).shown


@pytest.mark.parametrize(
    "change",
    [
        {"debug": True},
        {"state": "connecting"},
        {"state": "disconnected"},
        {"circuit_open": True},
        {"attempts": 1},
        {"heartbeat_failed": True},
        {"remark": "heartbeats unanswered since 21:09:02"},
        {"known": False},
    ],
)
def test_it_is_shown_when_something_is_wrong_or_asked_for(change: dict[str, object]) -> None:
    assert replace(WELL, **change).shown  # type: ignore[arg-type]  # one field at a time


def test_only_counts_above_zero_stand_below() -> None:
    assert WELL.counts == ()
    value = replace(WELL, reconnects=11, heartbeat_failures=1, circuit_trips=2, failed_reconnects=9)
    assert value.counts == ("reconnects 11", "heartbeat failures 1", "circuit trips 2", "failed reconnects 9")
    assert replace(WELL, circuit_trips=2).counts == ("circuit trips 2",)


def test_what_a_connection_must_not_be_told_without_is_part_of_its_state() -> None:
    value = replace(WELL, remark="heartbeats unanswered since 21:09:02")
    assert value.message == "Connected, heartbeats unanswered since 21:09:02"
    assert (value.symbol, value.tone) == ("◐", "busy")
    assert replace(value, state="failed").message == "Connection Failed"
    assert (replace(value, circuit_open=True).symbol, replace(value, circuit_open=True).tone) == ("✗", "bad")


@pytest.mark.parametrize("width", [40, 51, 80, 100, 160])
def test_a_long_state_takes_the_room_of_figures_and_moves_no_column(width: int) -> None:
    row = ConnectionRow("hub", "◐", "Connected", "busy", "", "34", "2", "1/1", hour="8" * 60, since="21:00")
    long = replace(row, state="Connected, heartbeats unanswered since 21:09:02")
    short_text = "".join(span.text for span in row_line(row, width, True))
    long_text = "".join(span.text for span in row_line(long, width, True))
    assert len(long_text) == len(short_text)
    assert "  Connected, heartbeat" in long_text
    if "▇" in short_text:
        assert long_text.index("▇") == short_text.index("▇")


def test_what_nobody_observes_is_not_known() -> None:
    value = replace(WELL, known=False)
    assert (value.symbol, value.message, value.tone) == ("?", "was Connected", "dim")


def test_its_rows() -> None:
    assert ConnectionIndicator.rows_of(WELL) == 0
    assert ConnectionIndicator.rows_of(replace(WELL, debug=True)) == 1
    assert ConnectionIndicator.rows_of(replace(WELL, debug=True, reconnects=1)) == 2
