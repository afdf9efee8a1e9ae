"""Frames in the journal: every one where they are asked for, whether anybody looks at them or not."""

from __future__ import annotations

from pathlib import Path

from tests.engine.conftest import connection, eventually, running, state_of
from tui.demo.hub import Hub
from tui.model.events import FrameSeen
from tui.model.snapshot import FrameContent, FramePage
from tui.store.journal import Entry, Journal, read


async def test_every_frame_is_kept_and_none_is_held_until_somebody_looks(hub: Hub, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    links = (connection("stage", hub.url, "stream:overlays"), connection("events", hub.url, "events:all"))
    with running(*links, journal=journal, keep_frames=True) as engine:
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
    assert journal.close(5)
    kept: dict[str | None, list[FrameContent]] = {}
    for entry in read(tmp_path):
        if isinstance(entry, Entry) and isinstance(entry.event, FrameSeen):
            kept.setdefault(entry.connection, []).append(entry.event.content)
    for each in engine.snapshot().connections:
        frames = kept[each.name]
        assert [one.frame.cursor for one in frames] == list(range(1, len(frames) + 1))
        assert len(frames) == each.details.messages_in + each.details.messages_out
    assert {one.frame.direction for one in kept["stage"]} == {"in", "out"}
