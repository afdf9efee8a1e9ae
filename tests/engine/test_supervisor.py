"""The engine as a face sees it: snapshots, commands, the log, and its end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from tests.engine.conftest import FAST, connection, eventually, running, state_of
from tests.pace import Stopwatch
from tui.alerts.options import AlertOptions, SourceOptions
from tui.app.presenters.status import status_bar
from tui.channels import StateChange
from tui.channels.clock import SystemClock
from tui.cli import check
from tui.demo.hub import Hub
from tui.engine.reporters import JsonLines
from tui.engine.supervisor import Supervisor
from tui.model.alerts import SourceAway
from tui.model.engine import Engine
from tui.model.snapshot import CommandResult, ExtraCommand, Snapshot


async def test_connections_and_topics_come_up_and_are_published(hub: Hub) -> None:
    with running(connection("stage", hub.url, "stream:overlays", "stream:queue")) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        await eventually(
            lambda: all(each.state == "joined" for each in engine.snapshot().connections[0].channels),
            "joined",
        )
        stage = engine.snapshot().connections[0]
        assert stage.address == f"127.0.0.1:{hub.port}"
        assert stage.metrics.successful_connects == 1
        # On a busy machine it may have been our own loop that was late.
        assert stage.details.round_trip_last is not None or stage.details.round_trips_unjudged
        await eventually(
            lambda: engine.snapshot().connections[0].channels[0].last_event == "stream_state", "last event"
        )


async def test_a_channel_that_crashes_again_and_again_is_told_once_and_kept_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the queue's of the newest hub does, whenever something is forced or ends."""
    caplog.set_level("INFO", logger="tui.engine")
    async with Hub(dialect="new") as hub:
        assert hub.landale is not None
        with running(connection("stage", hub.url, "stream:queue")) as engine:
            for joins in (1, 2, 3, 4):
                await eventually(
                    lambda joins=joins: hub.joins["stream:queue"] == joins and hub.channels("stream:queue"),
                    "joined",
                )
                hub.landale.force({"id": f"a{joins}"}, 60_000)
            await eventually(lambda: hub.joins["stream:queue"] == 5, "joined once more")
            await eventually(lambda: caplog.messages.count("joined stream:queue") == 5, "all is in the log")
            crash = "stream:queue: the channel crashed on the server"
            assert caplog.messages.count(crash) == 4
            told = [line.text for line in engine.log().lines]
            assert (told.count(crash), told.count("joined stream:queue")) == (1, 1)
            engine.stop()
            await eventually(engine.ended.is_set, "the engine stopped")


async def test_a_channel_that_crashed_is_missed_only_when_it_does_not_come_back() -> None:
    slow = replace(FAST, reconnect_base_delay=1.0, reconnect_max_delay=1.0)
    async with Hub(dialect="new") as hub:
        assert hub.landale is not None
        with running(connection("stage", hub.url, "stream:queue", options=slow)) as engine:
            said: set[tuple[str, int]] = set()

            def look() -> str:
                snapshot = engine.snapshot()
                value = status_bar(snapshot, snapshot.taken_at)
                said.update((value.tone, each.status) for each in check.running(snapshot, snapshot.taken_at))
                return value.detail or value.subject

            await eventually(lambda: look() == "1 connection", "joined")
            said.clear()
            for joins in (2, 3):
                hub.landale.force({"id": f"a{joins}"}, 60_000)
                await eventually(lambda joins=joins: look() and hub.joins["stream:queue"] == joins, "joined")
            await eventually(lambda: look() and hub.channels("stream:queue"), "joined again")
            assert said == {("good", check.OK)}

            hub.faults.refuse_join("stream:queue")
            hub.landale.force({"id": "a4"}, 60_000)
            await eventually(lambda: look() == "1 channel not joined", "refused")
            assert ("busy", check.WARNING) in said
            engine.stop()
            await eventually(engine.ended.is_set, "the engine stopped")


async def test_a_snapshot_is_never_older_than_the_one_before(hub: Hub) -> None:
    with running(connection("stage", hub.url)) as engine:
        seen: list[Snapshot] = []
        for _ in range(50):
            seen.append(engine.snapshot())
            await asyncio.sleep(0.01)
        sequences = [each.sequence for each in seen]
        assert sequences == sorted(sequences)
        assert [each.taken_at for each in seen] == sorted(each.taken_at for each in seen)


async def test_a_command_is_seen_in_the_next_snapshot(hub: Hub) -> None:
    with running(connection("stage", hub.url, "stream:overlays")) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        result = await engine.disconnect("stage")
        assert result == CommandResult(ok=True, message="stage: disconnected until you connect it")
        await eventually(lambda: state_of(engine, "stage") == "disconnected", "disconnected", limit=2)
        assert (await engine.connect("stage")).message == "stage: connecting now"
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected again")
        assert (await engine.connect("stage")).message == "stage is connected already"
        await engine.reconnect(None)
        await eventually(
            lambda: engine.snapshot().connections[0].metrics.successful_connects == 3, "reconnected"
        )
        await eventually(lambda: engine.snapshot().connections[0].channels[0].joins == 3, "joined again")


async def test_an_unknown_name_is_answered_with_the_known_ones(hub: Hub) -> None:
    with running(connection("stage", hub.url), connection("events", hub.url)) as engine:
        engine.started.wait(5)
        result = await engine.reconnect("stge")
        assert result == CommandResult(ok=False, message="no connection stge; there are: stage, events")


async def test_pushes_say_what_came_of_them(hub: Hub) -> None:
    with running(connection("stage", hub.url, "stream:overlays", "stream:queue")) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        await eventually(lambda: engine.snapshot().connections[0].channels[1].joins, "joined")
        pong = await engine.push("stage", "stream:overlays", "ping", {})
        assert pong.ok
        assert "pong" in pong.message
        refused = await engine.push("stage", "stream:queue", "remove_queue_item", {"id": "none"})
        assert not refused.ok
        assert "remove_queue_item on stream:queue: error" in refused.message
        assert (await engine.push("stage", "nope", "ping", {})).message == "stage has no topic nope"
        hub.faults.refuse()
        hub.faults.drop_all()
        await eventually(lambda: state_of(engine, "stage") != "connected", "away")
        away = await engine.push("stage", "stream:overlays", "ping", {})
        assert not away.ok
        assert away.message.startswith("not connected: stage: ")


async def test_a_trouble_keeps_its_words_until_connected(hub: Hub) -> None:
    with running(connection("stage", hub.url)) as engine:
        await eventually(
            lambda: engine.snapshot().connections and state_of(engine, "stage") == "connected", "up"
        )
        hub.faults.refuse()
        hub.faults.drop_all()
        await eventually(
            lambda: (trouble := engine.snapshot().connections[0].trouble) is not None and trouble.tries >= 6,
            "failed again and again",
        )
        trouble = engine.snapshot().connections[0].trouble
        assert trouble is not None
        assert trouble.state == "failed"
        assert trouble.message.startswith("circuit breaker open after 3 failures: refused by 127.0.0.1:")
        lines = [line.text for line in engine.log().lines]
        # Failed probes are part of the same trouble: counted in it, not told one by one.
        assert len([line for line in lines if line.startswith("failed: circuit breaker")]) == 1
        assert len(lines) <= 4
        await hub.faults.accept()
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        await eventually(lambda: engine.snapshot().connections[0].trouble is None, "trouble over")
        assert any(line.text.startswith("connected after ") for line in engine.log().lines)


async def test_a_stable_connection_hastens_the_others_of_its_host(hub: Hub) -> None:
    patient = replace(
        FAST,
        reconnect_base_delay=0.2,
        reconnect_max_delay=60.0,
        circuit_breaker_threshold=1,
        circuit_breaker_timeout=60.0,
        stable_after=0.1,
    )
    with running(
        connection("waits", hub.url, options=patient), connection("recovers", hub.url, options=FAST)
    ) as engine:
        await eventually(lambda: state_of(engine, "waits") == "connected", "up")
        hub.faults.http_status(503)
        hub.faults.drop_all()
        await eventually(
            lambda: engine.snapshot().connections[0].metrics.is_circuit_open,
            "its breaker is open for a minute",
        )
        await hub.faults.clear()
        await eventually(lambda: state_of(engine, "recovers") == "connected", "the other one is back")
        await eventually(lambda: state_of(engine, "waits") == "connected", "hastened", limit=5)


async def test_log_pages_go_on_where_the_last_one_ended(hub: Hub) -> None:
    with running(connection("stage", hub.url, "stream:overlays")) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        await engine.disconnect("stage")
        await eventually(lambda: len(engine.log().lines) >= 2, "lines")
        first = engine.log(after=0, limit=1)
        assert len(first.lines) == 1
        rest = engine.log(after=first.next_cursor)
        assert rest.lines
        assert rest.lines[0].cursor == first.next_cursor + 1
        end = engine.log(after=rest.next_cursor)
        assert not end.lines
        assert end.next_cursor == rest.next_cursor


async def test_heartbeats_go_on_while_whoever_shows_them_stands_still(hub: Hub) -> None:
    with running(connection("stage", hub.url)) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        # The hub needs this loop; a raw server in a thread answers while the loop is held.
        ready, port = threading.Event(), []

        def serve() -> None:
            async def main() -> None:
                async with Hub() as other:
                    port.append(other.url)
                    ready.set()
                    await asyncio.sleep(6)

            asyncio.run(main())

        threading.Thread(target=serve, daemon=True).start()
        ready.wait(5)
        with running(connection("held", port[0])) as held:
            await eventually(lambda: state_of(held, "held") == "connected", "connected")
            answered = held.snapshot().connections[0].metrics.last_heartbeat
            assert answered is not None
            time.sleep(2)  # noqa: ASYNC251 (the face's loop, held on purpose)
            now = held.snapshot().connections[0].metrics
            assert now.heartbeat_failures == 0
            assert now.connection_state == "connected"
            assert now.last_heartbeat is not None
            assert now.last_heartbeat > answered + 1


async def test_the_end_comes_in_time_though_the_server_hangs(hub: Hub) -> None:
    engine = Supervisor([connection("stage", hub.url)])
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
    hub.faults.freeze()
    watch = Stopwatch()
    engine.stop()
    await eventually(engine.ended.is_set, "ended", limit=5)
    assert watch.seconds < 2.5
    snapshot = engine.snapshot()
    assert snapshot.stopped == "it was asked to stop"
    assert (await engine.connect("stage")).message == "the engine is not running"
    hub.faults.thaw()


async def test_json_lines_tell_every_change_the_first_included(hub: Hub) -> None:
    lines: list[str] = []
    with running(
        connection("stage", hub.url, "stream:overlays"),
        reporters=[JsonLines(lines.append)],
        report_interval=0.3,
    ):
        await eventually(lambda: any('"metrics"' in line for line in lines), "a report")
    objects = [json.loads(line) for line in lines]
    states = [each for each in objects if each["type"] == "state"]
    assert [(each["oldState"], each["newState"]) for each in states] == [
        ("disconnected", "connecting"),
        ("connecting", "connected"),
        ("connected", "disconnected"),
    ]
    assert set(states[0]) == {"type", "connection", "oldState", "newState", "error", "timestamp"}
    report = next(each for each in objects if each["type"] == "metrics")
    assert set(report["metrics"]) == {
        "connectionState",
        "reconnectAttempts",
        "totalReconnects",
        "failedReconnects",
        "successfulConnects",
        "heartbeatFailures",
        "circuitBreakerTrips",
        "lastHeartbeat",
        "isCircuitOpen",
    }
    heartbeat = report["metrics"]["lastHeartbeat"]
    assert isinstance(heartbeat, int)
    assert abs(heartbeat / 1000 - time.time()) < 60


async def test_extra_commands_are_offered_and_run(hub: Hub) -> None:
    class Faults:
        ran: list[str] = []  # noqa: RUF012 (a test's own record)

        def commands(self) -> list[ExtraCommand]:
            return [ExtraCommand(id="drop", label="drop all", help="Drops every connection.")]

        async def run(self, command: str) -> CommandResult:
            self.ran.append(command)
            return CommandResult(ok=True, message="dropped")

        def notice(self) -> str:
            return "DEMO"

    with running(connection("stage", hub.url), plugin_commands=Faults()) as engine:
        await eventually(lambda: engine.snapshot().notice == "DEMO", "the notice")
        assert [each.id for each in engine.extra_commands()] == ["drop"]
        assert (await engine.run_extra("drop")).message == "dropped"
        assert Faults.ran == ["drop"]


def test_a_reporter_that_fails_stops_the_engine_loudly(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def state_changed(self, name: str, change: StateChange) -> None:
            pass

        def report(self, snapshot: Snapshot) -> None:
            raise OSError("no room")

    engine = Supervisor([], reporters=[Broken()], report_interval=0.01)
    with pytest.raises(OSError, match="no room"):
        engine.run()
    assert engine.snapshot().stopped == "OSError: no room"
    assert "the engine stopped" in caplog.text


async def test_a_port_that_nobody_serves_is_no_reason_to_stop() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(connection("nobody", f"ws://127.0.0.1:{port}/socket", "a:b")) as engine:
        await eventually(lambda: state_of(engine, "nobody") == "failed", "breaker open")
        face: Engine = engine
        channel = face.snapshot().connections[0].channels[0]
        assert (channel.state, channel.reason) == ("errored", "not connected")


async def test_new_settings_touch_only_what_changed(hub: Hub) -> None:
    same = connection("same", hub.url, "stream:overlays")
    gone = connection("gone", hub.url)
    moved = connection("moved", hub.url)
    topics = connection("topics", hub.url, "events:all", "stream:queue")
    with running(same, gone, moved, topics) as engine:
        await eventually(
            lambda: (
                [each.metrics.connection_state for each in engine.snapshot().connections] == ["connected"] * 4
            ),
            "connected",
        )
        await eventually(lambda: hub.joins["stream:queue"] == 1, "joined")
        result = await engine.apply(
            [
                connection("same", hub.url, "stream:overlays"),
                replace(moved, options=replace(FAST, params={"id": "moved"})),
                connection("topics", hub.url, "events:all", "dashboard:main"),
                connection("new", hub.url, "events:chat"),
            ]
        )
        assert result.message == (
            "settings reloaded: added new, removed gone, replaced moved, changed topics"
        )
        await eventually(lambda: hub.joins["dashboard:main"] == 1, "the new topic is joined")
        await eventually(lambda: hub.joins["events:chat"] == 1, "the new connection joined")
        await eventually(lambda: "stream:queue" not in hub.topics(), "the old topic is left")
        await eventually(
            lambda: (
                [each.name for each in engine.snapshot().connections] == ["same", "moved", "topics", "new"]
            ),
            "published",
        )
        untouched = {each.name: each for each in engine.snapshot().connections}
        assert untouched["same"].metrics.successful_connects == 1
        assert untouched["topics"].metrics.successful_connects == 1
        assert hub.joins["events:all"] == 1
        again = await engine.apply([connection("same", hub.url, "stream:overlays")])
        assert again.message == "settings reloaded: removed moved topics new"
        unchanged = await engine.apply([connection("same", hub.url, "stream:overlays")])
        assert unchanged.message == "settings reloaded: nothing changed"
        await eventually(lambda: len(hub.connections) == 1, "the others are closed")


def test_an_engine_that_cannot_publish_any_more_says_why_in_its_last_snapshot() -> None:
    class Broken:
        def commands(self) -> list[ExtraCommand]:
            return []

        async def run(self, command: str) -> CommandResult:
            return CommandResult(ok=False, message="")

        def notice(self) -> str:
            raise RuntimeError("no notice")

    engine = Supervisor([], plugin_commands=Broken())
    with pytest.raises(RuntimeError, match="no notice"):
        engine.run()
    assert engine.ended.is_set()
    assert engine.snapshot().stopped == "RuntimeError: no notice"


async def test_a_removed_connection_ends_without_the_words_of_a_trouble(hub: Hub) -> None:
    with running(connection("kept", hub.url), connection("gone", hub.url)) as engine:
        await eventually(lambda: state_of(engine, "gone") == "connected", "connected")
        await engine.apply([connection("kept", hub.url)])
        texts = [(line.connection, line.text) for line in engine.log().lines]
        assert ("gone", "disconnected") not in texts
        assert (None, "settings reloaded: removed gone") in texts


async def test_a_reply_comes_back_whole_and_as_json(hub: Hub) -> None:
    with running(connection("stage", hub.url, "stream:overlays")) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        await eventually(lambda: engine.snapshot().connections[0].channels[0].joins, "joined")
        result = await engine.push("stage", "stream:overlays", "ping", {})
        assert json.loads(result.message)["data"]["pong"] is True


async def test_a_source_is_away_as_long_though_the_clock_is_set(hub: Hub) -> None:
    clock = SetClock()
    source = SourceOptions(connection="hub", topic="events:all")
    alerts = AlertOptions(sources=(source,), delivery=None)
    with running(connection("hub", hub.url, "events:all"), clock=clock, alerts=alerts) as engine:

        def away() -> tuple[SourceAway, ...]:
            found = engine.snapshot().alerts
            return () if found is None else found.away

        await eventually(lambda: state_of(engine, "hub") == "connected" and not away(), "there")
        hub.faults.refuse()
        hub.faults.drop_all()
        await eventually(away, "away")
        clock.ahead = -7200.0
        await eventually(lambda: 0 <= clock.time() - away()[0].since < 60, "since then still")


class SetClock:
    """The machine's clocks, of which a test sets the one on the wall."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.ahead = 0.0

    def monotonic(self) -> float:
        return self._real.monotonic()

    def time(self) -> float:
        return self._real.time() + self.ahead


async def test_a_clock_that_is_set_is_told_once_and_moves_the_moments_that_last(hub: Hub) -> None:
    clock = SetClock()
    with running(connection("hub", hub.url, "echo:1"), clock=clock) as engine:
        await eventually(lambda: state_of(engine, "hub") == "connected", "connected")

        async def told(step: float, words: str) -> None:
            before = engine.snapshot()
            clock.ahead += step

            def lines() -> int:
                return sum(words in line.text for line in engine.log(0, 1000).lines)

            await eventually(lambda: lines() == 1, "told")
            await eventually(lambda: engine.snapshot().sequence > before.sequence + 2, "published since")
            after = engine.snapshot()
            assert lines() == 1
            assert after.started_at == pytest.approx(before.started_at + step, abs=1)
            since = after.connections[0].details.since
            assert since == pytest.approx(before.connections[0].details.since + step, abs=1)
            assert 0 <= after.taken_at - since < 60

        await told(-7200.0, "set back by 2 h 0 min")
        await told(3 * 365 * 86_400.0, "set ahead by 1095 d 0 h")
