"""What channel code of your own is written against: one object for each join."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .codec import Frame

if TYPE_CHECKING:
    from .connection import Connection
    from .hub import Hub

logger = logging.getLogger(__name__)

INBOX_LIMIT = 10_000
"""Messages that wait for one channel's handler; beyond it the connection is read no further."""

# None is a response, and a ref, of its own.
_EMPTY: Any = object()
_CURRENT: Any = object()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a push. ``status`` is "ok", "error" or any other word; bytes make a binary reply."""

    status: str = "ok"
    response: Any = field(default_factory=dict)


class Refuse(Exception):  # noqa: N818 - an outcome, not a mistake
    """Raised in :meth:`Channel.join`: the join is answered "error" with this response."""

    def __init__(self, response: Any = None) -> None:
        super().__init__(response)
        self.response = {"reason": "unauthorized"} if response is None else response


class Stop(Exception):  # noqa: N818 - an outcome, not a mistake
    """Returned or raised by :meth:`Channel.handle_in`: after the reply the channel closes (``phx_close``)."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__(reply)
        self.reply = reply


class Crash(Exception):  # noqa: N818 - an outcome, not a mistake
    """A crash that is meant: the client sees ``phx_error``, the log shows no traceback."""


class Channel:
    """One joined topic of one connection. Subclass it and register the class with :meth:`Hub.on`.

    ``join`` runs in the connection's own task, as in Phoenix: while it waits, the connection answers
    nothing, not even a heartbeat. ``after_join`` and ``handle_in`` run in the channel's own task. An
    exception in either is a crash of this channel and of nothing else.
    """

    def __init__(self, hub: Hub, connection: Connection, topic: str, frame: Frame) -> None:
        self.hub = hub
        self.connection = connection
        self.topic = topic
        self.params: Any = frame.payload
        # Phoenix falls back to the join's ref for what the channel sends, but compares incoming
        # frames with what the client really sent.
        self.sent_join_ref = frame.join_ref
        self.join_ref = frame.ref if frame.join_ref is None else frame.join_ref
        self.ref: Any = None
        """The ref of the message that is being handled; keep it to reply later."""
        self.joined = False
        self.ended = False
        self.inbox: asyncio.Queue[Frame] = asyncio.Queue(INBOX_LIMIT)
        self.task: asyncio.Task[None] | None = None
        self._children: set[asyncio.Task[None]] = set()

    # What a subclass says.

    async def join(self, params: Any) -> Any:
        """Accepts the join and returns its response. Raise :class:`Refuse` to refuse it."""
        return {}

    async def after_join(self) -> None:
        """Runs once, when the join has been answered: the place for the first pushes."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        """Answers one push; None means no answer. What a binary push carried comes as bytes."""
        raise Crash(f"{self.topic} does not know the event {event!r}")

    def terminate(self) -> None:
        """Called once when the channel ends, for whatever reason; must not wait."""

    # What a subclass uses.

    def push(self, event: str, payload: Any) -> None:
        """Sends to this client alone; bytes make a binary frame.

        Raises: RuntimeError inside ``join``; codec.NotEncodableError.
        """
        self._require_joined()
        if not self.ended:
            self.connection.send(
                self.connection.serializer.push(self.join_ref, None, self.topic, event, payload)
            )

    def reply(self, status: str = "ok", response: Any = _EMPTY, *, ref: Any = _CURRENT) -> None:
        """Answers the message being handled, or the one whose ``ref`` is given. May be called twice."""
        if not self.ended:
            self.connection.reply(
                self.join_ref,
                self.ref if ref is _CURRENT else ref,
                self.topic,
                status,
                {} if response is _EMPTY else response,
            )

    async def broadcast(self, event: str, payload: Any) -> None:
        """Sends to everyone on the topic, this client included. Raises: RuntimeError inside ``join``."""
        self._require_joined()
        await self.hub.broadcast(self.topic, event, payload)

    async def broadcast_from(self, event: str, payload: Any) -> None:
        """Sends to everyone on the topic but this client. Raises: RuntimeError inside ``join``."""
        self._require_joined()
        await self.hub.broadcast(self.topic, event, payload, without=self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` beside the handler; it is cancelled when the channel ends."""
        task = asyncio.create_task(work, name=f"channel {self.topic} work")
        self._children.add(task)
        task.add_done_callback(self._child_done)

    def stop_work(self) -> None:
        for task in self._children:
            task.cancel()

    def track(self, key: str, meta: dict[str, Any]) -> str:
        """Makes ``key`` present on the topic, which everyone is told at once. Returns its phx_ref."""
        return self.hub.presence.track(self, key, meta)

    def update_presence(self, key: str, meta: dict[str, Any]) -> str:
        """Replaces the meta of ``key``; as of :meth:`Presence.update`."""
        return self.hub.presence.update(self, key, meta)

    def presences(self) -> dict[str, Any]:
        """Everyone present on the topic, in the shape of ``presence_state``."""
        return self.hub.presence.state(self.topic)

    def _require_joined(self) -> None:
        if not self.joined:
            raise RuntimeError("push and broadcast work only after the join was answered")

    def _child_done(self, task: asyncio.Task[None]) -> None:
        self._children.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work of channel %s failed", self.topic, exc_info=error)
            self.connection.end_channel(self, "phx_error")
