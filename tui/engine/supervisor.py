"""The engine: an event loop of its own in a thread, a socket per connection, one published snapshot."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from tui.channels import StateChange
from tui.channels.clock import Clock, SystemClock, WallSteps
from tui.channels.connection import open_link
from tui.channels.link import Opener
from tui.channels.loop_delay import KEPT as LOOP_DELAY_KEPT
from tui.channels.loop_delay import LoopDelay
from tui.engine.alert_values import AlertCommand, AlertContent, AlertOutcome, AlertPage
from tui.engine.changes import ChangeLog, Severity
from tui.engine.connection import ConnectionSettings, Setting, SupervisedConnection
from tui.engine.desks import DeskOptions, Desks
from tui.engine.history import History
from tui.engine.incident_values import Timeline
from tui.engine.join_as import Naming
from tui.engine.keeping import FrameRecorder, Keeping, KeptFolder
from tui.engine.reports import Reporter
from tui.engine.snapshot import (
    CommandResult,
    ConnectionHistory,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogPage,
    Snapshot,
)
from tui.formats import duration
from tui.settings.differences import changes
from tui.store.alert_store import AlertStore
from tui.store.journal import ALIVE_EVERY, STARTED, STOPPED, Entry, Journal

log = logging.getLogger("tui.engine")

T = TypeVar("T")

PUBLISH_EVERY = 0.25
"""Seconds between two snapshots when nothing but the traffic moves."""

PUBLISH_SOON = 0.02
"""Seconds from a change of state or a command to its snapshot; all changes of that time in one."""

PUBLISH_ALERTS = 0.1
"""Seconds in which all changes of the alert queue make one publication; those by command are told at once."""

STOP_LIMIT = 1.2
"""Seconds that the end waits for connections to close."""

_NO_QUEUE = CommandResult(ok=False, message="no alert queue is set up")


class Extras(Protocol):
    """Commands of whoever runs beside the engine, such as the demo's faults."""

    def commands(self) -> Sequence[ExtraCommand]:
        """What there is to run."""
        ...

    async def run(self, command: str) -> CommandResult:
        """Run one, awaited on the caller's loop."""
        ...

    def notice(self) -> str | None:
        """One line that must stay on the screen. Called from the engine's thread; never blocks."""
        ...


class Supervisor:
    """Implements :class:`tui.engine.api.Engine`.

    :meth:`run` is the engine's thread, :meth:`serve` the same for a loop that there is. Everything else
    may be called from any thread.

    Args:
        in_force: every setting with its place, for whoever asks; secrets are masked in it already.
        report_interval: seconds between two calls of the reporter's ``report``.
        desks: what runs beside the connections.
        alert_store: where its alerts are kept, started already; whoever made it closes it.
        folder: in which everything is kept; while another engine has it, no alert is shown here.
        recorder: told of every frame of every connection.
        loop_delay: of the loop that :meth:`serve` runs on, where somebody tells it of its turns.
    """

    def __init__(
        self,
        connections: Sequence[ConnectionSettings],
        *,
        debug: bool = False,
        in_force: Sequence[Setting] = (),
        extras: Extras | None = None,
        reporter: Reporter | None = None,
        report_interval: float = 10.0,
        journal: Journal | None = None,
        desks: DeskOptions | None = None,
        alert_store: AlertStore | None = None,
        folder: KeptFolder | None = None,
        recorder: FrameRecorder | None = None,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        opener: Opener = open_link,
        loop_delay: LoopDelay | None = None,
    ) -> None:
        self._desk_options = desks or DeskOptions()
        self._naming = Naming()
        self._settings = self._named(connections)
        self._all_in_force, self._in_force = tuple(in_force), _by_connection(in_force)
        self._extras = extras
        self._reporter = reporter
        self._report_interval = report_interval
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()
        self._opener = opener
        self._wall = WallSteps(self._clock)
        self._debug = debug
        self._journal = journal
        self._record = None if recorder is None else recorder.frame
        self._changes = ChangeLog(keep=None if journal is None else journal.add)
        self._keeping = Keeping(self._changes, self._clock, folder=folder, journal=journal, recorder=recorder)
        self._connections: dict[str, SupervisedConnection] = {}
        self._loop_delay = loop_delay or LoopDelay()
        self._desks = Desks(
            self._desk_options,
            lambda: self._connections,
            self._changes,
            self._clock,
            random.Random(self._chance.random()),
            alert_store=alert_store,
            read_journal=None if journal is None else journal.entries,
            other=lambda: None if folder is None else folder.other,
            soon=self._soon,
            soon_for_alerts=self._soon_for_alerts,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stop_asked = threading.Event()
        self._publish_soon: asyncio.Event | None = None
        self._alerts_due: asyncio.TimerHandle | None = None
        self._snapshot = Snapshot(
            sequence=0, taken_at=self._clock.time(), started_at=self._clock.time(), debug=debug
        )
        self.ended = threading.Event()
        """Set when the engine's thread has ended."""
        self.started = threading.Event()
        """Set when every connection has been begun."""

    # The engine's thread

    def run(self) -> None:
        """:meth:`serve` on a loop of its own; blocks. Raises what that raises."""
        try:
            with asyncio.Runner(loop_factory=self._loop_delay.new_loop) as runner:
                runner.run(self.serve())
        finally:
            self.ended.set()

    async def serve(self) -> None:
        """Run on the caller's loop until :meth:`stop`. What ends it otherwise is logged and shown in the
        snapshot.

        Raises:
            Exception: whatever ended the engine, after it was published.
        """
        stopped = "it was asked to stop"
        self._note(STARTED)
        try:
            await self._main()
        except Exception as error:
            log.exception("the engine stopped")
            stopped = f"{type(error).__name__}: {error}"
            self._note(f"the engine stopped: {stopped}", "error")
            raise
        else:
            self._note(STOPPED)
        finally:
            self._loop = None
            self._publish_end(stopped)

    def _publish_end(self, stopped: str) -> None:
        try:
            self._publish(stopped)
        except Exception:
            # Perhaps it is publishing that failed: the last snapshot, at least, must say why it is the last.
            log.exception("the last snapshot could not be made")
            self._snapshot = msgspec.structs.replace(
                self._snapshot,
                sequence=self._snapshot.sequence + 1,
                taken_at=self._clock.time(),
                stopped=stopped,
            )

    def note(self, text: str) -> None:
        """Keep in the journal what happened to the program around the engine. From any thread."""
        self._note(text)

    def warn(self, text: str) -> None:
        """Tell, among the changes too, what is missing around the engine. From any thread."""
        self._changes.add(self._clock.time(), None, text, "warning", "engine")

    def _note(self, text: str, severity: Severity = "info") -> None:
        if self._journal is not None:
            self._journal.add(
                Entry(timestamp=self._clock.time(), kind="engine", text=text, severity=severity)
            )

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._publish_soon = asyncio.Event()
        if self._stop_asked.is_set():
            return
        for settings in self._settings:
            self._connections[settings.name] = self._supervise(settings)
        self._desks.start()
        for connection in self._connections.values():
            connection.start()
        self._publish()
        self.started.set()
        publisher = asyncio.create_task(self._publish_forever(), name="publisher")
        reporter = asyncio.create_task(self._report_forever(), name="reporter")
        marker = asyncio.create_task(self._mark_alive(), name="journal marks")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            # A publisher that fails must stop the engine: a screen that stands still lies.
            done, _ = await asyncio.wait(
                (publisher, reporter, marker, stopping), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in (publisher, reporter, marker, stopping):
                task.cancel()
            self._desks.stop()
            await self._close_all()

    def _named(self, connections: Iterable[ConnectionSettings]) -> tuple[ConnectionSettings, ...]:
        alerts = self._desk_options.alerts
        return self._naming.named(connections, alerts.delivery if alerts else None)

    def _supervise(self, settings: ConnectionSettings, past: History | None = None) -> SupervisedConnection:
        return SupervisedConnection(
            settings,
            self._changes,
            self._clock,
            random.Random(self._chance.random()),
            changed=self._state_changed,
            stable=self._connection_stable,
            opener=self._opener,
            past=past,
            in_force=self._in_force.get(settings.name, ()),
            record=self._record,
            loop_delay=self._loop_delay,
        )

    async def _close_all(self) -> None:
        closing = [
            asyncio.create_task(connection.socket.close(), name=f"closing {connection.name}")
            for connection in self._connections.values()
        ]
        if closing:
            _, unfinished = await asyncio.wait(closing, timeout=STOP_LIMIT)
            if unfinished:
                log.warning("%d connections did not close within %g s", len(unfinished), STOP_LIMIT)

    def _state_changed(self, name: str, change: StateChange) -> None:
        if self._reporter is not None:
            self._reporter.state_changed(name, change)
        self._soon()

    def _connection_stable(self, stable: SupervisedConnection) -> None:
        for connection in self._connections.values():
            if connection is not stable and connection.socket.address == stable.socket.address:
                connection.socket.hasten()

    def _soon(self) -> None:
        if self._publish_soon is not None:
            self._publish_soon.set()

    def _soon_for_alerts(self) -> None:
        # Hundreds of events a second make ten publications of them.
        if self._alerts_due is None and self._loop is not None:
            self._alerts_due = self._loop.call_later(PUBLISH_ALERTS, self._alerts_changed)

    def _alerts_changed(self) -> None:
        self._alerts_due = None
        self._soon()

    async def _publish_forever(self) -> None:
        assert self._publish_soon is not None
        while True:
            try:
                async with asyncio.timeout(PUBLISH_EVERY):
                    await self._publish_soon.wait()
            except TimeoutError:
                pass  # nothing special happened: the regular snapshot
            else:
                await asyncio.sleep(PUBLISH_SOON)
            self._publish_soon.clear()
            self._publish()

    async def _report_forever(self) -> None:
        while True:
            await asyncio.sleep(self._report_interval)
            if self._reporter is not None:
                self._publish()
                self._reporter.report(self._snapshot)

    async def _mark_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY)
            if self._journal is not None:
                self._journal.alive()

    def _publish(self, stopped: str | None = None) -> None:
        last = self._snapshot
        step = self._wall.step()
        if step:
            self._clock_was_set(step)
        if stopped is None:
            # Else there is no loop any more in which what is found could be acted on.
            self._desks.look()
        alerts = self._desks.alerts
        snapshot = Snapshot(
            sequence=last.sequence + 1,
            taken_at=self._clock.time(),
            started_at=last.started_at + step,
            connections=tuple(connection.snapshot() for connection in self._connections.values()),
            debug=self._debug,
            notice=self._extras.notice() if self._extras is not None else None,
            alerts=None if alerts is None else alerts.snapshot(),
            services=self._desks.services.snapshot(),
            keeping=self._keeping.look(),
            loop_delay_seconds=round(self._loop_delay.within(LOOP_DELAY_KEPT), 2),
            stopped=stopped,
        )
        self._snapshot = self._desks.judge(snapshot)

    def _clock_was_set(self, step: float) -> None:
        for connection in self._connections.values():
            connection.clock_was_set(step)
        self._desks.clock_was_set(step)
        way = "ahead" if step > 0 else "back"
        text = f"the clock was set {way} by {duration(abs(round(step)))}; nothing is removed by age for that"
        self._changes.add(self._clock.time(), None, text, "warning", "engine")

    # Any thread

    @property
    def stop_asked(self) -> bool:
        """:meth:`stop` was called."""
        return self._stop_asked.is_set()

    def stop(self) -> None:
        """Ask the engine to stop; :attr:`ended` tells when it has. From any thread, any number of times."""
        self._stop_asked.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            try:
                loop.call_soon_threadsafe(stop.set)
            except RuntimeError:
                log.debug("the engine's loop had ended already")

    def snapshot(self) -> Snapshot:
        """As of :class:`tui.engine.api.Engine`."""
        return self._snapshot

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        """As of :class:`tui.engine.api.Engine`."""
        return self._changes.page(after, limit)

    async def history(self, name: str) -> ConnectionHistory | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._look(name, SupervisedConnection.history)

    async def frames(self, name: str, after: int = 0, limit: int = 200) -> FramePage | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._look(name, lambda connection: connection.frames(after, limit))

    async def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._look(name, lambda connection: connection.frame(cursor))

    async def connect(self, name: str | None = None) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._for_each(name, SupervisedConnection.connect, "connecting")

    async def reconnect(self, name: str | None = None) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._for_each(name, SupervisedConnection.reconnect, "reconnecting")

    async def disconnect(self, name: str | None = None) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._for_each(name, SupervisedConnection.disconnect, "disconnected")

    async def push(self, name: str, topic: str, event: str, payload: Any) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""

        async def push() -> CommandResult:
            connection = self._connections.get(name)
            return self._unknown(name) if connection is None else await connection.push(topic, event, payload)

        return await self._ask(push())

    async def set_debug(self, shown: bool) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""

        async def set_debug() -> CommandResult:
            self._debug = shown
            words = "always shown" if shown else "shown when something is wrong"
            return CommandResult(ok=True, message=f"the indicator is {words}")

        return await self._ask(set_debug())

    async def apply(
        self,
        connections: Sequence[ConnectionSettings],
        in_force: Sequence[Setting] = (),
        desks: DeskOptions | None = None,
    ) -> CommandResult:
        """Supervise these from now on: what is the same goes on untouched, its counters too.

        A connection whose URL or options changed is replaced; of one whose topics changed, only
        those are left or joined.
        """
        return await self._ask(self._apply(connections, in_force, desks))

    async def _apply(
        self,
        connections: Sequence[ConnectionSettings],
        in_force: Sequence[Setting],
        desks: DeskOptions | None,
    ) -> CommandResult:
        changed = changes(self._all_in_force, in_force)
        self._all_in_force, self._in_force = tuple(in_force), _by_connection(in_force)
        self._desk_options = desks or self._desk_options
        self._settings = self._named(connections)
        done: dict[str, list[str]] = {"added": [], "removed": [], "replaced": [], "changed": []}
        wanted = {settings.name: settings for settings in self._settings}
        closing = [self._connections[name] for name in self._connections if name not in wanted]
        done["removed"] = [connection.name for connection in closing]
        supervised: dict[str, SupervisedConnection] = {}
        new: list[SupervisedConnection] = []
        for name, settings in wanted.items():
            connection = self._connections.get(name)
            if connection is not None and connection.reaches_as(settings):
                if connection.adopt(settings, self._in_force.get(name, ())):
                    done["changed"].append(name)
                supervised[name] = connection
                continue
            done["added" if connection is None else "replaced"].append(name)
            if connection is not None:
                closing.append(connection)
            supervised[name] = self._supervise(settings, connection.past if connection else None)
            new.append(supervised[name])
        self._connections = supervised
        effects = self._desks.configure(self._desk_options)
        for connection in new:
            connection.start()
        await asyncio.gather(*(connection.retire() for connection in closing))
        words = ", ".join(f"{verb} {' '.join(names)}" for verb, names in done.items() if names)
        told = [*filter(None, [words]), *changed, *effects]
        message = f"settings reloaded: {'; '.join(told) or 'nothing changed'}"
        self._changes.add(self._clock.time(), None, message, "info", "engine")
        return CommandResult(ok=True, message=message)

    async def acknowledge(self, id: str) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""

        async def acknowledge() -> CommandResult:
            return self._desks.incidents.acknowledge(id)

        return await self._ask(acknowledge())

    async def timeline(self, id: str) -> Timeline | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        return await self._on_loop(self._desks.incidents.timeline(id))

    async def alerts(self, command: AlertCommand) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        desk = self._desks.alerts
        return _NO_QUEUE if desk is None else await self._ask(desk.command(command))

    async def alert_history(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        type: str | None = None,
        outcome: AlertOutcome | None = None,
        words: tuple[str, ...] = (),
    ) -> AlertPage | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        desk = self._desks.alerts
        if desk is None:
            return _NO_QUEUE
        return await self._on_loop(desk.history(before, limit, type, outcome, words))

    async def alert(self, id: str) -> AlertContent | CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        desk = self._desks.alerts
        return _NO_QUEUE if desk is None else await self._on_loop(desk.alert(id))

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        """As of :class:`tui.engine.api.Engine`."""
        return tuple(self._extras.commands()) if self._extras is not None else ()

    async def run_extra(self, command: str) -> CommandResult:
        """As of :class:`tui.engine.api.Engine`."""
        if self._extras is None:
            return CommandResult(ok=False, message=f"no command {command}")
        return await self._extras.run(command)

    async def _for_each(
        self,
        name: str | None,
        command: Callable[[SupervisedConnection], CommandResult],
        participle: str,
    ) -> CommandResult:
        async def run() -> CommandResult:
            if name is not None:
                connection = self._connections.get(name)
                if connection is None:
                    return self._unknown(name)
                self._note_command(connection, participle)
                return command(connection)
            for connection in self._connections.values():
                self._note_command(connection, participle)
                command(connection)
            return CommandResult(ok=True, message=f"all {len(self._connections)}: {participle}")

        return await self._ask(run())

    def _note_command(self, connection: SupervisedConnection, participle: str) -> None:
        # Without this nobody could tell tomorrow whether a person or a fault ended a connection.
        text = f"{participle} by command"
        self._changes.add(self._clock.time(), connection.name, text, quiet=True)

    def _unknown(self, name: str) -> CommandResult:
        known = ", ".join(self._connections) or "none"
        return CommandResult(ok=False, message=f"no connection {name}; there are: {known}")

    async def _look(
        self, name: str, read: Callable[[SupervisedConnection], T | CommandResult]
    ) -> T | CommandResult:
        """Read something of one connection, on the engine's loop; nothing is published for it."""

        async def look() -> T | CommandResult:
            connection = self._connections.get(name)
            return self._unknown(name) if connection is None else read(connection)

        return await self._on_loop(look())

    async def _ask(self, coroutine: Coroutine[Any, Any, CommandResult]) -> CommandResult:
        """Run on the engine's loop, publish what it did, and answer on the caller's."""

        begun = False

        async def run() -> CommandResult:
            nonlocal begun
            begun = True
            result = await coroutine
            self._soon()
            return result

        result = await self._on_loop(run())
        if not begun:
            coroutine.close()
        return result

    async def _on_loop(self, coroutine: Coroutine[Any, Any, T | CommandResult]) -> T | CommandResult:
        loop = self._loop
        if loop is not None:
            try:
                future = asyncio.run_coroutine_threadsafe(coroutine, loop)
            except RuntimeError:
                log.debug("the engine's loop had ended already")
            else:
                try:
                    return await asyncio.wrap_future(future)
                except asyncio.CancelledError:
                    # The engine's end cancels what it was asked; whoever cancels us is obeyed.
                    task = asyncio.current_task()
                    if not self._stop_asked.is_set() or (task is not None and task.cancelling()):
                        raise
                    return CommandResult(ok=False, message="the engine stopped")
        coroutine.close()
        return CommandResult(ok=False, message="the engine is not running")


def _by_connection(in_force: Iterable[Setting]) -> dict[str, list[Setting]]:
    """The settings of each connection, ``connections.NAME.KEY``, by its name."""
    found: dict[str, list[Setting]] = {}
    for setting in in_force:
        table, _, rest = setting.key.partition(".")
        if table == "connections":
            found.setdefault(rest.partition(".")[0], []).append(setting)
    return found
