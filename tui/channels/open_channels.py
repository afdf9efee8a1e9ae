"""The channels of one socket, by topic."""

from __future__ import annotations

from tui.channels.channel import Channel


class OpenChannels:
    """Those that are not closed, and those that a server closed, which the next connection may open."""

    __slots__ = ("_gone_messages", "_gone_pushes", "by_topic", "closed_by_server")

    def __init__(self) -> None:
        self.by_topic: dict[str, Channel] = {}
        self.closed_by_server: dict[str, Channel] = {}
        self._gone_messages = self._gone_pushes = 0  # dropped by channels that are gone

    @property
    def all(self) -> tuple[Channel, ...]:
        return (*self.by_topic.values(), *self.closed_by_server.values())

    @property
    def dropped_messages(self) -> int:
        """From the handler queues of all channels that there were."""
        return self._gone_messages + sum(each.dropped_messages for each in self.by_topic.values())

    @property
    def dropped_pushes(self) -> int:
        """From their full push buffers."""
        return self._gone_pushes + sum(each.dropped_pushes for each in self.by_topic.values())

    def add(self, channel: Channel) -> None:
        """From now on ``channel`` has its topic; another one that had it is closed."""
        other = self.by_topic.get(channel.topic)
        if other is not None and other is not channel:
            other.replaced_by(channel)
        self.closed_by_server.pop(channel.topic, None)
        self.by_topic[channel.topic] = channel
        self._gone_messages -= channel.dropped_messages
        self._gone_pushes -= channel.dropped_pushes

    def remove(self, channel: Channel, *, for_good: bool) -> None:
        """A channel closed, for good or until the next connection."""
        if self.by_topic.get(channel.topic) is channel:
            del self.by_topic[channel.topic]
            self._gone_messages += channel.dropped_messages
            self._gone_pushes += channel.dropped_pushes
            if not for_good:
                self.closed_by_server[channel.topic] = channel
        elif for_good and self.closed_by_server.get(channel.topic) is channel:
            del self.closed_by_server[channel.topic]
