"""The engine: an event loop of its own in a thread, a socket per connection, one published snapshot."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from tui.alerts.store import AlertStore
from tui.channels import StateChange
from tui.channels.clock import Clock, SystemClock, WallSteps
from tui.channels.connection import open_link
from tui.channels.inspector import InspectedFrame
from tui.channels.link import Opener
from tui.channels.loop_delay import KEPT as LOOP_DELAY_KEPT
from tui.channels.loop_delay import LoopDelay
from tui.config.differences import changes
from tui.config.join_as import Naming
from tui.connections.connection import SupervisedConnection
from tui.connections.frames import content_of
from tui.connections.settings import ConnectionSettings, EffectiveValue
from tui.engine.components import ComponentOptions, Components
from tui.engine.connections import SupervisedConnections
from tui.engine.disk_health import DiskHealth, KeptFolder
from tui.engine.loop import EngineLoop, Pace
from tui.engine.reporters import Reporter
from tui.model.alerts import AlertCommand, AlertContent, AlertOutcome, AlertPage
from tui.model.engine import PluginCommands
from tui.model.events import Event, FrameSeen, RunStarted, RunStopped
from tui.model.figures import minute_figures
from tui.model.history import Minute
from tui.model.incidents import LineSeverity, Timeline
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogPage,
    Snapshot,
)
from tui.store.event_log import ChangeLog
from tui.store.journal import ALIVE_EVERY, Entry, Journal
from tui.text.formats import duration

log = logging.getLogger("tui.engine")

T = TypeVar("T")

_NO_QUEUE = CommandResult(ok=False, message="no alert queue is set up")


class Supervisor:
    """Implements :class:`tui.model.engine.Engine`.

    :meth:`run` is the engine's thread, :meth:`serve` the same for a loop that there is. Everything else
    may be called from any thread.

    Args:
        effective: every setting with its place, for whoever asks; secrets are masked in it already.
        report_interval: seconds between two calls of the reporters' ``report``.
        components: what runs beside the connections.
        alert_store: where its alerts are kept, started already; whoever made it closes it.
        folder: in which everything is kept; while another engine has it, no alert is shown here.
        keep_frames: every frame goes into the journal.
        loop_delay: of the loop that :meth:`serve` runs on, where somebody tells it of its turns.
    """

    def __init__(
        self,
        connections: Sequence[ConnectionSettings],
        *,
        debug: bool = False,
        effective: Sequence[EffectiveValue] = (),
        plugin_commands: PluginCommands | None = None,
        reporters: Sequence[Reporter] = (),
        report_interval: float = 10.0,
        journal: Journal | None = None,
        components: ComponentOptions | None = None,
        alert_store: AlertStore | None = None,
        folder: KeptFolder | None = None,
        keep_frames: bool = False,
        clock: Clock | None = None,
        random_source: random.Random | None = None,
        opener: Opener = open_link,
        loop_delay: LoopDelay | None = None,
    ) -> None:
        self._component_options = components or ComponentOptions()
        self._naming = Naming()
        self._settings = self._named(connections)
        self._effective = tuple(effective)
        self._plugin_commands = plugin_commands
        self._reporters = reporters
        self._report_interval = report_interval
        self._clock = clock or SystemClock()
        self._random_source = random_source or random.Random()
        self._wall = WallSteps(self._clock)
        self._debug = debug
        self._journal = journal
        self._changes = ChangeLog(keep=None if journal is None else journal.add)
        self._persistence = DiskHealth(self._changes, self._clock, folder=folder, journal=journal)
        self._loop_delay = loop_delay or LoopDelay()
        self._connections = SupervisedConnections(
            self._changes,
            self._clock,
            self._random_source,
            changed=self._state_changed,
            opener=opener,
            record=self._keep_frame if keep_frames and journal is not None else None,
            loop_delay=self._loop_delay,
        )
        self._loop = EngineLoop()
        self._pace = Pace()
        self._components = Components(
            self._component_options,
            lambda: self._connections.by_name,
            self._changes,
            self._clock,
            random.Random(self._random_source.random()),
            alert_store=alert_store,
            read_journal=None if journal is None else journal.entries,
            other=lambda: None if folder is None else folder.other,
            pace=self._pace,
        )
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
        """Run on the caller's loop until :meth:`stop`; what ends it otherwise is logged, shown and raised."""
        stopped = "it was asked to stop"
        self.note("started", event=RunStarted())
        try:
            await self._main()
        except Exception as error:
            log.exception("the engine stopped")
            stopped = f"{type(error).__name__}: {error}"
            self.note(f"the engine stopped: {stopped}", "error", RunStopped(error=stopped))
            raise
        else:
            self.note("stopped", event=RunStopped())
        finally:
            self._loop.end()
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

    def warn(self, text: str) -> None:
        """Tell, among the changes too, what is missing around the engine. From any thread."""
        self._changes.add(self._clock.time(), None, text, "warning", "engine")

    def note(self, text: str, severity: LineSeverity = "info", event: Event | None = None) -> None:
        """Keep in the journal alone what happened to the program, or to the engine. From any thread."""
        if self._journal is not None:
            now = self._clock.time()
            self._journal.add(Entry(timestamp=now, kind="engine", text=text, severity=severity, event=event))

    async def _main(self) -> None:
        self._loop.begin()
        self._pace.begin()
        if self.stop_asked:
            return
        begun = self._connections.configure(self._settings, self._effective).begun
        self._components.start()
        for connection in begun:
            connection.start()
        self._publish()
        self.started.set()
        publisher = asyncio.create_task(self._publish_forever(), name="publisher")
        reporter = asyncio.create_task(self._report_forever(), name="reporter")
        marker = asyncio.create_task(self._mark_alive(), name="journal marks")
        stopping = asyncio.create_task(self._loop.stopping.wait(), name="stop")
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
            self._keep_figures()
            self._components.stop()
            await self._connections.close()

    def _named(self, connections: Iterable[ConnectionSettings]) -> tuple[ConnectionSettings, ...]:
        alerts = self._component_options.alerts
        return self._naming.named(connections, alerts.delivery if alerts else None)

    def _state_changed(self, name: str, change: StateChange) -> None:
        for reporter in self._reporters:
            reporter.state_changed(name, change)
        self._pace.soon()

    async def _publish_forever(self) -> None:
        while True:
            await self._pace.wait()
            self._publish()

    async def _report_forever(self) -> None:
        while True:
            await asyncio.sleep(self._report_interval)
            if self._reporters:
                self._publish()
            for reporter in self._reporters:
                reporter.report(self._snapshot)

    def _keep_frame(self, name: str, frame: InspectedFrame) -> None:
        if self._journal is not None:
            event = FrameSeen(content=content_of(frame))
            self._journal.add(
                Entry(timestamp=frame.timestamp, kind="frame", text="", connection=name, event=event)
            )

    async def _mark_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY)
            self._keep_figures()

    def _keep_figures(self) -> None:
        if self._journal is not None:
            self._journal.alive(minute_figures(self._snapshot, self._connections.kept_minutes()))

    def restore(self, spent: Mapping[str, Iterable[Minute]]) -> None:
        """Take the minutes that an earlier run kept of each connection. From any thread."""
        self._loop.post(lambda: self._connections.restore(spent))

    def _publish(self, stopped: str | None = None) -> None:
        last = self._snapshot
        step = self._wall.step()
        if step:
            self._clock_was_set(step)
        if stopped is None:
            # Else there is no loop any more in which what is found could be acted on.
            self._components.poll()
        alerts = self._components.alerts
        snapshot = Snapshot(
            sequence=last.sequence + 1,
            taken_at=self._clock.time(),
            started_at=last.started_at + step,
            connections=tuple(connection.snapshot() for connection in self._connections.by_name.values()),
            debug=self._debug,
            notice=self._plugin_commands.notice() if self._plugin_commands is not None else None,
            alerts=None if alerts is None else alerts.snapshot(),
            services=self._components.services.snapshot(),
            persistence=self._persistence.poll(),
            loop_delay_seconds=round(self._loop_delay.within(LOOP_DELAY_KEPT), 2),
            stopped=stopped,
        )
        self._snapshot = self._components.judge(snapshot)

    def _clock_was_set(self, step: float) -> None:
        self._connections.clock_was_set(step)
        self._components.clock_was_set(step)
        way = "ahead" if step > 0 else "back"
        text = f"the clock was set {way} by {duration(abs(round(step)))}; nothing is removed by age for that"
        self._changes.add(self._clock.time(), None, text, "warning", "engine")

    # Any thread

    @property
    def stop_asked(self) -> bool:
        return self._loop.stop_asked.is_set()

    def stop(self) -> None:
        """Ask the engine to stop; :attr:`ended` tells when it has. From any thread, any number of times."""
        self._loop.stop()

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        return self._changes.page(after, limit)

    async def history(self, name: str) -> ConnectionHistory | CommandResult:
        return await self._poll(name, SupervisedConnection.history)

    async def frames(self, name: str, after: int = 0, limit: int = 200) -> FramePage | CommandResult:
        return await self._poll(name, lambda connection: connection.frames.page(after, limit))

    async def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        return await self._poll(name, lambda connection: connection.frames.find(cursor))

    async def connect(self, name: str | None = None) -> CommandResult:
        return await self._do(self._connections.command, name, "connect")

    async def reconnect(self, name: str | None = None) -> CommandResult:
        return await self._do(self._connections.command, name, "reconnect")

    async def disconnect(self, name: str | None = None) -> CommandResult:
        return await self._do(self._connections.command, name, "disconnect")

    async def push(self, name: str, topic: str, event: str, payload: Any) -> CommandResult:
        async def push() -> CommandResult:
            found = self._connections.find(name)
            return found if isinstance(found, CommandResult) else await found.push(topic, event, payload)

        return await self._ask(push())

    async def set_debug(self, shown: bool) -> CommandResult:
        return await self._do(self._show_debug, shown)

    def _show_debug(self, shown: bool) -> CommandResult:
        self._debug = shown
        message = "always shown" if shown else "shown when something is wrong"
        return CommandResult(ok=True, message=f"the indicator is {message}")

    async def apply(
        self,
        connections: Sequence[ConnectionSettings],
        effective: Sequence[EffectiveValue] = (),
        components: ComponentOptions | None = None,
    ) -> CommandResult:
        """Take these settings from now on; as of :meth:`SupervisedConnections.configure`."""

        async def apply() -> CommandResult:
            changed = changes(self._effective, effective)
            self._effective = tuple(effective)
            self._component_options = components or self._component_options
            self._settings = self._named(connections)
            begun, retired, event, done = self._connections.configure(self._settings, effective)
            effects = self._components.configure(self._component_options)
            for connection in begun:
                connection.start()
            await asyncio.gather(*(connection.retire() for connection in retired))
            noted = [*filter(None, [done]), *changed, *effects]
            message = f"settings reloaded: {'; '.join(noted) or 'nothing changed'}"
            self._changes.add(self._clock.time(), None, message, "info", "engine", event=event)
            return CommandResult(ok=True, message=message)

        return await self._ask(apply())

    async def acknowledge(self, incident: str) -> CommandResult:
        return await self._do(self._components.incidents.acknowledge, incident)

    async def timeline(self, incident: str) -> Timeline | CommandResult:
        return await self._loop.call(self._components.incidents.timeline(incident))

    async def alerts(self, command: AlertCommand) -> CommandResult:
        component = self._components.alerts
        return _NO_QUEUE if component is None else await self._ask(component.commands.give(command))

    async def alert_history(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        alert_type: str | None = None,
        outcome: AlertOutcome | None = None,
        words: tuple[str, ...] = (),
    ) -> AlertPage | CommandResult:
        kept = self._components.alerts and self._components.alerts.persistence
        if not kept:
            return _NO_QUEUE
        return await self._loop.call(kept.history(before, limit, alert_type, outcome, words))

    async def alert(self, alert: str) -> AlertContent | CommandResult:
        component = self._components.alerts
        return _NO_QUEUE if component is None else await self._loop.call(component.alert(alert))

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        return tuple(self._plugin_commands.commands()) if self._plugin_commands is not None else ()

    async def run_extra(self, command: str) -> CommandResult:
        if self._plugin_commands is None:
            return CommandResult(ok=False, message=f"no command {command}")
        return await self._plugin_commands.run(command)

    async def _do(self, work: Callable[..., CommandResult], *arguments: Any) -> CommandResult:
        async def do() -> CommandResult:
            return work(*arguments)

        return await self._ask(do())

    async def _poll(
        self, name: str, read: Callable[[SupervisedConnection], T | CommandResult]
    ) -> T | CommandResult:
        """Read something of one connection, on the engine's loop; nothing is published for it."""

        async def poll() -> T | CommandResult:
            found = self._connections.find(name)
            return found if isinstance(found, CommandResult) else read(found)

        return await self._loop.call(poll())

    async def _ask(self, coroutine: Coroutine[Any, Any, CommandResult]) -> CommandResult:
        """Run on the engine's loop, publish what it did, and answer on the caller's."""
        begun = False

        async def run() -> CommandResult:
            nonlocal begun
            begun = True
            result = await coroutine
            self._pace.soon()
            return result

        result = await self._loop.call(run())
        if not begun:
            coroutine.close()
        return result
