"""The alert queue and its store: what is kept over a restart, and what a disk that fails costs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.engine.alerts.scene import (
    LIMIT,
    LONG,
    alerts,
    do,
    engine,
    kept,
    last,
    on_air,
    on_every_hub,
    outcomes,
    page,
    rows,
    state,
)
from tests.engine.conftest import eventually
from tui.alerts import persistence as alert_keeping
from tui.alerts import stage as stage_module
from tui.alerts import store_file as alert_file
from tui.alerts.store import AlertStore
from tui.demo.hub import Hub
from tui.model.alerts import AlertCommand, AlertPage, AlertSummary


async def test_a_locked_store_stops_no_alert(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with page(hub) as overlay, engine(hub, tmp_path, store, rules=LONG) as supervisor:
            store.restored.result(LIMIT)
            lock = sqlite3.connect(tmp_path / "alerts.sqlite", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            try:
                hub.happen("cheer", user_name="mira")
                hub.happen("cheer", user_name="zed")
                await eventually(lambda: on_air(supervisor), "on the air all the same")
                await eventually(lambda: alerts(supervisor).store, "the store's trouble is told")
                await eventually(
                    lambda: (
                        getattr(alerts(supervisor).playing, "held", False)
                        and alerts(supervisor).waiting[0].held
                    ),
                    "shown as held",
                )
                assert alerts(supervisor).unsaved == 2
                assert rows(tmp_path) == []
                await do(supervisor, "skip")
            finally:
                lock.rollback()
                lock.close()
            await eventually(lambda: alerts(supervisor).store is None, "the store answers again")
            await eventually(lambda: on_air(supervisor), "the next")
            assert alerts(supervisor).unsaved == 0
            assert not getattr(alerts(supervisor).playing, "held", True)
            found = {alert.who: (alert.state, alert.outcome) for alert in rows(tmp_path)}
            assert found == {"mira": ("ended", "skipped"), "zed": ("playing", None)}
            assert len(overlay.shown) == 2


async def test_an_event_that_comes_before_the_store_has_told_is_known_all_the_same(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await do(supervisor, "pause")
            seen = hub.happen("cheer", user_name="mira")
            await eventually(lambda: alerts(supervisor).waiting, "waits")
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
    late = AlertStore(tmp_path / "alerts.sqlite")
    async with engine(hub, tmp_path, late) as supervisor:
        hub.send_to_topic("events:all", "cheer", seen)
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: supervisor.snapshot().connections[1].channels[0].received >= 2, "received")
        assert alerts(supervisor).accepted == 0
        late.start()
        await eventually(lambda: len(alerts(supervisor).waiting) == 2, "one of before, and the new one")
        assert [each.who for each in alerts(supervisor).waiting] == ["mira", "zed"]
        assert alerts(supervisor).duplicates == 1
        assert (alerts(supervisor).accepted, alerts(supervisor).restored) == (1, 1)
        assert late.close(LIMIT)


async def test_a_queue_state_that_cannot_be_read_costs_none_of_the_events_that_came_early(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
    late = AlertStore(tmp_path / "alerts.sqlite")
    async with engine(hub, tmp_path, late) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        spoilt = b'[null,null,"stream:queue","queue_state",{"n":' + b"9" * 5000 + b"}]"
        for each in hub.connections:
            each.transport.write_message(spoilt, text=True)
        channels = supervisor.snapshot().connections[0].channels
        place = [each.topic for each in channels].index("stream:queue")
        await eventually(
            lambda: supervisor.snapshot().connections[0].channels[place].last_event == "queue_state", "came"
        )
        late.start()
        await eventually(lambda: alerts(supervisor).accepted == 1, "taken in")
        assert late.close(LIMIT)


async def test_an_alert_is_taken_off_before_the_next_is_shown_though_the_disk_just_filled(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, rows: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    with kept(tmp_path) as store:
        async with page(hub) as overlay, engine(hub, tmp_path, store) as supervisor:
            for who in ("mira", "zed"):
                hub.happen("cheer", user_name=who)
            await eventually(lambda: on_air(supervisor) and alerts(supervisor).waiting, "one on, one waits")
            with monkeypatch.context() as broken:
                broken.setattr(alert_file.AlertFile, "write", full)
                await do(supervisor, "skip")
                await eventually(lambda: len(overlay.shown) == 2 and len(overlay.clears) == 1, "both")
                told = [each.frame.event for each in hub.received]
                events = [each for each in told if each in ("force_content", "takeover_clear")]
                assert events == ["force_content", "takeover_clear", "force_content"]


async def test_no_type_of_an_alert_is_taken_for_a_row_that_is_none(hub: Hub, tmp_path: Path) -> None:
    for _ in range(2):
        with kept(tmp_path) as store:
            store.restored.result(LIMIT)
            async with engine(hub, tmp_path, store) as supervisor:
                if not rows(tmp_path):
                    await do(supervisor, "pause")
                    for type in ("(away)", "(standing)"):
                        await do(supervisor, "test", type=type)
                await eventually(lambda: len(alerts(supervisor).waiting) == 2, "both wait")


async def test_a_store_that_does_not_answer_is_not_waited_for(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await do(supervisor, "pause")
            hub.happen("cheer", user_name="of before")
            await eventually(lambda: alerts(supervisor).waiting, "waits")
    late = AlertStore(tmp_path / "alerts.sqlite")
    async with page(hub) as overlay, engine(hub, tmp_path, late) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "shown without a store")
        assert alerts(supervisor).store
        await eventually(lambda: last(supervisor).held, "shown as held")
        late.start()
        # It tells also that somebody had paused.
        await eventually(lambda: alerts(supervisor).mode == "paused", "what was kept is taken up")
        await do(supervisor, "resume")
        await eventually(lambda: len(outcomes(supervisor)) == 2, "played")
        assert outcomes(supervisor)[1] == ("of before", "shown")
        assert late.close(LIMIT)
        assert len(overlay.shown) == 2
    assert {alert.who: alert.outcome for alert in rows(tmp_path)} == {"mira": "shown", "of before": "shown"}


@on_every_hub
async def test_a_restarted_engine_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=LONG) as supervisor:
                seen = hub.happen("cheer", user_name="mira")
                hub.happen("cheer", user_name="zed")
                await eventually(
                    lambda: on_air(supervisor) and alerts(supervisor).waiting, "one plays, one waits"
                )
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store) as supervisor:
                await eventually(lambda: len(overlay.shown) == 2 and on_air(supervisor), "on the air again")
                assert overlay.shown[0].id == overlay.shown[1].id
                assert [each.who for each in alerts(supervisor).waiting] == ["zed"]
                if hub.landale is None or hub.landale.dialect.flat_events:  # it bears an id
                    hub.send_to_topic("events:all", "cheer", seen)
                    await eventually(lambda: alerts(supervisor).duplicates == 1, "the same event is known")
                # What the earlier run put into the hub's own queue is ours too.
                await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
                assert not any("a queue of its own" in line.text for line in supervisor.log().lines)
                await do(supervisor, "skip")
                await eventually(lambda: len(overlay.shown) == 3, "the other")
                await do(supervisor, "skip")
    ended = {alert.who: alert.outcome for alert in rows(tmp_path)}
    assert ended == {"mira": "skipped", "zed": "skipped"}
    assert len(rows(tmp_path)) == 2


async def test_what_somebody_paused_does_not_begin_by_itself_after_a_restart(
    hub: Hub, tmp_path: Path
) -> None:
    async def after(verb: str, **given: Any) -> str:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store) as supervisor:
                await do(supervisor, verb, **given)
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store) as supervisor:
                await eventually(lambda: alerts(supervisor).mode in ("paused", "held", "idle"), "taken up")
                history = await supervisor.alert_history()
                assert isinstance(history, AlertPage)
                assert (history.alerts, history.counts) == ((), {})
                return alerts(supervisor).mode

    assert await after("panic") == "paused"
    assert await after("resume") == "idle"
    assert await after("hold", seconds=600.0) == "held"


async def test_orders_that_cannot_be_read_stop_the_queue(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await do(supervisor, "mute", type="raid", seconds=60.0)
    with contextlib.closing(sqlite3.connect(tmp_path / "alerts.sqlite", isolation_level=None)) as file:
        file.execute("UPDATE alerts SET data = X'7B' WHERE id = '(standing)'")
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await eventually(lambda: alerts(supervisor).mode == "paused", "paused, to be safe")


async def test_a_mute_while_the_store_cannot_be_read_overwrites_no_pause(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await do(supervisor, "pause")
    late = AlertStore(tmp_path / "alerts.sqlite")
    async with engine(hub, tmp_path, late) as supervisor:
        await eventually(lambda: alerts(supervisor).store, "the store is not waited for any more")
        words = await do(supervisor, "mute", type="follow", seconds=600.0)
        assert words == "follow is muted for 10 min; in memory alone until the store answers"
        monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
        late.start()
        await eventually(lambda: alerts(supervisor).mode == "paused", "the pause of before is in force")
        assert await do(supervisor, "mute", type="raid", seconds=600.0) == "raid is muted for 10 min"
        assert late.close(LIMIT)
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await eventually(lambda: alerts(supervisor).mode == "paused", "still paused")
            assert set(alerts(supervisor).mutes) == {"follow", "raid"}


async def test_what_is_requeued_is_accepted_when_it_is_committed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            await do(supervisor, "pause")
            hub.happen("cheer", user_name="mira")
            await eventually(lambda: alerts(supervisor).waiting, "waits")
            old = alerts(supervisor).waiting[0].id
            await do(supervisor, "remove", id=old)
            lock = sqlite3.connect(tmp_path / "alerts.sqlite", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            try:
                asked = asyncio.ensure_future(do(supervisor, "requeue", id=old))
                await eventually(lambda: alerts(supervisor).unsaved, "its row is on its way")
                # It comes back once already.
                assert not (await supervisor.alerts(AlertCommand(verb="undo"))).ok
                assert (alerts(supervisor).accepted, asked.done()) == (1, False)
            finally:
                lock.rollback()
                lock.close()
            assert await asked == "requeued cheer of mira"
            await eventually(lambda: alerts(supervisor).accepted == 2, "told")
            assert [each.who for each in alerts(supervisor).waiting] == ["mira"]
    found = [(alert.id == old, alert.state, alert.outcome) for alert in rows(tmp_path)]
    assert sorted(found) == [(False, "waiting", None), (True, "ended", "removed")]


async def test_growth_that_waited_for_the_disk_is_not_pushed_once_it_was_taken_off(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
    monkeypatch.setattr(stage_module, "UPDATE_EVERY", 0.0)
    rules = "[[rule]]\ntype = 'follow'\nduration = 20.0\n"
    with kept(tmp_path) as store:
        async with page(hub) as overlay, engine(hub, tmp_path, store, rules=rules) as supervisor:
            hub.happen("follower", user_name="mira")
            await eventually(lambda: on_air(supervisor), "on the air")
            gate = threading.Event()
            write = alert_file.AlertFile.write

            def slow(self: Any, rows: Any) -> Any:
                if any(row.outcome == "collapsed" for row in rows):
                    assert gate.wait(LIMIT)
                return write(self, rows)

            monkeypatch.setattr(alert_file.AlertFile, "write", slow)
            hub.happen("follower", user_name="zed")
            await eventually(lambda: getattr(alerts(supervisor).playing, "count", 0) == 2, "grown")
            panic = asyncio.ensure_future(do(supervisor, "panic"))
            await eventually(lambda: alerts(supervisor).mode == "paused", "stopped")
            gate.set()
            await panic
            await eventually(lambda: overlay.clears, "taken off")
            assert await do(supervisor, "resume") == "resumed"
            hub.happen("cheer", user_name="avalon")
            await eventually(lambda: len(overlay.shown) == 2, "the next")
            assert [each.data["who"] for each in overlay.shown] == ["mira", "avalon"]


async def test_the_history_holds_what_the_disk_does_not_take(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, rows: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with kept(tmp_path) as store:
        async with page(hub), engine(hub, tmp_path, store) as supervisor:
            hub.happen("cheer", user_name="Avalon")
            await eventually(lambda: len(outcomes(supervisor)) == 1, "the first")
            with monkeypatch.context() as broken:
                broken.setattr(alert_file.AlertFile, "write", full)
                hub.happen("cheer", user_name="Mira")
                await eventually(lambda: len(outcomes(supervisor)) == 2, "the second")
                found = await supervisor.alert_history()
                assert isinstance(found, AlertPage)
                told = [(each.who, each.held) for each in found.alerts if isinstance(each, AlertSummary)]
                assert told == [("Mira", True), ("Avalon", False)]
                assert found.counts == {"cheer": {"shown": 2}}
                assert alerts(supervisor).store == "disk full"
                assert alerts(supervisor).unsaved == 1
                found = await supervisor.alert_history(words=("MIRA", "shown"))
                assert isinstance(found, AlertPage)
                assert [getattr(each, "who", "") for each in found.alerts] == ["Mira"]
