"""Alerts on their way to the overlays: pushed on a channel, taken off again, acknowledged by an overlay."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeGuard
from weakref import WeakValueDictionary

import msgspec

from tui.alerts.alert import MOST_ITEM, MOST_ITEMS, Alert
from tui.alerts.options import DeliveryOptions
from tui.alerts.templates import Template, field
from tui.alerts.view import Clears
from tui.channels import Channel, ChannelsError, DecodeError, NotConnectedError
from tui.channels.errors import ChannelClosed, PushDropped, ReplyTimeout
from tui.secret_values import masked_value

_NAME = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}", re.ASCII)
_MOST_TEXT = 500
_REMEMBERED_REPLIES = 100

FindChannel = Callable[[str, str], Channel | None]
"""The channel of a connection (its name) and a topic; None when there is none."""


class Sent(NamedTuple):
    """What became of a push."""

    result: Literal["delivered", "refused", "uncertain", "not sent"]
    """Uncertain: it went out and the connection went before the answer."""
    reason: str = ""
    answered: bool = True
    """False for one that is taken for refused, since no answer came in time."""
    item: str | int | None = None
    """The hub's own id of what it made of the alert, where it told one."""


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """``template`` with every ``{name}`` in its texts replaced from ``values``; dots lead into objects.

    A text that is one name and nothing else becomes the value itself, a number or an object; one that
    names nothing becomes null. A text whose braces are no names stays as it is.
    """
    if isinstance(template, Mapping):
        return {str(key): fill(value, values) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [fill(value, values) for value in template]
    if not isinstance(template, str) or "{" not in template:
        return template
    if name := _NAME.fullmatch(template):
        return field(values, name[1])
    try:
        return Template(template).render(values, {}, _MOST_TEXT)
    except ValueError:
        return template


def _names(template: Any) -> Iterator[str]:
    """What :func:`fill` would look for first in ``values``."""
    if isinstance(template, Mapping):
        template = list(template.values())
    if isinstance(template, (list, tuple)):
        for each in template:
            yield from _names(each)
    elif isinstance(template, str):
        yield from (name.partition(".")[0] for name in _NAME.findall(template))


def values_of(alert: Alert) -> dict[str, Any]:
    """What a payload template can name."""
    return {
        "id": alert.id,
        "type": alert.type,
        "who": alert.who,
        "title": alert.title,
        "message": alert.message,
        "count": alert.count,
        "priority": alert.priority,
        "duration": alert.duration,
        "duration_ms": round(alert.duration * 1000),
        "payload": msgspec.json.decode(alert.payload),
    }


class Delivery:
    """Pushes to the channel that the settings name. Never waits in the client's push buffer.

    Args:
        find: looked up anew at each push, since a reload may have replaced the connection.
        before: the one with other options until now; what it knows of the hub's ids is taken over.
    """

    def __init__(self, options: DeliveryOptions, find: FindChannel, before: Delivery | None = None) -> None:
        self.options = options
        self._find = find
        named = set(_names(options.clear_payload))
        self._clears_one = not named.isdisjoint({"id", "reply_id", "payload"})
        self._needs_reply = "reply_id" in named
        # By alert and its try: one that was taken off and brought back is another item of the hub.
        self._items: OrderedDict[tuple[str, int], _Items] = OrderedDict()
        # Of two removals of one alert, the second finds what the first has left.
        self._removing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        if before is not None and before.place == self.place:
            self._items, self._removing = before._items, before._removing

    @property
    def place(self) -> tuple[str, str]:
        """The connection and the topic."""
        return self.options.connection, self.options.topic

    @property
    def words(self) -> str:
        """Where it delivers to."""
        return f"{self.options.connection} {self.options.topic}"

    @property
    def clears(self) -> Clears:
        """What :meth:`clear` takes off the overlays."""
        if self.options.clear_event is None:
            return "nothing"
        return "one" if self._clears_one else "all"

    @property
    def clears_by_item(self) -> bool:
        """Whether :meth:`clear` names the hub's own items: then it takes off none that was pushed later."""
        return self._needs_reply

    @property
    def clears_in_order(self) -> bool:
        """Whether a hub takes what :meth:`clear` and :meth:`show` push in the order in which they leave."""
        return self.options.clear_topic in (None, self.options.topic)

    @property
    def channel(self) -> Channel | None:
        """The channel of the settings, if there is one now."""
        return self._find(self.options.connection, self.options.topic)

    def absent(self) -> str | None:
        """Why nothing can be delivered now, in words; None when it can."""
        channel = self.channel
        if channel is None:
            return f"{self.words} is not there"
        if channel.can_push:
            return None
        if channel.state == "joined":
            return f"{self.options.connection} cannot send just now"
        return f"{self.words}: {channel.reason or channel.state}"

    def can_clear_now(self) -> bool:
        """Whether what takes an alert off would be sent."""
        channel = self._clear_channel
        return channel is not None and channel.can_push

    @property
    def _clear_channel(self) -> Channel | None:
        return self._find(self.options.connection, self.options.clear_topic or self.options.topic)

    async def show(self, alert: Alert) -> Sent:
        """Push an alert and await the hub's answer."""
        options = self.options
        items = self._items_of(alert.id, alert.tries)
        items.pushes += 1
        items.are_known.clear()
        try:
            sent, response = await self._push(
                self.channel, options.event, fill(options.payload, values_of(alert))
            )
            if sent.result == "delivered" and isinstance(response, Mapping):
                number = masked_value(field(response, options.reply_id))
                if _is_id(number):
                    items.add(number)
                    sent = sent._replace(item=number)
        finally:
            items.pushes -= 1
            if not items.pushes:
                items.are_known.set()
        return sent

    async def clear(self, alert: Alert) -> Sent:
        """Push what takes an alert off again. Where that needs the hub's own id, or goes by another topic and
        could come before the alert, the hub's answer to the alert is awaited.

        Of several items that the hub made of it the last counts: the others it may have ended itself.
        """
        options = self.options
        if options.clear_event is None:
            return Sent("not sent", "the hub has nothing that takes an alert off")
        items = [each for key, each in self._items.items() if key[0] == alert.id and key[1] <= alert.tries]
        if self._needs_reply or not self.clears_in_order:
            for each in items:
                await each.are_known.wait()
        if not self._needs_reply:
            return await self._push_clear(alert, None)
        lock = self._removing.get(alert.id) or asyncio.Lock()
        self._removing[alert.id] = lock
        async with lock:
            return await self._remove(alert, items)

    async def _remove(self, alert: Alert, items: list[_Items]) -> Sent:
        known = [(each, number) for each in reversed(items) for number in reversed(each.numbers)]
        if not known and any(each.were_removed for each in items):
            return Sent("delivered")
        if not known:
            return Sent("refused", f"the hub has not told its {self.options.reply_id}")
        results = list[Sent]()
        for each, number in known:
            sent = await self._push_clear(alert, number)
            if sent.result in ("not sent", "uncertain"):
                return sent
            if sent.result == "delivered" or results:
                each.remove(number)
            results.append(sent)
        return results[0]

    async def _push_clear(self, alert: Alert, number: str | int | None) -> Sent:
        assert self.options.clear_event is not None
        payload = fill(self.options.clear_payload, values_of(alert) | {"reply_id": number})
        return (await self._push(self._clear_channel, self.options.clear_event, payload))[0]

    def forget(self, alert: Alert) -> bool:
        """The hub would not remove what it made of it: it is asked for none of it again. False when it had
        told no id."""
        known = [
            (each, number)
            for key, each in self._items.items()
            if key[0] == alert.id and key[1] <= alert.tries
            for number in each.numbers
        ]
        for each, number in known:
            each.remove(number)
        return bool(known)

    def know(self, alert: Alert) -> None:
        """An earlier run was told these of the hub's ids."""
        for tries, number in alert.items:
            self._items_of(alert.id, tries).add(number)

    def _items_of(self, id: str, tries: int) -> _Items:
        key = (id, tries)
        items = self._items.setdefault(key, _Items())
        self._items.move_to_end(key)
        if len(self._items) > _REMEMBERED_REPLIES:
            self._items.popitem(last=False)
        return items

    async def _push(self, channel: Channel | None, event: str, payload: Any) -> tuple[Sent, Any]:
        if channel is None or not channel.can_push:
            return Sent("not sent", self.absent() or "not joined"), None
        try:
            reply = await channel.push(event, payload, timeout=self.options.timeout).reply()
        except NotConnectedError as error:
            return Sent("uncertain", str(error)), None
        except (ChannelClosed, PushDropped) as error:
            return Sent("uncertain", str(error)), None
        except ReplyTimeout as error:
            return Sent("refused", str(error), answered=False), None
        except ChannelsError as error:
            return Sent("refused", str(error)), None
        except (TypeError, ValueError, RecursionError) as error:
            # A template that makes nothing that JSON can say.
            return Sent("refused", f"the payload cannot be sent: {error}"), None
        try:
            return Sent("delivered"), reply.decode(Any, channel.socket.options.max_report_size)
        except DecodeError as error:
            channel.socket.payload_undecodable(channel.topic, "phx_reply", error)
            return Sent("delivered"), None

    def acknowledged(self, payload: Any) -> str | None:
        """The id that an overlay acknowledges with ``payload``; None when it names none."""
        found = field(payload, self.options.acknowledged_id) if isinstance(payload, Mapping) else None
        return found if isinstance(found, str) else None


class _Items:
    """What the hub made of one alert, which may have been pushed more than once."""

    def __init__(self) -> None:
        self.numbers: deque[str | int] = deque(maxlen=MOST_ITEMS)
        self.pushes = 0
        self.were_removed = False
        self.are_known = asyncio.Event()
        self.are_known.set()

    def add(self, number: str | int) -> None:
        """One more, by the id that the hub gave it."""
        if number not in self.numbers:
            self.numbers.append(number)

    def remove(self, number: str | int) -> None:
        """It is there no more."""
        self.were_removed = True
        if number in self.numbers:
            self.numbers.remove(number)


def _is_id(number: Any) -> TypeGuard[str | int]:
    if isinstance(number, str):
        return len(number) <= MOST_ITEM
    return isinstance(number, int) and not isinstance(number, bool) and number.bit_length() < 64
