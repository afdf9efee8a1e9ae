"""A replay shows what was on the screen then, and nothing that nobody knows."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.replay import SimulatedRecording, record
from tests.engine.conftest import connection as link
from tests.engine.conftest import eventually, running, state_of
from tests.scripted_engine import ScriptedEngine, connection, ended, evening_alerts, incident
from tui.alerts.alert import TEST_SOURCE, TESTS
from tui.channels import Socket, StateChange
from tui.channels.inspector import InspectedFrame, Inspector
from tui.demo.hub import Hub
from tui.engine.api import (
    AlertCommand,
    AlertSummary,
    CommandResult,
    ConnectionHistory,
    ConnectionSnapshot,
    FrameContent,
    FramePage,
    IncidentSnapshot,
    IncidentsSnapshot,
    LogLine,
    Snapshot,
    Timeline,
)
from tui.engine.history import DAY, HOUR, History
from tui.engine.known import is_present
from tui.model.events import (
    AlertEnded,
    Event,
    IncidentChanged,
    RunStarted,
    RunStopped,
    SettingsReloaded,
    StateChanged,
)
from tui.replay.controls import Replay
from tui.replay.differences import DifferenceError, applied, difference
from tui.replay.engine import ReplayEngine
from tui.replay.from_journal import JournalSource
from tui.replay.from_recording import RecordingSource
from tui.replay.journal_links import NOT_KNOWN
from tui.replay.opening import ReplayError, open_replay
from tui.replay.recorder import FRAMES_WAITING, Recorder
from tui.replay.spells import Spell, Spells
from tui.secret_names import masked, masked_text
from tui.store.journal import DayFiles, Entry, Journal
from tui.store.recorded import Recorded
from tui.store.recording import FOLDER_NAME, Recording, RecordingFiles

BEGIN = 1_800_000_000.0 // 60 * 60


class MovedClock:
    """Both readings, moved by hand."""

    def __init__(self, now: float = BEGIN) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now - BEGIN

    def time(self) -> float:
        return self.now


class Run(NamedTuple):
    """A run of the engine on a hub with faults: what it published, and where that is on record."""

    folder: Path
    published: list[Snapshot]
    lines: tuple[LogLine, ...]
    history: ConnectionHistory


async def _run_with_faults(folder: Path) -> Run:
    recorder = Recorder(Recording(RecordingFiles(folder / FOLDER_NAME)))
    journal = Journal(folder)
    published: list[Snapshot] = []
    async with Hub() as hub:
        links = (
            link("stage", hub.url, "stream:overlays", "stream:queue"),
            link("events", hub.url, "events:all"),
        )
        with running(*links, reporter=recorder, journal=journal) as engine:
            recorder.start(engine)

            def seen(name: str, state: str, least: float = 0.0) -> Callable[[], bool]:
                def look() -> bool:
                    snapshot = engine.snapshot()
                    if not published or published[-1].sequence != snapshot.sequence:
                        published.append(snapshot)
                    return state_of(engine, name) == state and snapshot.taken_at >= least

                return look

            async def later(name: str, state: str) -> None:
                await at_once(name, state)
                # Long enough for the recorder to look.
                await eventually(seen(name, state, engine.snapshot().taken_at + 0.3), "published on")

            async def at_once(name: str, state: str) -> None:
                await eventually(seen(name, state), f"{name} {state}")

            await at_once("stage", "connected")
            await later("events", "connected")
            await engine.disconnect("events")
            await later("events", "disconnected")
            hub.faults.refuse()
            hub.faults.drop_all()
            await later("stage", "failed")
            await hub.faults.accept()
            await later("stage", "connected")
            hub.faults.refuse_join("events:all")
            await engine.connect("events")
            await at_once("events", "connected")
            lines = engine.log(0, 500).lines
            history = await engine.history("stage")
            assert isinstance(history, ConnectionHistory)
            # What is written within a second must be there though the end is never reached.
            await eventually(seen("stage", "connected", engine.snapshot().taken_at + 0.4), "published on")
    assert recorder.close(5)
    assert (recorder.lost, recorder.trouble) == (0, None)
    assert journal.close(5)
    return Run(folder, published, lines, history)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(_run_with_faults(tmp_path_factory.mktemp("run")))


def states(snapshot: Snapshot | None) -> tuple[tuple[str, str], ...]:
    connections = () if snapshot is None else snapshot.connections
    return tuple((each.name, each.metrics.connection_state) for each in connections)


def test_what_was_on_the_screen_then_is_what_the_recording_shows_field_by_field(run: Run) -> None:
    source = RecordingSource(run.folder)
    recorded = 0
    states_compared = set()
    for then in run.published:
        shown = source.shown(then.taken_at).snapshot
        if shown is None:
            # Before the recorder's first look.
            assert not recorded
            continue
        if shown.taken_at != then.taken_at:
            # It shows the one before: one that was published, and not long ago.
            assert then.taken_at - 2 < shown.taken_at < then.taken_at
            assert states(shown) in {states(each) for each in run.published if each.taken_at <= then.taken_at}
            continue
        recorded += 1
        states_compared.add(states(then))
        assert without_passing_time(shown) == without_passing_time(then)
        for ours, theirs in zip(shown.connections, then.connections, strict=True):
            assert ours.details.time_in_state == pytest.approx(theirs.details.time_in_state, abs=0.06)
    assert recorded >= 6
    words = {dict(each)["stage"] + " " + dict(each)["events"] for each in states_compared}
    assert words >= {"connected connected", "connected disconnected", "failed disconnected"}


def without_passing_time(snapshot: Snapshot) -> Snapshot:
    return msgspec.structs.replace(
        snapshot,
        sequence=0,
        connections=tuple(
            msgspec.structs.replace(each, details=msgspec.structs.replace(each.details, time_in_state=0.0))
            for each in snapshot.connections
        ),
    )


async def test_the_log_and_the_past_are_there_as_well_and_the_end_says_why(run: Run) -> None:
    replay = open_replay(run.folder, run.lines[-1].timestamp + 0.5)
    assert replay.position().source == "recording"
    assert [msgspec.structs.replace(each, cursor=0, kind="state") for each in replay.log(0, 500).lines] == [
        msgspec.structs.replace(each, cursor=0, kind="state") for each in run.lines
    ]
    history = await replay.history("stage")
    assert isinstance(history, ConnectionHistory)
    assert history.states == run.history.states
    assert history.settings == run.history.settings
    await replay.seek(math.inf)
    assert replay.snapshot().stopped == "it was asked to stop"


async def test_every_line_of_the_log_is_stepped_to_and_shows_on_the_screen(run: Run) -> None:
    replay = open_replay(run.folder, run.published[0].taken_at - 60)
    await replay.seek(-math.inf)
    seen = []
    while (done := await replay.step()).ok:
        seen.append(done.message)
        if "stage failed" in done.message:
            assert dict(states(replay.snapshot()))["stage"] == "failed"
        if "events disconnected" in done.message and "stage" not in done.message:
            assert (
                dict(states(replay.snapshot()))["events"] == "disconnected" or len(seen) > len(run.lines) - 1
            )
    assert done.message == "there is no later line of the log"
    texts = [f"{each.connection} {each.text}" for each in run.lines]
    assert [message[20:] for message in seen[: len(texts)]] == texts
    back = [seen[-1]]
    while (done := await replay.step(-1)).ok:
        back.append(done.message)
    assert back == seen[::-1]


def steady(each: ConnectionSnapshot) -> str:
    state = each.metrics.connection_state
    return each.trouble.state if each.trouble and state not in ("connected", "disconnected") else state


def test_from_the_journal_alone_come_states_reasons_and_strips_and_no_other_figure(run: Run) -> None:
    source = JournalSource(run.folder, run.published[-1].taken_at)
    compared = set()
    times = [each.timestamp for each in run.lines]
    for then in run.published:
        if any(abs(then.taken_at - each) < 0.06 for each in times):
            continue  # the line and the snapshot of a change are not of the very same moment
        shown = source.shown(then.taken_at).snapshot
        assert shown is not None
        for ours, theirs in zip(by_name(shown), by_name(then), strict=True):
            assert (ours.name, steady(ours)) == (theirs.name, steady(theirs))
            assert ours.metrics.successful_connects == theirs.metrics.successful_connects
            assert ours.metrics.total_reconnects == theirs.metrics.total_reconnects
            if ours.trouble and theirs.trouble:
                assert ours.trouble.words == theirs.trouble.words
                assert ours.trouble.since == theirs.trouble.since
                assert ours.trouble.circuit_open == theirs.trouble.circuit_open
            assert all(abs(a - b) <= 1 for a, b in zip(digits(ours), digits(theirs), strict=True))
            assert known_fields_only(ours)
            compared.add(steady(ours))
    assert compared >= {"connected", "disconnected", "failed"}
    # A join that the last snapshot happens to fall into is no line of the journal.
    last = next(each for each in reversed(run.published) if by_name(each)[0].channels[0].state != "joining")
    shown = source.shown(last.taken_at).snapshot
    assert shown is not None
    topics = {each.topic: (each.state, each.reason) for each in by_name(shown)[0].channels}
    topics_then = {each.topic: (each.state, each.reason) for each in by_name(last)[0].channels}
    assert topics == topics_then
    assert topics["events:all"][0] == "errored"


def by_name(snapshot: Snapshot) -> list[ConnectionSnapshot]:
    return sorted(snapshot.connections, key=lambda each: each.name)


def digits(each: ConnectionSnapshot) -> list[int]:
    assert len(each.hour) == 60
    return [int(digit) if digit.isdigit() else {"o": 20, "?": 30}[digit] for digit in each.hour]


def known_fields_only(each: ConnectionSnapshot) -> bool:
    blank = connection_with_nothing(each.name)
    for part, ours, theirs in (
        ("connections", each, blank),
        ("metrics", each.metrics, blank.metrics),
        ("details", each.details, blank.details),
    ):
        for name in ours.__struct_fields__:
            if f"{part}.{name}" in NOT_KNOWN and getattr(ours, name) != getattr(theirs, name):
                return False
    return True


def connection_with_nothing(name: str) -> ConnectionSnapshot:
    return msgspec.convert(
        {"name": name, "label": "", "address": "", "metrics": {}, "details": {}}, ConnectionSnapshot
    )


async def test_a_replay_can_be_asked_for_nothing(run: Run) -> None:
    replay: Replay = open_replay(run.folder, run.lines[2].timestamp)
    refused = CommandResult(ok=False, message="this is a replay: nothing can be done")
    for asked in (
        replay.connect(),
        replay.reconnect("stage"),
        replay.disconnect(None),
        replay.push("stage", "stream:overlays", "ping", {}),
        replay.set_debug(True),
        replay.acknowledge("1"),
        replay.alerts(AlertCommand(verb="panic")),
        replay.run_extra("x"),
    ):
        assert await asked == refused
    assert replay.extra_commands() == ()


# Recorded from what a test has the engine say ------------------------------------------------------


class Scripted:
    """A recorder on a scripted engine, on a clock that is moved by hand."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.clock = MovedClock()
        self.folder = folder
        self.files = RecordingFiles(
            folder / FOLDER_NAME, now=lambda: self.clock.now, sync=lambda descriptor: None
        )
        self.recording = SimulatedRecording(self.files)
        self.recorder = Recorder(self.recording)
        self.engine = ScriptedEngine(
            [connection(name, at=BEGIN) for name in names], clock=lambda: self.clock.now
        )

    def go_on(self, seconds: float) -> None:
        until = self.clock.now + seconds
        with ThreadPoolExecutor(1) as thread:
            while self.clock.now < until:
                thread.submit(self.recorder.look, self.engine).result()
                self.clock.now += 0.25

    def open(self, at: float | None = None) -> ReplayEngine:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self.recorder.look, self.engine, last=True).result()
        self.recording.flush()
        return open_replay(self.folder, at, clock=self.clock)


async def test_a_time_that_was_not_recorded_is_not_taken_for_known(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(40)
    run.clock.now += 600
    run.go_on(40)
    replay = run.open(BEGIN + 20)
    assert is_present(replay.snapshot(), replay.now())
    assert replay.snapshot().notice == f"REPLAY {when(BEGIN + 20)}, paused"
    await replay.seek(BEGIN + 300)
    shown = replay.snapshot()
    assert not is_present(shown, replay.now())
    assert shown.waiting == f"nothing is recorded from {when(BEGIN + 39.75)} to {when(BEGIN + 640)}"
    assert shown.connections, "what was last known is there, as something old"
    await replay.seek(BEGIN + 641)
    assert is_present(replay.snapshot(), replay.now())
    # One that is looked at by the present's clock is called silent, not present.
    assert not is_present(replay.snapshot(), BEGIN + 100_000)
    gaps = [each for each in await replay.marks(BEGIN, BEGIN + 700) if each.kind == "gap"]
    assert [(round(each.begin - BEGIN), round(each.end - BEGIN)) for each in gaps] == [(40, 640)]


def when(timestamp: float) -> str:
    from tui.replay.source import moment

    return moment(timestamp)


async def test_playing_goes_on_at_its_speed_over_gaps_and_stops_at_the_end(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(60)
    run.clock.now += 3600
    run.go_on(20)
    replay = run.open(BEGIN)
    assert not (await replay.play(7)).ok
    assert (await replay.play(10)).ok
    run.clock.now += 3
    replay.advance()
    assert replay.position().at == BEGIN + 30
    assert replay.snapshot().taken_at == replay.now() == BEGIN + 30
    assert (await replay.play(60)).ok
    run.clock.now += 0.6
    replay.advance()
    assert replay.position().at == pytest.approx(BEGIN + 3660, abs=1)
    assert replay.position().playing
    run.clock.now += 1
    replay.advance()
    end = replay.position()
    assert not end.playing
    assert end.at == end.end == pytest.approx(BEGIN + 3680, abs=0.3)
    assert (await replay.play()).message == "this is the end"
    await replay.seek(BEGIN + 5)
    await replay.play()
    run.clock.now += 1
    await replay.pause()
    run.clock.now += 5
    replay.advance()
    assert replay.position().at == BEGIN + 5


async def test_incidents_are_gone_to_with_what_happened_before_them(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage", "events")
    run.go_on(400)
    run.engine.write("reconnecting: 1012 service restart", "events")
    run.recorder.frame("events", frame(1, run.clock.now, b'{"n":1}'))
    run.go_on(5)
    opened = run.clock.now
    run.engine.open_incident(incident("7", subject="events", words="breaker open", opened_at=opened))
    run.engine.write("failed: breaker open", "events", "error")
    run.go_on(30)
    run.engine.incidents = IncidentsSnapshot()
    run.go_on(30)
    replay = run.open(BEGIN + 1)
    found = await replay.next_incident()
    assert found.ok
    assert "incident: events: breaker open" in found.message
    assert replay.position().at == pytest.approx(opened, abs=1)
    assert [each.id for each in replay.snapshot().incidents.open] == ["7"]
    assert (await replay.next_incident()).message == "there is no later incident"
    timeline = await replay.timeline("7")
    assert isinstance(timeline, Timeline)
    told = [(each.kind, each.text) for each in timeline.entries]
    assert ("state", "reconnecting: 1012 service restart") in told
    assert ("frame", "in events:chat chat_message, 60 bytes") in told
    await replay.seek(math.inf)
    assert replay.snapshot().incidents.open == ()
    assert (await replay.previous_incident()).ok
    assert replay.position().at == pytest.approx(opened, abs=1)
    assert not (await replay.previous_incident()).ok
    kinds = {each.kind for each in await replay.marks(BEGIN, run.clock.now)}
    assert kinds == {"incident", "error"}


def frame(cursor: int, timestamp: float, payload: bytes, **changes: Any) -> InspectedFrame:
    values: dict[str, Any] = {
        "cursor": cursor,
        "timestamp": timestamp,
        "direction": "in",
        "topic": "events:chat",
        "event": "chat_message",
        "ref": None,
        "join_ref": None,
        "size": 60,
        "binary": False,
        "payload": payload,
        "cut": False,
    }
    return InspectedFrame(**values | changes)


async def test_frames_are_shown_up_to_the_moment_and_anew_after_going_back(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage", "events")
    for number in range(1, 41):
        run.recorder.frame("events", frame(number, run.clock.now + 0.2, b'{"n":%d}' % number))
        run.recorder.frame("stage", frame(number, run.clock.now + 0.2, b"\x00\xff", binary=True))
        run.go_on(1)
    replay = run.open(BEGIN + 20.5)

    async def page(after: int, limit: int = 200) -> FramePage:
        found = await replay.frames("events", after, limit)
        assert isinstance(found, FramePage)
        return found

    def numbers(found: FramePage) -> list[int]:
        return [msgspec.json.decode(each.preview)["n"] for each in found.frames]

    await replay.seek(BEGIN + 20.1)
    assert numbers(await page(0)) == list(range(1, 21))
    await replay.seek(BEGIN + 20.5)
    first = await page(0)
    assert numbers(first) == list(range(1, 22))
    assert numbers(await page(0, 5)) == [17, 18, 19, 20, 21]
    assert await page(first.next_cursor) == FramePage(frames=(), next_cursor=first.next_cursor)
    await replay.seek(BEGIN + 30.5)
    more = await page(first.next_cursor, 4)
    assert numbers(more) == [28, 29, 30, 31]
    assert more.missed == 6
    content = await replay.frame("events", more.frames[0].cursor)
    assert isinstance(content, FrameContent)
    assert (content.payload, content.cut) == ('{"n":28}', False)
    assert isinstance(await replay.frame("stage", more.frames[0].cursor), CommandResult)
    binary = await replay.frames("stage", 0, 1)
    assert isinstance(binary, FramePage)
    assert (binary.frames[0].preview, binary.frames[0].binary) == ("00ff", True)
    await replay.seek(BEGIN + 3.5)
    gone_back = await page(more.next_cursor)
    assert gone_back.next_cursor < more.next_cursor
    assert numbers(await page(0)) == [1, 2, 3, 4]
    assert not isinstance(await replay.frames("nobody"), FramePage)


async def test_the_log_goes_back_with_the_time(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    for number in range(50):
        run.engine.write(f"line {number}", "stage")
        run.go_on(10)
    replay = run.open(BEGIN + 300)
    first = replay.log(0, 500)
    assert [each.text for each in first.lines] == [f"line {number}" for number in range(31)]
    jumps = replay.position().jumps
    await replay.seek(BEGIN + 315)
    assert [each.text for each in replay.log(first.next_cursor, 500).lines] == ["line 31"]
    await replay.seek(BEGIN + 100)
    assert replay.position().jumps == jumps + 2
    back = replay.log(first.next_cursor, 500)
    assert back.lines == ()
    assert back.next_cursor < first.next_cursor
    assert len(replay.log(0, 500).lines) == 11


@pytest.fixture(scope="module")
def long_evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evening")
    record(folder, seconds=150.0, links=3, frames_per_second=4)
    return folder


@settings(max_examples=25, deadline=None)
@given(moments=st.lists(st.floats(-5, 160), min_size=1, max_size=8))
def test_a_moment_looks_the_same_however_one_came_to_it(long_evening: Path, moments: list[float]) -> None:
    source = RecordingSource(long_evening)
    for moment in moments:
        at = 1_800_000_000.0 + moment
        fresh = RecordingSource(long_evening)
        assert source.shown(at) == fresh.shown(at)
        assert source.lines() == fresh.lines()


def test_what_a_lost_change_leaves_unknown_is_unknown_until_the_next_whole_snapshot(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    for _ in range(40):
        run.engine.replace("stage", messages_per_second_in=run.clock.now - BEGIN)
        run.go_on(1)
    run.open()
    (path,) = (tmp_path / FOLDER_NAME).iterdir()
    recorded = Recorded(path)
    spoilt = next(each for each in recorded.forward(0, 0) if each.header.begin >= BEGIN + 10)
    data = bytearray(path.read_bytes())
    data[spoilt.offset + spoilt.header.length - 9] ^= 0xFF
    path.write_bytes(data)
    source = RecordingSource(path)
    for second in range(40):
        shown = source.shown(BEGIN + second + 0.6)
        if second < 10 or second >= 30:
            assert shown.missing is None, second
            assert shown.snapshot is not None
            assert shown.snapshot.connections[0].messages_per_second_in == second
        elif second > 11:
            assert shown.snapshot is None
            assert shown.missing == "what was shown is not on record until the next whole snapshot"
    assert source.spoilt == "1 blocks of the recording cannot be read"


def test_after_a_loss_the_next_snapshot_is_whole(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(5)
    run.recording.dropped += 1
    run.engine.replace("stage", label="another")
    run.go_on(1)
    run.recording.flush()
    lines = [each for block in Recorded(tmp_path).forward(0, 0) for each in Recorded(tmp_path).lines(block)]
    assert sum(each.startswith(b'{"kind":"whole"') for each in lines) == 2


def test_frames_that_come_too_fast_are_counted_and_told(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    for number in range(FRAMES_WAITING + 7):
        run.recorder.frame("stage", frame(number, BEGIN, b"{}"))
    run.recorder.look(run.engine)
    run.recording.flush()
    assert run.recorder.lost == 7
    recorded = Recorded(tmp_path)
    lines = [each for block in recorded.forward(0, 0) for each in recorded.lines(block)]
    lost = [msgspec.json.decode(each) for each in lines if each.startswith(b'{"kind":"lost"')]
    assert [(each["lines"], each["because"]) for each in lost] == [(7, "frames came too fast")]


def test_a_change_of_state_is_looked_at_when_it_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.replay.recorder.LOOK_EVERY", 60.0)
    looked = threading.Event()

    class Looked(ScriptedEngine):
        def snapshot(self) -> Snapshot:
            looked.set()
            return super().snapshot()

    recorder = Recorder(Recording(RecordingFiles(tmp_path / FOLDER_NAME)))
    recorder.start(Looked([connection("stage")]))
    assert not looked.is_set()
    change = StateChange(old_state="connected", new_state="failed", error=None, timestamp=BEGIN)
    recorder.state_changed("stage", change)
    assert looked.wait(10)
    assert recorder.close(5)
    assert recorder.lost == 0


def test_an_engine_that_cannot_be_read_ends_the_recording_and_says_so(tmp_path: Path) -> None:
    class Broken(ScriptedEngine):
        def snapshot(self) -> Snapshot:
            raise RuntimeError("no more")

    recorder = Recorder(Recording(RecordingFiles(tmp_path / FOLDER_NAME)))
    recorder.start(Broken())
    assert recorder.close(5)
    assert recorder.trouble == "the recording ended: RuntimeError: no more"


async def test_a_real_join_leaves_no_secret_in_the_recording(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    async with Hub() as hub:
        socket = Socket(hub.url)
        socket.inspector = Inspector()
        channel = socket.channel("stream:overlays", {"token": "hunter2", "nested": {"any": "hunter2"}})
        channel.join()
        socket.connect()
        await eventually(lambda: channel.state == "joined", "joined")
        await channel.push("ping", {"apiKey": "hunter2", "say": "hello"})
        for each in socket.inspector.after(0, 1000):
            run.recorder.frame("stage", each._replace(timestamp=BEGIN))
        await socket.close()
    run.engine.replace(
        "stage",
        channels=(
            msgspec.structs.replace(run.engine.connections[0].channels[0], last_text='{"auth":"hunter2'),
        ),
    )
    replay = run.open()
    page = await replay.frames("stage")
    assert isinstance(page, FramePage)
    assert [each.preview for each in page.frames if each.event == "ping"] == [
        '{"apiKey":"***","say":"hello"}'
    ]
    recorded = Recorded(tmp_path)
    lines = b"".join(each for block in recorded.forward(0, 0) for each in recorded.lines(block))
    assert b"hello" in lines
    assert b"phx_join" in lines
    assert b"hunter2" not in lines


# Pieces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ('{"access_token" : "x\\"y", "author":"me"}', '{"access_token" : "***", "author":"me"}'),
        ('{"key":"volume","keyboard":"de"}', '{"key":"volume","keyboard":"de"}'),
        ('{"stream_key":"x","X-Auth":"x","Password":12.5}', None),
        ('{"token":"never ends', '{"token":"***"'),
        ('{"inner":"{\\"secret\\":\\"x\\\\\\"y\\",\\"n\\":\\"n\\"}"}', None),
        ('{"a":"it has a \\"token\\": or not"}', '{"a":"it has a \\"token\\": or not"}'),
    ],
)
def test_what_travels_under_a_secret_name_is_masked(payload: str, kept: str | None) -> None:
    found = masked_text(payload)
    if kept is not None:
        assert found == kept
    else:
        assert "x" not in found.replace("X-Auth", "")
        assert "12.5" not in found
        msgspec.json.decode(found)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
        # No name that chance makes of these letters is that of a secret.
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz_é 0", max_size=5), inner, max_size=4)
        ),
    )
)
def test_what_holds_no_secret_is_left_as_it_is(value: Any) -> None:
    payload = msgspec.json.encode({"author": value, "key": "k", "monkey": value})
    assert msgspec.json.decode(masked(payload)) == msgspec.json.decode(payload)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from("<>ab"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("0abc<>"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_a_difference_makes_the_one_of_the_other(before: Any, after: Any) -> None:
    copy = msgspec.json.decode(msgspec.json.encode(before))
    change = msgspec.json.decode(msgspec.json.encode(difference(before, after)))
    assert applied(before, change) == after
    assert before == copy


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=3), st.integers(0, 8))
def test_a_list_that_moves_on_is_told_by_what_came(items: list[int], came: list[int], went: int) -> None:
    for after in ([*items[went:], *came], [*came, *items[: len(items) - went]]):
        assert applied(items, difference(items, after)) == after
    long = list(range(100))
    assert difference(long, [*long[1:], 100]) == [">", 1, 100]
    assert difference(long, [100, *long[:-1]]) == ["<", 99, 100]


@given(JSON, JSON)
def test_a_difference_of_something_else_is_refused_or_makes_some_value(value: Any, change: Any) -> None:
    with contextlib.suppress(DifferenceError):
        applied(value, change)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["connected", "reconnecting", "failed", "disconnected"]), st.integers(1, 900)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(CHANGES, st.integers(0, 59))
def test_the_strip_and_the_shares_are_those_that_the_engine_reckons(
    changes: list[tuple[Any, int]], offset: int
) -> None:
    clock = MovedClock(BEGIN + offset)
    live, ours = History(clock), Spells()
    for state, seconds in changes:
        live.changed(StateChange(old_state="connecting", new_state=state, error=None, timestamp=clock.now))
        ours.add(Spell(clock.now, state))
        for _ in range(seconds):
            clock.now += 1
            live.hour()
    assert ours.hour(clock.now) == live.hour()
    for minutes in (5, HOUR, DAY):
        share = live.availability(minutes)
        assert ours.availability(clock.now, minutes).share == pytest.approx(share.share)
        assert ours.availability(clock.now, minutes).observed == pytest.approx(share.observed)


# The journal ---------------------------------------------------------------------------------------


def keep(folder: Path, *entries: tuple[float, str | None, Event | None]) -> None:
    """Write a journal: seconds since the beginning, connection, event; a mark without one."""
    moment = BEGIN
    files = DayFiles(folder / "journal", now=lambda: moment)
    for seconds, name, event in entries:
        moment = BEGIN + seconds
        is_error = isinstance(event, IncidentChanged)
        entry = Entry(
            timestamp=moment,
            kind="alive" if event is None else "alert" if isinstance(event, AlertEnded) else "state",
            text="" if event is None else type(event).__name__,
            connection=name,
            severity="error" if is_error else "info",
            event=event,
        )
        files.write(msgspec.json.encode(entry) + b"\n")
    files.close()


def state(old: Any, new: Any, reason: str | None = None) -> StateChanged:
    return StateChanged(old=old, new=new, reason=reason)


def test_runs_stops_and_reloads_are_told_by_the_journal_and_nothing_is_known_in_between(
    tmp_path: Path,
) -> None:
    keep(
        tmp_path,
        (0, None, RunStarted()),
        (1, "stage", state("connecting", "connected")),
        (1, "old", state("connecting", "connected")),
        (60, None, SettingsReloaded(added=("new",), removed=("old",), changed=("stage",))),
        (63, "new", state("connecting", "connected")),
        (70, None, RunStopped()),
        (500, None, RunStarted()),
        (502, "stage", state("connecting", "reconnecting", "refused by saya:7175")),
        (530, None, None),
        (2000, None, RunStarted()),
        (2001, "stage", state("connecting", "connected")),
    )
    source = JournalSource(tmp_path, BEGIN + 2002)

    def at(seconds: float) -> tuple[dict[str, str], str | None]:
        shown = source.shown(BEGIN + seconds)
        return dict(states(shown.snapshot)), shown.missing

    assert at(-1)[1] is not None
    # It was begun with the run, and not connected before it said so.
    assert at(0.5) == ({"stage": "connecting", "old": "connecting"}, None)
    assert at(30) == ({"stage": "connected", "old": "connected"}, None)
    assert at(61) == ({"stage": "connected", "new": "connecting"}, None)
    assert at(65) == ({"stage": "connected", "new": "connected"}, None)
    assert at(300)[1] == f"not running from {when(BEGIN + 70)} to {when(BEGIN + 500)}: it had been stopped"
    assert at(505) == ({"stage": "reconnecting"}, None)
    assert "it was killed, or the machine went" in (at(1000)[1] or "")
    assert at(2001.5) == ({"stage": "connected"}, None)
    gaps = [each for each in source.marks(BEGIN, BEGIN + 2002, 100) if each.kind == "gap"]
    assert [(each.begin - BEGIN, each.end - BEGIN) for each in gaps] == [(70, 500), (530, 2000)]
    strip = source.shown(BEGIN + 2001.5).snapshot
    assert strip is not None
    # 33 minutes: the first run, its gap, the second and its gap, and the present one.
    assert strip.connections[0].hour[-34:] == "78" + "?" * 6 + "0" + "?" * 24 + "2"


def test_alerts_come_from_the_journal_as_they_ended_whatever_they_are_called(tmp_path: Path) -> None:
    def alert(
        id: str, type: str, who: str, outcome: Any, reason: str | None = None, **more: Any
    ) -> AlertEnded:
        known = {"accepted_at": BEGIN, "ended_at": BEGIN + 5, "state": "ended", **more}
        return AlertEnded(
            alert=AlertSummary(id=id, type=type, who=who, outcome=outcome, reason=reason, **known)
        )

    keep(
        tmp_path,
        (0, None, RunStarted()),
        (5, None, alert("1", "big raid", "bob", "unconfirmed")),
        (6, None, alert("2", "follow", "zed: shown", "failed", "the hub said: rejected")),
        (7, None, alert("3", "follow", "zed", "shown", source=TEST_SOURCE)),
        (8, None, alert("1", "big raid", "bob", "shown")),
    )
    shown = JournalSource(tmp_path, BEGIN + 60).shown(BEGIN + 30).snapshot
    assert shown is not None
    alerts = shown.alerts
    assert alerts is not None
    assert [(each.type, each.who, each.outcome, each.reason) for each in alerts.recent] == [  # type: ignore[union-attr]
        ("follow", "zed", "shown", None),
        ("follow", "zed: shown", "failed", "the hub said: rejected"),
        ("big raid", "bob", "shown", None),
    ]
    assert alerts.counts == {"big raid": {"shown": 1}, "follow": {"failed": 1}, TESTS: {"shown": 1}}


async def test_incidents_come_from_the_journal_and_none_outlives_the_run_that_told_of_it(
    tmp_path: Path,
) -> None:
    def incident(change: Any, id: str, subject: str, words: str, **more: Any) -> IncidentChanged:
        known = {"severity": "warning", "opened_at": BEGIN + 10, "updated_at": BEGIN + 10, **more}
        return IncidentChanged(
            change=change,
            incident=IncidentSnapshot(id=id, rule="breaker_open", subject=subject, words=words, **known),
        )

    quiet = "stage stream:overlays: of all"
    seen = {"acknowledged_at": BEGIN + 15}
    keep(
        tmp_path,
        (0, None, RunStarted()),
        (10, "stage", incident("opened", "1", "stage", "5 refusals")),
        (12, None, incident("opened", "2", quiet, "nothing for 60 s", opened_at=BEGIN + 12)),
        (15, "stage", incident("acknowledged", "1", "stage", "5 refusals", **seen)),
        (20, "stage", incident("resolved", "1", "stage", "5 refusals", resolved_at=BEGIN + 20)),
        (30, "stage", incident("reopened", "1", "stage", "5 refusals more", times=2)),
        (50, None, RunStopped()),
        (60, None, RunStarted()),
    )
    replay = open_replay(tmp_path, BEGIN + 1, clock=MovedClock(BEGIN + 61))

    async def at(seconds: float) -> list[tuple[str, str, bool, int]]:
        await replay.seek(BEGIN + seconds)
        opened = replay.snapshot().incidents.open
        return [(each.subject, each.words, each.acknowledged_at is not None, each.times) for each in opened]

    silent = (quiet, "nothing for 60 s", False, 1)
    assert await at(5) == []
    assert await at(16) == [("stage", "5 refusals", True, 1), silent]
    assert await at(25) == [silent]
    (resolved,) = replay.snapshot().incidents.resolved
    assert (resolved.opened_at, resolved.resolved_at) == (BEGIN + 10, BEGIN + 20)
    assert await at(31) == [("stage", "5 refusals more", False, 2), silent]
    assert await at(60.5) == []
    gone_to = []
    while (await replay.previous_incident()).ok:
        gone_to.append(replay.now() - BEGIN)
    assert gone_to == [30, 12, 10]


def test_lines_of_an_older_version_are_left_out_and_it_says_so(tmp_path: Path) -> None:
    keep(tmp_path, (0, None, RunStarted()), (1, "stage", state("connecting", "connected")))
    (file,) = (tmp_path / "journal").iterdir()
    older = b'{"timestamp":%d,"kind":"state","text":"connected","connection":"ghost"}\n' % (BEGIN - 9)
    file.write_bytes(older * 3 + file.read_bytes())
    source = JournalSource(tmp_path, BEGIN + 5)
    shown = source.shown(BEGIN + 2).snapshot
    assert [name for name, _ in states(shown)] == ["stage"]
    assert source.spoilt == "3 lines of an older version are left out"


async def test_the_outcomes_on_record_are_paged(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.engine.alerts_value = evening_alerts(
        at=BEGIN, recent=tuple(ended(str(number), at=BEGIN - number) for number in range(9))
    )
    run.go_on(3)
    replay = run.open()
    page = await replay.alert_history(limit=4)
    assert not isinstance(page, CommandResult)
    assert page.next_before == "3"
    rest = await replay.alert_history(limit=100, before=page.next_before)
    assert not isinstance(rest, CommandResult)
    assert [each.id for each in (*page.alerts, *rest.alerts)] == [str(n) for n in range(9)]  # type: ignore[union-attr]
    assert rest.next_before is None
    assert not isinstance(await replay.alert("3"), FrameContent)


# Opening -------------------------------------------------------------------------------------------


def test_of_a_state_folder_the_recording_is_taken_where_there_is_one_else_the_journal(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.clock.now += 1000
    run.go_on(20)
    run.open()
    keep(
        tmp_path,
        (0, None, RunStarted()),
        (1, "stage", state("connecting", "connected")),
        *((float(second), None, None) for second in range(60, 1200, 60)),
    )
    (file,) = (tmp_path / FOLDER_NAME).iterdir()

    def source(path: Path, seconds: float | None) -> str:
        at = None if seconds is None else BEGIN + seconds
        replay = open_replay(path, at, clock=run.clock)
        assert at is None or replay.now() == pytest.approx(at, abs=1000)
        return replay.position().source

    assert source(tmp_path, 1010) == "recording"
    assert source(tmp_path, 500) == "journal"
    assert source(tmp_path, None) == "recording"
    run.clock.now += 20_000
    # Beyond the recording's end, where the journal goes on; the recording ended hours before it.
    assert source(tmp_path, 1100) == "journal"
    assert source(tmp_path, -500) == "journal"
    for hour in range(1, 4):
        keep(tmp_path, (hour * 3600.0, None, None))
    assert source(tmp_path, None) == "journal"
    assert source(tmp_path / FOLDER_NAME, 500) == "recording"
    assert source(file, None) == "recording"
    assert source(tmp_path / "journal", None) == "journal"
    notice = open_replay(tmp_path, BEGIN + 500, clock=run.clock).snapshot().notice
    assert notice == f"REPLAY {when(BEGIN + 500)}, paused, from the journal: most figures are not known"


def test_a_short_recording_opens_on_what_was_on_the_screen(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(20)
    run.open()
    for at in (None, BEGIN - 3600):
        replay = open_replay(tmp_path, at, clock=run.clock)
        assert replay.position().missing is None
        assert [each.name for each in replay.snapshot().connections] == ["stage"]


async def test_a_time_beyond_the_ends_is_told(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(20)
    replay = run.open(BEGIN + 5)
    assert (await replay.seek(BEGIN + 10)).message == when(BEGIN + 10)
    late = (await replay.seek(BEGIN + 7200)).message
    assert late.endswith(f", the end: nothing is known of {when(BEGIN + 7200)}")
    early = (await replay.seek(BEGIN - 7200)).message
    assert early.endswith(f", the beginning: nothing is known of {when(BEGIN - 7200)}")


async def test_what_cannot_be_read_of_a_recording_is_told(tmp_path: Path) -> None:
    run = Scripted(tmp_path, "stage")
    run.go_on(60)
    run.open()
    (file,) = (tmp_path / FOLDER_NAME).iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(2 * len(data) // 3 - len(data) // 3)
    file.write_bytes(data)
    replay = open_replay(tmp_path, BEGIN + 30, clock=run.clock)
    position = replay.position()
    assert position.spoilt is not None
    assert position.spoilt.endswith("of the recording cannot be read")
    assert position.missing is not None
    assert position.missing.startswith("nothing can be read from ")


def test_where_there_is_nothing_to_replay_it_says_so(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.jsonl.gz"
    garbage.write_bytes(b"\x1f\x8b\x08\x04" * 1000)
    empty = tmp_path / "state"
    empty.mkdir()
    for path, words in (
        (tmp_path / "nowhere", "there is no such file or folder"),
        (empty, "it holds neither a recording nor a journal"),
        (garbage, "the recording holds nothing that can be read"),
    ):
        with pytest.raises(ReplayError) as raised:
            open_replay(path)
        assert str(raised.value) == f"{path}: {words}"
