"""Pushes: one from the call to its reply, and those of a channel that wait until they can be sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import msgspec

from tui.channels.answer import Response, undecodable
from tui.channels.errors import (
    ChannelClosed,
    ChannelsError,
    NotConnectedError,
    PushDropped,
    ReplyError,
    ReplyTimeout,
)
from tui.channels.wire import DecodeError, Message, Reply, decode_reply

if TYPE_CHECKING:
    from tui.channels.channel import Channel

_UNMATCHED = "unmatched topic"

_encode = msgspec.json.Encoder().encode


class Push(Response):
    """A push under way; await it for the response.

    Raises, where it is awaited:
        ReplyError: the server answered with another status than ``ok``.
        ReplyTimeout: no answer in time; if it was still buffered it will never be sent.
        NotConnectedError: the connection went after it was sent; nobody knows whether it arrived.
        PushDropped: it was the oldest in a full buffer.
        ChannelClosed: the channel was left or closed first.
    """

    __slots__ = ("_ref", "_timer", "channel", "deadline", "event", "payload")

    def __init__(self, channel: Channel, event: str, payload: Any, timeout: float) -> None:
        super().__init__(f"push of {event} on {channel.topic}")
        self.channel = channel
        self._ref: str | None = None
        self.event = event
        self.payload = payload
        # The timer stands still while the machine sleeps, this does not.
        self.deadline = channel.socket.now() + timeout
        self._timer = asyncio.get_running_loop().call_later(timeout, self._time_out, timeout)

    @property
    def was_sent(self) -> bool:
        """It went out; else no server has it."""
        return self._ref is not None

    def take_back(self) -> None:
        """Nobody wants it any more: if it was not sent yet, it never will be."""
        if not self.was_sent:
            self._withdraw(ChannelClosed(f"{self.what}: taken back"))

    def send(self) -> None:
        socket = self.channel.socket
        ref = socket.next_ref()
        socket.send(self.channel.join_ref, ref, self.channel.topic, self.event, self.payload)
        self._ref, self.payload = ref, None
        socket.replies.expect(ref, self)

    def replied(self, message: Message) -> None:
        self._timer.cancel()
        try:
            reply = decode_reply(message)
        except DecodeError as error:
            self.fail(undecodable(self.what, error))
            return
        if reply.status == "ok":
            self.succeed(reply)
            return
        refused = ReplyError(self.what, reply)
        self.fail(refused)
        # Phoenix says so of a topic that it has not joined: the server lost the channel.
        if message.join_ref is None and refused.message == _UNMATCHED:
            self.channel.lost_by_server(_UNMATCHED)

    def connection_lost(self, words: str) -> None:
        self.end(NotConnectedError(f"{self.what}: {words}; it may or may not have arrived"))

    def end(self, error: ChannelsError) -> None:
        """End it with ``error`` and forget it everywhere."""
        self._timer.cancel()
        if self._ref is not None:
            self.channel.socket.replies.forget(self._ref)
        self.fail(error)

    def _withdraw(self, error: ChannelsError) -> None:
        self.channel.held.withdraw(self)
        self.end(error)

    def _time_out(self, timeout: float) -> None:
        self._withdraw(ReplyTimeout(f"{self.what}: no answer within {timeout:g} s"))

    def _wait(self) -> Generator[object, None, Reply]:
        try:
            return (yield from super()._wait())
        except asyncio.CancelledError:
            self._withdraw(ChannelClosed(f"{self.what}: cancelled"))
            raise


class PushBuffer:
    """The pushes of one channel that wait, in order, at most ``push_buffer``; beyond it the oldest is
    dropped."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._held: deque[Push] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, event: str, payload: Any, timeout: float) -> Push:
        options = self._channel.socket.options
        if isinstance(payload, (bytes, bytearray, memoryview)):
            if options.protocol_version == 1:
                raise ValueError("protocol version 1 has no binary frames")
            held: Any = bytes(payload)
        else:
            # Encoded now: what cannot be sent is told at once, and later changes do not reach it.
            held = msgspec.Raw(_encode(payload))
        push = Push(self._channel, event, held, timeout)
        self._held.append(push)
        if len(self._held) > options.push_buffer:
            self.dropped += 1
            self._held.popleft().end(PushDropped(f"{self._channel.topic}: the push buffer is full"))
        return push

    def withdraw(self, push: Push) -> None:
        if push in self._held:
            self._held.remove(push)

    def flush(self) -> None:
        """Send what waits, in order, as long as that can be."""
        while self._held and self._channel.can_push:
            push = self._held.popleft()
            if push.deadline <= self._channel.socket.now():
                push.end(ReplyTimeout(f"{push.what}: not sent in its time"))
                continue
            try:
                push.send()
            except ValueError as error:
                push.end(ChannelsError(f"{push.what}: {error}"))
            except NotConnectedError:
                self._held.appendleft(push)
                return

    def end(self, error: ChannelsError) -> None:
        while self._held:
            self._held.popleft().end(error)
