"""The queue's orders carried out: alerts pushed to the overlays, pushed again, taken off."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping

from msgspec.structs import replace

from tui.alerts import stage
from tui.alerts.alert import Alert
from tui.alerts.delivery import Delivery, FindChannel, Sent
from tui.alerts.options import DeliveryOptions
from tui.alerts.queue import AlertQueue
from tui.alerts.view import Clear, Order, Show, Update
from tui.channels.clock import Clock
from tui.engine.alert_pushes import Key, Pushes, key_of, name_of
from tui.engine.changes import ChangeLog

MOST_LOSSES = 3
"""Times that the connection may go while an alert is taken off; then that is given up."""

_MOST_LEFT = 100


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
        self.pushes = Pushes(queue, find, changes, clock, told=told, changed=changed)
        self._queue = queue
        self._told = told
        # What is to be taken off, until it is or never can be.
        self._to_clear: OrderedDict[Key, Alert] = OrderedDict()
        # Of these, what an order or a task sees to: the rest is left until the overlays are there again.
        self._in_hand: set[Key] = set()
        self._losses: Counter[Key] = Counter()
        self._sought: dict[Key, None] = {}

    def configure(self, options: DeliveryOptions | None) -> None:
        """As of :class:`Pushes`; tells what stays on the overlays without a delivery."""
        had_one = self.pushes.delivery is not None
        self.pushes.configure(options)
        if had_one and self.pushes.delivery is None and self._to_clear:
            words = f"{_alerts(len(self._to_clear))} on the overlays until there is a delivery again"
            self.pushes.tell(words, "warning")

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Begin each order in turn: tasks take their first step, the push itself, in this order."""
        orders = list(orders)
        clears = self._one_for_all(order.alert for order in orders if isinstance(order, Clear))
        for order in orders:
            alert = order.alert
            if isinstance(order, Show):
                self.pushes.spawn(self.pushes.show(alert), f"alert {alert.id}")
            elif isinstance(order, Update):
                self.pushes.spawn(self.pushes.update(alert), f"update {alert.id}")
            elif (along := clears.pop(key_of(alert), None)) is not None:
                self.pushes.spawn(self._clear(alert, along, is_late=False), f"clear {alert.id}")

    def _one_for_all(self, alerts: Iterable[Alert]) -> dict[Key, list[Key]]:
        """Of which alerts a clear is pushed, and what goes along with each: where one wipes off all, with the
        last all others."""
        found: dict[object, list[Key]] = {}
        for alert in alerts:
            key, delivery = key_of(alert), self.pushes.delivery_for(alert)
            wipes_all = delivery is not None and delivery.clears == "all"
            found.setdefault(delivery.place if delivery and wipes_all else key, []).append(key)
        return {keys[-1]: keys[:-1] for keys in found.values()}

    @property
    def left(self) -> tuple[Key, ...]:
        """What is to be taken off, for the next run to do if this one does not."""
        return tuple(dict.fromkeys((*self._sought, *self._to_clear)))

    def note(self, orders: Iterable[Order]) -> None:
        """Know of these before they are carried out, so that :attr:`left` names what they will take off."""
        for order in orders:
            if isinstance(order, Clear):
                self._in_hand.add(key_of(order.alert))
                self._is_to_clear(order.alert)

    def take_up(
        self, left: Iterable[Key], known: Mapping[str, Alert], seek: Callable[[str], Awaitable[Alert | None]]
    ) -> None:
        """Take off what an earlier run left.

        Args:
            known: alerts by their ids; the others are sought.
        """
        for key in left:
            if key[0] in known:
                self._was_left(key, known[key[0]])
            else:
                self._sought[key] = None
                self.pushes.spawn(self._seek(key, seek), f"find {key[0]}")

    async def _seek(self, key: Key, seek: Callable[[str], Awaitable[Alert | None]]) -> None:
        found = await seek(key[0])
        del self._sought[key]
        if found is None:
            words = "what an earlier run left on the overlays cannot be taken off: the store does not know it"
            self.pushes.tell(words, "error")
        else:
            self._was_left(key, found)
        self._told()

    def _was_left(self, key: Key, alert: Alert) -> None:
        # It may have been pushed again since.
        alert = replace(alert, tries=key[1])
        self.pushes.were_pushed([alert])
        if self.pushes.delivery is not None:
            self.pushes.delivery.know(alert)
        self._is_to_clear(alert)

    def take_off_what_was_left(self) -> None:
        """Take off what could not be taken off while the overlays were away."""
        delivery = self.pushes.delivery
        if not self._to_clear or delivery is None or delivery.absent() or not delivery.can_clear_now():
            return
        left = {key: alert for key, alert in self._to_clear.items() if key not in self._in_hand}
        self._in_hand.update(left)
        for key, along in self._one_for_all(left.values()).items():
            self.pushes.spawn(self._clear(left[key], along, is_late=True), f"clear {key[0]}")

    def _is_to_clear(self, alert: Alert) -> None:
        self._to_clear[key_of(alert)] = alert
        left = [key for key in self._to_clear if key not in self._in_hand]
        if len(left) > _MOST_LEFT:
            oldest = self._to_clear[left[0]]
            self._forget(left[0])
            words = f"could not be taken off the overlays: more than {_MOST_LEFT} alerts wait to be"
            self.pushes.tell(f"{name_of(oldest)} {words}", "error")

    async def _clear(self, alert: Alert, along: list[Key], *, is_late: bool) -> None:
        """Take it off, now or when the overlays are there again.

        Args:
            along: what goes with it.
            is_late: others may have been shown since it was to be taken off.
        """
        key = key_of(alert)
        # Since it was left, others may have taken its place in what is known.
        delivery = self.pushes.delivery_for(alert) or (self.pushes.delivery if is_late else None)
        try:
            sent = None if delivery is None else await self._take_off(alert, delivery, is_late=is_late)
        finally:
            self._in_hand.difference_update((key, *along))
        if sent is None or sent.result == "delivered":
            self._forget(key)
            if sent is not None and delivery is not None:
                self._cleared(alert, delivery, is_late=is_late)
        elif sent.result in ("not sent", "uncertain") and self._may_go_later(alert, delivery, sent):
            if not is_late:
                words = f"is taken off when the overlays are there again: {sent.reason}"
                self.pushes.tell(f"{name_of(alert)} {words}", "warning")
        else:
            self._failed(alert, delivery, sent)
        self._told()

    def _cleared(self, alert: Alert, delivery: Delivery, *, is_late: bool) -> None:
        others = self._with(alert, delivery)
        for other in others:
            self._forget(key_of(other))
        if is_late or others:
            words = f"{1 + len(others)} alerts were" if others else f"{name_of(alert)} was"
            self.pushes.tell(f"{words} taken off the overlays", "info")

    def _failed(self, alert: Alert, delivery: Delivery | None, sent: Sent) -> None:
        if delivery is not None and delivery.clears_by_item and sent.answered and delivery.forget(alert):
            # It ends items by itself, and refuses to remove one that is gone.
            self._forget(key_of(alert))
            self.pushes.tell(f"{name_of(alert)}: the hub removed nothing: {sent.reason}", "warning")
            return
        alerts = [alert, *self._with(alert, delivery)]
        for each in alerts:
            self._forget(key_of(each))
            # Somebody may ask for it once more.
            self._queue.player.may_stand(each)
        name = name_of(alert) if len(alerts) == 1 else f"{len(alerts)} alerts"
        self.pushes.tell(f"{name} could not be taken off the overlays: {sent.reason}", "error")

    def _with(self, alert: Alert, delivery: Delivery | None) -> list[Alert]:
        """What is left, and what becomes of an alert becomes of that too."""
        if delivery is None or delivery.clears != "all":
            return []
        others = (other for key, other in self._to_clear.items() if key not in self._in_hand)
        return [
            other
            for other in others
            if key_of(other) != key_of(alert)
            and (by := self.pushes.delivery_for(other)) is not None
            and by.place == delivery.place
        ]

    def _forget(self, key: Key) -> None:
        self._losses.pop(key, None)
        self._to_clear.pop(key, None)

    def _may_go_later(self, alert: Alert, delivery: Delivery | None, sent: Sent) -> bool:
        now = self.pushes.delivery
        if now is None or delivery is None or now.place != delivery.place or now.clears == "nothing":
            return False
        if sent.result == "uncertain":
            # A hub that knows no such event ends the channel, and would each time that it is joined again.
            for each in (alert, *self._with(alert, delivery)):
                self._losses[key_of(each)] += 1
        return self._losses[key_of(alert)] < MOST_LOSSES

    async def _take_off(self, alert: Alert, delivery: Delivery, *, is_late: bool) -> Sent | None:
        """A few times if need be; None once it stands there by right, having been brought back."""
        sent = None
        for delay in (0.0, *stage.RETRY_DELAYS):
            if delay:
                # The first must leave before what is ordered behind it.
                await asyncio.sleep(delay)
            is_late = is_late or delay > 0
            if is_late and self.pushes.is_back(alert) and not delivery.clears_by_item:
                return None
            there = self.pushes.there()
            if delay and there and delivery.clears == "all":
                # What has taken its place must not be wiped off by a hub that may have done it long ago.
                break
            sent = await delivery.clear(alert)
            self._show_again(self._wiped(alert, delivery, sent, there if is_late else set()))
            if sent.result != "refused":
                return sent
        return None if self.pushes.is_back(alert) else sent

    def _wiped(self, alert: Alert, delivery: Delivery, sent: Sent, there: set[Key]) -> set[Key]:
        """What may have gone with an alert that was taken off.

        Args:
            there: what stood on the overlays when that was pushed, and for which it was not meant.
        """
        if sent.result == "not sent" or (sent.result == "refused" and sent.answered):
            return set()
        if not delivery.clears_in_order:
            # What was pushed later may have come before it.
            there = self.pushes.there()
        if delivery.clears == "one":
            there = {key for key in there if key[0] == alert.id and not delivery.clears_by_item}
        return there

    def _show_again(self, wiped: set[Key]) -> None:
        self.carry_out(Update(each.alert) for each in self.pushes.on_stages() if key_of(each.alert) in wiped)


def _alerts(number: int) -> str:
    return "1 alert stays" if number == 1 else f"{number} alerts stay"
