"""An engine with its alert queue on a real hub, and what is read from it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import connection, eventually, running
from tests.pace import PATIENCE
from tui.alerts.alert import Alert, decode
from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.alerts.store import AlertStore
from tui.connections.settings import ConnectionSettings
from tui.demo.channel import Reply, Stop
from tui.demo.dialect import REAL
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import Overlays
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor
from tui.model.alerts import AlertCommand, AlertOutcome, AlertPage, AlertsSnapshot, AlertSummary

LIMIT = PATIENCE
on_every_hub = pytest.mark.parametrize("hub", ["plain", *REAL], indirect=True)
"""Where pages are heard."""
SHORT = "[[rule]]\ntype = 'cheer'\nduration = 0.5\n"
LONG = "[[rule]]\ntype = 'cheer'\nduration = 2.4\n"


@asynccontextmanager
async def page(hub: Hub) -> AsyncIterator[OverlayPage]:
    overlay = OverlayPage(lambda: hub.url)
    overlay.open()
    try:
        await eventually(lambda: overlay.joined, "the overlay page is there")
        yield overlay
    finally:
        await overlay.close()


@contextmanager
def kept(folder: Path, **options: Any) -> Iterator[AlertStore]:
    store = AlertStore(folder / "alerts.sqlite", **options)
    store.start()
    try:
        yield store
    finally:
        assert store.close(LIMIT), store.state


def connections(hub: Hub) -> tuple[ConnectionSettings, ...]:
    return (
        connection("stage", hub.url, "stream:overlays", "stream:queue"),
        connection("events", hub.url, "events:all"),
    )


def alert_options(folder: Path, delivery: dict[str, Any] | None, **options: Any) -> AlertOptions:
    """With a delivery of these settings, or without one."""
    return AlertOptions(
        sources=(SourceOptions(connection="events", topic="events:all"),),
        delivery=None if delivery is None else DeliveryOptions(connection="stage", **delivery),
        rules=folder / "rules.toml",
        **options,
    )


async def reload(supervisor: Supervisor, hub: Hub, folder: Path, delivery: dict[str, Any] | None) -> None:
    """The same settings with another delivery."""
    desks = ComponentOptions(alerts=alert_options(folder, delivery))
    assert (await supervisor.apply(connections(hub), components=desks)).ok


@asynccontextmanager
async def engine(
    hub: Hub,
    folder: Path,
    store: AlertStore | None = None,
    *,
    rules: str = SHORT,
    joined: bool = True,
    delivery: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Supervisor]:
    """An engine with its alert queue, ready for what viewers do."""
    file = folder / "rules.toml"
    file.write_text(rules)
    alerts = alert_options(folder, delivery or {}, **options)
    with running(*connections(hub), alerts=alerts, alert_store=store) as supervisor:
        await eventually(
            lambda: any(line.text == "alert rules read" for line in supervisor.log().lines), "the rules"
        )
        await eventually(lambda: state(supervisor, "events", "events:all") == "joined", "the source")
        if joined:
            await eventually(lambda: state(supervisor, "stage", "stream:overlays") == "joined", "the target")
        try:
            yield supervisor
        finally:
            # While the hub's loop runs: it answers the leaves.
            supervisor.stop()
            await eventually(supervisor.ended.is_set, "the engine stopped")


def state(supervisor: Supervisor, name: str, topic: str) -> str:
    for each in supervisor.snapshot().connections:
        for channel in each.channels:
            if (each.name, channel.topic) == (name, topic):
                return channel.state
    return "absent"


def alerts(supervisor: Supervisor) -> AlertsSnapshot:
    found = supervisor.snapshot().alerts
    assert found is not None
    return found


def outcomes(supervisor: Supervisor) -> list[tuple[str, str]]:
    """What ended, the oldest first: who, and how."""
    ended = [each for each in alerts(supervisor).recent if isinstance(each, AlertSummary)]
    return [(each.who, str(each.outcome)) for each in reversed(ended)]


def last(supervisor: Supervisor) -> AlertSummary:
    return next(each for each in alerts(supervisor).recent if isinstance(each, AlertSummary))


def rows(folder: Path) -> list[Alert]:
    """Every alert that the store's file holds."""
    with contextlib.closing(sqlite3.connect(folder / "alerts.sqlite")) as file:
        return [
            decode(data)
            for (data,) in file.execute(
                "SELECT data FROM alerts WHERE outcome IS NOT 'away' AND id IS NOT '(standing)'"
            )
        ]


def listed(hub: Hub) -> list[Any]:
    """The data of whatever the hub has on, or waiting."""
    if hub.landale is not None:
        return [item.data for item in hub.landale.items]
    hub.show.stream_state()
    return [item["data"] for item in hub.show.queue]


def pushes(hub: Hub) -> list[Any]:
    return [each.frame.payload for each in hub.received if each.frame.event == "force_content"]


async def do(supervisor: Supervisor, verb: Any, **others: Any) -> str:
    result = await supervisor.alerts(AlertCommand(verb=verb, **others))
    assert result.ok, result.message
    return result.message


async def history(supervisor: Supervisor, outcome: AlertOutcome | None = None) -> AlertPage:
    found = await supervisor.alert_history(outcome=outcome)
    assert isinstance(found, AlertPage), found
    return found


@asynccontextmanager
async def page_later(hub: Hub) -> AsyncIterator[OverlayPage]:
    """A page that may not be able to join yet."""
    overlay = OverlayPage(lambda: hub.url)
    overlay.open()
    try:
        yield overlay
    finally:
        await overlay.close()


class Refusing(Overlays):
    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "force_content":
            return self.failure("not_now", "the scene is locked")
        return await super().handle_in(event, payload)


class Silent(Overlays):
    """Takes content and tells everyone of it, but never answers."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        reply = await super().handle_in(event, payload)
        return None if event == "force_content" else reply


class Deaf(Overlays):
    """Neither takes content nor answers."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        return None if event == "force_content" else await super().handle_in(event, payload)


def on_air(supervisor: Supervisor) -> bool:
    playing = alerts(supervisor).playing
    return playing is not None and playing.phase == "on air" and playing.confirmed
