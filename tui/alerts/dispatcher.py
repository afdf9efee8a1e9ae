"""The queue's orders carried out: alerts pushed to the overlays, pushed again, taken off."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from tui.alerts import stage
from tui.alerts.alert import Alert, name_of
from tui.alerts.delivery import Delivery, Sent
from tui.alerts.options import DeliveryOptions
from tui.alerts.page import OnPage, Place, Removal
from tui.alerts.types import Clear, Order, Show, Update
from tui.model.incidents import LineSeverity

if TYPE_CHECKING:
    from tui.alerts.service import AlertService

log = logging.getLogger("tui.alerts.service")

MOST_LOSSES = 3
"""Times that the connection may go while an alert is taken off; then that is given up."""

_MOST_PLACES = 10
_NEWS: tuple[tuple[bool, str, str, LineSeverity], ...] = (
    (True, "was taken off the overlays", "were taken off the overlays", "info"),
    (
        False,
        "has had its time; the hub did not show it leave",
        "have had their time; the hub did not show them leave",
        "warning",
    ),
)
"""What is said of alerts that were to be taken off: of those that the hub showed leave, and of the others."""


class AlertOrders:
    """On the engine's loop; each order is a task of its own, begun in their order."""

    def __init__(self, service: AlertService) -> None:
        self._service = service
        self._player = service.queue.player
        self._page = self._player.page
        self.removals = Removals(service, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._landings: list[asyncio.Future[None]] = []
        # The last delivery to each place: what stands there is taken off there, whatever was set since.
        self._places: OrderedDict[Place, Delivery] = OrderedDict()
        self.delivery: Delivery | None = None
        """Where alerts are pushed to now; None: nowhere."""

    def configure(self, options: DeliveryOptions | None) -> None:
        """Push as these options say from now on; tells what stays on the overlays without a delivery."""
        had_one = self.delivery is not None
        if options is None:
            self.delivery = None
        elif self.delivery is None or self.delivery.options != options:
            delivery = self.delivery = Delivery(options, self._service.find_channel)
            self._places[delivery.place] = delivery
            self._places.move_to_end(delivery.place)
            if len(self._places) > _MOST_PLACES:
                self._places.popitem(last=False)
        self._page.place = None if self.delivery is None else self.delivery.place
        left = len(self._page.to_take_off())
        if had_one and self.delivery is None and left:
            words = "1 alert stays" if left == 1 else f"{left} alerts stay"
            self._service.note(f"{words} on the overlays until there is a delivery again", "warning")

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Begin each order in turn: tasks take their first step, the push itself, in this order."""
        orders = list(orders)
        clears = [order for order in orders if isinstance(order, Clear)]
        if self.delivery is not None:
            # What waits in a channel that joins again would come on the page once it has joined.
            self.delivery.take_back({order.alert.id for order in clears})
        for order in orders:
            alert = order.alert
            if isinstance(order, Show):
                self.spawn(self._show(alert), f"alert {alert.id}")
            elif isinstance(order, Update):
                self.spawn(self._update(alert), f"update {alert.id}")
            elif order is clears[-1]:
                found = (self._page.find(each.alert.id) for each in clears)
                entries = [entry for entry in found if entry is not None]
                self.removals.begin(entries, panic=any(each.panic for each in clears))

    def take_off_what_was_left(self) -> None:
        """Take off what could not be taken off while the overlays were away, and what came back."""
        delivery = self.delivery
        if delivery is not None and not delivery.absent():
            if delivery.can_clear_now():
                self.removals.begin(self._page.to_take_off(), is_late=True)
            else:
                self.removals.ask()

    def note_news(self) -> None:
        news = self._page.take_news()
        for is_sure, one, several, severity in _NEWS:
            found = [each.entry for each in news if each.is_sure is is_sure]
            if found:
                words = one if len(found) == 1 else several
                self._service.note(f"{_named(found)} {words}", severity)

    def seek(self) -> None:
        """Find those that an earlier run left to be taken off, and of which nothing else is known."""
        for entry in self._page.to_take_off():
            if entry.alert is None:
                self.spawn(self._seek(entry), f"find {entry.id}")

    async def _seek(self, entry: OnPage) -> None:
        found = await self._service.persistence.seek(entry.id)
        if found is not None:
            self._page.know(found)
        elif self._page.find(entry.id) is entry:
            self._page.set_off(entry, "")
            words = "what an earlier run left on the overlays cannot be taken off: the store does not know it"
            self._service.note(words, "error")
        self._service.refresh()

    # Pushes, each a task of its own

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin a task, which takes its first step before those that are begun later."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _show(self, alert: Alert) -> None:
        delivery, player = self.delivery, self._player
        playing = player.find_stage(alert.id)
        sent = Sent("not sent", "it was taken back while the store was waited for")
        is_it = playing is not None and key_of(playing.entry.alert) == key_of(alert)
        if delivery is not None and playing is not None and is_it and playing.phase == "sending":
            sent = await delivery.show(alert, alert.duration)
        if sent.result == "delivered":
            player.delivered(alert.id, alert.tries, sent.item)
        elif sent.result == "uncertain":
            player.uncertain(alert.id, sent.reason, alert.tries)
        else:
            has_left = sent.result == "refused"
            player.refused(alert.id, sent.reason, alert.tries, has_left=has_left, answered=sent.answered)
        self._landed()

    async def _update(self, alert: Alert) -> None:
        """Push it as it is now, and a few times more if need be, while it is on the stage."""
        player = self._player
        sent = Sent("not sent")
        for delay in (0.0, *stage.RETRY_DELAYS):
            await asyncio.sleep(delay)
            delivery = self.delivery
            growth = None if delivery is None else player.begin_update(alert.id, alert.tries)
            if delivery is None or growth is None:
                return
            sent = await delivery.show(growth.alert, growth.seconds)
            player.end_update(growth, arrived=sent.may_have_arrived, item=sent.item)
            self._landed()
            if sent.result == "delivered":
                return
        self._service.note(f"{name_of(alert)} could not be shown as it is now: {sent.reason}", "error")

    async def landed(self, entry: OnPage) -> None:
        """Wait until it is known what became of all pushes of an alert."""
        while entry.is_flying:
            self._landings.append(asyncio.get_running_loop().create_future())
            await self._landings[-1]

    def _landed(self) -> None:
        landings, self._landings = self._landings, []
        for each in landings:
            if not each.done():
                each.set_result(None)
        self._service.refresh()

    def delivery_for(self, entry: OnPage) -> Delivery | None:
        """By which it is to be taken off."""
        delivery = self.delivery
        if delivery is not None and entry.place in (None, delivery.place):
            return delivery
        return None if entry.place is None else self._places.get(entry.place)


class Removals:
    """On the engine's loop. What is to be taken off, and how far that has come, the queue's page knows."""

    def __init__(self, service: AlertService, orders: AlertOrders) -> None:
        self._service = service
        self._player = service.queue.player
        self._page = self._player.page
        self._orders = orders

    def ask(self) -> None:
        """Ask hubs that list items of ours for those that should be away."""
        for removal in self._page.removals():
            self._orders.spawn(self._remove(removal), f"remove {removal.number}")

    async def _remove(self, removal: Removal) -> None:
        delivery = self._orders.delivery_for(removal.entry)
        if delivery is not None:
            await delivery.remove(removal.topic, removal.number)

    def begin(self, entries: Iterable[OnPage], *, panic: bool = False, is_late: bool = False) -> None:
        """Take these off that are due.

        Args:
            panic: with whatever else the clear event takes off.
            is_late: others may have been shown since they were to be taken off.
        """
        groups: dict[Place | str, list[OnPage]] = {}
        for entry in entries:
            delivery = self._orders.delivery_for(entry)
            if entry.off != "due" or entry.alert is None or delivery is None:
                continue
            wipes = delivery.clears == "all"
            if not self._page.is_stacked(entry) or (panic and wipes):
                groups.setdefault(delivery.place if wipes else entry.id, []).append(entry)
        for group in groups.values():
            for entry in group:
                self._page.set_off(entry, "asking")
            name = f"clear {group[-1].id}"
            self._orders.spawn(self._clear(group, is_late=is_late), name)
        self.ask()

    async def _clear(self, group: list[OnPage], *, is_late: bool) -> None:
        delivery = self._orders.delivery_for(group[-1])
        assert delivery is not None
        sent = await self._try(group, delivery, is_late=is_late)
        left = self._asking(group)
        if sent.result == "delivered":
            for entry in left:
                if delivery.place in self._page.stacks and not delivery.clears_by_item:
                    # Its ok says nothing there: the next state tells, or the end of its time.
                    self._page.set_off(entry, "asked")
                else:
                    self._player.taken_off(entry)
        elif sent.result in ("not sent", "uncertain") and self._may_go_later(left, delivery, sent):
            for entry in left:
                self._page.set_off(entry, "due")
                if not (is_late or entry.noted_to_wait):
                    entry.noted_to_wait = True
                    words = f"is taken off when the overlays are there again: {sent.reason}"
                    self._service.note(f"{entry.name} {words}", "warning")
        elif left:
            self._failed(left, delivery, sent)
        self._service.refresh()

    def _failed(self, left: list[OnPage], delivery: Delivery, sent: Sent) -> None:
        for entry in left:
            # Somebody may ask for it once more.
            entry.losses = 0
            self._page.set_off(entry, "")
        if delivery.clears_by_item and sent.answered and left[0].numbers:
            # It ends items by itself, and refuses to remove one that is gone.
            self._service.note(f"{left[0].name}: the hub removed nothing: {sent.reason}", "warning")
            self._player.taken_off(left[0])
            return
        self._service.note(f"{_named(left)} could not be taken off the overlays: {sent.reason}", "error")

    def _may_go_later(self, left: list[OnPage], delivery: Delivery, sent: Sent) -> bool:
        now = self._orders.delivery
        if now is None or now.place != delivery.place or now.clears == "nothing":
            return False
        if sent.result == "uncertain":
            # A hub that knows no such event ends the channel, and would each time that it is joined again.
            for entry in left:
                entry.losses += 1
        return all(entry.losses < MOST_LOSSES for entry in left)

    async def _try(self, group: list[OnPage], delivery: Delivery, *, is_late: bool) -> Sent:
        """A few times if need be, and until nothing of it is there."""
        sent = Sent("delivered")
        for delay in (0.0, *stage.RETRY_DELAYS):
            if delay:
                # The first must leave before what is ordered behind it.
                await asyncio.sleep(delay)
            there = self._there()
            if not self._asking(group) or (delay and there and delivery.clears == "all"):
                # What is there must not be wiped off by a hub that may have done it long ago.
                break
            sent = await self._push(group, delivery)
            wipes = delivery.clears == "all" and delivery.place not in self._page.stacks
            if wipes and sent.may_have_arrived:
                if not delivery.clears_in_order:
                    # What was pushed later may have come before it.
                    there = self._there()
                elif not (is_late or delay):
                    # The queue itself has ordered that they be shown again.
                    there = []
                still = {key_of(each) for each in self._there()}
                self._orders.carry_out(Update(each) for each in there if key_of(each) in still)
            if sent.result != "refused":
                break
        return sent

    async def _push(self, group: list[OnPage], delivery: Delivery) -> Sent:
        """Where that needs the hub's own id, or goes by another topic and could come before the alert, the
        hub's answer to the alert is awaited. Of several ids the last counts: the others it may have ended."""
        if delivery.clears_by_item or not delivery.clears_in_order:
            for entry in group:
                await self._orders.landed(entry)
        entry = group[-1]
        assert entry.alert is not None
        if not delivery.clears_by_item:
            return await delivery.clear(entry.alert)
        first: Sent | None = None
        for number in reversed(entry.numbers.copy()):
            sent = await delivery.clear(entry.alert, number)
            if sent.result in ("not sent", "uncertain"):
                return sent
            if (sent.result == "delivered" or first is not None) and number in entry.numbers:
                entry.numbers.remove(number)
            first = first or sent
        return first or Sent("refused", f"the hub has not told its {delivery.options.reply_id}")

    def _asking(self, group: list[OnPage]) -> list[OnPage]:
        return [each for each in group if self._page.find(each.id) is each and each.off == "asking"]

    def _there(self) -> list[Alert]:
        """What is on the overlays by right, or on its way to them."""
        return [each.entry.alert for each in self._player.stages() if each.phase != "retrying"]


def key_of(alert: Alert) -> tuple[str, int]:
    """One that was taken off and shown once more is another on the stage."""
    return alert.id, alert.tries


def _named(entries: list[OnPage]) -> str:
    return entries[0].name if len(entries) == 1 else f"{len(entries)} alerts"
