"""Services as the desk keeps them: who is who, how old the words are, and a real hub that tells of them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tests.engine.conftest import connection, eventually
from tui.channels import HealthMetrics
from tui.channels.clock import SystemClock
from tui.connections.connection import SupervisedConnection
from tui.demo.channel import Channel as HubChannel
from tui.demo.channel import Reply
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import telemetry
from tui.model.services import ServiceSnapshot, ServicesSnapshot
from tui.services import monitor as services
from tui.services import registry as service_rows
from tui.services import sources as service_sources
from tui.services.http_checks import Checked, Hear
from tui.services.monitor import MOST_LINES, ServiceMonitor
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions
from tui.services.payloads import Report, read_telemetry
from tui.services.registry import ObservationKey, ServiceObservation, ServiceRows
from tui.store.event_log import ChangeLog
from tui.store.journal import Entry

REPORTS = ReportsOptions(connection="dashboard", topic="reports:all", event="health_report")
HUB = ReportsOptions(connection="dashboard", topic="dashboard:main", event="telemetry_update", kind="hub")
MIDNIGHT = 1_800_000_000.0


class MovedClock:
    """Both readings, moved by hand."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return MIDNIGHT + self.passed


class Asked:
    """Stands where the network is: endpoints answer what a test says."""

    def __init__(self) -> None:
        self.hear: Hear = lambda options, checked: None
        self.endpoints: list[EndpointOptions] = []

    def watch(self, endpoints: Any, hear: Hear) -> None:
        self.endpoints, self.hear = list(endpoints), hear

    def stop(self) -> None:
        self.endpoints = []

    def answer(self, state: Any, words: str, outcome: Any = "answered", place: int = 0) -> None:
        self.hear(self.endpoints[place], Checked(Report(state=state, message=words), outcome))


class Reports(HubChannel):
    """A topic on which each one's reports go to all."""

    async def handle_in(self, event: Any, payload: Any) -> Reply:
        await self.broadcast(event, payload)
        return Reply("ok", {})


class Watched:
    """A desk on a clock that a test moves, on real connections."""

    def __init__(self, options: ServicesOptions, *connections: SupervisedConnection) -> None:
        self.clock = MovedClock()
        self.kept: list[Entry] = []
        self.changes = ChangeLog(keep=self.kept.append)
        self.changed = 0
        self.http = Asked()
        self.connections = {each.name: each for each in connections}
        self.component = ServiceMonitor(
            options, lambda: self.connections, self.changes, self.clock, self._count, self.http
        )
        self.component.start()

    def _count(self) -> None:
        self.changed += 1

    @property
    def snapshot(self) -> ServicesSnapshot:
        self.component.poll()
        return self.component.snapshot()

    @property
    def services(self) -> dict[str, ServiceSnapshot]:
        return {each.key: each for each in self.snapshot.services}

    @property
    def lines(self) -> list[str]:
        return [line.text for line in self.changes.page(0, 1000).lines]

    def wait(self, seconds: float) -> None:
        """Let time pass, looked at as the engine looks."""
        while seconds > 0:
            step = min(seconds, 1.0)
            self.clock.passed += step
            seconds -= step
            self.component.poll()

    def noted(self, key: str) -> tuple[str, str, str]:
        found = self.services[key]
        return found.state, found.message, found.freshness


@contextmanager
def watching(options: ServicesOptions, *connections: SupervisedConnection) -> Iterator[Watched]:
    watched = Watched(options, *connections)
    try:
        yield watched
    finally:
        watched.component.stop()


@asynccontextmanager
async def linked(hub: Hub, *topics: str) -> AsyncIterator[SupervisedConnection]:
    """Our own connection to the hub, all topics joined."""
    one = SupervisedConnection(
        connection("dashboard", hub.url, *topics),
        ChangeLog(),
        SystemClock(),
        random.Random(1),
        changed=lambda name, change: None,
        stable=lambda stable: None,
    )
    one.start()
    try:
        await joined(one)
        yield one
    finally:
        await one.retire()


async def joined(one: SupervisedConnection) -> None:
    await eventually(lambda: all(each.channel.state == "joined" for each in one.channels), "all joined")


# Who is who


def heard(rows: ServiceRows, source: str, name: str, host: str = "") -> None:
    row = rows.find(source, name, host)
    if row is not None:
        sight = row.observations.setdefault(
            ObservationKey(source, bool(host)), ServiceObservation("report", source, 30.0)
        )
        sight.hear(Report(name=name, host=host), rows._clock.monotonic(), 0.0)


def table(rows: ServiceRows) -> dict[str, list[str]]:
    return {row.key: sorted(f"{key.source}{'+' * key.with_host}" for key in row.observations) for row in rows}


def test_a_sight_without_host_joins_the_only_service_of_its_name() -> None:
    rows = ServiceRows(MovedClock(), 10)
    heard(rows, "hub", "seed")
    heard(rows, "http", "seed")
    assert table(rows) == {"seed": ["http", "hub"]}
    heard(rows, "report", "seed", "saya")
    assert table(rows) == {"seed@saya": ["http", "hub", "report+"]}
    heard(rows, "hub", "seed")
    assert table(rows) == {"seed@saya": ["http", "hub", "report+"]}
    # Now nobody can tell which of the two the hub means.
    heard(rows, "report", "seed", "zelan")
    heard(rows, "hub", "seed")
    assert table(rows) == {"seed@saya": ["http", "report+"], "seed@zelan": ["report+"], "seed": ["hub"]}
    heard(rows, "http", "seed")
    assert table(rows)["seed"] == ["http", "hub"]
    assert len(rows) == 3
    # The settings say it, if only by the address that is asked.
    found = rows.find("endpoint", "seed", "", shown_host="zelan", always=True)
    assert found is not None
    assert found.key == "seed@zelan"
    rows.keep_sources({"report"})
    assert set(table(rows)) == {"seed@saya", "seed@zelan"}
    rows.keep_sources(set())
    assert (table(rows), len(rows)) == ({}, 0)


def test_keys_are_unique_whatever_names_hold() -> None:
    rows = ServiceRows(MovedClock(), 10)
    heard(rows, "report", "seed", "saya")
    heard(rows, "report", "seed@saya")
    heard(rows, "report", "seed@saya", "saya")
    heard(rows, "report", "seed@saya", "zelan")
    heard(rows, "report", "seed@saya")
    assert sorted(table(rows)) == ["seed@saya", "seed@saya@", "seed@saya@saya", "seed@saya@zelan"]


STEPS = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y"]), st.sampled_from(["", "1", "2", "3"])
)


@given(st.lists(STEPS | st.sampled_from(["forget", "keep"]), max_size=40), st.integers(1, 8))
@REPLAYED
def test_every_sight_is_in_one_row_and_every_row_has_one(steps: list[Any], most: int) -> None:
    clock = MovedClock()
    rows = ServiceRows(clock, most)
    for step in steps:
        if step == "forget":
            clock.passed += 50_000
            rows.forget()
        elif step == "keep":
            rows.keep_sources({"a", "b"})
        else:
            heard(rows, *step)
        found = list(rows)
        assert len(found) == len(rows) <= most
        assert len({row.key for row in found}) == len(found)
        assert all(row.observations for row in found)
        assert {(row.name, row.host) for row in found} >= {
            (name, host) for _, name, host in rows._places if host
        }
        for place, row in rows._places.items():
            assert row in found
            assert ObservationKey(place[0], bool(place[2])) in row.observations


def test_beyond_the_bound_services_are_counted_until_there_is_room() -> None:
    clock = MovedClock()
    rows = ServiceRows(clock, 3)
    for number in range(10):
        heard(rows, "report", f"s{number}", "host")
        heard(rows, "report", f"s{number}", "host")
    assert (len(rows), rows.left_out) == (3, 7)
    assert rows.find("http", "always", "", always=True) is not None
    for number in range(2 * service_rows.MOST_LEFT_OUT):
        heard(rows, "report", f"flood {number}")
    assert (len(rows), rows.left_out) == (4, service_rows.MOST_LEFT_OUT)
    clock.passed += service_rows.FORGOTTEN_AFTER
    rows.forget()
    assert rows.left_out == 0
    heard(rows, "report", "s9", "host")
    assert "s9@host" in table(rows)


def test_what_reports_once_a_day_is_not_forgotten_before_it_is_stale() -> None:
    clock = MovedClock()
    rows = ServiceRows(clock, 3)
    heard(rows, "report", "daily", "host")
    for row in rows:
        for sight in row.observations.values():
            sight.stale_after = 86_400.0
    clock.passed += 2 * 86_400.0 - 1
    rows.forget()
    assert "daily@host" in table(rows)
    clock.passed += 1
    rows.forget()
    assert "daily@host" not in table(rows)


# How old words are, without a network


def endpoints(*names: str, url: str = "http://saya:8891/health") -> ServicesOptions:
    return ServicesOptions(endpoints=tuple(EndpointOptions(name=name, url=url) for name in names))


async def test_an_endpoint_that_never_answered_was_never_seen() -> None:
    with watching(endpoints("seed")) as watched:
        assert watched.noted("seed") == ("unknown", "never seen", "never")
        watched.http.answer("bad", "refused by saya:8891", "failed")
        assert watched.noted("seed") == ("unknown", "never seen: refused by saya:8891", "never")
        found = watched.services["seed"]
        assert (found.host, found.since, found.reported_at, found.hour) == ("saya", None, None, "?" * 60)
        assert found.url == "http://saya:8891/health"
        # Whoever opens incidents sees what is wrong all the same.
        assert (found.observations[0].state, found.observations[0].freshness) == ("bad", "never")
        assert watched.lines == []
        watched.http.answer("good", "healthy")
        assert watched.noted("seed") == ("good", "healthy", "fresh")
        watched.wait(10)
        watched.http.answer("bad", "no answer within 5 s", "failed")
        assert watched.noted("seed") == ("bad", "no answer within 5 s", "fresh")
        assert list(watched.services["seed"].observations[0].figures) == ["last answered"]
        assert watched.services["seed"].since == MIDNIGHT + 10
        assert watched.lines == ["seed on saya: no answer within 5 s"]
        watched.wait(3)
        watched.http.answer("good", "healthy")
        watched.component.poll()
        watched.wait(3)
        assert watched.lines[1:] == ["seed on saya: healthy after 3 s"]
        assert [entry.text for entry in watched.kept if entry.kind == "service"] == [
            "seed on saya: healthy",
            *watched.lines,
        ]
        watched.http.answer("unknown", "headers: secret file x is empty", "not asked")
        watched.wait(30)
        assert watched.noted("seed")[::2] == ("unknown", "stale")


async def test_ages_go_by_the_clock_and_the_strip_by_what_was_known() -> None:
    with watching(endpoints("seed")) as watched:
        watched.http.answer("good", "healthy")
        limit = watched.services["seed"].observations[0].stale_after
        assert limit == 25.0
        watched.wait(25)
        assert watched.noted("seed") == ("good", "healthy", "fresh")
        watched.wait(1)
        assert watched.noted("seed") == ("unknown", "was healthy", "stale")
        assert watched.lines == ["seed on saya: was healthy, last heard of 26 s ago"]
        watched.wait(9 * limit)
        assert watched.noted("seed") == ("unknown", "was healthy", "missing")
        assert watched.services["seed"].reported_at == MIDNIGHT
        assert watched.services["seed"].hour[-6:] == "?3????"
        watched.http.answer("off", "stopped")
        watched.wait(60)
        watched.http.answer("busy", "degraded")
        watched.wait(60)
        assert watched.services["seed"].hour[-3:] == "o0?"


async def test_the_worst_fresh_word_is_the_state_of_a_service_seen_twice() -> None:
    options = ServicesOptions(
        endpoints=(
            EndpointOptions(name="seed", url="http://saya:8891/health"),
            EndpointOptions(name="seed", url="http://saya:8892/health"),
        )
    )
    with watching(options) as watched:
        watched.http.answer("good", "healthy", place=0)
        assert watched.noted("seed") == ("good", "healthy", "fresh")
        watched.http.answer("busy", "degraded", place=1)
        assert watched.noted("seed") == ("busy", "degraded", "fresh")
        assert [sight.message for sight in watched.services["seed"].observations] == ["healthy", "degraded"]
        for _ in range(6):
            watched.wait(10)
            watched.http.answer("good", "healthy", place=0)
        assert watched.noted("seed") == ("good", "healthy", "fresh")
        watched.wait(90)
        assert watched.noted("seed") == ("unknown", "was healthy", "stale")


async def test_endpoints_of_one_name_on_two_hosts_are_two_services() -> None:
    urls = ("http://saya:8891/health", "http://zelan:8891/health")
    options = ServicesOptions(endpoints=tuple(EndpointOptions(name="seed", url=url) for url in urls))
    with watching(options) as watched:
        watched.http.answer("good", "healthy", place=0)
        assert watched.noted("seed@saya") == ("good", "healthy", "fresh")
        assert watched.noted("seed@zelan") == ("unknown", "never seen", "never")
        watched.component.configure(ServicesOptions(endpoints=options.endpoints[:1]))
        assert set(watched.services) == {"seed"}


async def test_a_crowd_that_changes_has_one_line_and_a_service_that_flaps_few() -> None:
    with watching(endpoints(*(f"s{number}" for number in range(30)))) as watched:
        for place in range(30):
            watched.http.answer("good", "healthy", place=place)
        watched.component.poll()
        assert (watched.lines, len(watched.kept)) == ([], 30)
        for place in range(30):
            watched.http.answer("bad" if place else "busy", "broken", place=place)
        watched.wait(6)
        assert watched.lines == ["30 services changed: 29 bad, 1 busy"]
        assert len(watched.kept) == 61 > MOST_LINES
        before = len(watched.lines)
        for number in range(1000):
            watched.http.answer("bad" if number % 2 else "good", "flapping")
            watched.wait(0.1)
        assert len(watched.lines) - before <= 1000 * 0.1 / services.NOTE_AGAIN + 1
        assert watched.changed <= 1100


# On a real hub


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub(seed=1) as hub:
        hub.on("reports:*", Reports)
        yield hub


def report(service: str = "seed", state: Any = "connected", **fields: Any) -> dict[str, Any]:
    metrics = HealthMetrics(connection_state=state, last_heartbeat=MIDNIGHT)
    return {"service": service, "host": "saya", **metrics.to_camel(), **fields}


async def test_a_service_reports_itself_on_a_topic(hub: Hub) -> None:
    async with linked(hub, REPORTS.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS,)), link) as watched:
            assert watched.snapshot.services == ()
            channel = link.channels[0].channel
            # As any client does it: a push, which this topic hands on to all.
            await channel.push("health_report", report(environment="production"))
            await eventually(lambda: watched.services, "the report")
            found = watched.services["seed@saya"]
            assert (found.state, found.message, found.freshness) == ("good", "connected", "fresh")
            assert (found.environment, found.reported_at) == ("production", MIDNIGHT)
            (sight,) = found.observations
            assert (sight.via, sight.origin) == ("report", "dashboard reports:all")
            assert sight.metrics == HealthMetrics(connection_state="connected", last_heartbeat=MIDNIGHT)
            assert watched.changed == 1

            hub.send_to_topic(REPORTS.topic, "health_report", ["no report"])
            hub.send_to_topic(REPORTS.topic, "health_report", {"service": "x" * 1_100_000})
            hub.send_to_topic(REPORTS.topic, "something_else", report("other"))
            hub.send_to_topic(REPORTS.topic, "health_report", report(state="failed", isCircuitOpen=True))
            # Looked at in between, the desk would tell of the first alone, and of the other a minute later.
            await eventually(lambda: channel.received == 5, "all of them")
            assert watched.services["seed@saya"].state == "bad", "the second report"
            assert watched.snapshot.rejected == 2
            assert len(watched.services) == 1
            assert watched.lines == ["2 service reports could not be read, or exceeded max_report_size"]
            watched.wait(6)
            assert watched.lines[1:] == ["seed on saya: circuit breaker open"]
            watched.component.configure(ServicesOptions())
            assert (watched.services, watched.snapshot.rejected) == ({}, 2)


async def test_since_when_is_what_a_service_says_until_we_see_it_change(hub: Hub) -> None:
    async with linked(hub, REPORTS.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS,)), link) as watched:
            hub.send_to_topic(REPORTS.topic, "health_report", report(since=MIDNIGHT - 7200))
            await eventually(lambda: watched.services, "the report")
            assert watched.services["seed@saya"].since == MIDNIGHT - 7200
            watched.wait(10)
            failed = report(state="failed", since=MIDNIGHT - 7200)
            hub.send_to_topic(REPORTS.topic, "health_report", failed)
            await eventually(lambda: watched.noted("seed@saya")[0] == "bad", "the second report")
            assert watched.services["seed@saya"].since == MIDNIGHT + 10
            assert watched.lines == ["seed on saya: failed"]


async def test_a_machine_that_slept_blames_no_service_for_its_silence(hub: Hub) -> None:
    async with linked(hub, REPORTS.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS,)), link) as watched:
            hub.send_to_topic(REPORTS.topic, "health_report", report())
            await eventually(lambda: watched.services, "the report")
            watched.clock.passed += 3600
            watched.wait(29)
            assert watched.noted("seed@saya") == ("unknown", "was connected", "missing")
            assert watched.lines == []
            watched.wait(3)
            assert watched.lines == ["seed on saya: was connected, last heard of 60 min ago"]


async def test_the_hub_reports_a_page_gone_while_our_own_link_is_fine(hub: Hub) -> None:
    page = OverlayPage(lambda: hub.url, "takeover")
    page.open()
    async with linked(hub, HUB.topic) as link:
        await eventually(lambda: page.joined, "the page")
        with watching(ServicesOptions(reports=(HUB,)), link) as watched:
            report = telemetry(hub)
            report["services"]["seed"] = {"connected": False, "error": "no heartbeat for 94 s"}
            hub.send_to_topic(HUB.topic, HUB.event, report)
            await eventually(lambda: watched.services, "telemetry")
            assert watched.noted("page takeover") == ("good", "connected", "fresh")
            assert watched.services["page takeover"].environment == "production"
            assert watched.services["seed"].observations[0].last_error == "no heartbeat for 94 s"
            before = link.snapshot()
            await page.close()
            await eventually(lambda: not hub.channels("stream:overlays"), "the page is gone")
            watched.wait(10)
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            await eventually(lambda: watched.noted("page takeover")[0] == "bad", "its absence")
            assert watched.noted("page takeover") == ("bad", "not connected", "fresh")
            assert watched.services["page takeover"].since == MIDNIGHT + 10
            assert "page takeover: not connected" in watched.lines
            after = link.snapshot()
            assert after.metrics.connection_state == "connected"
            assert (after.metrics.successful_connects, after.trouble) == (
                before.metrics.successful_connects,
                None,
            )

            watched.wait(10)
            # Of pages this says nothing, so it does not say that one is gone.
            others = {"timestamp": 1, "services": {"s1": {"connected": True}}, "overlays": None}
            hub.send_to_topic(HUB.topic, HUB.event, others)
            await eventually(lambda: "s1" in watched.services, "heard")
            assert watched.noted("page takeover")[1:] == ("not connected", "fresh")

            # A hub that does not name it any more knows nothing of it.
            nameless = telemetry(hub)
            nameless["overlays"] = []
            watched.wait(10)
            hub.send_to_topic(HUB.topic, HUB.event, nameless)
            words = ("unknown", "not reported, was not connected", "stale")
            await eventually(lambda: watched.noted("page takeover") == words, "not reported")
            sight = watched.services["page takeover"].observations[0]
            assert (sight.message, sight.state) == ("not reported", "unknown")
            assert watched.noted("seed")[2] == "fresh"
            watched.wait(10)
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            await eventually(lambda: watched.noted("page takeover")[0] == "bad", "named again")


async def test_a_hub_that_tells_nothing_by_itself_is_asked(hub: Hub) -> None:
    async with linked(hub, HUB.topic) as link:
        with watching(ServicesOptions(reports=(HUB,)), link) as watched:
            assert watched.services == {}
            watched.wait(2)
            await eventually(lambda: "page takeover" in watched.services, "the answer")
            asked = [frame for _, frame in hub.received if frame.event == "get_telemetry"]
            assert len(asked) == 1
            watched.wait(14)
            assert len([frame for _, frame in hub.received if frame.event == "get_telemetry"]) == 1
            watched.wait(2)
            await eventually(
                lambda: watched.services["page takeover"].reported_at == MIDNIGHT + 18, "the second answer"
            )


@pytest.mark.parametrize(("topic", "asked"), [("echo:1", 1), ("stream:overlays", 5), ("reports:all", 5)])
async def test_one_that_does_not_understand_is_asked_less_and_less(hub: Hub, topic: str, asked: int) -> None:
    # One crashes, one says that it does not know the event, one answers ok with nothing.
    options = ReportsOptions(connection="dashboard", topic=topic, event="telemetry_update", kind="hub")
    async with linked(hub, topic) as link:
        with watching(ServicesOptions(reports=(options,)), link) as watched:
            for _ in range(10):
                watched.wait(20)
                await eventually(lambda: not watched.component._sources[0].is_asking, "answered")
                await joined(link)
            assert len([frame for _, frame in hub.received if frame.event == "get_telemetry"]) == asked
            assert watched.snapshot.rejected == 0


async def test_what_a_hub_said_is_old_once_our_link_to_it_is_away(hub: Hub) -> None:
    async with linked(hub, REPORTS.topic, HUB.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS, HUB)), link) as watched:
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            hub.send_to_topic(REPORTS.topic, "health_report", report("own"))
            await eventually(lambda: {"obs", "own@saya"} <= watched.services.keys(), "both")
            lines = watched.lines
            watched.wait(3)
            hub.faults.drop_all()
            await eventually(lambda: watched.noted("obs")[2] == "stale", "stale for a moment")
            await joined(link)
            # It may be as it was; nobody has said so.
            assert watched.noted("obs") == ("unknown", "was healthy", "stale")
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            await eventually(lambda: watched.noted("obs") == ("good", "healthy", "fresh"), "back at once")
            hub.faults.refuse()
            hub.faults.drop_all()
            await eventually(lambda: watched.noted("obs")[2] == "stale", "stale")
            assert watched.noted("obs") == ("unknown", "was healthy", "stale")
            assert watched.noted("own@saya") == ("good", "connected", "fresh")
            watched.wait(120)
            assert watched.noted("own@saya") == ("unknown", "was connected", "stale")
            await hub.faults.accept()
            await joined(link)
            watched.component.poll()
            assert watched.noted("obs")[0] == "unknown"
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            await eventually(lambda: watched.noted("obs") == ("good", "healthy", "fresh"), "back")
            # The lines on our own link said it all.
            assert watched.lines == lines
            # But that a service has not come back is news.
            watched.wait(29)
            assert watched.lines == lines
            back_at = watched.clock.time()
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            await eventually(lambda: watched.services["obs"].reported_at == back_at, "all well")
            watched.wait(2)
            assert watched.lines == [*lines, "own on saya: was connected, last heard of 2 min ago"]


async def test_reloads_keep_what_is_still_watched(hub: Hub) -> None:
    async with linked(hub, REPORTS.topic, HUB.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS, HUB)), link) as watched:
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            hub.send_to_topic(REPORTS.topic, "health_report", report())
            await eventually(lambda: "seed@saya" in watched.services, "both")
            slower = ReportsOptions(
                connection="dashboard", topic=REPORTS.topic, event=REPORTS.event, stale_after=60.0
            )
            watched.component.configure(ServicesOptions(reports=(slower,)))
            assert set(watched.services) == {"seed@saya"}
            assert [sight.via for sight in watched.services["seed@saya"].observations] == ["report"]
            hub.send_to_topic(HUB.topic, HUB.event, telemetry(hub))
            hub.send_to_topic(REPORTS.topic, "health_report", report(state="failed"))
            await eventually(lambda: watched.noted("seed@saya")[0] == "bad", "still heard")
            assert watched.services["seed@saya"].observations[0].stale_after == 60.0
            assert set(watched.services) == {"seed@saya"}
            watched.connections = {}
            watched.component.attach()
            hub.send_to_topic(REPORTS.topic, "health_report", report("other"))
            await link.channels[0].channel.push("health_report", {})
            assert set(watched.services) == {"seed@saya"}
            watched.clock.passed += service_rows.FORGOTTEN_AFTER
            assert watched.services == {}


async def test_thousands_of_reports_make_few_publications_and_no_more_rows_than_may_be(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(
        service_sources, "read_telemetry", lambda *given: read.append(1) or read_telemetry(*given)
    )
    async with linked(hub, REPORTS.topic, HUB.topic) as link:
        with watching(ServicesOptions(reports=(REPORTS, HUB), most=30), link) as watched:
            for number in range(3000):
                hub.send_to_topic(REPORTS.topic, "health_report", report(f"s{number % 40}", n=number))
            for number in range(200):
                hub.send_to_topic(HUB.topic, HUB.event, {"services": {"s1": {"connected": number == 199}}})
            await link.channels[1].channel.push("get_telemetry", {})
            watched.wait(1)
            assert len(watched.services) == 30
            assert watched.snapshot.left_out == 10
            assert watched.services["s29@saya"].observations[0].figures == {"n": "2989"}
            # Of what a hub tells in one instant the last is true.
            assert [(sight.via, sight.message) for sight in watched.services["s1@saya"].observations] == [
                ("report", "connected"),
                ("hub", "connected"),
            ]
            assert watched.changed <= 3
            assert len(read) == 2
