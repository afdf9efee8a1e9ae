"""The pushes of one channel that wait until they can be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from tui.channels.errors import ChannelsError, NotConnectedError, PushDropped, ReplyTimeout
from tui.channels.options import Options
from tui.channels.push import Push, Pusher

_encode = msgspec.json.Encoder().encode


class PushBuffer:
    """In order, at most ``push_buffer``; beyond it the oldest is dropped."""

    def __init__(self, channel: Pusher, options: Options) -> None:
        self._channel = channel
        self._options = options
        self._held: deque[Push] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, event: str, payload: Any, timeout: float) -> Push:
        """As of :meth:`tui.channels.channel.Channel.push`, for later."""
        if isinstance(payload, (bytes, bytearray, memoryview)):
            if self._options.protocol_version == 1:
                raise ValueError("protocol version 1 has no binary frames")
            held: Any = bytes(payload)
        else:
            # Encoded now: what cannot be sent is told at once, and later changes do not reach it.
            held = msgspec.Raw(_encode(payload))
        push = Push(self._channel, event, held, timeout)
        self._held.append(push)
        if len(self._held) > self._options.push_buffer:
            self.dropped += 1
            self._held.popleft().end(PushDropped(f"{self._channel.topic}: the push buffer is full"))
        return push

    def withdraw(self, push: Push) -> None:
        """Take one out, so that it is never sent."""
        if push in self._held:
            self._held.remove(push)

    def flush(self, send: Callable[[Push], None], may_send: Callable[[], bool]) -> None:
        """Send what waits, in order, as long as that can be."""
        while self._held and may_send():
            push = self._held.popleft()
            if push.deadline <= self._channel.socket.now():
                push.end(ReplyTimeout(f"{push.what}: not sent in its time"))
                continue
            try:
                send(push)
            except ValueError as error:
                push.end(ChannelsError(f"{push.what}: {error}"))
            except NotConnectedError:
                self._held.appendleft(push)
                return

    def end(self, error: ChannelsError) -> None:
        """End all of them."""
        while self._held:
            self._held.popleft().end(error)
