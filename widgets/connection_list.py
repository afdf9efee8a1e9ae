"""Connections in the list of all that is watched, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from widgets.hour_strip import cells_for, strip_spans
from widgets.lines import Line, Span, Tone
from widgets.untrusted import cell_width, displayable, fitted

_MARK, _NAME, _STATE, _RTT, _IN, _OUT, _RECONNECTS, _SINCE = 3, 16, 21, 5, 6, 7, 10, 12
_SMALLEST = _MARK + _NAME + _STATE
"""What is always there: which connection, and its state in words."""
_WITH_STRIP = _SMALLEST + _RTT + _IN + 2 + cells_for(80) + _RECONNECTS
_LENT = 2
"""Columns that names give to the strip where it lacks no more than that."""
_LEAST_WHY = 16


@dataclass(frozen=True)
class ConnectionRow:
    """One connection in the list; every value is text ready to be fitted."""

    name: str
    symbol: str
    state: str
    tone: Tone
    round_trip: str
    rate_in: str
    rate_out: str
    joined: str = ""
    """Beside the state, where channels are to be joined."""
    joined_tone: Tone = "plain"
    hour: str = ""
    """The last hour, as :func:`widgets.hour_strip.strip_spans` takes it."""
    reconnects: str = "0"
    since: str = ""
    why: str = ""


@dataclass(frozen=True)
class Columns:
    """Where the columns stand that are the same for all that is watched; 0 for one that is not there."""

    name: int
    """With the symbol before it."""
    middle: int
    """From the name to the strip, its gap included; without a strip to the end."""
    strip: int
    since: int
    """From the end of the strip to the column of times."""


def columns_of(width: int) -> Columns:
    """The columns of a list of ``width`` columns."""
    name = _MARK + _name_width(width)
    if not _has_strip(width):
        return Columns(name, max(0, width - name), 0, 0)
    middle = _STATE + _RTT + _IN + (_OUT if _has_out(width) else 0) + 2
    return Columns(name, middle, cells_for(width), _RECONNECTS + 2 if _room_for_why(width) >= 0 else 0)


def heading_line(width: int) -> Line:
    """The names of the columns for a list of ``width`` columns."""
    text = fitted(" LINKS", _MARK + _name_width(width)) + fitted("STATE", _STATE)
    if width >= _SMALLEST + _RTT + _IN:
        text += fitted("RTT", _RTT, right=True) + fitted("IN/S", _IN, right=True)
    if _has_strip(width):
        if _has_out(width):
            text += fitted("OUT/S", _OUT, right=True)
        text += "  " + fitted("LAST HOUR", cells_for(width)) + fitted("RECONNECTS", _RECONNECTS, right=True)
    if _room_for_why(width) >= 0:
        text += "  " + fitted("SINCE", _SINCE) + "WHY"
    return (Span(text, "heading"),)


def row_line(row: ConnectionRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns; what seldom changes stands on the right."""
    name = fitted(displayable(row.name, 100), _name_width(width) - 1)
    joined = f" {row.joined}" if row.joined else ""
    line: list[Span] = [
        Span("▸" if selected else " "),
        Span(f"{row.symbol} ", row.tone),
        Span(f"{name} ", "strong" if selected else "plain"),
    ]
    rates = ""
    if width >= _SMALLEST + _RTT + _IN:
        rates = fitted(row.round_trip, _RTT, right=True) + fitted(row.rate_in, _IN, right=True)
        if _has_out(width):
            rates += fitted(row.rate_out, _OUT, right=True)
    if cell_width(row.state) > _STATE:
        # What is in no figure is said in full as far as there is room.
        line.append(Span(fitted(row.state, _STATE + cell_width(rates)), row.tone))
    else:
        line.append(Span(row.state, row.tone))
        line.append(Span(fitted(joined, _STATE - cell_width(row.state)), row.joined_tone))
        line.append(Span(rates))
    if _has_strip(width):
        line += (Span("  "), *strip_spans(row.hour, cells_for(width)))
        line.append(Span(fitted(row.reconnects, _RECONNECTS, right=True)))
    if _room_for_why(width) >= 0:
        line += (Span("  " + fitted(row.since, _SINCE), "dim"), Span(displayable(row.why, 300)))
    return tuple(line)


def _name_width(width: int) -> int:
    lack = _WITH_STRIP - width
    return _NAME + (8 if width >= 148 else -lack if 0 < lack <= _LENT else 0)


def _has_strip(width: int) -> bool:
    return width >= _WITH_STRIP - _LENT


def _has_out(width: int) -> bool:
    return width >= _WITH_STRIP + _OUT


def _room_for_why(width: int) -> int:
    taken = _MARK + _name_width(width) + _STATE + _RTT + _IN + _OUT + 2 + cells_for(width) + _RECONNECTS
    return width - taken - 2 - _SINCE - _LEAST_WHY
