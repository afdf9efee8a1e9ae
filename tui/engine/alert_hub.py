"""What the hub that shows the alerts tells: who is there to see them, and what it shows beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

from tui.alerts.delivery import Delivery
from tui.alerts.options import DeliveryOptions
from tui.channels import Message
from tui.channels.clock import Clock
from tui.engine.alert_sources import Connections, Wanted, on
from tui.engine.alert_values import OverlayPage
from tui.engine.changes import ChangeLog
from tui.secret_values import masked

T = TypeVar("T")

REPORT_EVENT = "telemetry_update"
"""The event in which a hub tells of its overlay pages."""
QUEUE_EVENT = "queue_state"
"""The event in which a hub tells of a queue of its own."""
PAGES_KNOWN_FOR = 60.0
"""Seconds for which a report that no page is connected holds the queue."""

_MOST_PAGES = 100
_MOST_NAME = 100
_MOST_ITEMS = 1_000
"""Of a hub's queue, that are looked at; those beyond count as another's."""


class _Report(msgspec.Struct, gc=False):
    overlays: msgspec.Raw = msgspec.Raw(b"null")


class _Page(msgspec.Struct, gc=False):
    name: str
    connected: Any = None


class _Queue(msgspec.Struct, gc=False):
    queue: msgspec.Raw = msgspec.Raw(b"null")


class _Named(msgspec.Struct, gc=False):
    id: str


class _Item(msgspec.Struct, gc=False):
    data: _Named


_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_page = msgspec.json.Decoder(_Page).decode
_item = msgspec.json.Decoder(_Item).decode


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
        self._told_early: bytes | None = None
        self._foreign = 0
        self._reported_at = -math.inf
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
            self._count(early)

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
                most = connection.socket.options.max_report_size
                for event, told in ((REPORT_EVENT, self._reported), (QUEUE_EVENT, self._queue_told)):
                    wanted[(*place, event)] = on(each.channel, event, partial(told, most))
        options = delivery.options
        if options.acknowledged_by is not None and (channel := delivery.channel) is not None:
            key = ("acknowledged", options.topic, options.acknowledged_by)
            most = target.socket.options.max_report_size
            wanted[key] = on(channel, options.acknowledged_by, partial(self._acknowledged, most))
        return wanted

    def without_page(self, options: DeliveryOptions) -> str | None:
        """Why to wait though the hub is there: it says that nobody would see anything."""
        if not options.wait_for_page:
            return None
        if self._clock.monotonic() - self._reported_at > PAGES_KNOWN_FOR:
            return None
        known = [page.connected for page in self.pages if _shows(page, options)]
        return "no overlay page is connected" if known and not any(known) else None

    # What does not decode, or is larger than what is read, the channel counts.

    def _acknowledged(self, most: int, message: Message) -> None:
        payload = message.decode(Any, most)
        number = None if self._delivery is None else self._delivery.acknowledged(payload)
        if number is not None:
            self._acknowledged_id(number)

    def _reported(self, most: int, message: Message) -> None:
        if self._delivery is None:
            return
        options = self._delivery.options
        told = overlay_pages(bytes(message.decode(_Report, most).overlays), self._clock.time())
        pages = tuple(page for page in told if page.name not in options.our_names)
        if told or self.pages:
            self.pages, self._reported_at = pages, self._clock.monotonic()
            self._reported_pages(any(page.connected and _shows(page, options) for page in pages))

    def _queue_told(self, most: int, message: Message) -> None:
        queue = bytes(message.decode(_Queue, most).queue)
        if self._knows_ours:
            self._count(queue)
        else:
            self._told_early = queue

    def _count(self, queue: bytes) -> None:
        foreign = items_of_another(queue, self._is_ours)
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


def overlay_pages(listed: bytes, now: float) -> tuple[OverlayPage, ...]:
    """The overlay pages of a hub's report, from its list of them as JSON; what is not of that shape is left
    out."""
    pages = []
    for raw in _items(listed)[:_MOST_PAGES]:
        page = _read(_page, raw)
        if page is not None and page.name:
            connected = page.connected is True
            name = masked(page.name[:_MOST_NAME])
            pages.append(OverlayPage(name=name, connected=connected, reported_at=now))
    return tuple(pages)


def items_of_another(queue: bytes, is_ours: Callable[[str], bool]) -> int:
    """How many items of a hub's own queue, a list as JSON, are none of ours, by the ids in their data."""
    items = _items(queue)
    read = (_read(_item, raw) for raw in items[:_MOST_ITEMS])
    return len(items) - sum(item is not None and is_ours(item.data.id) for item in read)


def _items(listed: bytes) -> list[msgspec.Raw]:
    return _read(_list, listed) or []


def _read(decode: Callable[[bytes | msgspec.Raw], T], raw: bytes | msgspec.Raw) -> T | None:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
