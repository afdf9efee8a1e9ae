"""A push under way, from the call to its reply."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator
from typing import Any, Protocol

import msgspec

from tui.channels.answer import Answer
from tui.channels.errors import ChannelClosed, ChannelsError, NotConnectedError, ReplyError, ReplyTimeout
from tui.channels.wire import DecodeError, Message, Reply, decode_reply

_UNMATCHED = "unmatched topic"


class Awaiting(Protocol):
    """Who awaits the reply to one ref."""

    def replied(self, message: Message) -> None:
        """The reply came."""

    def connection_lost(self, words: str) -> None:
        """The connection went before the reply."""


class JoinReply:
    """Awaits the reply to one join."""

    def __init__(self, on_reply: Callable[[Message], None]) -> None:
        self.replied = on_reply

    def connection_lost(self, words: str) -> None:
        """The socket tells the channel itself."""


class LeaveReply:
    """Awaits the reply to one leave; whatever it says, the channel is left.

    It may come when the channel was joined again already, and then says nothing of that join.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end

    def replied(self, message: Message) -> None:
        """The reply came."""
        self._on_end()

    def connection_lost(self, words: str) -> None:
        """It never comes."""
        self._on_end()


class Awaited(Protocol):
    """What is to be told that nobody awaits a reply any more."""

    def forget(self, ref: str) -> None: ...


class Carrier(Protocol):
    """What a push needs of its socket."""

    @property
    def replies(self) -> Awaited: ...

    def now(self) -> float: ...


class Pusher(Protocol):
    """What a push needs of its channel."""

    @property
    def topic(self) -> str: ...
    @property
    def socket(self) -> Carrier: ...

    def withdraw(self, push: Push) -> None: ...
    def lost_by_server(self, words: str) -> None: ...


class Response(Answer[Any]):
    """What a server answers; await it for the response, which is decoded then, or ``reply()`` for both."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        """What is answered, in words, for errors."""

    def _wait(self) -> Generator[object, None, Reply]:
        reply: Reply = yield from super().__await__()
        return reply

    @types.coroutine
    def reply(self) -> Generator[object, None, Reply]:
        """The reply as it came: for whoever does not want the response built, whatever its size."""
        return (yield from self._wait())

    def __await__(self) -> Generator[object, None, Any]:
        reply = yield from self._wait()
        try:
            return reply.response
        except DecodeError as error:
            raise undecodable(self.what, error) from None


def undecodable(what: str, error: DecodeError) -> ReplyError:
    """The error for an answer that cannot be read."""
    return ReplyError(what, Reply("undecodable", msgspec.json.encode(str(error))))


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

    def __init__(self, channel: Pusher, event: str, payload: Any, timeout: float) -> None:
        super().__init__(f"push of {event} on {channel.topic}")
        self.channel = channel
        self._ref: str | None = None
        self.event = event
        self.payload = payload
        # The timer stands still while the machine sleeps, this does not.
        self.deadline = channel.socket.now() + timeout
        self._timer = asyncio.get_running_loop().call_later(timeout, self._time_out, timeout)

    def sent(self, ref: str) -> None:
        """It went out under ``ref``."""
        self._ref = ref

    @property
    def was_sent(self) -> bool:
        """It went out; else no server has it."""
        return self._ref is not None

    def take_back(self) -> None:
        """Nobody wants it any more: if it was not sent yet, it never will be."""
        if not self.was_sent:
            self.channel.withdraw(self)
            self.end(ChannelClosed(f"{self.what}: taken back"))

    def replied(self, message: Message) -> None:
        """The reply came."""
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
        """The connection went while the reply was awaited."""
        self.end(NotConnectedError(f"{self.what}: {words}; it may or may not have arrived"))

    def end(self, error: ChannelsError) -> None:
        """End it with ``error`` and forget it everywhere."""
        self._timer.cancel()
        if self._ref is not None:
            self.channel.socket.replies.forget(self._ref)
        self.fail(error)

    def _time_out(self, timeout: float) -> None:
        self.channel.withdraw(self)
        self.end(ReplyTimeout(f"{self.what}: no answer within {timeout:g} s"))

    def _wait(self) -> Generator[object, None, Reply]:
        try:
            return (yield from super()._wait())
        except asyncio.CancelledError:
            # Nobody wants it any more: if it was not sent yet, it will not be.
            self.channel.withdraw(self)
            self.end(ChannelClosed(f"{self.what}: cancelled"))
            raise
