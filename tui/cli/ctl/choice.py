"""Which one was meant by what somebody typed: an id, a beginning that no other has, a place in the queue."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from tui.cli.ctl.shell import fail, note
from tui.cli.ctl.words import named_alert, named_incident
from tui.control.client import RefusedError
from tui.control.protocol import Result
from tui.model.alerts import AlertSummary
from tui.model.incidents import IncidentSnapshot
from tui.system.output import FAILED, put
from tui.text.formats import for_json
from tui.text.printable import printable

_SHORTEST = 4
"""Characters that a beginning must have; fewer digits are a place."""

_MOST_NAMED = 3

T = TypeVar("T", AlertSummary, IncidentSnapshot)


class Meant(NamedTuple):
    id: str
    known: AlertSummary | IncidentSnapshot | None = None
    """None for one that the snapshot does not hold; the engine may know it all the same."""


def choose_alert(
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
    if typed not in known and typed.isascii() and typed.isdigit() and len(typed) < _SHORTEST:
        if waiting is None:
            raise RefusedError(f"{typed} is a place among those that wait; what ended is named by its id")
        if not 1 <= int(typed) <= len(waiting):
            raise RefusedError(f"no alert waits in place {int(typed)}; {len(waiting)} wait")
        alert = waiting[int(typed) - 1]
        return Meant(alert.id, alert)
    return _by_beginning(typed, known, "alerts")


def choose_incident(typed: str, among: Iterable[IncidentSnapshot]) -> Meant:
    """The same for an incident, which has no place."""
    return _by_beginning(typed, {incident.id: incident for incident in among}, "incidents")


def _by_beginning(typed: str, known: Mapping[str, T], kind: str) -> Meant:
    if typed in known:
        return Meant(typed, known[typed])
    found = [id for id in known if id.startswith(typed)]
    if found and len(typed) < _SHORTEST:
        raise RefusedError(f"at least {_SHORTEST} characters of an id are needed, {typed} is too short")
    if len(found) > 1:
        named = ", ".join(f"{id} ({_named(known[id])})" for id in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise RefusedError(f"{typed} may be any of {len(found)} {kind}: {named}{more}; give more of the id")
    return Meant(found[0], known[found[0]]) if found else Meant(typed)


def _named(thing: AlertSummary | IncidentSnapshot) -> str:
    return named_alert(thing) if isinstance(thing, AlertSummary) else named_incident(thing)


def note_meant(args: argparse.Namespace, result: Result, meant: Meant, kind: str) -> int:
    """Say what came of a command and, where its id was not typed whole, to what; returns the exit status."""
    if not args.json and meant.id != args.id and meant.known is not None:
        words = f"{args.id} is {meant.id}, {_named(meant.known)}"
        put(printable(words)) if result.ok else fail(FAILED, words)
    return note(args, result, **{kind: {"id": meant.id, "known": for_json(meant.known)}})
