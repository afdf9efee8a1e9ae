"""A client's own health, told to everybody on a topic: the other end of what a supervisor watches."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable

from tui.channels.channel import Channel
from tui.channels.errors import ChannelsError
from tui.channels.health import StateChange
from tui.channels.socket import Socket

log = logging.getLogger(__name__)

EVENT = "health_report"
INTERVAL = 10.0


def report_health(
    socket: Socket,
    channel: Channel,
    *,
    service: str,
    host: str | None = None,
    environment: str | None = None,
    url: str | None = None,
    event: str = EVENT,
    interval: float = INTERVAL,
) -> Callable[[], None]:
    """Push the nine metrics of ``socket`` on ``channel``: after each join, when it is connected again, and
    every ``interval`` seconds. Nothing is buffered while it cannot be pushed.

    To be called on the loop of the socket. What it returns ends it; so does the end of the socket's loop.

    Args:
        channel: one of any socket; the hub passes ``event`` on to whoever watches.
        host: the machine's name unless given.
        interval: 1 to 3,600 seconds.

    Raises:
        ValueError: an interval out of bounds.
    """
    if not 1 <= interval <= 3600:
        raise ValueError(f"interval: expected 1 to 3600 seconds, not {interval:g}")
    about = {"service": service, "host": host or platform.node(), "environment": environment, "url": url}
    return _Reporting(socket, channel, event, interval, about).stop


class _Reporting:
    def __init__(
        self, socket: Socket, channel: Channel, event: str, interval: float, about: dict[str, str | None]
    ) -> None:
        self._socket = socket
        self._channel = channel
        self._event = event
        self._interval = interval
        self._about = {name: value for name, value in about.items() if value is not None}
        self._loop = asyncio.get_running_loop()
        self._pushing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._unsubscribe = (
            channel.on("phx_join", lambda _: self._report()),
            socket.on_state_change(self._state_changed),
        )
        self._due()

    def stop(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        for each in (self._timer, self._pushing):
            if each is not None:
                each.cancel()

    def _state_changed(self, change: StateChange) -> None:
        if change.new_state == "connected":
            self._report()

    def _due(self) -> None:
        self._report()
        self._timer = self._loop.call_later(self._interval, self._due)

    def _report(self) -> None:
        # One at a time: what a slow hub has not answered is old already.
        if self._channel.can_push and (self._pushing is None or self._pushing.done()):
            self._pushing = self._loop.create_task(self._push(), name=f"health of {self._about['service']}")

    async def _push(self) -> None:
        details = self._socket.details()
        report = {
            **self._about,
            **self._socket.get_health_metrics().to_camel(),
            "since": details.since or None,
            "lastError": details.reason,
            "closeCode": details.last_close_code,
        }
        try:
            await self._channel.push(self._event, report)
            self._refused = False
        except ChannelsError as error:
            if not self._refused:
                self._refused = True
                log.warning("the health of %s was not told: %s", self._about["service"], error)
