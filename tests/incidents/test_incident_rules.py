"""Every rule, opened and resolved by what really happens on an embedded hub."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.channels.real import FrameServer
from tests.engine.conftest import FAST, connection
from tests.incidents.incident_watch import LIMIT, Watch, watching
from tui.alerts.options import AlertOptions, SourceOptions
from tui.alerts.service import AlertService
from tui.alerts.store import AlertStore
from tui.channels.clock import SystemClock
from tui.channels.health import ConnectionDetails, HealthMetrics
from tui.demo.channel import Channel as HubChannel
from tui.demo.channel import Reply
from tui.demo.hub import Hub
from tui.incidents.options import IncidentsOptions, SilentTopicOptions
from tui.incidents.rules import AWAY_FOR, GROWN_FOR, UNANSWERED, Finding, Memory, judge
from tui.model.alerts import AlertsSnapshot
from tui.model.snapshot import ChannelSnapshot, ConnectionSnapshot, Snapshot
from tui.services import http_checks as http_health
from tui.services.http_checks import HealthChecker
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions

QUIET = IncidentsOptions()
BRISK = replace(
    FAST,
    reconnect_base_delay=0.02,
    reconnect_max_delay=0.05,
    circuit_breaker_timeout=0.1,
    stable_after=0.1,
    heartbeat_timeout=5.0,
)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub(seed=1, shows_alerts=False) as hub:
        yield hub


class Reports(HubChannel):
    """A topic on which each one's reports go to all."""

    async def handle_in(self, event: Any, payload: Any) -> Reply:
        await self.broadcast(event, payload)
        return Reply("ok", {})


# Our own links


async def test_an_open_breaker_is_an_incident_until_the_link_is_stable_again(hub: Hub) -> None:
    async with watching(QUIET, connection("stage", hub.url, "echo:1", options=BRISK)) as watch:
        await watch.is_well()
        assert watch.poll().open == ()
        hub.faults.refuse()
        hub.faults.drop_all()
        found = await watch.opens("breaker_open", "stage")
        assert found.severity == "critical"
        assert found.message.startswith("circuit breaker open after 3 failures: refused by 127.0.0.1:")
        # Its probes fail; that is the same trouble, and nothing new is said of it.
        probes = watch.connections["stage"].snapshot().details.circuit_breaker_probes
        await watch.until(
            lambda: watch.connections["stage"].snapshot().details.circuit_breaker_probes > probes + 1,
            "probes",
        )
        assert watch.connections["stage"].snapshot().metrics.circuit_breaker_trips == 1
        watch.wait(20)
        assert list(watch.open) == [("breaker_open", "stage")]
        assert watch.open[("breaker_open", "stage")].updated_at == found.opened_at
        await hub.faults.accept()
        await watch.is_well()
        ended = watch.resolves()
        assert (ended.id, ended.resolved_at) == (found.id, pytest.approx(found.opened_at + 20, abs=0.01))
        assert watch.lines == [
            f"opened breaker_open of stage: {found.message}",
            "resolved breaker_open of stage: lasted 20 s",
        ]


async def test_a_link_that_gave_up_has_failed_and_a_disconnect_by_command_is_no_incident(hub: Hub) -> None:
    hub.faults.refuse()
    options = replace(BRISK, max_reconnect_attempts=1, circuit_breaker_threshold=9)
    async with watching(QUIET, connection("stage", hub.url, options=options)) as watch:
        found = await watch.opens("failed", "stage")
        assert found.message.startswith("gave up after 1 attempt: refused by")
        assert len(watch.open) == 1
        watch.connections["stage"].disconnect()
        await watch.until(lambda: watch.connections["stage"].socket.state == "disconnected", "as asked")
        assert watch.resolves().id == found.id
        await hub.faults.accept()
        watch.wait(120)
        watch.connections["stage"].connect()
        await watch.is_well()
        for number in range(6):
            # Asked for, so that it is no flapping either.
            watch.connections["stage"].reconnect()
            await watch.reconnected("stage", number + 1)
        assert watch.poll().open == ()


async def test_a_link_that_comes_and_goes_is_flapping(hub: Hub) -> None:
    options = IncidentsOptions(flapping_reconnects=3, flapping_minutes=2.0)
    async with watching(options, connection("stage", hub.url, options=BRISK)) as watch:
        for number in range(3):
            await watch.is_well()
            assert watch.poll().open == ()
            hub.faults.drop_all()
            await watch.reconnected("stage", number + 1)
            watch.wait(30)
        found = watch.open[("flapping", "stage")]
        assert found.message == "3 reconnects within 2 min"
        await watch.is_well()
        watch.wait(31)
        # The first of them is out of the window.
        assert watch.resolves().id == found.id


async def test_slow_heartbeats_are_told_by_their_p95(hub: Hub) -> None:
    brisk = replace(BRISK, heartbeat_interval=0.04)
    async with watching(
        IncidentsOptions(slow_heartbeat=0.2), connection("stage", hub.url, options=brisk)
    ) as watch:
        await watch.is_well()
        hub.faults.freeze()
        await asyncio.sleep(0.3)  # the fault itself: an answer that takes so long
        hub.faults.thaw()
        found = await watch.opens("slow_heartbeat", "stage")
        assert "ms, the limit is 200ms" in found.message
        await watch.until(
            lambda: (watch.connections["stage"].snapshot().details.round_trip_p95 or 1) < 0.2, "fast ones"
        )
        assert watch.resolves().id == found.id


async def test_frames_that_do_not_decode_are_told_until_no_more_come(hub: Hub) -> None:
    async with watching(QUIET, connection("stage", hub.url, options=BRISK)) as watch:
        await watch.is_well()
        hub.faults.garbage("json")
        found = await watch.opens("undecodable", "stage")
        assert found.message == "1 frames or payloads did not decode"
        watch.wait(GROWN_FOR - 1)
        hub.faults.garbage("json")
        await watch.until(lambda: "2 frames" in watch.open[("undecodable", "stage")].message, "another")
        watch.wait(GROWN_FOR)
        assert ("undecodable", "stage") in watch.open
        watch.wait(1)
        assert watch.resolves().message == "2 frames or payloads did not decode"


# Topics


async def test_a_refused_join_is_an_incident_after_five_seconds(hub: Hub) -> None:
    hub.faults.refuse_join("echo:2")
    async with watching(QUIET, connection("stage", hub.url, "echo:1", "echo:2", options=BRISK)) as watch:
        channel = watch.connections["stage"].channels[1].channel
        await watch.until(lambda: (channel.reason or "").startswith("join refused"), "the refusal")
        watch.wait(4.5)
        assert watch.poll().open == ()
        watch.wait(1)
        found = watch.open[("channel_refused", "stage echo:2")]
        assert (found.message, found.severity) == ("join refused: unauthorized", "critical")
        # Whether it is refused while the link is away, nobody knows: it neither ends nor begins again.
        refused = hub.join_attempts["echo:2"]
        hub.faults.drop_all()
        await watch.until(lambda: watch.connections["stage"].socket.state == "reconnecting", "away")
        watch.wait(4)
        assert [each.id for each in watch.poll().open] == [found.id]
        await watch.until(lambda: hub.join_attempts["echo:2"] > refused, "refused again")
        hub.faults.allow_join("echo:2")
        await watch.is_well()
        assert watch.resolves().times == 1


async def test_a_topic_is_silent_when_nothing_comes_on_it_and_not_when_its_link_is_away(hub: Hub) -> None:
    options = IncidentsOptions(silent=(SilentTopicOptions(connection="stage", topic="echo:1", after=30.0),))
    async with watching(options, connection("stage", hub.url, "echo:1", "echo:2", options=BRISK)) as watch:
        await watch.is_well()
        channel = watch.connections["stage"].channels[0].channel

        async def message() -> None:
            before = channel.received
            hub.push("echo:1", "news", {})
            await watch.until(lambda: channel.received > before, "a message")

        watch.wait(29)
        await message()
        watch.wait(29)
        assert watch.poll().open == ()
        # The process was held, or the machine slept: nobody listened.
        watch.clock.passed += 3600
        watch.wait(29)
        assert watch.poll().open == ()
        watch.wait(2)
        found = watch.open[("silent_topic", "stage echo:1")]
        assert found.message == "nothing came for 30 s"
        hub.faults.refuse()
        hub.faults.drop_all()
        await watch.opens("breaker_open", "stage")
        watch.wait(10)
        await hub.faults.accept()
        await watch.is_well()
        watch.wait(10)
        # It was silent before, and has said nothing since.
        assert [(each.rule, each.times) for each in watch.poll().open] == [("silent_topic", 1)]
        await message()
        assert watch.resolves().id == found.id


# Services of others


async def test_a_report_that_does_not_come_any_more_is_stale_unless_our_own_link_is_away(hub: Hub) -> None:
    hub.on("reports:*", Reports)
    reports = ReportsOptions(connection="dashboard", topic="reports:all", event="health_report")
    services = ServicesOptions(reports=(reports,))
    link = connection("dashboard", hub.url, "reports:all", options=BRISK)
    async with watching(QUIET, link, services=services) as watch:
        await watch.is_well()

        async def report() -> None:
            told = {"service": "seed", "host": "saya", "connectionState": "connected"}
            await hub.broadcast("reports:all", "health_report", told)
            await watch.until(
                lambda: [each.freshness for each in watch.services.snapshot().services] == ["fresh"], "heard"
            )

        await report()
        watch.wait(30)
        assert watch.poll().open == ()
        watch.wait(1)
        found = watch.open[("report_stale", "seed@saya")]
        assert found.message == "no word for 30 s on dashboard reports:all; it was connected"
        watch.wait(300)
        assert watch.open[("report_stale", "seed@saya")].message.startswith("no word for 5 min on")
        await report()
        assert watch.resolves().id == found.id
        hub.faults.refuse()
        hub.faults.drop_all()
        await watch.opens("breaker_open", "dashboard")
        watch.wait(100)
        assert list(watch.open) == [("breaker_open", "dashboard")]
        await hub.faults.accept()
        await watch.is_well()
        watch.wait(30)
        assert watch.poll().open == ()
        watch.wait(2)
        assert list(watch.open) == [("report_stale", "seed@saya")]
        assert watch.open[("report_stale", "seed@saya")].id != found.id, "the quiet time is long over"


async def test_a_service_that_never_came_back_is_not_called_well_when_it_is_forgotten(hub: Hub) -> None:
    hub.on("reports:*", Reports)
    reports = ReportsOptions(connection="dashboard", topic="reports:all", event="health_report")
    link = connection("dashboard", hub.url, "reports:all", options=BRISK)
    async with watching(QUIET, link, services=ServicesOptions(reports=(reports,))) as watch:
        await watch.is_well()
        told = {"service": "seed", "host": "saya", "connectionState": "connected"}
        await hub.broadcast("reports:all", "health_report", told)
        await watch.until(lambda: watch.services.snapshot().services, "heard")
        watch.wait(40)
        found = watch.open[("report_stale", "seed@saya")]
        watch.clock.passed += 86_400.0 - 40 - 60
        watch.wait(50)
        assert watch.open[("report_stale", "seed@saya")].id == found.id, "as long as it has a row"
        watch.wait(80)
        assert watch.services.snapshot().services == ()
        ended = watch.poll().resolved[0]
        assert ended.id == found.id
        assert ended.message.startswith("not watched any more, it never came back; it was no word for")
        assert watch.lines[-1].endswith(": not watched any more, it never came back")


async def test_an_endpoint_is_unhealthy_though_it_never_answered(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_health, "START_WITHIN", 0.0)
    hub.faults.refuse()
    url = f"http://127.0.0.1:{hub.port}/health"
    services = ServicesOptions(endpoints=(EndpointOptions(name="hub", url=url, interval=0.05, timeout=5.0),))
    checker = HealthChecker(SystemClock(), random.Random(1))
    async with watching(QUIET, services=services, checker=checker) as watch:
        found = await watch.opens("endpoint_unhealthy", "hub")
        assert (found.message, found.severity) == (f"refused by 127.0.0.1:{hub.port}", "critical")
        await hub.faults.accept()
        await watch.until(lambda: watch.services.snapshot().services[0].state == "good", "an answer")
        assert watch.resolves().id == found.id


# The alert queue


async def test_a_queue_that_drops_and_a_source_that_is_away_are_told_in_one_incident(hub: Hub) -> None:
    link = connection("events", hub.url, "events:all", options=BRISK)
    async with watching(QUIET, link) as watch:
        options = AlertOptions(
            sources=(SourceOptions(connection="events", topic="events:all"),), most_waiting=1
        )
        watch.alerts = AlertService(
            options,
            lambda: watch.connections,
            watch.changes,
            SystemClock(),
            random.Random(1),
            store=None,
            changed=lambda: None,
        )
        watch.alerts.start()
        await watch.is_well()
        for number in range(4):
            hub.happen("raid", viewers=100 + number)
        watch_alerts = watch.alerts
        await watch.until(lambda: watch_alerts.snapshot().accepted == 4, "four raids")
        dropped = sum(each.get("dropped", 0) for each in watch_alerts.snapshot().counts.values())
        assert dropped >= 2
        assert watch.poll().open == ()
        watch.wait(3)
        found = watch.open[("queue_dropping", "alerts")]
        assert found.message == f"{dropped} alerts dropped"
        hub.faults.refuse()
        hub.faults.drop_all()
        await watch.opens("breaker_open", "events")
        watch.wait(AWAY_FOR + 5)
        again = watch.open[("queue_dropping", "alerts")]
        # It is over for a moment before the other trouble has lasted its time.
        assert (again.id, again.times) == (found.id, 2)
        assert again.message == "events events:all is away: alerts in it are not seen"
        await hub.faults.accept()
        await watch.is_well()
        assert watch.resolves().rule in ("breaker_open", "queue_dropping")


async def test_a_store_that_cannot_write_is_one_of_the_queues_troubles(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = AlertStore(tmp_path / "file" / "alerts.sqlite")
    store.start()
    watch = Watch(QUIET)
    watch.alerts = AlertService(
        AlertOptions(),
        lambda: {},
        watch.changes,
        SystemClock(),
        random.Random(1),
        store=store,
        changed=lambda: None,
    )
    try:
        await watch.until(lambda: not store.state.ok, "the store's trouble")
        watch.poll()
        watch.wait(3)
        words = watch.open[("queue_dropping", "alerts")].message
        assert words.startswith("the store: ")
        assert "held in memory" not in words
    finally:
        store.close(LIMIT)


@pytest.mark.parametrize(
    ("store", "fails", "words"),
    [
        ("the disk has not answered; 1 dropped", True, "the disk has not answered"),
        ("the disk is full", True, "the disk is full"),
        ("file is not a database; kept aside as x; a new file was begun", False, None),
        ("written; 3 dropped", False, None),
        (None, False, None),
    ],
)
def test_the_words_of_a_store_do_not_tick_and_a_notice_is_no_trouble(
    store: str | None, fails: bool, words: str | None
) -> None:
    alerts = AlertsSnapshot(store=store, store_fails=fails)
    snapshot = Snapshot(sequence=1, taken_at=0.0, started_at=0.0, alerts=alerts)
    found = [each.message for each in judge(snapshot, 0.0, Memory(), QUIET)]
    assert found == ([] if words is None else [f"the store: {words}"])


# What only a server that misbehaves for long could show


def linked(link: Any, **channel: Any) -> Snapshot:
    """A link with one topic."""
    return Snapshot(
        sequence=1,
        taken_at=0.0,
        started_at=0.0,
        connections=(
            ConnectionSnapshot(
                name="stage",
                label="",
                address="hub:4000",
                metrics=HealthMetrics(connection_state=link),
                details=ConnectionDetails(stable=True),
                channels=(ChannelSnapshot(topic="echo:1", **channel),),
            ),
        ),
    )


def test_a_join_that_is_not_answered_is_refused_after_the_time_for_joins() -> None:
    memory = Memory(lambda name: 7.0)

    def found(now: float, snapshot: Snapshot) -> list[Finding]:
        return judge(snapshot, now, memory, QUIET)

    joining = linked("connected", state="joining", reason="joining")
    for second in range(8):
        assert found(second, joining) == []
    (finding,) = found(8, joining)
    assert finding == Finding(
        "channel_refused", "stage echo:1", "not joined for more than 7 s", ("stage",), True
    )
    # The link went and came back: nobody can tell until the next join has had its time.
    lost = linked("reconnecting", state="errored", reason="not connected")
    (finding,) = [each for each in found(9, lost) if each.rule == "channel_refused"]
    assert not finding.is_certain
    assert [each.is_certain for each in found(10, joining)] == [False]
    leaving = linked("connected", state="leaving", reason="leaving")
    for second in range(11, 18):
        (finding,) = found(second, leaving)
    (finding,) = found(18, leaving)
    assert (finding.message, finding.is_certain) == ("not joined for more than 7 s", True)
    assert found(19, linked("connected", state="joined", joins=1)) == []


def test_a_topic_that_the_server_closed_is_told_until_it_is_joined_or_refused() -> None:
    memory = Memory(lambda name: 7.0)

    def found(now: float, link: str, **channel: Any) -> list[tuple[str, bool]]:
        findings = judge(linked(link, **channel), now, memory, QUIET)
        return [(each.rule, each.is_certain) for each in findings if each.subject == "stage echo:1"]

    closed = {"state": "closed", "reason": "closed by the server"}
    assert found(0, "connected", state="joined", joins=1) == []
    assert found(1, "connected", **closed) == [("topic_closed", True)]
    assert found(60, "connected", **closed) == [("topic_closed", True)]
    # Whether the next connection has it, its join will tell.
    assert found(61, "reconnecting", **closed) == [("topic_closed", False)]
    assert found(62, "connected", state="joining", reason="joining") == [("topic_closed", False)]
    assert found(63, "connected", state="errored", reason="join refused: no") == [("channel_refused", True)]
    assert found(64, "connected", **closed) == [("topic_closed", True)]
    assert found(65, "connected", state="joined", joins=2) == []
    # What somebody left is no trouble of the server's.
    assert found(66, "connected", state="closed", reason="left") == []


async def test_a_topic_that_the_server_closed_is_an_incident_after_fifteen_seconds(hub: Hub) -> None:
    async with watching(QUIET, connection("stage", hub.url, "echo:1", options=BRISK)) as watch:
        await watch.is_well()
        channel = watch.connections["stage"].channels[0].channel
        assert hub.faults.stop_channel("echo:1") == 1
        await watch.until(lambda: channel.state == "closed", "closed")
        watch.poll()
        watch.wait(14)
        assert watch.poll().open == ()
        watch.wait(1)
        found = watch.open[("topic_closed", "stage echo:1")]
        assert (found.message, found.severity) == ("closed by the server", "warning")
        watch.wait(600)
        assert [each.id for each in watch.poll().open] == [found.id]
        # The hub's next life is a fresh chance.
        hub.faults.drop_all()
        await watch.until(lambda: channel.state == "joined", "joined again")
        assert watch.resolves().id == found.id


def test_heartbeats_without_an_answer_are_told_after_half_a_minute_or_three_intervals() -> None:
    def found(after: float, interval: float, state: Any = "connected") -> list[tuple[str, bool]]:
        snapshot = linked(state, state="joined", joins=1)
        (link,) = snapshot.connections
        details = msgspec.structs.replace(link.details, heartbeats_unanswered_since=1_000.0)
        link = msgspec.structs.replace(link, details=details, heartbeat_interval=interval)
        snapshot = msgspec.structs.replace(snapshot, taken_at=1_000.0 + after, connections=(link,))
        findings = judge(snapshot, after, Memory(), QUIET)
        return [(each.rule, each.is_certain) for each in findings if each.rule == "heartbeats_unanswered"]

    assert found(29, 5.0) == [("heartbeats_unanswered", False)]
    assert found(30, 5.0) == [("heartbeats_unanswered", True)]
    assert found(89, 30.0) == [("heartbeats_unanswered", False)]
    assert found(90, 30.0) == [("heartbeats_unanswered", True)]


async def test_unanswered_heartbeats_are_one_incident_until_one_is_answered() -> None:
    silent = asyncio.Event()

    async def answer(server: Any, frame: list[Any]) -> bool:
        if frame[3] == "heartbeat" and silent.is_set():
            await server.send('[null,null,"echo:1","tick",{}]')
            return True
        return False

    options = replace(BRISK, heartbeat_interval=0.1, heartbeat_timeout=0.2)
    async with (
        FrameServer(answer) as server,
        watching(QUIET, connection("stage", server.url, "echo:1", options=options)) as watch,
    ):
        await watch.is_well()
        silent.set()
        link = watch.connections["stage"]
        await watch.until(lambda: link.snapshot().details.heartbeats_unanswered_since, "unanswered")
        assert watch.poll().open == ()
        watch.wait(31)
        found = watch.open[("heartbeats_unanswered", "stage")]
        assert (found.message, found.severity) == (UNANSWERED, "warning")
        silent.clear()
        await watch.until(lambda: not link.snapshot().details.heartbeats_unanswered_since, "answered")
        assert watch.resolves().id == found.id
        assert server.connects == 1


def test_rules_that_are_off_find_nothing() -> None:
    options = IncidentsOptions(off=frozenset({"channel_refused"}))
    refused = linked("connected", state="errored", reason="join refused: no")
    assert [each.rule for each in judge(refused, 0.0, Memory(), QUIET)] == ["channel_refused"]
    assert judge(refused, 0.0, Memory(), options) == []
