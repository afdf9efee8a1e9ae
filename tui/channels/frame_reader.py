"""One WebSocket from opening to end, without a task of its own.

The websockets library brings the handshakes of opening and closing and all frames. Its receive queue
is left out: when nobody reads, a full queue also holds up the answers that prove the link alive. So this
module stands on methods of the library that are public by name and private by its manual:
``ClientConnection.process_event`` and ``data_received``, and ``Connection.send_data``. The head of the
upgrade's answer is read here, and the library is given a clean one; whole messages in one frame are
cut from the stream and its parser never sees them; everything else it parses as ever, in order. This is the
only place that knows of such things, the library is pinned to the minor version, and tests fail when they
move.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import Event, State

from tui.channels.answer_head import AnswerHead
from tui.channels.errors import NotConnectedError
from tui.channels.link import CLOSE_TIMEOUT, NO_CLOSE_FRAME, LinkOwner
from tui.channels.outflow import Outflow, outflow
from tui.channels.reasons import AnswerError
from tui.channels.turns import TURN

READ_SIZE = 64 * 1024
"""Bytes taken from the system at once."""

_FRAMES_A_LOOK = 32  # at the clock
_PIECE = 1024  # bytes for the library's parser between two looks, which may be 512 frames
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82  # FIN, no extension, opcode
_FIRST_CONTROL_OPCODE = 8  # RFC 6455, 5.2
_PONG = b"\x8a"

_HANDSHAKE = frozenset(
    {"connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"}
)


class FrameReader(ClientConnection):
    """A :class:`Link` that hands frames straight on, so that reading never waits for a consumer."""

    def __init__(self, protocol: ClientProtocol, *, owner: LinkOwner, **settings: Any) -> None:
        super().__init__(protocol, **settings)
        self.head = AnswerHead()
        self.is_made = False
        """There is a transport."""
        self._settled = self.loop.create_future()
        self._owner: LinkOwner | None = owner
        self._fragments: bytearray | None = None
        self._fragments_are_text = False
        self._abort_timer: asyncio.TimerHandle | None = None
        self._cutting = False
        self._header = b""  # of a frame, not whole yet
        self._owed = 0  # bytes of a frame that is begun, here or in the library
        self._begun: bytearray | None = None  # of a whole message in one frame
        self._begun_is_text = False
        self._owed_is_data = False
        self._written = 0
        self._waiting = b""  # what came and has not had its turn
        self._is_gone = False
        self._lost_by: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.is_made = True
        # A quarter of a megabyte at once, asyncio's default, leaves the processor's cache: with 2 KB
        # frames a read of 64 KiB costs a fifth less a frame.
        if hasattr(transport, "max_size"):
            transport.max_size = READ_SIZE

    def data_received(self, data: bytes) -> None:
        """Bytes came: those of a data frame prove life, even in the middle of a large one."""
        if self._waiting:
            self._waiting += data  # TLS may have read it before it was told to pause
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Deal with what came for :data:`TURN`; nothing is read until the rest had its turn."""
        ends = time.perf_counter() + TURN
        if self._cutting:
            rest = self._cut(self._header + data if self._header else data, ends)
        elif self.response is None:
            rest = self._answered(data, ends)
        else:
            rest = self._parse(data, ends)
        if self.protocol.state is not State.OPEN:
            self._ending()
        if rest:
            self._waiting = rest
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)

    def _answered(self, data: bytes, ends: float) -> bytes:
        """Read the head of the upgrade's answer; what is left of the frames behind it when the turn ends."""
        if self.head.ended:
            return b""
        taken = self.head.feed(data)
        if not self.head.ended:
            return b""
        if self.head.status == 101 and self.head.problem is None:
            super().data_received(self.head.cleaned(_HANDSHAKE))
            self._cutting = self.protocol.state is State.OPEN
        self._settle()
        return self._cut(data[taken:], ends) if self._cutting else b""

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    async def upgrade(self, headers: Mapping[str, str]) -> None:
        """Ask for the upgrade and wait for its answer; what it raises is that of :func:`open_link`."""
        request = self.protocol.connect()
        request.headers.update(headers)
        request.headers.setdefault("User-Agent", USER_AGENT)
        # What has come already, an alert of TLS say, is read first: where a reset is behind it, asyncio
        # drops it unread when the write fails. The loop looks for it in its next turn and reads it after.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not self._settled.done():
            self.protocol.send_request(request)
            self.send_data()
        await self._settled
        if self.response is not None and self.protocol.handshake_exc is None:
            self.head.fields.clear()  # for a connection's life they are of no use
            return
        if self.head.status is None and isinstance(self.connection_exc, OSError):
            raise self.connection_exc
        raise AnswerError(self._handshake_problem())

    def _handshake_problem(self) -> str | None:
        # The library's own words may hold what the server sent.
        if self.response is None:
            return None
        error = self.protocol.handshake_exc
        if isinstance(error, InvalidHeader):
            return f"its header {error.name} is missing or wrong"
        extension = self.head.field("sec-websocket-extensions") is not None
        return f"{'an extension' if extension else 'a subprotocol'} that was not offered"

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, b""
        self._take(waiting)
        if self._waiting:
            return
        if self._is_gone:
            self._tcp_ended(self._lost_by)
        else:
            self.transport.resume_reading()

    def _parse(self, data: bytes, ends: float) -> bytes:
        """Hand all to the library, frames unseen; what is left when the turn ends."""
        for place in range(0, len(data), _PIECE):
            if place and time.perf_counter() > ends:
                return data[place:]
            super().data_received(data[place : place + _PIECE])
        return b""

    def _cut(self, data: bytes, ends: float) -> bytes:
        """Hand on what is a whole message in one frame, and to the library all else, frame by frame; what is
        left when the turn ends.

        Its parser costs three times as much a message as everything that is done with it here.
        """
        self._header = b""
        size = len(data)
        place = min(self._owed, size)
        if place:
            self._owed -= place
            if self._owed_is_data and self._owner is not None:
                self._owner.heard = True
            if self._begun is None:
                super().data_received(data[:place])
            else:
                self._go_on_with(data[:place])
        limit = self.protocol.max_message_size or size
        unlooked = _FRAMES_A_LOOK
        while place < size:
            owner = self._owner
            if owner is None or self.protocol.state is not State.OPEN:
                self._cutting = False
                return self._parse(data[place:], ends)
            unlooked -= 1
            if not unlooked:
                if time.perf_counter() > ends:
                    return data[place:]
                unlooked = _FRAMES_A_LOOK
            is_data = data[place] & 0x0F < _FIRST_CONTROL_OPCODE
            if is_data:
                owner.heard = True
            # RFC 6455, 5.2. A masked frame has a length above 127 here: the library refuses it.
            start = place + 2
            if start > size:
                break
            length = data[place + 1]
            if length == 126:
                start += 2
                if start > size:
                    break
                length = data[place + 2] << 8 | data[place + 3]
            elif length == 127:
                start += 8
                if start > size:
                    break
                length = int.from_bytes(data[place + 2 : start], "big")
            elif length > 127:
                self._cutting = False
                return self._parse(data[place:], ends)
            end = start + length
            first = data[place]
            is_whole = first in (_WHOLE_TEXT, _WHOLE_BINARY)
            if is_whole and length <= limit and self._fragments is None:
                if end <= size:
                    owner.frame_received(data[start:end], first == _WHOLE_TEXT)
                else:
                    self._begun_is_text = first == _WHOLE_TEXT
                    self._begun = bytearray(data[start:])
                    self._owed, self._owed_is_data = end - size, True
            else:
                super().data_received(data[place:end])
                self._owed, self._owed_is_data = max(0, end - size), is_data
            place = end
        else:
            return b""
        self._header = data[place:]
        return b""

    def _go_on_with(self, data: bytes) -> None:
        """More of a large message: the library would hold it three times over while it is dealt with."""
        assert self._begun is not None
        self._begun += data
        if not self._owed:
            whole, self._begun = bytes(self._begun), None
            if self._owner is not None:
                self._owner.frame_received(whole, self._begun_is_text)

    def send_data(self) -> None:
        """Write what the library has to say; to a server that reads nothing, no answers to its pings.

        RFC 6455, 5.5.3, asks for the answer to the latest one alone.
        """
        if self.transport.is_closing():
            self.protocol.data_to_send()  # nobody takes it, and asyncio logs each write
            return
        if self.paused:
            self.protocol.writes = [data for data in self.protocol.writes if data[:1] != _PONG]
        super().send_data()

    def process_event(self, event: Event) -> None:
        """The library calls this for the upgrade's answer and for every frame; it must never raise."""
        if self.response is None or not isinstance(event, Frame):
            super().process_event(event)
            return
        opcode = event.opcode
        if self._owner is not None:
            if opcode < _FIRST_CONTROL_OPCODE:
                self._owner.heard = True
            elif opcode is not Opcode.CLOSE:
                self._owner.pinged = True
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if event.fin:
                if self._owner is not None:
                    self._owner.frame_received(bytes(event.data), opcode is Opcode.TEXT)
            else:
                self._fragments = bytearray(event.data)
                self._fragments_are_text = opcode is Opcode.TEXT
        elif opcode is Opcode.CONT:
            # The library lets none come that continues nothing, and bounds them all together.
            assert self._fragments is not None
            self._fragments += event.data
            if event.fin:
                whole, self._fragments = bytes(self._fragments), None
                if self._owner is not None:
                    self._owner.frame_received(whole, self._fragments_are_text)
        else:
            super().process_event(event)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._owner is not None:
            self._owner.link_writable()

    def eof_received(self) -> None:
        """No more bytes come. TLS says so at once, whatever waits for its turn: that goes first, and the end
        comes with :meth:`connection_lost`."""
        if not self._waiting:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_gone, self._lost_by = True, exc
        if not self._waiting:
            self._tcp_ended(exc)

    def _tcp_ended(self, exc: Exception | None) -> None:
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)
        self.head.cut()
        self._settle()
        self._ending()

    def _ending(self) -> None:
        # A close frame, ours or theirs, is the end: what a server sends after it is void, and a
        # server that never hangs up must not hold the link.
        if self.response is None or self.protocol.handshake_exc is not None:
            return  # never was a link: whoever opens it is told by an exception
        if self._abort_timer is None and self.protocol.state is not State.CLOSED:
            self._abort_timer = self.loop.call_later(CLOSE_TIMEOUT, self.drop)
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.link_lost(*self._last_words())

    def _last_words(self) -> tuple[int, str]:
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None:
            words = _close_words(received.code, received.reason)
            if received.code == CloseCode.MESSAGE_TOO_BIG:
                words += " (more than the server takes; max_message_size is for what it sends)"
            return received.code, words
        if sent is not None:
            words = f"closed by us: {_close_words(sent.code, sent.reason)}"
            if sent.code == CloseCode.MESSAGE_TOO_BIG:
                words += f" (max_message_size is {self.protocol.max_message_size:,} bytes)"
            return sent.code, words
        error = self.connection_exc
        words = "connection reset" if isinstance(error, ConnectionError) else "connection dropped"
        return NO_CLOSE_FRAME, f"{words} without a close frame"

    def detach(self) -> None:
        """From now on the owner is told nothing: a replaced link cannot speak."""
        self._owner = None

    @property
    def writable(self) -> bool:
        return not self.paused

    @property
    def outflow(self) -> Outflow:
        return outflow(self.transport, self._written)

    def send_frame(self, data: bytes, text: bool) -> None:
        if self.protocol.state is not State.OPEN:
            raise NotConnectedError("not connected")
        self._written += len(data)
        if text:
            self.protocol.send_text(data)
        else:
            self.protocol.send_binary(data)
        self.send_data()

    async def shut(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        self.detach()
        try:
            # The library's own limit does not cover the wait for a full write buffer.
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.close(code)
        except TimeoutError:
            self.drop()
        finally:
            if self.protocol.state is not State.CLOSED:
                self.drop()

    def abort(self) -> None:
        self.detach()
        self.drop()

    def drop(self) -> None:
        """Drop the TCP connection at once, unless it is gone already."""
        # Python 3.11's transport raises when it is aborted after an end with bytes still unsent.
        if not self._is_gone:
            self.transport.abort()


def _close_words(code: int, reason: str) -> str:
    names = {
        1000: "normal closure",
        1001: "going away",
        1002: "protocol error",
        1003: "unsupported data",
        1005: "no code given",
        1007: "invalid data",
        1008: "policy violation",
        1009: "message too big",
        1010: "extension missing",
        1011: "server error",
        1012: "service restart",
        1013: "try again later",
        1014: "bad gateway",
    }
    words = f"{code} {names[code]}" if code in names else f"{code}"
    return f"{words}: {reason}" if reason else words
