"""Where viewer events come from: listened to on the channels of the settings, and missed when they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tui.channels import Channel, Message
from tui.connections.connection import SupervisedConnection

Connections = Callable[[], Mapping[str, SupervisedConnection]]
"""The supervised connections by name, as they are now."""


def channel_of(connections: Mapping[str, SupervisedConnection], name: str, topic: str) -> Channel | None:
    """The channel of a connection and a topic, if the connection supervises it."""
    connection = connections.get(name)
    if connection is None:
        return None
    return next((each.channel for each in connection.channels if each.channel.topic == topic), None)


class Subscription(NamedTuple):
    """A handler to be added to a channel or a socket."""

    to: object
    """What it is added to and, where that is not one and the same for ever, what is told; another one in its
    place is another subscription."""
    subscribe: Callable[[], Callable[[], None]]
    """Adds the handler; returns what removes it again."""


Wanted = dict[tuple[str, str, str], Subscription]
"""Subscriptions by a name of the handler's, a topic and an event."""


def on(channel: Channel, event: str, handler: Callable[[Message], None]) -> Subscription:
    return Subscription(channel, lambda: channel.on(event, handler))


class Listening:
    """Handlers on channels that come and go with the settings: each is added once and removed in the end."""

    def __init__(self) -> None:
        self._bound: dict[tuple[str, str, str], tuple[object, Callable[[], None]]] = {}

    def keep(self, wanted: Wanted) -> None:
        for key, (to, unsubscribe) in list(self._bound.items()):
            if key not in wanted or wanted[key].to != to:
                unsubscribe()
                del self._bound[key]
        for key, subscription in wanted.items():
            if key not in self._bound:
                self._bound[key] = (subscription.to, subscription.subscribe())
