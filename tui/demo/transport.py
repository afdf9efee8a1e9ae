"""The WebSocket under a connection: Bandit's closing manners, the idle time-out, and what faults need.

Stands on ``ServerConnection`` and ``ServerProtocol`` of the websockets library.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from websockets.asyncio.server import Server, ServerConnection
from websockets.datastructures import Headers
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    import asyncio

    from .connection import Connection
    from .hub import Hub

OUT_LIMIT = 32 * 1024 * 1024
"""Bytes that may wait for a client that does not read; beyond it the connection is dropped."""

CLOSE_TIMEOUT = 0.5
"""Seconds that a client has to answer a close frame before its connection is dropped."""

# The library's own log tells of every client that goes away in the middle, which is what faults do.
wire_logger = logging.getLogger("tui.demo.wire")
wire_logger.setLevel(logging.CRITICAL)


class PhoenixProtocol(ServerProtocol):
    """Sans-I/O part: no close reasons, closing answered with 1000, one subprotocol."""

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Phoenix never sends a close reason."""
        super().fail(code)

    def send_frame(self, frame: Frame) -> None:
        """Bandit answers a client's close with 1000, whatever code the client sent."""
        if frame.opcode is Opcode.CLOSE and self.close_rcvd is not None and self.state is State.OPEN:
            frame = Frame(Opcode.CLOSE, Close(CloseCode.NORMAL_CLOSURE, "").serialize())
        super().send_frame(frame)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Phoenix with ``auth_token: true`` answers "phoenix" to who offers it, else nothing.

        A browser (and npm's ws) ends a connection that offered subprotocols and was given none, so the
        JavaScript client offers "phoenix" beside the one that carries the token.
        """
        offered = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
        if "phoenix" in (name.strip() for name in offered.split(",")):
            return Subprotocol("phoenix")
        return None


class Carrier(Protocol):
    """One TCP connection of a hub, and the WebSocket on it."""

    connection: Connection | None
    """Set once it is upgraded."""
    deaf: bool
    """Reads and answers nothing, for the fault "accept and be silent"."""

    @property
    def is_open(self) -> bool:
        """The WebSocket is open, and no closing has begun."""

    @property
    def is_closed(self) -> bool:
        """The WebSocket has ended."""

    async def recv(self) -> str | bytes:
        """The next message. Raises: websockets' ConnectionClosed at the end."""

    async def wait_closed(self) -> None: ...

    def write_message(self, data: bytes, *, text: bool) -> None: ...

    def write_raw(self, data: bytes) -> None: ...

    def begin_close(self, code: int) -> None: ...

    def abort(self, *, reset: bool = False) -> None: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...


class Transport(ServerConnection):
    def __init__(self, protocol: ServerProtocol, server: Server, *, hub: Hub, **options: Any) -> None:
        own = PhoenixProtocol(
            max_size=hub.max_frame, extensions=protocol.available_extensions, logger=wire_logger
        )
        super().__init__(own, server, **options)
        self.hub = hub
        self.connection: Connection | None = None
        self.deaf = False
        self.last_received = self.loop.time()
        self._lost = False
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.hub.transports[self] = None
        self._idle_timer = self.loop.call_later(self.hub.idle_timeout, self._check_idle)
        if self.hub.faults.frozen:
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.last_received = self.loop.time()
        if not self.deaf:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost = True
        self.hub.transports.pop(self, None)
        for timer in (self._idle_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._held.clear()
        if self.connection is not None:
            self.connection.lost()

    # What the hub does with it

    @property
    def is_open(self) -> bool:
        return self.protocol.state is State.OPEN

    @property
    def is_closed(self) -> bool:
        return self.protocol.state is State.CLOSED

    def write_message(self, data: bytes, *, text: bool) -> None:
        self.write_raw(Frame(Opcode.TEXT if text else Opcode.BINARY, data).serialize(mask=False))

    def write_raw(self, data: bytes) -> None:
        """Writes bytes as they are, which need not be a frame. Does nothing once closing has begun."""
        if self.protocol.state is not State.OPEN or self.deaf or self.transport.is_closing():
            return
        if self.hub.faults.frozen:
            self._held.append(data)
            self._held_bytes += len(data)
        else:
            self.transport.write(data)
        if self._held_bytes + self.transport.get_write_buffer_size() > OUT_LIMIT:
            self.abort()

    def begin_close(self, code: int) -> None:
        """Sends a close frame without a reason; drops the connection if no answer comes in time."""
        if self.protocol.state is State.CONNECTING or self.deaf or self.hub.faults.frozen:
            self.abort()
        elif self.protocol.state is State.OPEN:
            self.protocol.send_close(code)
            self.send_data()
            self._close_timer = self.loop.call_later(CLOSE_TIMEOUT, self.abort)

    def abort(self, *, reset: bool = False) -> None:
        """Ends the TCP connection without a close frame; ``reset`` sends RST in place of FIN."""
        if self._lost:
            return  # asyncio minds an abort after the end
        if reset and (sock := self.transport.get_extra_info("socket")) is not None:
            # A linger time of zero turns the close into a reset (SO_LINGER in socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def freeze(self) -> None:
        self.transport.pause_reading()

    def thaw(self) -> None:
        self.last_received = self.loop.time()
        held, self._held, self._held_bytes = self._held, deque(), 0
        if not self.transport.is_closing():
            # One write: the client may be gone, which the first write after a freeze finds out.
            self.transport.write(b"".join(held))
            self.transport.resume_reading()

    def _check_idle(self) -> None:
        remaining = self.last_received + self.hub.idle_timeout - self.loop.time()
        if self.hub.faults.frozen:
            remaining = self.hub.idle_timeout
        if remaining <= 0:
            # Bandit closes with 1002 when no frame came in time; what was sent does not count.
            self.begin_close(CloseCode.PROTOCOL_ERROR)
        else:
            self._idle_timer = self.loop.call_later(remaining, self._check_idle)
