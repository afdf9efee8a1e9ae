"""One client's connection: its frames, one after another, in one task, as Phoenix's transport process."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from .channel import Channel, Crash, Refuse, Reply, Stop
from .codec import Frame, MalformedError, Serializer, Wire

if TYPE_CHECKING:
    from .hub import Hub
    from .transport import Carrier

logger = logging.getLogger(__name__)

UNMATCHED = {"reason": "unmatched topic"}
CRASHED = {"reason": "channel_crash"}


def same_ref(one: Any, other: Any) -> bool:
    """Whether two refs are the same JSON value: Phoenix holds "1" and 1 apart."""
    return type(one) is type(other) and bool(one == other)


@dataclass(eq=False, repr=False)
class Connection:
    """A live, upgraded connection of a :class:`Hub`."""

    hub: Hub
    transport: Carrier
    params: dict[str, str]
    """The query of the upgrade request, ``vsn`` included."""
    headers: Headers
    serializer: Serializer
    channels: dict[str, Channel] = field(default_factory=dict, init=False)
    _joining: asyncio.Task[Any] | None = field(default=None, init=False)

    @property
    def id(self) -> str | None:
        """What :meth:`Hub.disconnect` knows it by."""
        return self.params.get("id")

    def __repr__(self) -> str:
        return f"<Connection {self.id or id(self)} v{self.serializer.version} {sorted(self.channels)}>"

    def close(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        """Begins the closing handshake; the connection is dropped if it takes longer than 0.5 s."""
        self.transport.begin_close(code)

    def abort(self, *, reset: bool = False) -> None:
        self.transport.abort(reset=reset)

    def send(self, wire: Wire) -> None:
        """Sends one encoded message; nothing once the connection is closing."""
        self.transport.write_message(wire.data, text=wire.text)

    def reply(self, join_ref: Any, ref: Any, topic: Any, status: str, response: Any) -> None:
        """Raises: codec.NotEncodableError."""
        self.send(self.serializer.reply(join_ref, ref, topic, status, response))

    async def run(self) -> None:
        try:
            while True:
                message = await self.transport.recv()
                await self.hub.faults.thawed.wait()
                if not self.transport.is_open:
                    continue
                try:
                    frame = self.serializer.decode(message)
                    if frame.event == "phx_join" and isinstance(frame.payload, bytes):
                        raise MalformedError("a binary join")
                except MalformedError as error:
                    logger.debug("closing a connection: %s", error)
                    self.close(CloseCode.INTERNAL_ERROR)
                    continue
                self.hub.note_received(self, frame)
                await self._dispatch(frame)
        except ConnectionClosed:
            pass  # the ordinary end of a connection
        finally:
            for channel in list(self.channels.values()):
                self.end_channel(channel, None)

    def lost(self) -> None:
        """Called when the TCP connection is gone: a join that is still running ends with it."""
        if self._joining is not None:
            self._joining.cancel()

    async def _dispatch(self, frame: Frame) -> None:
        topic, event = frame.topic, frame.event
        channel = self.channels.get(topic) if isinstance(topic, str) else None
        if topic == "phoenix" and event == "heartbeat":
            self.reply(None, frame.ref, topic, "ok", {})
        elif event == "phx_join":
            await self._join(frame)
        elif channel is None:
            if event == "phx_leave":
                self.reply(frame.join_ref, frame.ref, topic, "ok", {})
            else:
                self.reply(None, frame.ref, topic, "error", UNMATCHED)
        elif frame.join_ref is None or same_ref(frame.join_ref, channel.sent_join_ref):
            # A frame with a join_ref that is not the channel's own is dropped without an answer.
            await channel.inbox.put(frame)

    async def _join(self, frame: Frame) -> None:
        topic = frame.topic
        channel_class = self.hub.channel_class(topic)
        if channel_class is None:
            self.reply(None, frame.ref, topic, "error", UNMATCHED)
            return
        old = self.channels.get(topic)
        if old is None and len(self.channels) >= self.hub.max_channels:
            self._answer_join(frame, Reply("error", {"reason": "too many channels joined"}))
            return
        if old is not None:
            self.end_channel(old, None)
        self.hub.join_attempts[topic] += 1
        channel = channel_class(self.hub, self, topic, frame)
        reply = await self._ask(channel)
        if reply is None:
            return
        if reply.status == "ok":
            self._start(channel)
        self._answer_join(frame, reply)
        if old is not None:
            # Phoenix's order: the new join's reply, then the close of the old join_ref.
            self._send_ending(old, "phx_close")

    async def _ask(self, channel: Channel) -> Reply | None:
        """Runs the channel's join here, so that everything else on the connection waits for it."""

        async def join() -> Any:
            await self.hub.faults.before_join(channel.topic)
            return await channel.join(channel.params)

        self._joining = asyncio.create_task(join(), name=f"join {channel.topic}")
        try:
            await asyncio.wait([self._joining])
        finally:
            task, self._joining = self._joining, None
            task.cancel()
        if task.cancelled():
            return None  # the connection went away meanwhile
        error = task.exception()
        if error is None:
            return Reply("ok", task.result())
        if isinstance(error, Refuse):
            return Reply("error", error.response)
        if not isinstance(error, Crash):
            logger.error("join of %s crashed", channel.topic, exc_info=error)
        return Reply("error", {"reason": "join crashed"})

    def _answer_join(self, frame: Frame, reply: Reply) -> None:
        self.reply(frame.join_ref, frame.ref, frame.topic, reply.status, reply.response)

    def _start(self, channel: Channel) -> None:
        if self.transport.is_closed:
            return
        channel.joined = True
        self.channels[channel.topic] = channel
        self.hub.subscribe(channel)
        channel.task = asyncio.create_task(self._run_channel(channel), name=f"channel {channel.topic}")

    async def _run_channel(self, channel: Channel) -> None:
        """The channel's own process: what it does wrong ends it, and nothing else."""
        try:
            await channel.after_join()
            while True:
                frame = await channel.inbox.get()
                await self.hub.faults.thawed.wait()
                channel.ref = frame.ref
                if frame.event == "phx_leave":
                    channel.reply()
                    break
                outcome = await channel.handle_in(frame.event, frame.payload)
                if isinstance(outcome, Stop):
                    raise outcome
                if outcome is not None:
                    channel.reply(outcome.status, outcome.response)
        except Stop as stop:
            if stop.reply is not None:
                channel.reply(stop.reply.status, stop.reply.response)
        except Crash as crash:
            logger.debug("%s", crash)
            self.end_channel(channel, "phx_error")
        except Exception:
            logger.exception("channel %s crashed", channel.topic)
            self.end_channel(channel, "phx_error")
        self.end_channel(channel, "phx_close")

    def end_channel(self, channel: Channel, event: str | None) -> None:
        """Ends a channel once: ``phx_close``, ``phx_error`` or, with None, without a word."""
        if channel.ended:
            return
        channel.ended = True
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
        self.hub.unsubscribe(channel)
        if event is not None:
            self._send_ending(channel, event)
        channel.stop_work()
        if channel.task is not None and channel.task is not asyncio.current_task():
            channel.task.cancel()
        self.hub.presence.forget(channel)
        try:
            channel.terminate()
        except Exception:
            logger.exception("terminate of channel %s failed", channel.topic)

    def _send_ending(self, channel: Channel, event: str) -> None:
        # The join_ref stands in the place of the ref too. In version 1, where nothing has a join_ref
        # of its own, both are null.
        reference = channel.sent_join_ref
        payload = CRASHED if event == "phx_error" else {}
        self.send(self.serializer.push(reference, reference, channel.topic, event, payload))
