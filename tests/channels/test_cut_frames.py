"""Messages cut from the stream are those that the library's own parser finds, whatever the stream holds."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.utils import accept_key

from tui.channels.connection import open_link
from tui.channels.link import LinkRequest

LIMIT = 100_000
STREAMS = 300


class Owner:
    """Keeps what a link tells."""

    def __init__(self) -> None:
        self.heard = False
        self.noted: list[Any] = []

    def frame_received(self, data: bytes, text: bool) -> None:
        self.noted.append((data, text))

    def link_lost(self, code: int, words: str) -> None:
        self.noted.append((code, words))

    def link_writable(self) -> None:
        self.noted.append("writable")


def frame(opcode: int, data: bytes, *, fin: bool = True, masked: bool = False, reserved: int = 0) -> bytes:
    """One frame of a server (RFC 6455, 5.2)."""
    first = (0x80 if fin else 0) | reserved | opcode
    mask = 0x80 if masked else 0
    if len(data) < 126:
        header = bytes([first, len(data) | mask])
    elif len(data) < 65536:
        header = struct.pack("!BBH", first, 126 | mask, len(data))
    else:
        header = struct.pack("!BBQ", first, 127 | mask, len(data))
    return header + (b"\0\0\0\0" if masked else b"") + data


def stream(random_source: random.Random) -> bytes:
    """A few frames, whole, fragmented and controlling, now and then one that breaks the protocol."""
    parts = []
    for _ in range(random_source.randint(1, 12)):
        data = random_source.randbytes(
            random_source.choice([0, 1, 5, 125, 126, 127, 1000, 65535, 65536, LIMIT - 1, LIMIT])
        )
        match random_source.choices(("text", "binary", "ping", "fragments", "broken"), (10, 2, 2, 4, 1))[0]:
            case "text":
                parts.append(frame(1, data))
            case "binary":
                parts.append(frame(2, data))
            case "ping":
                parts.append(frame(random_source.choice([9, 10]), data[:125]))
            case "fragments":
                parts.append(frame(random_source.choice([1, 2]), data[:30_000], fin=False))
                for number in (more := range(random_source.randint(1, 4))):
                    if random_source.random() < 0.3:
                        parts.append(frame(9, b"between"))
                    if random_source.random() < 0.05:
                        parts.append(frame(1, b"out of turn"))
                    parts.append(frame(0, data[:3000], fin=number == more[-1]))
            case _:
                parts.append(
                    random_source.choice(
                        [
                            frame(1, b"masked", masked=True),
                            frame(1, random_source.randbytes(LIMIT + 1)),
                            frame(8, struct.pack("!H", 1012) + b"bye"),
                            frame(3, b"unknown opcode"),
                            frame(1, b"reserved bit", reserved=0x40),
                            frame(0, b"continues nothing"),
                            frame(8, b"1"),
                            frame(9, b"z" * 126),
                            random_source.randbytes(50),
                        ]
                    )
                )
    return b"".join(parts)


def pieces(random_source: random.Random, data: bytes) -> list[bytes]:
    """The stream as it may arrive: cut anywhere, also within a header."""
    sizes = [1, 2, 3, 4, 5, 9, 10, 100, 4096, 65536] if len(data) < 20_000 else [3, 4096, 65536]
    found, place = [], 0
    while place < len(data):
        size = random_source.choice(sizes)
        found.append(data[place : place + size])
        place += size
    return found


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        lines = [line.split(b": ") for line in request.split(b"\r\n")]
        key = next(line[1] for line in lines if line[0].lower() == b"sec-websocket-key").decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
        )
        await reader.read()
        writer.close()

    server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def told(port: int, arriving: list[bytes], *, cut: bool) -> tuple[Any, ...]:
    owner = Owner()
    url = f"ws://127.0.0.1:{port}/socket/websocket"
    link: Any = await open_link(LinkRequest(url=url, proxy="none", max_message_size=LIMIT), owner)
    reader = link
    assert reader._cutting, "the fast way was not taken"
    reader._cutting = cut
    for piece in arriving:
        reader.data_received(piece)
        while reader._waiting:
            await asyncio.sleep(0)
    protocol = reader.protocol
    link.abort()
    return owner.noted, protocol.close_sent, protocol.close_rcvd, protocol.state


async def test_a_cut_stream_tells_what_the_librarys_parser_tells(port: int) -> None:
    messages = endings = 0
    for seed in range(STREAMS):
        random_source = random.Random(seed)
        arriving = pieces(random_source, stream(random_source))
        ours = await told(port, arriving, cut=True)
        assert ours == await told(port, arriving, cut=False), f"stream {seed}"
        messages += len(ours[0])
        endings += any(isinstance(each[0], int) for each in ours[0])
    assert messages > STREAMS
    assert endings > STREAMS / 20
