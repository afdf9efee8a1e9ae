"""What happened, as data: what the journal keeps and a replay folds. Texts for people are made from it."""

from __future__ import annotations

from typing import Literal

import msgspec

from tui.channels.health import ConnectionState
from tui.model.alerts import AlertSummary
from tui.model.history import Minute
from tui.model.incidents import IncidentSnapshot
from tui.model.snapshot import FrameContent, Trouble


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event"):
    """What happened."""


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """The engine began."""


class RunStopped(_Event, frozen=True, kw_only=True, tag="run_stopped"):
    error: str | None = None
    """What ended it; None when it was asked to stop."""


class StateChanged(_Event, frozen=True, kw_only=True, tag="state"):
    old: ConnectionState
    new: ConnectionState
    reason: str | None = None
    """May hold text from the network."""
    before: float | None = None
    """Seconds that the state before lasted, a failure that goes on left out of account."""
    goes_on: bool = False
    """One more failure of the trouble that is known, and no worse."""
    circuit_open: bool = False
    trouble: Trouble | None = None
    """What it is part of from now on."""


class ChannelChanged(_Event, frozen=True, kw_only=True, tag="channel"):
    topic: str
    state: Literal["joined", "errored", "closed"]
    reason: str | None = None
    """May hold text from the network."""


class SettingsReloaded(_Event, frozen=True, kw_only=True, tag="reloaded"):
    """The connections, by name, that other settings brought, ended, began anew or changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class IncidentChanged(_Event, frozen=True, kw_only=True, tag="incident"):
    change: Literal["opened", "reopened", "acknowledged", "resolved"]
    incident: IncidentSnapshot
    """As it stood then."""


class AlertEnded(_Event, frozen=True, kw_only=True, tag="alert"):
    """An alert ended, or what became of an ended one is known better."""

    alert: AlertSummary


class ConnectionFigures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one connection at a moment; what is 0 or not known is left out."""

    name: str
    label: str = ""
    address: str = ""
    rate_in: float = 0.0
    rate_out: float = 0.0
    metrics: dict[str, int | float] = {}
    """By the field of :class:`tui.channels.health.HealthMetrics`."""
    details: dict[str, int | float] = {}
    """By the field of :class:`tui.channels.health.ConnectionDetails`."""
    channels: dict[str, dict[str, int]] = {}
    """By topic, then by the field of :class:`tui.model.snapshot.ChannelSnapshot`."""


class MinuteFigures(_Event, frozen=True, kw_only=True, tag="minute"):
    """What is counted, once a minute."""

    connections: tuple[ConnectionFigures, ...] = ()
    spent: dict[str, tuple[Minute, ...]] = {}
    """By connection: the minutes since the mark before; the last may go on, and is then told again."""
    alerts: dict[str, int] = {}
    """By the field of :class:`tui.model.alerts.AlertsSnapshot`; ``waiting`` is how many."""


class FrameSeen(_Event, frozen=True, kw_only=True, tag="frame"):
    """A frame came or went, secrets masked."""

    content: FrameContent


class LinesLeftOut(_Event, frozen=True, kw_only=True, tag="left_out"):
    """Lines of the journal that cannot be read. Never written itself."""

    count: int


Event = (
    RunStarted
    | RunStopped
    | StateChanged
    | ChannelChanged
    | SettingsReloaded
    | IncidentChanged
    | AlertEnded
    | MinuteFigures
    | FrameSeen
    | LinesLeftOut
)
