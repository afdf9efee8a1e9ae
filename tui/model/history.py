"""How a minute of something's life was spent: what the strip of an hour and the shares are made of."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from tui.model.snapshot import Availability

Spent = Literal["well", "asked", "otherwise", "unknown", "opening"]
"""How a time was spent: well; off because somebody wanted it; neither; nobody could tell; or on a first
attempt, which says nothing of how well it goes and counts for nothing."""


class Minute(msgspec.Struct, array_like=True):
    """One minute of the wall clock, in seconds."""

    number: int
    """Epoch seconds divided by 60."""
    observed: float = 0.0
    well: float = 0.0
    asked: float = 0.0
    unknown: float = 0.0
    """Not part of :attr:`observed`."""

    def add(self, how: Spent, seconds: float) -> None:
        if how == "unknown":
            self.unknown += seconds
        elif how != "opening":
            self.observed += seconds
            if how == "well":
                self.well += seconds
            elif how == "asked":
                self.asked += seconds

    def merge(self, other: Minute) -> None:
        self.observed += other.observed
        self.well += other.well
        self.asked += other.asked
        self.unknown += other.unknown

    @property
    def availability(self) -> Availability:
        """Of a sum of minutes."""
        wanted = self.observed - self.asked
        if wanted <= 0:
            return Availability()
        return Availability(share=1.0 if self.well >= wanted - 1e-6 else self.well / wanted, observed=wanted)

    @property
    def digit(self) -> str:
        """As of :attr:`tui.model.snapshot.ConnectionSnapshot.hour`."""
        wanted = self.observed - self.asked
        if wanted <= 0:
            return "o" if self.asked else "?"
        # In a minute of which something is known, what is not known was not known to be well.
        wanted += self.unknown
        # Sums of floats: a millionth of a second is no break, a millisecond is one.
        return str(8 if self.well >= wanted - 1e-6 else min(7, math.floor(8 * self.well / wanted)))
