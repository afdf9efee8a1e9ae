"""The alert queue on a real hub, a real store and a real overlay page: what becomes of each alert."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import connection, eventually, running
from tui.alerts import stage as stage_module
from tui.alerts.alert import Alert, decode
from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.demo.channel import Reply, Stop
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import Overlays, telemetry
from tui.engine import alert_keeping
from tui.engine import rules_watch as rules_module
from tui.engine import supervisor as supervisor_module
from tui.engine.alert_values import (
    AlertCommand,
    AlertOutcome,
    AlertPage,
    AlertsSnapshot,
    AlertSummary,
    SourceAway,
)
from tui.engine.supervisor import Supervisor
from tui.store import alert_file
from tui.store.alert_store import AlertStore

LIMIT = 10.0
SHORT = "[[rule]]\ntype = 'cheer'\nduration = 0.5\n"
LONG = "[[rule]]\ntype = 'cheer'\nduration = 2.4\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "RETRY_DELAYS", (0.1, 0.2))
    monkeypatch.setattr(rules_module, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", 0.3)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub(seed=1, shows_alerts=False) as hub:
        yield hub


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
def kept(folder: Path) -> Iterator[AlertStore]:
    store = AlertStore(folder / "alerts.sqlite")
    store.start()
    try:
        yield store
    finally:
        assert store.close(LIMIT), store.state


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
    alerts = AlertOptions(
        sources=(SourceOptions(connection="events", topic="events:all"),),
        delivery=DeliveryOptions(connection="stage", **(delivery or {})),
        rules=file,
        **options,
    )
    connections = (
        connection("stage", hub.url, "stream:overlays", "stream:queue"),
        connection("events", hub.url, "events:all"),
    )
    with running(*connections, alerts=alerts, alert_store=store) as supervisor:
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


async def test_one_at_a_time_acknowledged_skipped_and_kept(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with page(hub) as overlay, engine(hub, tmp_path, store) as supervisor:
            for name in ("mira", "zed", "avalon"):
                hub.happen("cheer", user_name=name, bits=100)
            await eventually(lambda: len(overlay.shown) == 2, "the second is shown")
            # Beyond its own time only if the first one's time had been counted from its arrival.
            assert overlay.shown[1].at - overlay.shown[0].at >= 0.75
            await eventually(lambda: getattr(alerts(supervisor).playing, "who", "") == "zed", "zed plays")
            assert "skipped" in await do(supervisor, "skip")
            await eventually(lambda: len(overlay.clears) == 1, "the page is cleared")
            await eventually(lambda: len(outcomes(supervisor)) == 3, "all have ended")
            assert outcomes(supervisor) == [("mira", "shown"), ("zed", "skipped"), ("avalon", "shown")]
            assert [each.data["who"] for each in overlay.shown] == ["mira", "zed", "avalon"]
            kept_names = [getattr(each, "who", "") for each in (await history(supervisor)).alerts]
            assert kept_names == ["avalon", "zed", "mira"]
            assert hub.show.stream_state()["active_content"] is None
    assert {alert.outcome for alert in rows(tmp_path)} == {"shown", "skipped"}


async def test_without_a_page_nothing_is_said_to_be_shown(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).playing and pushes(hub), "plays")
        # Our own link has joined the overlays' topic too; that makes it no page.
        hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
        await eventually(lambda: outcomes(supervisor), "ended")
        assert outcomes(supervisor) == [("mira", "unconfirmed")]
        assert last(supervisor).reason == "sent; no overlay confirmed it"
        assert len(pushes(hub)) == 1
        assert not any(each.connected for each in alerts(supervisor).overlays)
        # A page that says nothing of alerts is believed when the hub reports it while one plays.
        quiet = OverlayPage(lambda: hub.url, "omnibar", shows_alerts=False)
        quiet.open()
        try:
            await eventually(lambda: quiet.joined, "the page is there")
            hub.happen("cheer", user_name="zed")
            await eventually(lambda: len(pushes(hub)) == 2, "pushed")
            await eventually(lambda: alerts(supervisor).playing, "plays")
            hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
            await eventually(lambda: outcomes(supervisor)[1:] == [("zed", "shown")], "shown by the report")
        finally:
            await quiet.close()


async def test_a_time_in_which_the_source_was_away_is_in_the_history(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            hub.faults.refuse()
            before = time.time()
            hub.faults.drop_all()
            await eventually(lambda: alerts(supervisor).away, "away")
            assert alerts(supervisor).away[0].source == "events events:all"
            assert alerts(supervisor).away[0].until is None
            await hub.faults.accept()
            await eventually(lambda: not alerts(supervisor).away, "back")
            (away,) = (await history(supervisor)).alerts
            assert isinstance(away, SourceAway)
            assert away.until is not None
            assert before - 1 <= away.since < away.until <= time.time()
            assert away in alerts(supervisor).recent
            assert any("alerts in it not seen" in line.text for line in supervisor.log().lines)


async def test_even_a_moment_away_is_in_the_history(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            # Nothing is published, so nothing is looked at, before the source is back.
            monkeypatch.setattr(supervisor_module, "PUBLISH_EVERY", 60.0)
            monkeypatch.setattr(supervisor_module, "PUBLISH_SOON", 60.0)
            await asyncio.sleep(0.3)
            hub.faults.crash_channel("events:all")
            await eventually(lambda: hub.joins["events:all"] == 2, "joined again")
            limit = time.monotonic() + LIMIT
            while not (found := (await history(supervisor)).alerts):
                assert time.monotonic() < limit
            assert isinstance(found[0], SourceAway)


async def test_an_alert_never_waits_in_the_push_buffer(hub: Hub, tmp_path: Path) -> None:
    hub.faults.refuse_join("stream:overlays", response={"reason": "closed for repairs"})
    async with page_later(hub) as overlay, engine(hub, tmp_path, joined=False) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "it waits")
        await eventually(lambda: "closed for repairs" in alerts(supervisor).words, "the reason is told")
        assert alerts(supervisor).mode == "waiting for overlays"
        assert [each.buffered for each in supervisor.snapshot().connections[0].channels] == [0, 0]
        assert pushes(hub) == []
        hub.faults.allow_join("stream:overlays")
        await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "shown in the end")
        assert len(overlay.shown) == len(pushes(hub)) == 1


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


async def test_refused_is_tried_again_then_failed_and_the_next_one_plays(hub: Hub, tmp_path: Path) -> None:
    hub.on("stream:overlays", Refusing)
    async with engine(hub, tmp_path) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "failed")], "failed")
        assert "the scene is locked" in str(last(supervisor).reason)
        assert [each["data"]["id"] for each in pushes(hub)] == [last(supervisor).id] * 3
        hub.on("stream:overlays", Overlays)
        hub.faults.crash_channel("stream:overlays")
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: len(outcomes(supervisor)) == 2, "the next")
        assert outcomes(supervisor)[1] == ("zed", "unconfirmed")


async def test_an_answer_that_never_comes_is_a_failure_unless_the_page_says_otherwise(
    hub: Hub, tmp_path: Path
) -> None:
    hub.on("stream:overlays", Deaf)
    async with engine(hub, tmp_path, delivery={"timeout": 0.2}) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "failed")], "failed")
        assert "no answer within 0.2 s" in str(last(supervisor).reason)
        hub.on("stream:overlays", Silent)
        hub.faults.crash_channel("stream:overlays")
        async with page(hub) as overlay:
            hub.happen("cheer", user_name="zed")
            await eventually(lambda: len(outcomes(supervisor)) == 2, "the next")
            assert outcomes(supervisor)[1] == ("zed", "shown")
            assert len(overlay.shown) == 1


async def test_lost_early_it_is_offered_again_lost_late_it_is_over(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=LONG) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        first = alerts(supervisor).playing
        hub.faults.drop_all()
        await eventually(lambda: len(overlay.shown) == 2 and on_air(supervisor), "on the air again")
        again = alerts(supervisor).playing
        assert first is not None
        assert again is not None
        assert first.id == again.id == overlay.shown[0].id == overlay.shown[1].id
        ends = again.ends_at or 0.0
        assert ends > (first.ends_at or 0.0)
        await eventually(lambda: time.time() > ends - 1.1, "more than half its time has passed")
        hub.faults.drop_all()
        await eventually(lambda: outcomes(supervisor), "over")
        assert outcomes(supervisor) == [("mira", "shown")]
        assert "ended early" in str(last(supervisor).reason)
        await eventually(lambda: overlay.joined, "the page is back")
        await eventually(lambda: alerts(supervisor).mode == "idle", "nothing is left")
        # What the page shows once more, the hub told it when it was back; nothing was pushed again.
        assert len(pushes(hub)) == 2


def on_air(supervisor: Supervisor) -> bool:
    playing = alerts(supervisor).playing
    return playing is not None and playing.phase == "on air" and playing.confirmed


@pytest.mark.parametrize("on_uncertain", ["again", "leave"])
async def test_lost_between_the_push_and_its_answer(hub: Hub, tmp_path: Path, on_uncertain: str) -> None:
    hub.on("stream:overlays", Deaf)
    async with engine(hub, tmp_path, on_uncertain=on_uncertain) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: len(pushes(hub)) == 1, "pushed")
        hub.on("stream:overlays", Overlays)
        hub.faults.drop_all()
        await eventually(lambda: outcomes(supervisor) == [("mira", "unconfirmed")], "ended")
        ids = [each["data"]["id"] for each in pushes(hub)]
        if on_uncertain == "again":
            assert ids == [last(supervisor).id] * 2
            assert last(supervisor).reason == "sent; no overlay confirmed it"
        else:
            assert ids == [last(supervisor).id]
            assert "unknown whether it arrived" in str(last(supervisor).reason)


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


async def test_a_queue_of_the_hubs_own_is_warned_of(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: hub.show.queue, "in the hub's queue")
        hub.show.queue_content("follower", {"id": "of the hub", "user_name": "zed"}, 5000)
        hub.send_to_topic("stream:queue", "queue_state", hub.show.queue_state())
        await eventually(lambda: alerts(supervisor).warning, "warned of")
        assert "1 items" in str(alerts(supervisor).warning)
        hub.show.remove(hub.show.queue[-1]["id"])
        hub.send_to_topic("stream:queue", "queue_state", hub.show.queue_state())
        await eventually(lambda: alerts(supervisor).warning is None, "over")


async def test_what_cannot_be_read_is_rejected_with_the_reason(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            hub.send_to_topic("events:all", "cheer", ["no", "object"])
            hub.send_to_topic("events:all", "raid", None)
            hub.send_to_topic("events:all", "never_heard_of", {"id": "1"})
            await eventually(lambda: alerts(supervisor).counts.get("raid") == {"rejected": 1}, "rejected")
            assert alerts(supervisor).counts == {"cheer": {"rejected": 1}, "raid": {"rejected": 1}}
            assert alerts(supervisor).accepted == 2
            (raid, cheer) = (await history(supervisor, "rejected")).alerts
            assert isinstance(cheer, AlertSummary)
            assert isinstance(raid, AlertSummary)
            assert cheer.reason == "cheer: the event is no object"
            told = await supervisor.alert(cheer.id)
            assert '[\\"no\\"' in getattr(told, "payload", "")


async def test_rules_change_while_it_runs_and_a_broken_file_changes_nothing(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    async with engine(hub, tmp_path, rules=SHORT) as supervisor:
        await do(supervisor, "pause")

        def read() -> int:
            return sum(line.text == "alert rules read" for line in supervisor.log().lines)

        file.write_text("[[rule]]\ntype = 'cheer'\npriority = 9\ntitle = 'new rules'\n")
        await eventually(lambda: read() == 2, "read again")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "waits")
        assert (alerts(supervisor).waiting[0].title, alerts(supervisor).waiting[0].priority) == (
            "new rules",
            9,
        )
        file.write_text("[[rule]]\ntype = 'cheer'\n\npriority = 11\n")
        await eventually(lambda: alerts(supervisor).rules, "the mistake is told")
        assert f"{file}:4: rule 1: priority: expected a whole number" in str(alerts(supervisor).rules)
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: len(alerts(supervisor).waiting) == 2, "waits")
        assert alerts(supervisor).waiting[1].title == "new rules"
        file.write_text(SHORT)
        await eventually(lambda: alerts(supervisor).rules is None, "mended")


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
                assert alerts(supervisor).held_in_memory == 2
                assert rows(tmp_path) == []
                await do(supervisor, "skip")
            finally:
                lock.rollback()
                lock.close()
            await eventually(lambda: alerts(supervisor).store is None, "the store answers again")
            await eventually(lambda: on_air(supervisor), "the next")
            assert alerts(supervisor).held_in_memory == 0
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


async def test_floods_of_one_kind_become_one_alert_each(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path) as supervisor:
        await do(supervisor, "pause")
        hub.happen("raid", user_name="avalon", viewers=120)
        await hub.faults.follows(500, rate=10_000)
        hub.faults.gift_bomb(50)
        await eventually(lambda: alerts(supervisor).accepted == 502, "all came")
        await eventually(lambda: alerts(supervisor).ignored == 50, "the bomb's subscriptions too")
        waiting = alerts(supervisor).waiting
        assert [(each.type, each.count) for each in waiting] == [("raid", 1), ("gift", 1), ("follow", 500)]
        assert "500" in waiting[2].title
        assert alerts(supervisor).counts == {"follow": {"collapsed": 499}}
