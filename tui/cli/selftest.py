"""Proves on a hub, or on a live server, that a connection establishes, recovers and is measured."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from tui.channels import Channel, ChannelsError, Message, Options, Socket, StateChange
from tui.channels.errors import describe
from tui.cli.cutting_proxy import CuttingProxy
from tui.demo.hub import Hub
from tui.system.output import put, put_json

_LIMIT = 10.0
_EMBEDDED_TOPIC = "stream:overlays"
_OPTIONS = Options(
    max_reconnect_attempts="unlimited",
    reconnect_base_delay=0.1,
    reconnect_max_delay=0.4,
    heartbeat_interval=1.0,
    heartbeat_timeout=1.0,
    circuit_breaker_threshold=3,
    circuit_breaker_timeout=1.0,
    stable_after=0.5,
)


class Check(msgspec.Struct, kw_only=True):
    """One thing that was tried: what was expected, what was seen."""

    name: str
    expected: str
    seen: str
    ok: bool
    seconds: float


class Failed(Exception):  # noqa: N818 (what a check did)
    """A check saw something else than it expected; the message is what it saw."""


class SelfTest:
    """The checks, in order; each stands on the one before.

    What harms a server is done to a proxy between it and us: the server sees connections come and go.
    """

    def __init__(
        self, socket: Socket, channel: Channel | None, proxy: CuttingProxy, limit: float = _LIMIT
    ) -> None:
        self._limit = limit
        self._socket = socket
        self._channel = channel
        self._proxy = proxy
        self._failed_before = 0
        self._changes: list[StateChange] = []
        self._join_failure: str | None = None
        self.checks: list[Check] = []
        socket.on_state_change(self._changes.append)
        if channel is not None:
            channel.on("phx_error", self._join_failed)
            channel.on("phx_join", self._joined)

    async def run(self) -> bool:
        """Run all of them; False as soon as one fails, since the others stand on it."""
        steps: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
            ("connection establishment", "connected, its heartbeat answered, joined", self._establish),
            ("automatic reconnection", "connected and joined again after a cut", self._reconnect),
            ("half-open link", "a frozen link dropped by its heartbeat, then connected", self._frozen),
            ("breaker activation", "open after 3 failures, no attempt while open", self._breaker),
            ("breaker recovery", "one probe, then connected, joined and closed", self._recovery),
            ("metric tracking", "the nine metrics say what happened", self._metrics),
        ]
        for name, expected, step in steps:
            begun = time.monotonic()
            try:
                seen, ok = await step(), True
            except (Failed, ChannelsError) as failure:
                seen, ok = str(failure), False
            seconds = time.monotonic() - begun
            self.checks.append(Check(name=name, expected=expected, seen=seen, ok=ok, seconds=seconds))
            if not ok:
                return False
        return True

    def _join_failed(self, message: Message) -> None:
        # The channel's own reason is "joining" while it tries again.
        self._join_failure = describe(message.payload_or_none())

    def _joined(self, _: Message) -> None:
        self._join_failure = None

    async def _until(self, what: str, condition: Callable[[], bool]) -> float:
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > self._limit or self._proxy.failure:
                why = (
                    self._proxy.failure
                    or self._socket.details().reason
                    or self._join_failure
                    or (self._channel and self._channel.reason)
                )
                because = f" ({why})" if why else ""
                took = f"{time.monotonic() - begun:.1f} s"
                raise Failed(f"not {what} within {took}: {self._socket.state}{because}")
            await asyncio.sleep(0.01)
        return time.monotonic() - begun

    async def _until_up(self, joins: int) -> str:
        took = await self._until("connected", lambda: self._socket.is_connected)
        channel = self._channel
        if channel is None:
            return f"connected in {took:.2f} s (no topic given, so none joined)"
        joining = await self._until("joined", lambda: channel.state == "joined" and channel.joins >= joins)
        return f"connected and joined {channel.topic} in {took + joining:.2f} s"

    async def _until_stable(self) -> None:
        await self._until("stable", lambda: self._socket.details().stable)

    async def _establish(self) -> str:
        self._socket.connect()
        if self._channel is not None:
            self._channel.join()
        seen = await self._until_up(1)
        states = [change.new_state for change in self._changes]
        if states != ["connecting", "connected"]:
            raise Failed(f"went through {', '.join(states)}")
        round_trip = self._socket.details().round_trip_last or 0.0
        return f"{seen}, heartbeat answered in {round_trip * 1000:.1f} ms"

    async def _reconnect(self) -> str:
        await self._until_stable()
        begun = len(self._changes)
        self._proxy.cut()
        await self._until("away", lambda: len(self._changes) > begun)
        seen = await self._until_up(2)
        states = [change.new_state for change in self._changes[begun:]]
        if states[:1] != ["reconnecting"] or states[-1] != "connected":
            raise Failed(f"went through {', '.join(states)}")
        return seen

    async def _frozen(self) -> str:
        await self._until_stable()
        self._proxy.freeze()
        took = await self._until("dropped", lambda: self._socket.get_health_metrics().heartbeat_failures == 1)
        self._proxy.cut()
        return f"dropped after {took:.2f} s; {await self._until_up(3)}"

    async def _breaker(self) -> str:
        await self._until_stable()
        # A retry may have met the frozen proxy before it was cut.
        self._failed_before = self._socket.get_health_metrics().failed_reconnects
        self._proxy.refusing = True
        self._proxy.cut()
        await self._until("open", lambda: self._socket.get_health_metrics().is_circuit_open)
        asked, metrics = self._proxy.asked, self._socket.get_health_metrics()
        await asyncio.sleep(_OPTIONS.circuit_breaker_timeout / 2)
        while_open = self._proxy.asked - asked
        if metrics.connection_state != "failed" or metrics.circuit_breaker_trips != 1 or while_open:
            raise Failed(
                f"{metrics.connection_state}, {metrics.circuit_breaker_trips} trips, "
                f"{while_open} attempts while open"
            )
        return f"failed, open after {metrics.reconnect_attempts} failures, 1 trip, no attempt while open"

    async def _recovery(self) -> str:
        asked = self._proxy.asked
        self._proxy.refusing = False
        seen = await self._until_up(4)
        await self._until_stable()
        if self._proxy.asked != asked + 1 or self._socket.get_health_metrics().is_circuit_open:
            raise Failed(f"{self._proxy.asked - asked} attempts, breaker not closed or not by one probe")
        return f"{seen} by one probe"

    async def _metrics(self) -> str:
        metrics = self._socket.get_health_metrics()
        if metrics != self._socket.get_health_metrics():
            raise Failed("reading the metrics changed them")
        expected = {
            "connection_state": "connected",
            "reconnect_attempts": 0,
            "successful_connects": 4,
            "total_reconnects": 3,
            "failed_reconnects": self._failed_before + _OPTIONS.circuit_breaker_threshold,
            "heartbeat_failures": 1,
            "circuit_breaker_trips": 1,
            "is_circuit_open": False,
        }
        wrong = [
            f"{name} is {getattr(metrics, name)}, expected {value}"
            for name, value in expected.items()
            if getattr(metrics, name) != value
        ]
        age = None if metrics.last_heartbeat is None else time.time() - metrics.last_heartbeat
        if age is None or not -1 <= age <= 3 * _OPTIONS.heartbeat_interval:
            wrong.append(f"last_heartbeat is {'never' if age is None else f'{age:.1f} s ago'}")
        if wrong:
            raise Failed("; ".join(wrong))
        return "4 connects, 3 reconnects, 1 heartbeat failure, 1 trip, heartbeat seconds ago"


async def run(url: str | None, topic: str | None, limit: float = _LIMIT) -> tuple[bool, list[Check]]:
    """Run every check against ``url``, or against an embedded hub of its own.

    Args:
        limit: seconds that anything may take which a check waits for.
    """
    async with AsyncExitStack() as stack:
        if url is None:
            hub = await stack.enter_async_context(Hub())
            url, topic = hub.url, topic or _EMBEDDED_TOPIC
        proxy = await stack.enter_async_context(CuttingProxy())
        socket = Socket(url, dataclasses.replace(_OPTIONS, proxy=proxy.url))
        stack.push_async_callback(socket.close)
        channel = None if topic is None else socket.channel(topic)
        test = SelfTest(socket, channel, proxy, limit)
        return await test.run(), test.checks


def main(url: str | None, topic: str | None, as_json: bool) -> int:
    """Run the self-test and print what was expected and what was seen; the exit status, 0 or 1.

    Raises:
        ValueError: ``url`` is no URL of a socket.
    """
    ok, checks = asyncio.run(run(url, topic))
    if as_json:
        put_json({"ok": ok, "checks": checks})
        return 0 if ok else 1
    for check in checks:
        put(f"{'ok  ' if check.ok else 'FAIL'}  {check.name} ({check.seconds:.1f} s)")
        put(f"      expected: {check.expected}")
        put(f"      seen:     {check.seen}")
    target = "the embedded hub" if url is None else "the server"
    put(f"self-test on {target}: {'all passed' if ok else 'failed'}")
    return 0 if ok else 1
