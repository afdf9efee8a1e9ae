"""Alerts pushed to the overlays: each push a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from tui.alerts import stage
from tui.alerts.alert import Alert, name_of
from tui.alerts.delivery import Delivery, FindChannel, Sent
from tui.alerts.options import DeliveryOptions
from tui.alerts.page import OnPage, Place
from tui.alerts.queue import AlertQueue
from tui.alerts.view import Playing
from tui.channels.clock import Clock
from tui.engine.changes import ChangeLog, Severity

log = logging.getLogger("tui.engine.alerts")

_MOST_PLACES = 10


class Pushes:
    """On the engine's loop; the arguments are those of :class:`tui.engine.alert_orders.AlertOrders`."""

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
        self._page = queue.player.page
        self._find = find
        self._changes = changes
        self._clock = clock
        self._told = told
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self._landings: list[asyncio.Future[None]] = []
        # The last delivery to each place: what stands there is taken off there, whatever was set since.
        self._places: OrderedDict[Place, Delivery] = OrderedDict()
        self.delivery: Delivery | None = None
        """Where alerts are pushed to now; None: nowhere."""

    def configure(self, options: DeliveryOptions | None) -> None:
        """Push as these options say from now on."""
        if options is None:
            self.delivery = None
        elif self.delivery is None or self.delivery.options != options:
            delivery = self.delivery = Delivery(options, self._find)
            self._places[delivery.place] = delivery
            self._places.move_to_end(delivery.place)
            if len(self._places) > _MOST_PLACES:
                self._places.popitem(last=False)
        self._page.place = None if self.delivery is None else self.delivery.place

    def stop(self) -> None:
        """Carry out nothing more."""
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin a task, which takes its first step before those that are begun later."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def show(self, alert: Alert) -> None:
        """Push an alert that is to begin."""
        delivery, playing = self.delivery, self._on_stage(alert)
        sent = Sent("not sent", "it was taken back while the store was waited for")
        if delivery is not None and playing is not None and playing.phase == "sending":
            sent = await delivery.show(alert, alert.duration)
        player = self._queue.player
        if sent.result == "delivered":
            player.delivered(alert.id, alert.tries, sent.item)
        elif sent.result == "uncertain":
            player.uncertain(alert.id, sent.reason, alert.tries)
        else:
            has_left = sent.result == "refused"
            player.refused(alert.id, sent.reason, alert.tries, has_left=has_left, answered=sent.answered)
        self._landed()

    async def update(self, alert: Alert) -> None:
        """Push it as it is now, and a few times more if need be, while it is on the stage."""
        player = self._queue.player
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
        self.tell(f"{name_of(alert)} could not be shown as it is now: {sent.reason}", "error")

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
        self._told()

    def _on_stage(self, alert: Alert) -> Playing | None:
        return next((each for each in self.on_stages() if key_of(each.alert) == key_of(alert)), None)

    def on_stages(self) -> list[Playing]:
        """What plays, and what beside it."""
        view = self._queue.view()
        return [each for each in (view.playing, *view.beside) if each is not None]

    def delivery_for(self, entry: OnPage) -> Delivery | None:
        """By which it is to be taken off."""
        delivery = self.delivery
        if delivery is not None and entry.place in (None, delivery.place):
            return delivery
        return None if entry.place is None else self._places.get(entry.place)

    def tell(self, words: str, severity: Severity) -> None:
        """Write a line into the changes."""
        self._changes.add(self._clock.time(), None, words, severity)
        self._changed()


def key_of(alert: Alert) -> tuple[str, int]:
    """One that was taken off and shown once more is another on the stage."""
    return alert.id, alert.tries
