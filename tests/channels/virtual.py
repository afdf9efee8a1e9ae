"""A Phoenix server in memory, for tests of the client on virtual time; nothing here replaces a part of it."""

from __future__ import annotations

import asyncio
import base64
import functools
import inspect
import json
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import settings

from tui.channels import Channel, ConnectionDetails, HealthMetrics, Options, Socket, StateChange
from tui.channels.errors import NotConnectedError
from tui.channels.link import CLOSE_TIMEOUT, LinkOwner, LinkRequest
from tui.channels.outflow import Outflow
from tui.simulation.loop import VirtualClock, VirtualLoop

REPLAYED = settings(derandomize=True, database=None, deadline=None)
"""Settings of random tests: the same examples every time, and no files."""

LATENCY = 0.001
"""Seconds from the client to the server, and as much back."""


@dataclass
class Frame:
    """One message from the client, as the server understood it."""

    at: float
    link: int
    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Any


class MemoryLink:
    """A WebSocket in memory: the client's end, and what Phoenix keeps for it at the other."""

    def __init__(self, server: Server, owner: LinkOwner, number: int, version: int) -> None:
        self.server = server
        self.number = number
        self.version = version
        self.opened_at = server.now()
        self.closing = False
        self.closed = False
        self.writable = True
        self.channels: dict[str, str] = {}
        """Topics joined on the server, with their join_ref."""
        self._owner: LinkOwner | None = owner
        self._timers: set[asyncio.TimerHandle] = set()
        # Timers of one instant fire in any order; frames of one connection do not.
        self._to_server: deque[Frame] = deque()
        self._written = 0
        self._line_free_at = 0.0
        self._stopped: int | None = None
        self._to_client: deque[tuple[Any, ...]] = deque()
        self._waiting: deque[Frame] = deque()
        self._busy = False  # a connection is one process: what comes waits for a join that runs

    # The client's end

    def send_frame(self, data: bytes, text: bool) -> None:
        if self.closing or self.closed:
            raise NotConnectedError("not connected")
        frame = self._understand(data, text)
        self.server.sent.append(frame)
        self._to_server.append(frame)
        self._written += len(data)
        now, rate = self.server.now(), self.server.line_rate
        self._line_free_at = max(now, self._line_free_at) + (0.0 if rate is None else len(data) / rate)
        self.later(LATENCY + self._line_free_at - now, self._arrived)

    async def shut(self, code: int = 1000) -> None:
        self._owner = None
        self.closing = True
        try:
            await asyncio.sleep(min(self.server.close_takes, CLOSE_TIMEOUT))
        finally:
            self._over()

    def abort(self) -> None:
        self._owner = None
        self._over()

    # The server's end

    def lose(self, code: int = 1006, words: str = "connection dropped without a close frame") -> None:
        """The link ends, and the client did not ask for it."""
        if self.closing or self.closed:
            return
        owner, self._owner = self._owner, None
        self._over()
        if owner is not None:
            owner.link_lost(code, words)

    def deliver(self, *frame: Any) -> None:
        """One frame to the client, after its way through the network."""
        if not self.server.frozen:
            self._to_client.append(frame)
            self.later(LATENCY, lambda: self.arrive(*self._to_client.popleft()))

    def end_channel(self, join_ref: str, topic: str, event: str, payload: Any) -> None:
        """Say that a channel ended; in version 1 nothing says which of a topic's joins is meant."""
        named = join_ref if self.version == 2 else None
        self.deliver(named, named, topic, event, payload)

    def arrive(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> None:
        """One frame reaches the client now."""
        if self.version == 2:
            text: Any = [join_ref, ref, topic, event, payload]
        else:
            text = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        self.arrive_raw(json.dumps(text).encode(), True)

    def arrive_raw(self, data: bytes, text: bool) -> None:
        """Any bytes reach the client now."""
        owner = self._owner
        if owner is None or self.closed:
            return
        owner.heard = True
        owner.frame_received(data, text)

    @property
    def outflow(self) -> Outflow:
        """What became of all that was sent, over a line of the server's rate."""
        if self._stopped is not None:
            return Outflow(self._stopped, self._written - self._stopped)
        rate = self.server.line_rate
        waiting = 0 if rate is None else round(max(0.0, self._line_free_at - self.server.now()) * rate)
        return Outflow(self._written - waiting, waiting)

    def stop_line(self) -> None:
        """Nothing leaves from now on."""
        self._stopped = self.outflow.left
        self._to_server = deque()

    def make_writable(self, writable: bool) -> None:
        """The server takes what is sent, or is too slow for it."""
        self.writable = writable
        if writable and self._owner is not None:
            self._owner.link_writable()

    def later(self, delay: float, callback: Callable[[], object]) -> None:
        """Call back unless the link ends first."""

        def fire() -> None:
            self._timers.discard(handle)
            callback()

        handle = self.server.loop.call_later(delay, fire)
        self._timers.add(handle)

    def _over(self) -> None:
        self.closed = True
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()

    def _understand(self, data: bytes, text: bool) -> Frame:
        if not text:
            lengths, rest, parts = data[1:5], data[5:], []
            for length in lengths:
                parts.append(rest[:length].decode())
                rest = rest[length:]
            return Frame(self.server.now(), self.number, parts[0] or None, parts[1], parts[2], parts[3], rest)
        frame = json.loads(data)
        if self.version == 1:
            return Frame(
                self.server.now(),
                self.number,
                None,
                frame["ref"],
                frame["topic"],
                frame["event"],
                frame["payload"],
            )
        return Frame(self.server.now(), self.number, *frame)

    def _arrived(self) -> None:
        if self._stopped is None:
            self._received(self._to_server.popleft())

    def _received(self, frame: Frame) -> None:
        if not self.server.frozen:
            self._waiting.append(frame)
            self._work()

    def _work(self) -> None:
        while self._waiting and not self._busy:
            frame = self._waiting.popleft()
            takes = self.server.join_takes(frame.topic) if frame.event == "phx_join" else 0.0
            if takes > 0:
                self._busy = True
                self.later(takes, functools.partial(self._join_done, frame))
            else:
                self._handle(frame)

    def _join_done(self, frame: Frame) -> None:
        self._busy = False
        self._handle(frame)
        self._work()

    def _handle(self, frame: Frame) -> None:
        server = self.server
        server.handled.append(frame)
        if server.frozen or frame.event in server.unanswered:
            return
        if frame.topic == "phoenix":
            self._reply(None, frame, "ok", {})
        elif frame.event == "phx_join":
            self._join(frame)
        elif frame.event == "phx_leave":
            self._leave(frame)
        else:
            self._push(frame)

    def _reply(self, join_ref: str | None, frame: Frame, status: str, response: Any) -> None:
        payload = {"status": status, "response": response}
        self.deliver(join_ref, frame.ref, frame.topic, "phx_reply", payload)

    def _join(self, frame: Frame) -> None:
        topic = frame.topic
        status, response = self.server.answer_join(frame)
        if status != "ok":
            unmatched = response == {"reason": "unmatched topic"}
            self._reply(None if unmatched else frame.join_ref, frame, status, response)
            return
        # Version 1 has no join_ref on the wire: the server keeps the join's ref as one.
        join_ref = frame.join_ref if self.version == 2 else frame.ref
        old, self.channels[topic] = self.channels.get(topic), str(join_ref)
        self._reply(frame.join_ref, frame, "ok", response)
        if old is not None:
            self.end_channel(old, topic, "phx_close", {})

    def _leave(self, frame: Frame) -> None:
        current = self.channels.get(frame.topic)
        if current is None:
            self._reply(frame.join_ref, frame, "ok", {})
        elif self.version == 1 or frame.join_ref == current:
            del self.channels[frame.topic]
            self._reply(current, frame, "ok", {})
            self.end_channel(current, frame.topic, "phx_close", {})

    def _push(self, frame: Frame) -> None:
        current = self.channels.get(frame.topic)
        if current is None:
            self._reply(None, frame, "error", {"reason": "unmatched topic"})
        elif self.version == 2 and frame.join_ref != current:
            pass
        elif frame.event == "crash":
            self.server.crash(frame.topic)
        elif frame.event == "refuse":
            self._reply(current, frame, "error", frame.payload)
        else:
            response = frame.payload if not isinstance(frame.payload, bytes) else {}
            self._reply(current, frame, "ok", response)


class Server:
    """Phoenix and the network to it, with faults to switch on.

    It keeps the order and the join_ref rules that Phoenix was seen to keep: frames of a connection
    one after another, a slow join holding up everything behind it, the reply of a duplicate join
    before the ``phx_close`` of the old one, no reply for a stale join_ref.
    """

    def __init__(self, loop: VirtualLoop, clock: VirtualClock) -> None:
        self.loop = loop
        self._clock = clock
        self.refusal: Exception | None = None
        """Raised by every attempt to open."""
        self.hangs = False
        """Attempts to open never end."""
        self.line_rate: float | None = None
        """Bytes a second that leave the client; None for all at once."""
        self.open_takes = 0.0
        self.close_takes = 0.01
        self.frozen = False
        """The link stays up and nothing is answered or sent."""
        self.closes_at_once: int | None = None
        """Every link is closed with this code as soon as it is open."""
        self.closes_after: float | None = None
        """Every link is dropped so many seconds after it was opened."""
        self.unanswered: set[str] = set()
        """Events that get no reply."""
        self.slow_joins: float | dict[str, float] = 0.0
        self.join_answers: dict[str, tuple[str, Any]] = {}
        """Topics whose join is not answered with ok."""

        self.attempts: list[float] = []
        """When the client tried to open, on the clock by which it decides."""
        self.requests: list[LinkRequest] = []
        self.links: list[MemoryLink] = []
        """Every link ever opened."""
        self.sent: list[Frame] = []
        """Everything that clients sent, whether or not it was handled."""
        self.handled: list[Frame] = []
        self.on_attempt: Callable[[], object] | None = None
        self.opening = 0

    def now(self) -> float:
        return self._clock.monotonic()

    async def open(self, request: LinkRequest, owner: LinkOwner) -> MemoryLink:
        """The network's side of an attempt to open: an ``Opener``."""
        self.attempts.append(self.now())
        self.requests.append(request)
        assert not self.live_links, "a second link is opened beside an open one"
        assert not self.opening, "two links are being opened at once"
        if self.on_attempt is not None:
            self.on_attempt()
        self.opening += 1
        try:
            if self.hangs:
                await self.loop.create_future()
            if self.refusal is not None:
                raise self.refusal
            await asyncio.sleep(self.open_takes)
            version = 2 if dict(parse_qsl(urlsplit(request.url).query))["vsn"] == "2.0.0" else 1
            link = MemoryLink(self, owner, len(self.links), version)
            self.links.append(link)
        finally:
            self.opening -= 1
        if self.closes_at_once is not None:
            code = self.closes_at_once
            link.later(0, lambda: link.lose(code, f"{code}"))
        if self.closes_after is not None:
            link.later(self.closes_after, link.lose)
        return link

    @property
    def live_links(self) -> list[MemoryLink]:
        """Links that are open and not being closed by the client."""
        return [link for link in self.links if not (link.closed or link.closing)]

    @property
    def link(self) -> MemoryLink:
        """The one open link."""
        (link,) = self.live_links
        return link

    @property
    def joined(self) -> set[str]:
        """Topics joined on the one open link."""
        return set(self.link.channels)

    def answer_join(self, frame: Frame) -> tuple[str, Any]:
        return self.join_answers.get(frame.topic, ("ok", {}))

    def join_takes(self, topic: str) -> float:
        if isinstance(self.slow_joins, dict):
            return self.slow_joins.get(topic, 0.0)
        return self.slow_joins

    def drop(self, code: int = 1006, words: str = "connection dropped without a close frame") -> None:
        """Every link ends."""
        for link in self.live_links:
            link.lose(code, words)

    def stop(self) -> None:
        """The server goes: links end, attempts are refused."""
        self.refusal = ConnectionRefusedError()
        self.drop(1012, "1012 service restart")

    def start(self) -> None:
        """The server is back."""
        self.refusal = None

    def broadcast(self, topic: str, event: str, payload: Any) -> None:
        for link in self.live_links:
            if topic in link.channels:
                link.deliver(None, None, topic, event, payload)

    def crash(self, topic: str, payload: Any = None) -> None:
        """The channel's process ends by a mistake."""
        for link in self.live_links:
            join_ref = link.channels.pop(topic, None)
            if join_ref is not None:
                link.end_channel(join_ref, topic, "phx_error", payload or {"reason": "channel_crash"})

    def close_channel(self, topic: str) -> None:
        """The channel's process ends as it should."""
        for link in self.live_links:
            join_ref = link.channels.pop(topic)
            link.end_channel(join_ref, topic, "phx_close", {})

    def forget(self, topic: str) -> None:
        """The channel is gone and nobody is told."""
        for link in self.live_links:
            del link.channels[topic]

    def frames(self, event: str, topic: str | None = None) -> list[Frame]:
        """What clients sent of one event."""
        return [f for f in self.sent if f.event == event and topic in (None, f.topic)]

    def query(self, number: int = -1) -> dict[str, str]:
        """The query of an attempt."""
        return dict(parse_qsl(urlsplit(self.requests[number].url).query))

    def token(self, number: int = -1) -> str:
        """The token of an attempt, as Phoenix reads it: standard base64 without padding."""
        name, encoded = self.requests[number].subprotocols
        assert name == "phoenix"
        prefix = "base64url.bearer.phx."
        assert encoded.startswith(prefix)
        encoded = encoded.removeprefix(prefix)
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()


class _Mistakes(logging.Handler):
    """Notes when the client says that it caught an exception that it should not have met."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.noted: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "owner failed" in record.msg or "could not be dealt with" in record.msg:
            self.noted.append(self.format(record))


@dataclass
class World:
    """A loop, a clock, a server and the sockets made here, which must leave nothing behind."""

    seed: int = 1
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    sockets: list[Socket] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.server = Server(self.loop, self.clock)
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))

    def socket(self, options: Options | None = None, **changes: Any) -> Socket:
        """A socket of this world; its chance is :meth:`twin`'s, so that delays can be foretold."""
        socket = Socket(
            "ws://hub.test:4000/socket",
            options or Options(**changes),
            clock=self.clock,
            random_source=self.twin(),
            opener=self.server.open,
        )
        self.sockets.append(socket)
        socket.on_state_change(self.changes.append)
        socket.on_state_change(lambda _: check_counters(socket))
        return socket

    def twin(self) -> random.Random:
        """A generator that draws what the next socket's will draw."""
        return random.Random(self.seed)

    @property
    def now(self) -> float:
        """The reading by which the client decides."""
        return self.clock.monotonic()

    @property
    def states(self) -> list[str]:
        """The states that sockets went into."""
        return [change.new_state for change in self.changes]

    async def pass_time(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        await asyncio.sleep(seconds)
        for socket in self.sockets:
            check_counters(socket)

    async def until(self, condition: Callable[[], object], within: float = 3600.0) -> float:
        """Let time pass until ``condition``, no moment longer; returns the seconds it took."""
        begun = self.now
        arrived = self.loop.create_future()
        self.loop.watched.append((condition, arrived))
        limit = self.loop.call_later(
            within, lambda: arrived.done() or arrived.set_exception(AssertionError("it never came"))
        )
        try:
            await arrived
        finally:
            limit.cancel()
        return self.now - begun

    async def settle(self) -> None:
        """Let everything happen that needs no more than the way there and back."""
        await self.pass_time(4 * LATENCY)

    async def connected(self, socket: Socket, *, stable: bool = False) -> None:
        """Connect ``socket``; wait until it is stable if asked."""
        await socket.connect()
        if stable:
            await self.pass_time(socket.options.stable_after + 0.1)
            assert details(socket).stable

    def sleep_machine(self, seconds: float) -> None:
        """The machine sleeps: timers stand still, the clock that counts sleep does not."""
        self.clock.slept += seconds

    def stop_process(self, seconds: float) -> None:
        """The process is stopped and continued: everything that was due meanwhile is due now."""
        self.loop.now += seconds

    def jump_wall_clock(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.clock.wall_offset += seconds

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a test, close its sockets, and see that nothing is left of them."""

        async def test() -> None:
            await coroutine
            for socket in self.sockets:
                check_counters(socket)
                begun = self.loop.time()
                await socket.close()
                assert self.loop.time() - begun <= 2.1, "close takes 2 s at the most"
            await self.assert_nothing_left()

        mistakes = _Mistakes()
        log = logging.getLogger("tui.channels")
        log.addHandler(mistakes)
        try:
            self.loop.run_until_complete(test())
        finally:
            log.removeHandler(mistakes)
        assert not mistakes.noted, "the client caught a mistake of its own"
        assert not self.errors, f"reported to the loop: {self.errors}"

    async def assert_nothing_left(self) -> None:
        """No task but the test's own, no timer, no link, as soon as what is due this very turn is done."""
        await asyncio.sleep(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not tasks, f"left running: {tasks}"
        assert not self.loop.timers, f"left set: {self.loop.timers}"
        assert not [link for link in self.server.links if not link.closed], "a link is left open"

    def close(self) -> None:
        """End whatever a failed test left, quietly."""
        self.loop.set_exception_handler(lambda _, __: None)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        for handle in self.loop.timers:
            handle.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@contextmanager
def world_of(seed: int = 1) -> Iterator[World]:
    """A world for as long as it is used."""
    world = World(seed)
    try:
        yield world
    finally:
        world.close()


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a world of its own, which is its first argument."""
    signature = inspect.signature(test)

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        with world_of() as world:
            world.run(test(world, **arguments))

    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # pytest reads it
        parameters=list(signature.parameters.values())[1:]
    )
    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would follow it
    return run


def metrics(socket: Socket) -> HealthMetrics:
    """The nine metrics, read twice: reading changes nothing."""
    first, second = socket.get_health_metrics(), socket.get_health_metrics()
    assert first == second
    return first


def details(socket: Socket) -> ConnectionDetails:
    """What is known beside the metrics, read twice."""
    first, second = socket.details(), socket.details()
    assert first == second
    return first


def under_way(socket: Socket) -> int:
    """Attempts under way whose first heartbeat is not answered: 1 exactly while connecting."""
    return 1 if socket.state == "connecting" else 0


def check_counters(socket: Socket) -> None:
    """Attempts begun = successes + failures before the first answer + aborted + under way."""
    known, health = details(socket), metrics(socket)
    ended = health.successful_connects + known.failed_attempts + known.attempts_aborted
    assert known.attempts_begun == ended + under_way(socket), (known, health)
    assert health.total_reconnects == max(0, health.successful_connects - 1)
    assert health.failed_reconnects <= known.failed_attempts
    assert known.attempts_begun >= health.reconnect_attempts


def collect(channel: Channel, event: str) -> list[Any]:
    """The payloads of one event, as they come."""
    payloads: list[Any] = []
    channel.on(event, lambda message: payloads.append(message.payload))
    return payloads
