"""The demonstration's hubs, in a thread of their own, as the real ones are in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.channels import Options
from tui.connections.settings import ConnectionSettings, Topic
from tui.demo.dialect import DialectName
from tui.demo.scenario import ALERT_PAGE, MAIN, SECOND, Scenario, demo_hubs
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import CommandResult, ExtraCommand
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions

log = logging.getLogger("tui.demo")

OPTIONS = Options(
    # Short enough that a minute shows what otherwise takes an evening.
    max_reconnect_attempts="unlimited",
    reconnect_base_delay=0.3,
    reconnect_max_delay=1.0,
    heartbeat_interval=1.5,
    heartbeat_timeout=1.0,
    circuit_breaker_threshold=3,
    circuit_breaker_timeout=4.0,
    stable_after=1.0,
    join_timeout=3.0,
    push_timeout=3.0,
)
ROOMS: Mapping[DialectName, str] = {
    "plain": "dashboard:telemetry",
    "old": "dashboard:main",
    "telemetry": "dashboard:telemetry",
    "new": "dashboard:services",
}
"""The dashboard's topic: where a hub tells of others, it does there."""
RULES_FILE = "alert_rules.toml"
ALERT_RULES = """\
# Rules of the demonstration's alerts. They are read anew whenever this file is saved: try it.
# Shorter than on a real evening, so that a minute shows several.

[[rule]]
type = "follow"
duration = 3

[[rule]]
type = "sub"
duration = 4

[[rule]]
type = "resub"
duration = 4

[[rule]]
type = "gift"
duration = 5

[[rule]]
type = "cheer"
duration = 3

[[rule]]
type = "cheer"
when = "bits = 420"
priority = 8
duration = 4
title = "{who} cheered exactly 420"

[[rule]]
type = "redemption"
duration = 3

[[rule]]
type = "raid"
duration = 6
"""

_START_LIMIT = 10.0
_STOP_LIMIT = 2.0


class DemoHost:
    """Runs a scenario; its faults are the engine's extra commands, its notice the engine's.

    RuntimeError on entering: the hubs could not be started.
    """

    def __init__(self, dialect: DialectName = "telemetry", *, staged: bool = True) -> None:
        self.scenario = Scenario(demo_hubs(dialect=dialect), random_source=random.Random(), staged=staged)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="demo hubs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_START_LIMIT)
        if self._loop is None:
            raise RuntimeError(f"the demo's hubs could not be started: {self._error or 'no answer'}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_LIMIT)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            log.exception("the demo's hubs stopped")
            self._error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        async with self.scenario:
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await self._stop.wait()

    def connections(self) -> Sequence[ConnectionSettings]:
        main, second = (self.scenario.hubs[name].url for name in (MAIN, SECOND))
        connections = (
            ("stage", main, ("stream:overlays", "stream:queue", "overlay:obs", "overlay:system"), "Overlays"),
            ("dashboard", main, (self._room,), "Dashboard"),
            ("events", main, ("events:all", "health:services"), "Viewer events"),
            ("phononmaser_in", second, ("transcription:live", "overlay:system"), "Transcription"),
            ("seed_events", second, ("events:all", "transcription:live"), "Seed"),
        )
        return [
            ConnectionSettings(
                name=name,
                label=label,
                url=url,
                topics=tuple(Topic(topic=topic) for topic in topics),
                options=OPTIONS,
            )
            for name, url, topics, label in connections
        ]

    def alerts(self, folder: Path) -> AlertOptions:
        """How its alert queue is set up, with a file of rules in ``folder``: what is there already stays."""
        rules = folder / RULES_FILE
        if not rules.exists():
            rules.write_text(ALERT_RULES, encoding="utf-8")
        return AlertOptions(
            sources=(SourceOptions(connection="events", topic="events:all"),),
            delivery=DeliveryOptions(connection="stage", overlays=(ALERT_PAGE,)),
            rules=rules,
        )

    def services(self) -> ServicesOptions:
        """What is watched beside the connections: what the hub tells of others, and its own health."""
        hub = self.scenario.hubs[MAIN]
        of_themselves = ReportsOptions(
            connection="events", topic="health:services", event="health_report", stale_after=30.0
        )
        of_others = ReportsOptions(
            connection="dashboard", topic=self._room, event="telemetry_update", kind="hub", stale_after=8.0
        )
        health = f"http://{urlsplit(hub.url).netloc}/health"
        return ServicesOptions(
            reports=(of_themselves,) if hub.dialect == "old" else (of_others, of_themselves),
            endpoints=(EndpointOptions(name="hub", url=health, interval=2.0, timeout=1.0),),
        )

    @property
    def _room(self) -> str:
        return ROOMS[self.scenario.hubs[MAIN].dialect]

    def supervise(self, supervisor: Supervisor) -> None:
        """From now on a stage may disconnect and connect as a user would."""

        async def command(verb: str, name: str) -> None:
            await (supervisor.disconnect(name) if verb == "disconnect" else supervisor.connect(name))

        self.scenario.command = command

    def notice(self) -> str | None:
        return self.scenario.notice

    def commands(self) -> Sequence[ExtraCommand]:
        return [
            ExtraCommand(id=command.id, label=f"demo: {command.label}", help=command.help)
            for command in self.scenario.commands()
        ]

    async def run(self, command: str) -> CommandResult:
        assert self._loop is not None
        fired = asyncio.run_coroutine_threadsafe(self.scenario.trigger(command), self._loop)
        try:
            await asyncio.wrap_future(fired)
        except (ValueError, RuntimeError) as error:
            return CommandResult(ok=False, message=str(error))
        return CommandResult(ok=True, message=f"staged: {command}")
