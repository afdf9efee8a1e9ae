"""Alerts from a hub's events to an overlay page on the official JavaScript client, and their outcomes."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from guide_page import needs_the_client, page

from tests.engine.conftest import connection, eventually, running
from tui.alerts.alert import Alert, decode
from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.alerts.store import AlertStore
from tui.demo.dialect import DialectName
from tui.demo.hub import Hub
from tui.demo.topics import telemetry
from tui.engine.supervisor import Supervisor
from tui.model.alerts import AlertCommand, AlertsSnapshot

CHEER, RAID, GAP = 0.6, 0.8, 0.25
RULES = f"""\
[[rule]]
type = "cheer"
duration = {CHEER}
[[rule]]
type = "raid"
duration = {RAID}
"""


@asynccontextmanager
async def queue(hub: Hub, folder: Path) -> AsyncIterator[Supervisor]:
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    options = AlertOptions(
        sources=(SourceOptions(connection="events", topic="events:all"),),
        delivery=DeliveryOptions(connection="stage", overlays=("takeover",)),
        rules=rules,
        gap=GAP,
    )
    store = AlertStore(folder / "alerts.sqlite")
    store.start()
    links = (
        connection("stage", hub.url, "stream:overlays", "stream:queue"),
        connection("events", hub.url, "events:all"),
        connection("dashboard", hub.url, "dashboard:main"),
    )
    topics = ("stream:overlays", "events:all", "dashboard:main")
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: store.close(10))
        supervisor = stack.enter_context(running(*links, alerts=options, alert_store=store))
        await eventually(lambda: all(hub.joins[topic] for topic in topics), "the links are up")
        await eventually(
            lambda: any(line.text == "alert rules read" for line in supervisor.log().lines), "the rules"
        )
        try:
            yield supervisor
        finally:
            # While the hub's loop runs: it answers the leaves.
            supervisor.stop()
            await eventually(supervisor.ended.is_set, "the engine stopped")


def alerts(supervisor: Supervisor) -> AlertsSnapshot:
    found = supervisor.snapshot().alerts
    assert found is not None
    return found


def plays(supervisor: Supervisor, who: str) -> Callable[[], bool]:
    def on_air() -> bool:
        playing = alerts(supervisor).playing
        return playing is not None and playing.who == who and playing.phase == "on air"

    return on_air


def ended(supervisor: Supervisor) -> int:
    return sum(sum(each.values()) for each in alerts(supervisor).counts.values())


async def do(supervisor: Supervisor, verb: Any) -> None:
    result = await supervisor.alerts(AlertCommand(verb=verb))
    assert result.ok, result.message


def kept(folder: Path) -> list[Alert]:
    """Everything in the store's file, in the order in which it ended."""
    with contextlib.closing(sqlite3.connect(folder / "alerts.sqlite")) as file:
        rows = file.execute(
            "SELECT data FROM alerts WHERE outcome IS NOT 'away' AND id IS NOT '(standing)' "
            "ORDER BY changed_at, id"
        )
        return [decode(data) for (data,) in rows]


@needs_the_client
@pytest.mark.parametrize("dialect", ["telemetry", "new"])  # between them all that a page reads
async def test_alerts_reach_the_page_one_at_a_time_through_a_restart_of_the_hub(
    tmp_path: Path, dialect: DialectName
) -> None:
    async with Hub(seed=1, shows_alerts=False, dialect=dialect, passes_on=True) as hub:
        async with page(hub, tmp_path) as overlay, queue(hub, tmp_path) as supervisor:
            await do(supervisor, "pause")
            happened = [hub.happen("cheer", user_name=name, bits=100) for name in ("one", "two", "three")]
            happened.append(hub.happen("raid", user_name="raider", viewers=120))
            bears_ids = hub.landale is None or hub.landale.dialect.flat_events
            if bears_ids:
                # The same event once more, as a hub that is restarted may send it.
                hub.send_to_topic("events:all", "cheer", happened[0])
            await eventually(lambda: len(alerts(supervisor).waiting) == 4, "all wait")
            assert overlay.all("shown") == []
            await do(supervisor, "resume")
            await eventually(plays(supervisor, "two"), "the third in line")
            await do(supervisor, "skip")
            await eventually(lambda: ended(supervisor) == 4, "the first four")
            assert [each["who"] for each in overlay.all("shown")] == ["raider", "one", "two", "three"]

            happened += [hub.happen("cheer", user_name=name, bits=100) for name in ("four", "five", "six")]
            await eventually(plays(supervisor, "four"), "it plays")
            await hub.faults.restart(0.3)
            await eventually(lambda: ended(supervisor) == 7, "all that waited")
            happened.append(hub.happen("cheer", user_name="seven", bits=100))
            await eventually(lambda: ended(supervisor) == 8, "one of after the restart")
            assert alerts(supervisor).accepted == 8
            assert alerts(supervisor).duplicates == (1 if bears_ids else 0)
            assert alerts(supervisor).warning is None
            told = overlay.all("shown")
        rows = kept(tmp_path)

    assert Counter(row.who for row in rows) == Counter(each["user_name"] for each in happened)
    outcomes = {row.who: row.outcome for row in rows}
    assert outcomes.pop("two") == "skipped"
    assert outcomes.pop("four") in ("shown", "unconfirmed")  # the restart may have come late in its time
    assert set(outcomes.values()) == {"shown"}
    assert {each["id"] for each in told} == {row.id for row in rows}
    repeated = {who for who, count in Counter(each["who"] for each in told).items() if count > 1}
    assert repeated <= {"four"}
    by_time = sorted(rows, key=lambda row: row.sent_at or 0.0)
    for one, after in itertools.pairwise(by_time):
        # A late timer makes it longer, never shorter.
        duration = RAID if one.type == "raid" else CHEER
        began, end = one.sent_at or 0.0, one.ended_at or 0.0
        assert one.outcome == "skipped" or one.who == "four" or end - began >= duration - 0.01
        assert (after.sent_at or 0.0) - end >= GAP - 0.01


@needs_the_client
async def test_with_the_page_closed_nothing_claims_to_be_shown(tmp_path: Path) -> None:
    async with Hub(seed=1, shows_alerts=False) as hub:
        async with queue(hub, tmp_path) as supervisor:
            async with page(hub, tmp_path) as overlay:
                hub.happen("cheer", user_name="seen")
                await eventually(lambda: ended(supervisor) == 1, "the first")
            for name in ("one", "two"):
                hub.happen("cheer", user_name=name)
                await eventually(plays(supervisor, name), "it plays")
                hub.send_to_topic("dashboard:main", "telemetry_update", telemetry(hub))
            await eventually(lambda: ended(supervisor) == 3, "all")
            assert {page.name: page.connected for page in alerts(supervisor).overlays}["takeover"] is False
            assert [each["who"] for each in overlay.all("shown")] == ["seen"]
        outcomes = {row.who: (row.outcome, row.confirmed, row.reason) for row in kept(tmp_path)}
    nobody = ("unconfirmed", False, "sent, and listed by the hub; no overlay confirmed it")
    assert outcomes == {"seen": ("shown", True, ""), "one": nobody, "two": nobody}
