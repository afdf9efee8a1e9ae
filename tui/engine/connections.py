"""The connections that are supervised, by name: begun, changed by other settings, commanded, closed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tui.channels import StateChange
from tui.channels.clock import Clock
from tui.channels.inspector import InspectedFrame
from tui.channels.link import Opener
from tui.channels.loop_delay import LoopDelay
from tui.connections.connection import SupervisedConnection
from tui.connections.history import History
from tui.connections.settings import ConnectionSettings, EffectiveValue
from tui.model.events import SettingsReloaded
from tui.model.history import Minute
from tui.model.snapshot import CommandResult
from tui.store.event_log import ChangeLog

log = logging.getLogger("tui.engine")

STOP_LIMIT = 1.2
"""Seconds that the end waits for connections to close."""

_COMMANDS: Mapping[str, tuple[Callable[[SupervisedConnection], CommandResult], str]] = {
    "connect": (SupervisedConnection.connect, "connecting"),
    "reconnect": (SupervisedConnection.reconnect, "reconnecting"),
    "disconnect": (SupervisedConnection.disconnect, "disconnected"),
}


class Reconfigured(NamedTuple):
    """What other settings made of the connections."""

    begun: list[SupervisedConnection]
    """Not started yet."""
    retired: list[SupervisedConnection]
    """Still open."""
    event: SettingsReloaded
    message: str
    """``added NAME, changed NAME``; empty where all is as it was."""


@dataclass(eq=False)
class SupervisedConnections:
    """On the engine's loop; the arguments are those of :class:`SupervisedConnection`."""

    changes: ChangeLog
    clock: Clock
    random_source: random.Random
    changed: Callable[[str, StateChange], None]
    opener: Opener
    record: Callable[[str, InspectedFrame], object] | None
    loop_delay: LoopDelay
    by_name: dict[str, SupervisedConnection] = field(default_factory=dict, init=False)
    """In the order of the settings; another dictionary after each :meth:`configure`."""

    def configure(
        self, settings: Iterable[ConnectionSettings], effective: Iterable[EffectiveValue]
    ) -> Reconfigured:
        """Supervise these: what is the same goes on untouched, its counters too.

        A connection whose URL or options changed is replaced; of one whose topics changed, only
        those are left or joined.
        """
        wanted = {each.name: each for each in settings}
        shown = _by_connection(effective)
        retired = [connection for name, connection in self.by_name.items() if name not in wanted]
        done: dict[str, list[str]] = {"added": [], "removed": [each.name for each in retired]}
        done |= {"replaced": [], "changed": []}
        supervised: dict[str, SupervisedConnection] = {}
        begun: list[SupervisedConnection] = []
        for name, each in wanted.items():
            connection = self.by_name.get(name)
            if connection is not None and connection.reaches_as(each):
                if connection.adopt(each, shown.get(name, ())):
                    done["changed"].append(name)
                supervised[name] = connection
                continue
            done["added" if connection is None else "replaced"].append(name)
            if connection is not None:
                retired.append(connection)
            supervised[name] = self._supervise(
                each, None if connection is None else connection.past, shown.get(name, ())
            )
            begun.append(supervised[name])
        self.by_name = supervised
        event = SettingsReloaded(**{verb: tuple(names) for verb, names in done.items()})
        words = ", ".join(f"{verb} {' '.join(names)}" for verb, names in done.items() if names)
        return Reconfigured(begun, retired, event, words)

    def _supervise(
        self, settings: ConnectionSettings, past: History | None, effective: Iterable[EffectiveValue]
    ) -> SupervisedConnection:
        return SupervisedConnection(
            settings,
            self.changes,
            self.clock,
            random.Random(self.random_source.random()),
            changed=self.changed,
            stable=self._became_stable,
            opener=self.opener,
            past=past,
            effective=tuple(effective),
            record=self.record,
            loop_delay=self.loop_delay,
        )

    def _became_stable(self, stable: SupervisedConnection) -> None:
        for connection in self.by_name.values():
            if connection is not stable and connection.socket.address == stable.socket.address:
                connection.socket.wake_early()

    def find(self, name: str) -> SupervisedConnection | CommandResult:
        """One by its name; else what to answer to whoever named it."""
        known = ", ".join(self.by_name) or "none"
        return self.by_name.get(name) or CommandResult(
            ok=False, message=f"no connection {name}; there are: {known}"
        )

    def command(self, name: str | None, verb: Literal["connect", "reconnect", "disconnect"]) -> CommandResult:
        """Give one a command, or all of them without a name."""
        command, participle = _COMMANDS[verb]
        found = self.by_name.values() if name is None else [self.find(name)]
        result = CommandResult(ok=True, message=f"all {len(self.by_name)}: {participle}")
        for connection in found:
            if isinstance(connection, CommandResult):
                return connection
            # Without this nobody could tell tomorrow whether a person or a fault ended a connection.
            text = f"{participle} by command"
            self.changes.add(self.clock.time(), connection.name, text, quiet=True)
            done = command(connection)
            result = result if name is None else done
        return result

    def clock_was_set(self, step: float) -> None:
        for connection in self.by_name.values():
            connection.clock_was_set(step)

    def kept_minutes(self) -> dict[str, tuple[Minute, ...]]:
        """How the minutes of each were spent since the last call, by name."""
        return {name: connection.past.kept() for name, connection in self.by_name.items()}

    def restore(self, spent: Mapping[str, Iterable[Minute]]) -> None:
        for name, connection in self.by_name.items():
            connection.past.restore(spent.get(name, ()))

    async def close(self) -> None:
        closing = [
            asyncio.create_task(connection.socket.close(), name=f"closing {connection.name}")
            for connection in self.by_name.values()
        ]
        if closing:
            _, unfinished = await asyncio.wait(closing, timeout=STOP_LIMIT)
            if unfinished:
                log.warning("%d connections did not close within %g s", len(unfinished), STOP_LIMIT)


def _by_connection(effective: Iterable[EffectiveValue]) -> dict[str, list[EffectiveValue]]:
    """The settings of each connection, ``connections.NAME.KEY``, by its name."""
    found: dict[str, list[EffectiveValue]] = {}
    for setting in effective:
        table, _, rest = setting.key.partition(".")
        if table == "connections":
            found.setdefault(rest.partition(".")[0], []).append(setting)
    return found
