"""The ring of frames: bounded in number and bytes, and true about what it no longer holds."""

from __future__ import annotations

from tui.channels.inspector import MAX_BYTES, MAX_FRAMES, MAX_KEPT, Inspector
from tui.channels.wire import Message


def message(raw: bytes = b"{}", event: str = "said") -> Message:
    return Message("1", "2", "room:1", event, raw)


def test_it_holds_the_last_thousand() -> None:
    inspector = Inspector()
    for _ in range(MAX_FRAMES + 50):
        inspector.add("in", 1.0, message(), b"x" * 20)
    held = inspector.after(0, 10_000)
    assert len(held) == MAX_FRAMES
    assert (held[0].cursor, held[-1].cursor) == (51, MAX_FRAMES + 50)
    assert inspector.find(50) is None
    assert inspector.find(51) == held[0]
    assert inspector.find(MAX_FRAMES + 51) is None


def test_the_newest_come_when_there_are_too_many() -> None:
    inspector = Inspector()
    for _ in range(10):
        inspector.add("out", 1.0, message(), b"x")
    assert [frame.cursor for frame in inspector.after(2, 3)] == [8, 9, 10]
    assert [frame.cursor for frame in inspector.after(8, 3)] == [9, 10]


def test_large_payloads_are_cut_and_all_of_them_bounded() -> None:
    inspector = Inspector()
    for _ in range(MAX_BYTES // MAX_KEPT + 10):
        inspector.add("in", 1.0, message(b"y" * (MAX_KEPT + 1)), b"y" * (MAX_KEPT + 30))
    held = inspector.after(0, 10_000)
    assert len(held) == MAX_BYTES // MAX_KEPT
    assert all(frame.cut and len(frame.payload) == MAX_KEPT for frame in held)
    assert held[-1].size == MAX_KEPT + 30


def test_what_did_not_decode_is_held_too() -> None:
    inspector = Inspector()
    inspector.add("in", 1.0, None, b"not json")
    (frame,) = inspector.after(0, 1)
    assert (frame.topic, frame.event, frame.payload) == ("?", "?", b"not json")


def test_a_renewed_token_is_not_shown() -> None:
    inspector = Inspector()
    inspector.add("out", 1.0, message(b'{"access_token":"hunter2"}', "access_token"), b"")
    inspector.add("out", 1.0, message(b"hunter2, not json", "phx_join"), b"")
    assert [frame.payload for frame in inspector.after(0, 2)] == [b'{"access_token":"***"}', b"***"]
