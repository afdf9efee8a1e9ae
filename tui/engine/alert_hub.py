"""What the hub that shows the alerts tells: who is there to see them, and what it shows beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tui.alerts.delivery import Delivery
from tui.alerts.options import DeliveryOptions
from tui.channels import Message
from tui.channels.clock import Clock
from tui.engine.alert_sources import Connections, Wanted, on
from tui.engine.alert_values import OverlayPage
from tui.engine.changes import ChangeLog

REPORT_EVENT = "telemetry_update"
"""The event in which a hub tells of its overlay pages."""
QUEUE_EVENT = "queue_state"
"""The event in which a hub tells of a queue of its own."""
PAGES_KNOWN_FOR = 60.0
"""Seconds for which a report that no page is connected holds the queue."""

_MOST_PAGES = 100
_MOST_NAME = 100


class OverlayHub:
    """Listens on whichever connection the hub tells it; on the engine's loop.

    Args:
        connections: looked at anew each time, since a reload replaces them.
        is_ours: whether an item of the hub's own queue, by its id, was pushed from here.
        knows_ours: whether that is known already; if not, what the hub tells of its queue waits.
        acknowledged: called with the id that an overlay acknowledges.
        reported: called after each report on overlay pages: whether one that shows alerts is connected.
        changed: called when something is to be published soon.
    """

    def __init__(
        self,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        *,
        is_ours: Callable[[str], bool],
        knows_ours: bool,
        acknowledged: Callable[[str], None],
        reported: Callable[[bool], None],
        changed: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._changes = changes
        self._clock = clock
        self._is_ours = is_ours
        self._acknowledged_id = acknowledged
        self._reported_pages = reported
        self._changed = changed
        self._delivery: Delivery | None = None
        self._address: str | None = None
        self._knows_ours = knows_ours
        self._told_early: Message | None = None
        self._foreign = 0
        self.pages: tuple[OverlayPage, ...] = ()
        """As of its last report."""

    @property
    def warning(self) -> str | None:
        """What may stand in front of alerts, in words."""
        return f"the hub runs a queue of its own ({self._foreign} items)" if self._foreign else None

    def know_ours(self) -> None:
        """From now on it is known what was pushed from here, in an earlier run too."""
        self._knows_ours = True
        early, self._told_early = self._told_early, None
        if early is not None:
            self._queue_told(early)

    def wanted(self, delivery: Delivery | None) -> Wanted:
        """What is to be listened to for a delivery, which is the present one from now on."""
        self._delivery = delivery
        wanted: Wanted = {}
        target = None if delivery is None else self._connections().get(delivery.options.connection)
        address = None if target is None else target.socket.address
        if address != self._address:
            # What another hub told says nothing of this one.
            self._address, self.pages = address, ()
        if delivery is None or target is None:
            return wanted
        for connection in self._connections().values():
            if connection.socket.address != address:
                continue
            for each in connection.channels:
                place = (f"hub: {connection.name}", each.channel.topic)
                wanted[(*place, REPORT_EVENT)] = on(each.channel, REPORT_EVENT, self._reported)
                wanted[(*place, QUEUE_EVENT)] = on(each.channel, QUEUE_EVENT, self._queue_told)
        options = delivery.options
        if options.acknowledged_by is not None and (channel := delivery.channel) is not None:
            key = ("acknowledged", options.topic, options.acknowledged_by)
            wanted[key] = on(channel, options.acknowledged_by, self._acknowledged)
        return wanted

    def without_page(self, options: DeliveryOptions) -> str | None:
        """Why to wait though the hub is there: it says that nobody would see anything."""
        if not options.wait_for_page:
            return None
        since = self._clock.time() - PAGES_KNOWN_FOR
        known = [page.connected for page in self.pages if page.reported_at >= since and _shows(page, options)]
        return "no overlay page is connected" if known and not any(known) else None

    def _acknowledged(self, message: Message) -> None:
        number = None if self._delivery is None else self._delivery.acknowledged(message.payload)
        if number is not None:
            self._acknowledged_id(number)

    def _reported(self, message: Message) -> None:
        pages = overlay_pages(message.payload, self._clock.time())
        if self._delivery is not None and (pages or self.pages):
            self.pages = pages
            options = self._delivery.options
            self._reported_pages(any(page.connected and _shows(page, options) for page in pages))

    def _queue_told(self, message: Message) -> None:
        if not self._knows_ours:
            self._told_early = message
            return
        foreign = items_of_another(message.payload_or_none(), self._is_ours)
        if bool(foreign) != bool(self._foreign):
            words = (
                f"the hub runs a queue of its own: {foreign} of its items are not from here and may stand "
                "in front of alerts"
                if foreign
                else "the hub's own queue holds nothing of its own any more"
            )
            self._changes.add(self._clock.time(), None, words, "warning" if foreign else "info")
            self._changed()
        self._foreign = foreign


def _shows(page: OverlayPage, options: DeliveryOptions) -> bool:
    return not options.overlays or page.name in options.overlays


def overlay_pages(payload: Any, now: float) -> tuple[OverlayPage, ...]:
    """The overlay pages that a hub's report names; what is not of that shape is left out."""
    listed = payload.get("overlays") if isinstance(payload, Mapping) else None
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        return ()
    pages = []
    for page in listed[:_MOST_PAGES]:
        if isinstance(page, Mapping) and isinstance(name := page.get("name"), str) and name:
            connected = page.get("connected") is True
            pages.append(OverlayPage(name=name[:_MOST_NAME], connected=connected, reported_at=now))
    return tuple(pages)


def items_of_another(payload: Any, is_ours: Callable[[str], bool]) -> int:
    """How many items a hub's own queue holds that are none of ours, by the ids in their data."""
    queue = payload.get("queue") if isinstance(payload, Mapping) else None
    if not isinstance(queue, Sequence) or isinstance(queue, str):
        return 0
    count = 0
    for item in queue:
        data = item.get("data") if isinstance(item, Mapping) else None
        number = data.get("id") if isinstance(data, Mapping) else None
        if not (isinstance(number, str) and is_ours(number)):
            count += 1
    return count
