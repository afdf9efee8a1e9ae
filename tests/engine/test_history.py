"""What is kept of a connection's past, on a clock that a test moves."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tests.engine.conftest import FAST, PATIENCE, connection, eventually, running, state_of
from tui.channels import StateChange
from tui.connections.history import KEPT_STATES, History
from tui.connections.minutes import DAY, HOUR
from tui.demo.hub import Hub
from tui.model.history import Minute
from tui.model.snapshot import Availability, CommandResult, ConnectionHistory, FrameContent, FramePage
from tui.runtime.resources import restore_past
from tui.store.journal import Journal

MIDNIGHT = 1_800_000_000.0 // 60 * 60


class MovedClock:
    """Both readings, moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.wall_offset = 0.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return MIDNIGHT + self.passed + self.wall_offset


class Watched:
    """A history that is looked at as often as the engine looks."""

    def __init__(self, state: Any = "connected") -> None:
        self.clock = MovedClock()
        self.history = History(self.clock)
        self.change(state)

    def change(self, state: Any, before: Any = "connecting") -> None:
        change = StateChange(old_state=before, new_state=state, error=None, timestamp=self.clock.time())
        self.history.changed(change)

    def wait(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, 1.0)
            self.clock.passed += step
            seconds -= step
            self.history.hour()


def test_an_hour_of_being_connected_is_unbroken() -> None:
    watched = Watched()
    watched.wait(3700)
    assert watched.history.hour() == "8" * 60
    assert watched.history.availability(HOUR).share == 1.0


def test_what_was_not_observed_is_not_claimed() -> None:
    watched = Watched()
    watched.wait(90)
    assert watched.history.hour() == "?" * 58 + "88"
    day = watched.history.availability(DAY)
    assert (day.share, day.observed) == (1.0, pytest.approx(90))


def test_a_millisecond_away_is_seen_for_an_hour() -> None:
    watched = Watched()
    watched.wait(600)
    watched.change("reconnecting")
    watched.clock.passed += 0.001
    watched.change("connected")
    watched.wait(3000)
    assert watched.history.hour().count("7") == 1
    share = watched.history.availability(HOUR).share
    assert share is not None
    assert 0.999 < share < 1.0


def test_time_asked_to_be_disconnected_counts_for_nothing() -> None:
    watched = Watched()
    watched.wait(60)
    watched.change("disconnected")
    watched.wait(120)
    assert watched.history.hour()[-3:] == "8oo" or watched.history.hour()[-4:] == "8oo?"
    assert watched.history.availability(HOUR).share == 1.0
    watched.change("reconnecting")
    watched.wait(60)
    assert watched.history.availability(HOUR).share == pytest.approx(0.5)


@pytest.mark.parametrize("before", ["disconnected", "connected"])
def test_a_first_attempt_counts_for_nothing(before: Any) -> None:
    watched = Watched("disconnected")
    watched.change("connecting", before)
    watched.wait(20)
    assert watched.history.availability(5).share is None
    watched.change("connected")
    watched.wait(20)
    assert watched.history.hour()[-1] == "8"
    assert watched.history.availability(5).share == 1.0


@pytest.mark.parametrize("before", ["reconnecting", "failed"])
def test_an_attempt_to_come_back_is_time_away(before: Any) -> None:
    watched = Watched()
    watched.wait(20)
    watched.change("connecting", before)
    watched.wait(20)
    assert watched.history.availability(5).share == pytest.approx(0.5)


def test_a_machine_that_slept_did_not_observe() -> None:
    watched = Watched()
    watched.wait(60)
    watched.clock.passed += 600
    watched.wait(60)
    assert watched.history.hour()[-12:].count("?") >= 9
    assert watched.history.availability(HOUR).observed == pytest.approx(120, abs=1.5)


def test_a_wall_clock_that_jumps_breaks_nothing() -> None:
    watched = Watched()
    watched.wait(120)
    watched.clock.wall_offset = -7200
    watched.wait(120)
    watched.clock.wall_offset = 7200
    watched.wait(120)
    assert len(watched.history.hour()) == 60
    assert watched.history.availability(DAY).share == 1.0


def test_an_unchanged_strip_is_the_same_object() -> None:
    watched = Watched()
    watched.wait(70)
    before = watched.history.hour()
    watched.clock.passed += 1
    assert watched.history.hour() is before


def test_the_last_hundred_changes_are_kept() -> None:
    watched = Watched()
    for _ in range(150):
        watched.change("reconnecting")
        watched.wait(2)
    assert len(watched.history.states) == KEPT_STATES
    assert watched.history.states[-1].before == pytest.approx(2)


@given(
    st.lists(
        st.tuples(st.sampled_from(["connected", "reconnecting", "failed"]), st.floats(0, 200)), max_size=20
    )
)
@REPLAYED
def test_availability_is_what_a_plain_sum_gives(steps: list[tuple[Any, float]]) -> None:
    watched = Watched("failed")
    connected = total = 0.0
    for state, seconds in steps:
        watched.change(state)
        watched.wait(seconds)
        total += seconds
        connected += seconds if state == "connected" else 0.0
    found = watched.history.availability(DAY)
    assert found.observed == pytest.approx(total, abs=1e-3)
    if total > 0.01:
        assert found.share == pytest.approx(connected / total, abs=1e-3)


# In the engine


async def test_the_engine_keeps_a_history_and_a_replaced_connection_goes_on_with_it(hub: Hub) -> None:
    class Setting:
        key, text, source = "connections.stage.url", '"ws://x"', "config.toml:3"

    with running(connection("stage", hub.url), effective=[Setting()]) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        history = await engine.history("stage")
        assert isinstance(history, ConnectionHistory)
        assert [entry.state for entry in history.states] == ["connecting", "connected"]
        assert len(history.round_trips) >= 1
        assert [(each.key, each.source) for each in history.settings] == [("url", "config.toml:3")]
        assert engine.snapshot().connections[0].hour[-1] == "8"
        replaced = connection("stage", hub.url + "/", options=FAST)
        await engine.apply([replaced])
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected again")
        history = await engine.history("stage")
        assert isinstance(history, ConnectionHistory)
        assert len(history.states) >= 4
        unknown = await engine.history("nope")
        assert isinstance(unknown, CommandResult)
        assert "there are: stage" in unknown.message


async def test_frames_are_recorded_from_the_first_question_on_and_secrets_are_masked(hub: Hub) -> None:
    settings = connection("stage", hub.url, "stream:overlays")
    secret = type(settings.topics[0])("room:1", {"token": "hunter2", "seats": [1, {"deep": "hunter2"}]})
    settings = type(settings)("stage", hub.url, (*settings.topics, secret), FAST)
    with running(settings) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        first = await engine.frames("stage")
        assert isinstance(first, FramePage)
        assert first.frames == ()
        await engine.reconnect("stage")
        cursor, frames = 0, []
        for _ in range(100):
            page = await engine.frames("stage", cursor, 1000)
            assert isinstance(page, FramePage)
            frames += page.frames
            cursor = page.next_cursor
            if any(each.event == "stream_state" for each in frames):
                break
            await engine.push("stage", "stream:overlays", "ping", {})
        events = {(each.direction, each.event) for each in frames}
        assert {
            ("out", "heartbeat"),
            ("in", "phx_reply"),
            ("out", "phx_join"),
            ("in", "stream_state"),
        } <= events
        joins = [each for each in frames if each.event == "phx_join" and each.topic == "room:1"]
        assert joins
        for each in joins:
            content = await engine.frame("stage", each.cursor)
            assert isinstance(content, FrameContent)
            assert "hunter2" not in content.payload + each.preview
            assert content.payload == '{"token":"***","seats":["***",{"deep":"***"}]}'
        gone = await engine.frame("stage", 10**9)
        assert isinstance(gone, CommandResult)


def strip_of(minutes: dict[int, float], present: int) -> History:
    """A history at ``present`` whose last run was connected for so many seconds of each of these minutes."""
    clock = MovedClock()
    clock.passed = present * 60.0 - MIDNIGHT + 30
    history = History(clock)
    history.restore([Minute(number, 60.0, well) for number, well in minutes.items()])
    return history


def test_what_an_earlier_run_saw_goes_on_in_the_strip() -> None:
    now = int(MIDNIGHT // 60) + 100
    history = strip_of({now - 3: 60.0, now - 2: 30.0, now + 5: 60.0}, now)
    change = StateChange(old_state="connecting", new_state="connected", error=None, timestamp=0.0)
    history.changed(change)
    assert history.hour()[-4:-1] == "84?"
    assert len(history.hour()) == 60
    assert history.availability(5).observed == pytest.approx(120)


def test_a_minute_shared_by_two_runs_is_one() -> None:
    now = int(MIDNIGHT // 60) + 100
    history = strip_of({now: 0.0}, now)
    assert history.hour()[-1] == "0"
    assert [each.number for each in history.kept()] == [now]


async def test_a_strip_and_its_shares_outlive_the_run(hub: Hub, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with running(connection("stage", hub.url), journal=journal) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
    assert journal.close(5)
    journal = Journal(tmp_path)
    with running(connection("stage", "ws://127.0.0.1:9/socket/websocket"), journal=journal) as engine:
        restore_past(engine, journal)

        async def observed() -> Availability:
            history = await engine.history("stage")
            assert isinstance(history, ConnectionHistory)
            return history.last_5_minutes

        # This run never connects: whatever time was well is the run's before.
        deadline = time.monotonic() + PATIENCE
        while ((await observed()).share or 0.0) == 0.0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    assert journal.close(5)
