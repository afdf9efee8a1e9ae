"""Phoenix's frames as bytes and back: versions 1 and 2, text and binary.

Version 2 text frames are arrays ``[join_ref, ref, topic, event, payload]``, version 1 frames are
objects without a join_ref. Binary frames (version 2 only) have one-byte lengths; what a server
pushes has another layout than what a client pushes (no ref).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import msgspec

Ref = str | int | float | bool | None
"""A ref as it may come: we send strings, and a server returns them as sent, type and all."""

HEARTBEAT_TOPIC: Final = "phoenix"
_PUSH, _REPLY, _BROADCAST = 0, 1, 2


class DecodeError(ValueError):
    """Bytes that are no frame, or a payload that is no JSON. The message holds none of the bytes."""


class Message(msgspec.Struct, array_like=True, dict=True):
    """One frame as it came; its payload is decoded when it is asked for.

    Attributes:
        raw: the undecoded payload, JSON text; of a binary frame its bytes.
    """

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    raw: msgspec.Raw | bytes

    @cached_property
    def payload(self) -> Any:
        """The payload: a JSON value, or the bytes of a binary frame.

        Raises:
            DecodeError: the payload does not decode.
        """
        if isinstance(self.raw, msgspec.Raw):
            return self.decode(Any)
        return self.raw

    def decode(self, kind: Any) -> Any:
        """The payload as ``kind``, any type that msgspec validates.

        Raises:
            DecodeError: it does not decode, or has another shape.
        """
        if not isinstance(self.raw, msgspec.Raw):
            raise DecodeError("a binary payload holds no JSON")
        try:
            return msgspec.json.decode(self.raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(_reason(error)) from None

    def payload_or_none(self) -> Any:
        """The payload, None when it does not decode."""
        try:
            return self.payload
        except DecodeError:
            return None

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return memoryview(self.raw).nbytes


class Reply(msgspec.Struct, gc=False):
    """The payload of a ``phx_reply``: a status (``ok``, ``error``, or the server's own) and a response."""

    status: str
    response: Any = None


class _TextMessage(Message, array_like=True, dict=True):
    # Bound to Raw so that the decoder leaves the payload alone.
    raw: msgspec.Raw


class _ObjectMessage(msgspec.Struct, gc=False):
    topic: str
    event: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    ref: Ref = None


_decode_array = msgspec.json.Decoder(_TextMessage).decode
_decode_object = msgspec.json.Decoder(_ObjectMessage).decode
_decode_reply = msgspec.json.Decoder(Reply).decode
_encode = msgspec.json.Encoder().encode


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    # msgspec quotes nothing of the input save an unexpected key or value of an enumeration; the
    # shapes here have neither, so that its words are safe to log.
    return str(error)


def decode_text(data: bytes, version: int) -> Message:
    """A text frame.

    Raises:
        DecodeError: bad JSON, invalid UTF-8, the wrong shape, or nesting too deep.
    """
    try:
        if version == 2:
            return _decode_array(data)
        frame = _decode_object(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(_reason(error)) from None
    return Message(None, frame.ref, frame.topic, frame.event, frame.payload)


def decode_binary(data: bytes) -> Message:
    """A binary frame of version 2: a push, a reply or a broadcast of the server.

    Raises:
        DecodeError: an unknown kind, a cut frame, or strings that are not UTF-8.
    """
    if not data:
        raise DecodeError("an empty binary frame")
    kind = data[0]
    if kind == _PUSH:
        (join_ref, topic, event), body = _strings(data, 3)
        return Message(join_ref or None, None, topic, event, body)
    if kind == _REPLY:
        (join_ref, ref, topic, status), body = _strings(data, 4)
        message = Message(join_ref or None, ref or None, topic, "phx_reply", body)
        message.__dict__["status"] = status
        return message
    if kind == _BROADCAST:
        (topic, event), body = _strings(data, 2)
        return Message(None, None, topic, event, body)
    raise DecodeError(f"a binary frame of the unknown kind {kind}")


def _strings(data: bytes, count: int) -> tuple[list[str], bytes]:
    start = 1 + count
    strings = []
    try:
        for length in data[1:start]:
            end = start + length
            if end > len(data):
                raise DecodeError("a binary frame is cut short")
            strings.append(data[start:end].decode())
            start = end
    except UnicodeDecodeError:
        raise DecodeError("invalid UTF-8 in a binary frame") from None
    if len(strings) < count:
        raise DecodeError("a binary frame is cut short")
    return strings, data[start:]


def decode_reply(message: Message) -> Reply:
    """The status and the response of a ``phx_reply``, text or binary.

    Raises:
        DecodeError: the payload is no reply.
    """
    if not isinstance(message.raw, msgspec.Raw):
        status = message.__dict__.get("status")
        if status is None:
            raise DecodeError("a reply without a status")
        return Reply(status, message.raw)
    try:
        return _decode_reply(message.raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(_reason(error)) from None


def encode_text(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any, version: int
) -> bytes:
    """A text frame to send.

    Raises:
        TypeError: the payload is nothing that JSON can say.
    """
    if version == 2:
        return _encode((join_ref, ref, topic, event, payload))
    return _encode({"topic": topic, "event": event, "payload": payload, "ref": ref})


def encode_binary(join_ref: str | None, ref: str | None, topic: str, event: str, payload: bytes) -> bytes:
    """A binary push to send: kind 0, four lengths (join_ref, ref, topic, event), strings, data.

    Raises:
        ValueError: a field is longer than 255 bytes of UTF-8.
    """
    fields = {"join_ref": join_ref or "", "ref": ref or "", "topic": topic, "event": event}
    encoded = []
    for name, text in fields.items():
        field = text.encode()
        if len(field) > 255:
            raise ValueError(f"{name} is longer than the 255 bytes that a binary frame can hold")
        encoded.append(field)
    return bytes((_PUSH, *map(len, encoded))) + b"".join(encoded) + bytes(payload)
