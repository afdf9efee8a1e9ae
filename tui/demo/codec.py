"""Phoenix's serializers, seen from the server: version 1 (objects) and version 2 (arrays, binary frames).

Written apart from the client's own: a codec that both shared would hide a mistake that both made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

MAX_NAME = 255
"""Bytes: the binary layouts give every string a length of one byte."""

_KIND_PUSH, _KIND_REPLY, _KIND_BROADCAST = 0, 1, 2


class MalformedError(ValueError):
    """A frame that Phoenix's serializer could not read; the connection ends with 1011."""


class NotEncodableError(ValueError):
    """Something that the connection's protocol version has no frame for."""


class Frame(NamedTuple):
    """One message from a client. Nothing is checked but the shape: any field may hold any JSON value."""

    join_ref: Any
    ref: Any
    topic: Any
    event: Any
    payload: Any


class Wire(NamedTuple):
    """One encoded message: the bytes, and whether they go into a text frame."""

    data: bytes
    text: bool


class Serializer:
    """Version 2: ``[join_ref, ref, topic, event, payload]``, and binary layouts for payloads that are bytes.

    What encodes raises NotEncodableError: for bytes in version 1, which has no binary frames; in version 2
    for a name of a binary frame that is longer than 255 bytes.
    """

    version = 2

    def decode(self, message: str | bytes) -> Frame:
        """Raises: MalformedError."""
        if isinstance(message, bytes):
            return _decode_binary(message)
        value = _decode_json(message)
        if not isinstance(value, list) or len(value) < 5:
            raise MalformedError("expected an array of at least five elements")
        # Phoenix ignores elements past the fifth.
        return Frame(*value[:5])

    def push(self, join_ref: Any, ref: Any, topic: Any, event: str, payload: Any) -> Wire:
        if isinstance(payload, bytes):
            # The server's push carries no ref, unlike the client's.
            return self._binary(_KIND_PUSH, (join_ref, topic, event), payload)
        return self._text(join_ref, ref, topic, event, payload)

    def reply(self, join_ref: Any, ref: Any, topic: Any, status: str, response: Any) -> Wire:
        if isinstance(response, bytes):
            return self._binary(_KIND_REPLY, (join_ref, ref, topic, status), response)
        return self._text(join_ref, ref, topic, "phx_reply", {"response": response, "status": status})

    def broadcast(self, topic: str, event: str, payload: Any) -> Wire:
        if isinstance(payload, bytes):
            return self._binary(_KIND_BROADCAST, (topic, event), payload)
        return self._text(None, None, topic, event, payload)

    def _text(self, join_ref: Any, ref: Any, topic: Any, event: str, payload: Any) -> Wire:
        return Wire(msgspec.json.encode((join_ref, ref, topic, event, payload)), True)

    def _binary(self, kind: int, names: tuple[Any, ...], data: bytes) -> Wire:
        # A null reference has length 0.
        encoded = [b"" if name is None else str(name).encode() for name in names]
        if (longest := max(map(len, encoded))) > MAX_NAME:
            raise NotEncodableError(f"a binary frame holds names of at most {MAX_NAME} bytes, not {longest}")
        return Wire(bytes([kind, *map(len, encoded)]) + b"".join(encoded) + data, False)


class _VersionOne(Serializer):
    """``{"topic", "event", "payload", "ref"}``; no binary frames, and no join_ref on anything sent."""

    version = 1

    def decode(self, message: str | bytes) -> Frame:
        value = _decode_json(message)
        if not isinstance(value, dict) or not value.keys() >= {"topic", "event", "payload", "ref"}:
            raise MalformedError("expected an object with topic, event, payload and ref")
        return Frame(value.get("join_ref"), value["ref"], value["topic"], value["event"], value["payload"])

    def _text(self, join_ref: Any, ref: Any, topic: Any, event: str, payload: Any) -> Wire:
        value = {"event": event, "payload": payload, "ref": ref, "topic": topic}
        return Wire(msgspec.json.encode(value), True)

    def _binary(self, kind: int, names: tuple[Any, ...], data: bytes) -> Wire:
        raise NotEncodableError("protocol version 1 has no binary frames")


def _decode_json(message: str | bytes) -> Any:
    try:
        return msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error


def _decode_binary(message: bytes) -> Frame:
    # 00, four lengths (join_ref, ref, topic, event), the four strings, the data.
    if len(message) < 5 or message[0] != _KIND_PUSH:
        raise MalformedError("expected a binary push")
    names: list[str] = []
    position = 5
    for length in message[1:5]:
        part = message[position : position + length]
        if len(part) < length:
            raise MalformedError("a binary push that is cut short")
        try:
            names.append(part.decode())
        except UnicodeDecodeError as error:
            raise MalformedError("a binary push whose names are not UTF-8") from error
        position += length
    join_ref, ref, topic, event = names
    return Frame(join_ref, ref, topic, event, message[position:])


ONE, TWO = _VersionOne(), Serializer()


def serializer_for(vsn: str | None) -> Serializer | None:
    """The serializer for the query's ``vsn`` (none given means version 1), or None for an unknown one.

    Phoenix takes ``~> 1.0.0`` and ``~> 2.0.0`` and answers anything else with 403.
    """
    if vsn is None:
        return ONE
    head, _, patch = vsn.rpartition(".")
    if not (patch.isascii() and patch.isdigit()):
        return None
    return {"1.0": ONE, "2.0": TWO}.get(head)
