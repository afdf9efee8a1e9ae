"""Services that others tell of, in the list of all that is watched, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from widgets.connection_list import Columns, columns_of
from widgets.hour_strip import strip_spans
from widgets.lines import Line, Span, Tone
from widgets.untrusted import displayable, fitted

_STATE, _STALE, _VIA, _SINCE = 21, 6, 12, 12


@dataclass(frozen=True)
class ServiceRow:
    """One service; every text may be from the network."""

    key: str
    name: str
    symbol: str
    state: str
    tone: Tone
    stale: str = ""
    """How old the newest word is, where that matters."""
    via: str = ""
    """The ways in which it is seen."""
    hour: str = ""
    """The last hour, as :func:`widgets.hour_strip.strip_spans` takes it."""
    since: str = ""
    why: str = ""
    dimmed: bool = False
    """What it says may no longer hold."""


def service_heading(width: int) -> Line:
    """The names of the columns for a list of ``width`` columns."""
    columns = columns_of(width)
    text = fitted(" REPORTED", columns.name)
    if not columns.strip:
        via = "  VIA" if _has_via(columns) else ""
        text += fitted("STATE", _state_width(columns)) + fitted("STALE", _STALE, right=True)
        return (Span(f"{text}{via}", "heading"),)
    text += fitted("STATE", _state_width(columns)) + fitted("STALE", _STALE, right=True)
    text += "  " + fitted("LAST HOUR", columns.strip) + " VIA"
    if columns.since:
        text = fitted(text, columns.name + columns.middle + columns.strip + columns.since)
        text += fitted("SINCE", _SINCE) + "WHERE AND WHY"
    return (Span(text, "heading"),)


def service_line(row: ServiceRow, width: int, selected: bool) -> Line:
    """One row for a list of ``width`` columns; its strip stands under those of the connections."""
    columns = columns_of(width)
    name = fitted(displayable(row.name, 100), columns.name - 4)
    line = [
        Span("▸" if selected else " "),
        Span(f"{row.symbol} ", row.tone),
        Span(f"{name} ", "dim" if row.dimmed else "strong" if selected else "plain"),
        Span(fitted(displayable(row.state, 100), _state_width(columns)), row.tone),
        Span(fitted(row.stale, _STALE, right=True), "busy"),
    ]
    via = displayable(row.via, 40)
    if not columns.strip:
        return (*line, Span(f"  {via}", "dim")) if _has_via(columns) else tuple(line)
    line.append(Span("  "))
    line += strip_spans(row.hour, columns.strip)
    if columns.since:
        line.append(Span(fitted(f" {via}", columns.since), "dim"))
        line += (Span(fitted(row.since, _SINCE), "dim"), Span(displayable(row.why, 300)))
    else:
        line.append(Span(f" {via}", "dim"))
    return tuple(line)


def _has_via(columns: Columns) -> bool:
    return columns.strip > 0 or columns.middle >= _STATE + _STALE + _VIA


def _state_width(columns: Columns) -> int:
    after = 2 if columns.strip else _VIA if _has_via(columns) else 0
    return max(0, columns.middle - _STALE - after)
