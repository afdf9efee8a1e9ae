"""One topic of a socket: joins, leaves, pushes, and the handlers of what comes on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from tui.channels import values
from tui.channels.answer import Answer, Response, fail, succeed, undecodable
from tui.channels.backoff import BackOff
from tui.channels.earlier_joins import EarlierJoins
from tui.channels.errors import ChannelClosed, ChannelsError, NotConnectedError, ReplyError, ReplyTimeout
from tui.channels.handlers import Handler, Handlers
from tui.channels.health import ChannelState
from tui.channels.push import Push, PushBuffer
from tui.channels.replies import ChannelReply
from tui.channels.wire import DecodeError, Message, Reply, decode_reply

if TYPE_CHECKING:
    from tui.channels.socket import Socket

CRASHED = "the channel crashed on the server"
CLOSED_BY_SERVER = "closed by the server"

_encode = msgspec.json.Encoder().encode
_LAST_KEPT = 4096
_LIFECYCLE = frozenset(("phx_close", "phx_error"))


class Channel:
    """A topic and everything that survives reconnects: handlers, join parameters, unsent pushes.

    Get one from :meth:`Socket.channel`. Once joined it is joined again after every reconnect,
    refusal, time-out and crash, with the connection's back-off, until it is left. One that the
    server closes stays closed on that connection and is joined once more on the next.
    """

    def __init__(self, socket: Socket, topic: str, params: Any) -> None:
        self.socket = socket
        self.topic = topic
        self.params = params
        self.state: ChannelState = "closed"
        self.reason: str | None = None
        """Why it is not joined, in words; None while it is."""
        self.joins = 0
        """Joins that the server answered with ok."""
        self.received = 0
        """Messages of the server's own, replies not counted."""
        self.last: Message | None = None
        """The last of them; of a large one the first 4,096 characters of event and bytes of payload."""
        self.last_size = 0
        """Bytes of its whole payload."""

        self._handlers = Handlers(topic, socket.options, socket.mistakes)
        self._back_off = BackOff(socket.options, socket.random_source)
        self._failures = 0
        self.join_ref: str | None = None
        """Of the join that stands or is under way."""
        self._join_sent_at: float | None = None
        self._earlier = EarlierJoins(socket.replies.forget, is_version_1=socket.options.protocol_version == 1)
        self._join_timeout = socket.options.join_timeout
        self._joined_at = 0.0
        self._rejoin_at: float | None = None
        self._answers: list[Answer[Any]] = []
        self._leave_answers: list[Answer[None]] = []
        self._leave_ref: str | None = None
        self._leave_timer: asyncio.TimerHandle | None = None
        self.held = PushBuffer(self)

    def __repr__(self) -> str:
        return f"<Channel {self.topic} {self.state}>"

    # What a user of the channel asks

    @property
    def can_push(self) -> bool:
        """A push would be sent at once."""
        return self.state == "joined" and self.socket.is_open and self.socket.writable

    @property
    def buffered(self) -> int:
        """Pushes that wait for the join."""
        return len(self.held)

    @property
    def dropped_pushes(self) -> int:
        """Pushes dropped from the full buffer."""
        return self.held.dropped

    @property
    def dropped_messages(self) -> int:
        """Messages dropped from the full handler queue."""
        return self._handlers.dropped

    @property
    def waiting_messages(self) -> int:
        """Messages that wait for an async handler."""
        return self._handlers.waiting

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call ``handler`` with each :class:`Message` of ``event``; returns what unsubscribes it.

        Beside the server's events there are ``phx_join`` (after every join, with the join's
        response as payload: the place to ask for state anew), ``phx_error`` and ``phx_close``.
        """
        return self._handlers.on(event, handler)

    def on_message(self, handler: Callable[[Message], object]) -> Callable[[], None]:
        """Call a plain ``handler`` with every message of the topic, those above too; returns what
        unsubscribes it."""
        return self._handlers.on_message(handler)

    def off(self, event: str, handler: Handler | None = None) -> None:
        """Remove every handler of ``event``, or ``handler`` alone."""
        self._handlers.off(event, handler)

    def join(self, timeout: float | None = None) -> Response:
        """Join, and stay joined from now on. Await it for the first answer's response.

        Args:
            timeout: seconds for this first answer, the wait for a connection included;
                ``join_timeout`` unless given.

        Raises:
            RuntimeError: the channel is joined or joining already.
            ReplyError: (awaited) refused; the channel goes on trying.
            ReplyTimeout: (awaited) no answer yet; the channel goes on trying.
            ChannelClosed: (awaited) left or closed before an answer.
        """
        if self.state not in ("closed", "leaving"):
            raise RuntimeError(f"join of {self.topic} was asked for already; a channel joins once")
        answer = Response(f"join of {self.topic}")
        limit = self.socket.options.join_timeout if timeout is None else timeout
        self._join_timeout = limit
        timer = asyncio.get_running_loop().call_later(
            limit,
            answer.fail,
            ReplyTimeout(f"join of {self.topic}: no answer within {limit:g} s, still trying"),
        )
        answer.then(timer.cancel)
        if self.state == "leaving":
            if self._join_sent_at is None:
                self._expect_close()
            self.left()
        self._answers.append(answer)
        self._failures = 0
        self.state = "joining"
        self.reason = "not connected"
        self.socket.opened.add(self)
        if self.socket.is_open:
            self._begin_join()
        return answer

    def leave(self, timeout: float | None = None) -> Answer[None]:
        """Leave and stay left. Await it for the server's answer; by ``push_timeout`` it has ended."""
        answer: Answer[None] = Answer()
        if self.state == "closed":
            if self.reason == CLOSED_BY_SERVER:
                self.reason = "left"
                self.socket.opened.remove(self, for_good=True)
            answer.succeed(None)
            return answer
        self._leave_answers.append(answer)
        if self.state == "leaving":
            return answer
        sent = self._join_sent_at is not None or self.state == "joined"
        self.held.end(ChannelClosed(f"{self.topic} was left"))
        if not (sent and self.socket.is_open):
            self.left()
            return answer
        self.state = "leaving"
        limit = self.socket.options.push_timeout if timeout is None else timeout
        self._leave_timer = asyncio.get_running_loop().call_later(limit, self.left)
        self._leave_ref = self._send_leave()
        self.socket.replies.expect(
            self._leave_ref, ChannelReply(partial(self._leave_replied, self.join_ref), False)
        )
        return answer

    def push(self, event: str, payload: Any = None, *, timeout: float | None = None) -> Push:
        """Send ``event``, at once if joined, else after the join; await it for the response.

        Args:
            payload: anything JSON can say (``{}`` unless given), or bytes for a binary frame.
            timeout: seconds, the time in the buffer included; ``push_timeout`` unless given.

        Raises:
            ChannelClosed: the channel was never joined, or left.
            TypeError: the payload is nothing that JSON can say.
            ValueError: bytes on protocol version 1, or a name too long for a binary frame.
        """
        if self.state in ("closed", "leaving"):
            raise ChannelClosed(f"push of {event} on {self.topic}: join the channel first")
        if payload is None:
            payload = {}
        limit = self.socket.options.push_timeout if timeout is None else timeout
        if self.can_push and not self.held:
            push = Push(self, event, payload, limit)
            try:
                push.send()
                return push
            except BaseException as error:
                push.end(ChannelClosed("not sent"))
                if not isinstance(error, NotConnectedError):
                    raise
        return self.held.hold(event, payload, limit)

    # Joining

    def _begin_join(self) -> None:
        self._earlier.forget()
        self.state = "joining"
        self.reason = "joining"
        self._rejoin_at = None
        self.join_ref = join_ref = self.socket.next_ref()
        self._join_sent_at = None
        if values.is_plain(self.params):
            self._send_join(join_ref, self.params)
        else:
            self.socket.spawn(self._ask_and_join(join_ref), f"join of {self.topic}")

    async def _ask_and_join(self, join_ref: str) -> None:
        try:
            params = await values.payload_within(
                self._join_timeout, self.params, f"join parameters of {self.topic}"
            )
        except ChannelsError as error:
            if self.join_ref == join_ref and self.state == "joining":
                self._join_failed(str(error), error)
            return
        if self.join_ref == join_ref and self.state == "joining" and self.socket.is_open:
            self._send_join(join_ref, params)
            self.socket.wake()

    def _send_join(self, join_ref: str, params: Any) -> None:
        try:
            self.socket.send(join_ref, join_ref, self.topic, "phx_join", {} if params is None else params)
        except NotConnectedError:
            return  # the socket is about to tell everyone, and joins again when it is back
        except (TypeError, ValueError, RecursionError):
            error = ChannelsError(f"join of {self.topic}: its parameters are nothing that JSON can say")
            self._join_failed(str(error), error)
            return
        self._join_sent_at = self.socket.now()
        self._earlier.sent(join_ref)
        reply = ChannelReply(partial(self._join_replied, join_ref), is_join=True)
        self.socket.replies.expect(join_ref, reply)

    def _join_replied(self, join_ref: str, message: Message) -> None:
        """The server answered a join; an answer to an earlier one only says that its end will follow."""
        current = join_ref == self.join_ref and self.state == "joining"
        self._earlier.answered(join_ref)
        try:
            reply = decode_reply(message)
        except DecodeError as error:
            self.socket.mistakes.payload_undecodable(self.topic, "phx_reply", error)
            if current:
                failed = undecodable(f"join of {self.topic}", error)
                self._join_failed("the answer to the join does not decode", failed)
            return
        if not current:
            if reply.status == "ok":
                self._expect_close()
            return
        if reply.status != "ok":
            refused = ReplyError(f"join of {self.topic}", reply)
            self._join_failed(f"join refused: {refused.message}", refused, reply)
            return
        self.state = "joined"
        self.reason = None
        self.joins += 1
        self._joined_at = self.socket.now()
        self._join_sent_at = None
        succeed(self._answers, reply)
        self.held.flush()
        self._note("phx_join", reply)

    def _expect_close(self) -> None:
        if self.socket.is_open:
            self._earlier.expect_close()

    def _join_failed(self, words: str, error: ChannelsError, reply: Reply | None = None) -> None:
        fail(self._answers, error)
        self._errored(words, reply)

    def _errored(self, words: str, said: Message | Reply | None = None) -> None:
        """Not joined any more, or not yet: join again after a back-off."""
        now = self.socket.now()
        self._forgive(now)
        self._failures += 1
        self.state = "errored"
        self.reason = words
        # No join stands: what the server says of this one from now on, the phx_close that answers
        # our leave of a join that timed out too, is not about the next.
        self.join_ref = None
        self._join_sent_at = None
        self._rejoin_at = now + self._back_off.delay(self._failures)
        self.socket.wake()
        self._note("phx_error", said or words)

    def _forgive(self, now: float) -> None:
        if self.state == "joined" and now >= self._joined_at + self.socket.options.stable_after:
            self._failures = 0

    def lost_by_server(self, words: str) -> None:
        """The server does not know this channel any more."""
        if self.state == "joined":
            self._errored(words)

    def _note(self, event: str, said: Message | Reply | str) -> None:
        """Hand on what the server said, or a reason of ours."""
        if isinstance(said, str):
            said = Reply("", _encode({"reason": said}))
        self._handlers.dispatch(Message(self.join_ref, None, self.topic, event, said.raw, said.binary))

    def _send_leave(self) -> str:
        ref = self.socket.next_ref()
        # Without a connection there is nothing to leave: the server forgets the channel with it.
        with contextlib.suppress(NotConnectedError):
            self.socket.send(self.join_ref, ref, self.topic, "phx_leave", {})
        return ref

    def _leave_replied(self, join_ref: str | None, message: Message) -> None:
        """Whatever it says; of a join since then it says nothing."""
        if self.state == "leaving" and join_ref == self.join_ref:
            self.left()

    def left(self) -> None:
        """The leave was answered, or does not matter any more."""
        if self.state != "closed":
            self._close("left")

    def replaced_by(self, other: Channel) -> None:
        """Another channel joins this topic; the server shuts this one down by itself."""
        if self.state == "joined":
            other._expect_close()
        self._close("replaced by another channel on the same topic", "replaced")

    def _close(self, words: str, said: Message | str | None = None) -> None:
        self.state = "closed"
        self.reason = words
        self._rejoin_at = self._join_sent_at = None
        self._earlier.forget()
        self.socket.opened.remove(self, for_good=words != CLOSED_BY_SERVER)
        if self._leave_ref is not None:
            self.socket.replies.forget(self._leave_ref)
            self._leave_ref = None
        if self._leave_timer is not None:
            self._leave_timer.cancel()
            self._leave_timer = None
        closed = ChannelClosed(f"{self.topic}: {words}")
        self.held.end(closed)
        self.socket.replies.fail_pushes(self, closed)
        fail(self._answers, closed)
        succeed(self._leave_answers, None)
        self._note("phx_close", said or words)

    # What the socket reports

    def connection_opened(self) -> None:
        """A connection is open: join at once, whatever the back-off says; its count stays.

        Of those that are closed only one that the server closed on another connection is told.
        """
        if self.state == "closed":
            self.socket.opened.add(self)
        if self.state in ("closed", "joining", "errored"):
            self._begin_join()

    def connection_lost(self, words: str) -> None:
        self._rejoin_at = None
        self._earlier.connection_lost()
        if self.state == "leaving":
            self.left()
        elif self.state in ("joined", "joining", "errored"):
            was_member = self.state != "errored"
            self._forgive(self.socket.now())
            self.state = "errored"
            self.reason = "not connected"
            self._join_sent_at = None
            if was_member:
                self._note("phx_error", Reply("", _encode({"source": "transport", "reason": words})))

    def step(self, now: float) -> float | None:
        """Time out a join or join again if that is due; returns when to ask again."""
        if self._rejoin_at is not None:
            if now < self._rejoin_at:
                return self._rejoin_at
            self._begin_join()
        if self.state != "joining" or self._join_sent_at is None:
            return None
        # A server runs one join at a time: each answer shows that it works on them.
        deadline = max(self._join_sent_at, self.socket.replies.last_join_answer) + self._join_timeout
        if now < deadline:
            return deadline
        # Left before it is tried again, or a late success would meet the next try.
        self._send_leave()
        words = f"join of {self.topic}: no answer within {self._join_timeout:g} s"
        self._join_failed(words, ReplyTimeout(words))
        return self._rejoin_at

    def message_received(self, message: Message) -> None:
        """A message on this topic that is no reply; one of an earlier join is dropped."""
        join_ref = message.join_ref
        if join_ref is not None and join_ref != self.join_ref:
            return
        event = message.event
        if event in _LIFECYCLE:
            is_member = self.state in ("joined", "leaving")
            if join_ref is None and not self._earlier.is_about(message, self.join_ref, is_member=is_member):
                return
            if event == "phx_close":
                words = "left" if self.state == "leaving" else CLOSED_BY_SERVER
                self._close(words, message)
            elif self.state in ("joined", "joining"):
                self._crashed(message)
            return
        self.received += 1
        self.last, self.last_size = message.beginning(_LAST_KEPT), len(message.raw)
        self._handlers.dispatch(message)

    def _crashed(self, message: Message) -> None:
        error = NotConnectedError(f"{self.topic}: {CRASHED}; pushes under way may or may not have arrived")
        self.socket.replies.fail_pushes(self, error)
        self._errored(CRASHED, message)

    def stop(self) -> asyncio.Task[None] | None:
        """End whoever waits for a push or a join, and the handlers' task; returns what to await."""
        closed = ChannelClosed(f"{self.topic}: the socket was closed")
        self.held.end(closed)
        fail(self._answers, closed)
        return self._handlers.stop()
