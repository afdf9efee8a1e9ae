"""The alerts that wait, in the order in which they will be shown, and those that newcomers make grow."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from tui.alerts.alert import Alert
from tui.model.alerts import TEST_SOURCE


@dataclass(slots=True, eq=False)
class Entry:
    """An open alert with the moments by which it is judged, in monotonic seconds."""

    alert: Alert
    arrived: float
    """When it was accepted."""
    grown: float
    """When it last grew by collapsing; at first when it was accepted."""
    expires_at: float = math.inf
    """When it has waited too long."""
    back_at: float = -math.inf
    """When it came back from the stage."""
    is_uncertain: bool = False
    """It came back because nobody knew whether its push had arrived."""

    def __post_init__(self) -> None:
        if self.alert.time_to_live is not None:
            self.expires_at = self.arrived + self.alert.time_to_live


def _order(entry: Entry) -> tuple[int, float, str]:
    # What is brought back may find its place taken; the id keeps the order the same after a restart.
    return -entry.alert.priority, entry.alert.place, entry.alert.id


class WaitingLine:
    """Alerts by priority, the high first, and within one by place. A bound is its owner's affair."""

    def __init__(self) -> None:
        self.last_place = 0.0
        """The greatest that is known."""
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, entry: Entry) -> None:
        insort(self._entries, entry, key=_order)

    @property
    def bypassing(self) -> int:
        """How many that bypass the queue wait in front."""
        return next((at for at, one in enumerate(self._entries) if not one.alert.bypass), len(self._entries))

    def new_place(self, epoch: float) -> float:
        """The place of what is accepted now."""
        # By the epoch, so that alerts of an earlier run that the store brings late stand in front; never
        # back, whatever the clock is set to.
        self.last_place = max(epoch, self.last_place + 1 / 64)
        return self.last_place

    def add_in_front(self, entry: Entry) -> None:
        """Puts it before all of its priority, giving it a new place if need be."""
        first = next((one for one in self._entries if one.alert.priority == entry.alert.priority), None)
        if first is not None and entry.alert.place >= first.alert.place:
            entry.alert = msgspec.structs.replace(entry.alert, place=first.alert.place - 1)
        self.add(entry)

    def find(self, id: str) -> Entry | None:
        return next((entry for entry in self._entries if entry.alert.id == id), None)

    def remove(self, entry: Entry) -> None:
        self._entries.remove(entry)

    def first(self) -> Entry:
        """The next to be shown; IndexError when nothing waits."""
        return self._entries[0]

    def least(self) -> Entry:
        """Which one makes room: of the lowest priority the one that arrived first, and those that were on
        their way to the overlays already after the others; a test alert before all that are none."""
        tests = [entry for entry in self._entries if entry.alert.source == TEST_SOURCE]
        candidates = tests or self._entries
        lowest = candidates[-1].alert.priority
        return min(
            (entry for entry in candidates if entry.alert.priority == lowest),
            key=lambda entry: (entry.alert.tries > 0, entry.arrived, entry.alert.place),
        )

    def expired(self, now: float) -> list[Entry]:
        return [entry for entry in self._entries if entry.expires_at <= now]

    def next_expiry(self) -> float:
        """When the next one will have waited too long; infinite when none will."""
        return min((entry.expires_at for entry in self._entries), default=math.inf)

    def move(self, entry: Entry, position: int) -> list[Entry]:
        """Puts an entry at ``position`` (from 1; beyond the end is the end); returns the changed ones.

        Where its priority does not fit there it takes the priority of the neighbour that it passed last.
        """
        others = [one for one in self._entries if one is not entry]
        at = max(0, min(position - 1, len(others)))
        before = others[at - 1].alert if at else None
        after = others[at].alert if at < len(others) else None
        priority = entry.alert.priority
        if after is not None and after.priority > priority:
            priority = after.priority
        elif before is not None and before.priority < priority:
            priority = before.priority
        low = before.place if before is not None and before.priority == priority else None
        high = after.place if after is not None and after.priority == priority else None
        changed = [entry]
        if low is None and high is None:
            place = entry.alert.place
        elif low is None or high is None:
            place = high - 1 if high is not None else (low or 0.0) + 1
        else:
            place = (low + high) / 2
            if not low < place < high:
                # No number is left between the two: all that stand behind make room.
                for one in others[at:]:
                    if one.alert.priority == priority:
                        one.alert = msgspec.structs.replace(one.alert, place=one.alert.place + 1)
                        changed.append(one)
                place = low + 0.5
        entry.alert = msgspec.structs.replace(entry.alert, priority=priority, place=place)
        others.insert(at, entry)
        self._entries = others
        return changed


class Growing:
    """The last open alert of each kind that may grow. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, bool], Entry] = {}

    def add(self, entry: Entry) -> None:
        latest = self._latest.get(_kind(entry.alert))
        if entry.alert.collapse > 0 and (latest is None or latest.grown <= entry.grown):
            self._latest[_kind(entry.alert)] = entry

    def remove(self, entry: Entry) -> None:
        if self._latest.get(_kind(entry.alert)) is entry:
            del self._latest[_kind(entry.alert)]

    def target_of(self, alert: Alert, now: float) -> Entry | None:
        """The open alert that a newcomer makes grow; None when it stands for itself."""
        target = self._latest.get(_kind(alert))
        if target is None or alert.collapse <= 0 or now - target.grown > alert.collapse:
            return None
        return target


def _kind(alert: Alert) -> tuple[str, bool]:
    # What somebody made to try it out is no viewer's, and no viewer's is one of those.
    return alert.type, alert.source == TEST_SOURCE
