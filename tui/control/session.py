"""One client of the control socket: its requests, answered side by side, and what it subscribed to."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import logging
import struct
import termios
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Union

import msgspec

from tui.control import protocol
from tui.control.methods import ENGINE_METHODS, Method, Request, methods_of
from tui.control.protocol import (
    UNREADABLE,
    Alive,
    Answer,
    EngineInfo,
    Refusal,
    RefusedRequestError,
    Result,
    Update,
    Value,
    encode_answer,
    identifier_of,
    raw,
)
from tui.model.bounds import MAX_LOG_LINES, Cursor, Name
from tui.model.snapshot import CommandResult, ExtraCommand

if TYPE_CHECKING:
    from tui.control.server import ControlServer

log = logging.getLogger(__name__)

UPDATE_SECONDS = 0.25
"""Between two updates of a face."""
ALIVE_SECONDS = 1.0
"""Between two signs of life while nothing changes."""
HALF_REQUEST_SECONDS = 30.0
"""A request must be whole within this time of its first byte, the first one of the beginning."""
UNREAD_SECONDS = 30.0
"""A client that asks must have read its answers within this time; one that has not gives way to others."""
LAST_WORDS_SECONDS = 1.0
"""How long a client that is dismissed has to read why."""
MAX_UNREAD = 8 * 1024 * 1024
"""Bytes that may wait for a client; one that has more waiting when more comes is dropped."""
MAX_AT_ONCE = 16
"""Requests of one client that are under way; the next is read when one of them is answered."""

_HIGH_WATER = 256 * 1024
_READ_SIZE = 64 * 1024


class Conversation:
    """Runs until the client leaves, breaks a bound or does not read."""

    def __init__(
        self, service: ControlServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._transport = writer.transport
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._requests: set[asyncio.Task[None]] = set()
        self._subscription: asyncio.Task[None] | None = None
        self._watches = False
        self.idle_since = asyncio.get_running_loop().time()
        """The loop's time at which its last request was answered, or at which it came."""
        self._unread_since = self.idle_since

    @property
    def is_idle(self) -> bool:
        """It waits for nothing: no request is under way, and it hears of nothing by itself, or reads none of
        it."""
        if self._unread() and asyncio.get_running_loop().time() - self._unread_since > UNREAD_SECONDS:
            return True
        return not self._requests and not self._watches and self._subscription is None

    def _unread(self) -> int:
        """Bytes on their way that it has not read; 0 where the system does not tell."""
        if self._transport.is_closing():
            return 0
        descriptor = self._transport.get_extra_info("socket").fileno()
        try:
            (waiting,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
        except OSError:
            waiting = 0
        return int(waiting) + self._transport.get_write_buffer_size()

    def give_way(self) -> None:
        """Take leave of it at once, without waiting for it to read why."""
        self.send(Refusal(id=None, code="busy", message="this client was idle and gave way to another"))
        self._transport.abort()

    async def run(self) -> None:
        """Answer until the end; closes the connection."""
        patience = LAST_WORDS_SECONDS
        try:
            async for line in self._lines():
                await self._slots.acquire()
                task = asyncio.create_task(self._answer(line), name="control request")
                self._requests.add(task)
                task.add_done_callback(self._answered)
            # The client asks no more but may still read: a script that closed its end at once.
            if self._requests:
                await asyncio.wait(self._requests)
            patience = UNREAD_SECONDS
        except RefusedRequestError as ended:
            log.info("control: a client was dismissed: %s", ended)
            self.send(ended.refusal)
        except OSError as error:
            log.debug("control: a client went: %s", error)
        except asyncio.CancelledError:
            # The program ends; it waits for no reader.
            self._transport.abort()
            raise
        finally:
            for request in self._requests:
                request.cancel()
            if self._subscription is not None:
                self._subscription.cancel()
            await self._close(patience)

    async def _close(self, patience: float) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(patience):
                await self._writer.wait_closed()
        except OSError as error:  # a TimeoutError is one
            log.debug("control: a client did not read its last answers: %s", error)
            self._transport.abort()

    def send(self, answer: Answer) -> None:
        """Send an answer, or drop a client that has not read enough of the earlier ones."""
        self.send_line(encode_answer(answer))

    def send_line(self, line: bytes) -> None:
        if self._transport.is_closing():
            return
        waiting = self._transport.get_write_buffer_size()
        if waiting > MAX_UNREAD:
            log.warning("control: a client was dropped: %d bytes wait for it to read", waiting)
            self._transport.abort()
            return
        if not self._unread():
            self._unread_since = asyncio.get_running_loop().time()
        self._transport.write(line)

    # Reading

    async def _lines(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        deadline: float | None = loop.time() + HALF_REQUEST_SECONDS
        while True:
            end = buffer.find(b"\n")
            if (end if end >= 0 else len(buffer)) >= protocol.MAX_REQUEST:
                raise RefusedRequestError("too_long", f"a request may have {protocol.MAX_REQUEST} bytes")
            if end >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                deadline = loop.time() + HALF_REQUEST_SECONDS if buffer else None
                if line.strip():
                    yield line
                    await self._until_read()
                continue
            try:
                async with asyncio.timeout_at(deadline):
                    data = await self._reader.read(_READ_SIZE)
            except TimeoutError:
                raise RefusedRequestError(
                    "timeout", f"no request within {HALF_REQUEST_SECONDS:g} s"
                ) from None
            if not data:
                return
            if not buffer and deadline is None:
                deadline = loop.time() + HALF_REQUEST_SECONDS
            buffer += data

    async def _until_read(self) -> None:
        try:
            async with asyncio.timeout(UNREAD_SECONDS):
                await self._writer.drain()
        except TimeoutError:
            raise RefusedRequestError("timeout", f"answers not read within {UNREAD_SECONDS:g} s") from None

    # Answering

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        self.idle_since = asyncio.get_running_loop().time()
        self._slots.release()

    async def _answer(self, line: bytes) -> None:
        try:
            method, request = _read(line)
        except RefusedRequestError as error:
            self.send(error.refusal)
            return
        try:
            owner = self._service.engine if method.name in ENGINE_METHODS else self
            answer = getattr(owner, method.name)(**method.arguments(request))
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, CommandResult):
                done = Result(id=request.id, ok=answer.ok, message=answer.message, reply=answer.reply)
                self.send(done)
            else:
                self.send(Value(id=request.id, value=raw(answer)))
        except RefusedRequestError as error:
            self.send(msgspec.structs.replace(error.refusal, id=request.id))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not we were cancelled but what we waited for: the engine's loop ended beneath it.
            message = "the engine stopped before it answered"
            self.send(Refusal(id=request.id, code="failed", message=message))
        except Exception as error:
            # A mistake of ours must neither end the client's other requests nor go unheard.
            log.exception("control: a request failed: %s", method.name)
            message = f"it failed: {type(error).__name__}; the log says more"
            self.send(Refusal(id=request.id, code="failed", message=message))

    # Methods beside the engine's

    def metrics(self, name: Name | None = None) -> dict[str, dict[str, Any]] | CommandResult:
        """The nine metrics in camelCase, by connection; of ``name`` alone, unless it is None."""
        connections = self._service.engine.snapshot().connections
        found = {each.name: each.metrics.to_camel() for each in connections if name in (None, each.name)}
        if name is not None and not found:
            known = ", ".join(each.name for each in connections)
            message = f"no connection {name}; there are: {known or 'none'}"
            return CommandResult(ok=False, message=message)
        return found

    def info(self) -> EngineInfo:
        started_at = self._service.engine.snapshot().started_at
        return msgspec.structs.replace(self._service.info, started_at=started_at)

    async def reload(self) -> CommandResult:
        return await self._service.reload()

    def watch(self) -> CommandResult:
        """A :class:`tui.control.protocol.StateEvent` follows for each change of state."""
        # Nothing is sent before the answer: neither waits for the loop.
        self._watches = self._service.watch(self)
        if not self._watches:
            raise RefusedRequestError("failed", "this engine tells nobody of its changes of state")
        return CommandResult(ok=True, message="every change of state follows")

    def subscribe(self, log_after: Cursor = 0) -> CommandResult:
        """For a face: a :class:`tui.control.protocol.Update` or ``Alive`` follows again and again."""
        if self._subscription is not None:
            raise RefusedRequestError("busy", "this client has subscribed already")
        self._subscription = asyncio.create_task(self._update(log_after), name="control subscription")
        self._subscription.add_done_callback(self._subscription_ended)
        return CommandResult(ok=True, message="what changes follows")

    def _subscription_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A face without updates would stand still: it is dropped, and asks anew.
            log.error("control: a subscription failed", exc_info=error)
            self._transport.abort()

    async def _update(self, after: int) -> None:
        service, engine = self._service, self._service.engine
        version = 0
        extras: tuple[ExtraCommand, ...] = ()
        loop = asyncio.get_running_loop()
        noted = loop.time()
        while not self._transport.is_closing():
            lines: list[bytes] = []
            latest = service.publication.read()
            if latest.number != version:
                version = latest.number
                lines.append(latest.line)
            page = engine.log(after, MAX_LOG_LINES)
            after = page.next_cursor
            if page.lines or page.missed:
                lines.append(encode_answer(Update(kind="log", value=raw(page))))
            if (commands := engine.extra_commands()) != extras:
                extras = commands
                lines.append(encode_answer(Update(kind="extra_commands", value=raw(extras))))
            # Each sign of life replaces the one before, so an edition counts as one.
            if loop.time() - noted >= ALIVE_SECONDS and not lines:
                lines.append(encode_answer(Alive(taken_at=latest.taken_at)))
            if lines:
                noted = loop.time()
                for line in lines:
                    self.send_line(line)
            await asyncio.sleep(UPDATE_SECONDS)


METHODS = ENGINE_METHODS | methods_of(
    (
        Conversation.metrics,
        Conversation.info,
        Conversation.reload,
        Conversation.watch,
        Conversation.subscribe,
    )
)
"""All that may be asked, by name."""

_any_request: Any = Union.__getitem__(tuple(each.request for each in METHODS.values()))
_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(_any_request)


def _read(line: bytes) -> tuple[Method, Request]:
    identifier = identifier_of(line)
    try:
        request = _decoder.decode(line)
    except UNREADABLE as error:
        raise RefusedRequestError("bad_request", f"not a request: {error}", identifier) from error
    return METHODS[type(request).__name__], request
