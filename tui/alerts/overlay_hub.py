"""What the hub that shows the alerts tells: who is there to see them, and what it shows beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tui.alerts.delivery import Delivery, is_number
from tui.alerts.options import DeliveryOptions
from tui.alerts.page import Number
from tui.channels import Message
from tui.connections.subscriptions import Wanted, on
from tui.model.alerts import OverlayPage
from tui.text.secret_values import masked

if TYPE_CHECKING:
    from tui.alerts.service import AlertService

T = TypeVar("T")

REPORT_EVENT = "telemetry_update"
"""The event in which a hub tells of its overlay pages."""
QUEUE_EVENT = "queue_state"
"""The event in which a hub tells of a queue of its own."""
STATE_EVENT = "stream_state"
"""The event in which a hub tells what is on the overlays, and of a stack that it keeps."""
DEFAULT_PAGE = "Takeover"
"""What a hub calls whoever joins the overlays' topic and names itself not: pages, dashboards, anybody."""
REPORTS_WITHIN = 10.0
"""Seconds between two reports; what was between others nobody knows."""
ANSWER_WITHIN = 5.0
"""Seconds after a question for reports in which one that comes is taken for the answer."""
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


class _State(msgspec.Struct, gc=False):
    alerts: msgspec.Raw = msgspec.Raw(b"null")
    interrupt_stack: msgspec.Raw = msgspec.Raw(b"null")


class _Named(msgspec.Struct, gc=False):
    id: str


class _Item(msgspec.Struct, gc=False):
    data: _Named
    id: Any = None


_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_page = msgspec.json.Decoder(_Page).decode
_item = msgspec.json.Decoder(_Item).decode


class OverlayHub:
    """Listens on whichever connection the hub tells it; on the engine's loop.

    What it tells of its items waits until the service has begun: which of them are ours, the store knows.

    Args:
        asked_at: when a connection's topic was last asked for reports, in monotonic seconds; None for never.
    """

    def __init__(self, service: AlertService, asked_at: Callable[[str, str], float | None]) -> None:
        self._service = service
        self._queue = service.queue
        self._clock = service.clock
        self._connections = service.connections
        self._asked_at = asked_at
        self._delivery: Delivery | None = None
        self._address: str | None = None
        # By topic and event, the last state that came before.
        self._early: dict[tuple[str, str], Callable[[], None]] = {}
        self._foreign = 0
        self._reported_at = -math.inf
        self._seen_since: float | None = None
        self._pages: tuple[OverlayPage, ...] = ()
        # The hub named a page, or pushes reports by itself.
        self._notes_pages = False
        self.known: set[str] = set()
        """Pages of the settings that it ever named, to an earlier run too."""
        # Somebody vouched for an alert.
        self._is_heard = False
        self._cannot_note: str | None = None

    @property
    def warning(self) -> str | None:
        """What a person must know of the hub: what may stand in front of alerts, and what it cannot tell."""
        queue = f"the hub runs a queue of its own ({self._foreign} items)" if self._foreign else None
        return "; ".join(filter(None, (queue, self._cannot_note))) or None

    def was_unseen(self) -> None:
        """An alert had its time, and nobody said that it was seen: if the hub cannot, that is said once."""
        options = None if self._delivery is None else self._delivery.options
        if options is None or self._is_heard or self._cannot_note is not None:
            return
        if not self._notes_pages:
            words = "this hub tells of no page, and passes on nothing that a page says of alerts"
            if options.wait_for_page:
                words += ": none is waited for"
            self._say_once(f"{words}; see the guide to alerts")
        elif self._pages and not self.known:
            self._say_once("none of the pages that this hub names is one that the settings list in overlays")

    def _say_once(self, words: str) -> None:
        self._cannot_note = words
        self._service.note(f"nobody can say whether alerts are seen: {words}", "warning")

    @property
    def pages(self) -> tuple[OverlayPage, ...]:
        """As of its last report; none while the hub is away."""
        return self._pages if self._is_there() else ()

    def _is_there(self) -> bool:
        return any(
            each.socket.address == self._address and each.socket.state == "connected"
            for each in self._connections().values()
        )

    def go_on(self) -> None:
        """Take in what waited."""
        early, self._early = self._early, {}
        for take_in in early.values():
            take_in()

    def wanted(self, delivery: Delivery | None) -> Wanted:
        """What is to be listened to for a delivery, which is the present one from now on."""
        self._delivery = delivery
        wanted: Wanted = {}
        target = None if delivery is None else self._connections().get(delivery.options.connection)
        address = None if target is None else target.socket.address
        if address != self._address:
            # What another hub told says nothing of this one.
            self._address, self._pages, self._cannot_note = address, (), None
            self._notes_pages, self._is_heard, self._seen_since = False, False, None
            self.known = set()
        if delivery is None or target is None:
            return wanted
        for connection in self._connections().values():
            if connection.socket.address != address:
                continue
            for each in connection.channels:
                topic, most = each.channel.topic, connection.socket.options.max_report_size
                # Items are removed on the connection that alerts go by.
                by = topic if connection is target else delivery.options.topic
                noted = {
                    REPORT_EVENT: partial(self._reported, most, connection.name),
                    QUEUE_EVENT: partial(self._queue_noted, most, by),
                    STATE_EVENT: partial(self._state_noted, most, by),
                }
                for event, handler in noted.items():
                    wanted[(f"hub: {connection.name}", topic, event)] = on(each.channel, event, handler)
        options = delivery.options
        if options.acknowledged_by is not None and (channel := delivery.channel) is not None:
            key = ("acknowledged", options.topic, options.acknowledged_by)
            most = target.socket.options.max_report_size
            wanted[key] = on(channel, options.acknowledged_by, partial(self._acknowledged, most))
        return wanted

    def without_page(self, options: DeliveryOptions) -> str | None:
        """Why to wait though the hub is there: it says that nobody would see anything."""
        if not (options.wait_for_page and self._notes_pages):
            return None
        if self._clock.monotonic() - self._reported_at > PAGES_KNOWN_FOR:
            return None
        names = {page.name for page in self._pages if page.connected}
        if names and options.overlays and not self.known:
            # Whoever is there may be the page, and has told no name.
            return None
        is_seen = not names.isdisjoint(options.overlays) if options.overlays else bool(names)
        return None if is_seen else "no overlay page is connected"

    # What does not decode, or is larger than what is read, the channel counts.

    def _acknowledged(self, most: int, message: Message) -> None:
        payload = message.decode(Any, most)
        number = None if self._delivery is None else self._delivery.acknowledged(payload)
        if number is not None:
            self._is_heard, self._cannot_note = True, None
            if self._queue.confirmations.confirm(number):
                self._service.settle()

    def _reported(self, most: int, connection: str, message: Message) -> None:
        noted = bytes(message.decode(_Report, most).overlays)
        if self._delivery is None or _read(_list, noted) is None:
            return
        options = self._delivery.options
        wall = self._clock.time()
        named = overlay_pages(noted, wall)
        now = self._clock.monotonic()
        asked_at = self._asked_at(connection, message.topic)
        self._notes_pages |= bool(named) or asked_at is None or asked_at + ANSWER_WITHIN < now
        if not self._notes_pages:
            return
        pages = tuple(page for page in named if page.name not in options.our_names)
        names = {page.name for page in pages}
        self.known = {name for name in options.overlays if name in self.known or name in names}
        # There are hubs that name those alone that are there.
        gone = [name for name in options.overlays if name in self.known and name not in names]
        self._pages = (*pages, *(OverlayPage(name=name, connected=False, reported_at=wall) for name in gone))
        is_late = now - self._reported_at > REPORTS_WITHIN
        self._reported_at = now
        if not any(page.connected and vouches(page.name, options) for page in self._pages):
            self._seen_since = None
        else:
            self._seen_since = now if is_late or self._seen_since is None else self._seen_since
            self._is_heard, self._cannot_note = True, None
            self._queue.confirmations.overlays_connected(since=self._seen_since)
        self._service.refresh()

    def _state_noted(self, most: int, topic: str, message: Message) -> None:
        state = message.decode(_State, most)
        items = [*_ours_in(bytes(state.alerts)), *_ours_in(bytes(state.interrupt_stack))]
        self._when_known(topic, STATE_EVENT, lambda: self._listed(topic, items, on_stack=True))

    def _queue_noted(self, most: int, topic: str, message: Message) -> None:
        queue = bytes(message.decode(_Queue, most).queue)

        def take_in() -> None:
            self._listed(topic, _ours_in(queue), on_stack=False)
            self._count(queue)

        self._when_known(topic, QUEUE_EVENT, take_in)

    def _listed(self, topic: str, items: list[tuple[Number, str]], *, on_stack: bool) -> None:
        self._queue.player.listed(topic, items, on_stack=on_stack)
        self._service.orders.removals.ask()
        self._service.settle()

    def _when_known(self, topic: str, event: str, take_in: Callable[[], None]) -> None:
        if self._service.has_begun:
            take_in()
        else:
            self._early[topic, event] = take_in

    def _count(self, queue: bytes) -> None:
        foreign = items_of_another(queue, self._queue.player.page.is_ours)
        if bool(foreign) != bool(self._foreign):
            words = (
                f"the hub runs a queue of its own: {foreign} of its items are not from here and may stand "
                "in front of alerts"
                if foreign
                else "the hub's own queue holds nothing of its own any more"
            )
            self._service.note(words, "warning" if foreign else "info")
        self._foreign = foreign


def vouches(name: str, options: DeliveryOptions) -> bool:
    """Whether a hub's word that this page is connected says that alerts are seen.

    The settings must name it; and neither what a hub calls anybody nor we ourselves are a page.
    """
    return name in options.overlays and name != DEFAULT_PAGE and name not in options.our_names


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


def _ours_in(listed: bytes) -> list[tuple[Number, str]]:
    read = (_read(_item, raw) for raw in _items(listed)[:_MOST_ITEMS])
    return [(item.id, item.data.id) for item in read if item is not None and is_number(item.id)]


def _items(listed: bytes) -> list[msgspec.Raw]:
    return _read(_list, listed) or []


def _read(decode: Callable[[bytes | msgspec.Raw], T], raw: bytes | msgspec.Raw) -> T | None:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
