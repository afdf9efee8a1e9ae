"""What went over a socket's connections, counted; with it, what is known of a connection in detail."""

from __future__ import annotations

from tui.channels.clock import Clock
from tui.channels.health import ConnectionDetails, RoundTrips
from tui.channels.lifecycle import Lifecycle, Phase
from tui.channels.mistakes import Mistakes
from tui.channels.open_channels import OpenChannels

UNANSWERED = 1.0
"""Seconds after which a heartbeat that is not answered is told."""


class Traffic:
    """Of all connections of one socket; what each is stands at :class:`ConnectionDetails`."""

    def __init__(self) -> None:
        self.heartbeats_sent = self.heartbeats_answered = 0
        self.messages_in = self.messages_out = 0
        self.bytes_in = self.bytes_out = 0
        self.round_trips_unjudged = 0
        self.last_close_code: int | None = None
        self.last_close_reason: str | None = None
        self.last_close_at: float | None = None
        self.round_trips = RoundTrips()

    def closed(self, at: float, code: int, words: str) -> None:
        """A connection ended that nobody asked to end."""
        self.last_close_at, self.last_close_code, self.last_close_reason = at, code, words

    def clock_was_set(self, step: float) -> None:
        if self.last_close_at is not None:
            self.last_close_at += step

    def details(
        self, life: Lifecycle, clock: Clock, allowance: float, channels: OpenChannels, mistakes: Mistakes
    ) -> ConnectionDetails:
        now, counts = clock.monotonic(), life.counts
        first_out = life.heartbeat.unanswered_since if life.is_open else None
        overdue = unanswered = None
        if first_out is not None:
            overdue = None if now - first_out < UNANSWERED else first_out
            if life.phase is Phase.UP:
                unanswered = life.heartbeat.two_unanswered_since(now, allowance)
        counted = vars(self).copy()
        round_trips = counted.pop("round_trips")
        if unanswered is not None:
            # What an answer took before says nothing of now.
            round_trips = RoundTrips()

        def epoch_second(moment: float | None) -> int | None:
            return None if moment is None else round(clock.time() - (now - moment))

        return ConnectionDetails(
            reason=life.reason,
            refusal=life.refusal,
            since=life.since,
            time_in_state=now - life.since_monotonic,
            next_try=None if life.next_try is None else clock.time() + (life.next_try - now),
            stable=life.stable,
            attempts_begun=counts.attempts_begun,
            attempts_aborted=counts.attempts_aborted,
            failed_attempts=counts.failed_attempts,
            heartbeat_unanswered_since=epoch_second(overdue),
            heartbeats_unanswered_since=epoch_second(unanswered),
            circuit_breaker_probes=life.breaker.probes,
            round_trip_last=round_trips.last,
            round_trip_p50=round_trips.percentile(0.5),
            round_trip_p95=round_trips.percentile(0.95),
            dropped_messages=channels.dropped_messages,
            dropped_pushes=channels.dropped_pushes,
            undecodable=mistakes.undecodable,
            handler_errors=mistakes.handler_errors,
            **counted,
        )
