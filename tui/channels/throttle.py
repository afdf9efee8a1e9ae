"""What may happen ten thousand times a second is logged at most once a minute."""

from __future__ import annotations

from tui.channels.clock import Clock


class Throttle:
    """Allows each kind of log line once a minute; what is suppressed is counted elsewhere."""

    def __init__(self, clock: Clock, every: float = 60.0) -> None:
        self._clock = clock
        self._every = every
        self._last: dict[str, float] = {}

    def allows(self, kind: str) -> bool:
        """True when ``kind`` has not been allowed for ``every`` seconds."""
        now = self._clock.monotonic()
        last = self._last.get(kind)
        if last is not None and now < last + self._every:
            return False
        self._last[kind] = now
        return True
