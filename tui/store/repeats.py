"""What says the same again and again is told once a minute, with a count: a log is for those who read it."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

WINDOW = 60.0
"""Seconds from the first record of a place within which others of it are bounded."""
SAME_WORDS = 5
"""Records of one place and with the same words that are told within that time."""
MOST_A_PLACE = 200_000
"""Characters of one place's records that are told within that time, however much they differ."""
MOST_PLACES = 1_000
"""Places that are remembered; with one more, the one that began first is forgotten, and told."""

_ADDRESS = re.compile("0x[0-9a-f]+")

_Place = tuple[str, str, int, int]


class LeftOut(NamedTuple):
    """Records that were not told, and what the last of them said; ``created`` in epoch seconds."""

    times: int
    created: float
    level: str
    logger: str
    message: str


@dataclass(slots=True)
class _Since:
    """What came from a place since its time began."""

    began: float
    noted: dict[int, int] = field(default_factory=dict)
    characters: int = 0
    left_out: LeftOut | None = None


class Repeats:
    """Says which records are to be told. For one thread at a time, as a handler's lock sees to."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # By when their time began, the first in front.
        self._places: OrderedDict[_Place, _Since] = OrderedDict()

    def is_noted(self, record: logging.LogRecord, message: str) -> bool:
        """Whether this one is; else it is counted, and comes back in :meth:`over`, or in :meth:`all`.

        To be called when all of :meth:`over` are told.
        """
        place = (record.name, record.pathname, record.lineno, record.levelno)
        since = self._places.get(place)
        if since is None:
            since = self._places[place] = _Since(self._now())
        # Where an object lies in memory is no news.
        words = hash(_ADDRESS.sub("", message))
        often = since.noted.get(words, 0)
        if often >= SAME_WORDS or since.characters >= MOST_A_PLACE:
            # Not the record: what it holds may be large, and say something else by then, or nothing.
            times = 1 if since.left_out is None else since.left_out.times + 1
            level = record.levelname.lower()
            since.left_out = LeftOut(times, record.created, level, record.name, message)
            return False
        since.noted[words] = often + 1
        since.characters += len(message)
        return True

    def over(self) -> Iterator[LeftOut]:
        """What was left out of places whose time is over, or that there are too many of."""
        while self._places:
            first = next(iter(self._places.values()))
            if self._now() - first.began < WINDOW and len(self._places) < MOST_PLACES:
                return
            yield from self._forget_first()

    def all(self) -> Iterator[LeftOut]:
        """What was left out and not told yet: at the end."""
        while self._places:
            yield from self._forget_first()

    def _forget_first(self) -> Iterator[LeftOut]:
        _, since = self._places.popitem(last=False)
        if since.left_out is not None:
            yield since.left_out
