"""What the queue keeps to, what it orders of whoever delivers, and what of it outlives a run."""

from __future__ import annotations

from typing import Literal

import msgspec

from tui.alerts.alert import Alert
from tui.alerts.page import Kept, Place


class Lasting(msgspec.Struct, frozen=True):
    """How long an order lasts."""

    until: float
    """The epoch second at which it ends."""
    seconds: float
    """Its whole length; a clock that is set back makes it no longer."""

    def moved(self, step: float) -> Lasting:
        """The same after the clock was set by ``step`` seconds."""
        return Lasting(self.until + step, self.seconds)

    def left(self, epoch: float) -> float:
        """Seconds until it ends; none or less when it has ended."""
        return min(self.until - epoch, self.seconds)


class PersistedOrders(msgspec.Struct, frozen=True):
    """What somebody ordered that lasts, for the next run: what was stopped must not begin by itself."""

    paused: bool = False
    held: Lasting | None = None
    """A pause that ends by itself."""
    mutes: dict[str, Lasting] = {}
    """By type."""
    page: tuple[Kept, ...] = ()
    """What may stand on the overlays."""
    stacks: tuple[Place, ...] = ()
    """The places whose hub keeps a stack of its own."""
    pages: tuple[str, ...] = ()
    """Those of the settings that the hub ever named."""


class Show(msgspec.Struct, frozen=True, tag=True):
    """Push it to the overlay, then tell the queue ``delivered``, ``refused`` or ``uncertain``."""

    alert: Alert


class Update(msgspec.Struct, frozen=True, tag=True):
    """The one on the air has grown, or was wiped off with another: push it again. Nobody waits for the
    answer."""

    alert: Alert


class Clear(msgspec.Struct, frozen=True, tag=True):
    """Take it off the overlay, if it is still there. Nobody waits for the answer.

    Attributes:
        panic: with whatever else is there.
    """

    alert: Alert
    panic: bool = False


Order = Show | Update | Clear

Clears = Literal["one", "all", "nothing"]
"""What a :class:`Clear` takes off the overlays: the alert that it names, whatever is there, or nothing."""


class QueueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the queue keeps to.

    Attributes:
        has_target: False where nothing is delivered: alerts have their time and end unconfirmed.
        clears: what the hub takes off the overlays when asked.
        on_uncertain: a push of unknown end is repeated (``again``) or left (``leave``).
        most_waiting: beyond it the oldest of the lowest priority is dropped.
        gap: seconds between two alerts.
    """

    has_target: bool = True
    clears: Clears = "all"
    on_uncertain: Literal["again", "leave"] = "again"
    most_waiting: int = 50
    gap: float = 0.25
