"""The queue's own values turned into those that leave the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from tui.alerts.alert import Alert, decode
from tui.alerts.stage import Phase
from tui.alerts.store_file import Row
from tui.alerts.types import OutcomeCount, Playing, QueueState, QueueView
from tui.model.alerts import AlertContent, AlertSummary, SourceAway

AWAY_TYPE = "(away)"
"""The type of the rows that hold a time in which a source was away; no alert has it."""

_encode_away = msgspec.json.Encoder().encode
_decode_away = msgspec.json.Decoder(SourceAway).decode

_PHASES: dict[Phase, Literal["sending", "retrying", "on air"]] = {
    "sending": "sending",
    "retrying": "retrying",
    "showing": "on air",
}
MODES: dict[QueueState, Literal["idle", "playing", "paused", "held", "waiting for overlays"]] = {
    "playing": "playing",
    "paused": "paused",
    "held": "held",
    "away": "waiting for overlays",
    "empty": "idle",
}


def summary(alert: Alert, *, held: bool = False) -> AlertSummary:
    """An alert without its payload."""
    return AlertSummary(
        id=alert.id,
        type=alert.type,
        who=alert.who,
        title=alert.title,
        message=alert.message,
        priority=alert.priority,
        count=alert.count,
        duration=alert.duration,
        source=alert.source,
        accepted_at=alert.accepted_at,
        state=alert.state,
        sent_at=alert.sent_at,
        confirmed=alert.confirmed,
        outcome=alert.outcome,
        reason=alert.reason or None,
        ended_at=alert.ended_at,
        held=held,
    )


def on_stage(playing: Playing, *, held: bool = False) -> AlertSummary:
    """An alert that plays."""
    return msgspec.structs.replace(
        summary(playing.alert, held=held),
        phase=_PHASES[playing.phase],
        ends_at=playing.ends_at,
        confirmed=playing.confirmed,
    )


def content(alert: Alert, playing: Playing | None, *, held: bool = False) -> AlertContent:
    """An alert with everything known of it."""
    return AlertContent(
        alert=summary(alert, held=held) if playing is None else on_stage(playing, held=held),
        payload=alert.payload,
        cut=alert.payload_cut,
        into=alert.into,
        requeued_from=alert.requeued_from,
        source_id=alert.source_id,
    )


def counts(outcomes: Iterable[OutcomeCount]) -> dict[str, dict[str, int]]:
    """By type, then outcome."""
    found: dict[str, dict[str, int]] = {}
    for each in outcomes:
        found.setdefault(each.type, {})[each.outcome] = each.number
    return found


def find(view: QueueView, id: str) -> tuple[Alert, Playing | None] | None:
    """An alert that the queue holds or that ended lately."""
    for playing in (view.playing, *view.beside):
        if playing is not None and playing.alert.id == id:
            return playing.alert, playing
    for alert in (*view.waiting, *view.recent):
        if alert.id == id:
            return alert, None
    return None


def row_of_away(id: str, away: SourceAway) -> Row:
    """How the store keeps a time in which a source was away."""
    ended = away.until if away.until is not None else away.since
    return Row(
        id=id,
        open=False,
        type=AWAY_TYPE,
        outcome="away",
        source=away.source,
        source_id=None,
        accepted_at=away.since,
        changed_at=ended,
        data=_encode_away(away),
    )


def entry_of(row: Row, unreadable: Callable[[Row, ValueError], None]) -> AlertSummary | SourceAway | None:
    """What a stored row tells; None for one that cannot be read, which is reported."""
    try:
        return _decode_away(row.data) if row.type == AWAY_TYPE else summary(decode(row.data))
    except ValueError as error:
        unreadable(row, error)
        return None
