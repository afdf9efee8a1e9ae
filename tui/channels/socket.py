"""A socket: one resilient connection to a Phoenix server, and the channels on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Self

import msgspec

from tui.channels import reasons
from tui.channels.answer import Answer, fail, succeed
from tui.channels.attempt import Attempt
from tui.channels.channel import Channel
from tui.channels.clock import Clock, SystemClock
from tui.channels.connection import open_link
from tui.channels.errors import NotConnectedError, OpenError
from tui.channels.health import ConnectionDetails, ConnectionState, HealthMetrics, StateChange
from tui.channels.inspector import Inspector
from tui.channels.lifecycle import Lifecycle, Phase, Verb
from tui.channels.link import NO_CLOSE_FRAME, Opener
from tui.channels.loop_delay import LoopDelay
from tui.channels.mistakes import Callbacks, Mistakes
from tui.channels.open_channels import OpenChannels
from tui.channels.options import Options
from tui.channels.outflow import MUCH
from tui.channels.owner import Owner
from tui.channels.replies import Replies
from tui.channels.traffic import Traffic
from tui.channels.values import endpoint
from tui.channels.wire import HEARTBEAT_TOPIC, DecodeError, Message, TextDecoder, decode_binary, encode
from tui.text.secret_values import masked

log = logging.getLogger("tui.channels")

_CLOSING_LIMIT = 2.0
_random_source = random.Random()  # one for all who bring none: each takes 2.5 KB


class Socket:
    """A Phoenix socket that keeps itself connected.

    Args:
        url: as given to phoenix.js, ``ws://host:port/socket``; ``/websocket`` and ``vsn`` are added.
        options: see :class:`Options`; or name single options: ``Socket(url, heartbeat_interval=5)``.
        loop_delay: of the loop that it belongs to, where somebody looks at that; round trips in which the
            loop was late are then counted and not judged.
        clock, random_source, opener: for tests that run on a clock, a chance and a network of their own.

    Raises:
        ValueError: the URL is no ``ws``, ``wss``, ``http`` or ``https`` URL.
        TypeError: an unknown option.

    It belongs to the event loop in which it is first connected and is not thread-safe.
    """

    def __init__(
        self,
        url: str,
        options: Options | None = None,
        *,
        loop_delay: LoopDelay | None = None,
        clock: Clock | None = None,
        random_source: random.Random | None = None,
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
        self.random_source = random_source or _random_source
        self._opener = opener
        self._loop_delay = loop_delay
        self._lifecycle = Lifecycle(self.options, self._clock, self.random_source, self)
        self.opened = OpenChannels()
        self._traffic = Traffic()
        self.mistakes = Mistakes(self.address, self._clock)
        self._owner = Owner(self.address, self._clock, self._decide, self._settle_disconnects)
        self.replies = Replies(self.options.join_timeout, self._clock, self._owner.wake)
        self.wake = self._owner.wake
        self._ref = 0
        self._attempt: Attempt | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: set[asyncio.Task[Any]] = set()
        self._connect_answers: list[Answer[None]] = []
        self._disconnect_answers: list[Answer[None]] = []
        self._on_state = Callbacks(self.mistakes)
        self._on_message = Callbacks(self.mistakes)
        self._on_stable = Callbacks(self.mistakes)
        self._decode_text = TextDecoder(self.options.protocol_version).decode
        self.inspector: Inspector | None = None
        """Records every frame while there is one."""

    # What a user of the socket asks

    @property
    def state(self) -> ConnectionState:
        return self._lifecycle.state

    @property
    def is_connected(self) -> bool:
        """A heartbeat was answered on this very connection."""
        return self.state == "connected"

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are not closed."""
        return tuple(self.opened.by_topic.values())

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
        return self._ask("connect")

    def reconnect(self) -> Answer[None]:
        """Replace the connection, or try at once; otherwise as :meth:`connect`."""
        return self._ask("reconnect")

    def _ask(self, verb: Literal["connect", "reconnect"]) -> Answer[None]:
        answer: Answer[None] = Answer()
        self._connect_answers = [other for other in self._connect_answers if not other.done]
        self._connect_answers.append(answer)
        self._command(verb)
        return answer

    def disconnect(self) -> Answer[None]:
        """Disconnect and stay so until asked; channels, handlers and unsent pushes are kept.

        Await it to wait until nothing of the connection is left: 2 s at the most, whatever the
        server, the network or a name look-up does.
        """
        # At once, so that a connect asked for after this one is not told of it.
        fail(self._connect_answers, NotConnectedError("disconnected"))
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
        ending = [worker for channel in self.opened.all if (worker := channel.stop()) is not None]
        ending += [task for task in self._tasks if task is not asyncio.current_task()]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=_CLOSING_LIMIT)

    async def __aenter__(self) -> Self:
        """Begin to connect; does not wait, since a server that is away comes back."""
        self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def on_state_change(self, handler: Callable[[StateChange], object]) -> Callable[[], None]:
        """Call a plain ``handler`` with each :class:`StateChange`; returns what unsubscribes it."""
        return self._on_state.add(handler)

    def on_message(self, handler: Callable[[Message], object]) -> Callable[[], None]:
        """Call a plain ``handler`` with every message, replies too; returns what unsubscribes it."""
        return self._on_message.add(handler)

    def on_stable(self, handler: Callable[[], object]) -> Callable[[], None]:
        """Call a plain ``handler`` each time a connection has held for ``stable_after``."""
        return self._on_stable.add(handler)

    def wake_early(self) -> None:
        """Another connection to the same host and port became stable: try soon instead of later."""
        self._lifecycle.wake_early()
        self.wake()

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds, back where they are negative."""
        self._lifecycle.clock_was_set(step)
        self._traffic.clock_was_set(step)

    def ping(self) -> bool:
        """Send a heartbeat now, beside the regular ones; False when there is no connection."""
        if not self._lifecycle.is_open:
            return False
        self._lifecycle.heartbeat.pinged(self._send_heartbeat(), self.now())
        return True

    def get_health_metrics(self) -> HealthMetrics:
        """The nine metrics, read without changing any."""
        return self._lifecycle.metrics()

    def details(self) -> ConnectionDetails:
        """What is known beside the nine metrics, read without changing any."""
        allowance = self.replies.allowance(self.now())
        return self._traffic.details(self._lifecycle, self._clock, allowance, self.opened, self.mistakes)

    @property
    def round_trips(self) -> tuple[float, ...]:
        """Seconds, of the last 100 answered heartbeats, oldest first."""
        return tuple(self._traffic.round_trips.times)

    # The loop that owns the connection

    def _command(self, verb: Verb) -> None:
        self._lifecycle.command(verb)
        self.wake()
        self._owner.start()

    def _decide(self, late: bool) -> float | None:
        now = self.now()
        connection = self._attempt
        if late:
            self.replies.last_join_answer = now
        if connection is not None and connection.drains(now):
            self.replies.drains(self.next_ref(), now)
        deadline = self._lifecycle.step(
            now,
            heard=connection is not None and connection.heard,
            pinged=connection is not None and connection.pinged,
            allowance=self.replies.allowance(now),
            late=late,
        )
        due = [math.inf if deadline is None else deadline]
        if self._attempt is not None:
            due.append(self._attempt.next_look)
        if self._lifecycle.is_open:
            due += [each for channel in self.channels if (each := channel.step(now)) is not None]
        # Only here has every command been obeyed: these answers are of the connection asked for.
        if self.is_connected:
            succeed(self._connect_answers, None)
        self._settle_disconnects()
        return None if self._lifecycle.phase is Phase.IDLE else min(due)

    # What the lifecycle has done for it

    def begin_opening(self) -> None:
        self._attempt = Attempt(self, self._endpoint, self._opener, self._clock)

    def end_connection(self, words: str, *, graceful: bool) -> None:
        """Detach the connection; what it takes to close it goes on beside the next one."""
        connection, self._attempt = self._attempt, None
        if connection is None:
            return
        if not graceful:
            self._traffic.closed(self._clock.time(), NO_CLOSE_FRAME, f"dropped by us: {words}")
        closing = connection.end(graceful)
        if closing is not None:
            self._closing.add(closing)
            closing.add_done_callback(self._closed)
        for task in self._tasks:
            task.cancel()  # each asks for a join's parameters, and there is nothing left to join
        self.replies.holding_up.clear()
        self.replies.connection_lost(words)
        for channel in self.channels:
            channel.connection_lost(words)

    def gave_up_opening(self, limit: float) -> OpenError:
        connection = self._attempt
        assert connection is not None
        return reasons.overdue(connection.step, connection.awaited, limit, self._clock.time())

    def send_heartbeat(self) -> str:
        """Send a heartbeat; only what comes after it proves life."""
        ref = self._send_heartbeat()
        if self._attempt is not None:
            self._attempt.listen_anew(self.now())
        return ref

    def _send_heartbeat(self) -> str:
        ref = self.next_ref()
        # A connection that is just going is told as lost in a moment, by its own words.
        with contextlib.suppress(NotConnectedError):
            self.send(None, ref, HEARTBEAT_TOPIC, "heartbeat", {})
            self._traffic.heartbeats_sent += 1
        return ref

    def connection_opened(self) -> None:
        """Join every channel at once; to one that a server closed this one may be another."""
        for channel in self.opened.all:
            channel.connection_opened()

    def state_changed(self, change: StateChange) -> None:
        if change.new_state == "failed":
            fail(self._connect_answers, NotConnectedError(change.error or "failed"))
        self._on_state.call(change)

    def became_stable(self) -> None:
        self._on_stable.call()

    def _closed(self, task: asyncio.Task[Any]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s: closing raised %s", self.address, type(error).__name__)
        self._settle_disconnects()

    def _settle_disconnects(self) -> None:
        if self._closing or self._lifecycle.commanded:
            return
        succeed(self._disconnect_answers, None)

    # What a connection reports

    def opening_ended(self, error: OpenError | None) -> None:
        if error is None:
            self._lifecycle.opened()
        else:
            self._lifecycle.open_failed(error)
        self.wake()

    def link_lost(self, code: int, words: str) -> None:
        """The open connection ended without our doing: in-flight pushes fail now."""
        words = masked(words)
        self._traffic.closed(self._clock.time(), code, words)
        self._lifecycle.lost(words)
        self.replies.connection_lost(words)
        self.wake()

    def link_writable(self) -> None:
        for channel in self.channels:
            channel.held.flush()

    def frame_received(self, data: bytes, text: bool) -> None:
        """A message came. Never raises: the library would end the connection."""
        self._traffic.messages_in += 1
        self._traffic.bytes_in += len(data)
        inspector = self.inspector
        try:
            message = self._decode_text(data) if text else decode_binary(data)
            if inspector is not None:
                inspector.add("in", self._clock.time(), message, data)
            if message.event == "phx_reply":
                self._reply_received(message)
            else:
                channel = self.opened.by_topic.get(message.topic)
                if channel is not None:
                    channel.message_received(message)
        except DecodeError as error:
            if inspector is not None:
                inspector.add("in", self._clock.time(), None, data)
            self.mistakes.payload_undecodable("?", "?", error)
            return
        except Exception as error:  # noqa: BLE001 (counted and logged)
            self.mistakes.frame_failed(error)
            return
        self._on_message.call(message)

    def _reply_received(self, message: Message) -> None:
        ref = message.ref
        if message.topic != HEARTBEAT_TOPIC or ref in self.replies.awaited:
            self.replies.came(message)
            return
        round_trip = self._lifecycle.heartbeat_replied(ref)
        if isinstance(ref, str) and round_trip is not None:
            self._traffic.heartbeats_answered += 1
            if self._loop_delay is not None and self._loop_delay.within(round_trip):
                # None of the server's.
                self._traffic.round_trips_unjudged += 1
            else:
                self._traffic.round_trips.add(round_trip)
            self.replies.heartbeat_answered(ref)
            self.wake()

    # What a channel needs

    @property
    def is_open(self) -> bool:
        """Joins and pushes can be sent."""
        return self._lifecycle.is_open and self._attempt is not None and self._attempt.link is not None

    @property
    def writable(self) -> bool:
        """The server takes what is sent; else pushes are held."""
        connection = self._attempt
        return connection is not None and connection.link is not None and connection.link.writable

    def now(self) -> float:
        return self._clock.monotonic()

    def next_ref(self) -> str:
        self._ref += 1
        return str(self._ref)

    def send(self, join_ref: str | None, ref: str, topic: str, event: str, payload: Any) -> None:
        """Send one message at once.

        Raises:
            NotConnectedError: there is no open connection.
            TypeError, ValueError: the payload cannot be said in this version's frames.
        """
        connection = self._attempt
        if connection is None or connection.link is None:
            raise NotConnectedError("not connected")
        text = not isinstance(payload, (bytes, bytearray, memoryview))
        data = encode(join_ref, ref, topic, event, payload, self.options.protocol_version)
        connection.link.send_frame(data, text)
        if len(data) >= MUCH and connection.watch_outflow(self.now()):
            self.wake()
        self._traffic.messages_out += 1
        self._traffic.bytes_out += len(data)
        if self.inspector is not None:
            raw = msgspec.json.encode(payload) if text else bytes(payload)
            message = Message(join_ref, ref, topic, event, raw, not text)
            self.inspector.add("out", self._clock.time(), message, data)

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task of a channel's, which ends with the socket."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
