"""The queue's orders carried out: alerts pushed to the overlays, pushed again, taken off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from tui.alerts.alert import Alert
from tui.alerts.delivery import Delivery, FindChannel
from tui.alerts.options import DeliveryOptions
from tui.alerts.page import OnPage
from tui.alerts.queue import AlertQueue
from tui.alerts.view import Clear, Order, Show, Update
from tui.channels.clock import Clock
from tui.engine.alert_pushes import Pushes
from tui.engine.alert_removals import Removals
from tui.engine.changes import ChangeLog


class AlertOrders:
    """On the engine's loop; each order is a task of its own, begun in their order.

    Args:
        find: as of :class:`tui.alerts.delivery.Delivery`.
        told: called when it is known what became of a push, or of what is taken off.
        changed: called when something is to be published soon.
    """

    def __init__(
        self,
        queue: AlertQueue,
        find: FindChannel,
        changes: ChangeLog,
        clock: Clock,
        *,
        told: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._page = queue.player.page
        self._told = told
        self._pushes = Pushes(queue, find, changes, clock, told=told, changed=changed)
        self._removals = Removals(
            queue,
            self._pushes,
            show_again=lambda alerts: self.carry_out(Update(alert) for alert in alerts),
            told=told,
        )

    @property
    def delivery(self) -> Delivery | None:
        """Where alerts are pushed to now; None: nowhere."""
        return self._pushes.delivery

    def configure(self, options: DeliveryOptions | None) -> None:
        """Push as these options say from now on; tells what stays on the overlays without a delivery."""
        had_one = self.delivery is not None
        self._pushes.configure(options)
        left = len(self._page.to_take_off())
        if had_one and self.delivery is None and left:
            words = "1 alert stays" if left == 1 else f"{left} alerts stay"
            self._pushes.tell(f"{words} on the overlays until there is a delivery again", "warning")

    def stop(self) -> None:
        """Carry out nothing more."""
        self._pushes.stop()

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Begin each order in turn: tasks take their first step, the push itself, in this order."""
        orders = list(orders)
        clears = [order for order in orders if isinstance(order, Clear)]
        for order in orders:
            alert = order.alert
            if isinstance(order, Show):
                self._pushes.spawn(self._pushes.show(alert), f"alert {alert.id}")
            elif isinstance(order, Update):
                self._pushes.spawn(self._pushes.update(alert), f"update {alert.id}")
            elif order is clears[-1]:
                found = (self._page.find(each.alert.id) for each in clears)
                entries = [entry for entry in found if entry is not None]
                self._removals.begin(entries, panic=any(each.panic for each in clears))

    def ask_for_removals(self) -> None:
        """Ask a hub that lists what should be away to remove it."""
        self._removals.ask()

    def take_off_what_was_left(self) -> None:
        """Take off what could not be taken off while the overlays were away, and what came back."""
        delivery = self.delivery
        if delivery is not None and not delivery.absent():
            if delivery.can_clear_now():
                self._removals.begin(self._page.to_take_off(), is_late=True)
            else:
                self._removals.ask()

    def tell_news(self) -> None:
        """Tell what became of those that were to be taken off."""
        news = self._page.take_news()
        for is_sure, one, several in (
            (True, "was taken off the overlays", "were taken off the overlays"),
            (
                False,
                "has had its time; the hub did not show it leave",
                "have had their time; the hub did not show them leave",
            ),
        ):
            found = [each.entry.name for each in news if each.is_sure is is_sure]
            if found:
                words = f"{found[0]} {one}" if len(found) == 1 else f"{len(found)} alerts {several}"
                self._pushes.tell(words, "info" if is_sure else "warning")

    def seek(self, seek: Callable[[str], Awaitable[Alert | None]]) -> None:
        """Find those that an earlier run left to be taken off, and of which nothing else is known."""
        for entry in self._page.to_take_off():
            if entry.alert is None:
                self._pushes.spawn(self._seek(entry, seek), f"find {entry.id}")

    async def _seek(self, entry: OnPage, seek: Callable[[str], Awaitable[Alert | None]]) -> None:
        found = await seek(entry.id)
        if found is not None:
            self._page.know(found)
        elif self._page.find(entry.id) is entry:
            self._page.set_off(entry, "")
            words = "what an earlier run left on the overlays cannot be taken off: the store does not know it"
            self._pushes.tell(words, "error")
        self._told()
