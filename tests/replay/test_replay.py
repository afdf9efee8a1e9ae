"""A replay shows what was on the screen then, and nothing that nobody knows."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.conftest import connection as link
from tests.engine.conftest import eventually, running, state_of
from tui.channels import StateChange
from tui.channels.inspector import InspectedFrame
from tui.connections.frames import content_of
from tui.connections.history import History
from tui.connections.minutes import DAY, HOUR
from tui.demo.hub import Hub
from tui.model.alerts import TEST_SOURCE, TESTS, AlertCommand, AlertSummary
from tui.model.events import (
    AlertEnded,
    ConnectionFigures,
    Event,
    FrameSeen,
    IncidentChanged,
    MinuteFigures,
    RunStarted,
    RunStopped,
    SettingsReloaded,
    StateChanged,
)
from tui.model.incidents import IncidentSnapshot
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ConnectionSnapshot,
    FrameContent,
    FramePage,
    LogLine,
    Snapshot,
)
from tui.replay.engine import ReplayEngine, ReplayError, open_replay
from tui.replay.from_journal import JournalSource
from tui.replay.journal_links import NOT_KNOWN, Interval, StateIntervals
from tui.store.journal import DayFiles, Entry, Journal
from tui.text.secret_names import masked

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
    journal = Journal(folder)
    published: list[Snapshot] = []
    async with Hub() as hub:
        links = (
            link("stage", hub.url, "stream:overlays", "stream:queue"),
            link("events", hub.url, "events:all"),
        )
        with running(*links, journal=journal) as engine:

            def seen(name: str, state: str, least: float = 0.0) -> Callable[[], bool]:
                def look() -> bool:
                    snapshot = engine.snapshot()
                    if not published or published[-1].sequence != snapshot.sequence:
                        published.append(snapshot)
                    return state_of(engine, name) == state and snapshot.taken_at >= least

                return look

            async def later(name: str, state: str) -> None:
                await at_once(name, state)
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
    assert journal.close(5)
    return Run(folder, published, lines, history)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(_run_with_faults(tmp_path_factory.mktemp("run")))


def states(snapshot: Snapshot | None) -> tuple[tuple[str, str], ...]:
    connections = () if snapshot is None else snapshot.connections
    return tuple((each.name, each.metrics.connection_state) for each in connections)


async def test_every_line_of_the_log_is_stepped_to_and_shows_on_the_screen(run: Run) -> None:
    replay = open_replay(run.folder, run.published[0].taken_at - 60)
    await replay.seek(-math.inf)
    seen = []
    while (done := await replay.step()).ok:
        seen.append(done.message)
        if "stage failed" in done.message:
            assert dict(states(replay.snapshot()))["stage"] == "failed"
        if done.message.endswith("events disconnected"):
            assert dict(states(replay.snapshot()))["events"] == "disconnected"
    assert done.message == "there is no later line of the log"
    texts = [f"{each.connection} {each.text}" for each in run.lines]
    assert len(texts) > 5
    stepped = iter(message[20:] for message in seen)
    # What was told to the journal alone stands in between.
    assert all(text in stepped for text in texts)
    back = [seen[-1]]
    while (done := await replay.step(-1)).ok:
        back.append(done.message)
    # The first line stands where one begins.
    assert back[: len(seen)] == seen[::-1]


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
                assert ours.trouble.message == theirs.trouble.message
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
    replay = open_replay(run.folder, run.lines[2].timestamp)
    refused = CommandResult(ok=False, message="this is a replay: nothing can be done")
    for asked in (
        replay.connect(None),
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


def when(timestamp: float) -> str:
    from tui.replay.values import moment

    return moment(timestamp)


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
    found = masked(payload.encode()).decode()
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
    live, ours = History(clock), StateIntervals()
    for state, seconds in changes:
        live.changed(StateChange(old_state="connecting", new_state=state, error=None, timestamp=clock.now))
        ours.add(Interval(clock.now, state))
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
    assert strip.connections[0].hour[-34:] == "88" + "?" * 6 + "0" + "?" * 24 + "8"


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
    assert [(each.type, each.who, each.outcome, each.reason) for each in alerts.recent] == [  # type: ignore[union-attr]  # there is a queue
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
            incident=IncidentSnapshot(id=id, rule="breaker_open", subject=subject, message=words, **known),
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
        return [(each.subject, each.message, each.acknowledged_at is not None, each.times) for each in opened]

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


async def test_lines_of_an_older_version_are_left_out_and_it_says_so(tmp_path: Path) -> None:
    keep(tmp_path, (0, None, RunStarted()), (1, "stage", state("connecting", "connected")))
    (file,) = (tmp_path / "journal").iterdir()
    older = b'{"timestamp":%d,"kind":"state","text":"connected","connection":"ghost"}\n' % (BEGIN - 9)
    file.write_bytes(older * 3 + file.read_bytes())
    source = JournalSource(tmp_path, BEGIN + 5)
    assert [name for name, _ in states(source.shown(BEGIN + 2).snapshot)] == ["stage"]
    assert source.left_out == 3
    engine = ReplayEngine(source)
    notice = engine.snapshot().notice
    assert notice is not None
    assert "3 lines of the journal left out" in notice


# Opening -------------------------------------------------------------------------------------------


async def test_a_time_beyond_the_ends_is_told(tmp_path: Path) -> None:
    keep(tmp_path, (0, None, RunStarted()), (20, None, None))
    replay = open_replay(tmp_path, BEGIN + 5, clock=MovedClock(BEGIN + 20))
    assert (await replay.seek(BEGIN + 10)).message == when(BEGIN + 10)
    late = (await replay.seek(BEGIN + 7200)).message
    assert late.endswith(f", the end: nothing is known of {when(BEGIN + 7200)}")
    early = (await replay.seek(BEGIN - 7200)).message
    assert early.endswith(f", the beginning: nothing is known of {when(BEGIN - 7200)}")


def test_where_there_is_nothing_to_replay_it_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "state"
    empty.mkdir()
    for path, words in ((tmp_path / "nowhere", "there is no such folder"), (empty, "it holds no journal")):
        with pytest.raises(ReplayError) as raised:
            open_replay(path)
        assert str(raised.value) == f"{path}: {words}"


async def test_figures_are_those_of_the_minute_and_frames_are_there_when_they_were_kept(
    tmp_path: Path,
) -> None:
    def frame(number: int) -> FrameSeen:
        seen = InspectedFrame(
            cursor=number,
            timestamp=BEGIN + number,
            direction="in",
            topic="t",
            event="e",
            ref=None,
            join_ref=None,
            size=9,
            binary=False,
            payload=b'{"n":%d,"token":"hush"}' % number,
            cut=False,
        )
        return FrameSeen(content=content_of(seen))

    figures = ConnectionFigures(
        name="stage", rate_in=0.5, details={"messages_in": 7, "round_trip_last": 0.01}
    )
    keep(
        tmp_path,
        (0, None, RunStarted()),
        (1, "stage", state("connecting", "connected")),
        *((10.0 + number, "stage", frame(number)) for number in range(9)),
        (60, None, MinuteFigures(connections=(figures,), alerts={"accepted": 3})),
        (90, None, None),
    )
    replay = open_replay(tmp_path, BEGIN + 30, clock=MovedClock(BEGIN + 100))
    assert "details.messages_in" in replay.position().not_known
    page = await replay.frames("stage", 0, 4)
    assert isinstance(page, FramePage)
    content = await replay.frame("stage", page.frames[-1].cursor)
    assert isinstance(content, FrameContent)
    assert '"n":8' in content.payload
    assert "hush" not in content.payload
    assert not (await replay.frames("stage", page.next_cursor)).frames  # type: ignore[union-attr]  # the link is known
    await replay.seek(BEGIN + 13)
    assert len((await replay.frames("stage")).frames) == 4  # type: ignore[union-attr]  # the link is known
    await replay.seek(BEGIN + 70)
    (stage,) = replay.snapshot().connections
    assert (stage.details.messages_in, stage.details.round_trip_last) == (7, 0.01)
    assert stage.messages_per_second_in == 0.5
    assert "details.messages_in" not in replay.position().not_known
    alerts = replay.snapshot().alerts
    assert alerts is not None
    assert alerts.accepted == 3


async def test_playing_goes_on_at_its_speed_over_gaps_and_stops_at_the_end(tmp_path: Path) -> None:
    keep(
        tmp_path,
        (0, None, RunStarted()),
        (60, None, RunStopped()),
        (3600, None, RunStarted()),
        (3620, None, None),
    )
    clock = MovedClock(BEGIN + 3620)
    replay = open_replay(tmp_path, BEGIN + 0, clock=clock)
    assert not (await replay.play(7)).ok
    assert (await replay.play(10)).ok
    for passed, at in ((1, 10), (4, 50), (2, 3600), (1, 3610), (1, 3620)):
        clock.now += passed
        replay.advance()
        assert replay.now() - BEGIN == pytest.approx(at)
    assert not replay.position().playing
    assert not (await replay.play()).ok
