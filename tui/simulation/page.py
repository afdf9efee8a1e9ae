"""An overlay page: what it has on, by its own clock, whatever became of the hub."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import msgspec

from tui.channels.errors import NotConnectedError
from tui.channels.link import Link, LinkRequest
from tui.channels.reasons import AnswerError, Step
from tui.demo.overlay import Screen
from tui.simulation.network import Network

TOPIC = "stream:overlays"
HEARTBEAT = 15.0
"""Seconds between two; one that is not answered by the next ends the connection."""
RETRY = (0.3, 2.0)
"""Seconds between two attempts to connect."""
OPEN_LIMIT = 10.0
RELOAD = (0.2, 1.0)
"""Seconds that a page takes to load."""
DEFAULT_DURATION = 5.0

Reads = Literal["state", "content"]
"""``state``: the stack that ``stream_state`` holds, the newest of the highest priority, as the real pages.
``content``: each ``content_update``, for as long as its data says."""


@dataclass(eq=False)
class Page:
    """A browser source: joins, shows, goes, comes back, and loses everything when it is reloaded.

    Args:
        acknowledges: says so with ``alert_shown`` when it shows an alert.
        changed: called whenever it has other alerts on than before, with what it had on.
    """

    network: Network
    url: str
    name: str
    random_source: random.Random
    _: KW_ONLY
    params: Mapping[str, Any]
    reads: Reads = "state"
    acknowledges: bool = False
    changed: Callable[[Page], None] = lambda _: None
    is_joined: bool = field(default=False, init=False)
    found: set[str] = field(default_factory=set, init=False)
    """Of these alerts, those that were there when it joined, begun some time before."""
    has_on: dict[str, float] = field(default_factory=dict, init=False)
    """Alerts, by their ids, whose time on the page is not over, and when it will be, by the loop."""
    shows: str | None = field(default=None, init=False)
    """The one of them that is seen."""

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._session: _Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_state = False
        self._screen = Screen()

    @property
    def is_open(self) -> bool:
        """Somebody has it open, whether or not the hub answers."""
        return self._task is not None

    def open(self) -> None:
        if self._task is None:
            self._task = self.network.spawn(self._run(), f"page {self.name}")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._put_on({}, None)

    async def reload(self) -> None:
        if self.is_open:
            await self.close()
            await asyncio.sleep(self.random_source.uniform(*RELOAD))
            self.open()

    async def _run(self) -> None:
        opener = self.network.opener(f"page {self.name}")
        while True:
            session = _Session(self)
            try:
                async with asyncio.timeout(OPEN_LIMIT):
                    session.link = await opener(LinkRequest(url=f"{self.url}/websocket?vsn=2.0.0"), session)
                await session.run()
            except (OSError, AnswerError, NotConnectedError, TimeoutError):
                pass  # a browser tries again
            finally:
                self.is_joined = False
                if session.link is not None:
                    session.link.abort()
            await asyncio.sleep(self.random_source.uniform(*RETRY))

    # What it has on

    def take(self, event: str, payload: Any) -> None:
        if event == "stream_state":
            self._take_state(payload)
        elif event == "content_update" and self.reads == "content" and payload.get("type") == "alert":
            data = payload["data"]
            ends = self.network.loop.now + data.get("duration", DEFAULT_DURATION)
            self._put_on({**self.has_on, data["id"]: ends}, data["id"])
        elif event == "takeover_clear" and self.reads == "content":
            self._put_on({}, None)

    def _take_state(self, payload: Any) -> None:
        if self.reads == "content":
            return
        on: dict[str, float] = {}
        for item in self._screen.on(payload, self.network.loop.now):
            id = item.data.get("id") if isinstance(item.data, dict) else None
            if isinstance(id, str):
                on[id] = max(on.get(id, 0.0), item.end)
        if not self._has_state:
            self.found, self._has_state = set(on), True
        self._put_on(on, next(iter(on), None))

    def _put_on(self, on: dict[str, float], shows: str | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        before = self.has_on, self.shows
        self.has_on, self.shows = on, shows
        if on:
            self._timer = self.network.call_at(min(on.values()), self._look_at_clock)
        if shows is not None and shows != before[1] and self.acknowledges and self._session is not None:
            self._session.push("alert_shown", {"id": shows})
        if (on, shows) != before:
            self.changed(self)

    def _look_at_clock(self) -> None:
        now = self.network.loop.now
        on = {id: end for id, end in self.has_on.items() if end > now}
        last = next(reversed(on), None) if self.reads == "content" else next(iter(on), None)
        self._put_on(on, self.shows if self.shows in on else last)

    def session_began(self, session: _Session | None) -> None:
        """It has joined, or its connection went."""
        self._session = session
        self.is_joined = session is not None
        if session is not None:
            self._has_state = False


class _Session:
    def __init__(self, page: Page) -> None:
        self.heard = False
        self.pinged = False
        self.step = Step("TCP")
        self.link: Link | None = None
        self._page = page
        self._refs = itertools.count(1)
        self._join_ref = str(next(self._refs))
        self._beat: str | None = None
        self._ended = asyncio.Event()

    async def run(self) -> None:
        self._send(self._join_ref, self._join_ref, TOPIC, "phx_join", self._page.params)
        try:
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await self._ended.wait()
                    return
                except TimeoutError:
                    if self._beat is not None:
                        return
                    self._beat = str(next(self._refs))
                    self._send(None, self._beat, "phoenix", "heartbeat", {})
        finally:
            self._page.session_began(None)

    def push(self, event: str, payload: Any) -> None:
        try:
            self._send(self._join_ref, str(next(self._refs)), TOPIC, event, payload)
        except NotConnectedError:
            self._ended.set()

    def _send(self, *frame: Any) -> None:
        assert self.link is not None
        self.link.send_frame(msgspec.json.encode(frame), text=True)

    def frame_received(self, data: bytes, text: bool) -> None:
        join_ref, ref, topic, event, payload = msgspec.json.decode(data)
        if event == "phx_reply" and ref == self._beat:
            self._beat = None
        elif topic != TOPIC or join_ref not in (None, self._join_ref):
            return
        elif event == "phx_reply" and ref == self._join_ref:
            if payload["status"] == "ok":
                self._page.session_began(self)
            else:
                self._ended.set()
        elif event in ("phx_error", "phx_close"):
            self._ended.set()
        else:
            self._page.take(event, payload)

    def link_lost(self, code: int, words: str) -> None:
        self._ended.set()

    def link_writable(self) -> None:
        pass
