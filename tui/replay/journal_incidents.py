"""The incidents of a journal, from the lines that tell of their beginnings and ends."""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple

import msgspec

from tui.engine.api import IncidentSnapshot, IncidentsSnapshot
from tui.engine.incident_values import IncidentSeverity
from tui.store.journal import Entry

MOST_RESOLVED = 50

_LINE = re.compile(
    r"(opened|opened again|resolved|acknowledged) (\w+) of (.+?)(?: after [0-9][^:]*)?(?:: (.*))?\Z",
    re.DOTALL,
)
_SEVERITIES: dict[str, IncidentSeverity] = {"info": "info", "warning": "warning", "error": "critical"}


class _Told(NamedTuple):
    what: str
    rule: str
    subject: str
    words: str


def parse(text: str) -> _Told | None:
    """What a line says: ``opened RULE of SUBJECT: WORDS``; ``opened again``, ``acknowledged``, ``resolved``
    likewise, the last with ``after 12 s`` behind the subject. None for any other text.

    The subject ends at the first colon and space.
    """
    match = _LINE.match(text)
    return None if match is None else _Told(match[1], match[2], match[3], match[4] or "")


class Incidents:
    """Fed with the entries of kind ``incident`` in order; tells what was open at any moment."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._states: list[IncidentsSnapshot] = []
        self._open: dict[tuple[str, str], IncidentSnapshot] = {}
        self._resolved: list[IncidentSnapshot] = []
        self._number = 0

    def take(self, entry: Entry, at: float) -> None:
        """Take one entry; one that tells of none is left to the log."""
        told = parse(entry.text)
        if told is None:
            return
        key = (told.rule, told.subject)
        known = self._open.get(key)
        if told.what.startswith("opened"):
            self._open[key] = self._opened(told, entry, at, known)
        elif known is not None and told.what == "acknowledged":
            self._open[key] = msgspec.structs.replace(known, acknowledged_at=at)
        elif known is not None:
            del self._open[key]
            ended = msgspec.structs.replace(
                known, resolved_at=at, updated_at=at, words=told.words or known.words
            )
            self._resolved = [ended, *self._resolved][:MOST_RESOLVED]
        self._keep(at)

    def _opened(
        self, told: _Told, entry: Entry, at: float, known: IncidentSnapshot | None
    ) -> IncidentSnapshot:
        if known is not None:
            return msgspec.structs.replace(known, words=told.words, updated_at=at)
        if told.what == "opened again":
            for before in self._resolved:
                if (before.rule, before.subject) == (told.rule, told.subject):
                    self._resolved = [each for each in self._resolved if each is not before]
                    return msgspec.structs.replace(
                        before, words=told.words, updated_at=at, resolved_at=None, times=before.times + 1
                    )
        self._number += 1
        return IncidentSnapshot(
            id=f"journal {self._number}",
            rule=told.rule,
            subject=told.subject,
            severity=_SEVERITIES[entry.severity],
            words=told.words,
            opened_at=at,
            updated_at=at,
        )

    def run_ended(self, at: float) -> None:
        """The program went: nothing is claimed of what was open."""
        if self._open:
            self._open.clear()
            self._keep(at)

    def _keep(self, at: float) -> None:
        ranks = {"critical": 0, "warning": 1, "info": 2}
        state = IncidentsSnapshot(
            open=tuple(sorted(self._open.values(), key=lambda each: (ranks[each.severity], each.opened_at))),
            resolved=tuple(self._resolved),
        )
        self._times.append(at)
        self._states.append(state)

    def at(self, at: float) -> IncidentsSnapshot:
        """What was open, and resolved before, at a moment."""
        place = bisect.bisect_right(self._times, at) - 1
        return self._states[place] if place >= 0 else IncidentsSnapshot()

    @staticmethod
    def begins(entry: Entry) -> bool:
        """Whether an entry tells that an incident began."""
        if entry.kind != "incident":
            return False
        told = parse(entry.text)
        return told is None or told.what.startswith("opened")
