"""The two ends of a connection in memory: of whoever opened it, and of the hub, with where hubs listen."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from websockets.exceptions import ConnectionClosedError
from websockets.frames import CloseCode

from tui.channels.errors import NotConnectedError
from tui.channels.link import CLOSE_TIMEOUT, NO_CLOSE_FRAME, LinkOwner
from tui.channels.outflow import Outflow
from tui.demo.connection import Connection
from tui.demo.hub import Hub
from tui.demo.transport import CLOSE_TIMEOUT as HUB_CLOSE_TIMEOUT

if TYPE_CHECKING:
    from tui.simulation.network import Line, Network

DROPPED = "connection dropped without a close frame"


class HubListener:
    """Takes the connections of one address for a hub; a :class:`tui.demo.listening.Listener`."""

    def __init__(self, network: Network, place: str) -> None:
        self.is_open = False
        self.hub: Hub
        """Set by whoever makes the hub."""
        network.listeners[place] = self

    async def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    async def until_gone(self, limit: float) -> None:
        while self.hub.transports and limit > 0:
            await asyncio.sleep(0.01)
            limit -= 0.01


class HubTransport:
    """The hub's end; a :class:`tui.demo.transport.Carrier`."""

    def __init__(self, line: Line, hub: Hub) -> None:
        self.line = line
        self.hub = hub
        self.connection: Connection | None = None
        self.deaf = False
        self.is_open = True
        self.is_closed = False
        self._came: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        """None is the end."""
        self._last_received = line.network.loop.now
        self._held: list[tuple[bytes, bool]] = []
        self._gone = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        hub.transports[self] = None
        self._check_idle_in(hub.idle_timeout)

    async def recv(self) -> str | bytes:
        message = await self._came.get()
        if message is None:
            raise ConnectionClosedError(None, None)
        return message

    async def wait_closed(self) -> None:
        await self._gone.wait()

    def write_message(self, data: bytes, *, text: bool) -> None:
        if not self.is_open or self.deaf or self.line.holds_back(data):
            return
        if self.hub.faults.frozen:
            self._held.append((data, text))
        else:
            self.line.down.send(self.line.link.arrived, data, text)

    def write_raw(self, data: bytes) -> None:
        raise NotImplementedError("no bytes are sent here, only messages")

    def begin_close(self, code: int) -> None:
        if self.deaf or self.hub.faults.frozen:
            self.abort()
        elif self.is_open:
            self.is_open = False
            self.line.down.send(self.line.link.closed_by_hub, code)
            self._later(HUB_CLOSE_TIMEOUT, self.abort)
            self._came.put_nowait(None)

    def abort(self, *, reset: bool = False) -> None:
        if not self.is_closed:
            self.line.down.send(self.line.link.lost, NO_CLOSE_FRAME, DROPPED)
            self.gone()

    def freeze(self) -> None:
        pass  # the hub's own tasks stand still

    def thaw(self) -> None:
        self._last_received = self.line.network.loop.now
        held, self._held = self._held, []
        for data, text in held:
            self.write_message(data, text=text)

    # What comes from the other end

    def arrived(self, message: str | bytes) -> None:
        self._last_received = self.line.network.loop.now
        if self.is_open and not self.deaf:
            self._came.put_nowait(message)

    def asked_to_close(self) -> None:
        """The other end's close frame, which is answered."""
        if not self.is_closed and not self.deaf:
            self.line.down.send(self.line.link.closed_for_us)
            self.gone()

    def gone(self) -> None:
        if self.is_closed:
            return
        self.is_open, self.is_closed = False, True
        self.hub.transports.pop(self, None)
        for timer in self._timers:
            timer.cancel()
        if self.connection is not None:
            self.connection.lost()
        self._gone.set()
        self._came.put_nowait(None)
        self.line.forget_if_over()

    def _later(self, seconds: float, callback: Callable[[], object]) -> None:
        network = self.line.network
        self._timers = [timer for timer in self._timers if not timer.cancelled()]
        self._timers.append(network.call_at(network.loop.now + seconds, callback))

    def _check_idle_in(self, seconds: float) -> None:
        self._timers.clear()
        self._later(seconds, self._check_idle)

    def _check_idle(self) -> None:
        limit = self.hub.idle_timeout
        left = limit if self.hub.faults.frozen else self._last_received + limit - self.line.network.loop.now
        if left > 0:
            self._check_idle_in(left)
        else:
            self.begin_close(CloseCode.PROTOCOL_ERROR)


class MemoryLink:
    """The end of whoever opened it; a :class:`tui.channels.link.Link`."""

    writable = True

    def __init__(self, line: Line, owner: LinkOwner) -> None:
        self.line = line
        self.is_over = False
        self.ended_at: float | None = None
        """By the loop; when a closing began."""
        self.ended_by: Literal["itself", "other"] = "itself"
        self._owner: LinkOwner | None = owner
        self._is_closing = False
        self._written = 0
        self._shut = asyncio.Event()
        # What arrives is dealt with in the process that opened it, when that runs.
        self._context = contextvars.copy_context()

    @property
    def outflow(self) -> Outflow:
        return Outflow(self._written, 0)

    def send_frame(self, data: bytes, text: bool) -> None:
        if self.is_over or self._is_closing:
            raise NotConnectedError("not connected")
        self._written += len(data)
        self.line.noted(data, is_up=True)
        self.line.up.send(self.line.transport.arrived, data.decode() if text else data)

    async def shut(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        self._owner, self._is_closing = None, True
        if self.is_over:
            return
        self.ended_at = self.line.network.loop.now
        self.line.up.send(self.line.transport.asked_to_close)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._shut.wait()
        except TimeoutError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        self._owner = None
        if not self.is_over:
            self._over()
            self.line.up.send(self.line.transport.gone)

    # What comes from the other end

    def arrived(self, data: bytes, text: bool) -> None:
        self._in_its_process(self._take, data, text)

    def closed_by_hub(self, code: int) -> None:
        """A close frame came, which is answered."""
        self.line.up.send(self.line.transport.gone)
        self.lost(code, f"{code} {CloseCode(code).name.lower().replace('_', ' ')}")

    def closed_for_us(self) -> None:
        self._in_its_process(self._shut.set)

    def lost(self, code: int, words: str) -> None:
        self._in_its_process(self._lost, code, words)

    def _in_its_process(self, callback: Callable[..., object], *arguments: Any) -> None:
        self.line.network.loop.call_soon(callback, *arguments, context=self._context)

    def _take(self, data: bytes, text: bool) -> None:
        if self._owner is not None and not self.is_over:
            self.line.noted(data, is_up=False)
            self._owner.heard = True
            self._owner.frame_received(data, text)

    def _lost(self, code: int, words: str) -> None:
        owner, self._owner = self._owner, None
        if not self.is_over:
            self.ended_by = "other"
            self._over()
        self._shut.set()
        if owner is not None:
            owner.link_lost(code, words)

    def _over(self) -> None:
        self.is_over = True
        if self.ended_at is None:
            self.ended_at = self.line.network.loop.now
        self.line.forget_if_over()
