"""The lines of a recording. Times are epoch seconds; all texts may hold text from the network."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tui.engine.snapshot import ConnectionHistory, LogLine
from tui.store.recording import Lost

PAYLOAD_BYTES = 64 * 1024
"""Of a frame that are kept."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="begun"):
    """A program began to record."""

    timestamp: float
    program: str
    """Its version."""


class Whole(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="whole"):
    """Everything a face showed.

    ``snapshot`` is a :class:`tui.engine.snapshot.Snapshot` but for ``sequence``, which is 0, and each
    ``time_in_state``, instead of which there is the time at which that state began, so that a snapshot in
    which nothing but the time went on is the same.
    """

    timestamp: float
    number: int
    """Grows by one with each whole or changed one of a run."""
    snapshot: msgspec.Raw


class Changed(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="changed"):
    """What is other than in the one before, which has the ``number`` before this one's."""

    timestamp: float
    number: int
    changes: msgspec.Raw
    """As of :mod:`tui.replay.differences`."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="told"):
    """A line of the engine's log of changes, or that ``missed`` of them are not here."""

    timestamp: float
    text: str
    connection: str | None = None
    severity: Literal["info", "warning", "error"] = "info"
    missed: int = 0

    def line(self, cursor: int) -> LogLine:
        """As it was shown."""
        return LogLine(
            cursor=cursor,
            timestamp=self.timestamp,
            connection=self.connection,
            text=self.text,
            severity=self.severity,
        )


class IncidentBegan(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="incident"):
    """An incident opened, or opened again."""

    timestamp: float
    id: str
    subject: str
    words: str


class Past(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="past"):
    """What was kept of one connection's past."""

    timestamp: float
    history: ConnectionHistory


class RecordedFrame(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="frame"
):
    """One frame, secrets masked."""

    timestamp: float
    connection: str
    direction: Literal["in", "out"]
    topic: str
    event: str
    ref: str | None = None
    join_ref: str | None = None
    size: int = 0
    """Bytes on the wire."""
    binary: bool = False
    payload: str = ""
    """JSON as it came, or hex for a binary one."""
    cut: bool = False
    """Only the first :data:`PAYLOAD_BYTES` were kept."""


Record = Begun | Whole | Changed | Told | IncidentBegan | Past | RecordedFrame | Lost

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def decode(line: bytes) -> Record | None:
    """The record of one line; None for one that is none, or of a kind that a later version writes."""
    try:
        record: Record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record


def starts(kind: str) -> bytes:
    """How the line of a record of that kind starts, to tell it without decoding it."""
    return b'{"kind":"%b",' % kind.encode()


def decode_value(raw: msgspec.Raw) -> Any:
    """A JSON value.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(raw)
