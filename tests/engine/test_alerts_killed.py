"""The whole program killed with SIGKILL under 200 alerts a second: nothing that it accepted is lost or twice.

``KILLS`` in the environment is how often; 4 unless set.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from pathlib import Path
from typing import NamedTuple

from tests.engine.conftest import eventually
from tui.alerts.alert import Alert, decode
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.engine.alert_summaries import AWAY_TYPE

KILLS = int(os.environ.get("KILLS", "4"))
RATE = 200
ROOT = Path(__file__).parents[2]

SETTINGS = """\
[connections.hub]
url = "{url}"
preset = "live"
reconnect_base_delay = 0.05
reconnect_max_delay = 0.1
topics = ["events:all", "stream:overlays"]
[alerts]
rules = "rules.toml"
most_waiting = 1000
gap = 0.01
kept_count = 1000000
[[alerts.sources]]
connection = "hub"
topic = "events:all"
[alerts.delivery]
connection = "hub"
"""
RULES = """\
[[rule]]
type = "cheer"
duration = 0.5
collapse = 0
"""


class Stored(NamedTuple):
    """What the store held at one moment."""

    alerts: dict[str, Alert]
    rows: int


def read(folder: Path) -> Stored:
    """The store as the dead program left it; reading applies its write-ahead log, as a start does."""
    with sqlite3.connect(folder / "alerts.sqlite") as connection:
        rows = connection.execute("SELECT id, data FROM alerts WHERE type != ?", (AWAY_TYPE,)).fetchall()
    connection.close()
    return Stored({id: decode(data) for id, data in rows}, len(rows))


class Viewers:
    """Cheer at a steady rate, each with a number of its own."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.sent = 0

    async def act(self) -> None:
        while True:
            for _ in range(RATE // 50):
                self.sent += 1
                payload = {"id": f"cheer-{self.sent}", "user_name": f"viewer {self.sent}", "bits": 100}
                self._hub.send_to_topic("events:all", "cheer", payload)
            await asyncio.sleep(0.02)


async def run_and_kill(hub: Hub, folder: Path, chance: random.Random) -> None:
    """One life of the program, ended at a random moment of its work."""
    joins = hub.joins["stream:overlays"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.cli", "run", "--headless"),
        *("--config", str(folder / "config.toml"), "--state", str(folder / "state")),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: hub.joins["stream:overlays"] > joins, "the program has joined", 15.0)
        await asyncio.sleep(chance.uniform(0.05, 2.5))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


def assert_nothing_changed_its_mind(before: Stored, after: Stored) -> None:
    for id, alert in before.alerts.items():
        assert id in after.alerts, f"{id} is lost"
        later = after.alerts[id]
        assert later.source_id == alert.source_id
        if alert.outcome is not None:
            corrected = (alert.outcome, later.outcome) == ("unconfirmed", "shown")
            assert corrected or later.outcome == alert.outcome, (alert, later)


def assert_nothing_is_twice(stored: Stored) -> None:
    assert stored.rows == len(stored.alerts)
    numbers = [alert.source_id for alert in stored.alerts.values()]
    assert len(set(numbers)) == len(numbers), "one event made two alerts"
    waiting = [alert for alert in stored.alerts.values() if alert.state == "waiting"]
    places = [(alert.priority, alert.place) for alert in waiting]
    assert len(set(places)) == len(places), "two alerts have one place"
    assert sum(alert.state == "playing" for alert in stored.alerts.values()) <= 1


async def test_a_program_that_is_killed_again_and_again_loses_and_doubles_none(tmp_path: Path) -> None:
    chance = random.Random(5)
    async with Hub(shows_alerts=False) as hub:
        (tmp_path / "config.toml").write_text(SETTINGS.format(url=hub.url))
        (tmp_path / "rules.toml").write_text(RULES)
        page = OverlayPage(lambda: hub.url)
        page.open()
        await eventually(lambda: page.joined, "the page")
        viewers = Viewers(hub)
        acting = asyncio.create_task(viewers.act())
        shown_before: set[str] = set()
        before = Stored({}, 0)
        try:
            for _ in range(KILLS):
                await run_and_kill(hub, tmp_path, chance)
                after = read(tmp_path / "state")
                assert_nothing_changed_its_mind(before, after)
                assert_nothing_is_twice(after)
                # What is on record as shown is not shown once more by the next life.
                again = shown_before & {each.id for each in page.shown}
                assert not again
                ended = {id for id, alert in after.alerts.items() if alert.outcome is not None}
                shown_before |= ended
                page.shown.clear()
                before = after
        finally:
            acting.cancel()
            await page.close()
    kinds = {alert.outcome for alert in before.alerts.values()}
    assert len(before.alerts) > 20 * KILLS
    assert {"shown", None} <= kinds
