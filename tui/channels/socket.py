"""A socket: one resilient connection to a Phoenix server, and the channels on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import msgspec

from tui.apart import Awaited
from tui.channels import reasons
from tui.channels.answer import Answer
from tui.channels.backoff import BackOff
from tui.channels.channel import Channel, JoinReply
from tui.channels.clock import Clock, SystemClock
from tui.channels.connection import open_link
from tui.channels.endpoint import endpoint, link_request
from tui.channels.errors import ChannelsError, NotConnectedError, OpenError
from tui.channels.health import ConnectionDetails, ConnectionState, HealthMetrics, RoundTrips, StateChange
from tui.channels.inspector import Inspector
from tui.channels.lifecycle import Lifecycle, Phase, Verb
from tui.channels.link import Link, LinkOwner, Opener
from tui.channels.loop_delay import LoopDelay
from tui.channels.mistakes import Mistakes
from tui.channels.options import Options
from tui.channels.outflow import MUCH, Drain
from tui.channels.push import Awaiting, Push
from tui.channels.wire import (
    HEARTBEAT_TOPIC,
    DecodeError,
    Message,
    TextDecoder,
    decode_binary,
    encode_binary,
    encode_text,
)
from tui.secret_values import masked

log = logging.getLogger("tui.channels")

UNANSWERED = 1.0
"""Seconds after which a heartbeat that is not answered is told."""

LATE = 5.0
"""Seconds: who wakes this much too late was stopped or asleep, and judges nothing by the clock."""

_PINGS_OUT = 8  # whose late answers still give a round-trip time
_LONGEST_WAIT = 5.0  # the loop's own timers stand still while the machine sleeps: look at the clock
_CLOSING_LIMIT = 2.0
_chance = random.Random()  # one for all who bring none: each takes 2.5 KB


class Socket:
    """A Phoenix socket that keeps itself connected.

    Args:
        url: as given to phoenix.js, ``ws://host:port/socket``; ``/websocket`` and ``vsn`` are added.
        options: see :class:`Options`; or name single options: ``Socket(url, heartbeat_interval=5)``.
        loop_delay: of the loop that it belongs to, where somebody looks at that; round trips in which the
            loop was late are then counted and not judged.
        clock, chance, opener: for tests that run on a clock, a chance and a network of their own.

    Raises:
        ValueError: the URL is no ``ws``, ``wss``, ``http`` or ``https`` URL.
        TypeError: an unknown option.

    It belongs to the event loop in which it is first connected and is not thread-safe.
    """

    # More than thirty attributes lose Python's shared keys: 1.2 KB a connection.
    __slots__ = (
        "__weakref__",
        "_bytes_in",
        "_bytes_out",
        "_chance",
        "_channels",
        "_clock",
        "_closed_by_server",
        "_closing",
        "_connect_answers",
        "_connection",
        "_decode_text",
        "_disconnect_answers",
        "_drain_ref",
        "_dropped_messages",
        "_dropped_pushes",
        "_endpoint",
        "_heartbeats_answered",
        "_heartbeats_out",
        "_heartbeats_sent",
        "_holding_up",
        "_last_close",
        "_lifecycle",
        "_loop_delay",
        "_message_handlers",
        "_messages_in",
        "_messages_out",
        "_mistakes",
        "_opener",
        "_ref",
        "_replies",
        "_round_trips",
        "_round_trips_unjudged",
        "_runner",
        "_stable_handlers",
        "_state_handlers",
        "_tasks",
        "_wake",
        "address",
        "inspector",
        "last_join_answer",
        "options",
    )

    def __init__(
        self,
        url: str,
        options: Options | None = None,
        *,
        loop_delay: LoopDelay | None = None,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        opener: Opener = open_link,
        **changes: Any,
    ) -> None:
        if options is not None and changes:
            raise TypeError("give options or single options, not both")
        self.options = options if options is not None else Options(**changes)
        self._endpoint = endpoint(url)
        self.address = reasons.host_and_port(self._endpoint)
        """``host:port``, which is all of the URL that may be shown."""
        self._clock = clock or SystemClock()
        self._chance = chance or _chance
        self._opener = opener
        self._loop_delay = loop_delay
        self._lifecycle = Lifecycle(self.options, self._clock, self._chance, self)
        self._channels: dict[str, Channel] = {}
        self._closed_by_server: dict[str, Channel] = {}
        self._replies: dict[str, Awaiting] = {}
        self._holding_up: dict[str, float] = {}
        self._drain_ref = ""
        self._heartbeats_out: dict[str, float] = {}
        self.last_join_answer = 0.0
        self._ref = 0
        self._connection: _Connection | None = None
        self._runner: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: set[asyncio.Task[Any]] = set()
        self._connect_answers: list[Answer[None]] = []
        self._disconnect_answers: list[Answer[None]] = []
        self._state_handlers: tuple[Callable[[StateChange], object], ...] = ()
        self._message_handlers: tuple[Callable[[Message], object], ...] = ()
        self._stable_handlers: tuple[Callable[[], object], ...] = ()
        self._mistakes = Mistakes(self.address, self._clock)
        self._decode_text = TextDecoder(self.options.protocol_version).decode

        self._round_trips = RoundTrips()
        self._round_trips_unjudged = 0
        self._messages_in = self._messages_out = 0
        self._bytes_in = self._bytes_out = 0
        self._heartbeats_sent = self._heartbeats_answered = 0
        self.inspector: Inspector | None = None
        """Records every frame while there is one."""
        self._dropped_messages = self._dropped_pushes = 0  # of channels that are gone
        self._last_close: tuple[int, str] | None = None

    # What a user of the socket asks

    @property
    def state(self) -> ConnectionState:
        """One of the five states."""
        return self._lifecycle.state

    @property
    def is_connected(self) -> bool:
        """A heartbeat was answered on this very connection."""
        return self.state == "connected"

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are not closed."""
        return tuple(self._channels.values())

    def channel(self, topic: str, params: Any = None) -> Channel:
        """A new channel for ``topic``; call its ``join``.

        Args:
            params: the join's parameters: a value, or a function (also an async one) that is
                called at each join; a member of a mapping may be a function too.
        """
        return Channel(self, topic, params)

    def connect(self) -> Answer[None]:
        """Connect, and stay connected from now on; does nothing while connecting or connected.

        A socket that waits, whose breaker is open or that gave up tries at once, with all counts
        at 0. Returns at once; await it to wait until connected.

        Raises:
            NotConnectedError: (awaited) the breaker opened, all attempts are used up, or
                disconnect was called; the message says which and why.
        """
        answer: Answer[None] = Answer()
        self._connect_answers = [other for other in self._connect_answers if not other.done]
        self._connect_answers.append(answer)
        self._command("connect")
        return answer

    def reconnect(self) -> Answer[None]:
        """Replace the connection, or try at once; otherwise as :meth:`connect`."""
        self._command("reconnect")
        answer: Answer[None] = Answer()
        self._connect_answers.append(answer)
        return answer

    def disconnect(self) -> Answer[None]:
        """Disconnect and stay so until asked; channels, handlers and unsent pushes are kept.

        Await it to wait until nothing of the connection is left: 2 s at the most, whatever the
        server, the network or a name look-up does.
        """
        # At once, so that a connect asked for after this one is not told of it.
        self._settle_connects(NotConnectedError("disconnected"))
        answer: Answer[None] = Answer()
        self._disconnect_answers.append(answer)
        # A parameter's function that does not let itself be cancelled holds nobody up.
        limit = asyncio.get_running_loop().call_later(_CLOSING_LIMIT, answer.succeed, None)
        answer.then(limit.cancel)
        self._command("disconnect")
        return answer

    async def close(self) -> None:
        """Disconnect and end every task of the socket and its channels, waiting handlers too."""
        await self.disconnect()
        channels = (*self.channels, *self._closed_by_server.values())
        ending = [worker for channel in channels if (worker := channel.stop()) is not None]
        ending += [task for task in self._tasks if task is not asyncio.current_task()]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=_CLOSING_LIMIT)

    async def __aenter__(self) -> Self:
        """Begin to connect; does not wait, since a server that is away comes back."""
        self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def on_state_change(self, handler: Callable[[StateChange], object]) -> Callable[[], None]:
        """Call a plain ``handler`` with each :class:`StateChange`; returns what unsubscribes it."""
        self._state_handlers += (handler,)
        return lambda: self._unsubscribe("_state_handlers", handler)

    def on_message(self, handler: Callable[[Message], object]) -> Callable[[], None]:
        """Call a plain ``handler`` with every message, replies too; returns what unsubscribes it."""
        self._message_handlers += (handler,)
        return lambda: self._unsubscribe("_message_handlers", handler)

    def on_stable(self, handler: Callable[[], object]) -> Callable[[], None]:
        """Call a plain ``handler`` each time a connection has held for ``stable_after``."""
        self._stable_handlers += (handler,)
        return lambda: self._unsubscribe("_stable_handlers", handler)

    def _unsubscribe(self, name: str, handler: object) -> None:
        kept = list(getattr(self, name))
        if handler in kept:
            kept.remove(handler)
        setattr(self, name, tuple(kept))

    def hasten(self) -> None:
        """Another connection to the same host and port became stable: try soon instead of later."""
        self._lifecycle.hasten()
        self.wake()

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds, back where they are negative."""
        self._lifecycle.clock_was_set(step)

    def ping(self) -> bool:
        """Send a heartbeat now, beside the regular ones; False when there is no connection."""
        if not self._lifecycle.is_open:
            return False
        if len(self._heartbeats_out) >= _PINGS_OUT:
            del self._heartbeats_out[next(iter(self._heartbeats_out))]
        self._heartbeats_out[self._send_heartbeat()] = self.now()
        return True

    def get_health_metrics(self) -> HealthMetrics:
        """The nine metrics, read without changing any."""
        life = self._lifecycle
        return HealthMetrics(
            connection_state=life.state,
            reconnect_attempts=life.reconnect_attempts,
            total_reconnects=max(0, life.successful_connects - 1),
            failed_reconnects=life.failed_reconnects,
            successful_connects=life.successful_connects,
            heartbeat_failures=life.heartbeat_failures,
            circuit_breaker_trips=life.breaker.trips,
            last_heartbeat=life.last_heartbeat,
            is_circuit_open=life.breaker.is_open,
        )

    def details(self) -> ConnectionDetails:
        """What is known beside the nine metrics, read without changing any."""
        life = self._lifecycle
        now = self.now()
        code, words = self._last_close or (None, None)
        channels = self._channels.values()
        next_try = life.next_try
        first_out = life.heartbeat.unanswered_since if life.is_open else None
        overdue = unanswered = None
        if first_out is not None:
            overdue = None if now - first_out < UNANSWERED else first_out
            if life.phase is Phase.UP:
                unanswered = life.heartbeat.two_unanswered_since(now, self._allowance(now))
        # What an answer took before says nothing of now.
        round_trips = self._round_trips if unanswered is None else RoundTrips()
        return ConnectionDetails(
            reason=life.reason,
            refusal=life.refusal,
            since=life.since,
            time_in_state=now - life.since_monotonic,
            next_try=None if next_try is None else self._clock.time() + (next_try - now),
            stable=life.stable,
            attempts_begun=life.attempts_begun,
            attempts_aborted=life.attempts_aborted,
            failed_attempts=life.failed_attempts,
            heartbeats_sent=self._heartbeats_sent,
            heartbeats_answered=self._heartbeats_answered,
            heartbeat_unanswered_since=self._epoch_second(overdue),
            heartbeats_unanswered_since=self._epoch_second(unanswered),
            circuit_breaker_probes=life.breaker.probes,
            round_trip_last=round_trips.last,
            round_trip_p50=round_trips.percentile(0.5),
            round_trip_p95=round_trips.percentile(0.95),
            round_trips_unjudged=self._round_trips_unjudged,
            messages_in=self._messages_in,
            messages_out=self._messages_out,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            dropped_messages=self._dropped_messages + sum(channel.dropped_messages for channel in channels),
            dropped_pushes=self._dropped_pushes + sum(channel.dropped_pushes for channel in channels),
            undecodable=self._mistakes.undecodable,
            handler_errors=self._mistakes.handler_errors,
            last_close_code=code,
            last_close_reason=words,
        )

    def _epoch_second(self, moment: float | None) -> int | None:
        return None if moment is None else round(self._clock.time() - (self.now() - moment))

    @property
    def round_trips(self) -> tuple[float, ...]:
        """Seconds, of the last 100 answered heartbeats, oldest first."""
        return self._round_trips.times

    # The loop that owns the connection

    def _command(self, verb: Verb) -> None:
        self._lifecycle.command(verb)
        self.wake()
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run(), name=f"socket {self.address}")

    def wake(self) -> None:
        """Have the owner decide anew: something happened."""
        self._wake.set()

    async def _run(self) -> None:
        try:
            late = False
            while True:
                self._wake.clear()
                try:
                    deadline = self._decide(late)
                except Exception:
                    # A mistake of ours must not leave a socket that nothing wakes.
                    log.exception("%s: the socket's owner failed, going on", self.address)
                    deadline = self.now() + self.options.reconnect_base_delay
                if deadline is None and self._lifecycle.phase is Phase.IDLE:
                    return
                late = await self._wait(deadline)
        finally:
            self._runner = None
            self._settle_disconnects()

    def _decide(self, late: bool) -> float | None:
        now = self.now()
        connection = self._connection
        if late:
            self.last_join_answer = now
        if connection is not None and connection.drains(now):
            # Until all of it is gone it holds up every answer, as a join does.
            self._holding_up.pop(self._drain_ref, None)
            self._drain_ref = self.next_ref()
            self._holding_up[self._drain_ref] = now
        deadline = self._lifecycle.step(
            now,
            heard=connection is not None and connection.heard,
            pinged=connection is not None and connection.pinged,
            allowance=self._allowance(now),
            late=late,
        )
        if self._connection is not None and deadline is not None:
            deadline = min(deadline, self._connection.next_look)
        if self._lifecycle.is_open:
            for channel in self.channels:
                due = channel.step(now)
                if due is not None and (deadline is None or due < deadline):
                    deadline = due
        # Only here has every command been obeyed: these answers are of the connection asked for.
        if self.is_connected:
            self._settle_connects(None)
        self._settle_disconnects()
        return deadline

    def _allowance(self, now: float) -> float:
        """Seconds that a heartbeat must be given at least: a server answers nothing while a join runs."""
        latest = next(reversed(self._holding_up.values()), None)
        if latest is None or now >= max(latest, self.last_join_answer) + 2 * self.options.join_timeout:
            return 0.0
        return self.options.join_timeout

    async def _wait(self, deadline: float | None) -> bool:
        """Wait for ``deadline`` or for something to happen; True when it came far too late."""
        now = self.now()
        wait = _LONGEST_WAIT if deadline is None else min(deadline - now, _LONGEST_WAIT)
        if wait > 0:
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        else:
            await asyncio.sleep(0)
        return self.now() - now > max(wait, 0.0) + LATE

    # What the lifecycle has done for it

    def begin_opening(self) -> None:
        """Start a task that opens a connection."""
        connection = self._connection = _Connection(self)
        connection.opening = asyncio.get_running_loop().create_task(
            connection.open(), name=f"opening {self.address}"
        )

    def end_connection(self, words: str, *, graceful: bool) -> None:
        """Detach the connection; what it takes to close it goes on beside the next one."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        closing = connection.end(graceful)
        if closing is not None:
            self._closing.add(closing)
            closing.add_done_callback(self._closed)
        for task in self._tasks:
            task.cancel()  # each asks for a join's parameters, and there is nothing left to join
        self._holding_up.clear()
        self._heartbeats_out.clear()
        self._fail_replies(words)
        for channel in self.channels:
            channel.connection_lost(words)

    def gave_up_opening(self, limit: float) -> OpenError:
        """What hangs, by its name where it has one, and what of an answer has come."""
        connection = self._connection
        assert connection is not None
        return reasons.overdue(connection.step, connection.awaited, limit, self._clock.time())

    def send_heartbeat(self) -> str:
        """Send a heartbeat; only what comes after it proves life."""
        ref = self._send_heartbeat()
        if self._connection is not None:
            self._connection.listen_anew(self.now())
        return ref

    def _send_heartbeat(self) -> str:
        ref = self.next_ref()
        # A connection that is just going is told as lost in a moment, by its own words.
        with contextlib.suppress(NotConnectedError):
            self.send(None, ref, HEARTBEAT_TOPIC, "heartbeat", {})
            self._heartbeats_sent += 1
        return ref

    def connection_opened(self) -> None:
        """Join every channel at once; to one that a server closed this one may be another."""
        for channel in (*self.channels, *self._closed_by_server.values()):
            channel.connection_opened()

    def state_changed(self, change: StateChange) -> None:
        """Tell whoever listens, and whoever awaits this state."""
        if change.new_state == "failed":
            self._settle_connects(NotConnectedError(change.error or "failed"))
        for handler in self._state_handlers:
            self._call(handler, change)

    def became_stable(self) -> None:
        """Tell whoever listens."""
        for handler in self._stable_handlers:
            self._call(handler)

    def _call(self, handler: Callable[..., object], *arguments: object) -> None:
        try:
            handler(*arguments)
        except Exception as error:  # noqa: BLE001 (counted and logged)
            self.handler_raised("socket", getattr(handler, "__name__", "handler"), error)

    def _settle_connects(self, error: ChannelsError | None) -> None:
        answers, self._connect_answers = self._connect_answers, []
        for answer in answers:
            if error is None:
                answer.succeed(None)
            else:
                answer.fail(error)

    def _closed(self, task: asyncio.Task[Any]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s: closing raised %s", self.address, type(error).__name__)
        self._settle_disconnects()

    def _settle_disconnects(self) -> None:
        if self._closing or self._lifecycle.commanded:
            return
        answers, self._disconnect_answers = self._disconnect_answers, []
        for answer in answers:
            answer.succeed(None)

    # What a connection reports

    async def open(self, connection: _Connection) -> Link:
        """Ask for parameters and token, then open a link.

        Raises:
            OpenError: in words that are safe to show.
        """
        try:
            request = await link_request(self._endpoint, self.options)
            return await self._opener(request, connection)
        except Exception as error:  # noqa: BLE001 (every failure to open is a reason in words)
            raise reasons.in_words(error, connection.step, self._clock.time()) from None

    def opening_ended(self, error: OpenError | None) -> None:
        """The task that opens ended, with a link or without."""
        if error is None:
            self._lifecycle.opened()
        else:
            self._lifecycle.open_failed(error)
        self.wake()

    def link_lost(self, code: int, words: str) -> None:
        """The open connection ended without our doing: in-flight pushes fail now."""
        words = masked(words)
        self._last_close = (code, words)
        self._lifecycle.lost(words)
        self._fail_replies(words)
        self.wake()

    def link_writable(self) -> None:
        """Held pushes may go."""
        for channel in self.channels:
            channel.flush()

    def frame_received(self, data: bytes, text: bool) -> None:
        """A message came. Never raises: the library would end the connection."""
        self._messages_in += 1
        self._bytes_in += len(data)
        inspector = self.inspector
        try:
            message = self._decode_text(data) if text else decode_binary(data)
            if inspector is not None:
                inspector.add("in", self._clock.time(), message, data)
            if message.event == "phx_reply":
                self._reply_received(message)
            else:
                channel = self._channels.get(message.topic)
                if channel is not None:
                    channel.message_received(message)
        except DecodeError as error:
            if inspector is not None:
                inspector.add("in", self._clock.time(), None, data)
            self.payload_undecodable("?", "?", error)
            return
        except Exception as error:  # noqa: BLE001 (counted and logged)
            self._mistakes.frame_failed(error)
            return
        for handler in self._message_handlers:
            self._call(handler, message)

    def _reply_received(self, message: Message) -> None:
        ref = message.ref
        if message.topic == HEARTBEAT_TOPIC and ref not in self._replies:
            now = self.now()
            extra = self._heartbeats_out.pop(ref, None) if isinstance(ref, str) else None
            round_trip = self._lifecycle.heartbeat_replied(ref) if extra is None else now - extra
            self._heartbeats_answered += round_trip is not None
            if extra is not None:
                self._lifecycle.last_heartbeat = self._clock.time()
                self._lifecycle.heartbeat.answered_to(extra)
            if isinstance(ref, str) and round_trip is not None:
                if self._loop_delay is not None and self._loop_delay.within(round_trip):
                    # None of the server's.
                    self._round_trips_unjudged += 1
                else:
                    self._round_trips.add(round_trip)
                # Answers come in order: what was sent before this heartbeat holds up nothing any more.
                sent_later = {other: at for other, at in self._holding_up.items() if int(other) > int(ref)}
                self._holding_up = sent_later
                self.wake()
            return
        if not isinstance(ref, str):
            return
        self._holding_up.pop(ref, None)
        # A second reply to one ref, or one to a push that timed out, finds nobody.
        awaiting = self._replies.pop(ref, None)
        if isinstance(awaiting, JoinReply):
            self.last_join_answer = self.now()
        if awaiting is not None:
            awaiting.replied(message)

    def _fail_replies(self, words: str) -> None:
        replies, self._replies = self._replies, {}
        for awaiting in replies.values():
            awaiting.connection_lost(words)

    # What a channel needs

    @property
    def is_open(self) -> bool:
        """Joins and pushes can be sent."""
        return self._lifecycle.is_open and self._connection is not None and self._connection.link is not None

    @property
    def writable(self) -> bool:
        """The server takes what is sent; else pushes are held."""
        connection = self._connection
        return connection is not None and connection.link is not None and connection.link.writable

    def now(self) -> float:
        """The clock by which the socket decides."""
        return self._clock.monotonic()

    def next_ref(self) -> str:
        """A new ref, never used before by this socket."""
        self._ref += 1
        return str(self._ref)

    def send(self, join_ref: str | None, ref: str, topic: str, event: str, payload: Any) -> None:
        """Send one message at once.

        Raises:
            NotConnectedError: there is no open connection.
            TypeError, ValueError: the payload cannot be said in this version's frames.
        """
        connection = self._connection
        if connection is None or connection.link is None:
            raise NotConnectedError("not connected")
        text = not isinstance(payload, (bytes, bytearray, memoryview))
        if text:
            data = encode_text(join_ref, ref, topic, event, payload, self.options.protocol_version)
        elif self.options.protocol_version == 1:
            raise ValueError("protocol version 1 has no binary frames")
        else:
            data = encode_binary(join_ref, ref, topic, event, bytes(payload))
        connection.link.send_frame(data, text)
        if len(data) >= MUCH and connection.watch_outflow(self.now()):
            self.wake()
        self._messages_out += 1
        self._bytes_out += len(data)
        if self.inspector is not None:
            raw = msgspec.json.encode(payload) if text else bytes(payload)
            message = Message(join_ref, ref, topic, event, raw, not text)
            self.inspector.add("out", self._clock.time(), message, data)

    def await_reply(self, ref: str, awaiting: Awaiting) -> None:
        """Have the reply to ``ref`` brought to ``awaiting``."""
        self._replies[ref] = awaiting
        if isinstance(awaiting, JoinReply):
            self._holding_up[ref] = self.now()
            self.wake()

    def forget_reply(self, ref: str) -> None:
        """Nobody awaits the reply to ``ref`` any more."""
        self._replies.pop(ref, None)
        self._holding_up.pop(ref, None)

    def fail_pushes(self, channel: Channel, error: ChannelsError) -> None:
        """End the pushes of one channel that are under way."""
        for awaiting in list(self._replies.values()):
            if isinstance(awaiting, Push) and awaiting.channel is channel:
                awaiting.end(error)

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task of a channel's, which ends with the socket."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def register(self, channel: Channel) -> None:
        """From now on ``channel`` has its topic; another one that had it is closed."""
        other = self._channels.get(channel.topic)
        if other is not None and other is not channel:
            other.replaced_by(channel)
        self._closed_by_server.pop(channel.topic, None)
        self._channels[channel.topic] = channel
        self._dropped_messages -= channel.dropped_messages
        self._dropped_pushes -= channel.dropped_pushes

    def unregister(self, channel: Channel, *, for_good: bool) -> None:
        """A channel closed, for good or until the next connection."""
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]
            self._dropped_messages += channel.dropped_messages
            self._dropped_pushes += channel.dropped_pushes
            if not for_good:
                self._closed_by_server[channel.topic] = channel
        elif for_good and self._closed_by_server.get(channel.topic) is channel:
            del self._closed_by_server[channel.topic]

    def new_back_off(self) -> BackOff:
        """The connection's delays, for a channel of its own count."""
        options = self.options
        return BackOff(
            options.reconnect_base_delay,
            options.reconnect_max_delay,
            options.reconnect_jitter,
            self._chance,
        )

    def handler_raised(self, topic: str, event: str, error: BaseException) -> None:
        """As of :class:`Mistakes`."""
        self._mistakes.handler_raised(topic, event, error)

    def payload_undecodable(self, topic: str, event: str, error: DecodeError) -> None:
        """As of :class:`Mistakes`."""
        self._mistakes.payload_undecodable(topic, event, error)


class _Connection(LinkOwner):
    """One attempt and the link it led to; once ended it says nothing more."""

    def __init__(self, socket: Socket) -> None:
        self.heard = self.pinged = False
        self.step = reasons.Step("upgrade", socket.address)
        self._drain = Drain(socket.options.heartbeat_timeout)
        self.link: Link | None = None
        self.opening: asyncio.Task[None] | None = None
        self.awaited = Awaited()
        self._socket: Socket | None = socket

    async def open(self) -> None:
        socket = self._socket
        assert socket is not None
        self.awaited.by_this_task()
        error = None
        try:
            link = await socket.open(self)
        except OpenError as failure:
            error = failure
        else:
            if self._socket is None:
                # Ended while the last step was under way: this link is nobody's.
                link.abort()
                return
            self.link = link
        if self._socket is not None:
            self._socket.opening_ended(error)

    def listen_anew(self, now: float) -> None:
        """Only what comes and leaves from now on speaks for the link."""
        self.heard = self.pinged = False
        if self.link is not None:
            self._drain.begin(now, self.link.outflow)

    def watch_outflow(self, now: float) -> bool:
        """Watch what leaves, if much waits and nobody does so yet; True when that begins."""
        if self.link is None or self._drain.is_watched:
            return False
        self._drain.begin(now, self.link.outflow)
        return self._drain.is_watched

    @property
    def next_look(self) -> float:
        """When :meth:`drains` can tell something; infinite while there is nothing to tell."""
        return self._drain.next_look

    def drains(self, now: float) -> bool:
        """Whether it was seen just now that bytes leave while others wait to, which proves life too."""
        link = self.link
        if link is None or now < self._drain.next_look or not self._drain.look(now, link.outflow):
            return False
        self.heard = True
        return True

    def end(self, graceful: bool) -> asyncio.Task[Any] | None:
        """Say nothing from now on and close; the task to wait for, if it takes time."""
        self._socket = None
        link, self.link = self.link, None
        if link is None:
            if self.opening is None or self.opening.done():
                return None
            self.opening.cancel()
            return self.opening
        if graceful:
            return asyncio.get_running_loop().create_task(link.shut(), name="closing")
        link.abort()
        return None

    def frame_received(self, data: bytes, text: bool) -> None:
        if self._socket is not None:
            self._socket.frame_received(data, text)

    def link_lost(self, code: int, words: str) -> None:
        if self._socket is not None:
            self._socket.link_lost(code, words)

    def link_writable(self) -> None:
        if self._socket is not None:
            self._socket.link_writable()
