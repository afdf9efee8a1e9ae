"""An engine in another process, as a face sees it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.control.conftest import serving, wait_until
from tests.control.queue_engine import QueueEngine, alert, ended, serving_queue
from tests.control.test_server import Faults
from tests.engine.conftest import connection, eventually
from tests.scripted_engine import ScriptedEngine, evening_incidents, evening_services, evening_timeline
from tui.control.publication import Publication, without_time
from tui.control.remote import RemoteEngine
from tui.demo.hub import Hub
from tui.model.alerts import AlertCommand, AlertContent, AlertsSnapshot, SourceAway
from tui.model.engine import Engine
from tui.model.incidents import Timeline
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogLine,
)


@contextmanager
def remote(path: Path) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(path)
    engine.start()
    try:
        yield engine
    finally:
        engine.close()
        assert not engine._thread.is_alive()


def state_in(engine: Engine, name: str) -> str:
    states = {each.name: each.metrics.connection_state for each in engine.snapshot().connections}
    return states.get(name, "absent")


def lines_of(engine: Engine) -> list[LogLine]:
    return list(engine.log(0, 1000).lines)


async def test_it_is_the_engine(hub: Hub, folder: Path) -> None:
    faults = Faults()
    stage = connection("stage", hub.url, "stream:overlays")
    with serving(folder, stage, plugin_commands=faults) as run, remote(run.path) as face:
        engine: Engine = face
        await eventually(lambda: engine.snapshot().waiting is None, "reached")
        await eventually(lambda: state_in(face, "stage") == "connected", "connected")
        await eventually(
            lambda: without_time(face.snapshot()) == without_time(run.engine.snapshot()), "the same snapshot"
        )
        await eventually(lambda: engine.snapshot().connections[0].channels[0].joins, "joined")
        pushed = await engine.push("stage", "stream:overlays", "ping", {"a": 1})
        assert pushed.ok
        assert "pong" in pushed.message
        history = await engine.history("stage")
        assert isinstance(history, ConnectionHistory)
        assert history.states[-1].state == "connected"
        assert isinstance(await engine.frames("stage"), FramePage)
        assert (await engine.push("stage", "stream:overlays", "ping", {})).ok
        page = await engine.frames("stage")
        assert isinstance(page, FramePage)
        pong = await engine.frame("stage", page.frames[-1].cursor)
        assert isinstance(pong, FrameContent)
        for refused in (
            await engine.history("nope"),
            await engine.frames("nope"),
            await engine.frame("stage", 0),
        ):
            assert isinstance(refused, CommandResult)
            assert not refused.ok
        assert (await engine.disconnect("stage")).ok
        await eventually(lambda: state_in(face, "stage") == "disconnected", "disconnected")
        assert (await engine.connect(None)).ok
        await eventually(lambda: state_in(face, "stage") == "connected", "connected")
        assert (await engine.reconnect("nope")) == CommandResult(
            ok=False, message="no connection nope; there are: stage"
        )
        assert (await engine.set_debug(True)).ok
        await eventually(lambda: engine.snapshot().debug, "debug")
        assert engine.extra_commands() == (ExtraCommand(id="drop", label="drop", help="Drop all."),)
        assert (await engine.run_extra("drop")).ok
        assert faults.ran == ["drop"]
        assert not (await face.reload()).ok
        await eventually(
            lambda: [line.text for line in lines_of(face)] == [line.text for line in lines_of(run.engine)],
            "the same log",
        )
        too_long = await engine.push("stage", "stream:overlays", "ping", "x" * 70_000)
        assert too_long.message.startswith("it is too long")
        unsayable = await engine.push("stage", "stream:overlays", "ping", object())
        assert unsayable.message.startswith("it cannot be said in JSON")


async def test_the_alert_queue_is_the_engines(folder: Path) -> None:
    engine = QueueEngine(AlertsSnapshot(waiting=(alert(1),)), (ended(2), SourceAway(source="s", since=1.0)))
    engine.contents[alert(1).id] = AlertContent(alert=engine.queue.waiting[0], payload='{"a":1}')
    with serving_queue(folder, engine) as path, remote(path) as face:
        await eventually(lambda: face.snapshot().alerts == engine.queue, "the same queue")
        commands = [
            AlertCommand(verb="pause"),
            AlertCommand(verb="move", id="a", position=2),
            AlertCommand(verb="clear", type=None),
            AlertCommand(verb="clear", type="sub"),
            AlertCommand(verb="mute", type="sub", seconds=60.5),
            AlertCommand(verb="test", type="raid", count=500),
        ]
        for command in commands:
            assert await face.alerts(command) == engine.answer
        assert engine.commands == commands
        with pytest.raises(ValueError, match="`remove` needs `id`"):
            AlertCommand(verb="remove")
        for unbounded in (
            AlertCommand(verb="test", type="raid", count=501),
            AlertCommand(verb="hold", seconds=float("nan")),
            AlertCommand(verb="remove", id="x" * 65),
        ):
            assert not (await face.alerts(unbounded)).ok
        assert engine.commands == commands

        page = await face.alert_history(before="0", limit=5000, alert_type="raid", outcome="shown")
        assert page == await engine.alert_history()
        assert engine.pages[0] == {
            "before": "0",
            "limit": 1000,
            "type": "raid",
            "outcome": "shown",
            "words": (),
        }
        assert await face.alert(alert(1).id) == engine.contents[alert(1).id]
        assert await face.alert("nope") == CommandResult(ok=False, message="no alert nope")


def test_a_queue_is_sent_anew_only_when_it_says_something_new() -> None:
    engine = QueueEngine(AlertsSnapshot(waiting=(alert(1), alert(2))))
    publication = Publication(engine)
    first = publication.read()
    # As the engine does it: another object at each publication.
    engine.queue = msgspec.json.decode(msgspec.json.encode(engine.queue), type=AlertsSnapshot)
    again = publication.read()
    assert again.taken_at > first.taken_at
    assert (again.number, again.line) == (first.number, first.line)
    engine.queue = msgspec.structs.replace(engine.queue, waiting=engine.queue.waiting[1:])
    assert publication.read().number == first.number + 1


async def test_commands_run_side_by_side(hub: Hub, folder: Path) -> None:
    with serving(folder, connection("stage", hub.url)) as run, remote(run.path) as face:
        await eventually(lambda: state_in(face, "stage") == "connected", "connected")
        results = await asyncio.gather(*(face.reconnect("stage") for _ in range(50)))
        assert all(result.ok for result in results)


def test_an_unchanged_engine_is_known_to_live(folder: Path) -> None:
    with serving(folder) as run, remote(run.path) as face:
        wait_until(lambda: face.snapshot().waiting is None, "reached")
        first = face.snapshot()
        wait_until(lambda: face.snapshot().taken_at > first.taken_at + 1, "a sign of life", limit=5)
        assert face.snapshot().sequence > first.sequence
        assert time.time() - face.snapshot().taken_at < 2


async def test_it_survives_the_engines_restart(hub: Hub, folder: Path) -> None:
    with remote(folder / "control.sock") as face:
        words = face.snapshot().waiting
        assert words is not None
        assert words in ("not yet reached", f"no engine is running in {folder}")
        assert await face.connect(None) == CommandResult(ok=False, message="the engine is away")
        with serving(folder, connection("stage", hub.url)) as run:
            await eventually(lambda: state_in(face, "stage") == "connected", "connected")
            assert face.info is not None
            assert face.info.started_at == run.engine.snapshot().started_at
            run.engine._changes.add(time.time(), None, "a line of the first")
            await eventually(lambda: any("of the first" in line.text for line in lines_of(face)), "its log")
        await eventually(lambda: face.snapshot().waiting is not None, "away")
        words = f"no engine is running in {folder}"
        await eventually(lambda: face.snapshot().waiting == words, "the reason")
        assert state_in(face, "stage") == "connected"  # as it was last known
        assert face.extra_commands() == ()
        assert not (await face.push("stage", "t", "e", {})).ok
        cursor = face.log(0, 1000).next_cursor
        with serving(folder, connection("events", hub.url)) as run:
            await eventually(lambda: state_in(face, "events") == "connected", "the next engine")
            run.engine._changes.add(time.time(), None, "a line of the second")
            await eventually(
                lambda: any("of the second" in line.text for line in face.log(cursor, 1000).lines), "its log"
            )
        lines = lines_of(face)
        texts = [line.text for line in lines]
        assert [line.cursor for line in lines] == list(range(1, len(lines) + 1))
        assert texts.index("a line of the first") < texts.index("a line of the second")
        assert any(text.startswith("waiting for the engine") for text in texts)
        assert any(text.startswith("another engine runs") for text in texts)


async def test_a_command_under_way_is_answered_when_the_engine_goes(folder: Path) -> None:
    class Stuck(Faults):
        async def run(self, command: str) -> CommandResult:
            await asyncio.sleep(60)
            raise AssertionError

    with remote(folder / "control.sock") as face:
        with serving(folder, plugin_commands=Stuck()) as run:
            await eventually(lambda: face.snapshot().waiting is None, "reached")
            asking = asyncio.create_task(face.run_extra("stuck"))
            await asyncio.sleep(0.2)
            assert not asking.done()
            await asyncio.to_thread(run.server.close, 5)
            result = await asyncio.wait_for(asking, 5)
        assert result == CommandResult(ok=False, message="the engine went away before it answered")


async def test_commands_may_come_from_any_loop(folder: Path) -> None:
    results: list[CommandResult] = []

    def elsewhere(face: RemoteEngine) -> None:
        results.append(asyncio.run(face.set_debug(True)))

    with serving(folder) as run, remote(run.path) as face:
        await eventually(lambda: face.snapshot().waiting is None, "reached")
        threads = [threading.Thread(target=elsewhere, args=(face,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, 5)
        assert [result.ok for result in results] == [True] * 5


def test_another_protocol_is_told(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "control.sock"))
        listening.listen()

        def answer() -> None:
            refusal = {
                "v": 1,
                "type": "refusal",
                "id": None,
                "code": "version",
                "message": "speaks version 2",
            }
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                with accepted:
                    accepted.recv(1000)
                    accepted.sendall(msgspec.json.encode(refusal) + b"\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with remote(folder / "control.sock") as face:
            wait_until(lambda: face.snapshot().waiting == "speaks version 2", "the reason")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_face_may_leave_before_it_came(folder: Path) -> None:
    engine = RemoteEngine(folder / "control.sock")
    engine.close()
    assert engine.start(wait=0.2) is False
    engine.close()
    engine.close()


def test_lines_that_were_missed_are_counted(folder: Path) -> None:
    with serving(folder) as run, remote(run.path) as face:
        run.engine._changes.add(1.0, None, "first")
        wait_until(lambda: len(lines_of(face)) == 1, "the first line")
        cursor = face.log().next_cursor
        for number in range(3000):  # more than the engine holds, and more than we do
            run.engine._changes.add(2.0, None, f"line {number}")
        wait_until(lambda: lines_of(face)[-1].text == "line 2999", "the last line")
        page = face.log(cursor, 2000)
        assert page.missed + len(page.lines) == 3000
        assert len(page.lines) <= 1000


async def test_incidents_are_the_engines(folder: Path) -> None:
    engine = ScriptedEngine()
    engine.services = evening_services()
    engine.incidents = evening_incidents()
    (first, *_) = engine.incidents.open
    engine.timelines[first.id] = evening_timeline()
    with serving_queue(folder, engine) as path, remote(path) as face:
        await eventually(lambda: face.snapshot().incidents == engine.incidents, "the same incidents")
        assert face.snapshot().services == engine.services
        assert await face.timeline(first.id) == Timeline(incident=first, entries=engine.timelines[first.id])
        assert await face.timeline("nope") == CommandResult(ok=False, message="no incident nope")
        assert await face.acknowledge(first.id) == engine.answer
        assert engine.asked == [("acknowledge", first.id)]
        await eventually(lambda: face.snapshot().incidents.open[0].acknowledged_at, "acknowledged")
        for unbounded in ("", "x" * 65):
            assert not (await face.acknowledge(unbounded)).ok
            assert isinstance(await face.timeline(unbounded), CommandResult)
        assert len(engine.asked) == 1
