"""A network in memory: addresses, and connections with latency, order, silence and loss.

At one end stands whoever opens a link, as :data:`tui.channels.link.Opener` has it; at the other a hub
of :mod:`tui.demo`, which does not know that there is no socket.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.datastructures import Headers

from tui.channels.answer_head import AnswerHead
from tui.channels.link import NO_CLOSE_FRAME, LinkOwner, LinkRequest, Opener
from tui.channels.reasons import AnswerError, Step, host_and_port
from tui.demo.hub import Hub
from tui.demo.upgrade import read_request
from tui.simulation.ends import DROPPED, HubListener, HubTransport, MemoryLink
from tui.simulation.loop import VirtualLoop

Tap = Callable[["Line", bool, bytes], None]
"""Takes the line, whether it is sent to the hub, and the message."""


class Network:
    """Where hubs listen, and every connection; ``latency`` is the least and the most, in seconds."""

    def __init__(self, loop: VirtualLoop, random_source: random.Random, latency: tuple[float, float]) -> None:
        self.loop = loop
        self.latency = latency
        self.listeners: dict[str, HubListener] = {}
        """By host and port."""
        self.lines: dict[Line, None] = {}
        """Every connection that has not ended at both ends."""
        self.is_down = False
        """Whoever opens a connection hears nothing."""
        self.taps: list[Tap] = []
        self._random_source = random_source
        # Its own: what one end sends must not arrive as a part of that end's process.
        self._context = contextvars.copy_context()

    def delay(self) -> float:
        """Seconds that something takes now, from one end to the other."""
        return self._random_source.uniform(*self.latency)

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        return self.loop.call_at(when, callback, *arguments, context=self._context)

    def spawn(self, work: Any, name: str) -> asyncio.Task[Any]:
        return self.loop.create_task(work, name=name, context=self._context)

    def opener(self, name: str) -> Opener:
        return lambda request, owner: self._open(name, request, owner)

    async def _open(self, name: str, request: LinkRequest, owner: LinkOwner) -> MemoryLink:
        place = host_and_port(request.url)
        owner.step = Step("TCP", place)
        await asyncio.sleep(2 * self.delay())
        if self.is_down:
            await self.loop.create_future()
        listener = self.listeners.get(place)
        if listener is None or not listener.is_open:
            raise ConnectionRefusedError
        line = Line(self, name, listener.hub, owner)
        head = AnswerHead()
        owner.step = Step("upgrade", place, head=head, plain=True)
        try:
            await line.upgraded(request, head)
        except BaseException:
            line.link.abort()
            raise
        return line.link


class _Way:
    """One direction of a line: what is sent arrives in order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._under_way: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._last = 0.0

    def send(self, arrive: Callable[..., object], *arguments: Any) -> None:
        line = self._line
        if line.is_silent:
            return
        self._under_way.append((arrive, arguments))
        network = line.network
        self._last = max(self._last, network.loop.now + network.delay())
        network.call_at(self._last, self._arrived)

    def _arrived(self) -> None:
        if self._line.is_silent:
            self._under_way.clear()
        elif self._under_way:
            arrive, arguments = self._under_way.popleft()
            arrive(*arguments)


class Line:
    """One TCP connection, from the one who opened it to a hub."""

    def __init__(self, network: Network, name: str, hub: Hub, owner: LinkOwner) -> None:
        self.network = network
        self.name = name
        self.is_silent = False
        """Half open: nothing arrives any more, and neither end is told."""
        self.holds_back: Callable[[bytes], bool] = lambda _: False
        """Which messages of the hub's get lost on their way."""
        self.up, self.down = _Way(self), _Way(self)
        self.transport = HubTransport(self, hub)
        self.link = MemoryLink(self, owner)
        network.lines[self] = None

    async def upgraded(self, request: LinkRequest, head: AnswerHead) -> None:
        """Raises: AnswerError, with the answer in ``head``, where it is no 101."""
        headers = Headers(Connection="Upgrade", **dict(request.headers))
        if request.subprotocols:
            headers["Sec-WebSocket-Protocol"] = ", ".join(request.subprotocols)
        upgrade = read_request(request.url, headers)
        network, hub = self.network, self.transport.hub
        await asyncio.sleep(network.delay())
        answer = await asyncio.shield(network.spawn(hub.ask(self.transport, upgrade), "upgrade"))
        await asyncio.sleep(network.delay())
        if answer is not None:
            fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.raw_items())
            head.feed(f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}\r\n{fields}\r\n".encode())
            raise AnswerError
        if not self.transport.is_closed:
            network.spawn(hub.serve(self.transport), "connection")

    def drop(self) -> None:
        """It ends without a word; both ends are told."""
        self.transport.gone()
        self.link.lost(NO_CLOSE_FRAME, DROPPED)

    def noted(self, message: bytes, *, is_up: bool) -> None:
        """Whoever opened it sends a message, or is given one."""
        for tap in self.network.taps:
            tap(self, is_up, message)

    def forget_if_over(self) -> None:
        """It is over when both its ends know."""
        if self.link.is_over and self.transport.is_closed:
            self.network.lines.pop(self, None)
