"""What the queue has done on the overlays: pushes ordered, told of, and taken off again."""

from __future__ import annotations

from typing import NamedTuple

from tui.alerts.alert import Alert
from tui.alerts.page import Page
from tui.alerts.types import Clear, Order, QueueOptions, Show, Update
from tui.channels.clock import Clock

NOT_THERE_YET = "not connected yet"
ASKED = "; asked to take it off"
LATER = "; it is taken off when the overlays are there again"
STAYS = "; it cannot be taken off the overlay, where it stays until its time ends"


class Growth(NamedTuple):
    """A push of one that is on the stage already."""

    alert: Alert
    seconds: float
    """What is left of its time, which the push bears."""
    number: int


class Overlays:
    """Orders, in their turn, and the page that they change."""

    def __init__(self, clock: Clock, options: QueueOptions) -> None:
        self.page = Page(clock)
        self.options = options
        self.available = False
        """There is something to deliver to; ``message`` says why not."""
        self.message = NOT_THERE_YET
        self._orders: list[Order] = []
        self._updates = 0

    @property
    def are_there(self) -> bool:
        """Nothing is in the way of showing an alert; without a delivery nothing ever is."""
        return self.available or not self.options.has_target

    @property
    def can_take_off(self) -> bool:
        return self.options.has_target and (self.options.clears != "nothing" or self.page.keeps_stack)

    @property
    def are_wiped(self) -> bool:
        """Something is taken off, and whatever else is there with it."""
        wipes = self.options.clears == "all" and not self.page.keeps_stack
        return wipes and any(isinstance(order, Clear) for order in self._orders)

    def free_at(self, id: str) -> float:
        """As of :meth:`Page.free_at`; without a delivery nothing is in the way."""
        return self.page.free_at(id) if self.options.has_target else float("-inf")

    def take_orders(self) -> list[Order]:
        orders, self._orders = self._orders, []
        return orders

    def show(self, alert: Alert, *, beside: bool) -> None:
        self.page.push(alert, alert.tries, alert.duration, beside=beside)
        self._orders.append(Show(alert))

    def update(self, alert: Alert) -> None:
        self._orders.append(Update(alert))

    def amend(self, alert: Alert) -> bool:
        """It has grown; whether its push was still to be carried out, and now is of the grown one."""
        for at, order in enumerate(self._orders):
            if isinstance(order, Show) and order.alert.id == alert.id:
                self._orders[at] = Show(alert)
                return True
        return False

    def withdraw(self, alert: Alert) -> bool:
        """Whether its push was still to be carried out, and now is not."""
        was_pushed = any(isinstance(order, Show) and order.alert.id == alert.id for order in self._orders)
        self._orders = [
            order for order in self._orders if isinstance(order, Clear) or order.alert.id != alert.id
        ]
        if was_pushed:
            self.page.land(alert.id, alert.tries, arrived=False)
        return was_pushed

    def take_off(self, id: str, *, panic: bool = False) -> str:
        """Take it off if it may be there; what is to be added to the words about it."""
        entry = self.page.find(id)
        if entry is None or not self.page.stands(id):
            return ""
        if not self.can_take_off:
            return STAYS
        self.page.take_off(id)
        if entry.alert is not None:
            self._orders.append(Clear(entry.alert, panic))
        return ASKED if self.are_there else LATER

    def begin_update(self, alert: Alert, seconds: float, *, beside: bool) -> Growth:
        self._updates += 1
        growth = Growth(alert, seconds, self._updates)
        self.page.push(alert, growth, seconds, beside=beside)
        return growth
