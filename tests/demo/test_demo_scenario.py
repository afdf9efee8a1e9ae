"""The staged faults: what is told, what happens, and that nothing of it outlives the end."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import get_args

import pytest
from plain_client import eventually

from tui.cli import main as cli
from tui.demo.dialect import DialectName
from tui.demo.scenario import FAULTS, HANG_UP, SCHEDULE, Scenario, Stage, demo_hubs
from tui.runtime.demo_host import DemoHost


async def test_connections_can_be_made_from_what_it_says(client):
    with DemoHost("plain", staged=False) as host:
        connections = host.connections()
        names = {settings.name for settings in connections}
        assert names == {"stage", "dashboard", "events", "phononmaser_in", "seed_events"}
        assert {settings.url for settings in connections} == {hub.url for hub in host.scenario.hubs.values()}
        for settings in connections:
            peer = await client(to=settings)
            for ref, topic in enumerate(settings.topics):
                await peer.send(str(ref), str(ref), topic.topic, "phx_join", {})
                while (frame := await peer.until("phx_reply"))[2] != topic.topic:
                    pass
                assert frame[4]["status"] == "ok"
            assert settings.label
            assert settings.options.circuit_breaker_threshold == 3
            await peer.websocket.close()


@pytest.mark.parametrize("dialect", get_args(DialectName))
async def test_in_every_dialect_the_demonstration_is_told_what_its_hub_tells(client, dialect, tmp_path):
    """Topics, reports and pages of its settings are those that its hubs have something to say on."""
    with DemoHost(dialect, staged=False) as host:
        scenario = host.scenario
        hub = scenario.hubs["hub"]
        await eventually(lambda: all(page.joined for page in scenario.pages.values()))
        if hub.landale is not None:
            tracked = [] if dialect == "old" else sorted(scenario.pages)
            assert sorted(hub.landale.pages()) == tracked
        topics = {each.name: {topic.topic for topic in each.topics} for each in host.connections()}
        (delivery,) = host.alerts(tmp_path).delivery.overlays
        assert scenario.pages[delivery].is_open
        reports = host.services().reports
        assert all(each.topic in topics[each.connection] for each in reports)
        told = [each for each in reports if each.kind == "hub"]
        assert bool(told) == (dialect != "old")
        for report in told:
            peer = await client(to=hub)
            await peer.join(report.topic)
            await peer.send("1", "ask", report.topic, "get_telemetry", {})
            frame = await peer.until("telemetry_update")
            assert set(frame[4]["services"]) == {"obs", "twitch", "phononmaser", "seed"}
            named = {each["name"] for each in frame[4]["overlays"] if each["connected"]}
            assert named == (set() if dialect == "new" else set(scenario.pages))
            await peer.websocket.close()


def test_the_command_line_knows_every_dialect():
    assert get_args(DialectName) == cli._DIALECTS


async def test_nothing_is_kept_of_connections_that_are_gone(client):
    """A demonstration may run for weeks, and its staged faults cost it a link every second."""
    async with Scenario(demo_hubs(seed=1), schedule=()) as scenario:
        hub = scenario.hubs["saya"]
        peer = await client(to=hub)
        await peer.send("1", "1", "events:all", "phx_join", {})
        await peer.until("phx_reply")
        (connection,) = map(weakref.ref, hub.connections)
        await peer.websocket.close()
        await eventually(lambda: not hub.connections)
        await eventually(lambda: gc.collect() >= 0 and connection() is None)


async def test_a_round_goes_through_every_stage(client):
    asked = []

    async def command(verb, name):
        asked.append((verb, name))

    scenario = Scenario(demo_hubs(seed=1), command=command, pace=0.02)
    assert scenario.notice == "DEMO: faults are staged; next: hub restart"
    told = set()
    async with scenario:
        async with asyncio.timeout(10):
            while len(told) < 2 * len(SCHEDULE) or not asked:
                told.add(scenario.next_words)
                if {f"next: {stage.label}" for stage in SCHEDULE} <= told and len(asked) >= 2:
                    break
                await asyncio.sleep(0)
        assert asked[:2] == [("disconnect", "dashboard"), ("connect", "dashboard")]
        assert all(hub.stops <= 3 for hub in scenario.hubs.values())
    assert not any(hub.running for hub in scenario.hubs.values())


async def test_a_round_lasts_about_half_a_minute():
    waited = 0.0

    class Counting(Scenario):
        async def wait(self, seconds):
            nonlocal waited
            waited += seconds

    async def command(verb, name):
        pass

    scenario = Counting(demo_hubs(), command=command, pace=0)
    for hub in scenario.hubs.values():
        await hub.start()
    for stage in SCHEDULE:
        await scenario.wait(stage.pause)
        await stage.act(scenario)
    await scenario.stop()
    assert 20 < waited + 0.8 < 36


async def test_faults_are_fired_by_name(client):
    async with Scenario(demo_hubs(seed=1), schedule=()) as scenario:
        hub = scenario.hubs["hub"]
        peer = await client(to=hub)
        await scenario.trigger("drop")
        assert await peer.closed() == 1006
        await scenario.trigger("refuse")
        with pytest.raises(ConnectionRefusedError):
            await client(to=hub)
        await scenario.trigger("clear")
        await eventually(lambda: hub.listening)
        with pytest.raises(ValueError, match="no fault is called 'nonsense'"):
            await scenario.trigger("nonsense")
        # One that takes its time does not hold up who asked for it, nor the end.
        await scenario.trigger("restart")
        await eventually(lambda: not hub.running)


def test_commands_have_words_and_unique_ids():
    scenario = Scenario(demo_hubs())
    commands = scenario.commands()
    assert len({command.id for command in commands}) == len(commands) >= len(FAULTS)
    assert commands[0].id == SCHEDULE[0].id
    assert all(command.label and command.help for command in commands)
    assert len({command.label for command in commands}) == len(commands)


async def test_a_stage_that_fails_is_passed_over(caplog):
    async def fail(scenario):
        raise ZeroDivisionError

    reached = asyncio.Event()

    async def reach(scenario):
        reached.set()

    stages = [Stage("a", "first", "", 0.01, fail), Stage("b", "second", "", 0.01, reach)]
    async with Scenario(demo_hubs(), schedule=stages):
        await asyncio.wait_for(reached.wait(), 5)
    assert "the stage a of the demonstration failed" in caplog.text


async def test_without_a_command_nobody_is_disconnected():
    stages = [stage for stage in SCHEDULE if stage.id == HANG_UP]
    scenario = Scenario(demo_hubs(), schedule=[*stages, Stage("end", "end", "", 0.01, _nothing)], pace=0.1)
    async with scenario:
        await eventually(lambda: scenario.next_words.endswith("end"))


async def test_unstaged_nothing_happens_but_what_is_asked_for():
    reached = []

    async def reach(scenario):
        reached.append(scenario.notice)

    async with Scenario(
        demo_hubs(), schedule=[Stage("a", "first", "", 0.0, reach)], staged=False
    ) as scenario:
        calm = scenario.notice
        assert "no fault by itself" in calm
        for _ in range(20):  # turns of the loop: the first stage has no pause, and would have begun
            await asyncio.sleep(0)
        assert reached == []
        await scenario.trigger("a")
        await eventually(lambda: reached != [])
        assert "now: first" in reached[0]
        await eventually(lambda: scenario.notice == calm)


async def _nothing(scenario):
    pass
