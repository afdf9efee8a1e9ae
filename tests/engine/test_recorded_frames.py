"""Frames told to a recorder: every one, whether anybody looks at them or not."""

from __future__ import annotations

from tests.engine.conftest import connection, eventually, running, state_of
from tui.channels.inspector import InspectedFrame
from tui.demo.hub import Hub
from tui.engine.api import CommandResult, FrameContent, FramePage, KeepingSnapshot


class Told:
    """A recorder that holds what it is told, and fails when it is told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, InspectedFrame]] = []
        self.trouble: str | None = None
        self.lost = 0

    def frame(self, name: str, frame: InspectedFrame) -> None:
        self.frames.append((name, frame))


async def test_every_frame_is_told_and_none_is_held_until_somebody_looks(hub: Hub) -> None:
    told = Told()
    links = (connection("stage", hub.url, "stream:overlays"), connection("events", hub.url, "events:all"))
    with running(*links, recorder=told) as engine:
        for name in ("stage", "events"):
            await eventually(lambda name=name: state_of(engine, name) == "connected", "connected")
        await eventually(lambda: engine.snapshot().connections[0].channels[0].last_event, "joined")
        first = await engine.frames("stage")
        assert isinstance(first, FramePage)
        assert first.frames == (), "to ask is what has them held"
        assert (await engine.push("stage", "stream:overlays", "ping", {"say": "hello"})).ok
        page = await engine.frames("stage", first.next_cursor)
        assert isinstance(page, FramePage)
        assert "ping" in [each.event for each in page.frames]
        content = await engine.frame("stage", page.frames[0].cursor)
        assert isinstance(content, FrameContent)
        hub.faults.drop_all()
        await eventually(lambda: engine.snapshot().connections[0].metrics.total_reconnects, "back")
        assert not isinstance(await engine.history("stage"), CommandResult)
    details = {each.name: each.details for each in engine.snapshot().connections}
    for name, counted in details.items():
        frames = [frame for of, frame in told.frames if of == name]
        assert [frame.cursor for frame in frames] == list(range(1, len(frames) + 1))
        assert len(frames) == counted.messages_in + counted.messages_out
    assert {frame.direction for _, frame in told.frames} == {"in", "out"}


async def test_a_recording_that_fails_is_told_with_what_is_missing(hub: Hub) -> None:
    told = Told()
    with running(connection("stage", hub.url, "stream:overlays"), recorder=told) as engine:
        await eventually(lambda: state_of(engine, "stage") == "connected", "connected")
        assert engine.snapshot().keeping == KeepingSnapshot(recording=True)
        told.trouble = "not written: No space left on device"
        told.lost = 1200
        await eventually(lambda: engine.snapshot().keeping.troubles, "told")
        words = "recording: not written: No space left on device, 1,200 lines missing"
        assert engine.snapshot().keeping.troubles == (words,)
        line = engine.log(limit=1000).lines[-1]
        assert (line.text, line.severity) == (
            "the recording: not written: No space left on device; 1,200 lines are missing",
            "error",
        )
        told.trouble = None
        await eventually(lambda: not engine.snapshot().keeping.troubles, "written again")
