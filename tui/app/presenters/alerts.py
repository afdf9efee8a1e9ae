"""What is shown of the alert queue: row 2, the rows of the queue and of its past, figures beside them."""

from __future__ import annotations

import math
from collections import Counter

from tui.model.alerts import TEST_SOURCE, AlertOutcome, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.known import count_dropped, is_present, on_stage, queue_state, queue_waits
from tui.model.snapshot import Snapshot
from tui.text.formats import duration, time_of_day
from widgets.alert_list import AlertRow
from widgets.facts import Fact, fact_section
from widgets.lines import Line, Span, Tone
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
_STAGES: dict[str, tuple[OnAirTone, str]] = {
    "ON AIR": ("air", "on air"),
    "SENT, unconfirmed": ("sent", "unconfirmed"),
    "SENDING": ("sent", "sending"),
    "TRYING AGAIN": ("sent", "retrying"),
    "NOT DELIVERED": ("quiet", "nowhere"),
}
"""What row 2 says of an alert that plays: its tone, and the same where there is less room."""

Counts = dict[str, dict[str, int]]
"""By type, then outcome."""

_UNMAPPED = 5
_LONG = 200
"""Characters of a figure; the rest is no figure any more."""


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
    first, label = shown[0], _label(alerts, shown[0])
    trouble = next((short for short, _ in troubles(alerts, now)), "")
    others = [f"{len(shown) - 1} beside"] if len(shown) > 1 else []
    left = None if first.ends_at is None else max(0.0, first.ends_at - now)
    if left is not None and first.duration > 0:
        # ``now`` is in whole seconds: never more than there was at the beginning.
        left = min(left, first.duration)
    return OnAirValue(
        "busy" if queue_waits(alerts) else _STAGES[label][0],
        label,
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
        words.insert(0, alerts.message)
        state += ":" if alerts.message else ""
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
    words = queue_state(alerts, now) if queue_waits(alerts) else ""
    return words.replace(alerts.mode, alerts.mode.upper())


def _label(alerts: AlertsSnapshot, alert: AlertSummary) -> str:
    if alerts.delivers_to is None:
        return "NOT DELIVERED"
    if alert.phase in ("sending", "retrying"):
        return "SENDING" if alert.phase == "sending" else "TRYING AGAIN"
    return "ON AIR" if alert.confirmed else "SENT, unconfirmed"


def troubles(alerts: AlertsSnapshot, now: float) -> list[tuple[str, str]]:
    """What is wrong, the worst first: in two words, and in all."""
    noted = []
    if alerts.store is not None:
        held = f"; {alerts.unsaved:,} in memory only" if alerts.unsaved else ""
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
    if alert.source == TEST_SOURCE:
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
        lead = "now" if alert is alerts.playing else "beside"
        rows.append(_row(alert, lead, _STAGES[label][1], "good" if label == "ON AIR" else "busy"))
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
    mutes = (f"{type} muted until {time_of_day(until, now)}" for type, until in sorted(alerts.mutes.items()))
    return ", ".join((waiting, *mutes))


def is_stopped(alerts: AlertsSnapshot | None) -> bool:
    """Whether the queue waits for a person to let it go on."""
    return alerts is not None and alerts.mode in ("paused", "held")


def counts_down(snapshot: Snapshot, now: float) -> bool:
    alerts = snapshot.alerts
    shown = on_stage(alerts) if alerts is not None else ()
    return bool(shown) and shown[0].ends_at is not None and is_present(snapshot, now)


# Figures ------------------------------------------------------------------------------------------


def totals(counts: Counts) -> Counter[str]:
    """How many ended in each way, whatever their type."""
    found: Counter[str] = Counter()
    for outcomes in counts.values():
        found.update(outcomes)
    return found


def _count_words(outcomes: dict[str, int]) -> str:
    known_order = [outcome for outcome in OUTCOME_TONES if outcome in outcomes]
    others = sorted(outcomes.keys() - set(known_order))
    return ", ".join(f"{outcomes[each]:,} {each}" for each in (*known_order, *others)) or "nothing"


def summary_lines(alerts: AlertsSnapshot, day: Counts | None) -> list[Line]:
    """The session, and the day when it is known: a line each."""
    noted = [("session", alerts.counts), *([("24 hours", day)] if day is not None else [])]
    return [(Span(f" {label:<9} ", "dim"), Span(_count_words(totals(counts)))) for label, counts in noted]


def figure_lines(alerts: AlertsSnapshot, day: Counts | None, held: str, now: float, width: int) -> list[Line]:
    """Everything beside the alerts themselves; ``held`` says how much of the history is shown."""
    again = f", {alerts.restored:,} taken up again" if alerts.restored else ""
    queue = [
        Fact("state", state_words(alerts, now) or alerts.mode),
        Fact("delivers to", alerts.delivers_to or "nowhere: it runs on its own clock"),
        Fact("take off", "possible" if alerts.can_clear else "not possible: what plays stays"),
        Fact("undo", "possible" if alerts.can_undo else "nothing to undo"),
        Fact("accepted", f"{alerts.accepted:,} since the start{again}"),
        Fact("left out", f"{alerts.ignored:,} by rules, {alerts.duplicates:,} duplicates"),
        Fact("history", held),
    ]
    warnings = [
        Fact("", long, "bad" if short in ("store trouble", "source away") else "busy")
        for short, long in troubles(alerts, now)
    ]
    mutes = [
        Fact(type, f"until {time_of_day(until, now)}", "busy") for type, until in sorted(alerts.mutes.items())
    ]
    pages = [
        Fact(
            page.name,
            f"{'● connected' if page.connected else '○ away'}, told {time_of_day(page.reported_at, now)}",
            "good" if page.connected else "busy",
        )
        for page in alerts.overlays
    ]
    unmapped = [f"{number:,} {name}" for name, number in alerts.unmapped.items()]
    more = [f"and {len(unmapped) - _UNMAPPED} more"] if len(unmapped) > _UNMAPPED else []
    not_mapped = [Fact("", words, "busy") for words in (*unmapped[:_UNMAPPED], *more)]
    sections = (
        ("QUEUE", queue),
        ("WARNINGS", warnings or [Fact("", "none")]),
        ("MUTED", mutes),
        ("OVERLAYS", pages or [Fact("", "none reported")]),
        ("NOT MAPPED", not_mapped),
        ("SESSION", _by_type(alerts.counts)),
        ("24 HOURS", [] if day is None else _by_type(day)),
    )
    return [line for title, facts in sections for line in fact_section(title, facts, width, _LONG)][:-1]


def _by_type(counts: Counts) -> list[Fact]:
    return [Fact(type, _count_words(outcomes)) for type, outcomes in sorted(counts.items())] or [
        Fact("", "nothing ended")
    ]
