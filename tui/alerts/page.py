"""What may stand on an overlay page: the one table that every decision about the page asks."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from tui.alerts.alert import Alert, name_of
from tui.channels.clock import Clock

MOST_ON_PAGE = 200
"""Beyond it the one whose time is over first is forgotten."""
MOST_OURS = 1000
"""Alerts that are known as pushed from here when a hub lists them."""
MOST_ITEMS = 20
"""Items of a hub for one alert."""
ANSWER_LIMIT = 60.0
"""Seconds after which a push that nobody told the end of counts as uncertain."""
ASK_AGAIN = 2.0
"""Seconds after which a hub that still lists an item is asked once more to remove it."""
LINGER = 2.0
"""Seconds after an alert's end in which a hub that still lists it is merely late."""

Place = tuple[str, str]
"""A connection and a topic."""
Number = str | int
"""A hub's own id of what it made of an alert."""
Off = Literal["", "due", "asking", "asked"]
"""There by right; to be taken off; somebody asks the hub for it; it was asked, and has to show it."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the next run must know of an alert that may be on a page."""

    id: str
    until: float
    """The epoch second at which its time there is over."""
    seconds: float
    """How long its last push may last; a clock that is set back makes it no longer."""
    place: Place | None = None
    beside: bool = False
    off: bool = False
    """It is to be taken off."""
    items: tuple[Number, ...] = ()


class News(NamedTuple):
    """What became of an alert that was to be taken off."""

    entry: OnPage
    is_sure: bool
    """The hub showed it; else its time is over."""


class Removal(NamedTuple):
    """An item that a hub is to be asked to remove."""

    entry: OnPage
    number: Number
    topic: str


@dataclass(slots=True)
class _Listed:
    """An item that a hub's states list."""

    topics: list[str] = field(default_factory=list)
    asked_at: float = -math.inf


@dataclass(slots=True)
class _Ours:
    """An alert that was pushed from here."""

    name: str
    was_listed: bool = False


@dataclass(slots=True, eq=False)
class OnPage:
    """One alert that may be on a page. Moments are monotonic seconds."""

    id: str
    name: str
    alert: Alert | None = None
    """As it was pushed last; None for one of an earlier run that the store has not told of."""
    place: Place | None = None
    """Where it was pushed to; None where that is not known."""
    seconds: float = 0.0
    """How long its last push may last."""
    beside: bool = False
    off: Off = ""
    numbers: deque[Number] = field(default_factory=lambda: deque(maxlen=MOST_ITEMS))
    """The hub's ids that its answers bore."""
    listed: dict[Number, _Listed] = field(default_factory=dict)
    """Those that the hub's states list, the oldest first."""
    is_restored: bool = False
    """An earlier run pushed it, and this one did not."""
    losses: int = 0
    """How often the connection went while it was taken off."""
    noted_to_wait: bool = False
    kept: Kept | None = None
    """What the next run must know, until something changes."""
    _settled: float = -math.inf
    # Each with its latest end and its seconds.
    _flying: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    # Pushes that the hub may have taken, and that no state of its has listed yet.
    _unlisted: int = 0

    @property
    def until(self) -> float:
        """When its time there is over, at the latest."""
        return max([self._settled, *(limit for limit, _ in self._flying.values())])

    @property
    def is_flying(self) -> bool:
        return bool(self._flying)

    def push(self, push: Hashable, seconds: float, now: float) -> None:
        self.seconds = seconds
        self._flying[push] = (now + ANSWER_LIMIT + seconds, seconds)
        self._unlisted += 1

    def land(self, push: Hashable, now: float, *, arrived: bool) -> None:
        """A push is over; a page has got it, or may have."""
        flight = self._flying.pop(push, None)
        if flight is None:
            return
        if arrived:
            self._settled = max(self._settled, now + flight[1])
        else:
            self._unlisted = max(0, self._unlisted - 1)

    def stand(self, until: float, seconds: float) -> None:
        """A page has it, or may have, until then."""
        self._settled, self.seconds = max(self._settled, until), seconds

    def see(self, topic: str, numbers: Iterable[Number], *, on_stack: bool) -> bool:
        """A state of the hub lists these of it, the oldest first; True when that shows that it has gone."""
        present = list(numbers)
        was_listed = bool(self.listed)
        for number in present:
            if number not in self.listed and len(self.listed) < MOST_ITEMS:
                self.listed[number] = _Listed()
                self._unlisted = max(0, self._unlisted - 1)
            listed = self.listed.get(number)
            if listed is not None and topic not in listed.topics:
                listed.topics.insert(0 if on_stack else len(listed.topics), topic)
        for number in [each for each, listed in self.listed.items() if topic in listed.topics]:
            if number not in present:
                del self.listed[number]
        return was_listed and not (self.listed or self._flying or self._unlisted)


class Page:
    """At most :data:`MOST_ON_PAGE` alerts. Knows nothing of why one is there: its owners decide."""

    def __init__(self, clock: Clock) -> None:
        self.place: Place | None = None
        """Where alerts are pushed to now."""
        self.stacks: set[Place] = set()
        """The places whose hub keeps a stack of its own: an older item is there again behind a newer."""
        self._clock = clock
        self._entries: dict[str, OnPage] = {}
        self._ours: OrderedDict[str, _Ours] = OrderedDict()
        self._gone: deque[Number] = deque(maxlen=MOST_ON_PAGE)
        self._news: list[News] = []

    # What is asked of it

    @property
    def keeps_stack(self) -> bool:
        return self.place in self.stacks

    def find(self, id: str) -> OnPage | None:
        return self._entries.get(id)

    def stands(self, id: str) -> bool:
        entry = self._entries.get(id)
        return entry is not None and entry.until > self._clock.monotonic()

    def lasting(self) -> list[OnPage]:
        now = self._clock.monotonic()
        return [entry for entry in self._entries.values() if entry.until > now]

    def to_take_off(self) -> list[OnPage]:
        """All that is to be taken off, and has not been seen to go."""
        return [entry for entry in self._entries.values() if entry.off]

    def free_at(self, id: str) -> float:
        """When an alert may be pushed: no other stands there then, nor itself if it is to be taken off."""
        others = (
            entry.until
            for entry in self._entries.values()
            if (entry.off or entry.id != id) and (self.keeps_stack or not entry.beside)
        )
        return max(others, default=-math.inf)

    def is_stacked(self, entry: OnPage) -> bool:
        """Whether the hub lists it, and names it by that alone: no answer of its bore an id."""
        if not entry.listed or entry.numbers:
            return False
        return not entry.is_flying or entry.place in self.stacks

    def is_ours(self, id: str) -> bool:
        return id in self._ours

    def was_listed(self, id: str) -> bool:
        return id in self._ours and self._ours[id].was_listed

    # Pushes

    def push(self, alert: Alert, push: Hashable, seconds: float, *, beside: bool) -> None:
        """A push of ``seconds`` begins; ``push`` names it."""
        self.expire()
        entry = self._entry(alert.id)
        self.know(alert)
        entry.off, entry.beside, entry.place, entry.is_restored = "", beside, self.place, False
        entry.push(push, seconds, self._clock.monotonic())
        entry.kept = None
        if len(self._entries) > MOST_ON_PAGE:
            self._forget(min(self._entries.values(), key=lambda each: each.until))

    def land(self, id: str, push: Hashable, *, arrived: bool) -> None:
        """A push has ended, or was given up: a page may have got it until now, or cannot have."""
        entry = self._entries.get(id)
        if entry is not None:
            entry.land(push, self._clock.monotonic(), arrived=arrived)
            self._learn(entry)
            entry.kept = None
            if entry.until == -math.inf:
                self._forget(entry)

    def acknowledge(self, id: str) -> None:
        """A page shows it, whatever became of its push: it may have it from now on."""
        entry = self._entries.get(id)
        if entry is not None:
            entry.stand(self._clock.monotonic() + entry.seconds, entry.seconds)
            entry.kept = None

    def note_item(self, id: str, number: Number) -> None:
        """The hub's answer to a push bore its id of what it made of it."""
        entry = self._entries.get(id)
        if entry is not None and number not in entry.numbers:
            entry.numbers.append(number)
            if entry.place is not None:
                self.stacks.discard(entry.place)
            entry.kept = None

    # Taking off

    def take_off(self, id: str) -> bool:
        """It should be away; False when it is."""
        entry = self._entries.get(id)
        if entry is None or not self.stands(id):
            return False
        entry.off = entry.off or "due"
        entry.kept = None
        return True

    def keep(self, id: str) -> None:
        """It was brought back: unless the hub was asked already, it may stay."""
        entry = self._entries.get(id)
        if entry is not None and entry.off == "due":
            self.set_off(entry, "")

    def set_off(self, entry: OnPage, off: Off) -> None:
        entry.off = off
        entry.kept = None

    def gone(self, entry: OnPage) -> None:
        if self._entries.get(entry.id) is not entry:
            return
        if entry.off:
            self._news.append(News(entry, True))
        self._forget(entry)

    def take_news(self) -> list[News]:
        """What became of those that were to be taken off, since the last call."""
        news, self._news = self._news, []
        return news

    def expire(self) -> None:
        """Forget those whose time there is over."""
        now = self._clock.monotonic()
        for entry in list(self._entries.values()):
            if entry.until + (0.0 if entry.off else LINGER) <= now:
                if entry.off:
                    self._news.append(News(entry, False))
                self._forget(entry)

    # What the hub lists

    def see(self, topic: str, items: Sequence[tuple[Number, str]], *, on_stack: bool) -> None:
        """A state of the hub: its items, the newest first, each with its id and that of an alert.

        Args:
            on_stack: it is the stack that decides what a page shows, not another view of it.
        """
        self.expire()
        present: dict[str, list[Number]] = {}
        for number, id in reversed(items):
            if number not in self._gone and self.is_ours(id):
                present.setdefault(id, []).append(number)
        for id in present:
            self._ours[id].was_listed = True
            if on_stack and id not in self._entries and len(self._entries) < MOST_ON_PAGE:
                # It should be away: its time was over, or it had gone already.
                entry = self._entry(id)
                entry.off = "due"
                entry.place = self.place
                entry.stand(self._clock.monotonic() + ANSWER_LIMIT, ANSWER_LIMIT)
        for entry in list(self._entries.values()):
            before = list(entry.listed)
            has_gone = entry.see(topic, present.get(entry.id, ()), on_stack=on_stack)
            self._gone.extend(number for number in before if number not in entry.listed)
            self._learn(entry)
            if has_gone:
                self.gone(entry)

    def removals(self) -> list[Removal]:
        """The items that the hub is to be asked to remove now: of what should be away all, of what has grown
        the older ones. Each is named again after :data:`ASK_AGAIN` at the earliest."""
        now = self._clock.monotonic()
        found = []
        for entry in self._entries.values():
            if not self.is_stacked(entry) or (not entry.off and entry.is_flying):
                continue
            numbers = list(entry.listed)
            for number in numbers if entry.off else numbers[:-1]:
                listed = entry.listed[number]
                if listed.asked_at + ASK_AGAIN <= now:
                    listed.asked_at = now
                    found.append(Removal(entry, number, listed.topics[0]))
        return found

    # From run to run

    def kept(self) -> tuple[Kept, ...]:
        """What the next run must know; the same values until something changes."""
        self.expire()
        for entry in self._entries.values():
            entry.kept = entry.kept or Kept(
                id=entry.id,
                until=self._clock.time() + entry.until - self._clock.monotonic(),
                seconds=entry.seconds,
                place=entry.place,
                beside=entry.beside,
                off=bool(entry.off),
                items=tuple(entry.numbers),
            )
        return tuple(entry.kept for entry in self._entries.values() if entry.kept is not None)

    def clock_was_set(self) -> None:
        """The moments of the ends have other names now."""
        for entry in self._entries.values():
            entry.kept = None

    def restore(self, kept: Iterable[Kept], stacks: Iterable[Place]) -> None:
        """Take up what an earlier run may have left there. What this one pushed is not changed by it."""
        self.stacks.update(stacks)
        for each in kept:
            left = min(each.until - self._clock.time(), each.seconds)
            if left <= 0 or each.id in self._entries:
                continue
            entry = self._entry(each.id)
            entry.stand(self._clock.monotonic() + left, each.seconds)
            entry.place, entry.beside, entry.is_restored = each.place, each.beside, True
            entry.off = "due" if each.off else ""
            entry.numbers.extend(each.items)

    def know(self, alert: Alert) -> None:
        """An alert that was pushed from here, in this run or in the last."""
        entry = self._entries.get(alert.id)
        if entry is not None:
            entry.alert, entry.name = alert, name_of(alert)
        self._ours.setdefault(alert.id, _Ours("")).name = name_of(alert)
        self._ours.move_to_end(alert.id)
        if len(self._ours) > MOST_OURS:
            self._ours.popitem(last=False)

    def know_of_before(self, alert: Alert) -> None:
        """An alert that an earlier run pushed; what this one pushed is not forgotten for it."""
        entry = self._entries.get(alert.id)
        if entry is not None and entry.alert is None:
            entry.alert, entry.name = alert, name_of(alert)
        if alert.id not in self._ours and len(self._ours) < MOST_OURS:
            self._ours[alert.id] = _Ours(name_of(alert))
            self._ours.move_to_end(alert.id, last=False)

    def _learn(self, entry: OnPage) -> None:
        if entry.place is not None and self.is_stacked(entry):
            self.stacks.add(entry.place)

    def _entry(self, id: str) -> OnPage:
        entry = self._entries.get(id)
        if entry is None:
            entry = self._entries[id] = OnPage(id, self._ours.setdefault(id, _Ours("an alert")).name)
        return entry

    def _forget(self, entry: OnPage) -> None:
        # What a hub lists for ever must not be in the way for ever.
        self._gone.extend(entry.listed)
        del self._entries[entry.id]
