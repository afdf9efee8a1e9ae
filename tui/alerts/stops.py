"""What a person ordered that lasts: a pause, a hold, mutes. Moments are monotonic seconds."""

from __future__ import annotations

import math

from tui.alerts.types import Lasting, PersistedOrders

MOST_MUTES = 100
MOST_MUTED_MINUTES = 1440.0
MOST_HELD_SECONDS = 86_400.0


class Stops:
    """At most :data:`MOST_MUTES` mutes; a pause and a hold exclude each other."""

    def __init__(self) -> None:
        self.paused = False
        self._held_until = -math.inf
        self._held: Lasting | None = None
        self._mutes: dict[str, tuple[float, Lasting]] = {}
        # What was ordered here before it was known what an earlier run was ordered.
        self._was_resumed = False
        self._unmuted: set[str] = set()

    def pause(self) -> None:
        self.paused = True
        self._held_until = -math.inf

    def resume(self) -> None:
        self._was_resumed = True
        self.paused = False
        self._held_until = -math.inf

    def hold(self, now: float, epoch: float, seconds: float) -> None:
        self._held_until, self._held = now + seconds, Lasting(epoch + seconds, seconds)

    def mute(self, type: str, now: float, epoch: float, seconds: float) -> bool:
        """Let no alert of a type in for so long; False when too many types are muted."""
        if type not in self._mutes and len(self._mutes) >= MOST_MUTES:
            return False
        self._mutes[type] = (now + seconds, Lasting(epoch + seconds, seconds))
        return True

    def unmute(self, type: str) -> bool:
        """End a mute; whether there was one."""
        if len(self._unmuted) < MOST_MUTES:
            self._unmuted.add(type)
        return self._mutes.pop(type, None) is not None

    def is_muted(self, type: str) -> bool:
        return type in self._mutes

    def is_held(self, now: float) -> bool:
        return self._held_until > now

    def moments(self, now: float) -> list[float]:
        held = [self._held_until] if self.is_held(now) else []
        return held + [until for until, _ in self._mutes.values()]

    def end_due(self, now: float) -> bool:
        """End what lasted until now; whether there was any."""
        ended = [type for type, (until, _) in self._mutes.items() if until <= now]
        for type in ended:
            del self._mutes[type]
        was_held = self._held_until != -math.inf and self._held_until <= now
        if was_held:
            self._held_until = -math.inf
        return was_held or bool(ended)

    def clock_was_set(self, step: float) -> None:
        """What lasts ends when it was to end, whatever that moment is called now."""
        self._held = None if self._held is None else self._held.moved(step)
        self._mutes = {type: (until, noted.moved(step)) for type, (until, noted) in self._mutes.items()}

    def held_until(self, now: float) -> float | None:
        """The epoch second at which a hold ends, while one lasts."""
        return self._held.until if self._held is not None and self.is_held(now) else None

    def mutes(self) -> dict[str, float]:
        """Type to the epoch second at which its mute ends."""
        return {type: mute.until for type, (_, mute) in self._mutes.items()}

    def lasting(self, now: float) -> PersistedOrders:
        return PersistedOrders(
            paused=self.paused,
            held=self._held if self.is_held(now) else None,
            mutes={type: mute for type, (_, mute) in self._mutes.items()},
        )

    def restore(self, lasting: PersistedOrders, now: float, epoch: float) -> None:
        """Take up what an earlier run was ordered, as far as it lasts; orders of this run go before it.

        A pause goes before a hold of this run, which was meant to stop the queue, too.
        """
        if lasting.paused and not self._was_resumed:
            self.pause()
        if lasting.held is not None and not (self.paused or self.is_held(now) or self._was_resumed):
            left = lasting.held.left(epoch)
            if 0 < left <= MOST_HELD_SECONDS:
                self.hold(now, epoch, left)
        for type, mute in lasting.mutes.items():
            left = mute.left(epoch)
            if type not in self._mutes and type not in self._unmuted and 0 < left <= MOST_MUTED_MINUTES * 60:
                self.mute(type, now, epoch, left)
