"""The engine's snapshot as it goes to faces: encoded once for all, and only when it says something new."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tui.control.protocol import Update, encode_answer, raw
from tui.model.engine import Engine
from tui.model.snapshot import Snapshot


class Version(NamedTuple):
    """A snapshot that says something new."""

    number: int
    """Grows by one when anything but the time has changed."""
    taken_at: float
    """When the engine last published, in epoch seconds."""
    line: bytes
    """The :class:`tui.control.protocol.Update`."""


class Publication:
    """The latest version. Only one thread may read it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._snapshot: Snapshot | None = None
        self._essence: Snapshot | None = None
        self._version = Version(0, 0.0, b"")

    def read(self) -> Version:
        snapshot = self._engine.snapshot()
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            essence = without_time(snapshot)
            if essence != self._essence:
                self._essence = essence
                line = encode_answer(Update(kind="snapshot", value=raw(snapshot)))
                self._version = Version(self._version.number + 1, snapshot.taken_at, line)
            else:
                self._version = self._version._replace(taken_at=snapshot.taken_at)
        return self._version


def without_time(snapshot: Snapshot) -> Snapshot:
    """A snapshot without what changes though nothing happens."""
    return _at(snapshot, 0, 0.0, lambda time_in_state: 0.0)


def at_time(snapshot: Snapshot, sequence: int, taken_at: float) -> Snapshot:
    """A snapshot of which nothing but the time has changed, as it stands at ``taken_at``."""
    passed = max(0.0, taken_at - snapshot.taken_at)
    return _at(snapshot, sequence, taken_at, lambda time_in_state: time_in_state + passed)


def _at(
    snapshot: Snapshot, sequence: int, taken_at: float, time_in_state: Callable[[float], float]
) -> Snapshot:
    replace = msgspec.structs.replace
    connections = []
    for each in snapshot.connections:
        details = replace(each.details, time_in_state=time_in_state(each.details.time_in_state))
        connections.append(replace(each, details=details))
    return replace(snapshot, sequence=sequence, taken_at=taken_at, connections=tuple(connections))
