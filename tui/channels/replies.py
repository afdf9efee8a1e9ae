"""What a server has yet to answer, and what holds its answers up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tui.channels.clock import Clock
from tui.channels.errors import ChannelsError
from tui.channels.push import Push
from tui.channels.wire import Message

if TYPE_CHECKING:
    from tui.channels.channel import Channel


class ChannelReply(NamedTuple):
    """Awaits the reply to a join or a leave. That the connection went the socket tells the channel itself."""

    replied: Callable[[Message], None]
    is_join: bool


class Replies:
    """Of one socket, by ref.

    Args:
        join_timeout: seconds that a server may need for a join, and answers nothing else.
    """

    __slots__ = ("_clock", "_drain", "_join_timeout", "_wake", "awaited", "holding_up", "last_join_answer")

    def __init__(self, join_timeout: float, clock: Clock, wake: Callable[[], None]) -> None:
        self._join_timeout = join_timeout
        self._clock = clock
        self._wake = wake
        self._drain = ""
        self.awaited: dict[str, Push | ChannelReply] = {}
        self.holding_up: dict[str, float] = {}
        """Since when, the latest last."""
        self.last_join_answer = 0.0

    def expect(self, ref: str, awaiting: Push | ChannelReply) -> None:
        self.awaited[ref] = awaiting
        if isinstance(awaiting, ChannelReply) and awaiting.is_join:
            self.holding_up[ref] = self._clock.monotonic()
            self._wake()

    def forget(self, ref: str) -> None:
        self.awaited.pop(ref, None)
        self.holding_up.pop(ref, None)

    def drains(self, ref: str, now: float) -> None:
        """Bytes leave while others wait to: until all of it is gone it holds up every answer, as a join does.
        Nothing else has that ``ref``."""
        self.holding_up.pop(self._drain, None)
        self._drain = ref
        self.holding_up[ref] = now

    def allowance(self, now: float) -> float:
        """Seconds that a heartbeat must be given at least: a server answers nothing while a join runs."""
        latest = next(reversed(self.holding_up.values()), None)
        if latest is None or now >= max(latest, self.last_join_answer) + 2 * self._join_timeout:
            return 0.0
        return self._join_timeout

    def came(self, message: Message) -> None:
        """A reply that is of no heartbeat. A second one to one ref, or one to a push that timed out, finds
        nobody."""
        ref = message.ref
        if not isinstance(ref, str):
            return
        self.holding_up.pop(ref, None)
        awaiting = self.awaited.pop(ref, None)
        if isinstance(awaiting, ChannelReply) and awaiting.is_join:
            self.last_join_answer = self._clock.monotonic()
        if awaiting is not None:
            awaiting.replied(message)

    def heartbeat_answered(self, ref: str) -> None:
        """Answers come in order: what was sent before this heartbeat holds up nothing any more."""
        self.holding_up = {other: at for other, at in self.holding_up.items() if int(other) > int(ref)}

    def fail_pushes(self, channel: Channel, error: ChannelsError) -> None:
        for awaiting in list(self.awaited.values()):
            if isinstance(awaiting, Push) and awaiting.channel is channel:
                awaiting.end(error)

    def connection_lost(self, words: str) -> None:
        awaited, self.awaited = self.awaited, {}
        for awaiting in awaited.values():
            if isinstance(awaiting, Push):
                awaiting.connection_lost(words)
