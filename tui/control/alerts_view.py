"""What a shell command reads of the alert queue: decoded without the engine's modules, put into words.

The names and meanings are those of :mod:`tui.engine.alert_values`. All words returned are printable.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tui.formats import counted, time_of_day
from tui.text.printable import printable

_TIMES = "\N{MULTIPLICATION SIGN}"
_TEST_SOURCE = "test"
_WAITS = ("paused", "held", "waiting for overlays")


class AlertView(msgspec.Struct, frozen=True, tag_field="kind", tag="alert"):
    id: str
    type: str
    who: str = ""
    title: str = ""
    message: str = ""
    priority: int = 5
    count: int = 1
    duration: float = 0.0
    source: str = ""
    accepted_at: float = 0.0
    state: str = "waiting"
    phase: str = ""
    sent_at: float | None = None
    ends_at: float | None = None
    confirmed: bool = False
    outcome: str | None = None
    reason: str | None = None
    ended_at: float | None = None
    held: bool = False

    @property
    def named(self) -> str:
        """Such as ``raid of bob``."""
        return printable(f"{self.type} of {self.who}" if self.who else self.type)

    @property
    def what(self) -> str:
        """What is shown of it, and of how many viewers."""
        words = printable(self.title or self.message)
        if self.source == _TEST_SOURCE:
            words = f"(test) {words}"
        return f"{words} {_TIMES}{self.count}".lstrip() if self.count > 1 else words


class AwayView(msgspec.Struct, frozen=True, tag_field="kind", tag="away"):
    source: str
    since: float
    until: float | None = None


class PageView(msgspec.Struct, frozen=True):
    name: str
    connected: bool
    reported_at: float


class AlertsView(msgspec.Struct, frozen=True):
    mode: str
    words: str = ""
    held_until: float | None = None
    playing: AlertView | None = None
    beside: tuple[AlertView, ...] = ()
    waiting: tuple[AlertView, ...] = ()
    most_waiting: int = 50
    recent: tuple[AlertView | AwayView, ...] = ()
    accepted: int = 0
    restored: int = 0
    counts: dict[str, dict[str, int]] = {}
    ignored: int = 0
    duplicates: int = 0
    unmapped: dict[str, int] = {}
    mutes: dict[str, float] = {}
    away: tuple[AwayView, ...] = ()
    overlays: tuple[PageView, ...] = ()
    delivers_to: str | None = None
    can_clear: bool = False
    can_undo: bool = False
    held_in_memory: int = 0
    store: str | None = None
    rules: str | None = None
    warning: str | None = None

    @property
    def on_stage(self) -> tuple[AlertView, ...]:
        """What plays and what is shown beside it."""
        return self.beside if self.playing is None else (self.playing, *self.beside)


class AlertPageView(msgspec.Struct, frozen=True):
    alerts: tuple[AlertView | AwayView, ...]
    next_before: str | None = None
    counts: dict[str, dict[str, int]] = {}


class AlertContentView(msgspec.Struct, frozen=True):
    alert: AlertView
    payload: str
    cut: bool = False
    into: str | None = None
    requeued_from: str | None = None
    source_id: str | None = None


def state_words(alerts: AlertsView, now: float) -> str:
    """How the queue stands and, where it waits, why."""
    words = alerts.mode
    if alerts.mode == "held":
        words = f"held until {time_of_day(alerts.held_until, now)}"
    reason = alerts.words.removeprefix(f"{alerts.mode}: ")
    if alerts.mode in _WAITS and reason not in ("", alerts.mode):
        words = f"{words}: {reason}"
    return printable(words)


def warnings(alerts: AlertsView) -> list[str]:
    """What else a person must know."""
    found = []
    if alerts.store is not None:
        held = alerts.held_in_memory
        kept = f"; {counted(held, 'alert')} in memory alone" if held else ""
        found.append(f"the store: {alerts.store}{kept}")
    if len(alerts.waiting) >= alerts.most_waiting:
        dropped = sum(outcomes.get("dropped", 0) for outcomes in alerts.counts.values())
        found.append(f"the queue is full: {dropped} dropped since the start")
    if alerts.rules is not None:
        found.append(f"the rules: {alerts.rules}")
    if alerts.warning is not None:
        found.append(alerts.warning)
    return [printable(words) for words in found]


def what_is_off(alerts: AlertsView, now: float) -> str | None:
    """What keeps alerts from being shown or stored, for a line of its own; None while nothing does."""
    parts = [state_words(alerts, now)] if alerts.mode in _WAITS else []
    parts += warnings(alerts)
    if not parts:
        return None
    return "; ".join([*parts, f"{len(alerts.waiting)} waiting"])


def off_shortly(alerts: AlertsView) -> str | None:
    """The same in at most 26 columns, for a status bar; the rules' and the hub's faults are left out."""
    parts = []
    if alerts.mode in _WAITS:
        parts.append("alerts wait" if alerts.mode == _WAITS[2] else f"alerts {alerts.mode}")
    if alerts.store is not None:
        parts.append("store fails" if parts else "alert store fails")
    return ", ".join(parts) or None


def unmapped_words(alerts: AlertsView) -> str:
    """What came that no source maps, the most frequent first; empty where nothing did."""
    return printable(
        ", ".join(f"{name} {_TIMES}{number}" for name, number in alerts.unmapped.items()), 20_000
    )


def tally(counts: Mapping[str, int]) -> str:
    """How many came to which outcome, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return printable(", ".join(f"{number} {outcome}" for outcome, number in ordered))
