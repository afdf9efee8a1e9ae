"""Phoenix's frames as bytes and back: versions 1 and 2, text and binary.

Version 2 text frames are arrays ``[join_ref, ref, topic, event, payload]``, version 1 frames are
objects without a join_ref. Binary frames (version 2 only) have one-byte lengths; what a server
pushes has another layout than what a client pushes (no ref).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

Ref = str | int | float | bool | None
"""A ref as it may come: we send strings, and a server returns them as sent, type and all."""

T = TypeVar("T", bound=msgspec.Struct)

HEARTBEAT_TOPIC: Final = "phoenix"
_PUSH, _REPLY, _BROADCAST = 0, 1, 2


class DecodeError(ValueError):
    """Bytes that are no frame, or a payload that is no JSON. The message holds none of the bytes."""


class Message(msgspec.Struct, gc=False, eq=False):
    """One frame as it came; its payload is decoded when it is asked for.

    Attributes:
        raw: the undecoded payload, JSON text; of a binary frame its bytes.
        binary: it came in a binary frame.
        status: of a binary reply; a text reply has it in its payload.
    """

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    raw: bytes
    binary: bool = False
    status: str | None = None
    _payload: Any = msgspec.UNSET

    def beginning(self, most: int) -> Message:
        """As much of it as may be kept: of a large one, far larger still once built, ``most`` bytes
        of the payload and characters of the event."""
        if len(self.raw) + len(self.event) <= most:
            return self
        return Message(None, None, self.topic, self.event[:most], self.raw[:most], self.binary)

    @property
    def payload(self) -> Any:
        """The payload: a JSON value, or the bytes of a binary frame. Decoded once.

        Raises:
            DecodeError: the payload does not decode.
        """
        payload = self._payload
        if payload is msgspec.UNSET:
            if self.binary:
                return self.raw
            try:
                payload = _decode_any(self.raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                payload = _decode_again(_decode_any, self.raw, error)
            self._payload = payload
        return payload

    def decode(self, kind: Any, most: int | None = None) -> Any:
        """The payload as ``kind``, any type that msgspec validates. Decoded each time.

        Args:
            most: bytes of a payload that is decoded.

        Raises:
            DecodeError: it does not decode, has another shape, or is larger than ``most``.
        """
        return _as(kind, self.raw, self.binary, most)

    def payload_or_none(self) -> Any:
        """The payload, None when it does not decode."""
        try:
            return self.payload
        except DecodeError:
            return None

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.raw)


class Reply(msgspec.Struct, gc=False):
    """The payload of a ``phx_reply``: a status (``ok``, ``error``, or the server's own) and a response.

    Attributes:
        raw: the undecoded response, JSON text; of a binary reply its bytes.
    """

    status: str
    raw: bytes
    binary: bool = False

    @property
    def response(self) -> Any:
        """The response: a JSON value, or the bytes of a binary reply. Decoded each time.

        Raises:
            DecodeError: the response does not decode.
        """
        return self.raw if self.binary else _decode(_decode_any, self.raw)

    def decode(self, kind: Any, most: int | None = None) -> Any:
        """The response, as :meth:`Message.decode` does."""
        return _as(kind, self.raw, self.binary, most)


class _ReplyPayload(msgspec.Struct, gc=False):
    status: str
    response: msgspec.Raw = msgspec.Raw(b"null")


class _ArrayFrame(msgspec.Struct, array_like=True, gc=False):
    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: msgspec.Raw


class _ObjectFrame(msgspec.Struct, gc=False):
    topic: str
    event: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    ref: Ref | msgspec.UnsetType = msgspec.UNSET


class _Member(msgspec.Struct, gc=False):
    payload: msgspec.Raw


_decode_array = msgspec.json.Decoder(_ArrayFrame).decode
_decode_member = msgspec.json.Decoder(_Member).decode
_decode_object = msgspec.json.Decoder(_ObjectFrame).decode
_decode_reply = msgspec.json.Decoder(_ReplyPayload).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_Header = tuple[Ref, Ref, str, str]
_HEADERS_KEPT = 256
_HEADER_KEPT = 1024
"""Bytes of a header that is remembered: all of a connection take a quarter of a megabyte at the most."""
_MOST_REF = 255
"""Characters of a ref, as many as a binary frame can hold bytes; what we send has at most 20."""
_LARGE = 16 * 1024
"""Bytes of a frame from which its header is worth a search, though it never comes again."""
_MOST_LOOKED_THROUGH = 2 * 1024 * 1024
"""Bytes of a frame that is looked through where its header is not at its ends, which takes up to 15 ms."""
_END = 4096
"""Bytes of a large frame's beginning in which its header is looked for."""
_SPACE = b" \t\r\n"
_END_OF_TEXT = re.compile(rb'"[ \t\r\n]*,')
_NULL = msgspec.Raw(b"null")
_END_OF_ARRAY = ord("]")


def _as(kind: Any, raw: bytes, binary: bool, most: int | None) -> Any:
    if binary:
        raise DecodeError("a binary payload holds no JSON")
    if most is not None and len(raw) > most:
        raise DecodeError(f"larger than the {most} bytes that are read")
    return _decode(msgspec.json.Decoder(kind).decode, raw)


def _decode(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_again(decode, raw, error)


def _decode_again(decode: Callable[[bytes], Any], raw: bytes, problem: Exception) -> Any:
    # Elements past the fifth and unknown members are ignored, so what was taken for the payload may hold
    # more of them.
    for kind, whole in ((_decode_array, b'[null,null,"","",%b]'), (_decode_member, b'{"payload":%b}')):
        try:
            return decode(bytes(kind(whole % raw).payload))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    raise DecodeError(_reason(problem)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    # msgspec quotes nothing of the input save an unexpected key or value of an enumeration; the
    # shapes here have neither, so that its words are safe to log.
    return str(error)


class TextDecoder:
    """Decodes the text frames of one connection.

    Version 2 sends the same few headers again and again, and JSON is decided by its prefix: bytes
    that begin as a header once decoded have the same first four elements. So a known header is
    compared, not parsed, and the payload is not looked at before it is asked for.
    """

    def __init__(self, version: int) -> None:
        self._version = version
        self._headers: dict[bytes, _Header] = {}
        # A header like any other, so that what begins so is nothing but that.
        self._last = b'[null,null,"","",'
        self._last_header: _Header = (None, None, "", "")

    def decode(self, data: bytes) -> Message:
        """One frame.

        Raises:
            DecodeError: bad JSON, invalid UTF-8, the wrong shape, or nesting too deep; what is
                wrong inside a payload may be told only when it is asked for.
        """
        last = self._last
        if data.startswith(last) and data[-1] == _END_OF_ARRAY:
            join_ref, ref, topic, event = self._last_header
            return Message(join_ref, ref, topic, event, data[len(last) : -1])
        return self._decode_new(data)

    def _decode_new(self, data: bytes) -> Message:
        try:
            if len(data) >= _LARGE:
                data = data.strip(_SPACE)
            if self._version == 1:
                frame, payload = _split(_decode_object, data, "payload")
                ref = None if frame.ref is msgspec.UNSET else _known(frame.ref)
                return Message(None, ref, frame.topic, frame.event, payload)
            found = self._find_header(data)
            if found is not None:
                header, end = found
                return Message(*header, data[end:-1])
            _bound(data)
            array = _decode_array(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(_reason(error)) from None
        return Message(
            _known(array.join_ref), _known(array.ref), array.topic, array.event, bytes(array.payload)
        )

    def _find_header(self, data: bytes) -> tuple[_Header, int] | None:
        """The first four elements and where they end, if that is where it seems; remembers them as the last
        ones unless they are a reply's, whose ref never comes again."""
        if not data.startswith(b"[") or data[-1] != _END_OF_ARRAY:
            return None
        is_large = len(data) >= _LARGE
        if not is_large and data[1:2] == b'"' and data.startswith(b'"', data.find(b'",', 2) + 2):
            return None  # a ref that is a string: a reply
        # Topic and event are strings, so each ends with a quote and a comma; a ref may be one too.
        end = 0
        for number in range(4 if is_large else 2 + (data[1:2] == b'"')):
            if is_large:
                text = _END_OF_TEXT.search(data, end, _END)
                end = 0 if text is None else text.end()
            else:
                end = data.find(b'",', end, _HEADER_KEPT) + 2
            if end < 2:
                return None
            if is_large and number and (header := _header(data[:end])) is not None:
                break
        start = data[:end]
        known = self._headers.get(start)
        if known is None:
            known = header if is_large else _header(start)
            if known is None:
                return None
            if known[1] is not None or end > _HEADER_KEPT:
                return known, end
            if len(self._headers) >= _HEADERS_KEPT:
                self._headers.clear()
            self._headers[start] = known
        self._last, self._last_header = start, known
        return known, end


def _split(decode: Callable[[bytes], T], data: bytes, name: str) -> tuple[T, bytes]:
    """An object, and one of its members undecoded. Of a large one all else is decoded alone, where that is
    near its ends: what begins and ends as an object does without the member is the same with it."""
    key = re.compile(rb'[{,]\s*"%b"\s*:' % name.encode())
    if len(data) >= _LARGE and (begun := key.search(data, 0, _END)) is not None:
        value = begun.end()
        found = None
        # From the end on, where it is the last member; the first of those behind it is the right one.
        end = len(data) - data.endswith(b"}")
        while end > value:
            try:
                whole = decode(b"%bnull%b" % (data[:value], data[end:]))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                if getattr(whole, name) != _NULL:
                    break  # it is there twice, and the last one counts
                if msgspec.UNSET not in msgspec.structs.astuple(whole):
                    found = whole, data[value:end]
            end = data.rfind(b",", len(data) - _HEADER_KEPT, end)
        else:
            if found is not None:
                return found
    _bound(data)
    whole = decode(data)
    return whole, bytes(getattr(whole, name))


def _bound(data: bytes) -> None:
    # Nobody writes such a frame, and everybody would wait while all of it is looked through.
    if len(data) > _MOST_LOOKED_THROUGH:
        raise DecodeError(f"a frame of {len(data)} bytes whose header is not at its ends")


def _header(start: bytes) -> _Header | None:
    try:
        frame = _decode_array(start + b"0]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _known(frame.join_ref), _known(frame.ref), frame.topic, frame.event


def _known(ref: Ref) -> Ref:
    # Nobody sends so long a one, and what keeps the frame counts its payload alone.
    if isinstance(ref, str) and len(ref) > _MOST_REF:
        raise DecodeError(f"a ref of more than {_MOST_REF} characters")
    return ref


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
        return Message(join_ref or None, None, topic, event, body, True)
    if kind == _REPLY:
        (join_ref, ref, topic, status), body = _strings(data, 4)
        return Message(join_ref or None, ref or None, topic, "phx_reply", body, True, status)
    if kind == _BROADCAST:
        (topic, event), body = _strings(data, 2)
        return Message(None, None, topic, event, body, True)
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
    if message.binary:
        if message.status is None:
            raise DecodeError("a reply without a status")
        return Reply(message.status, message.raw, True)
    try:
        reply, response = _split(_decode_reply, message.raw, "response")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reply = _decode_again(_decode_reply, message.raw, error)
        response = bytes(reply.response)
    return Reply(reply.status, response)


def encode(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any, version: int
) -> bytes:
    """A frame to send: binary for bytes, else text.

    Raises:
        TypeError: the payload is nothing that JSON can say.
        ValueError: bytes on version 1, or a field of a binary frame longer than 255 bytes of UTF-8.
    """
    if isinstance(payload, (bytes, bytearray, memoryview)):
        if version == 1:
            raise ValueError("protocol version 1 has no binary frames")
        return _encode_binary(join_ref, ref, topic, event, payload)
    if version == 2:
        return _encode((join_ref, ref, topic, event, payload))
    return _encode({"topic": topic, "event": event, "payload": payload, "ref": ref})


def _encode_binary(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: bytes | bytearray | memoryview
) -> bytes:
    """Kind 0, four lengths (join_ref, ref, topic, event), strings, data."""
    fields = {"join_ref": join_ref or "", "ref": ref or "", "topic": topic, "event": event}
    encoded = []
    for name, text in fields.items():
        field = text.encode()
        if len(field) > 255:
            raise ValueError(f"{name} is longer than the 255 bytes that a binary frame can hold")
        encoded.append(field)
    return bytes((_PUSH, *map(len, encoded))) + b"".join(encoded) + bytes(payload)
