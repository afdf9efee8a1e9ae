"""The world of an evening: a network, a hub, its page, a disk, and the engine that runs now."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from tests.simulation.plan import Plan
from tui.alerts.options import PAYLOAD, AlertOptions, DeliveryOptions, SourceOptions
from tui.alerts.store import AlertStore
from tui.alerts.store_file import Row
from tui.channels import Options
from tui.channels.link import Link, LinkOwner, LinkRequest
from tui.connections.settings import ConnectionSettings, Topic
from tui.demo.hub import Hub
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor
from tui.model.alerts import AlertCommand
from tui.model.events import MinuteFigures
from tui.model.snapshot import Snapshot
from tui.simulation.disk import LoopWorker, SimulatedDisk
from tui.simulation.ends import HubListener
from tui.simulation.loop import PROCESS, VirtualClock, VirtualLoop
from tui.simulation.network import Network
from tui.simulation.page import Page
from tui.store.journal import Entry

TRAFFIC = 0.1
"""Events a second."""
LATENCY = (0.001, 0.04)
PLACE = "hub.test:7175"
OVERLAYS = "stream:overlays"


def settings(plan: Plan, **changes: Any) -> tuple[ConnectionSettings, AlertOptions]:
    """What a user of this hub has in the settings, with ``changes`` of those of the alerts."""
    topics = (OVERLAYS, "stream:queue", "events:all", "dashboard:telemetry")
    connection = ConnectionSettings(
        name="hub",
        label="hub",
        url=f"ws://{PLACE}/socket",
        topics=tuple(Topic(topic=topic) for topic in topics),
        options=Options.preset("live"),
    )
    alerts = AlertOptions(
        sources=(SourceOptions(connection="hub", topic="events:all"),),
        delivery=DeliveryOptions(
            connection="hub",
            payload={**PAYLOAD, "data": {**PAYLOAD["data"], "duration": "{duration}"}},
            overlays=("takeover",) if plan.is_listed else (),
            wait_for_page=plan.waits,
        ),
        **{"most_waiting": plan.most_waiting, **changes},
    )
    return connection, alerts


class TappedStore(AlertStore):
    """Shows what is put to whoever watches."""

    def __init__(self, world: World, worker: LoopWorker, **options: Any) -> None:
        super().__init__(
            world.disk, worker=worker, now=world.clock.time, lived=world.clock.monotonic, **options
        )
        self._world = world

    def put(self, rows: Iterable[Row], done: Callable[[], None] | None = None) -> None:
        rows = tuple(rows)
        on_written = self._world.rows_put(rows, is_awaited=done is not None)

        def on_done() -> None:
            on_written()
            if done is not None:
                done()

        super().put(rows, None if done is None else on_done)


class KeptJournal:
    """A journal in memory; a dead process writes nothing."""

    trouble: str | None = None
    lost = 0

    def __init__(self, host: EngineHost, kept: list[Entry]) -> None:
        self._host = host
        self._kept = kept

    def add(self, entry: Entry) -> None:
        if not self._host.is_dead:
            self._kept.append(entry)

    def alive(self, figures: MinuteFigures) -> None:
        now = self._host.supervisor.snapshot().taken_at
        self.add(Entry(timestamp=now, kind="alive", text="", event=figures))

    def entries(self, since: float, until: float) -> Iterator[Entry]:
        return iter([each for each in self._kept if since <= each.timestamp <= until])


class EngineHost:
    """One process that runs an engine, from its start to its end or its death."""

    def __init__(self, world: World, number: int) -> None:
        self.name = f"engine {number}"
        self._world = world
        self._context = contextvars.copy_context()
        self._context.run(PROCESS.set, self.name)
        self.is_dead = False
        connection, alerts = settings(world.plan)
        self._worker = LoopWorker(world.loop, world.disk)
        self.store = TappedStore(
            world, self._worker, seen_window=alerts.same_id_window, kept_days=world.plan.kept_days
        )
        self._context.run(self.store.start)
        self.supervisor = Supervisor(
            (connection,),
            components=ComponentOptions(alerts=alerts),
            alert_store=self.store,
            journal=KeptJournal(self, world.journal),  # type: ignore[arg-type]  # what the engine needs of one
            clock=world.clock,
            random_source=random.Random(f"{self.name} {world.plan.seed}"),
            opener=self._open,
            loop_delay=world.loop.delay,
        )
        self._opener = world.network.opener(self.name)
        self.task = self.spawn(self.supervisor.serve())

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Something of this process."""
        return self._world.loop.create_task(work, name=self.name, context=self._context)

    async def _open(self, request: LinkRequest, owner: LinkOwner) -> Link:
        if self.is_dead:
            raise ConnectionRefusedError
        return await self._opener(request, owner)

    def kill(self) -> None:
        """As kill -9: nothing that it does from now on reaches anybody."""
        self.is_dead = True
        self._worker.kill()
        for line in self._world.lines_of(self.name):
            line.link.abort()
        self.supervisor.stop()

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        self.supervisor.stop()
        await self.task
        self._context.run(self.store.close, 1.5)
        self._worker.kill()

    async def command(self, verb: str, **how: Any) -> None:
        """What a person asks of it."""
        supervisor = self.supervisor
        asked: Callable[[], Awaitable[Any]]
        if verb in ("connect", "reconnect", "disconnect"):
            asked = getattr(supervisor, verb)
        else:
            command = AlertCommand(verb=verb, **how)  # type: ignore[arg-type]  # drawn by the plan
            asked = lambda: supervisor.alerts(command)  # noqa: E731  # one of two
        await self.spawn(asked())


class World:
    """Everything around the engine; made on its loop."""

    def __init__(self, plan: Plan, loop: VirtualLoop, mistakes: list[str]) -> None:
        self.plan = plan
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.network = Network(loop, random.Random(f"network {plan.seed}"), LATENCY)
        listener = HubListener(self.network, PLACE)
        self.hub = Hub(
            seed=plan.seed,
            shows_alerts=False,
            kept=0,
            dialect=plan.dialect,
            listener=listener,
            clock=VirtualClock(loop),
        )
        self.hub.host, self.hub.port = PLACE.split(":")[0], int(PLACE.split(":")[1])
        listener.hub = self.hub
        # Speech, scenes, chat and reports go on meanwhile; what else viewers do, the plan says.
        self.hub.show.chat_weight = 1_000_000
        self.hub.traffic = TRAFFIC
        self.disk = SimulatedDisk(loop)
        self.rows_put: Callable[..., Callable[[], None]] = lambda _, is_awaited: lambda: None
        """Is told of rows on their way, and gives what is to be called when they are said to be written."""
        self.page = Page(
            self.network,
            self.hub.url,
            "takeover",
            random.Random(f"page {plan.seed}"),
            params=plan.params,
            reads=plan.reads,
            acknowledges=plan.acknowledges,
            changed=lambda page: self.page_changed(page),
        )
        self.other = None
        if plan.other is not None:
            self.other = Page(
                self.network,
                self.hub.url,
                "omnibar",
                random.Random(f"other {plan.seed}"),
                params=plan.other,
                changed=lambda page: self.page_changed(page),
            )
        self.page_changed: Callable[[Page], None] = lambda _: None
        self.journal: list[Entry] = []
        """The journal of all engines, of which a long life forgets what is old."""
        self.engine: EngineHost | None = None
        self._engines = 0
        self.is_asleep = False
        """The engine's machine."""
        self.mistakes = mistakes
        loop.set_exception_handler(lambda _, context: mistakes.append(str(context)))

    def start_engine(self) -> EngineHost:
        """A new process, on what the disk holds."""
        self._engines += 1
        self.engine = EngineHost(self, self._engines)
        return self.engine

    def lines_of(self, name: str) -> list[Any]:
        """The connections that somebody opened."""
        return [line for line in self.network.lines if line.name == name]

    @property
    def snapshot(self) -> Snapshot | None:
        """What the engine shows now."""
        return None if self.engine is None else self.engine.supervisor.snapshot()
