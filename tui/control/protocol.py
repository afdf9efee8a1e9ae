"""What is said on the control socket: one JSON object a line, versioned, typed and bounded.

A request is ``{"v":1,"id":7,"type":"reconnect","name":"stage"}``; each answer bears its ``id``. After
``watch`` and ``subscribe`` more lines follow by themselves. What an answer carries is decoded by
whoever asked, who knows its type.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tui import __version__
from tui.engine.api import AlertOutcome, AlertVerb
from tui.places import SOCKET_VARIABLE

VERSION = 1
"""Of this protocol. It grows when an older program could misread a newer one."""

MAX_REQUEST = 64 * 1024
"""Bytes of one request, its line end included."""

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer, its line end included."""

MAX_LOG_LINES = 1000
"""Lines that one request may ask for."""

MAX_FRAMES = 1000
"""Frames that one request may ask for."""

MAX_ALERTS = 1000
"""Ended alerts that one request may ask for."""

MAX_TEST_ALERTS = 500
"""Test alerts that one request may make."""

MAX_POSITION = 10_000
"""In the alert queue."""

DAY = 86_400.0
"""Seconds; the longest hold and the longest mute."""

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
    """The socket of ``--socket``, else of ``$OVERLAY_SUPERVISOR_SOCKET``, else the one in the state folder.

    Raises:
        ControlError: the path is longer than the system allows.
    """
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


# Requests -----------------------------------------------------------------------------------------

Identifier = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
AlertId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
IncidentId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    id: Identifier
    """Chosen by the asker; the answer bears it."""
    v: Literal[1] = 1


class GetSnapshot(_Request, tag="snapshot", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.Snapshot`."""


class GetLog(_Request, tag="log", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.LogPage`."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LOG_LINES)] = 100


class GetHistory(_Request, tag="history", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.ConnectionHistory`, or a :class:`Result`."""

    name: Name


class GetFrames(_Request, tag="frames", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.FramePage`, or a :class:`Result`."""

    name: Name
    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_FRAMES)] = 200


class GetFrame(_Request, tag="frame", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.FrameContent`, or a :class:`Result`."""

    name: Name
    cursor: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class GetMetrics(_Request, tag="metrics", frozen=True, kw_only=True):
    """Answered by a :class:`Value`: by connection, objects of the nine metrics in camelCase."""

    name: Name | None = None
    """None for all."""


class GetInfo(_Request, tag="info", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`EngineInfo`."""


class GetExtras(_Request, tag="extras", frozen=True, kw_only=True):
    """Answered by a :class:`Value`: an array of :class:`tui.engine.api.ExtraCommand`."""


class _ForOneOrAll(_Request, frozen=True, kw_only=True):
    name: Name | None
    """None for all; it must be given, so that nothing is done to all by omission."""


class Connect(_ForOneOrAll, tag="connect", frozen=True, kw_only=True):
    """Answered by a :class:`Result`."""


class Reconnect(_ForOneOrAll, tag="reconnect", frozen=True, kw_only=True):
    """Answered by a :class:`Result`."""


class Disconnect(_ForOneOrAll, tag="disconnect", frozen=True, kw_only=True):
    """Answered by a :class:`Result`."""


class Push(_Request, tag="push", frozen=True, kw_only=True):
    """Answered by a :class:`Result` when the server replied, refused or was silent for too long."""

    name: Name
    topic: Topic
    event: Topic
    payload: Any


class SetDebug(_Request, tag="set_debug", frozen=True, kw_only=True):
    """Answered by a :class:`Result`."""

    shown: bool


class RunExtra(_Request, tag="run_extra", frozen=True, kw_only=True):
    """Answered by a :class:`Result`."""

    command: Name


_NEEDED: Mapping[str, tuple[str, ...]] = {
    "hold": ("seconds",),
    "remove": ("id",),
    "move": ("id", "position"),
    "requeue": ("id",),
    "mute": ("type", "seconds"),
    "test": ("type",),
}


class AlertOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of :class:`tui.engine.api.AlertCommand`, bounded; each verb must have what it needs."""

    verb: AlertVerb
    id: AlertId | None = None
    type: Name | msgspec.UnsetType | None = msgspec.UNSET
    """None is all types; a ``clear`` must say it, so that nothing is done to all by omission."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=DAY)] | None = None
    position: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_TEST_ALERTS)] = 1
    force: bool = False

    def __post_init__(self) -> None:
        for field in _NEEDED.get(self.verb, ()):
            if getattr(self, field) in (None, msgspec.UNSET):
                raise ValueError(f"`{self.verb}` needs `{field}`")
        if self.verb == "clear" and self.type is msgspec.UNSET:
            raise ValueError("`clear` needs `type`, null for all")


class CommandAlerts(_Request, tag="alerts", frozen=True, kw_only=True):
    """Do something with the alert queue. Answered by a :class:`Result`."""

    command: AlertOrder


class GetAlertHistory(_Request, tag="alert_history", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.AlertPage`, or a :class:`Result`."""

    before: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    """The ``next_before`` of the page before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_ALERTS)] = 100
    alert_type: Name | None = None
    """None for every type."""
    outcome: AlertOutcome | None = None
    """None for every one."""
    words: Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)] = ()
    """Each somewhere in the type, the outcome, who, title or message."""


class GetAlert(_Request, tag="alert", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.AlertContent`, or a :class:`Result`."""

    alert: AlertId


class Acknowledge(_Request, tag="acknowledge", frozen=True, kw_only=True):
    """A person has seen an open incident. Answered by a :class:`Result`."""

    incident: IncidentId


class GetTimeline(_Request, tag="timeline", frozen=True, kw_only=True):
    """Answered by a :class:`Value` of :class:`tui.engine.api.Timeline`, or a :class:`Result`."""

    incident: IncidentId


class Reload(_Request, tag="reload", frozen=True, kw_only=True):
    """Read the settings anew. Answered by a :class:`Result` that says what was done."""


class Watch(_Request, tag="watch", frozen=True, kw_only=True):
    """Answered by a :class:`Result`; a :class:`StateEvent` follows for each change of state."""


class Subscribe(_Request, tag="subscribe", frozen=True, kw_only=True):
    """For a face. Answered by a :class:`Result`; :class:`Update` and :class:`Alive` follow."""

    log_after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


Request = (
    GetSnapshot
    | GetLog
    | GetHistory
    | GetFrames
    | GetFrame
    | GetMetrics
    | GetInfo
    | GetExtras
    | Connect
    | Reconnect
    | Disconnect
    | Push
    | SetDebug
    | RunExtra
    | CommandAlerts
    | GetAlertHistory
    | GetAlert
    | Acknowledge
    | GetTimeline
    | Reload
    | Watch
    | Subscribe
)


# Answers ------------------------------------------------------------------------------------------


class _Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    v: Literal[1] = 1


class Value(_Answer, tag="value", frozen=True, kw_only=True):
    """What was asked for."""

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
    """The request was not carried out."""

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

    kind: Literal["snapshot", "log", "extras"]
    value: msgspec.Raw
    """As in the answer to the request of that name."""


class Alive(_Answer, tag="alive", frozen=True, kw_only=True):
    """Nothing changed but the time at which the engine published: about once a second."""

    taken_at: float


Answer = Value | Result | Refusal | StateEvent | Missed | Update | Alive


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine answers."""

    pid: int
    version: str
    started_at: float
    """Epoch seconds. With ``pid`` it tells one engine from the next."""
    state_folder: str
    log_path: str | None = None


# Lines --------------------------------------------------------------------------------------------

_encoder = msgspec.json.Encoder()
_request_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answer_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class _Heading(msgspec.Struct):
    v: Any = None
    id: Any = None


_heading_decoder = msgspec.json.Decoder(_Heading)

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadRequestError(Exception):
    """A line is no request; :attr:`refusal` is the answer to it."""

    def __init__(self, code: RefusalCode, message: str, identifier: int | None) -> None:
        super().__init__(message)
        self.refusal = Refusal(id=identifier, code=code, message=message)


def encode_request(request: Request) -> bytes:
    """One line.

    Raises:
        ControlError: it holds what JSON cannot say, or is longer than :data:`MAX_REQUEST`.
    """
    try:
        line = _encoder.encode(request) + b"\n"
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
    """A value as it goes into an answer."""
    return msgspec.Raw(_encoder.encode(value))


def decode_request(line: bytes) -> Request:
    """One line without its end.

    Raises:
        BadRequestError: it is no request of this version.
    """
    try:
        heading = _heading_decoder.decode(line)
    except _UNREADABLE as error:
        raise BadRequestError("bad_request", f"not a request: {error}", None) from error
    identifier = heading.id if type(heading.id) is int and 0 <= heading.id <= 2**53 else None
    if type(heading.v) is not int or heading.v != VERSION:
        raise BadRequestError("version", _versions(heading.v), identifier)
    try:
        return _request_decoder.decode(line)
    except _UNREADABLE as error:
        raise BadRequestError("bad_request", f"not a request: {error}", identifier) from error


def decode_answer(line: bytes) -> Answer:
    """One line.

    Raises:
        ControlError: it is no answer of this version.
    """
    try:
        return _answer_decoder.decode(line)
    except _UNREADABLE as error:
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
