"""What a replay shows beside what any engine shows: its time line, and figures that it does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from tui.model.snapshot import Snapshot
from tui.replay.values import Mark, Position
from tui.text.formats import NOTHING
from widgets.connection_list import ConnectionRow
from widgets.facts import Fact
from widgets.indicator import UNKNOWN_SYMBOL
from widgets.lines import Tone
from widgets.status_bar import StatusBarValue
from widgets.time_line import TimeLineValue, TimeMark

_SIGNS: dict[str, tuple[str, Tone]] = {
    "gap": ("·", "dim"),
    "loss": ("?", "busy"),
    "error": ("!", "busy"),
    "incident": ("!", "bad"),
}
"""The later ones are drawn over the earlier."""

_KNOWN_FROM_JOURNAL = frozenset(
    ("state", "since", "connects", "connected", "reason", "trouble", "last change")
)
"""Facts that a journal holds at any moment; the others of a connection stand at their defaults in it."""
_KNOWN_BY_THE_MINUTE = _KNOWN_FROM_JOURNAL | frozenset(
    (
        *("round trip", "reconnects", "attempts", "traffic", "channels", "lost"),
        *("heartbeat failures", "failed reconnects", "rtt", "p50", "p95", "in", "out", "dropped"),
    )
)
"""Where it holds the figures of the minute."""


def time_line(position: Position, marks: Sequence[Mark]) -> TimeLineValue:
    whole = max(position.end - position.begin, 1e-9)

    def place(moment: float) -> float:
        return (moment - position.begin) / whole

    kinds = list(_SIGNS)
    drawn = sorted(marks, key=lambda mark: kinds.index(mark.kind))
    return TimeLineValue(
        moment=_moment(position.at, "%Y-%m-%d %H:%M:%S"),
        how=f"playing x{position.speed:g}" if position.playing else "paused",
        begin=_moment(position.begin, "%H:%M"),
        end=_moment(position.end, "%H:%M"),
        at=place(position.at),
        marks=tuple(TimeMark(place(mark.begin), place(mark.end), *_SIGNS[mark.kind]) for mark in drawn),
    )


def nothing_recorded(why: str) -> StatusBarValue:
    """Row 1 for a moment of which nothing is held."""
    return StatusBarValue("unknown", f"{UNKNOWN_SYMBOL} nothing is known of then", detail=why)


FROM_JOURNAL = "from the journal: \N{EN DASH} stands for what it does not hold"


def known_queue(snapshot: Snapshot, position: Position | None) -> Snapshot:
    """A snapshot whose alert queue is not known where its source does not hold it."""
    if position is None or "alerts.mode" not in position.not_known or snapshot.waiting is not None:
        return snapshot
    return msgspec.structs.replace(snapshot, waiting="not in the journal")


def known_row(row: ConnectionRow, position: Position | None) -> ConnectionRow:
    """A row of the list without the figures that its source does not hold."""
    if position is None or "connections.messages_per_second_in" not in position.not_known:
        return row
    return replace(row, round_trip=NOTHING, rate_in=NOTHING, rate_out=NOTHING)


def known_facts(facts: Sequence[Fact], position: Position | None) -> tuple[Fact, ...]:
    """Facts of a connection without the values that their source does not hold."""
    if position is None or not position.not_known:
        return tuple(facts)
    is_minute = "details.messages_in" not in position.not_known
    known = _KNOWN_BY_THE_MINUTE if is_minute else _KNOWN_FROM_JOURNAL
    return tuple(fact if fact.label in known else Fact(fact.label, NOTHING, "dim") for fact in facts)


def _moment(moment: float, form: str) -> str:
    return datetime.fromtimestamp(moment).strftime(form)
