"""The queue's alerts as they leave the engine, and what the store's rows say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tui.alerts.alert import Alert, decode
from tui.alerts.stage import Stage
from tui.alerts.store_file import Row
from tui.model.alerts import AlertContent, AlertSummary, SourceAway

AWAY_TYPE = "(away)"
"""The type of the rows that hold a time in which a source was away; no alert has it."""

_encode_away = msgspec.json.Encoder().encode
_decode_away = msgspec.json.Decoder(SourceAway).decode


def summary(alert: Alert) -> AlertSummary:
    """An alert without its payload."""
    found = msgspec.convert(alert, AlertSummary, from_attributes=True)
    return found if found.reason else msgspec.structs.replace(found, reason=None)


def on_stage(stage: Stage, now: float, epoch: float) -> AlertSummary:
    """An alert that plays, at a monotonic moment and the epoch second that it is."""
    ends_at = epoch + stage.deadline - now if stage.phase == "on air" else None
    return msgspec.structs.replace(summary(stage.entry.alert), phase=stage.phase, ends_at=ends_at)


def content(alert: Alert, shown: AlertSummary) -> AlertContent:
    """An alert with everything known of it."""
    return AlertContent(
        alert=shown,
        payload=alert.payload,
        cut=alert.payload_cut,
        into=alert.into,
        requeued_from=alert.requeued_from,
        source_id=alert.source_id,
    )


def by_type(outcomes: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """How many ended: by type, then outcome."""
    found: dict[str, dict[str, int]] = {}
    for (type, outcome), number in sorted(outcomes.items()):
        if number:
            found.setdefault(type, {})[outcome] = number
    return found


def row_of_away(id: str, away: SourceAway) -> Row:
    """How the store keeps a time in which a source was away."""
    return Row(
        id=id,
        open=False,
        type=AWAY_TYPE,
        outcome="away",
        changed_at=away.until if away.until is not None else away.since,
        data=_encode_away(away),
    )


def entry_of(row: Row, unreadable: Callable[[Row, ValueError], None]) -> AlertSummary | SourceAway | None:
    """What a stored row tells; None for one that cannot be read, which is reported."""
    try:
        return _decode_away(row.data) if row.type == AWAY_TYPE else summary(decode(row.data))
    except ValueError as error:
        unreadable(row, error)
        return None
