"""The queue's alerts as they leave the engine."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tui.alerts.alert import Alert
from tui.alerts.stage import Stage
from tui.model.alerts import AlertContent, AlertSummary


def summary(alert: Alert) -> AlertSummary:
    found = msgspec.convert(alert, AlertSummary, from_attributes=True)
    return found if found.reason else msgspec.structs.replace(found, reason=None)


def on_stage(stage: Stage, now: float, epoch: float) -> AlertSummary:
    """An alert that plays, at a monotonic moment and the epoch second that it is."""
    ends_at = epoch + stage.deadline - now if stage.phase == "on air" else None
    return msgspec.structs.replace(summary(stage.entry.alert), phase=stage.phase, ends_at=ends_at)


def content(alert: Alert, shown: AlertSummary) -> AlertContent:
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
