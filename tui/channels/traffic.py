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
    """Of all connections of one socket. What is counted is described at :class:`ConnectionDetails`."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "heartbeats_answered",
        "heartbeats_sent",
        "last_close",
        "messages_in",
        "messages_out",
        "round_trips",
        "round_trips_unjudged",
    )

    def __init__(self) -> None:
        self.messages_in = self.messages_out = 0
        self.bytes_in = self.bytes_out = 0
        self.heartbeats_sent = self.heartbeats_answered = 0
        self.round_trips = RoundTrips()
        self.round_trips_unjudged = 0
        self.last_close: tuple[int | None, str | None] = (None, None)
        """Code and words."""

    def details(
        self, life: Lifecycle, clock: Clock, allowance: float, channels: OpenChannels, mistakes: Mistakes
    ) -> ConnectionDetails:
        """What is known beside the nine metrics, read without changing any.

        Args:
            allowance: as of :meth:`tui.channels.replies.Replies.allowance`.
        """
        now = clock.monotonic()
        code, words = self.last_close
        next_try = life.next_try
        first_out = life.heartbeat.unanswered_since if life.is_open else None
        overdue = unanswered = None
        if first_out is not None:
            overdue = None if now - first_out < UNANSWERED else first_out
            if life.phase is Phase.UP:
                unanswered = life.heartbeat.two_unanswered_since(now, allowance)
        # What an answer took before says nothing of now.
        round_trips = self.round_trips if unanswered is None else RoundTrips()

        def epoch_second(moment: float | None) -> int | None:
            return None if moment is None else round(clock.time() - (now - moment))

        return ConnectionDetails(
            reason=life.reason,
            refusal=life.refusal,
            since=life.since,
            time_in_state=now - life.since_monotonic,
            next_try=None if next_try is None else clock.time() + (next_try - now),
            stable=life.stable,
            attempts_begun=life.attempts_begun,
            attempts_aborted=life.attempts_aborted,
            failed_attempts=life.failed_attempts,
            heartbeats_sent=self.heartbeats_sent,
            heartbeats_answered=self.heartbeats_answered,
            heartbeat_unanswered_since=epoch_second(overdue),
            heartbeats_unanswered_since=epoch_second(unanswered),
            circuit_breaker_probes=life.breaker.probes,
            round_trip_last=round_trips.last,
            round_trip_p50=round_trips.percentile(0.5),
            round_trip_p95=round_trips.percentile(0.95),
            round_trips_unjudged=self.round_trips_unjudged,
            messages_in=self.messages_in,
            messages_out=self.messages_out,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            dropped_messages=channels.dropped_messages,
            dropped_pushes=channels.dropped_pushes,
            undecodable=mistakes.undecodable,
            handler_errors=mistakes.handler_errors,
            last_close_code=code,
            last_close_reason=words,
        )
