"""The hub under the alert queue's benchmark, in a process of its own: its viewers, its overlay page."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from typing import Any

from tests.bench.processes import obey, say
from tui.demo.codec import Frame
from tui.demo.connection import Connection
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage

HUB = "tests.bench.alerts_hub:hub"

SOURCE = "events:all"
MARKED = "marked_"
"""How the names of raids begin that must appear on the screen."""
MARKED_VIEWERS = 5_000

_KINDS = {
    "follower": 44,
    "subscription": 14,
    "cheer": 20,
    "redemption": 18,
    "raid": 1,
    "gift_subscription": 1,
}
"""What viewers do, and of so many events how many are of which kind; a gift brings its subscriptions."""
_BOMBS = (1, 5, 5, 10, 50)
_DUPLICATES = 0.05
"""Of all events these come a second time ..."""
_AGAIN_WITHIN = 200
"""... and one of the last so many does."""
_UNREADABLE = 0.005
_MARK_EVERY = 1.0
_ROUND = 0.02
_BEHIND = 0.25
"""Seconds of events that are made up for after this process stood still; the rest are never sent."""


class _Hub(Hub):
    """Keeps when each connection's heartbeats came, by :func:`time.perf_counter`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.beats: dict[Connection, list[float]] = {}

    def note_received(self, connection: Connection, frame: Frame) -> None:
        if frame.event == "heartbeat":
            self.beats.setdefault(connection, []).append(time.perf_counter())


class _Viewers:
    """Do things at a steady rate, and know what must become of each: the built-in rules are theirs too."""

    def __init__(self, hub: _Hub) -> None:
        self._hub = hub
        self._random_source = random.Random(1)
        self._last: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_AGAIN_WITHIN)
        self._numbers = 0
        self._mark_at = 0.0
        self.noted: Counter[str] = Counter()
        """``sent`` in all, of them ``accepted``, ``ignored``, ``duplicates``, ``rejected``; ``unheard``."""
        self.marks: dict[str, float] = {}
        """When each marked raid was sent."""

    async def act(self, rate: float, seconds: float) -> None:
        """So many events a second for so long."""
        due, began = 0.0, time.perf_counter()
        last = began
        while (now := time.perf_counter()) < began + seconds:
            due = min(due + (now - last) * rate, _BEHIND * rate)
            last = now
            while due >= 1:
                due -= self._act(now)
            await asyncio.sleep(_ROUND)

    def _act(self, now: float) -> int:
        """One thing happens; returns how many events it made."""
        before = self.noted["sent"]
        kind = self._random_source.random()
        if now >= self._mark_at:
            self._mark_at = now + _MARK_EVERY
            name = f"{MARKED}{len(self.marks) + 1:04}"
            self.marks[name] = self._happen("raid", user_name=name, viewers=MARKED_VIEWERS)
        elif kind < _DUPLICATES and self._last:
            self._send("duplicates", *self._random_source.choice(self._last))
        elif kind < _DUPLICATES + _UNREADABLE:
            self._send("rejected", "cheer", ["no", "object"])
        else:
            (event,) = self._random_source.choices([*_KINDS], weights=[*_KINDS.values()])
            if event == "gift_subscription":
                self._bomb(self._random_source.choice(_BOMBS))
            else:
                self._happen(event)
        return self.noted["sent"] - before

    def _bomb(self, total: int) -> None:
        self._happen("gift_subscription", total=total)
        for _ in range(total):
            self._happen("subscription", "ignored", is_gift=True, cumulative_months=1)

    def _happen(self, event: str, becomes: str = "accepted", **fields: Any) -> float:
        self._numbers += 1
        number = {"id": f"event-{self._numbers:06}", "user_id": self._numbers}
        payload = self._hub.show.happening(event, **fields).payload | number
        self._last.append((event, payload))
        return self._send(becomes, event, payload)

    def _send(self, becomes: str, event: str, payload: Any) -> float:
        at = time.perf_counter()
        if isinstance(payload, dict):
            payload = payload | {"sent_at": at}
        heard = self._hub.send_to_topic(SOURCE, event, payload)
        self.noted.update(("sent", becomes, *(() if heard == 1 else ("unheard",))))
        return at


async def hub() -> None:
    """One hub with an open overlay page, on which nothing happens until told.

    ``listening`` answers whether the source's and the overlays' topics are joined by the program, ``act``
    lets things happen and answers with :attr:`_Viewers.noted` when they have, ``marks`` and ``beats`` (those
    since ``act`` began, of each connection that was there all the time) answer with times, ``shown`` with
    the ids of the alerts that came on the page.
    """
    async with _Hub(seed=1, shows_alerts=False) as running:
        viewers = _Viewers(running)
        page = OverlayPage(lambda: running.url)
        page.open()
        began = [0.0]

        async def listening() -> bool:
            # The page has joined the latter too.
            return (len(running.channels(SOURCE)), len(running.channels("stream:overlays"))) == (1, 2)

        async def act(rate: float, seconds: float) -> dict[str, int]:
            began[0] = time.perf_counter()
            await viewers.act(rate, seconds)
            return dict(viewers.noted)

        async def marks() -> dict[str, float]:
            return viewers.marks

        async def beats() -> list[list[float]]:
            """Of each of the program's connections, beginning with the last before it all began."""
            pages = {
                channel.connection for channel in running.channels("stream:overlays") if _is_page(channel)
            }
            kept = []
            for connection, times in running.beats.items():
                if connection not in pages and connection in running.connections:
                    before = [at for at in times if at <= began[0]][-1:]
                    kept.append([*before, *(at for at in times if at > began[0])])
            return kept

        async def shown() -> list[str]:
            return [each.id for each in page.shown if each.id is not None]

        say([running.url])
        try:
            await obey({"listening": listening, "act": act, "marks": marks, "beats": beats, "shown": shown})
        finally:
            await page.close()


def _is_page(channel: Any) -> bool:
    return getattr(channel, "page", None) is not None
