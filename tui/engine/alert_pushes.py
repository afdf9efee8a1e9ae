"""Alerts pushed to the overlays, and what is known to have been pushed where."""

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
from tui.alerts.view import Playing
from tui.channels.clock import Clock
from tui.engine.changes import ChangeLog, Severity

log = logging.getLogger("tui.engine.alerts")

_MOST_OURS = 1000
_MOST_PLACES = 10

Key = tuple[str, int]
"""An alert's id and its tries: one that was taken off and shown once more is another thing to take off."""


class Pushes:
    """Shows alerts, each push as a task of its own. On the engine's loop; the arguments are those of
    :class:`tui.engine.alert_orders.AlertOrders`."""

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

        # The last delivery to each place, which knows what the hub made of alerts there.
        self._places: OrderedDict[tuple[str, str], Delivery] = OrderedDict()
        # Each alert's last push, and by which delivery: there it stands, whatever the settings are now.
        self._pushed: OrderedDict[str, tuple[int, Delivery | None]] = OrderedDict()

    def configure(self, options: DeliveryOptions | None) -> None:
        """Push as these options say from now on."""
        if options is None:
            self.delivery = None
        elif self.delivery is None or self.delivery.options != options:
            delivery = Delivery(options, self._find, self._places.get((options.connection, options.topic)))
            self.delivery = self._places[delivery.place] = delivery
            self._places.move_to_end(delivery.place)
            if len(self._places) > _MOST_PLACES:
                self._places.popitem(last=False)

    def stop(self) -> None:
        """Carry out nothing more."""
        for task in self._tasks:
            task.cancel()

    def are_of(self, id: str) -> bool:
        """Whether an alert was pushed from here, in this run or in the last."""
        return id in self._pushed

    def were_pushed(self, alerts: Iterable[Alert]) -> None:
        """An earlier run pushed these. What this run pushed is not forgotten for them."""
        for alert in sorted(alerts, key=lambda alert: alert.id, reverse=True):
            if alert.id not in self._pushed and len(self._pushed) < _MOST_OURS:
                self._pushed[alert.id] = alert.tries, self.delivery
                self._pushed.move_to_end(alert.id, last=False)
            if alert.state != "ended" and self.delivery is not None:
                self.delivery.know(alert)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def show(self, alert: Alert) -> None:
        delivery, playing = self.delivery, self._on_stage(alert)
        if delivery is None or playing is None or playing.phase != "sending":
            # Skipped, or taken back, while the store was waited for.
            return
        self._remember(alert, delivery)
        self._sent(alert, await delivery.show(alert))

    def _sent(self, alert: Alert, sent: Sent) -> None:
        queue = self._queue
        if sent.result == "delivered":
            queue.player.delivered(alert.id, alert.tries, sent.item)
        elif sent.result == "uncertain":
            queue.player.uncertain(alert.id, sent.reason, alert.tries)
        else:
            has_left = sent.result == "refused"
            queue.player.refused(
                alert.id, sent.reason, alert.tries, has_left=has_left, answered=sent.answered
            )
        self._told()

    async def update(self, alert: Alert) -> None:
        """Push it as it is now, and a few times more if need be, while it is on the stage."""
        for delay in (0.0, *stage.RETRY_DELAYS):
            await asyncio.sleep(delay)
            delivery, playing = self.delivery, self._on_stage(alert)
            if delivery is None or playing is None:
                return
            sent = await delivery.show(playing.alert)
            if sent.result == "delivered":
                if sent.item is not None:
                    self._queue.player.made(alert.id, alert.tries, sent.item)
                    self._told()
                return
        self.tell(f"{name_of(alert)} could not be shown as it is now: {sent.reason}", "error")

    def _on_stage(self, alert: Alert) -> Playing | None:
        return next((each for each in self.on_stages() if key_of(each.alert) == key_of(alert)), None)

    def on_stages(self) -> list[Playing]:
        view = self._queue.view()
        return [each for each in (view.playing, *view.beside) if each is not None]

    def there(self) -> set[Key]:
        """What is on the overlays, or on its way to them."""
        return {
            key_of(each.alert)
            for each in self.on_stages()
            if each.phase != "retrying" and self._pushed.get(each.alert.id, (0,))[0] == each.alert.tries
        }

    def delivery_for(self, alert: Alert) -> Delivery | None:
        """By which it is to be taken off; None when its push never left, or nothing is known of it."""
        if alert.id not in self._pushed:
            # Ended while the store was waited for.
            return None
        _, pushed_by = self._pushed[alert.id]
        delivery = self.delivery
        if delivery is None or (pushed_by is not None and pushed_by.place != delivery.place):
            return pushed_by
        return delivery

    def is_back(self, alert: Alert) -> bool:
        """Whether it was brought back, and stands on the overlays by right."""
        return any(each.alert.id == alert.id for each in self.on_stages())

    def tell(self, words: str, severity: Severity) -> None:
        self._changes.add(self._clock.time(), None, words, severity)
        self._changed()

    def _remember(self, alert: Alert, delivery: Delivery | None) -> None:
        self._pushed[alert.id] = alert.tries, delivery
        self._pushed.move_to_end(alert.id)
        while len(self._pushed) > _MOST_OURS:
            self._pushed.popitem(last=False)


def key_of(alert: Alert) -> Key:
    return alert.id, alert.tries


def name_of(alert: Alert) -> str:
    return f"{alert.type} of {alert.who}"
