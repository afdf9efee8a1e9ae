"""One evening, from its plan to its findings."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import re
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tests.simulation.invariants import Watch
from tests.simulation.plan import Act, Plan
from tests.simulation.world import World, settings
from tui.engine.components import ComponentOptions
from tui.simulation.loop import VirtualLoop
from tui.simulation.network import Line

LOOK_EVERY = 1.0
REPEATED = 300.0
"""Seconds within which an event may come again."""
WELL = 1800.0
"""Seconds, at the most, in which the queue must have emptied when all is well."""


_IDENTIFIED = re.compile(rb'"id":".*"user_name":"viewer')


class Report(NamedTuple):
    """What became of an evening."""

    findings: list[str]
    trace: str
    """The same for the same evening."""
    alerts: int
    pushes: int


Beside = Callable[["Evening"], Coroutine[Any, Any, None]]


def run(plan: Plan, *, verbose: bool = False, beside: Beside | None = None) -> Report:
    """Live through it.

    Args:
        beside: what goes on beside it.
    """
    loop = VirtualLoop(random.Random(f"loop {plan.seed}"))
    asyncio.set_event_loop(None)
    logger, mistakes = logging.getLogger("tui"), _Mistakes()
    before = logger.level, logger.propagate
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    logger.addHandler(mistakes)
    try:
        return loop.run_until_complete(Evening(plan, loop, mistakes.noted, verbose).live(beside))
    finally:
        logger.removeHandler(mistakes)
        logger.level, logger.propagate = before
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.set_exception_handler(lambda _, __: None)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


class _Mistakes(logging.Handler):
    """What the program caught of its own mistakes."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.noted: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.noted.append(self.format(record))


class Evening:
    """Lives through a plan on its loop."""

    def __init__(self, plan: Plan, loop: VirtualLoop, mistakes: list[str], verbose: bool) -> None:
        self.plan = plan
        self.loop = loop
        self._verbose = verbose
        self._trace = hashlib.sha256()
        """Everything that was sent, was told and stands on the disk."""
        self._pushes = 0
        self._event = 0.0, b""
        """The last one that bore an id, and when it came."""
        self._faults: dict[asyncio.Task[None], None] = {}

        self.world = World(plan, loop, mistakes)
        self.watch = Watch(self.world)

    async def live(self, beside: Beside | None = None) -> Report:
        """From its beginning until all was well again."""
        world = self.world
        world.network.taps.append(self._tapped)
        begun = self.loop.now
        await world.hub.start()
        world.page.open()
        if world.other is not None:
            world.other.open()
        world.start_engine()
        looking = [asyncio.create_task(self._look_forever())]
        if beside is not None:
            looking.append(asyncio.create_task(beside(self)))
        for act in self.plan.acts.values():
            await asyncio.sleep(max(0.0, begun + act.at - self.loop.now))
            if self._verbose:
                print(act)
            self._do(act)
        await asyncio.sleep(max(0.0, begun + self.plan.seconds - self.loop.now))
        await self._all_is_well()
        for task in looking:
            task.cancel()
        if world.engine is not None:
            await world.engine.stop()
        self.watch.end()
        for row in world.disk.read("SELECT id, data FROM alerts ORDER BY id"):
            self._trace.update(repr(row).encode())
        for page in (world.page, world.other):
            if page is not None:
                await page.close()
        await world.hub.stop()
        return Report(self.watch.findings, self._trace.hexdigest(), self.watch.alerts, self._pushes)

    def _tapped(self, line: Line, is_up: bool, message: bytes) -> None:
        self._trace.update(f"{self.loop.now:.6f} {line.name} {is_up} ".encode() + message)
        if not is_up and b'"events:all"' in message and _IDENTIFIED.search(message):
            self._event = self.loop.now, message
        if is_up and b'"force_content"' in message:
            self._pushes += 1
            if self._verbose:
                print(f"{self.loop.now - 1000:8.1f} push {message.decode()[:200]}")

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if any(not task.get_name().startswith("page") for task in self._faults):
                self.watch.trouble()
            self.watch.poll()

    async def _all_is_well(self) -> None:
        """Every fault ends, and everything that a person stopped goes on, until the queue is empty."""
        world = self.world
        if self._faults:
            await asyncio.wait(self._faults)
        world.page.open()
        engine = world.engine or world.start_engine()
        await asyncio.sleep(15)
        for verb in ("connect", "resume"):
            await engine.command(verb)
        limit = self.loop.now + WELL
        while self.loop.now < limit:
            snapshot = engine.supervisor.snapshot()
            alerts = snapshot.alerts
            assert alerts is not None
            if not (alerts.waiting or alerts.playing or alerts.beside) and self.loop.now > limit - WELL + 60:
                return
            await asyncio.sleep(1)
        self.watch.find("not emptied", f"{len(alerts.waiting)} wait, {alerts.mode}: {alerts.message}")

    # Acts

    def _do(self, act: Act) -> None:
        if act.what == "repeat":
            self._repeat()
        elif act.part == "viewer":
            if self.world.hub.running:
                self.world.hub.happen(act.what, **act.how)
        elif act.part == "person":
            self._begin(self._order(act.what, dict(act.how)), act.what)
        else:
            fault = self._begin(getattr(self, "_" + act.what.replace(" ", "_"))(**act.how), act.what)
            self._faults[fault] = None
            fault.add_done_callback(lambda _: self._faults.pop(fault))
            if not act.what.startswith("page"):
                self.watch.trouble()

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.world.mistakes.append(f"{task.get_name()}: {error!r}")

    async def _order(self, verb: str, how: dict[str, object]) -> None:
        engine = self.world.engine
        if engine is None:
            return
        if "connect" in verb:
            self.watch.disturbed()
        if "which" in how:
            which = how.pop("which")
            position = how.pop("position")
            assert isinstance(which, int)
            alerts = engine.supervisor.snapshot().alerts
            if alerts is None:
                return
            there = (
                [each.id for each in alerts.recent if hasattr(each, "id")]
                if verb == "requeue"
                else [each.id for each in alerts.waiting]
            )
            if not there:
                return
            how["id"] = there[which % len(there)]
            if verb == "move":
                how["position"] = position
        await engine.command(verb, **how)

    def _lines(self, who: str = "all") -> list[Line]:
        return [line for line in self.world.network.lines if who == "all" or line.name.startswith(who)]

    async def _drop(self, who: str) -> None:
        for line in self._lines(who):
            line.drop()

    async def _silence(self, seconds: float) -> None:
        for line in self._lines("engine"):
            line.is_silent = True
        self.world.network.is_down = True
        await asyncio.sleep(seconds)
        self.world.network.is_down = False

    async def _mute(self, seconds: float) -> None:
        """Heartbeats are not answered, and all else goes on."""
        for line in self._lines("engine"):
            line.holds_back = lambda message: b'"phoenix"' in message
        await asyncio.sleep(seconds)
        for line in self._lines("engine"):
            line.holds_back = lambda _: False

    async def _freeze(self, seconds: float) -> None:
        self.world.hub.faults.freeze()
        await asyncio.sleep(seconds)
        self.world.hub.faults.thaw()

    async def _restart(self, seconds: float, graceful: bool) -> None:
        await self.world.hub.faults.restart(seconds, graceful=graceful)

    async def _refuse(self, seconds: float) -> None:
        faults = self.world.hub.faults
        faults.http_status(503, retry_after=1)
        faults.drop_all()
        await asyncio.sleep(seconds)
        await faults.clear()

    async def _forbid(self, seconds: float) -> None:
        faults = self.world.hub.faults
        faults.http_status(403)
        faults.drop_all()
        await asyncio.sleep(seconds)
        await faults.clear()

    async def _reload(self, most_waiting: int, gap: float) -> None:
        """The settings are read anew."""
        engine = self.world.engine
        if engine is not None:
            connection, alerts = settings(self.plan, most_waiting=most_waiting, gap=gap)
            await engine.spawn(
                engine.supervisor.apply((connection,), components=ComponentOptions(alerts=alerts))
            )

    async def _slow_joins(self, seconds: float) -> None:
        faults = self.world.hub.faults
        faults.slow_join(min(seconds, 8.0))
        faults.drop_all()
        await asyncio.sleep(seconds)
        faults.slow_join(0)

    async def _crash(self, topic: str) -> None:
        hub = self.world.hub
        ours = {line.transport.connection for line in self._lines("engine")}
        for name in hub.topics() if topic == "*" else [topic]:
            for channel in hub.channels(name):
                if channel.connection in ours:
                    channel.connection.end_channel(channel, "phx_error")

    def _repeat(self) -> None:
        at, message = self._event
        if self.loop.now - at < REPEATED:
            for line in self._lines("engine"):
                line.transport.write_message(message, text=True)

    async def _page_away(self, seconds: float) -> None:
        await self.world.page.close()
        await asyncio.sleep(seconds)
        self.world.page.open()

    async def _page_reload(self) -> None:
        await self.world.page.reload()

    async def _clock(self, seconds: float) -> None:
        self.world.clock.wall_offset += seconds

    async def _sleep(self, seconds: float, counted: bool) -> None:
        """The machine sleeps; whether the loop's own clock counts that depends on the system."""
        engine = self.world.engine
        if engine is not None and not self.world.is_asleep:
            self.world.is_asleep = True
            self.loop.suspend(engine.name)
            await asyncio.sleep(seconds)
            self.loop.resume(engine.name, 0.0 if counted else seconds)
            self.watch.disturbed()
            self.world.is_asleep = False

    async def _kill(self, seconds: float) -> None:
        engine = self.world.engine
        if engine is None or self.world.is_asleep:
            return
        self.world.engine = None
        engine.kill()
        await asyncio.sleep(seconds)
        self.world.start_engine()

    async def _stall(self, seconds: float) -> None:
        self.world.disk.stall(seconds)
        await asyncio.sleep(seconds)

    async def _full(self, seconds: float) -> None:
        self.world.disk.fill(True)
        await asyncio.sleep(seconds)
        self.world.disk.fill(False)
