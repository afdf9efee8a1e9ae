"""One trouble, from its first failure until a connection has held."""

from __future__ import annotations

import msgspec

from tui.channels.health import StateChange
from tui.model.snapshot import Trouble

NOTED_EVERY = 60.0
"""Seconds between two lines of the same trouble."""


class TroubleTracker:
    """Folds the failures of one connection into one trouble, and says which of them are news.

    A probe or a revival that fails is part of the same trouble, also when it had been connected for a
    moment: it is counted there, and told at most once a minute.
    """

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        """None while connected, though a connection that does not hold takes it up again."""
        self._unsettled: Trouble | None = None
        """What it was until just now; the connection has not held yet."""
        self._came_back = False
        """It was told as over, and was not."""
        self._noted_at = 0.0

    def clear(self) -> None:
        """A person took it in hand: what fails from now on is a new trouble."""
        self.trouble = self._unsettled = None
        self._came_back = False

    def clock_was_set(self, step: float) -> None:
        # What is kept as a moment is that moment still.
        self._noted_at += step
        self.trouble, self._unsettled = _moved(self.trouble, step), _moved(self._unsettled, step)

    def goes_on(self, change: StateChange) -> bool:
        """Whether ``change``, which comes next, is one more failure of what is known, and no worse."""
        known = self.trouble or self._unsettled
        if known is None or change.new_state not in ("reconnecting", "failed"):
            return False
        return known.state == "failed" or change.new_state == "reconnecting"

    def changed(self, change: StateChange, *, circuit_open: bool) -> str | None:
        """The line to tell for ``change``, None when it is no news."""
        if change.new_state == "connecting":
            return None
        if change.new_state in ("connected", "disconnected"):
            return self._ended(change)
        words = change.error or change.new_state
        goes_on = self.goes_on(change)
        known, was_connected = self.trouble or self._unsettled, self._unsettled is not None
        is_same = known is not None and goes_on and circuit_open == known.circuit_open
        self._unsettled = None
        self.trouble = Trouble(
            state=known.state if known and goes_on else change.new_state,
            circuit_open=circuit_open and (not goes_on or known is None or known.state == "failed"),
            message=known.message if known and is_same else words,
            state_since=known.state_since if known and is_same else change.timestamp,
            since=known.since if known else change.timestamp,
            tries=(known.tries + 1) if known else 0 if change.old_state == "connected" else 1,
            last_try=change.timestamp,
            last_reason=words,
        )
        is_news = not goes_on or (was_connected and not self._came_back)
        self._came_back = self._came_back or was_connected
        if not is_news and change.timestamp - self._noted_at < NOTED_EVERY:
            return None
        self._noted_at = change.timestamp
        if goes_on:
            return f"still {self.trouble.state} after {self.trouble.tries} tries: {words}"
        return f"{change.new_state}: {words}"

    def _ended(self, change: StateChange) -> str | None:
        known, self.trouble = self.trouble or self._unsettled, None
        self._unsettled = known if change.new_state == "connected" else None
        if known is None:
            return change.new_state
        if self._unsettled is not None and self._came_back:
            return None
        self._came_back = False
        return _over(change.new_state, known, change.timestamp)

    def settled(self, timestamp: float) -> str | None:
        """The connection has held: the line to tell, where it was not told as connected."""
        known, self._unsettled = self._unsettled, None
        came_back, self._came_back = self._came_back, False
        return _over("connected", known, timestamp) if known is not None and came_back else None


def _moved(trouble: Trouble | None, step: float) -> Trouble | None:
    if trouble is None:
        return None
    last_try = None if trouble.last_try is None else trouble.last_try + step
    return msgspec.structs.replace(
        trouble, since=trouble.since + step, state_since=trouble.state_since + step, last_try=last_try
    )


def _over(state: str, trouble: Trouble, timestamp: float) -> str:
    tries = f", {trouble.tries} tries" if trouble.tries > 1 else ""
    return f"{state} after {_duration(max(0.0, timestamp - trouble.since))}{tries}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
