"""One alert on its way to the overlay: pushed, tried again, on the air until its time is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tui.alerts.page import ANSWER_LIMIT
from tui.alerts.waiting import Entry

Phase = Literal["sending", "retrying", "on air"]
"""Pushed and not answered; refused and waiting for another try; on the overlay, its timer running."""

RETRY_DELAYS = (1.0, 3.0)
"""Seconds before the second and the third try of a push that was refused."""
LONGEST = 300.0
"""Seconds after its first appearance beyond which an alert's growth does not prolong it."""
UPDATE_EVERY = 1.0
"""Seconds between two pushes of an alert that grows."""


@dataclass(slots=True, eq=False)
class Stage:
    """The alert that plays, or one of those beside it. All moments are monotonic seconds."""

    entry: Entry
    phase: Phase = "sending"
    deadline: float = math.inf
    """When this phase ends by itself: no answer, the next try, or the end of its time."""
    since: float = math.inf
    """When it began to show."""
    pushed_at: float = -math.inf
    pushed_count: int = 0
    """The count that was pushed last."""
    update_at: float = math.inf
    """When its growth is to be pushed; infinite when there is nothing to push."""
    refusals: int = 0

    @property
    def id(self) -> str:
        return self.entry.alert.id

    def pushed(self, now: float) -> None:
        self.phase = "sending"
        self.deadline = now + ANSWER_LIMIT
        self._pushed(now)

    def found(self, now: float) -> None:
        """It is on the overlay without having been pushed from here."""
        # With which count, nobody knows.
        self.pushed_at, self.pushed_count = now, 1

    def shown(self, now: float) -> None:
        self.phase = "on air"
        self.since = now
        self.deadline = now + self.entry.alert.duration
        self.grew(now)

    def refused(self, now: float) -> bool:
        """Plans another try; False when there have been enough."""
        self.refusals += 1
        if self.refusals > len(RETRY_DELAYS):
            return False
        self.phase = "retrying"
        self.deadline = now + RETRY_DELAYS[self.refusals - 1]
        return True

    def prolong(self, now: float) -> None:
        """It has grown: its whole time begins anew, within :data:`LONGEST`; it never becomes shorter."""
        if self.phase == "on air":
            end = min(now + self.entry.alert.duration, self.since + LONGEST)
            self.deadline = max(self.deadline, end)
            self.grew(now)

    def grew(self, now: float) -> None:
        if self.pushed_count and self.entry.alert.count > self.pushed_count:
            self.update_at = max(now, self.pushed_at + UPDATE_EVERY)

    def updated(self, now: float) -> None:
        self.update_at = math.inf
        self._pushed(now)

    def keep_to_itself(self) -> None:
        """There is no delivery any more: what grows from now on is pushed nowhere."""
        self.update_at = math.inf
        self.pushed_count = 0

    def is_past_half(self, now: float) -> bool:
        """Whether half its time or more has passed."""
        return self.phase == "on air" and now - self.since >= (self.deadline - self.since) / 2

    def _pushed(self, now: float) -> None:
        self.pushed_at = now
        self.pushed_count = self.entry.alert.count
