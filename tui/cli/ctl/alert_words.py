"""The alert queue in words, for shell commands. All words returned are printable."""

from __future__ import annotations

from collections.abc import Mapping

from tui.model.alerts import TEST_SOURCE
from tui.model.engine import AlertsSnapshot, AlertSummary
from tui.model.known import count_dropped, queue_state, queue_waits
from tui.text.formats import counted
from tui.text.printable import printable

_TIMES = "\N{MULTIPLICATION SIGN}"


def named(alert: AlertSummary) -> str:
    """Such as ``raid of bob``."""
    return printable(f"{alert.type} of {alert.who}" if alert.who else alert.type)


def what_is_shown(alert: AlertSummary) -> str:
    """What is shown of it, and of how many viewers."""
    words = printable(alert.title or alert.message)
    if alert.source == TEST_SOURCE:
        words = f"(test) {words}"
    return f"{words} {_TIMES}{alert.count}".lstrip() if alert.count > 1 else words


def state_words(alerts: AlertsSnapshot, now: float) -> str:
    """How the queue stands and, where it waits, why."""
    words = queue_state(alerts, now)
    return printable(f"{words}: {alerts.message}" if queue_waits(alerts) and alerts.message else words)


def warnings(alerts: AlertsSnapshot) -> list[str]:
    """What else a person must know."""
    found = []
    if alerts.store is not None:
        held = alerts.held_in_memory
        kept = f"; {counted(held, 'alert')} in memory alone" if held else ""
        found.append(f"the store: {alerts.store}{kept}")
    if len(alerts.waiting) >= alerts.most_waiting:
        found.append(f"the queue is full: {count_dropped(alerts)} dropped since the start")
    if alerts.rules is not None:
        found.append(f"the rules: {alerts.rules}")
    if alerts.warning is not None:
        found.append(alerts.warning)
    return [printable(words) for words in found]


def what_is_off(alerts: AlertsSnapshot, now: float) -> str | None:
    """What keeps alerts from being shown or stored, for a line of its own; None while nothing does."""
    parts = [state_words(alerts, now)] if queue_waits(alerts) else []
    parts += warnings(alerts)
    if not parts:
        return None
    return "; ".join([*parts, f"{len(alerts.waiting)} waiting"])


def off_shortly(alerts: AlertsSnapshot) -> str | None:
    """The same in at most 26 columns, for a status bar; the rules' and the hub's faults are left out."""
    parts = []
    if queue_waits(alerts):
        parts.append("alerts wait" if alerts.mode == "waiting for overlays" else f"alerts {alerts.mode}")
    if alerts.store_fails:
        parts.append("store fails" if parts else "alert store fails")
    return ", ".join(parts) or None


def unmapped_words(alerts: AlertsSnapshot) -> str:
    """What came that no source maps, the most frequent first; empty where nothing did."""
    return printable(
        ", ".join(f"{name} {_TIMES}{number}" for name, number in alerts.unmapped.items()), 20_000
    )


def tally(counts: Mapping[str, int]) -> str:
    """How many came to which outcome, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return printable(", ".join(f"{number} {outcome}" for outcome, number in ordered))
