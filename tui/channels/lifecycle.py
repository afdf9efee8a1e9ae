"""The one owner of a socket's connection: decides to connect, wait, probe or stop.

No I/O and no waiting happens here. What happens outside is reported to it, then :meth:`Lifecycle.step`
decides and says when it wants to be asked again; whoever runs it wakes it earlier for any report.
"""

from __future__ import annotations

import enum
import random
from typing import Literal, Protocol

import msgspec

from tui.channels.backoff import BackOff
from tui.channels.breaker import CircuitBreaker
from tui.channels.clock import Clock
from tui.channels.errors import OpenError
from tui.channels.health import ConnectionState, HealthMetrics, StateChange
from tui.channels.heartbeat import Heartbeat
from tui.channels.options import Options

Verb = Literal["connect", "reconnect", "disconnect"]


class Phase(enum.Enum):
    """Where a socket is, finer than its five states."""

    IDLE = "disconnected"
    OPENING = "look-up, TCP, TLS and upgrade are under way"
    GREETING = "open, the first heartbeat is not answered yet"
    UP = "connected"
    WAITING = "waiting for the next try"
    BROKEN = "the breaker is open"
    GAVE_UP = "out of attempts"


class LifecycleCallbacks(Protocol):
    """What a lifecycle has done for it. No method may call back into the lifecycle or raise."""

    def begin_opening(self) -> None:
        """Start opening a connection; report ``opened`` or ``open_failed`` later."""

    def end_connection(self, words: str, *, graceful: bool) -> None:
        """Detach and close whatever is open or opening; nothing of it may be reported any more.

        Not gracefully where it is silent: it is dropped.
        """

    def gave_up_opening(self, limit: float) -> OpenError:
        """What the opening has come to when its ``limit`` in seconds is over."""

    def send_heartbeat(self) -> str:
        """Send a heartbeat and return its ref."""

    def connection_opened(self) -> None:
        """The connection is open and its first heartbeat is on its way: joins may follow."""

    def state_changed(self, change: StateChange) -> None:
        """The state changed."""

    def became_stable(self) -> None:
        """The connection has been connected for ``stable_after``."""


class Counts(msgspec.Struct):
    """Of one socket since its start; what each is stands at :class:`HealthMetrics` and at
    :class:`ConnectionDetails`."""

    reconnect_attempts: int = 0
    attempts_begun: int = 0
    attempts_aborted: int = 0
    failed_attempts: int = 0
    successful_connects: int = 0
    failed_reconnects: int = 0
    heartbeat_failures: int = 0
    last_heartbeat: float | None = None


class Lifecycle:
    """States, attempts, back-off, breaker and heartbeats of one socket."""

    def __init__(
        self, options: Options, clock: Clock, random_source: random.Random, callbacks: LifecycleCallbacks
    ) -> None:
        self._options = options
        self._clock = clock
        self._random_source = random_source
        self._callbacks = callbacks
        self._back_off = BackOff(options, random_source)
        self.breaker = CircuitBreaker(options.circuit_breaker_threshold, options.circuit_breaker_timeout)
        self.heartbeat = self._new_heartbeat()

        self.phase = Phase.IDLE
        self.state: ConnectionState = "disconnected"
        self.reason: str | None = None
        self.refusal: str | None = None
        self.since = clock.time()
        self.since_monotonic = clock.monotonic()
        self.stable = False
        self.counts = Counts()

        self._commands: list[Verb] = []
        self._retry = False
        self._revival = False
        self._opened = False
        self._open_error: OpenError | None = None
        self._lost: str | None = None
        self._open_deadline = 0.0
        self._connected_at = 0.0
        self._wait_until: float | None = None
        self._woken_early_at: float | None = None

    # What is reported

    def command(self, verb: Verb) -> None:
        """A person or a program asks; carried out at the next step, in the order given."""
        self._commands.append(verb)

    def opened(self) -> None:
        """The upgrade was answered with 101."""
        self._opened = True

    def open_failed(self, error: OpenError) -> None:
        self._open_error = error

    def lost(self, words: str) -> None:
        """The open connection ended without our doing."""
        self._lost = words

    def heartbeat_replied(self, ref: object) -> float | None:
        """A reply on the heartbeat topic; its round-trip time, or None when ``ref`` is of no heartbeat."""
        round_trip = self.heartbeat.reply(ref, self._clock.monotonic())
        if round_trip is not None:
            self.counts.last_heartbeat = self._clock.time()
            if self.phase is Phase.GREETING:
                self._become_connected()
        return round_trip

    def wake_early(self) -> None:
        """Another connection to the same host and port became stable: do not wait out what is left.

        A back-off ends, an open breaker's probe goes and a given-up socket has its revival, if it is
        to have one, all within one base delay; at most once in ``reconnect_max_delay``.
        """
        now = self._clock.monotonic()
        if self.next_try is None:
            return
        if (
            self._woken_early_at is not None
            and now < self._woken_early_at + self._options.reconnect_max_delay
        ):
            return
        self._woken_early_at = now
        when = now + self._random_source.uniform(0, self._options.reconnect_base_delay)
        if self.phase is Phase.BROKEN:
            self.breaker.wake_early(when)
        elif self._wait_until is not None:
            self._wait_until = min(self._wait_until, when)

    # What is asked

    @property
    def commanded(self) -> bool:
        """Something was asked for and is not carried out yet."""
        return bool(self._commands)

    @property
    def is_open(self) -> bool:
        """There is an open connection, connected or not yet."""
        return self.phase in (Phase.GREETING, Phase.UP)

    @property
    def under_way(self) -> bool:
        """An attempt is under way whose first heartbeat is not answered."""
        return self.phase in (Phase.OPENING, Phase.GREETING)

    @property
    def next_try(self) -> float | None:
        """When the next attempt is due, on the clock's monotonic reading; None when none is planned."""
        if self.phase is Phase.BROKEN:
            return self.breaker.until
        if self.phase in (Phase.WAITING, Phase.GAVE_UP):
            return self._wait_until
        return None

    def step(
        self,
        now: float,
        *,
        heard: bool = False,
        pinged: bool = False,
        allowance: float = 0.0,
        late: bool = False,
    ) -> float | None:
        """Decide all that is due at ``now``; returns when to ask again, None for "when something happens".

        Args:
            heard: something proved life since the last heartbeat was sent.
            pinged: a PING or PONG came since then, which proves no more than the next hop.
            allowance: as of :meth:`Heartbeat.judge`.
            late: whoever runs this woke far later than asked: the process was stopped or the
                machine slept, and nothing that waited meanwhile can be judged by the clock.
        """
        while self._commands:
            self._obey(self._commands.pop(0), now)
        match self.phase:
            case Phase.OPENING:
                self._watch_opening(now, late)
            case Phase.GREETING | Phase.UP:
                self._watch_connection(now, heard, pinged, allowance, late)
        match self.phase:
            case Phase.WAITING if self._wait_until is not None and now >= self._wait_until:
                self._begin(retry=True)
            case Phase.BROKEN if self.breaker.until is not None and now >= self.breaker.until:
                self.breaker.half_open()
                self._begin(retry=True)
            case Phase.GAVE_UP if self._wait_until is not None and now >= self._wait_until:
                self._begin(retry=True, revival=True)
        return self._deadline(allowance)

    def _deadline(self, allowance: float) -> float | None:
        match self.phase:
            case Phase.OPENING:
                return self._open_deadline
            case Phase.GREETING:
                return self.heartbeat.deadline(allowance)
            case Phase.UP:
                deadline = self.heartbeat.deadline(allowance)
                return deadline if self.stable else min(deadline, self._stable_at)
        return self.next_try

    # Commands

    def _obey(self, verb: Verb, now: float) -> None:
        if verb == "connect" and self.phase in (Phase.OPENING, Phase.GREETING, Phase.UP):
            return
        if self.under_way:
            self.counts.attempts_aborted += 1
        if self.phase in (Phase.OPENING, Phase.GREETING, Phase.UP):
            self._end(f"{verb} was asked for", graceful=True)
        self.breaker.close()
        self.counts.reconnect_attempts = 0
        self._wait_until = None
        if verb == "disconnect":
            self.phase = Phase.IDLE
            self._change("disconnected", None)
        else:
            self._begin(retry=False)

    # Attempts

    def _begin(self, *, retry: bool, revival: bool = False) -> None:
        self._retry = retry
        self._revival = revival
        self.counts.attempts_begun += 1
        if retry:
            self.counts.reconnect_attempts += 1
        self._opened = False
        self._open_error = None
        self._lost = None
        self._wait_until = None
        self._open_deadline = self._clock.monotonic() + self._options.open_timeout
        self.phase = Phase.OPENING
        # The reason of the trouble stays readable; the change itself is no error.
        self._change("connecting", None, reason=self.reason if retry else None)
        self._callbacks.begin_opening()

    def _watch_opening(self, now: float, late: bool) -> None:
        if self._open_error is not None:
            self._fail(now, str(self._open_error), self._open_error)
        elif self._opened:
            self.heartbeat = self._new_heartbeat()
            self.phase = Phase.GREETING
            self._send_heartbeat(now)
            self._callbacks.connection_opened()
            if self._lost is not None:
                self._fail(now, self._lost)
        elif late and now >= self._open_deadline:
            self._open_deadline = now + self._options.open_timeout
        elif now >= self._open_deadline:
            error = self._callbacks.gave_up_opening(self._options.open_timeout)
            self._fail(now, str(error), error)

    def _watch_connection(self, now: float, heard: bool, pinged: bool, allowance: float, late: bool) -> None:
        if self._lost is not None:
            self._fail(now, self._lost)
            return
        if late:
            # Whatever was outstanding may be answered in what the system holds for us: ask anew.
            self.heartbeat.start_anew()
            self._send_heartbeat(now)
            if not self.stable:
                # Time in which nobody looked proves nothing: count from when this must be answered.
                self._connected_at = self.heartbeat.deadline(allowance)
        verdict = self.heartbeat.judge(now, heard and not late, allowance)
        if verdict == "dead":
            limit = max(self._options.heartbeat_timeout, allowance if self.heartbeat.answered else 0)
            self.counts.heartbeat_failures += 1
            what = "nothing but PINGs" if pinged else "nothing"
            words = f"{what} came within {limit:g} s of a heartbeat"
            if heard:
                words = f"the first heartbeat was not answered within {limit:g} s, though other data came"
            self._fail(now, words, graceful=False)
            return
        if verdict == "send":
            self._send_heartbeat(now)
        if self.phase is Phase.UP and not self.stable and now >= self._stable_at:
            self.stable = True
            self.breaker.close()
            self.counts.reconnect_attempts = 0
            self._revival = False
            self._callbacks.became_stable()

    @property
    def _stable_at(self) -> float:
        return self._connected_at + self._options.stable_after

    def _become_connected(self) -> None:
        self.phase = Phase.UP
        self._connected_at = self._clock.monotonic()
        self.counts.successful_connects += 1
        self.refusal = None
        self._change("connected", None)

    def _fail(self, now: float, words: str, error: OpenError | None = None, *, graceful: bool = True) -> None:
        """The attempt or the connection ended by itself: wait, open the breaker, or give up."""
        if self.under_way:
            self.counts.failed_attempts += 1
            if self._retry:
                self.counts.failed_reconnects += 1
        if error is not None and error.refusal:
            self.refusal = words
        was_stable = self.stable
        self._end(words, graceful=graceful)
        limit = self._options.max_reconnect_attempts
        if self._revival:
            self._give_up(now, words)
        elif limit != "unlimited" and self.counts.reconnect_attempts >= limit:
            self.breaker.close()
            self._give_up(now, words)
        elif not was_stable and self.breaker.fail(now):
            self.phase = Phase.BROKEN
            failures = self.breaker.failures
            self._change("failed", f"circuit breaker open after {failures} failures: {words}")
        else:
            delay = self._back_off.delay(
                self.counts.reconnect_attempts + 1,
                after_stable=was_stable,
                retry_after=error.retry_after if error is not None else None,
            )
            self._wait_until = now + delay
            self.phase = Phase.WAITING
            self._change("reconnecting", words)

    def _give_up(self, now: float, words: str) -> None:
        self.phase = Phase.GAVE_UP
        revive = self._options.revive_after
        self._wait_until = None if revive == "never" else now + revive
        # Those that led to it: a revival tells no other story, whatever number it has.
        limit = self._options.max_reconnect_attempts
        count = 0 if limit == "unlimited" else min(self.counts.reconnect_attempts, limit)
        after = f" after {count} attempt{'' if count == 1 else 's'}" if count else ""
        self._change("failed", f"gave up{after}: {words}")

    def _end(self, words: str, *, graceful: bool) -> None:
        self.stable = False
        self._callbacks.end_connection(words, graceful=graceful)

    def metrics(self) -> HealthMetrics:
        return HealthMetrics(
            connection_state=self.state,
            reconnect_attempts=self.counts.reconnect_attempts,
            total_reconnects=max(0, self.counts.successful_connects - 1),
            failed_reconnects=self.counts.failed_reconnects,
            successful_connects=self.counts.successful_connects,
            heartbeat_failures=self.counts.heartbeat_failures,
            circuit_breaker_trips=self.breaker.trips,
            last_heartbeat=self.counts.last_heartbeat,
            is_circuit_open=self.breaker.is_open,
        )

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds: what is shown as a moment is that moment still."""
        self.since += step
        if self.counts.last_heartbeat is not None:
            self.counts.last_heartbeat += step

    def _new_heartbeat(self) -> Heartbeat:
        return Heartbeat(self._options.heartbeat_interval, self._options.heartbeat_timeout)

    def _send_heartbeat(self, now: float) -> None:
        self.heartbeat.sent(self._callbacks.send_heartbeat(), now)

    def _change(self, state: ConnectionState, error: str | None, *, reason: str | None = None) -> None:
        self.reason = error or reason
        if state == self.state:
            return
        old, self.state = self.state, state
        self.since = self._clock.time()
        self.since_monotonic = self._clock.monotonic()
        self._callbacks.state_changed(
            StateChange(old_state=old, new_state=state, error=error, timestamp=self.since)
        )
