"""The frames of one connection, recorded while somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable

from tui.channels import Socket
from tui.channels.clock import Clock
from tui.channels.inspector import MAX_FRAMES, InspectedFrame, Inspector, without_secrets
from tui.model.snapshot import CommandResult, Frame, FrameContent, FramePage
from tui.text.secret_names import masked
from tui.text.secret_values import masked_bytes

_PREVIEW_LIMIT = 200
KEPT_PAYLOAD = 64 * 1024
"""Bytes of a payload that are kept on disk."""
INSPECTED_FOR = 10.0
"""Seconds after the last question for its frames until a connection is no longer recorded."""


class Frames:
    """On the engine's loop.

    Args:
        record: told of every frame, asked for or not; never blocks.
    """

    def __init__(
        self, socket: Socket, clock: Clock, record: Callable[[InspectedFrame], object] | None
    ) -> None:
        self._socket = socket
        self._clock = clock
        self._record = record
        self._asked = False
        self._asked_at: float | None = None
        self._inspector = self._unasked(0)

    def page(self, after: int, limit: int) -> FramePage:
        """The newest frames after the cursor; the first call begins to record them."""
        self._asked_at = self._clock.monotonic()
        inspector = self._socket.inspector
        if inspector is None or not self._asked:
            # The cursor goes on, so that one who comes back is not shown old frames for new ones.
            inspector = self._socket.inspector = Inspector(self._inspector.cursor, note=self._record)
            self._inspector = inspector
            self._asked = True
        found = inspector.after(after, max(1, min(limit, MAX_FRAMES)))
        frames = tuple(_frame(each) for each in found)
        return FramePage(
            frames=frames,
            next_cursor=inspector.cursor,
            missed=max(0, inspector.cursor - max(after, 0) - len(frames)) if after else 0,
        )

    def find(self, cursor: int) -> FrameContent | CommandResult:
        found = self._inspector.find(cursor)
        if found is None:
            return CommandResult(ok=False, message="the frame is no longer held")
        shown = masked_bytes(found.payload)
        payload = shown.hex() if found.binary else shown.decode(errors="replace")
        return FrameContent(frame=_frame(found), payload=payload, cut=found.cut)

    def poll(self) -> None:
        """Record no more once nobody has asked for so long."""
        if self._asked_at is None or self._clock.monotonic() < self._asked_at + INSPECTED_FOR:
            return
        self._asked_at = None
        self._inspector = self._unasked(self._inspector.cursor)

    def _unasked(self, cursor: int) -> Inspector:
        """One that holds nothing; the socket has it only where frames are recorded."""
        self._asked = False
        inspector = Inspector(cursor, kept=0, note=self._record)
        self._socket.inspector = None if self._record is None else inspector
        return inspector


def content_of(found: InspectedFrame) -> FrameContent:
    """A frame as it is kept, secrets masked by their names and by their values."""
    kept = without_secrets(found, KEPT_PAYLOAD)
    payload = kept.payload.hex() if kept.binary else masked(kept.payload).decode(errors="replace")
    return FrameContent(frame=_frame(found), payload=payload, cut=kept.cut)


def _frame(found: InspectedFrame) -> Frame:
    found = without_secrets(found, 4 * _PREVIEW_LIMIT)
    preview = found.payload.hex() if found.binary else found.payload.decode(errors="replace")
    known = {name: getattr(found, name) for name in Frame.__struct_fields__ if name != "preview"}
    return Frame(**known, preview=preview[:_PREVIEW_LIMIT])
