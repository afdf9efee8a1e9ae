"""How alerts end, and what is learned of one after its end: an overlay's word may come late."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tui.alerts.alert import MOST_MESSAGE, Alert
from tui.alerts.page import Page
from tui.alerts.recent import Record
from tui.alerts.waiting import Entry, Growing
from tui.channels.clock import Clock
from tui.model.alerts import AlertOutcome
from tui.text.fitted import fitted

LATE_CONFIRMATION = 10.0
"""Seconds after an alert's end, or its return from the stage, in which a confirmation still counts."""
MOST_DOUBTFUL = 100
"""Alerts that ended without an overlay's word, which may still come; beyond it the oldest goes."""

NOT_CONFIRMED = "sent; no overlay confirmed it"
ONLY_LISTED = "sent, and listed by the hub; no overlay confirmed it"
SEEN_BEFORE = "an overlay confirmed it before it waited again"
NO_DELIVERY = "no delivery is set up"


class Endings:
    """Writes into the record what becomes of alerts."""

    def __init__(self, clock: Clock, record: Record, page: Page, growing: Growing) -> None:
        self.delivers = True
        """Alerts are delivered somewhere, where they may be seen."""
        self._clock = clock
        self._record = record
        self._page = page
        self._growing = growing
        # With the monotonic moments of its beginning on the air, infinite if it never was, and of its end.
        self._doubtful: deque[tuple[Alert, float, float]] = deque(maxlen=MOST_DOUBTFUL)

    def amend(self, entry: Entry, **fields: Any) -> None:
        """An open alert stands otherwise."""
        entry.alert = replace(entry.alert, **fields)
        self._record.changed[entry.alert.id] = entry.alert
        self._record.touch()

    def end(self, entry: Entry, outcome: AlertOutcome, reason: str, since: float = math.inf) -> Alert:
        """Ends an alert that is neither waiting nor on the stage any more; the entry keeps it as it was.

        Args:
            since: when it began to be on the air, where that is known.
        """
        self._growing.remove(entry)
        if entry.alert.seen and outcome in ("unconfirmed", "failed"):
            outcome, reason = "shown", f"{SEEN_BEFORE}; {reason}"
        alert = replace(
            entry.alert,
            state="ended",
            outcome=outcome,
            reason=fitted(reason, MOST_MESSAGE),
            ended_at=self._clock.time(),
        )
        self._record.end(alert)
        if outcome in ("unconfirmed", "failed"):
            self._doubtful.append((alert, since, self._clock.monotonic()))
        self._record.touch()
        return alert

    def end_sent(self, entry: Entry, words: str, since: float = math.inf) -> Alert:
        """Ends one that the overlays may have shown.

        Args:
            words: why before its time was over; empty if it was.
        """
        if entry.alert.confirmed:
            return self.end(entry, "shown", words)
        if entry.alert.seen:
            return self.end(entry, "shown", f"{SEEN_BEFORE}; {words}" if words else SEEN_BEFORE)
        reason = ONLY_LISTED if self._page.was_listed(entry.alert.id) else NOT_CONFIRMED
        if not self.delivers:
            reason = NO_DELIVERY
        return self.end(entry, "unconfirmed", f"{reason}; {words}" if words else reason, since)

    def give_up(self, entry: Entry, outcome: AlertOutcome, reason: str) -> None:
        """Ends one that waited in vain; what the overlays may have shown before does not end as unseen."""
        if entry.alert.tries:
            self.end_sent(entry, reason)
        else:
            self.end(entry, outcome, reason)

    def confirm(self, is_meant: Callable[[Alert, float, float], bool]) -> bool:
        """Turns those of the doubtful into shown ones that ``is_meant`` picks by alert, beginning and end."""
        now = self._clock.monotonic()
        fresh = [each for each in self._doubtful if each[2] + LATE_CONFIRMATION > now]
        confirmed = [each for each in fresh if is_meant(*each)]
        self._doubtful = deque((each for each in fresh if each not in confirmed), maxlen=MOST_DOUBTFUL)
        for alert, _, _ in confirmed:
            self._record.amend(alert, replace(alert, outcome="shown", reason="", confirmed=True))
            self._record.touch()
        return bool(confirmed)
