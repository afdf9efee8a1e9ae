"""Alerts taken off the overlays: by what the hub lists, by its own ids, or by the clear event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from tui.alerts import stage
from tui.alerts.alert import Alert
from tui.alerts.delivery import Delivery, Sent
from tui.alerts.page import OnPage, Place, Removal
from tui.alerts.queue import AlertQueue
from tui.engine.alert_pushes import Pushes, key_of

MOST_LOSSES = 3
"""Times that the connection may go while an alert is taken off; then that is given up."""


class Removals:
    """On the engine's loop. What is to be taken off, and how far that has come, the queue's page knows.

    Args:
        show_again: pushes these once more, as they are now.
        told: called when it is known what became of something.
    """

    def __init__(
        self,
        queue: AlertQueue,
        pushes: Pushes,
        *,
        show_again: Callable[[list[Alert]], None],
        told: Callable[[], None],
    ) -> None:
        self._player = queue.player
        self._page = queue.player.page
        self._pushes = pushes
        self._show_again = show_again
        self._told = told

    def ask(self) -> None:
        """Ask hubs that list items of ours for those that should be away."""
        for removal in self._page.removals():
            self._pushes.spawn(self._remove(removal), f"remove {removal.number}")

    async def _remove(self, removal: Removal) -> None:
        delivery = self._pushes.delivery_for(removal.entry)
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
            delivery = self._pushes.delivery_for(entry)
            if entry.off != "due" or entry.alert is None or delivery is None:
                continue
            wipes = delivery.clears == "all"
            if not self._page.is_stacked(entry) or (panic and wipes):
                groups.setdefault(delivery.place if wipes else entry.id, []).append(entry)
        for group in groups.values():
            for entry in group:
                self._page.set_off(entry, "asking")
            name = f"clear {group[-1].id}"
            self._pushes.spawn(self._clear(group, is_late=is_late), name)
        self.ask()

    async def _clear(self, group: list[OnPage], *, is_late: bool) -> None:
        delivery = self._pushes.delivery_for(group[-1])
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
                if not (is_late or entry.told_to_wait):
                    entry.told_to_wait = True
                    words = f"is taken off when the overlays are there again: {sent.reason}"
                    self._pushes.tell(f"{entry.name} {words}", "warning")
        elif left:
            self._failed(left, delivery, sent)
        self._told()

    def _failed(self, left: list[OnPage], delivery: Delivery, sent: Sent) -> None:
        for entry in left:
            # Somebody may ask for it once more.
            entry.losses = 0
            self._page.set_off(entry, "")
        if delivery.clears_by_item and sent.answered and left[0].numbers:
            # It ends items by itself, and refuses to remove one that is gone.
            self._pushes.tell(f"{left[0].name}: the hub removed nothing: {sent.reason}", "warning")
            self._player.taken_off(left[0])
            return
        name = left[0].name if len(left) == 1 else f"{len(left)} alerts"
        self._pushes.tell(f"{name} could not be taken off the overlays: {sent.reason}", "error")

    def _may_go_later(self, left: list[OnPage], delivery: Delivery, sent: Sent) -> bool:
        now = self._pushes.delivery
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
                self._show_again([each for each in there if key_of(each) in still])
            if sent.result != "refused":
                break
        return sent

    async def _push(self, group: list[OnPage], delivery: Delivery) -> Sent:
        """Where that needs the hub's own id, or goes by another topic and could come before the alert, the
        hub's answer to the alert is awaited. Of several ids the last counts: the others it may have ended."""
        if delivery.clears_by_item or not delivery.clears_in_order:
            for entry in group:
                await self._pushes.landed(entry)
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
        return [each.alert for each in self._pushes.on_stages() if each.phase != "retrying"]
