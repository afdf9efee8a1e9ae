"""Where viewer events come from: topics of the settings, since when one is away, and what nobody maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from tui.alerts.events import ANY_EVENT, NO_ALERTS, EventTypes
from tui.alerts.options import SourceOptions
from tui.channels import Message
from tui.channels.clock import Clock
from tui.connections.connection import SupervisedConnection
from tui.connections.subscriptions import Subscription, Wanted, channel_of
from tui.model.alerts import SourceAway
from tui.text.fitted import fitted

if TYPE_CHECKING:
    from tui.alerts.arrivals import Arrivals

MAX_NAMES = 100
MAX_NAME = 100
"""Characters of a name; with its kind it may be any text from the network."""
OTHERS = "(others)"
"""Counts as one all names beyond the first :data:`MAX_NAMES`."""


class Unmapped:
    """What sources bring and nobody maps to a type of alert, so that none is missed unseen.

    The next snapshot tells of it: a flood of what is no alert is no news.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """By name, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda each: (-each[1], each[0])))

    def count(self, name: str) -> None:
        """One more of an event, named with its kind where it has one, unless it is known to be no alert."""
        if name in NO_ALERTS:
            return
        name = fitted(name, MAX_NAME)
        if name not in self._counts and len(self._counts) >= MAX_NAMES:
            name = OTHERS
        self._counts[name] = self._counts.get(name, 0) + 1

    def forget(self) -> None:
        self._counts.clear()


class Source:
    """One topic of viewer events. Its handlers are called in the reader of its connection."""

    def __init__(self, options: SourceOptions, arrivals: Arrivals) -> None:
        self.options = options
        self.types = EventTypes(options.events, options.kind_field)
        self._arrivals = arrivals
        self.most = 0
        """Bytes of an event that is read."""
        self._was_joined = False
        self._failures = 0
        self.away: SourceAway | None = None
        """Since when it is away, once it was there."""

    @property
    def name(self) -> str:
        return f"{self.options.connection} {self.options.topic}"

    def wanted(self, connections: Mapping[str, SupervisedConnection]) -> Wanted:
        options = self.options
        channel = channel_of(connections, options.connection, options.topic)
        if channel is None:
            return {}
        self.most = channel.socket.options.max_report_size
        heard = Subscription((channel, self), lambda: channel.on_message(self._message))
        return {(options.connection, options.topic, ANY_EVENT): heard}

    def _message(self, message: Message) -> None:
        event = message.event
        if event.startswith(("phx_", "presence_")):
            return
        if self.types.may_have(event):
            self._arrivals.came(self, message)
        else:
            self._arrivals.unmapped.count(event)

    def clock_was_set(self, step: float) -> None:
        if self.away is not None:
            self.away = msgspec.structs.replace(self.away, since=self.away.since + step)

    def poll(self, connections: Mapping[str, SupervisedConnection], clock: Clock) -> SourceAway | None:
        """Notice that it went or came; the time that it was away when it is back."""
        channel = channel_of(connections, self.options.connection, self.options.topic)
        joined = channel is not None and channel.state == "joined"
        if joined == self._was_joined:
            return None
        self._was_joined = joined
        now = clock.time()
        connection = connections.get(self.options.connection)
        metrics = None if connection is None else connection.socket.get_health_metrics()
        if joined:
            self._failures = 0 if metrics is None else metrics.heartbeat_failures
            away, self.away = self.away, None
            return None if away is None else SourceAway(source=self.name, since=away.since, until=now)
        since = now
        if metrics is not None and metrics.heartbeat_failures > self._failures and metrics.last_heartbeat:
            # It fell silent before it was given up: what came after the last sign of life is not known.
            since = min(now, metrics.last_heartbeat)
        self.away = SourceAway(source=self.name, since=since)
        return None
