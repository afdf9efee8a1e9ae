"""The figures of a journal: as they were at the last full minute before a moment."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from tui.model.alerts import AlertsSnapshot
from tui.model.events import ConnectionFigures, MinuteFigures
from tui.model.figures import ALERTS, CHANNELS, DETAILS, METRICS
from tui.model.snapshot import ConnectionSnapshot
from tui.store.journal import ALIVE_EVERY

T = TypeVar("T", bound=msgspec.Struct)

KNOWN = frozenset(
    (
        *("connections.label", "connections.address"),
        *("connections.messages_per_second_in", "connections.messages_per_second_out"),
        *(f"metrics.{name}" for name in METRICS),
        *(f"details.{name}" for name in DETAILS),
        *(f"channels.{name}" for name in CHANNELS),
        *(f"alerts.{name}" for name in ALERTS),
    )
)
"""Fields that are known where there are figures."""

_OLDEST = 2.5 * ALIVE_EVERY


class Figures:
    def __init__(self) -> None:
        self._times: list[float] = []
        self._figures: list[MinuteFigures] = []

    def take(self, figures: MinuteFigures, at: float) -> None:
        self._times.append(at)
        self._figures.append(figures)

    def at(self, at: float, since: float) -> MinuteFigures | None:
        """The last before ``at``; None where there are none since ``since`` or they are too old."""
        place = bisect.bisect_right(self._times, at) - 1
        return self._figures[place] if place >= 0 and self._times[place] >= max(since, at - _OLDEST) else None


def with_figures(connection: ConnectionSnapshot, figures: ConnectionFigures) -> ConnectionSnapshot:
    return msgspec.structs.replace(
        connection,
        label=figures.label,
        address=figures.address,
        messages_per_second_in=figures.rate_in,
        messages_per_second_out=figures.rate_out,
        metrics=_with(connection.metrics, figures.metrics, METRICS),
        details=_with(connection.details, figures.details, DETAILS),
        channels=tuple(
            _with(each, figures.channels.get(each.topic, {}), CHANNELS) for each in connection.channels
        ),
    )


def with_counts(alerts: AlertsSnapshot | None, counts: Mapping[str, int]) -> AlertsSnapshot | None:
    """The queue with its counts; None where nothing is known of one."""
    if not counts:
        return alerts
    words = f"the journal holds outcomes and counts alone; waiting then: {counts.get('waiting', 0):,}"
    return msgspec.structs.replace(_with(alerts or AlertsSnapshot(), counts, ALERTS), message=words)


def _with(value: T, figures: Mapping[str, Any], names: tuple[str, ...]) -> T:
    return msgspec.structs.replace(value, **{name: figures[name] for name in names if name in figures})
