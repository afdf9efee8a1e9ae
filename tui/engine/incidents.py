"""One trouble, from its first failure until the connection is connected again."""

from __future__ import annotations

from tui.channels.health import StateChange
from tui.engine.snapshot import Trouble

TOLD_EVERY = 60.0
"""Seconds between two lines of the same trouble."""


class TroubleTracker:
    """Folds the failures of one connection into one trouble, and says which of them are news.

    A probe or a revival that fails is part of the same trouble: it is counted there, and told at
    most once a minute.
    """

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self._told_at = 0.0

    def clear(self) -> None:
        """A person took it in hand: what fails from now on is a new trouble."""
        self.trouble = None

    def changed(self, change: StateChange, *, circuit_open: bool) -> str | None:
        """The line to tell for ``change``, None when it is no news."""
        if change.new_state == "connecting":
            return None
        words = change.error or change.new_state
        if change.new_state in ("connected", "disconnected"):
            trouble, self.trouble = self.trouble, None
            if trouble is None:
                return change.new_state
            away = change.timestamp - trouble.since
            tries = f", {trouble.tries} tries" if trouble.tries > 1 else ""
            return f"{change.new_state} after {_duration(away)}{tries}"
        known = self.trouble
        if known is None or (known.state == "reconnecting" and change.new_state == "failed"):
            self.trouble = Trouble(
                state=change.new_state,
                circuit_open=circuit_open,
                words=words,
                since=known.since if known else change.timestamp,
                tries=(known.tries + 1) if known else 0 if change.old_state == "connected" else 1,
                last_try=change.timestamp,
                last_reason=words,
            )
            self._told_at = change.timestamp
            return f"{change.new_state}: {words}"
        self.trouble = Trouble(
            state=known.state,
            circuit_open=circuit_open if known.state == "failed" else False,
            words=known.words if circuit_open == known.circuit_open else words,
            since=known.since,
            tries=known.tries + 1,
            last_try=change.timestamp,
            last_reason=words,
        )
        if change.timestamp - self._told_at < TOLD_EVERY:
            return None
        self._told_at = change.timestamp
        return f"still {known.state} after {self.trouble.tries} tries: {words}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
