"""A hub in the test's loop and an engine in its thread, as in the program."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.pace import PATIENCE
from tui.channels import Options
from tui.demo.hub import Hub
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor

FAST = Options(
    max_reconnect_attempts="unlimited",
    reconnect_base_delay=0.1,
    reconnect_max_delay=0.3,
    heartbeat_interval=0.5,
    heartbeat_timeout=0.5,
    circuit_breaker_threshold=3,
    circuit_breaker_timeout=0.5,
    stable_after=0.2,
    push_timeout=2.0,
)


@dataclass(frozen=True)
class TopicSettings:
    topic: str
    params: Any = None


@dataclass(frozen=True)
class ConnectionSettings:
    name: str
    url: str
    topics: tuple[TopicSettings, ...] = ()
    options: Options = FAST
    label: str = "a label"


def connection(name: str, url: str, *topics: str, options: Options = FAST) -> ConnectionSettings:
    return ConnectionSettings(name, url, tuple(TopicSettings(topic) for topic in topics), options)


@contextmanager
def running(*connections: ConnectionSettings, **settings: Any) -> Iterator[Supervisor]:
    """An engine in its thread, stopped at the end; ``alerts`` and the like are those of its desks."""
    of_desks = {key: settings.pop(key) for key in ("alerts", "services", "incidents") if key in settings}
    supervisor = Supervisor(connections, components=ComponentOptions(**of_desks), **settings)
    thread = threading.Thread(target=supervisor.run, name="engine", daemon=True)
    thread.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the engine did not stop"


async def eventually(condition: Callable[[], object], what: str, limit: float = PATIENCE) -> None:
    """Wait until ``condition`` holds, without holding up the hub's loop."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit:g} s"
        await asyncio.sleep(0.01)


def state_of(supervisor: Supervisor, name: str) -> str:
    for each in supervisor.snapshot().connections:
        if each.name == name:
            return each.metrics.connection_state
    return "absent"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as hub:
        yield hub
