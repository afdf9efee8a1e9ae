"""A running engine as a face in another process sees it: the same interface, over the control socket."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import msgspec

from tui.control import protocol
from tui.control.client import dial
from tui.control.methods import ENGINE_METHODS, Method
from tui.control.protocol import (
    COMMAND_SECONDS,
    UNREADABLE,
    Alive,
    Answer,
    ControlError,
    EngineInfo,
    NoEngineError,
    Refusal,
    Result,
    Update,
    Value,
    decode_answer,
    encode_request,
)
from tui.control.publication import at_time
from tui.control.session import METHODS, Conversation
from tui.model.engine import Engine
from tui.model.incidents import LineSeverity
from tui.model.snapshot import CommandResult, ExtraCommand, LogLine, LogPage, Snapshot

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

SILENCE_SECONDS = 15.0
"""The engine's control thread says something each second; one that is silent for so long is left."""
FIRST_DELAY = 0.1
"""Seconds before the first try to come back; doubled at each, up to :data:`LAST_DELAY`."""
LAST_DELAY = 2.0
MAX_LINES = 1000
"""Lines of the engine's log that are held."""

_DIAL_SECONDS = 5.0
_AWAY = "the engine is away"


def _asked(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """What asks the engine over the socket for what ``function`` does in its process."""
    method, signature = METHODS[function.__name__], inspect.signature(function)

    @functools.wraps(function)
    async def ask(*given: P.args, **named: P.kwargs) -> T:
        engine, *_ = given
        fields = method.fields(signature.bind(*given, **named).arguments)
        answer: T = await cast(RemoteEngine, engine).call(method, fields)
        return answer

    return ask


class RemoteEngine(Engine):
    """The engine at ``path``, whichever runs there; what is not defined here is asked over the socket.

    While none answers, the last snapshot stays, with ``waiting`` saying why. Log lines keep their order
    and get cursors of their own, which go on when another engine begins at 1 again; that the engine was
    away stands among them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info: EngineInfo | None = None
        """The engine that answers, or answered last."""
        now = time.time()
        self._snapshot = Snapshot(sequence=0, taken_at=now, started_at=now, waiting="not yet reached")
        self._lines = _Lines(MAX_LINES)
        self._extras: tuple[ExtraCommand, ...] = ()
        self._cursor = 0
        self._away_because: str | None = None
        self._stopping = threading.Event()
        self._heard = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Value | Result | Refusal]] = {}
        self._thread = threading.Thread(target=self._run, name="remote engine", daemon=True)

    # Any thread

    def start(self, wait: float = 0.0) -> bool:
        """Begin to follow the engine, once only; whether its first snapshot came within ``wait`` seconds."""
        self._thread.start()
        return self._heard.wait(wait)

    def close(self, timeout: float = 1.0) -> None:
        """Leave the engine, which goes on; waits at most ``timeout`` seconds. Any number of times."""
        self._stopping.set()
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:
                log.debug("the loop had ended already")
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def log(self, after: int = 0, limit: int = 100) -> LogPage:
        return self._lines.page(after, limit)

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        """None while the engine is away."""
        return self._extras

    reload = _asked(Conversation.reload)

    async def call(self, method: Method, fields: Mapping[str, Any]) -> Any:
        """Ask for ``method``; what the engine returns, or a result that says why there is none."""
        loop = self._loop
        if loop is not None and self._writer is not None:
            exchange = self._exchange(method, fields)
            try:
                return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(exchange, loop))
            except RuntimeError:
                log.debug("the loop had ended already")
                exchange.close()
        return CommandResult(ok=False, message=_AWAY)

    # The thread that follows the engine

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            log.exception("the engine is followed no more")
            self._waits(f"{type(error).__name__}: {error}")
        finally:
            self._loop = None

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stopping.is_set():
            return
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        delay = FIRST_DELAY
        while not self._stop.is_set():
            following = asyncio.create_task(self._follow(), name="follow")
            await asyncio.wait((following, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait((following,))
            # Asked for at the end too: asyncio complains of an exception that nobody took.
            error = None if following.cancelled() else following.exception()
            if self._stop.is_set():
                break
            if self._away_because is None:
                delay = FIRST_DELAY
            if isinstance(error, NoEngineError):
                self._waits(error.short)
            elif isinstance(error, (ControlError, OSError)):
                self._waits(str(error))
            elif error is not None:
                raise error
            # Several faces of one engine must not all come in the same instant.
            await asyncio.wait((stopping,), timeout=delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, LAST_DELAY)

    def _waits(self, why: str) -> None:
        self._extras = ()
        self._publish(msgspec.structs.replace(self._snapshot, waiting=why))
        if why != self._away_because:
            if self.info is not None:
                self._note(f"waiting for the engine: {why}", "warning")
            self._away_because = why

    async def _follow(self) -> None:
        """Follow the engine until it goes away: a :class:`ControlError` says why."""
        # Never waits: a Unix socket is connected at once or not at all.
        connection = dial(self.path, _DIAL_SECONDS)
        connection.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=protocol.MAX_ANSWER)
        try:
            await self._subscribe(reader, writer)
            self._writer = writer
            while True:
                self._take(decode_answer(await _line(reader)))
        finally:
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    words = "the engine went away before it answered"
                    waiting.set_result(Refusal(id=None, code="failed", message=words))
            writer.transport.abort()

    async def _subscribe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def ask(method: str, **parameters: Any) -> Value | Result | Refusal:
            number = next(self._numbers)
            writer.write(encode_request(number, method, parameters))
            while True:
                answer = decode_answer(await _line(reader))
                if isinstance(answer, Refusal):
                    raise ControlError(answer.message)
                if isinstance(answer, (Value, Result)) and answer.id == number:
                    return answer

        answer = await ask("info")
        if not isinstance(answer, Value):
            raise ControlError("whoever answers does not speak this protocol")
        info = _decode(answer.value, EngineInfo)
        known, self.info = self.info, info
        same = known is not None and (info.pid, info.started_at) == (known.pid, known.started_at)
        if not same:
            self._cursor = 0
        await ask("subscribe", log_after=self._cursor)
        if known is not None:
            self._note("the engine is back" if same else f"another engine runs: process {info.pid}", "info")
        self._away_because = None

    def _take(self, answer: Answer) -> None:
        match answer:
            case Refusal(id=None):
                raise ControlError(answer.message)
            case Value(id=number) | Result(id=number) | Refusal(id=int(number)):
                waiting = self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
            case Alive():
                self._publish(at_time(self._snapshot, 0, answer.taken_at))
            case Update(kind="snapshot"):
                self._publish(_decode(answer.value, Snapshot))
                self._heard.set()
            case Update(kind="log"):
                self._add(_decode(answer.value, LogPage))
            case Update(kind="extra_commands"):
                self._extras = _decode(answer.value, tuple[ExtraCommand, ...])
            case _:
                pass  # what nobody asked for

    def _publish(self, snapshot: Snapshot) -> None:
        self._snapshot = msgspec.structs.replace(snapshot, sequence=self._snapshot.sequence + 1)

    def _add(self, page: LogPage) -> None:
        # What another engine's log no longer held when we came was never ours to miss.
        missed = page.missed if self._cursor else 0
        self._cursor = page.next_cursor
        self._lines.add(page.lines, missed)

    def _note(self, text: str, severity: LineSeverity) -> None:
        line = LogLine(cursor=0, timestamp=time.time(), connection=None, text=text, severity=severity)
        self._lines.add((line,))

    # Requests

    async def _exchange(self, method: Method, fields: Mapping[str, Any]) -> Any:
        try:
            answer = await self._ask(method.name, fields)
            if isinstance(answer, Value) and method.value is not None:
                return _decode(answer.value, method.value)
        except ControlError as error:
            return CommandResult(ok=False, message=str(error))
        if isinstance(answer, Value):
            return CommandResult(ok=False, message="the engine answered something else")
        if isinstance(answer, Result):
            return CommandResult(ok=answer.ok, message=answer.message, reply=answer.reply)
        return CommandResult(ok=False, message=answer.message)

    async def _ask(self, method: str, fields: Mapping[str, Any]) -> Value | Result | Refusal:
        number = next(self._numbers)
        line = encode_request(number, method, fields)
        writer = self._writer
        if writer is None:
            raise ControlError(_AWAY)
        waiting: asyncio.Future[Value | Result | Refusal] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            writer.write(line)
            async with asyncio.timeout(COMMAND_SECONDS):
                return await waiting
        except TimeoutError:
            raise ControlError(f"no answer from the engine within {COMMAND_SECONDS:g} s") from None
        finally:
            del self._waiting[number]


for _name in ENGINE_METHODS.keys() - vars(RemoteEngine).keys():
    setattr(RemoteEngine, _name, _asked(getattr(Engine, _name)))


class _Lines:
    """The last ``size`` lines, numbered anew; written by one thread, read from any."""

    def __init__(self, size: int) -> None:
        self._held: deque[LogLine] = deque(maxlen=size)
        self._cursor = 0
        self._lock = threading.Lock()

    def add(self, lines: tuple[LogLine, ...], missed: int = 0) -> None:
        """Add lines before which so many others are missing."""
        with self._lock:
            self._cursor += missed
            for line in lines:
                self._cursor += 1
                self._held.append(msgspec.structs.replace(line, cursor=self._cursor))

    def page(self, after: int, limit: int) -> LogPage:
        after = max(after, 0)
        with self._lock:
            lines = tuple(line for line in self._held if line.cursor > after)[: max(limit, 0)]
        last = lines[-1].cursor if lines else after
        return LogPage(lines=lines, next_cursor=last, missed=last - after - len(lines))


def _decode(value: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(value, type=kind)
    except UNREADABLE as error:
        raise ControlError(f"its answer is not understood: {error}") from error


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await reader.readuntil(b"\n")
    except TimeoutError:
        raise ControlError(f"it says nothing for {SILENCE_SECONDS:g} s") from None
    except asyncio.IncompleteReadError:
        raise NoEngineError("it went away") from None
    except asyncio.LimitOverrunError:
        raise ControlError(f"its answer is longer than {protocol.MAX_ANSWER} bytes") from None
