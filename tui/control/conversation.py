"""One client of the control socket: its requests, answered side by side, and what it subscribed to."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

import msgspec
from msgspec import UNSET

from tui.control import protocol
from tui.control.protocol import (
    Alive,
    Answer,
    BadRequestError,
    EngineInfo,
    Refusal,
    RefusalCode,
    Request,
    Result,
    Update,
    Value,
    decode_request,
    encode_answer,
    raw,
)
from tui.control.publication import Publication
from tui.engine.api import AlertCommand, CommandResult, Engine, ExtraCommand

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


class Service(Protocol):
    """What a conversation needs of the server."""

    @property
    def engine(self) -> Engine: ...
    @property
    def publication(self) -> Publication: ...
    @property
    def info(self) -> EngineInfo: ...

    async def reload(self) -> CommandResult:
        """Read the settings anew."""
        ...

    def watch(self, conversation: Conversation) -> bool:
        """Send it every change of state from now on; False when nobody tells of them."""
        ...


class _EndedError(Exception):
    """The conversation cannot go on; the refusal says why."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(id=None, code=code, message=message)


class Conversation:
    """Runs until the client leaves, breaks a bound or does not read."""

    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        except _EndedError as ended:
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
        """The same for a line that is encoded already."""
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
                raise _EndedError("too_long", f"a request may have {protocol.MAX_REQUEST} bytes")
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
                raise _EndedError("timeout", f"no request within {HALF_REQUEST_SECONDS:g} s") from None
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
            raise _EndedError("timeout", f"answers not read within {UNREAD_SECONDS:g} s") from None

    # Answering

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        self.idle_since = asyncio.get_running_loop().time()
        self._slots.release()

    async def _answer(self, line: bytes) -> None:
        try:
            request = decode_request(line)
        except BadRequestError as error:
            self.send(error.refusal)
            return
        try:
            await self._carry_out(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not we were cancelled but what we waited for: the engine's loop ended beneath it.
            self._refuse(request, "failed", "the engine stopped before it answered")
        except Exception as error:
            # A mistake of ours must neither end the client's other requests nor go unheard.
            log.exception("control: a request failed: %s", type(request).__name__)
            self._refuse(request, "failed", f"it failed: {type(error).__name__}; the log says more")

    def _refuse(self, request: Request, code: RefusalCode, message: str) -> None:
        self.send(Refusal(id=request.id, code=code, message=message))

    def _give(self, request: Request, value: object) -> None:
        self.send(Value(id=request.id, value=raw(value)))

    async def _result(self, request: Request, command: Awaitable[CommandResult]) -> None:
        result = await command
        self.send(Result(id=request.id, ok=result.ok, message=result.message, reply=result.reply))

    async def _value(self, request: Request, reading: Awaitable[object]) -> None:
        value = await reading
        if isinstance(value, CommandResult):
            self.send(Result(id=request.id, ok=value.ok, message=value.message))
        else:
            self._give(request, value)

    async def _carry_out(self, request: Request) -> None:
        engine = self._service.engine
        match request:
            case protocol.GetSnapshot():
                self._give(request, engine.snapshot())
            case protocol.GetLog():
                self._give(request, engine.log(request.after, request.limit))
            case protocol.GetHistory():
                await self._value(request, engine.history(request.name))
            case protocol.GetFrames():
                await self._value(request, engine.frames(request.name, request.after, request.limit))
            case protocol.GetFrame():
                await self._value(request, engine.frame(request.name, request.cursor))
            case protocol.GetMetrics():
                self._metrics(request)
            case protocol.GetInfo():
                started_at = engine.snapshot().started_at
                self._give(request, msgspec.structs.replace(self._service.info, started_at=started_at))
            case protocol.GetExtras():
                self._give(request, engine.extra_commands())
            case protocol.Connect():
                await self._result(request, engine.connect(request.name))
            case protocol.Reconnect():
                await self._result(request, engine.reconnect(request.name))
            case protocol.Disconnect():
                await self._result(request, engine.disconnect(request.name))
            case protocol.Push():
                push = engine.push(request.name, request.topic, request.event, request.payload)
                await self._result(request, push)
            case protocol.SetDebug():
                await self._result(request, engine.set_debug(request.shown))
            case protocol.RunExtra():
                await self._result(request, engine.run_extra(request.command))
            case protocol.CommandAlerts():
                await self._result(request, engine.alerts(_alert_command(request.command)))
            case protocol.GetAlertHistory():
                reading = engine.alert_history(
                    before=request.before,
                    limit=request.limit,
                    type=request.alert_type,
                    outcome=request.outcome,
                    words=request.words,
                )
                await self._value(request, reading)
            case protocol.GetAlert():
                await self._value(request, engine.alert(request.alert))
            case protocol.Acknowledge():
                await self._result(request, engine.acknowledge(request.incident))
            case protocol.GetTimeline():
                await self._value(request, engine.timeline(request.incident))
            case protocol.Reload():
                await self._result(request, self._service.reload())
            case protocol.Watch():
                self._watch(request)
            case protocol.Subscribe():
                self._subscribe(request)

    def _metrics(self, request: protocol.GetMetrics) -> None:
        metrics = {
            connection.name: connection.metrics.to_camel()
            for connection in self._service.engine.snapshot().connections
            if request.name in (None, connection.name)
        }
        if request.name is not None and not metrics:
            known = (each.name for each in self._service.engine.snapshot().connections)
            words = f"no connection {request.name}; there are: {', '.join(known) or 'none'}"
            self.send(Result(id=request.id, ok=False, message=words))
        else:
            self._give(request, metrics)

    def _watch(self, request: protocol.Watch) -> None:
        # The answer goes first, whatever changes next.
        self._watches = self._service.watch(self)
        if self._watches:
            self.send(Result(id=request.id, ok=True, message="every change of state follows"))
        else:
            self._refuse(request, "failed", "this engine tells nobody of its changes of state")

    def _subscribe(self, request: protocol.Subscribe) -> None:
        if self._subscription is not None:
            self._refuse(request, "busy", "this client has subscribed already")
            return
        self.send(Result(id=request.id, ok=True, message="what changes follows"))
        self._subscription = asyncio.create_task(self._update(request.log_after), name="control subscription")
        self._subscription.add_done_callback(self._subscription_ended)

    def _subscription_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A face without updates would stand still: it is dropped, and asks anew.
            log.error("control: a subscription failed", exc_info=error)
            self._transport.abort()

    async def _update(self, after: int) -> None:
        service, engine = self._service, self._service.engine
        edition = 0
        extras: tuple[ExtraCommand, ...] = ()
        loop = asyncio.get_running_loop()
        told = loop.time()
        while not self._transport.is_closing():
            lines: list[bytes] = []
            latest = service.publication.read()
            if latest.number != edition:
                edition = latest.number
                lines.append(latest.line)
            page = engine.log(after, protocol.MAX_LOG_LINES)
            after = page.next_cursor
            if page.lines or page.missed:
                lines.append(encode_answer(Update(kind="log", value=raw(page))))
            if (commands := engine.extra_commands()) != extras:
                extras = commands
                lines.append(encode_answer(Update(kind="extras", value=raw(extras))))
            # Each sign of life replaces the one before, so an edition counts as one.
            if loop.time() - told >= ALIVE_SECONDS and not lines:
                lines.append(encode_answer(Alive(taken_at=latest.taken_at)))
            if lines:
                told = loop.time()
                for line in lines:
                    self.send_line(line)
            await asyncio.sleep(UPDATE_SECONDS)


def _alert_command(order: protocol.AlertOrder) -> AlertCommand:
    return AlertCommand(
        verb=order.verb,
        id=order.id,
        type=None if order.type is UNSET else order.type,
        seconds=order.seconds,
        position=order.position,
        count=order.count,
        force=order.force,
    )
