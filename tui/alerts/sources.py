"""Where viewer events come from: topics of the settings, and since when one is away."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tui.alerts.events import ANY_EVENT, EventTypes
from tui.alerts.options import SourceOptions
from tui.channels import Message
from tui.channels.clock import Clock
from tui.connections.connection import SupervisedConnection
from tui.connections.subscriptions import Subscription, Wanted, channel_of
from tui.model.alerts import SourceAway


class Source:
    """One topic of viewer events. Its handlers are called in the reader of its connection.

    Args:
        came: takes each event of the source that may be an alert.
        unmapped: takes the name of each other one.
    """

    def __init__(
        self,
        options: SourceOptions,
        came: Callable[[Source, Message], None],
        unmapped: Callable[[str], None],
    ) -> None:
        self.options = options
        self.types = EventTypes(options.events, options.kind_field)
        self._came = came
        self._unmapped = unmapped
        self.most = 0
        """Bytes of an event that is read."""
        self._was_joined = False
        self._failures = 0
        self.away: SourceAway | None = None
        """Since when it is away, once it was there."""

    @property
    def name(self) -> str:
        """Its connection and topic."""
        return f"{self.options.connection} {self.options.topic}"

    def wanted(self, connection: SupervisedConnection | None) -> Wanted:
        """What it listens to."""
        options = self.options
        channel = channel_of({} if connection is None else {"": connection}, "", options.topic)
        if connection is None or channel is None:
            return {}
        self.most = connection.socket.options.max_report_size
        heard = Subscription((channel, self), lambda: channel.on_message(self._message))
        return {(options.connection, options.topic, ANY_EVENT): heard}

    def _message(self, message: Message) -> None:
        event = message.event
        if event.startswith(("phx_", "presence_")):
            return
        if self.types.may_have(event):
            self._came(self, message)
        else:
            self._unmapped(event)

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds, back where they are negative."""
        if self.away is not None:
            self.away = msgspec.structs.replace(self.away, since=self.away.since + step)

    def poll(self, connection: SupervisedConnection | None, clock: Clock) -> SourceAway | None:
        """Notice that it went or came; the time that it was away when it is back."""
        channel = channel_of({} if connection is None else {"": connection}, "", self.options.topic)
        joined = channel is not None and channel.state == "joined"
        if joined == self._was_joined:
            return None
        self._was_joined = joined
        now = clock.time()
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
