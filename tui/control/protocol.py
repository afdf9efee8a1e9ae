"""What is said on the control socket: one JSON object a line, versioned, typed and bounded.

A request is ``{"v":1,"id":7,"type":"reconnect","name":"stage"}``; each answer bears its ``id``. After
``watch`` and ``subscribe`` more lines follow by themselves. What may be asked is what
:mod:`tui.control.methods` makes of the engine's interface; what an answer carries is decoded by
whoever asked, who knows its type.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from tui import __version__
from tui.system.paths import SOCKET_VARIABLE

VERSION = 1
"""Of this protocol. It grows when an older program could misread a newer one."""

MAX_REQUEST = 64 * 1024
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one line, its end included."""

COMMAND_SECONDS = 20.0
"""How long a command may take; the engine itself gives a push 10 s."""

SOCKET_NAME = "control.sock"

MAX_PATH = 103 if sys.platform == "darwin" else 107
"""Bytes of a Unix socket's path; the kernel keeps one more for the end."""


class ControlError(Exception):
    """The control socket cannot be served or used; the message is for a person."""


class NoEngineError(ControlError):
    """No engine was reached.

    Args:
        short: why, in a few words.
        hint: what to do about it.
        absent: none is running there, as far as can be seen.
    """

    def __init__(self, short: str, hint: str | None = None, *, absent: bool = False) -> None:
        super().__init__(short if hint is None else f"{short}: {hint}")
        self.short = short
        self.absent = absent


def socket_path(socket: str | None, state_folder: Path, environ: Mapping[str, str]) -> Path:
    """That of ``--socket``, else of ``$OVERLAY_SUPERVISOR_SOCKET``, else the one in the state folder."""
    named = socket or environ.get(SOCKET_VARIABLE)
    path = Path(os.path.abspath(os.path.expanduser(named))) if named else state_folder / SOCKET_NAME
    try:
        check_length(path)
    except ControlError as error:
        raise ControlError(f"{error}\nname a shorter one with --socket or ${SOCKET_VARIABLE}") from error
    return path


def check_length(path: Path) -> None:
    """Raise :class:`ControlError` for a path that no Unix socket can have."""
    length = len(os.fsencode(path))
    if length > MAX_PATH:
        words = f"the control socket's path has {length} bytes, {MAX_PATH} are allowed: {path}"
        raise ControlError(words) from OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


# Answers ------------------------------------------------------------------------------------------


class _Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    v: Literal[1] = 1


class Value(_Answer, tag="value", frozen=True, kw_only=True):
    id: int
    value: msgspec.Raw


class Result(_Answer, tag="result", frozen=True, kw_only=True):
    """What a command did, or why it did nothing; ``reply`` is what a push was answered, as JSON text."""

    id: int
    ok: bool
    message: str
    reply: str | None = None


RefusalCode = Literal["bad_request", "busy", "failed", "forbidden", "timeout", "too_long", "version"]


class Refusal(_Answer, tag="refusal", frozen=True, kw_only=True):
    id: int | None
    """None when the request did not say."""
    code: RefusalCode
    message: str


class StateEvent(_Answer, tag="state", frozen=True, kw_only=True):
    """One change of state, exactly as it happened. ``timestamp`` in epoch seconds."""

    connection: str
    old_state: str
    new_state: str
    error: str | None
    timestamp: float


class Missed(_Answer, tag="missed", frozen=True, kw_only=True):
    """So many events are missing here."""

    count: int


class Update(_Answer, tag="update", frozen=True, kw_only=True):
    """What changed since the last update of its kind: at most 4 of each a second."""

    kind: Literal["snapshot", "log", "extra_commands"]
    value: msgspec.Raw
    """As in the answer to the request of that name."""


class Alive(_Answer, tag="alive", frozen=True, kw_only=True):
    """Nothing changed but the time at which the engine published: about once a second."""

    taken_at: float


Answer = Value | Result | Refusal | StateEvent | Missed | Update | Alive


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    version: str
    started_at: float
    """Epoch seconds. With ``pid`` it tells one engine from the next."""
    state_folder: str
    log_path: str | None = None


# Lines --------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()
_answer_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class _Heading(msgspec.Struct):
    v: Any = None
    id: Any = None


_heading_decoder = msgspec.json.Decoder(_Heading)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a line of whoever it may be."""


class RefusedRequestError(Exception):
    """A request is not carried out, or a client is not served any longer; :attr:`refusal` is the answer."""

    def __init__(self, code: RefusalCode, message: str, identifier: int | None = None) -> None:
        super().__init__(message)
        self.refusal = Refusal(id=identifier, code=code, message=message)


def encode_request(id: int, method: str, parameters: Mapping[str, Any]) -> bytes:
    """One line that asks for ``method``; its answer will bear ``id``.

    Raises:
        ControlError: it holds what JSON cannot say, or is longer than :data:`MAX_REQUEST`.
    """
    try:
        line = _encoder.encode({"v": VERSION, "id": id, "type": method, **parameters}) + b"\n"
    except (TypeError, ValueError, RecursionError, msgspec.EncodeError) as error:
        raise ControlError(f"it cannot be said in JSON: {error}") from error
    if len(line) > MAX_REQUEST:
        raise ControlError(f"it is too long: {len(line)} bytes, at most {MAX_REQUEST}")
    return line


def encode_answer(answer: Answer) -> bytes:
    """One line; one that would be longer than :data:`MAX_ANSWER` is replaced by a refusal that says so."""
    line = _encoder.encode(answer) + b"\n"
    if len(line) > MAX_ANSWER:
        identifier = answer.id if isinstance(answer, (Value, Result, Refusal)) else None
        words = f"the answer is too long: {len(line)} bytes, at most {MAX_ANSWER}"
        line = _encoder.encode(Refusal(id=identifier, code="too_long", message=words)) + b"\n"
    return line


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(value))


def identifier_of(line: bytes) -> int | None:
    """What a request calls itself; None for one that does not say.

    Raises:
        RefusedRequestError: it is none at all, or none of this version.
    """
    try:
        heading = _heading_decoder.decode(line)
    except UNREADABLE as error:
        raise RefusedRequestError("bad_request", f"not a request: {error}", None) from error
    identifier = heading.id if type(heading.id) is int and 0 <= heading.id <= 2**53 else None
    if type(heading.v) is not int or heading.v != VERSION:
        raise RefusedRequestError("version", _versions(heading.v), identifier)
    return identifier


def decode_answer(line: bytes) -> Answer:
    """One line; a :class:`ControlError` for what is no answer of this version."""
    try:
        return _answer_decoder.decode(line)
    except UNREADABLE as error:
        raise ControlError(f"whoever answers does not speak this protocol: {error}") from error


def _versions(theirs: object) -> str:
    if theirs is None:
        words = "names none (v)"
    elif type(theirs) is int and abs(theirs) < 2**53:
        words = f"is of version {theirs}"
    else:
        words = "names none that is a number (v)"
    return (
        f"this engine (overlay-supervisor {__version__}) speaks version {VERSION} of the control protocol, "
        f"the request {words}"
    )
