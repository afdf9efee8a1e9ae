"""``python -m tests.hostile.hub NAME``: a hub that does one bad thing, in a process of its own.

Prints its port and goes on until standard input is closed. Where the bad thing comes after the upgrade,
joins and heartbeats are answered as they should be, so that it reaches everything behind them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.utils import accept_key

TEXT, BINARY, CLOSE, PING, CONTINUED = 1, 2, 8, 9, 0

MARK = "EVIL"
"""Stands in everything that must not reach a terminal as it is."""

RAW = f"\x1b]52;c;{MARK}\x07 \x1b[31m{MARK} \x9b32m{MARK} \u202e{MARK} \u2066{MARK} \r\n{MARK} [red]{MARK}[/]"
"""Control sequences, C1, bidi and markup around :data:`MARK`."""

ESCAPES = tuple(
    text.encode() for text in (f"c;{MARK}\x07", f"\x1b[31m{MARK}", f"\x9b32m{MARK}", "\u202e", "\u2066")
)
"""What of :data:`RAW` a terminal would obey."""

MIB = 1024 * 1024
_PATIENCE = 600.0


class Peer:
    """One client of the hub, after the upgrade."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.joined: dict[str, Any] = {}
        self.busy = asyncio.Event()
        """Set once a topic was joined."""

    async def raw(self, data: bytes) -> None:
        """Send bytes, as fast as they are taken."""
        self.writer.write(data)
        await self.writer.drain()

    async def frame(self, opcode: int, data: bytes = b"", *, final: bool = True) -> None:
        """Send one frame."""
        await self.raw(frame(opcode, data, final=final))

    async def say(self, join_ref: Any, ref: Any, topic: Any, event: Any, payload: Any) -> None:
        """Send one message of protocol version 2."""
        await self.frame(TEXT, json.dumps([join_ref, ref, topic, event, payload]).encode())

    async def note(self, topic: str, event: str, payload: bytes) -> None:
        """Broadcast a payload that is JSON already, or is not."""
        await self.frame(
            TEXT, f"[null,null,{json.dumps(topic)},{json.dumps(event)},".encode() + payload + b"]"
        )

    async def read_frame(self) -> tuple[int, bytes]:
        """The client's next frame."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8), "big")
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(length)
        return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))

    async def answer(self) -> None:
        """Answer joins, heartbeats and pushes until the client is gone."""
        while True:
            opcode, data = await self.read_frame()
            if opcode == CLOSE:
                self.writer.close()
                return
            if opcode == TEXT:
                join_ref, ref, topic, event, _ = json.loads(data)
                if event == "phx_join":
                    self.joined[topic] = join_ref
                    self.busy.set()
                await self.say(join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}})


def frame(opcode: int, data: bytes = b"", *, final: bool = True) -> bytes:
    """One frame of a server, as RFC 6455 (5.2) has it."""
    first = bytes([(0x80 if final else 0) | opcode])
    if len(data) < 126:
        return first + bytes([len(data)]) + data
    if len(data) < 65536:
        return first + b"\x7e" + len(data).to_bytes(2, "big") + data
    return first + b"\x7f" + len(data).to_bytes(8, "big") + data


def message(topic: str, event: str, payload: Any, join_ref: Any = None, ref: Any = None) -> bytes:
    """One message of protocol version 2 in a frame."""
    return frame(TEXT, json.dumps([join_ref, ref, topic, event, payload]).encode())


Deed = Callable[[Peer], Awaitable[None]]
"""What a hub does to a client that it let in."""

DEEDS: dict[str, Deed] = {}
"""By name, the bad things that come after the upgrade."""

Opening = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OPENINGS: dict[str, Opening] = {}
"""By name, the bad things that come in place of the upgrade's answer."""

_VALUES: tuple[Any, ...] = (None, 1, -1.5, True, {}, [], "x", {"a": [1]}, [[]], "", 10**30)


def deed(work: Deed) -> Deed:
    """Enter ``work`` under its name."""
    DEEDS[work.__name__.strip("_")] = work
    return work


def opening(work: Opening) -> Opening:
    """Enter ``work`` under its name."""
    OPENINGS[work.__name__.strip("_")] = work
    return work


async def turns(pause: float = 0.0) -> AsyncIterator[int]:
    """Numbers without end, the loop's other tasks having their turn in between."""
    for number in itertools.count():
        yield number
        await asyncio.sleep(pause)


@deed
async def wrong_types(peer: Peer) -> None:
    """Each of the five places holds what it must not."""
    good = ["1", "2", "events:all", "follower", {"user_name": RAW}]
    async for number in turns():
        row: list[Any] = list(good)
        row[number % 5] = _VALUES[number // 5 % len(_VALUES)]
        await peer.frame(TEXT, json.dumps(row).encode())
        await peer.frame(TEXT, json.dumps(row[: number % 6]).encode())


@deed
async def replies_to_nothing(peer: Peer) -> None:
    """Replies to refs that were never sent."""
    async for number in turns():
        many = range(number * 1000, number * 1000 + 1000)
        reply = {"status": "ok", "response": {}}
        await peer.raw(
            b"".join(message("events:all", "phx_reply", reply, "1", f"{each}9999") for each in many)
        )


@deed
async def a_million_closes(peer: Peer) -> None:
    """``phx_close`` a million times, for joins of long ago and of never."""
    for each in range(1000):
        await peer.raw(
            b"".join(message("events:all", "phx_close", {}, f"{each}x", f"{each}x") for _ in range(1000))
        )
    await peer.say(None, None, "events:all", "phx_close", {})


@deed
async def odd_events(peer: Peer) -> None:
    """Viewer events with numbers and ids that no viewer has."""
    ids: tuple[Any, ...] = (None, {}, [], 1, "1", 1e308, "x" * 100_000, True, RAW)
    async for number in turns(0.001):
        kind = ("follower", "cheer", "gift_subscription", "raid", "subscription", RAW)[number % 6]
        value = (1e308, -1e308, 10**400, None, {}, RAW, -5, 0, "9" * 5000)[number % 9]
        payload = {
            "id": ids[number % len(ids)],
            "type": kind,
            "user_name": RAW,
            "bits": value,
            "viewers": value,
        }
        await peer.note(
            "events:all", kind, json.dumps({**payload, "count": value, "cumulative_total": value}).encode()
        )


@deed
async def long_names(peer: Peer) -> None:
    """Names of 100 kB, each another one, everywhere."""
    async for number in turns(0.001):
        name = f"{number}{RAW}" + "n" * 100_000
        await peer.say(None, None, "events:all", name, {"user_name": name})
        await peer.say(None, None, name, "follower", {"user_name": name})
        await peer.say(None, None, "events:all", "follower", {"user_name": name, "id": name})
        await peer.say(None, None, "health:services", "health_report", {"service": name, "host": name})


@deed
async def huge_topics(peer: Peer) -> None:
    """Topics and events of 8 MB, each another one: what caches headers must count bytes."""
    async for number in turns(0.02):
        await peer.say(None, None, f"{number}" + "t" * 8 * MIB, "e", {})
        await peer.say(None, None, "events:all", f"{number}" + "e" * 8 * MIB, {})


@deed
async def sick_reports(peer: Peer) -> None:
    """Reports whose figures are no figures."""
    values = (
        b"NaN",
        b"1e999",
        b"-1e999",
        b"-5",
        b"1" * 5000,
        b"null",
        b"{}",
        b"[]",
        b'"x"',
        json.dumps(RAW).encode(),
    )
    async for number in turns(0.001):
        value = values[number % len(values)]
        await peer.note(
            "health:services",
            "health_report",
            b'{"service":%s,"connectionState":%s,"successfulConnects":%s,"lastHeartbeat":%s,"uptime_seconds":%s}'
            % (b'"one"' if number % 3 else value, value, value, value, value),
        )
        await peer.note(
            "dashboard:telemetry",
            "telemetry_update",
            b'{"timestamp":%s,"overlays":[{"name":%s,"connected":%s,"lastSeen":%s}],"services":{"x":%s},"system":%s}'
            % (value, value, value, value, value, value),
        )


@deed
async def mutated_json(peer: Peer) -> None:
    """Good frames with a few bytes changed."""
    random_source = random.Random(7)
    good = json.dumps(
        [None, None, "events:all", "follower", {"user_name": "mira", "id": "1", "data": {"a": [1]}}]
    )
    async for _ in turns():
        data = bytearray(good.encode())
        for _ in range(random_source.randint(1, 5)):
            data[random_source.randrange(len(data))] = random_source.randrange(256)
        # Invalid UTF-8 ends a connection by right; this is about what does not.
        await peer.frame(TEXT, data.decode("utf-8", "replace").encode())


@deed
async def binary_garbage(peer: Peer) -> None:
    """Binary frames of random bytes."""
    random_source = random.Random(8)
    async for number in turns():
        await peer.frame(BINARY, random_source.randbytes(number % 5000))
        await peer.frame(
            BINARY,
            bytes([random_source.randrange(4), 255, 255, 255, 255]) + random_source.randbytes(number % 600),
        )


@deed
async def deep_nesting(peer: Peer) -> None:
    """A hundred thousand brackets."""
    async for number in turns(0.005):
        deep = b"[" * 100_000 + b"]" * 100_000 if number % 2 else b'{"a":' * 100_000 + b"1" + b"}" * 100_000
        await peer.note("events:all", "follower", deep)
        await peer.note("dashboard:telemetry", "telemetry_update", b'{"overlays":' + deep + b"}")


@deed
async def events_of_15_mb(peer: Peer) -> None:
    """Events that are one string of 15 MB."""
    payload = json.dumps({"user_name": "m" * 15_000_000, "id": "1"}).encode()
    async for _ in turns(0.02):
        await peer.note("events:all", "follower", payload)


@deed
async def tiny_values(peer: Peer) -> None:
    """15 MB of values of two bytes, to everything that is read by us alone."""
    payload = b'{"overlays":[' + b"1," * 7_500_000 + b"1]}"
    events = b'{"user_name":"x","list":[' + b"1," * 7_500_000 + b"1]}"
    async for _ in turns(0.02):
        await peer.note("dashboard:telemetry", "telemetry_update", payload)
        await peer.note("events:all", "follower", events)
        await peer.note("stream:overlays", "stream_state", payload)


@deed
async def wide_telemetry(peer: Peer) -> None:
    """Telemetry of 120,000 services and pages."""
    services = {f"service {number}": {"connected": False, "status": RAW} for number in range(60_000)}
    overlays = [{"name": f"page {number}", "connected": True, "lastSeen": 1} for number in range(60_000)]
    payload = json.dumps({"services": services, "overlays": overlays}).encode()
    small = [
        json.dumps({"services": dict(list(services.items())[start : start + 2000])}).encode()
        for start in range(0, 60_000, 2000)
    ]
    async for number in turns(0.02):
        await peer.note("dashboard:telemetry", "telemetry_update", payload)
        await peer.note("dashboard:telemetry", "telemetry_update", small[number % len(small)])


@deed
async def long_queue(peer: Peer) -> None:
    """A queue state of 3,000 items, again and again, and a stack of as many."""
    items = [
        {
            "id": f"i{number}",
            "type": "manual_override",
            "priority": 100,
            "content_type": RAW,
            "data": {"id": f"{number}"},
        }
        for number in range(3000)
    ]
    queue = json.dumps({"queue": items, "metrics": {"total_items": 3000}, "is_processing": True}).encode()
    stack = json.dumps({"alerts": items, "interrupt_stack": items, "current_show": RAW}).encode()
    async for _ in turns(0.01):
        await peer.note("stream:queue", "queue_state", queue)
        await peer.note("stream:overlays", "stream_state", stack)


@deed
async def ping_flood(peer: Peer) -> None:
    """Pings as fast as they are taken."""
    async for _ in turns():
        await peer.raw(frame(PING, b"p" * 125) * 500)


@deed
async def fragments_of_a_byte(peer: Peer) -> None:
    """A message in a million fragments of one byte, and of none."""
    text = json.dumps([None, None, "events:all", "follower", {"user_name": "m" * 1_000_000}]).encode()
    async for number in turns():
        first = text[:1]
        await peer.frame(TEXT, first, final=False)
        for start in range(1, len(text) - 1, 1000):
            some = text[start : min(start + 1000, len(text) - 1)]
            empty = frame(CONTINUED, b"", final=False) if number % 2 else b""
            await peer.raw(b"".join(frame(CONTINUED, bytes([byte]), final=False) + empty for byte in some))
        await peer.frame(CONTINUED, text[-1:])


@deed
async def fragments_without_end(peer: Peer) -> None:
    """A message that never ends, of empty fragments."""
    await peer.frame(TEXT, b"[", final=False)
    many = frame(CONTINUED, b"", final=False) * 5000
    async for _ in turns():
        await peer.raw(many)


@deed
async def endless_length(peer: Peer) -> None:
    """A frame that claims to have 2^62 bytes."""
    await peer.raw(b"\x81\x7f" + (2**62).to_bytes(8, "big") + b"[" * 1000)
    await asyncio.sleep(_PATIENCE)


@deed
async def crowd(peer: Peer) -> None:
    """A presence of 100,000, and diffs without end."""
    some = {
        f"user {number}": {"metas": [{"phx_ref": f"r{number}", "name": RAW}]} for number in range(100_000)
    }
    await peer.say(peer.joined.get("events:all"), None, "events:all", "presence_state", some)
    async for number in turns(0.001):
        joins: dict[str, Any] = {f"new {number}": {"metas": [{"phx_ref": f"n{number}"}]}, "ghost": {}}
        await peer.say(
            None, None, "events:all", "presence_diff", {"joins": joins, "leaves": {"nobody": {"metas": 1}}}
        )


@deed
async def odd_close_codes(peer: Peer) -> None:
    """Closes with a code that nobody may send, or a reason that a terminal would obey."""
    code = (0, 999, 1000, 1004, 1005, 1006, 1012, 1015, 2999, 4001, 5000, 65535)[
        int(time.monotonic() * 7) % 12
    ]
    reason = RAW.encode()[:100].decode("utf-8", "ignore").encode()
    await peer.frame(CLOSE, code.to_bytes(2, "big") + reason)
    await asyncio.sleep(0.2)


@deed
async def short_close(peer: Peer) -> None:
    """A close frame of one byte, and one whose reason is no UTF-8."""
    await peer.frame(CLOSE, b"\x03" if int(time.monotonic() * 7) % 2 else b"\x03\xf4\xff\xfe")
    await asyncio.sleep(0.2)


@deed
async def refusals(peer: Peer) -> None:
    """Joins and channels end with words that a terminal would obey."""
    async for number in turns(0.002):
        for topic, join_ref in list(peer.joined.items()):
            reason = {"reason": RAW + "r" * (number % 5000)}
            if number % 2:
                await peer.say(join_ref, None, topic, "phx_error", reason)
            else:
                await peer.say(
                    join_ref, join_ref, topic, "phx_reply", {"status": "error", "response": reason}
                )


@deed
async def reads_nothing(peer: Peer) -> None:
    """Takes what the kernel takes and reads none of it."""
    peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio has no other way
    await asyncio.sleep(_PATIENCE)


@deed
async def just_below_the_limit(peer: Peer) -> None:
    """Frames of nearly 16 MiB, one behind another: of a topic that is joined, and of none."""
    room = 16 * MIB - 200
    texts = [
        json.dumps([None, None, topic, "news", "n" * room]).encode()
        for topic in ("events:all", "nobody:here")
    ]
    async for number in turns():
        await peer.frame(TEXT, texts[number % 2])
        await peer.frame(BINARY, b"\x02\x0a\x04" + b"events:allnews" + b"b" * room)


@opening
async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and hangs up."""


@opening
async def header_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers for ever."""
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    async for number in turns():
        writer.write(b"x-%d: %s\r\n" % (number, b"v" * 50) * 20)
        await writer.drain()


@opening
async def line_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A first line for ever."""
    writer.write(b"HTTP/1.1 ")
    async for _ in turns():
        writer.write(b"9" * 10_000)
        await writer.drain()


@opening
async def a_byte_a_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The answer at one byte a second."""
    for byte in b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" * 10:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


@opening
async def status_999(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A status that there is not, in words that a terminal would obey."""
    writer.write(
        b"HTTP/1.1 999 " + RAW.replace("\r\n", " ").encode() + b"\r\nx-y: " + b"\x1b[31mEVIL\r\n\r\n"
    )
    await writer.drain()
    await asyncio.sleep(0.1)


@opening
async def body_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A refusal whose body never ends."""
    writer.write(b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\n\r\n")
    async for _ in turns():
        writer.write(b"<p>" * 10_000)
        await writer.drain()


NAMES = (*DEEDS, *OPENINGS)
"""Of every hostile hub."""

GOOD = "good"
"""The name of the hub that does nothing bad."""


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(
        line.partition(":")[2].strip()
        for line in head.split("\r\n")
        if line.lower().startswith("sec-websocket-key")
    )
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
    )
    await writer.drain()


async def serve(name: str) -> None:
    """Listen, say where, and do what ``name`` says to whoever comes, until standard input ends."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if name in OPENINGS:
                await reader.readuntil(b"\r\n\r\n")
                await OPENINGS[name](reader, writer)
            else:
                await _upgrade(reader, writer)
                peer = Peer(reader, writer)
                answering = asyncio.ensure_future(peer.answer())
                # Not before its topics are joined: what comes for a topic that is not is soon dropped.
                await asyncio.wait(
                    (answering, asyncio.ensure_future(peer.busy.wait())), return_when="FIRST_COMPLETED"
                )
                await asyncio.sleep(0.2)
                doing = asyncio.ensure_future(
                    DEEDS[name](peer) if name in DEEDS else asyncio.sleep(_PATIENCE)
                )
                ended, _ = await asyncio.wait((answering, doing), return_when="FIRST_COMPLETED")
                for task in (answering, doing):
                    task.cancel()
                for task in ended:
                    task.result()
        with contextlib.suppress(AttributeError):  # Python 3.11's transport, closed while it was paused
            writer.transport.abort()

    server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=64 * MIB)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
