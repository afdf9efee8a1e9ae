"""The demonstration's hubs, in a thread of their own, as the real ones are in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.channels import Options
from tui.connections.settings import ConnectionSettings, Topic
from tui.demo.dialect import DialectName
from tui.demo.scenario import Scenario, demo_hubs
from tui.engine.supervisor import Supervisor
from tui.model.engine import CommandResult, ExtraCommand
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions

log = logging.getLogger("tui.demo")

RULES_FILE = "alert_rules.toml"

_START_LIMIT = 10.0
_STOP_LIMIT = 2.0


class DemoHost:
    """Runs a scenario; its faults are the engine's extra commands, its notice the engine's.

    Args:
        dialect: which hub it is; see :mod:`tui.demo.dialect`.
        staged: faults happen by themselves, round after round.

    Raises:
        RuntimeError: (on entering) the hubs could not be started.
    """

    def __init__(self, dialect: DialectName = "telemetry", *, staged: bool = True) -> None:
        self._scenario = Scenario(demo_hubs(dialect=dialect), chance=random.Random(), staged=staged)
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        async with self._scenario:
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await self._stop.wait()

    def connections(self) -> Sequence[ConnectionSettings]:
        """What to supervise."""
        return [
            ConnectionSettings(
                name=name,
                label=settings["label"],
                url=settings["url"],
                topics=tuple(Topic(topic=topic) for topic in settings["topics"]),
                options=Options(**settings["options"]),
            )
            for name, settings in self._scenario.connections().items()
        ]

    def alerts(self, folder: Path) -> AlertOptions:
        """How its alert queue is set up, with a file of rules in ``folder``: what is there already stays.

        Raises:
            OSError: the file cannot be written.
        """
        noted = self._scenario.alerts()
        rules = folder / RULES_FILE
        if not rules.exists():
            rules.write_text(noted["rules"], encoding="utf-8")
        return AlertOptions(
            sources=tuple(SourceOptions(**source) for source in noted["sources"]),
            delivery=DeliveryOptions(**noted["delivery"]),
            rules=rules,
        )

    def services(self) -> ServicesOptions:
        """What is watched beside the connections."""
        noted = self._scenario.services()
        return ServicesOptions(
            reports=tuple(ReportsOptions(**report) for report in noted["reports"]),
            endpoints=tuple(EndpointOptions(**endpoint) for endpoint in noted["endpoints"]),
        )

    def supervise(self, supervisor: Supervisor) -> None:
        """From now on a stage may disconnect and connect as a user would."""

        async def command(verb: str, name: str) -> None:
            await (supervisor.disconnect(name) if verb == "disconnect" else supervisor.connect(name))

        self._scenario.command = command

    def notice(self) -> str | None:
        """What is staged next."""
        return self._scenario.notice

    def commands(self) -> Sequence[ExtraCommand]:
        """The faults."""
        return [
            ExtraCommand(id=command.id, label=f"demo: {command.label}", help=command.help)
            for command in self._scenario.commands()
        ]

    async def run(self, command: str) -> CommandResult:
        """Stage one fault."""

        async def trigger() -> None:
            await self._scenario.trigger(command)

        try:
            await self._on_hubs(trigger())
        except (ValueError, RuntimeError) as error:
            return CommandResult(ok=False, message=str(error))
        return CommandResult(ok=True, message=f"staged: {command}")

    async def _on_hubs(self, coroutine: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))
