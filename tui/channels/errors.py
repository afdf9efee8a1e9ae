"""What the client raises. Messages are built from place, kind and expectation, never from a secret."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.channels.wire import DecodeError, Reply
from tui.text.secret_values import masked

_MOST_STATUS = 100
_MOST_DESCRIBED = 64 * 1024
"""Bytes of a response that is decoded for its words; of a larger one they are its beginning."""


class ChannelsError(Exception):
    """The root of everything that the client raises for what a server or a network did."""


class NotConnectedError(ChannelsError):
    """The socket is disconnected, or the connection went while an answer was awaited."""


class ReplyError(ChannelsError):
    """The server answered a join, a push or a leave with a status other than ``ok``.

    Attributes:
        status: the status as the server sent it, ``"error"`` as a rule; at most 100 characters.
        message: the response in words.
        reply: what it answered, undecoded.
    """

    def __init__(self, what: str, reply: Reply) -> None:
        self.status = masked(reply.status[:_MOST_STATUS])
        self.message = words_of(reply)
        super().__init__(f"{what}: {self.status}: {self.message}")
        self.reply = reply

    @property
    def response(self) -> Any:
        """The response, any JSON value or bytes.

        Raises:
            DecodeError: it does not decode.
        """
        return self.reply.response


class ReplyTimeout(ChannelsError, TimeoutError):  # noqa: N818 (a TimeoutError by name and by nature)
    """No answer within the time given."""


class PushDropped(ChannelsError):  # noqa: N818 (what happened, in phoenix.js's words)
    """The push buffer was full and this push was the oldest in it."""


class ChannelClosed(ChannelsError):  # noqa: N818 (what happened)
    """The channel was left, or closed by the server; it does not rejoin by itself."""


class OpenError(ChannelsError):
    """A connection could not be opened. The message is safe to show.

    Attributes:
        refusal: True for 401 and 403, which need a person.
        retry_after: seconds that the server asked for (429, 503), or None.
    """

    def __init__(self, message: str, *, refusal: bool = False, retry_after: float | None = None) -> None:
        super().__init__(masked(message))
        self.refusal = refusal
        self.retry_after = retry_after


def words_of(reply: Reply) -> str:
    """A reply's response in words, whatever its size."""
    if not reply.binary and len(reply.raw) <= _MOST_DESCRIBED:
        try:
            return describe(reply.response)
        except DecodeError as error:
            return f"a response that does not decode: {error}"
    head = reply.raw[:1000]
    return describe(head if reply.binary else head.decode(errors="replace"))


def describe(response: Any, limit: int = 200) -> str:
    """A refusal's reason in words: its ``reason`` or ``error.message`` where it has one, else the value."""
    if isinstance(response, dict):
        reason = response.get("reason")
        if reason is None and isinstance(response.get("error"), dict):
            error = response["error"]
            reason = error.get("message", error.get("code"))
        if reason is None:
            reason = response.get("message")
        if isinstance(reason, str):
            response = reason
    if isinstance(response, bytes):
        text = response.hex()
    else:
        text = response if isinstance(response, str) else msgspec.json.encode(response).decode()
    return masked(text if len(text) <= limit else text[: limit - 1] + "…")
