"""The circuit breaker: closed, open for a while, then half-open for exactly one probe."""

from __future__ import annotations

from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


class CircuitBreaker:
    """Opens after ``threshold`` consecutive failures, which is one trip; a probe that fails is none.

    It holds no timer: its owner asks for ``until``, ``timeout`` seconds from opening to the probe, and calls
    :meth:`half_open` when that comes.
    """

    def __init__(self, threshold: int, timeout: float) -> None:
        self._threshold = threshold
        self._timeout = timeout
        self.state: BreakerState = "closed"
        self.failures = 0
        """Those that opened it, or may; the probes are not among them."""
        self.trips = 0
        """Times that it opened after having been closed."""
        self.probes = 0
        """Probes that were let go, whatever became of them."""
        self.until: float | None = None
        """When the probe is due, on the owner's clock; None unless open."""

    @property
    def is_open(self) -> bool:
        """True while no attempt may be made by itself."""
        return self.state == "open"

    def fail(self, now: float) -> bool:
        """Record an attempt that did not become stable; True when the breaker is open after it."""
        self.failures += self.state == "closed"
        if self.state == "half-open" or self.failures >= self._threshold:
            self.trips += self.state == "closed"
            self.state = "open"
            self.until = now + self._timeout
        return self.is_open

    def half_open(self) -> None:
        """The open time has ended: one probe may go."""
        self.state = "half-open"
        self.probes += 1
        self.until = None

    def wake_early(self, until: float) -> None:
        """End an open time earlier, never later."""
        if self.until is not None:
            self.until = min(self.until, until)

    def close(self) -> None:
        """A stable connection, a command, or giving up: closed, no failures; trips stay counted."""
        self.state = "closed"
        self.failures = 0
        self.until = None
