"""Which alert was meant by what somebody typed for it: an id, its beginning, or a place in the queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tui.cli.ctl.alert_words import named
from tui.cli.ctl.matching import SHORTEST, by_beginning
from tui.control.client import RefusedError
from tui.model.engine import AlertSummary


class Meant(NamedTuple):
    id: str
    alert: AlertSummary | None
    """None for one that the snapshot does not hold; the engine may know it all the same."""


def choose(
    typed: str,
    among: Iterable[AlertSummary],
    waiting: tuple[AlertSummary, ...] | None = None,
) -> Meant:
    """Find the alert that ``typed`` means.

    Args:
        typed: from a person.
        among: the alerts with which what is to be done can be done.
        waiting: in their order; None where a place must not be taken for an alert.

    Raises:
        RefusedError: it means none, or it may mean several; the message says what to type.
    """
    known = {alert.id: alert for alert in among}
    if typed in known:
        return Meant(typed, known[typed])
    if typed.isascii() and typed.isdigit() and len(typed) < SHORTEST:
        # Too few for a beginning: a place.
        if waiting is None:
            raise RefusedError(f"{typed} is a place among those that wait; what ended is named by its id")
        if not 1 <= int(typed) <= len(waiting):
            raise RefusedError(f"no alert waits in place {int(typed)}; {len(waiting)} wait")
        alert = waiting[int(typed) - 1]
        return Meant(alert.id, alert)
    id = by_beginning(typed, {id: named(alert) for id, alert in known.items()}, "alerts")
    return Meant(typed, None) if id is None else Meant(id, known[id])
