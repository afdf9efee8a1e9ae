"""When to send a heartbeat, and when the lack of an answer means that the link is dead."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["wait", "send", "dead"]

_KEPT = 8  # heartbeats whose late answers still give a round-trip time


class Heartbeat:
    """The heartbeats of one connection, judged by what comes after them.

    One is sent at once, then one every ``interval`` seconds. The first must be answered: a server
    that accepts and is silent was never connected. After later ones all that proves life keeps the
    link, and two in a row without an answer are told. Something must come within ``timeout`` seconds.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._sent: dict[str, float] = {}
        self._sent_at: float | None = None
        self._proven = True
        self._unanswered: list[float] = []
        self.answered = False
        """A heartbeat was answered on this connection."""

    def sent(self, ref: str, now: float) -> None:
        """A heartbeat went out; only what comes from now on speaks for the link."""
        self._sent_at = now
        self._proven = False
        self.pinged(ref, now)
        if len(self._unanswered) < _KEPT:
            self._unanswered.append(now)

    def pinged(self, ref: str, now: float) -> None:
        """One went out beside the regular ones: its answer counts, the lack of it does not."""
        self._sent[ref] = now
        if len(self._sent) > _KEPT:
            del self._sent[next(iter(self._sent))]

    def start_anew(self) -> None:
        """What was out until now is not judged: nobody looked when its answer was due."""
        self._unanswered.clear()

    @property
    def unanswered_since(self) -> float | None:
        """When the first one was sent after all that were answered; None while there is none."""
        return next(iter(self._unanswered), None)

    def two_unanswered_since(self, now: float, allowance: float = 0.0) -> float | None:
        """When the first of two heartbeats in a row was sent that were not answered in their time."""
        if len(self._unanswered) < 2 or now < self._unanswered[1] + self._limit(allowance):
            return None
        return self._unanswered[0]

    def reply(self, ref: object, now: float) -> float | None:
        """The round-trip time in seconds if ``ref`` is of a heartbeat, else None."""
        sent_at = self._sent.pop(ref, None) if isinstance(ref, str) else None
        if sent_at is None:
            return None
        self.answered = self._proven = True
        self._unanswered = [at for at in self._unanswered if at > sent_at]
        return now - sent_at

    def judge(self, now: float, heard: bool, allowance: float = 0.0) -> Verdict:
        """What to do now.

        Args:
            heard: something proved life since the last heartbeat was sent.
            allowance: seconds to wait at least, while a join may hold up every answer. The first
                heartbeat is sent before any join and has ``timeout`` alone.
        """
        if self._sent_at is None:
            return "send"
        if heard and self.answered:
            self._proven = True
        if self._proven:
            return "send" if now >= self._sent_at + self._interval else "wait"
        return "dead" if now >= self._sent_at + self._limit(allowance) else "wait"

    def deadline(self, allowance: float = 0.0) -> float:
        """When :meth:`judge` is to be asked again, on the clock of ``now``; 0 for at once."""
        if self._sent_at is None:
            return 0.0
        return self._sent_at + (self._interval if self._proven else self._limit(allowance))

    def _limit(self, allowance: float) -> float:
        return max(self._timeout, allowance) if self.answered else self._timeout
