"""Alerts on their way to the overlays: pushed on a channel, taken off again, acknowledged by an overlay."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeGuard

import msgspec

from tui.alerts.alert import MOST_ITEM, Alert
from tui.alerts.options import DeliveryOptions
from tui.alerts.page import Number, Place
from tui.alerts.templates import Template, field
from tui.alerts.types import Clears
from tui.channels import Channel, ChannelsError, DecodeError, NotConnectedError, Push
from tui.channels.errors import ChannelClosed, PushDropped, ReplyTimeout
from tui.text.secret_values import masked_value

_NAME = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}", re.ASCII)
_NAMED = ("id", "type", "who", "title", "message", "count", "priority")
_MOST_TEXT = 500
REMOVE_EVENT = "remove_queue_item"
"""The event by which a hub that lists its items is asked to remove one, by its ``id``."""

FindChannel = Callable[[str, str], Channel | None]
"""The channel of a connection (its name) and a topic; None when there is none."""


class Sent(NamedTuple):
    """What became of a push."""

    result: Literal["delivered", "refused", "uncertain", "not sent"]
    """Uncertain: it went out and the connection went before the answer."""
    reason: str = ""
    answered: bool = True
    """False for one that is taken for refused, since no answer came in time."""
    item: Number | None = None
    """The hub's own id of what it made of the alert, where it told one."""

    @property
    def may_have_arrived(self) -> bool:
        """The hub took it, or nobody knows."""
        return self.result in ("delivered", "uncertain") or (self.result == "refused" and not self.answered)


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


def values_of(alert: Alert, seconds: float) -> dict[str, Any]:
    """What a payload template can name; ``seconds`` are those that the push lasts."""
    return {
        **{name: getattr(alert, name) for name in _NAMED},
        "duration": seconds,
        "duration_ms": round(seconds * 1000),
        "payload": msgspec.json.decode(alert.payload),
    }


class Delivery:
    """Pushes to the channel that the settings name. Never waits in the client's push buffer.

    Args:
        find: looked up anew at each push, since a reload may have replaced the connection.
    """

    def __init__(self, options: DeliveryOptions, find: FindChannel) -> None:
        self.options = options
        self.place: Place = options.connection, options.topic
        self.message = f"{options.connection} {options.topic}"
        self._find = find
        named = set(_names(options.clear_payload))
        clears_one = not named.isdisjoint({"id", "reply_id", "payload"})
        self.clears: Clears = "nothing" if options.clear_event is None else "one" if clears_one else "all"
        """What :meth:`clear` takes off the overlays."""
        self.clears_by_item = "reply_id" in named
        """Whether it names the hub's own items: then it takes off none that was pushed later."""
        self.clears_in_order = options.clear_topic in (None, options.topic)
        """Whether a hub takes what it and :meth:`show` push in the order in which they leave."""
        self._under_way: dict[Push, str] = {}
        """Pushes of alerts, with whose they are."""

    @property
    def channel(self) -> Channel | None:
        return self._find(self.options.connection, self.options.topic)

    def absent(self) -> str | None:
        """Why nothing can be delivered now, in words; None when it can."""
        channel = self.channel
        if channel is None:
            return f"{self.message} is not there"
        if channel.can_push:
            return None
        if channel.state == "joined":
            return f"{self.options.connection} cannot send just now"
        return f"{self.message}: {channel.reason or channel.state}"

    def can_clear_now(self) -> bool:
        """Whether what takes an alert off would be sent."""
        channel = self._clear_channel
        return channel is not None and channel.can_push

    @property
    def _clear_channel(self) -> Channel | None:
        return self._find(self.options.connection, self.options.clear_topic or self.options.topic)

    async def show(self, alert: Alert, seconds: float) -> Sent:
        """Push an alert for so long, and await the hub's answer."""
        options = self.options
        content = fill(options.payload, values_of(alert, seconds))
        sent, response = await self._push(self.channel, options.event, content, alert.id)
        if sent.result == "delivered" and isinstance(response, Mapping):
            number = masked_value(field(response, options.reply_id))
            if is_number(number):
                return sent._replace(item=number)
        return sent

    async def clear(self, alert: Alert, number: Number | None = None) -> Sent:
        """Push what takes an alert off again.

        Args:
            number: the hub's own id of what it made of it, where the settings name it.
        """
        if self.options.clear_event is None:
            return Sent("not sent", "the hub has nothing that takes an alert off")
        values = values_of(alert, alert.duration) | {"reply_id": number}
        payload = fill(self.options.clear_payload, values)
        return (await self._push(self._clear_channel, self.options.clear_event, payload))[0]

    async def remove(self, topic: str, number: Number) -> Sent:
        """Ask a hub that lists its items to remove one. What it answers says nothing."""
        channel = self._find(self.options.connection, topic)
        return (await self._push(channel, REMOVE_EVENT, {"id": number}))[0]

    def take_back(self, ids: Container[str]) -> None:
        """Have pushes of these alerts not leave any more; those that have left are on their way."""
        for push in [push for push, id in self._under_way.items() if id in ids]:
            push.take_back()

    async def _push(
        self, channel: Channel | None, event: str, payload: Any, id: str | None = None
    ) -> tuple[Sent, Any]:
        if channel is None or not channel.can_push:
            return Sent("not sent", self.absent() or "not joined"), None
        push: Push | None = None
        try:
            # A server answers nothing while a join runs, and what it has not answered yet it may still show.
            late = channel.socket.replies.allowance(channel.socket.now())
            push = channel.push(event, payload, timeout=self.options.timeout + late)
            if id is not None:
                self._under_way[push] = id
            reply = await push.reply()
        except NotConnectedError as error:
            return Sent("uncertain", str(error)), None
        except (ChannelClosed, PushDropped) as error:
            return Sent("uncertain" if push is not None and push.was_sent else "not sent", str(error)), None
        except ReplyTimeout as error:
            return Sent("refused", str(error), answered=False), None
        except ChannelsError as error:
            return Sent("refused", str(error)), None
        except (TypeError, ValueError, RecursionError) as error:
            # A template that makes nothing that JSON can say.
            return Sent("refused", f"the payload cannot be sent: {error}"), None
        finally:
            if push is not None:
                self._under_way.pop(push, None)
        try:
            return Sent("delivered"), reply.decode(Any, channel.socket.options.max_report_size)
        except DecodeError as error:
            channel.socket.mistakes.payload_undecodable(channel.topic, "phx_reply", error)
            return Sent("delivered"), None

    def acknowledged(self, payload: Any) -> str | None:
        """The id that an overlay acknowledges with ``payload``; None when it names none."""
        found = field(payload, self.options.acknowledged_id) if isinstance(payload, Mapping) else None
        return found if isinstance(found, str) else None


def is_number(number: Any) -> TypeGuard[Number]:
    if isinstance(number, str):
        return len(number) <= MOST_ITEM
    return isinstance(number, int) and not isinstance(number, bool) and number.bit_length() < 64
