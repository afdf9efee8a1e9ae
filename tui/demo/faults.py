"""Faults that can be switched on while a hub runs, one method each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response

from .channel import Channel, Refuse
from .codec import Serializer
from .upgrade import respond

if TYPE_CHECKING:
    from .hub import Hub
    from .transport import Carrier

logger = logging.getLogger(__name__)

Garbage = Literal["json", "shape", "empty", "utf8", "nesting", "binary", "kind"]

GARBAGE: Mapping[Garbage, tuple[bytes, bool]] = MappingProxyType(
    {
        "json": (b'["1","2","echo:1",{not json', True),
        "shape": (b'{"neither":"an array","nor":"a message"}', True),
        "empty": (b"", True),
        "utf8": (b'[null,null,"echo:1","news",{"text":"\xff\xfe"}]', True),
        "nesting": (b'[null,null,"echo:1","news",' + b"[" * 100_000 + b"]" * 100_000 + b"]", True),
        "binary": (b"\x02\xff\xff", False),
        "kind": (b"\x07\x00\x00\x00\x00", False),
    }
)
"""Frames that cannot be decoded, by name: the bytes, and whether they go into a text frame."""


@dataclass(slots=True)
class _Limited:
    """A fault that is on so often, or until it is cleared."""

    times: int | None

    def is_used_up(self) -> bool:
        """Count one time; whether it was the last."""
        if self.times is None:
            return False
        self.times -= 1
        return self.times <= 0


@dataclass(slots=True)
class _Opening(_Limited):
    """What happens to new connections in place of the usual."""

    kind: Literal["answer", "reset", "silent", "close"]
    answer: Callable[[], Response] | None = None
    code: int = 0


@dataclass(slots=True)
class _Refusal(_Limited):
    response: Any


class Faults:
    """The faults of one hub. Each takes effect before its method returns, unless it is a coroutine.

    Of the faults of opening (an HTTP status, a redirect, a reset, silence, a close at once) one can be
    on at a time; the last one set holds, for ``times`` connections or, with None, until :meth:`clear`.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._opening: _Opening | None = None
        self._refusals: dict[str, _Refusal] = {}
        self._join_delay = 0.0
        self.thawed = asyncio.Event()
        self.thawed.set()

    # Opening

    def refuse(self) -> None:
        """Closes the listening socket (connection refused) and keeps the port; connections live on."""
        self._hub.listener.close()

    async def accept(self) -> None:
        """Ends :meth:`refuse`. Does nothing on a stopped hub."""
        if self._hub.running:
            await self._hub.listener.open()

    def http_status(
        self, status: int, *, retry_after: int | str | None = None, times: int | None = None
    ) -> None:
        """``retry_after`` is a number of seconds or an HTTP date (RFC 9110, section 10.2.3)."""
        extra = {} if retry_after is None else {"retry-after": str(retry_after)}
        body = b"" if status < 404 else b'{"error":"service unavailable"}' if status == 503 else b"{}"
        self._opening = _Opening(times, "answer", lambda: respond(status, body, json=bool(body), extra=extra))

    def redirect(self, url: str, *, status: int = 302, times: int | None = None) -> None:
        """Sends clients elsewhere: following would carry their token to another host."""
        self._opening = _Opening(times, "answer", lambda: respond(status, extra={"location": url}))

    def reset_opening(self, *, times: int | None = None) -> None:
        """Accepts the TCP connection, reads the request and resets the connection."""
        self._opening = _Opening(times, "reset")

    def accept_silent(self, *, times: int | None = None) -> None:
        """Answers 101 and then nothing at all: no heartbeat, no ping, no close."""
        self._opening = _Opening(times, "silent")

    def accept_and_close(self, code: int = CloseCode.NORMAL_CLOSURE, *, times: int | None = None) -> None:
        self._opening = _Opening(times, "close", code=code)

    # Connections

    @property
    def frozen(self) -> bool:
        return not self.thawed.is_set()

    def freeze(self) -> None:
        """TCP stays up, nothing is read or answered, on old and new connections alike."""
        self.thawed.clear()
        for transport in list(self._hub.transports):
            transport.freeze()

    def thaw(self) -> None:
        """Ends :meth:`freeze`: everything held back goes out, everything sent meanwhile is read."""
        if self.frozen:
            self.thawed.set()
            for transport in list(self._hub.transports):
                transport.thaw()

    def drop_all(self, *, reset: bool = False) -> int:
        """Drops every TCP connection without a close frame; ``reset`` sends RST. Returns how many."""
        transports = list(self._hub.transports)
        for transport in transports:
            transport.abort(reset=reset)
        return len(transports)

    def close_all(self, code: int = CloseCode.GOING_AWAY) -> int:
        connections = self._hub.connections
        for connection in connections:
            connection.close(code)
        return len(connections)

    async def restart(self, after: float = 1.0, *, graceful: bool = True) -> None:
        """Stops the hub, waits ``after`` seconds and starts it again, unless it was stopped meanwhile."""
        stops = self._hub.stops + 1
        await self._hub.stop(graceful=graceful)
        await asyncio.sleep(after)
        if self._hub.stops == stops and not self._hub.running:
            await self._hub.start()

    # Channels

    def slow_join(self, seconds: float) -> None:
        """Lets every join take so long, and its connection with it; 0 ends it."""
        self._join_delay = seconds

    def refuse_join(self, topic: str, *, response: Any = None, times: int | None = None) -> None:
        """Refuses joins of ``topic`` (``*`` matches anything), so many times or until :meth:`allow_join`."""
        self._refusals[topic] = _Refusal(times, {"reason": "unauthorized"} if response is None else response)

    def allow_join(self, topic: str) -> None:
        self._refusals.pop(topic, None)

    def crash_channel(self, topic: str) -> int:
        """Crashes (``phx_error``) every channel on ``topic`` (``*`` matches anything). Returns how many."""
        return self._end_channels(topic, "phx_error")

    def stop_channel(self, topic: str) -> int:
        """Closes (``phx_close``) every channel on ``topic``. Returns how many."""
        return self._end_channels(topic, "phx_close")

    # Frames

    def garbage(self, kind: Garbage | Literal["all"] = "all") -> int:
        """Sends frames that cannot be decoded to every connection. Returns how many were sent."""
        chosen = list(GARBAGE.values()) if kind == "all" else [GARBAGE[kind]]
        connections = self._hub.connections
        for connection in connections:
            for data, text in chosen:
                connection.transport.write_message(data, text=text)
        return len(connections) * len(chosen)

    def flood(self, topic: str, count: int = 10_000, size: int = 200, *, event: str = "flood") -> int:
        """Broadcasts ``count`` times ``{"n": 0..., "pad": ...}``, each of about ``size`` bytes, in one burst.

        Returns how many frames were sent in all.
        """
        channels = self._matching(topic)
        bursts: dict[tuple[str, int], bytes] = {}
        for channel in channels:
            serializer = channel.connection.serializer
            kind = channel.topic, serializer.version
            if kind not in bursts:
                bursts[kind] = _burst(serializer, channel.topic, event, count, size)
            channel.connection.transport.write_raw(bursts[kind])
        return count * len(channels)

    def oversized(self, size: int = 20_000_000, *, topic: str = "*", event: str = "oversized") -> int:
        """Broadcasts one frame of at least ``size`` bytes to each channel on ``topic``. Returns how many."""
        names = dict.fromkeys(channel.topic for channel in self._matching(topic))
        return sum(self._hub.send_to_topic(name, event, {"pad": "x" * size}) for name in names)

    def fragmented(
        self, topic: str, event: str = "fragmented", payload: Any = None, *, fragments: int = 5
    ) -> int:
        """Broadcasts one message in several frames with a ping in between (RFC 6455, section 5.4).

        Returns how many channels it was sent to.
        """
        content = {"whole": True} if payload is None else payload
        channels = self._matching(topic)
        for channel in channels:
            data, text = channel.connection.serializer.broadcast(channel.topic, event, content)
            channel.connection.transport.write_raw(_in_fragments(data, text, fragments))
        return len(channels)

    # Viewers

    def gift_bomb(self, total: int = 50) -> None:
        """A viewer gives ``total`` subscriptions: one event for the gift and one for each of them."""
        giver = self._hub.happen("gift_subscription", total=total)
        for _ in range(total):
            self._hub.happen(
                "subscription", is_gift=True, cumulative_months=1, gifter_name=giver["user_name"]
            )

    async def follows(self, count: int = 500, *, rate: float = 50.0) -> None:
        """Follow bots: ``count`` of them, ``rate`` a second."""
        for number in range(count):
            self._hub.happen("follower", user_name=f"bot_{number + 1}")
            await asyncio.sleep(1 / rate)

    # Ending them

    async def clear(self) -> None:
        """Ends every fault that is still on: openings, refusals, slow joins, freeze, refuse."""
        self._opening = None
        self._refusals.clear()
        self._join_delay = 0.0
        self.thaw()
        await self.accept()

    # For the hub

    async def opening(self, transport: Carrier) -> Response | None:
        """What the fault of opening answers to an upgrade request, if one is on."""
        fault = self._opening
        if fault is None or fault.kind in ("silent", "close"):
            return None
        self._use_opening(fault)
        if fault.answer is not None:
            return fault.answer()
        transport.abort(reset=True)
        await transport.wait_closed()
        return respond(503)  # goes nowhere: the connection is gone

    def opened(self, transport: Carrier) -> bool:
        """Applies the fault of opening after 101. Returns whether the connection is served as usual."""
        fault = self._opening
        if fault is None or fault.kind not in ("silent", "close"):
            return True
        self._use_opening(fault)
        if fault.kind == "silent":
            transport.deaf = True
        else:
            transport.begin_close(fault.code)
        return False

    async def before_join(self, topic: str) -> None:
        """Delays or refuses a join. Raises: channel.Refuse."""
        if self._join_delay > 0:
            await asyncio.sleep(self._join_delay)
        for pattern, refusal in list(self._refusals.items()):
            if fnmatchcase(topic, pattern):
                if refusal.is_used_up():
                    del self._refusals[pattern]
                raise Refuse(refusal.response)

    def _use_opening(self, fault: _Opening) -> None:
        if fault.is_used_up():
            self._opening = None

    def _matching(self, pattern: str) -> list[Channel]:
        topics = [topic for topic in self._hub.topics() if fnmatchcase(topic, pattern)]
        return [channel for topic in topics for channel in self._hub.channels(topic)]

    def _end_channels(self, pattern: str, event: str) -> int:
        ended = self._matching(pattern)
        for channel in ended:
            channel.connection.end_channel(channel, event)
        return len(ended)


def _burst(serializer: Serializer, topic: str, event: str, count: int, size: int) -> bytes:
    frames = bytearray()
    for number in range(count):
        bare = serializer.broadcast(topic, event, {"n": number, "pad": ""}).data
        # What JSON leaves unescaped adds a byte for each character.
        pad = "x" * max(0, size - len(bare))
        data = serializer.broadcast(topic, event, {"n": number, "pad": pad}).data
        frames += Frame(Opcode.TEXT, data).serialize(mask=False)
    return bytes(frames)


def _in_fragments(data: bytes, text: bool, fragments: int) -> bytes:
    step = max(1, -(-len(data) // fragments))
    parts = [data[start : start + step] for start in range(0, len(data), step)] or [b""]
    frames = bytearray()
    for number, part in enumerate(parts):
        opcode = Opcode.CONT if number else Opcode.TEXT if text else Opcode.BINARY
        frames += Frame(opcode, part, fin=number == len(parts) - 1).serialize(mask=False)
        if number == 0:
            frames += Frame(Opcode.PING, b"between").serialize(mask=False)
    return bytes(frames)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for a command palette."""

    id: str
    label: str
    help: str
    apply: Callable[[Faults], object]
    """Switches it on; a coroutine function's result is to be awaited, in a task of its own."""


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.id: fault
        for fault in (
            Fault("restart", "restart the hub", "Stop the hub as on SIGTERM; it is back after 1 s",
                  lambda faults: faults.restart(1.0)),
            Fault("kill", "kill the hub", "Drop every connection as on SIGKILL; the hub is back after 3 s",
                  lambda faults: faults.restart(3.0, graceful=False)),
            Fault("refuse", "refuse connections", "Connection refused for new connections, until cleared",
                  lambda faults: faults.refuse()),
            Fault("drop", "drop connections", "Every connection ends without a close frame",
                  lambda faults: faults.drop_all()),
            Fault("close", "close with 1000", "Every connection is closed with code 1000",
                  lambda faults: faults.close_all(CloseCode.NORMAL_CLOSURE)),
            Fault("freeze", "freeze the hub", "TCP stays up, nothing is answered, until cleared",
                  lambda faults: faults.freeze()),
            Fault("silent", "accept, then be silent", "New connections are accepted and never answered",
                  lambda faults: faults.accept_silent()),
            Fault("accept_close", "accept, then close", "New connections are accepted and closed at once",
                  lambda faults: faults.accept_and_close()),
            Fault("reset", "reset while opening", "New connections are reset before the answer",
                  lambda faults: faults.reset_opening()),
            Fault("unauthorized", "answer 401", "New connections are answered 401, until cleared",
                  lambda faults: faults.http_status(401)),
            Fault("forbidden", "answer 403", "New connections are answered 403, until cleared",
                  lambda faults: faults.http_status(403)),
            Fault("unavailable", "answer 503", "New connections are told to come back in 2 s (Retry-After)",
                  lambda faults: faults.http_status(503, retry_after=2)),
            Fault("redirect", "redirect", "New connections are sent to another address",
                  lambda faults: faults.redirect("ws://127.0.0.1:9/socket/websocket")),
            Fault("slow_join", "slow down joins", "Every join takes 2 s and holds up its connection",
                  lambda faults: faults.slow_join(2.0)),
            Fault("refuse_join", "refuse three joins", "The next three joins are refused",
                  lambda faults: faults.refuse_join("*", times=3)),
            Fault("crash", "crash the channels", "Every channel crashes (phx_error)",
                  lambda faults: faults.crash_channel("*")),
            Fault("stop_channels", "close the channels", "Every channel is closed by the server (phx_close)",
                  lambda faults: faults.stop_channel("*")),
            Fault("garbage", "send garbage", "Frames that cannot be decoded, on every connection",
                  lambda faults: faults.garbage()),
            Fault("flood", "send a flood", "2,000 messages of 200 bytes on every channel, in one burst",
                  lambda faults: faults.flood("*", 2_000, 200)),
            Fault("oversized", "send an oversized frame", "One frame of 20 MB on every channel",
                  lambda faults: faults.oversized()),
            Fault("fragmented", "send a fragmented message", "One message in five frames on every channel",
                  lambda faults: faults.fragmented("*")),
            Fault("gift_bomb", "gift bomb (50 subs)", "One viewer gives 50 subscriptions: 51 events at once",
                  lambda faults: faults.gift_bomb(50)),
            Fault("follows", "500 follows", "Follow bots: 500 follows within ten seconds",
                  lambda faults: faults.follows(500)),
            Fault("clear", "end all faults", "Everything that is still switched on ends",
                  lambda faults: faults.clear()),
        )
    }
)  # fmt: skip
"""Every fault by its id, with values that make it seen."""
