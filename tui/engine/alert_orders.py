"""The queue's orders carried out: alerts pushed to the overlays, pushed again, taken off."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from tui.alerts import stage
from tui.alerts.alert import Alert
from tui.alerts.delivery import Delivery, FindChannel, Sent
from tui.alerts.options import DeliveryOptions
from tui.alerts.queue import AlertQueue
from tui.alerts.view import Clear, Order, Playing, Show
from tui.channels.clock import Clock
from tui.engine.changes import ChangeLog, Severity

log = logging.getLogger("tui.engine.alerts")

_MOST_OURS = 1000
_MOST_LEFT = 100


class AlertOrders:
    """On the engine's loop; each order is a task of its own, begun in their order.

    Args:
        find: as of :class:`tui.alerts.delivery.Delivery`.
        told: called when the queue was told what became of a push.
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
        self._queue = queue
        self._find = find
        self._changes = changes
        self._clock = clock
        self._told = told
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self.delivery: Delivery | None = None
        """Where alerts are pushed to now; None: nowhere."""

        # By which delivery each alert was pushed last: it stands there, whatever the settings are now.
        self._pushed: OrderedDict[str, Delivery | None] = OrderedDict()
        # What could not be taken off while the overlays were away.
        self._left: OrderedDict[str, Alert] = OrderedDict()

    def configure(self, options: DeliveryOptions | None) -> None:
        """Push as these options say from now on."""
        before = self.delivery
        if options is None or before is None:
            self.delivery = None if options is None else Delivery(options, self._find)
        elif before.options != options:
            self.delivery = Delivery(options, self._find, before)

    def stop(self) -> None:
        """Carry out nothing more."""
        for task in self._tasks:
            task.cancel()

    def are_of(self, id: str) -> bool:
        """Whether an alert was pushed from here, in this run or in the last."""
        return id in self._pushed

    def was_pushed(self, id: str) -> None:
        """An earlier run pushed it."""
        self._remember(id, self.delivery)

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Begin each order in turn: tasks take their first step, the push itself, in this order."""
        for order in orders:
            if isinstance(order, Show):
                self._spawn(self._show(order.alert), f"alert {order.alert.id}")
            elif isinstance(order, Clear):
                self._spawn(self._clear(order.alert), f"clear {order.alert.id}")
            else:
                self._spawn(self._update(order.alert), f"update {order.alert.id}")

    def take_off_what_was_left(self) -> None:
        """Take off what could not be taken off while the overlays were away; before anything is shown."""
        delivery = self.delivery
        if self._left and delivery is not None and delivery.absent() is None and delivery.can_clear_now():
            left, self._left = self._left, OrderedDict()
            self.carry_out(Clear(alert) for alert in left.values())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _show(self, alert: Alert) -> None:
        delivery, playing = self.delivery, self._on_stage(alert)
        if delivery is None or playing is None or playing.phase != "sending":
            # Skipped, or taken back, while the store was waited for.
            return
        self._remember(alert.id, delivery)
        self._sent(alert, await delivery.show(alert))

    def _sent(self, alert: Alert, sent: Sent) -> None:
        queue = self._queue
        if sent.result == "delivered":
            queue.delivered(alert.id, alert.tries)
        elif sent.result == "uncertain":
            queue.uncertain(alert.id, sent.reason, alert.tries)
        else:
            queue.refused(alert.id, sent.reason, alert.tries, has_left=sent.result == "refused")
        self._told()

    async def _update(self, alert: Alert) -> None:
        """Push it as it is now, and a few times more if need be, while it is on the stage."""
        for delay in (0.0, *stage.RETRY_DELAYS):
            await asyncio.sleep(delay)
            delivery, playing = self.delivery, self._on_stage(alert)
            if delivery is None or playing is None:
                return
            sent = await delivery.show(playing.alert)
            if sent.result == "delivered":
                return
        words = f"{alert.type} of {alert.who} could not be shown as it is now: {sent.reason}"
        self._tell(words, "error")

    def _on_stage(self, alert: Alert) -> Playing | None:
        view = self._queue.view()
        number = (alert.id, alert.tries)
        for each in (view.playing, *view.beside):
            if each is not None and (each.alert.id, each.alert.tries) == number:
                return each
        return None

    async def _clear(self, alert: Alert) -> None:
        if alert.id not in self._pushed:
            # Ended while the store was waited for: its push never left.
            return
        pushed_by = self._pushed[alert.id]
        delivery = self.delivery
        if delivery is None or (pushed_by is not None and pushed_by.place != delivery.place):
            delivery = pushed_by
        if delivery is None:
            return
        sent = await delivery.clear(alert)
        if sent.result == "delivered" or self._is_back(alert):
            return
        name = f"{alert.type} of {alert.who}"
        may_go_later = delivery is self.delivery and delivery.clears != "nothing"
        if may_go_later and sent.result in ("not sent", "uncertain"):
            self._left[alert.id] = alert
            if len(self._left) > _MOST_LEFT:
                self._left.popitem(last=False)
            words = f"{name} is taken off when the overlays are there again: {sent.reason}"
            self._tell(words, "warning")
        else:
            self._tell(f"{name} could not be taken off the overlays: {sent.reason}", "error")

    def _is_back(self, alert: Alert) -> bool:
        """Whether it was brought back, and stands on the overlays by right."""
        view = self._queue.view()
        return any(each is not None and each.alert.id == alert.id for each in (view.playing, *view.beside))

    def _tell(self, words: str, severity: Severity) -> None:
        self._changes.add(self._clock.time(), None, words, severity)
        self._changed()

    def _remember(self, id: str, delivery: Delivery | None) -> None:
        self._pushed[id] = delivery
        self._pushed.move_to_end(id)
        while len(self._pushed) > _MOST_OURS:
            self._pushed.popitem(last=False)
