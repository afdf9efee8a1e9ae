"""A replay of a simulated evening is what the alert store and the link's own log of states hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from tests.simulation.evening import Evening, run
from tests.simulation.plan import plan
from tui.alerts.alert import decode
from tui.alerts.persistence import AWAY_TYPE
from tui.alerts.summaries import summary
from tui.model.alerts import AlertSummary
from tui.model.events import AlertEnded
from tui.model.snapshot import StateEntry
from tui.replay.from_journal import JournalSource
from tui.store.journal import DayFiles


def test_the_journal_of_an_evening_tells_the_store_row_by_row_and_the_state_log(tmp_path: Path) -> None:
    evenings: list[Evening] = []
    logs: list[tuple[StateEntry, ...]] = []

    async def beside(evening: Evening) -> None:
        evenings.append(evening)
        while True:
            await asyncio.sleep(1.0)
            engine = evening.world.engine
            if engine is not None and not engine.is_dead:
                (link,) = engine.supervisor._connections.by_name.values()
                logs[:] = [link.past.states]

    run(plan(3, 0.3), beside=beside)
    (world,) = [evening.world for evening in evenings]
    last = world.journal[-1].timestamp
    moment = 0.0
    files = DayFiles(tmp_path / "journal", now=lambda: moment)
    for entry in world.journal:
        moment = entry.timestamp
        files.write(msgspec.json.encode(entry) + b"\n")
    files.close()
    replayed: dict[str, AlertSummary] = {
        each.event.alert.id: each.event.alert for each in world.journal if isinstance(each.event, AlertEnded)
    }
    rows = world.disk.read("SELECT type, data FROM alerts WHERE open = 0")
    stored = [summary(decode(data)) for type, data in rows if type != AWAY_TYPE]
    assert len(stored) > 10
    assert {each.id: each for each in stored} == replayed
    source = JournalSource(tmp_path, last)
    (name,) = {each.connection for each in world.journal if each.connection is not None}
    history = source.history(name, last)
    states = history.states  # type: ignore[union-attr]  # the link is known
    assert logs[0]
    assert all(each in states for each in logs[0])
