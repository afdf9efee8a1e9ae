"""What the inspector shows: rows of frames, those that a filter leaves, one frame in full."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from tui.app.presenters.list_filter import typed_filter
from tui.model.snapshot import Frame, FrameContent
from tui.text.formats import NOTHING, size, time_of_day
from tui.text.json_text import json_text
from widgets.facts import Fact, fact_lines
from widgets.frame_list import FrameRow
from widgets.lines import Line, Span

Direction = Literal["both", "in", "out"]

_QUIET = ("heartbeat", "phx_reply")
_LOUD = ("phx_error", "phx_close", "?")
_LINE_LIMIT = 400
_LINES_LIMIT = 5000


class FrameFilter(NamedTuple):
    """Which frames are shown: those in which every part is found, whatever its case."""

    direction: Direction = "both"
    topic: str = ""
    event: str = ""
    terms: tuple[str, ...] = ()

    def passes(self, frame: Frame) -> bool:
        if self == _ALL:
            return True
        if self.direction not in ("both", frame.direction):
            return False
        topic, event = frame.topic.casefold(), frame.event.casefold()
        if self.topic not in topic or self.event not in event:
            return False
        text = f"{topic} {event} {frame.ref or ''} {frame.preview.casefold()}"
        return all(word in text for word in self.terms)


_ALL = FrameFilter()


def frame_filter(text: str, direction: Direction) -> FrameFilter:
    """The filter that ``topic:stream event:ping word`` asks for."""
    (topic, event), words = typed_filter(text, "topic:", "event:")
    return FrameFilter(direction, topic, event, words)


def frame_row(frame: Frame) -> FrameRow:
    return FrameRow(
        cursor=frame.cursor,
        time=milliseconds(frame.timestamp),
        sent=frame.direction == "out",
        topic=frame.topic,
        event=frame.event,
        ref=frame.ref or "",
        size=size(frame.size),
        preview=frame.preview,
        tone="bad" if frame.event in _LOUD else "dim" if frame.event in _QUIET else "plain",
    )


def milliseconds(moment: float) -> str:
    """``21:09:02.123``."""
    return datetime.fromtimestamp(moment).strftime("%H:%M:%S.%f")[:-3]


def frame_lines(content: FrameContent, now: float) -> list[Line]:
    """One frame in full: its heading, then its payload as readable as it can be."""
    frame = content.frame
    day = time_of_day(frame.timestamp, now)
    where = "sent" if frame.direction == "out" else "received"
    facts = (
        (Fact(where, f"{milliseconds(frame.timestamp)} ({day})"), Fact("size", f"{frame.size:,} bytes")),
        (Fact("topic", frame.topic),),
        (Fact("event", frame.event),),
        (Fact("ref", frame.ref or NOTHING), Fact("join_ref", frame.join_ref or NOTHING)),
    )
    lines = fact_lines("FRAME", (34, 20), facts, aligned=True)
    title = "PAYLOAD" + (", its first 64 KiB" if content.cut else "")
    lines += [(), (Span(f" {title}", "heading"),)]
    return lines + [(Span(f"  {line}"),) for line in payload_text(content)]


def payload_text(content: FrameContent) -> list[str]:
    """A payload in lines: JSON indented, bytes as a dump, anything else as it came."""
    if content.frame.binary:
        return _dump(bytes.fromhex(content.payload))
    return pretty(content.payload)


def pretty(text: str) -> list[str]:
    """JSON indented in lines, at most 5,000 of them; what is no JSON as it is."""
    try:
        text = msgspec.json.format(text.encode(errors="replace"), indent=2).decode()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # Not JSON, or cut: shown as it came.
        return [text[start : start + _LINE_LIMIT] for start in range(0, len(text), _LINE_LIMIT)] or [""]
    lines = text.split("\n")
    if len(lines) > _LINES_LIMIT:
        lines = [*lines[:_LINES_LIMIT], f"… {len(lines) - _LINES_LIMIT:,} more lines"]
    return lines


def _dump(data: bytes) -> list[str]:
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{start:06x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {text}")
    return lines or ["(empty)"]


def exported(content: FrameContent) -> bytes:
    frame = content.frame
    payload: Any = content.payload
    if not frame.binary and not content.cut:
        try:
            payload = msgspec.Raw(msgspec.json.format(content.payload.encode(errors="replace"), indent=-1))
        except (msgspec.DecodeError, RecursionError):
            payload = content.payload
    line = json_text(
        {
            "timestamp": frame.timestamp,
            "direction": frame.direction,
            "topic": frame.topic,
            "event": frame.event,
            "ref": frame.ref,
            "join_ref": frame.join_ref,
            "size": frame.size,
            "encoding": "hex" if frame.binary else "text" if payload is content.payload else "json",
            "cut": content.cut,
            "payload": payload,
        }
    )
    return line.encode() + b"\n"
