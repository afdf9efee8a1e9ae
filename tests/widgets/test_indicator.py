"""The indicator's words, colours and the moments in which it is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
    assert (value.symbol, value.words, value.tone) == (symbol, words, tone)


@pytest.mark.parametrize("state", ["connected", "connecting", "reconnecting", "failed", "disconnected"])
def test_an_open_breaker_beats_every_state(state: State) -> None:
    value = IndicatorValue(state=state, circuit_open=True)
    assert (value.symbol, value.words, value.tone) == ("✗", "Circuit Breaker Open", "bad")


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
        {"known": False},
    ],
)
def test_it_is_shown_when_something_is_wrong_or_asked_for(change: dict[str, object]) -> None:
    assert replace(WELL, **change).shown  # type: ignore[arg-type]


def test_only_counts_above_zero_stand_below() -> None:
    assert WELL.counts == ()
    value = replace(WELL, reconnects=11, heartbeat_failures=1, circuit_trips=2, failed_reconnects=9)
    assert value.counts == ("reconnects 11", "heartbeat failures 1", "circuit trips 2", "failed reconnects 9")
    assert replace(WELL, circuit_trips=2).counts == ("circuit trips 2",)


def test_what_nobody_observes_is_not_known() -> None:
    value = replace(WELL, known=False)
    assert (value.symbol, value.words, value.tone) == ("?", "was Connected", "dim")


def test_its_rows() -> None:
    assert ConnectionIndicator.rows_of(WELL) == 0
    assert ConnectionIndicator.rows_of(replace(WELL, debug=True)) == 1
    assert ConnectionIndicator.rows_of(replace(WELL, debug=True, reconnects=1)) == 2
