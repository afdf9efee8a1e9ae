"""One attempt to connect, and the link that it led to."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from tui.channels import reasons
from tui.channels.apart import Awaited
from tui.channels.clock import Clock
from tui.channels.endpoint import link_request
from tui.channels.errors import OpenError
from tui.channels.link import Link, LinkOwner, Opener
from tui.channels.options import Options
from tui.channels.outflow import Drain


class AttemptOwner(Protocol):
    """Who is told what became of it. No method may raise."""

    def opening_ended(self, error: OpenError | None) -> None:
        """There is a link now, or there is none."""

    def frame_received(self, data: bytes, text: bool) -> None:
        """As of :class:`LinkOwner`, like the others."""

    def link_lost(self, code: int, words: str) -> None: ...
    def link_writable(self) -> None: ...


class Attempt(LinkOwner):
    """One attempt and the link it led to; once ended it says nothing more."""

    def __init__(
        self, owner: AttemptOwner, url: str, address: str, options: Options, opener: Opener, clock: Clock
    ) -> None:
        self.heard = self.pinged = False
        self.address = address
        self.step = reasons.Step("upgrade", address)
        self._drain = Drain(options.heartbeat_timeout)
        self.link: Link | None = None
        self.opening: asyncio.Task[None] | None = None
        self.awaited = Awaited()
        self._owner: AttemptOwner | None = owner
        self._url = url
        self._options = options
        self._opener = opener
        self._clock = clock

    def begin(self) -> None:
        """Open a link, in a task."""
        self.opening = asyncio.get_running_loop().create_task(self._open(), name=f"opening {self.address}")

    async def _open(self) -> None:
        self.awaited.by_this_task()
        failure = None
        try:
            request = await link_request(self._url, self._options)
            link = await self._opener(request, self)
        except Exception as error:  # noqa: BLE001 (every failure to open is a reason in words)
            failure = reasons.in_words(error, self.step, self._clock.time())
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
        if self.link is None or self._drain.is_watched:
            return False
        self._drain.begin(now, self.link.outflow)
        return self._drain.is_watched

    @property
    def next_look(self) -> float:
        """When :meth:`drains` can tell something; infinite while there is nothing to tell."""
        return self._drain.next_look

    def drains(self, now: float) -> bool:
        """Whether it was seen just now that bytes leave while others wait to, which proves life too."""
        link = self.link
        if link is None or now < self._drain.next_look or not self._drain.poll(now, link.outflow):
            return False
        self.heard = True
        return True

    def end(self, graceful: bool) -> asyncio.Task[Any] | None:
        """Say nothing from now on and close; the task to wait for, if it takes time."""
        self._owner = None
        link, self.link = self.link, None
        if link is None:
            if self.opening is None or self.opening.done():
                return None
            self.opening.cancel()
            return self.opening
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
