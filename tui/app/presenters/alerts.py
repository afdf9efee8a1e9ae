"""What is shown of the alert queue: row 2, the rows of the queue and of its past."""

from __future__ import annotations

import math

from tui.model.engine import AlertOutcome, AlertsSnapshot, AlertSummary, Snapshot, SourceAway
from tui.model.known import count_dropped, is_present, on_stage
from tui.text.formats import duration, time_of_day
from widgets.alert_list import AlertRow
from widgets.lines import Tone
from widgets.on_air import OnAirTone, OnAirValue

NO_QUEUE = "no alert queue is set up"

MOST_RECENT = 50
"""Entries that a snapshot tells of what ended."""

AlertKey = str | tuple[str, str, float]
"""An alert's id, or what tells one absence of a source from all others."""

OUTCOME_TONES: dict[AlertOutcome, Tone] = {
    "shown": "good",
    "unconfirmed": "busy",
    "skipped": "dim",
    "removed": "dim",
    "expired": "busy",
    "dropped": "bad",
    "muted": "dim",
    "collapsed": "dim",
    "failed": "bad",
    "rejected": "bad",
}
_STATES = {"SENT, unconfirmed": "unconfirmed", "NOT DELIVERED": "nowhere", "TRYING AGAIN": "retrying"}
"""Of what plays, where there is less room than on row 2."""
_TEST_SOURCE = "test"
_WAITS_FOR = "waiting for overlays: "


# Row 2 --------------------------------------------------------------------------------------------


def on_air(snapshot: Snapshot, now: float) -> OnAirValue | None:
    """What viewers see, and why they see nothing; None without a queue.

    Nothing is called on air that no overlay is known to show.
    """
    alerts = snapshot.alerts
    if alerts is None:
        return None
    shown = on_stage(alerts)
    if not is_present(snapshot, now):
        was = f"was {_label(alerts, shown[0]).casefold()}" if shown else ""
        first = shown[0] if shown else None
        return OnAirValue(
            "quiet",
            f"? not known; {was}" if was else "? not known what is on air",
            type=first.type if first else "",
            what=said(first) if first else "",
        )
    if not shown:
        return _nothing_on_air(alerts, now)
    first = shown[0]
    trouble = next((short for short, _ in troubles(alerts, now)), "")
    others = [f"{len(shown) - 1} beside"] if len(shown) > 1 else []
    held = alerts.mode in ("paused", "held", "waiting for overlays")
    left = None if first.ends_at is None else max(0.0, first.ends_at - now)
    if left is not None and first.duration > 0:
        # ``now`` is in whole seconds: never more than there was at the beginning.
        left = min(left, first.duration)
    return OnAirValue(
        "busy" if held else _tone(alerts, first),
        _label(alerts, first),
        type=first.type,
        what=f"{said(first)} (+{first.count - 1:,})" if first.count > 1 else said(first),
        left=None if left is None else left / first.duration if first.duration > 0 else 0.0,
        seconds="" if left is None else f"{math.ceil(left)}s",
        # That something plays is said already, if room is needed for what is wrong.
        state=state_words(alerts, now) or ("" if trouble else "PLAYING"),
        tally="  ".join([*others, f"{len(alerts.waiting)} waiting"]),
        trouble=trouble,
    )


def _nothing_on_air(alerts: AlertsSnapshot, now: float) -> OnAirValue:
    state, noted = state_words(alerts, now), troubles(alerts, now)
    words = [long for _, long in noted]
    if alerts.mode == "waiting for overlays":
        words.insert(0, alerts.message.removeprefix(_WAITS_FOR))
        state += ":" if words[0] else ""
    elif state:
        words.insert(0, "nothing on air")
    urgent = bool(state) or any(short in ("store trouble", "queue full", "source away") for short, _ in noted)
    return OnAirValue(
        "busy" if urgent else "quiet",
        state or "nothing on air",
        what="; ".join(word for word in words if word),
        tally=f"{len(alerts.waiting)} waiting" if alerts.waiting or urgent else "",
    )


def state_words(alerts: AlertsSnapshot, now: float) -> str:
    """Why the queue does not go on; empty while it does, or has nothing to do."""
    match alerts.mode:
        case "paused":
            return "PAUSED"
        case "held":
            until = "" if alerts.held_until is None else f" until {time_of_day(alerts.held_until, now)}"
            return f"HELD{until}"
        case "waiting for overlays":
            return "WAITING FOR OVERLAYS"
        case _:
            return ""


def _label(alerts: AlertsSnapshot, alert: AlertSummary) -> str:
    if alerts.delivers_to is None:
        return "NOT DELIVERED"
    match alert.phase:
        case "sending":
            return "SENDING"
        case "retrying":
            return "TRYING AGAIN"
        case _:
            return "ON AIR" if alert.confirmed else "SENT, unconfirmed"


def _tone(alerts: AlertsSnapshot, alert: AlertSummary) -> OnAirTone:
    if alerts.delivers_to is None:
        return "quiet"
    return "air" if alert.confirmed and alert.phase == "on air" else "sent"


def troubles(alerts: AlertsSnapshot, now: float) -> list[tuple[str, str]]:
    """What is wrong, the worst first: in two words, and in all."""
    noted = []
    if alerts.store is not None:
        held = f"; {alerts.held_in_memory:,} in memory only" if alerts.held_in_memory else ""
        noted.append(("store trouble", f"store trouble: {alerts.store}{held}"))
    if len(alerts.waiting) >= alerts.most_waiting:
        noted.append(("queue full", f"queue full: {count_dropped(alerts):,} dropped since the start"))
    for away in alerts.away:
        since = time_of_day(away.since, now)
        noted.append(("source away", f"source away since {since}: {away.source}, alerts in it not seen"))
    if alerts.rules is not None:
        noted.append(("rules not read", f"rules not read: {alerts.rules}"))
    if alerts.warning is not None:
        noted.append(("warning", alerts.warning))
    return noted


# Rows ---------------------------------------------------------------------------------------------


def said(alert: AlertSummary) -> str:
    """Who and what, in one line."""
    who = alert.who
    if who.casefold() in alert.title.casefold():
        words = alert.title
    else:
        words = f"{who}, {alert.title}" if alert.title else who
    if alert.source == _TEST_SOURCE:
        words = f"(test) {words}"
    return f"{words}: {alert.message}" if alert.message else words


def key_of(entry: AlertSummary | SourceAway) -> AlertKey:
    """What tells an entry from all others, whatever becomes of it."""
    return entry.id if isinstance(entry, AlertSummary) else ("away", entry.source, entry.since)


def moment_of(entry: AlertSummary | SourceAway) -> float:
    """When it ended, epoch seconds: the history is in this order."""
    if isinstance(entry, AlertSummary):
        return entry.ended_at if entry.ended_at is not None else entry.accepted_at
    return entry.until if entry.until is not None else entry.since


def pane_rows(alerts: AlertsSnapshot, now: float) -> list[AlertRow]:
    """The pane: what waits, which sources are away, what ended last; what grew another one is left out."""
    rows = _waiting_rows(alerts)
    rows += [ended_row(away, now) for away in alerts.away]
    now_away = {key_of(away) for away in alerts.away}
    rows += [
        ended_row(entry, now)
        for entry in alerts.recent
        if key_of(entry) not in now_away
        and not (isinstance(entry, AlertSummary) and entry.outcome == "collapsed")
    ]
    return rows


def open_rows(alerts: AlertsSnapshot) -> list[AlertRow]:
    """What plays and what waits, in the order of their turns."""
    rows = []
    for alert in on_stage(alerts):
        label = _label(alerts, alert)
        lead, state = "now" if alert is alerts.playing else "beside", _STATES.get(label) or label.casefold()
        rows.append(_row(alert, lead, state, "good" if label == "ON AIR" else "busy"))
    return rows + _waiting_rows(alerts)


def _waiting_rows(alerts: AlertsSnapshot) -> list[AlertRow]:
    return [_row(alert, str(place), "waiting") for place, alert in enumerate(alerts.waiting, 1)]


def ended_row(entry: AlertSummary | SourceAway, now: float) -> AlertRow:
    """One that ended, or a time in which alerts were not seen."""
    if isinstance(entry, SourceAway):
        return _away_row(entry, now)
    outcome = entry.outcome
    tone: Tone = "dim" if outcome is None else OUTCOME_TONES[outcome]
    row = _row(entry, time_of_day(moment_of(entry), now), outcome or "ended", tone)
    return row._replace(note="  ".join(part for part in (entry.reason, row.note) if part), ended=True)


def _row(alert: AlertSummary, lead: str, state: str, tone: Tone = "plain") -> AlertRow:
    return AlertRow(
        key=alert.id,
        lead=lead,
        type=alert.type,
        what=said(alert),
        state=state,
        tone=tone,
        priority=f"★{alert.priority}",
        grown=alert.count - 1,
        note="in memory only" if alert.held else "",
    )


def _away_row(away: SourceAway, now: float) -> AlertRow:
    lasted = "now" if away.until is None else duration(away.until - away.since)
    return AlertRow(
        key=key_of(away),
        lead=time_of_day(moment_of(away), now),
        type="",
        what=f"alerts not seen: {away.source}",
        state=f"away {lasted}",
        tone="bad" if away.until is None else "busy",
        ended=True,
    )


def pane_note(alerts: AlertsSnapshot, now: float) -> str:
    """How many wait, and what is muted."""
    waiting = f"{len(alerts.waiting)} of {alerts.most_waiting} waiting" if alerts.waiting else "none waiting"
    mutes = (f"{type} muted until {time_of_day(until, now)}" for type, until in mutes_of(alerts))
    return ", ".join((waiting, *mutes))


def mutes_of(alerts: AlertsSnapshot) -> list[tuple[str, float]]:
    """Muted types, each with the epoch second at which its mute ends."""
    return sorted(alerts.mutes.items())


def alerts_stand(snapshot: Snapshot) -> bool | None:
    """Whether the queue waits for a person to let it go on; None without one."""
    return None if snapshot.alerts is None else snapshot.alerts.mode in ("paused", "held")


def counts_down(snapshot: Snapshot, now: float) -> bool:
    """Whether time runs on row 2."""
    alerts = snapshot.alerts
    shown = on_stage(alerts) if alerts is not None else ()
    return bool(shown) and shown[0].ends_at is not None and is_present(snapshot, now)
