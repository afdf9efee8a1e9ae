"""The whole program killed with SIGKILL under 200 alerts a second: nothing that it accepted is lost or twice.

``KILLS`` in the environment is how often; 4 unless set. Each event has a number and is sent once, save for
those that are sent again to see that they are known. What the program had accepted is known from three
sides: from what its store held after a kill, from what it had told before it, and from what it had pushed.
Some of the kills come while the disk is held up, for less time than the store waits: what was told or pushed
without it would be lost then.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tui
from tests.engine.conftest import eventually
from tests.pace import PATIENCE
from tui.alerts.alert import Alert, decode
from tui.alerts.persistence import AWAY_TYPE
from tui.alerts.player import MOST_BESIDE
from tui.alerts.store import FILE_NAME
from tui.control.protocol import SOCKET_NAME
from tui.control.remote import RemoteEngine
from tui.demo.channel import Reply, Stop
from tui.demo.connection import Connection
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import Overlays
from tui.model.alerts import AlertsSnapshot, AlertSummary

KILLS = int(os.environ.get("KILLS", "4"))
RATE = 200
ROUND = 0.02
LIMIT = PATIENCE
ROOT = Path(tui.__file__).parents[1]
SOURCE, TARGET = "events:all", "stream:overlays"

SETTINGS = """\
[connections.hub]
url = "{url}"
preset = "live"
proxy = "none"
reconnect_base_delay = 0.05
reconnect_max_delay = 0.1
topics = ["events:all", "stream:overlays"]
[alerts]
rules = "rules.toml"
most_waiting = 150
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
[[rule]]
type = "cheer"
when = "bits >= 1000"
priority = 9
duration = 0.5
[[rule]]
type = "raid"
bypass = true
duration = 0.5
"""
LOCK = """\
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print(time.monotonic(), flush=True)
time.sleep(60)
"""
HELD_UP = 0.2
"""Seconds; the store calls a disk that is held up for 0.25 s a trouble, and goes on without it."""


class Stored(NamedTuple):
    """What the store held at one moment."""

    alerts: dict[str, Alert]
    numbers: set[str]
    """The numbers of the events in it."""
    away: int
    """Times in which the source was away."""


def read(state: Path) -> Stored:
    """The store as the dead program left it, and leaves it for the next: a copy is read."""
    with tempfile.TemporaryDirectory() as copy:
        for name in (FILE_NAME, f"{FILE_NAME}-wal"):
            if (state / name).exists():
                shutil.copy(state / name, copy)
        with closing(sqlite3.connect(Path(copy) / FILE_NAME)) as file:
            if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'alerts'").fetchone():
                return Stored({}, set(), 0)
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            away = file.execute("SELECT count(*) FROM alerts WHERE type = ?", (AWAY_TYPE,)).fetchone()[0]
            rows = file.execute(
                "SELECT id, open, outcome, data FROM alerts WHERE type NOT LIKE '(%'"
            ).fetchall()
            alerts = {}
            for id, is_open, outcome, data in rows:
                alert = alerts[id] = decode(data)
                assert (alert.id, alert.state != "ended", alert.outcome) == (id, bool(is_open), outcome)
    numbers = Counter(alert.source_id or "" for alert in alerts.values())
    assert max(numbers.values(), default=1) == 1, f"one event made two alerts: {numbers.most_common(3)}"
    return Stored(alerts, set(numbers), away)


class Counting(Overlays):
    """Counts the pushes of each alert."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "force_content":
            pushed[payload["data"]["id"]] += 1
        return await super().handle_in(event, payload)


pushed: Counter[str] = Counter()
"""By the alert's id, in all lives."""


class Viewers:
    """Cheer at a steady rate, each with a number of its own."""

    def __init__(self, hub: Hub, random_source: random.Random) -> None:
        self._hub = hub
        self._random_source = random_source
        self._sent = 0
        self.heard: dict[Connection, list[str]] = {}
        """The numbers of the events that each connection which had joined was sent, in their order."""

    async def act(self) -> None:
        while True:
            for _ in range(round(RATE * ROUND)):
                self._sent += 1
                for channel in self._hub.channels(SOURCE):
                    self.heard.setdefault(channel.connection, []).append(f"event-{self._sent}")
                self.note(f"event-{self._sent}")
            await asyncio.sleep(ROUND)

    def note(self, number: str) -> None:
        bits = self._random_source.choice((50, 100, 100, 100, 1000))
        event = "raid" if self._random_source.random() < 0.1 else "cheer"
        self._hub.send_to_topic(SOURCE, event, {"id": number, "user_name": "mira", "bits": bits})


class Life:
    """One run of the program, and what it told of its alerts."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._engine = RemoteEngine(folder / "state" / SOCKET_NAME)
        self._looking: asyncio.Task[None] | None = None
        self.snapshot = AlertsSnapshot()
        self.first: AlertsSnapshot | None = None
        self.accepted: set[str] = set()
        """The ids of those that it told of, without those of which it said that they are in memory only."""

    def poll(self) -> None:
        """Follow what it tells, from now on."""
        self._engine.start()
        self._looking = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        while True:
            found = self._engine.snapshot().alerts
            if found is not None and found is not self.snapshot:
                self.snapshot = found
                self._take(found)
            await asyncio.sleep(ROUND)

    def _take(self, alerts: AlertsSnapshot) -> None:
        on_stage = (*((alerts.playing,) if alerts.playing else ()), *alerts.beside)
        open_ones = (*on_stage, *alerts.waiting)
        assert len({each.id for each in open_ones}) == len(open_ones)
        ended = sum(number for of_type in alerts.counts.values() for number in of_type.values())
        assert alerts.accepted + alerts.restored == len(open_ones) + ended
        if open_ones and self.first is None:
            self.first = alerts
        recent = [each for each in alerts.recent if isinstance(each, AlertSummary)]
        self.accepted |= {each.id for each in (*open_ones, *recent) if not each.held}

    async def end(self) -> None:
        """Look no more; what was seen amiss is raised."""
        self._engine.close()
        if self._looking is not None:
            if not self._looking.done():
                self._looking.cancel()
            await asyncio.wait([self._looking])
            if not self._looking.cancelled():
                self._looking.result()


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Life]:
    """The program in a process of its own, which is killed at the end unless it has ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.cli.main", "run", "--headless"),
        *("--config", str(folder / "config.toml"), "--state", str(folder / "state")),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    life = Life(folder, process)
    try:
        yield life
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await life.end()


async def until_joined(hub: Hub) -> None:
    await eventually(lambda: hub.channels(SOURCE) and len(hub.channels(TARGET)) == 2, "joined", LIMIT)


async def work(
    hub: Hub, life: Life, viewers: Viewers, before: Stored, random_source: random.Random
) -> set[str]:
    """What happens in one life; returns the numbers of the events before which the source had been away."""
    await until_joined(hub)
    life.poll()
    # They are known, however soon they come.
    for number in random_source.sample(sorted(before.numbers), min(20, len(before.numbers))):
        viewers.note(number)
    await asyncio.sleep(random_source.uniform(0.05, 1.2))
    if random_source.random() < 0.5:
        return set()
    (channel,), joins = hub.channels(SOURCE), hub.joins[SOURCE]
    heard = viewers.heard.get(channel.connection, []).copy()
    hub.faults.crash_channel(SOURCE)
    await eventually(lambda: hub.joins[SOURCE] > joins, "joined again", LIMIT)
    await asyncio.sleep(random_source.uniform(0.05, 1.2))
    return set(viewers.heard.get(channel.connection, ())) - set(heard)


async def die_held_up(folder: Path, life: Life) -> None:
    """Kill the program while the disk takes nothing. What it told and pushed later than it had to wait for
    that is forgotten: it may have gone on without."""
    locker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCK, str(folder / "state" / FILE_NAME)), stdout=asyncio.subprocess.PIPE
    )
    assert locker.stdout is not None
    try:
        until = float(await locker.stdout.readline()) + HELD_UP
        known = pushed.copy(), life.accepted.copy()
        while time.monotonic() < until:
            known = pushed.copy(), life.accepted.copy()
            await asyncio.sleep(0.01)
        life.process.kill()
        await life.process.wait()
    finally:
        locker.kill()
        await locker.wait()
    life.accepted = known[1]
    pushed.clear()
    pushed.update(known[0])


def judge(before: Stored, after: Stored, life: Life, viewers: Viewers, since_away: set[str]) -> None:
    """Whether all that a life had accepted is there, with that state or a later one."""
    for id, alert in before.alerts.items():
        assert id in after.alerts, f"{id} is lost"
        later = after.alerts[id]
        assert (later.source_id, later.accepted_at) == (alert.source_id, alert.accepted_at)
        if alert.outcome is not None:
            corrected = (alert.outcome, later.outcome) == ("unconfirmed", "shown")
            assert corrected or later.outcome == alert.outcome, (alert, later)
    lost = life.accepted - after.alerts.keys()
    assert not lost, f"told as accepted, and lost: {lost}"
    for id, count in pushed.items():
        assert id in after.alerts, f"{id} was pushed, and is not on record"
        assert count <= after.alerts[id].tries, f"{id} was pushed {count} times, more than is on record"
    places = [(each.priority, each.place) for each in after.alerts.values() if each.state == "waiting"]
    assert len(set(places)) == len(places), "two alerts have one place"
    assert sum(each.state == "playing" for each in after.alerts.values()) <= 1 + MOST_BESIDE
    # They came in their order, so none is missing in front of the last one.
    for heard in viewers.heard.values():
        last = max((at for at, number in enumerate(heard) if number in after.numbers), default=0)
        missing = [number for number in heard[:last] if number not in after.numbers]
        assert not missing, f"heard and lost: {missing}"
    if since_away & after.numbers:
        assert after.away > before.away, "the source was away, and the history does not say so"


def waiting_in_order(stored: Stored) -> list[str]:
    waiting = [alert for alert in stored.alerts.values() if alert.state == "waiting"]
    return [alert.id for alert in sorted(waiting, key=lambda alert: (-alert.priority, alert.place))]


def judge_places(before: Stored, life: Life) -> None:
    """Whether those that waited wait in the places that they had."""
    if life.first is not None:
        here = [alert.id for alert in life.first.waiting if alert.id in before.alerts]
        # What played is offered again, in front of all.
        played = {id for id, alert in before.alerts.items() if alert.state == "playing"}
        assert [id for id in waiting_in_order(before) if id in here] == [
            id for id in here if id not in played
        ]


@pytest.fixture
def folder() -> Iterator[Path]:
    # A Unix socket's path may not be as long as that of a test's own folder.
    with tempfile.TemporaryDirectory(prefix="os-") as name:
        yield Path(name)


async def test_a_program_that_is_killed_again_and_again_loses_and_doubles_none(folder: Path) -> None:
    random_source = random.Random(5)
    pushed.clear()
    state = folder / "state"
    before = Stored({}, set(), 0)
    async with Hub(seed=1, shows_alerts=False) as hub:
        hub.on(TARGET, Counting)
        (folder / "config.toml").write_text(SETTINGS.format(url=hub.url))
        (folder / "rules.toml").write_text(RULES)
        page = OverlayPage(lambda: hub.url)
        page.open()
        await eventually(lambda: page.joined, "the page")
        viewers = Viewers(hub, random_source)
        acting = asyncio.create_task(viewers.act())
        try:
            for number in range(KILLS):
                viewers.heard.clear()
                since_away: set[str] = set()
                pushed_before = pushed.copy()
                async with living(folder) as life:
                    if number % 4 == 3:
                        # While it starts.
                        await asyncio.sleep(random_source.uniform(0.2, 0.8))
                    else:
                        since_away = await work(hub, life, viewers, before, random_source)
                        if number % 4:
                            await die_held_up(folder, life)
                await eventually(lambda: not hub.channels(SOURCE), "the hub knows that it is gone")
                after = read(state)
                judge(before, after, life, viewers, since_away)
                judge_places(before, life)
                again = [id for id in pushed - pushed_before if id in ended(before)]
                assert not again, f"on record as ended, and pushed once more: {again}"
                before = after
        finally:
            acting.cancel()
        viewers.heard.clear()
        pushed_before = pushed.copy()
        async with living(folder) as life:
            await until_joined(hub)
            life.poll()
            await eventually(lambda: life.first is not None, "it tells of its alerts", LIMIT)
            life.process.terminate()
            assert await life.process.wait() == 0
        await page.close()
    after = read(state)
    judge(before, after, life, viewers, set())
    judge_places(before, life)
    assert not (pushed - pushed_before).keys() & ended(before)
    # None of it was spoilt, so that it had to be begun anew.
    assert {each.name for each in state.glob(f"{FILE_NAME}*")} == {FILE_NAME}
    assert len(after.alerts) > 20 * KILLS
    met = {alert.outcome for alert in after.alerts.values()}
    assert {"shown", None} <= met
    assert "dropped" in met or KILLS < 20, "the queue was never full"


def ended(stored: Stored) -> set[str]:
    return {id for id, alert in stored.alerts.items() if alert.outcome is not None}
