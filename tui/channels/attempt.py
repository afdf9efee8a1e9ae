"""One attempt to connect, and the link that it led to."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from tui.channels import reasons
from tui.channels.apart import Awaited
from tui.channels.clock import Clock
from tui.channels.link import Link, LinkOwner, Opener
from tui.channels.outflow import Drain
from tui.channels.values import link_request

if TYPE_CHECKING:
    from tui.channels.socket import Socket


class Attempt(LinkOwner):
    """Begins to open a link at once, in a task; once ended it says nothing more."""

    def __init__(self, socket: Socket, url: str, opener: Opener, clock: Clock) -> None:
        self.heard = self.pinged = False
        self.step = reasons.Step("upgrade", socket.address)
        self.awaited = Awaited()
        self.link: Link | None = None
        self._owner: Socket | None = socket
        self._drain = Drain(socket.options.heartbeat_timeout)
        self._opening = asyncio.get_running_loop().create_task(
            self._open(socket, url, opener, clock), name=f"opening {socket.address}"
        )

    async def _open(self, socket: Socket, url: str, opener: Opener, clock: Clock) -> None:
        self.awaited.by_this_task()
        failure = None
        try:
            link = await opener(await link_request(url, socket.options), self)
        except Exception as error:  # noqa: BLE001 (every failure to open is a reason in words)
            failure = reasons.describe_error(error, self.step, clock.time())
        else:
            if self._owner is None:
                # Ended while the last step was under way: this link is nobody's.
                link.abort()
                return
            self.link = link
        if self._owner is not None:
            self._owner.opening_ended(failure)

    def listen_anew(self, now: float) -> None:
        """Only what comes and leaves from now on speaks for the link."""
        self.heard = self.pinged = False
        if self.link is not None:
            self._drain.begin(now, self.link.outflow)

    def watch_outflow(self, now: float) -> bool:
        """Watch what leaves, if much waits and nobody does so yet; True when that begins."""
        if self.link is None or self.next_look < math.inf:
            return False
        self._drain.begin(now, self.link.outflow)
        return self.next_look < math.inf

    @property
    def next_look(self) -> float:
        """When :meth:`drains` can tell something; infinite while there is nothing to tell."""
        return self._drain.next_look

    def drains(self, now: float) -> bool:
        """Whether it was seen just now that bytes leave while others wait to, which proves life too."""
        if self.link is None or now < self.next_look or not self._drain.poll(now, self.link.outflow):
            return False
        self.heard = True
        return True

    def end(self, graceful: bool) -> asyncio.Task[Any] | None:
        """Say nothing from now on and close; the task to wait for, if it takes time."""
        self._owner = None
        link, self.link = self.link, None
        if link is None:
            if self._opening.done():
                return None
            self._opening.cancel()
            return self._opening
        if graceful:
            return asyncio.get_running_loop().create_task(link.shut(), name="closing")
        link.abort()
        return None

    def frame_received(self, data: bytes, text: bool) -> None:
        if self._owner is not None:
            self._owner.frame_received(data, text)

    def link_lost(self, code: int, words: str) -> None:
        if self._owner is not None:
            self._owner.link_lost(code, words)

    def link_writable(self) -> None:
        if self._owner is not None:
            self._owner.link_writable()
