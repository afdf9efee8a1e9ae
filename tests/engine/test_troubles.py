"""What fails again and again is one trouble: one entry that counts, a line a minute, one incident."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from tests.channels.virtual import World, virtual
from tests.engine.conftest import connection
from tui.channels import Options, StateChange
from tui.channels.errors import OpenError
from tui.connections.connection import SupervisedConnection
from tui.incidents.options import IncidentsOptions
from tui.incidents.rules import Memory, judge
from tui.model.snapshot import LogLine, Snapshot
from tui.store.event_log import ChangeLog

MINUTE = 60.0
LIVE = Options.preset("live")
REFUSED = OpenError("hub.test:4000 answered 403 Forbidden: token or parameters not accepted", refusal=True)


@dataclass
class Watched:
    """One supervised connection in a world of its own, and everything that is said of it."""

    world: World
    options: Options = LIVE
    events: list[StateChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = ChangeLog()
        self.connection = SupervisedConnection(
            connection("hub", "ws://hub.test:4000/socket", options=self.options),
            self.log,
            self.world.clock,
            random.Random(1),
            changed=lambda name, change: self.events.append(change),
            stable=lambda stable: None,
            opener=self.world.server.open,
        )
        self.world.sockets.append(self.connection.socket)
        self._memory = Memory()
        self.connection.start()

    @property
    def lines(self) -> list[LogLine]:
        return list(self.log.page(0, 1000).lines)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    def found(self) -> set[str]:
        """The rules by which an incident is open, or would be kept open."""
        now = self.world.clock.time()
        snapshot = Snapshot(
            sequence=1, taken_at=now, started_at=0.0, connections=(self.connection.snapshot(),)
        )
        findings = judge(snapshot, self.world.now, self._memory, IncidentsOptions())
        return {each.rule for each in findings}

    async def stable(self) -> None:
        await self.world.until(lambda: self.connection.socket.details().stable)


@virtual
@pytest.mark.parametrize("step", [-7200.0, 7200.0])
async def test_a_trouble_lasts_as_long_though_the_clock_is_set(world: World, step: float) -> None:
    watched = Watched(world)
    await watched.stable()
    world.server.refusal = REFUSED
    world.server.drop()
    await world.pass_time(10 * MINUTE)
    world.clock.wall_offset = step
    watched.connection.clock_was_set(step)
    said = len(watched.lines)
    await world.pass_time(10 * MINUTE)
    assert 9 <= len(watched.lines) - said <= 11
    trouble = watched.connection.snapshot().trouble
    assert trouble is not None
    assert world.clock.time() - trouble.since == pytest.approx(20 * MINUTE, abs=5)
    world.server.refusal = None
    await world.until(lambda: watched.texts[-1].startswith("connected after 20 min"))


@virtual
async def test_a_wrong_token_for_half_an_hour_is_one_trip_one_entry_and_a_line_a_minute(world: World) -> None:
    watched = Watched(world)
    await watched.stable()
    world.server.refusal = REFUSED
    world.server.drop()
    await world.pass_time(37 * MINUTE)
    socket = watched.connection.socket
    probes = socket.details().circuit_breaker_probes
    assert (socket.get_health_metrics().circuit_breaker_trips, probes > 500) == (1, True)
    # Lost, failed, and at most a line a minute.
    assert 37 <= len(watched.lines) <= 37 + 5
    assert watched.texts[-1].startswith("still failed after ")
    states = watched.connection.past.states
    kept = ["connecting", "connected", "reconnecting", "connecting", "failed"]
    assert [entry.state for entry in states] == kept
    assert states[-1].tries == probes
    assert states[-1].last_try is not None
    assert world.clock.time() - states[-1].last_try <= 3.1
    assert states[-1].message == f"{states[-1].reason}; {probes:,} more tries"
    # The events that programs read are all there.
    assert len(watched.events) > 2 * probes
    world.server.refusal = None
    await watched.stable()
    assert watched.texts[-1].startswith("connected after 37 min ")
    states = watched.connection.past.states
    assert [entry.state for entry in states[-2:]] == ["connecting", "connected"]
    assert states[-2].before is not None
    assert states[-2].before > 36 * MINUTE, "the trouble's entry lasted until the try that held"


@virtual
async def test_a_trouble_bears_the_time_at_which_it_came_to_each_of_its_states(world: World) -> None:
    watched = Watched(world)
    await watched.stable()
    world.server.refusal = REFUSED
    world.server.drop()
    await world.until(lambda: watched.connection.socket.state == "failed")
    lost = next(each for each in watched.events if each.new_state == "reconnecting")
    failed = watched.events[-1]
    assert failed.timestamp - lost.timestamp > 1
    for _ in range(3):
        trouble = watched.connection.snapshot().trouble
        assert trouble is not None
        assert (trouble.state, trouble.since, trouble.state_since) == (
            "failed",
            lost.timestamp,
            failed.timestamp,
        )
        await world.pass_time(MINUTE)


@virtual
async def test_a_hub_that_answers_for_a_moment_each_time_is_one_trouble_until_it_holds(world: World) -> None:
    watched = Watched(world)
    await watched.stable()
    began = len(watched.lines)
    world.server.closes_after = 1.0
    world.server.drop()
    found = set()
    while world.now < 1_000 + 30 * MINUTE:
        await world.pass_time(0.5)
        found.add(frozenset(watched.found() - {"heartbeats_unanswered", "slow_heartbeat"}))
    connects = watched.connection.socket.get_health_metrics().successful_connects
    assert connects > 300
    told = watched.texts[began:]
    assert len(told) <= 30 + 8, told[:12]
    assert sum(text.startswith("connected after") for text in told) == 1
    assert len(watched.connection.past.states) <= 8
    # From its opening on the breaker's incident is never gone.
    kept = [rules for rules in found if rules and "breaker_open" not in rules]
    assert kept == []
    world.server.closes_after = None
    await watched.stable()
    assert watched.texts[-1].startswith("connected after ")
    assert watched.connection.snapshot().trouble is None


@virtual
async def test_the_first_relapse_is_told_at_once_and_a_new_trouble_is_new(world: World) -> None:
    watched = Watched(world)
    await watched.stable()
    world.server.stop()
    await world.until(lambda: watched.connection.snapshot().metrics.is_circuit_open)
    world.server.start()
    world.server.closes_after = 2.0
    await world.until(lambda: watched.connection.socket.is_connected)
    assert watched.texts[-1].startswith("connected after ")
    since = world.now
    await world.until(lambda: not watched.connection.socket.is_connected)
    assert watched.texts[-1].startswith("still failed after ")
    assert world.now - since < 2.1
    trouble = watched.connection.snapshot().trouble
    assert trouble is not None
    assert trouble.message.startswith("circuit breaker open after 5 failures: refused by hub.test:4000")
    world.server.closes_after = None
    await watched.stable()
    world.server.drop()
    await world.settle()
    assert watched.texts[-1].startswith("reconnecting: ")
    trouble = watched.connection.snapshot().trouble
    assert trouble is not None
    assert (trouble.tries, world.clock.time() - trouble.since < 1) == (0, True)


@virtual
async def test_what_a_person_ends_or_takes_in_hand_is_over(world: World) -> None:
    watched = Watched(world)
    await watched.stable()
    world.server.closes_after = 1.0
    world.server.drop()
    await world.until(lambda: watched.connection.socket.get_health_metrics().successful_connects == 3)
    watched.connection.disconnect()
    await world.settle()
    assert watched.texts[-1].startswith("disconnected after ")
    world.server.closes_after = None
    watched.connection.connect()
    await watched.stable()
    assert watched.texts[-1] == "connected"
