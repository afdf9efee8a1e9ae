"""The end of a connection in memory of whoever opened it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from websockets.frames import CloseCode

from tui.channels.errors import NotConnectedError
from tui.channels.link import CLOSE_TIMEOUT, LinkOwner
from tui.channels.outflow import Outflow

if TYPE_CHECKING:
    from tui.simulation.network import Line


class MemoryLink:
    """The end of whoever opened it; a :class:`tui.channels.link.Link`."""

    writable = True

    def __init__(self, line: Line, owner: LinkOwner) -> None:
        self.line = line
        self.is_over = False
        self.ended_at: float | None = None
        """By the loop; when a closing began."""
        self.ended_by: Literal["itself", "other"] = "itself"
        """Which end ended it."""
        self._owner: LinkOwner | None = owner
        self._is_closing = False
        self._written = 0
        self._shut: asyncio.Future[None] | None = None
        # What arrives is dealt with in the process that opened it, when that runs.
        self._context = contextvars.copy_context()

    @property
    def outflow(self) -> Outflow:
        """All leaves at once."""
        return Outflow(self._written, 0)

    def send_frame(self, data: bytes, text: bool) -> None:
        """As of :class:`tui.channels.link.Link`."""
        if self.is_over or self._is_closing:
            raise NotConnectedError("not connected")
        self._written += len(data)
        self.line.noted(data, is_up=True)
        self.line.up.send(self.line.transport.arrived, data.decode() if text else data)

    async def shut(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        """As of :class:`tui.channels.link.Link`."""
        self._owner, self._is_closing = None, True
        if self.is_over:
            return
        self.ended_at = self.line.network.loop.now
        self._shut = asyncio.get_running_loop().create_future()
        self.line.up.send(self.line.transport.asked_to_close)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._shut
        except TimeoutError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """As of :class:`tui.channels.link.Link`."""
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
        """Our close frame was answered."""
        self._in_its_process(self._answered)

    def lost(self, code: int, words: str) -> None:
        self._in_its_process(self._lost, code, words)

    def _in_its_process(self, callback: Callable[..., object], *arguments: Any) -> None:
        self.line.network.loop.call_soon(callback, *arguments, context=self._context)

    def _take(self, data: bytes, text: bool) -> None:
        if self._owner is not None and not self.is_over:
            self.line.noted(data, is_up=False)
            self._owner.heard = True
            self._owner.frame_received(data, text)

    def _answered(self) -> None:
        if self._shut is not None and not self._shut.done():
            self._shut.set_result(None)

    def _lost(self, code: int, words: str) -> None:
        owner, self._owner = self._owner, None
        if not self.is_over:
            self.ended_by = "other"
            self._over()
        self._answered()
        if owner is not None:
            owner.link_lost(code, words)

    def _over(self) -> None:
        self.is_over = True
        if self.ended_at is None:
            self.ended_at = self.line.network.loop.now
        self.line.forget_if_over()
