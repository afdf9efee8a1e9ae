"""The last frames of one socket in both directions, while somebody looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from tui.channels.wire import DecodeError, Message
from tui.text.secret_values import MASK, masked, masked_bytes

MAX_FRAMES = 1000
MAX_KEPT = 64 * 1024
"""Bytes kept of one payload."""
MAX_NAME = 200
"""Characters kept of a topic and of an event."""
MAX_BYTES = 16 * 1024 * 1024
"""Of all payloads, topics and events; beyond it the oldest frames go."""

_SECRET_EVENTS = ("phx_join", "access_token")
"""Sent with what the settings keep secret: a join's parameters, a renewed token."""


class InspectedFrame(NamedTuple):
    """One frame; ``payload`` is what was kept of it, as it came: see :func:`without_secrets`."""

    cursor: int
    timestamp: float
    direction: Literal["in", "out"]
    topic: str
    event: str
    ref: str | None
    join_ref: str | None
    size: int
    binary: bool
    payload: bytes
    cut: bool


class Inspector:
    """A ring of frames. Costs nothing where there is none: a socket has one only while it is asked for.

    Args:
        cursor: of the latest frame of the inspector before this one.
        kept: frames that are held.
        note: told of each frame, in the reader; never blocks and never raises.
    """

    def __init__(
        self,
        cursor: int = 0,
        kept: int = MAX_FRAMES,
        note: Callable[[InspectedFrame], object] | None = None,
    ) -> None:
        self._kept = kept
        self._note = note
        self.cursor = cursor
        """Of the latest frame; grows by one with each."""
        self._frames: deque[InspectedFrame] = deque()
        self._bytes = 0

    def add(
        self, direction: Literal["in", "out"], timestamp: float, message: Message | None, data: bytes
    ) -> None:
        """Record one frame; ``message`` is None for one that did not decode."""
        message = message or Message(None, None, "?", "?", data)
        payload = message.raw
        if direction == "out" and message.event in _SECRET_EVENTS:
            payload = _masked(message)
        kept = payload[:MAX_KEPT]
        self.cursor += 1
        self._bytes += len(kept)
        frame = InspectedFrame(
            cursor=self.cursor,
            timestamp=timestamp,
            direction=direction,
            topic=message.topic[:MAX_NAME],
            event=message.event[:MAX_NAME],
            ref=_text(message.ref),
            join_ref=_text(message.join_ref),
            size=len(data),
            binary=message.binary,
            payload=kept,
            cut=len(payload) > MAX_KEPT,
        )
        self._frames.append(frame)
        if self._note is not None:
            self._note(frame)
        while len(self._frames) > self._kept or self._bytes > MAX_BYTES:
            self._bytes -= len(self._frames.popleft().payload)

    def after(self, cursor: int, limit: int) -> list[InspectedFrame]:
        """The newest frames after ``cursor``, at most ``limit`` of them, oldest first."""
        newest: list[InspectedFrame] = []
        for frame in reversed(self._frames):
            if frame.cursor <= cursor or len(newest) == limit:
                break
            newest.append(frame)
        return newest[::-1]

    def find(self, cursor: int) -> InspectedFrame | None:
        """The frame of that cursor, while it is held."""
        if not self._frames:
            return None
        place = cursor - self._frames[0].cursor
        return self._frames[place] if 0 <= place < len(self._frames) else None


def without_secrets(frame: InspectedFrame, most: int = MAX_KEPT) -> InspectedFrame:
    """The same for others to see: with ``most`` bytes of its payload, and none that are a secret's."""
    return frame._replace(
        topic=masked(frame.topic),
        event=masked(frame.event),
        ref=frame.ref and masked(frame.ref),
        join_ref=frame.join_ref and masked(frame.join_ref),
        payload=masked_bytes(frame.payload[:most]),
        cut=frame.cut or len(frame.payload) > most,
    )


def _text(ref: Any) -> str | None:
    return None if ref is None else str(ref)[:100]


def _masked(message: Message) -> bytes:
    try:
        return msgspec.json.encode(_mask(message.payload))
    except (DecodeError, TypeError, ValueError, RecursionError):
        return MASK.encode()


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mask(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner) for inner in value]
    return MASK
