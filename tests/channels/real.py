"""What the tests on real loopback sockets share: quick options, waiting, raw servers, a watched client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

from tests.pace import PATIENCE
from tui.channels import Channel, Message, Options, Socket, StateChange
from tui.demo.hub import Hub

LIMIT = PATIENCE


async def eventually(condition: Callable[[], Any], limit: float = LIMIT) -> None:
    """Wait until ``condition`` holds. Raises: TimeoutError."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


def options(**changes: Any) -> Options:
    """Quick to come back, slow to lose patience: what a test is about, it changes."""
    quick: dict[str, Any] = {
        "max_reconnect_attempts": "unlimited",
        "reconnect_base_delay": 0.02,
        "reconnect_max_delay": 0.1,
        "heartbeat_interval": 0.5,
        "circuit_breaker_threshold": 1_000_000,
        "circuit_breaker_timeout": 0.1,
        "stable_after": 0.05,
        "proxy": "none",
    }
    return Options(**{**quick, **changes})


def descriptors() -> set[str]:
    """Every open descriptor of this process, by number and what it is."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def tasks_of(socket: Socket) -> set[asyncio.Task[Any]]:
    """The tasks that the client runs for ``socket``, by what it calls them."""
    own = (f"socket {socket.address}", f"opening {socket.address}", "closing", "join of", "handlers of")
    return {task for task in asyncio.all_tasks() if task.get_name().startswith(own)}


class Client:
    """A socket, all its changes of state, and channels with a plain and an async handler each."""

    _numbers = itertools.count(1)

    def __init__(self, url: str, *topics: str, **changes: Any) -> None:
        self.socket = Socket(url, options(**changes))
        self.changes: list[StateChange] = []
        self.socket.on_state_change(self.changes.append)
        self.channels: list[Channel] = []
        self.news: dict[str, list[int]] = {}
        self.news_async: dict[str, list[int]] = {}
        for topic in topics:
            self.join(topic)

    def join(self, topic: str, params: Any = None) -> Channel:
        """Join, and listen for ``news``."""
        channel = self.socket.channel(topic, params)
        plain = self.news.setdefault(topic, [])
        later = self.news_async.setdefault(topic, [])

        async def hear(message: Message) -> None:
            await asyncio.sleep(0)
            later.append(message.payload["n"])

        channel.on("news", lambda message: plain.append(message.payload["n"]))
        channel.on("news", hear)
        channel.join()
        self.channels.append(channel)
        return channel

    @property
    def all_joined(self) -> bool:
        """Connected, and every channel joined."""
        return self.socket.is_connected and all(channel.state == "joined" for channel in self.channels)

    @property
    def states(self) -> list[str]:
        """The states it went through, oldest first."""
        return [change.new_state for change in self.changes]

    @property
    def reasons(self) -> list[str]:
        """The errors of all changes of state."""
        return [change.error for change in self.changes if change.error is not None]

    async def works(self, hub: Hub) -> None:
        """Connected, every channel joined, each handler called once, each push answered."""
        await eventually(lambda: self.all_joined)
        number = next(self._numbers)
        for channel in self.channels:
            hub.send_to_topic(channel.topic, "news", {"n": number})
            assert await channel.push("echo", {"n": number}) == {"n": number}
            await eventually(lambda: number in self.news_async[channel.topic])  # noqa: B023 (awaited at once)
            assert self.news[channel.topic].count(number) == 1
            assert self.news_async[channel.topic].count(number) == 1
        assert len(hub.connections) == 1
        self.counts_add_up()

    def counts_add_up(self) -> None:
        """Attempts begun = successes + failures before the first answer + aborted + under way."""
        metrics, details = self.socket.get_health_metrics(), self.socket.details()
        under_way = 1 if metrics.connection_state == "connecting" else 0
        ended = metrics.successful_connects + details.failed_attempts + details.attempts_aborted
        assert details.attempts_begun == ended + under_way
        assert metrics.total_reconnects == max(0, metrics.successful_connects - 1)
        assert metrics.failed_reconnects <= details.failed_attempts
        assert len(self.changes) == len(list(itertools.groupby(self.states)))


class RawServer:
    """A TCP server on loopback that does with each connection what it is told, and forgets none."""

    def __init__(
        self,
        serve_one: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        **settings: Any,
    ) -> None:
        self._serve_one = serve_one
        self._settings = settings
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, **self._settings)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/socket"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LIMIT)

    @property
    def open(self) -> int:
        """Connections that are still served."""
        return len(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._serve_one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client's end of the matter
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()


async def until_gone(reader: asyncio.StreamReader) -> None:
    """Read and forget, until the other side is gone."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, list[str]]]:
    """An HTTP request's first line, and its headers by lower-case name."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers: dict[str, list[str]] = {}
    for row in rest:
        name, _, value = row.partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return line, headers


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One short frame as a client sends it, masked: its opcode and its data."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    assert length <= 126, "no test sends so much here"
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    data = await reader.readexactly(length)
    return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


def text_frame(text: str) -> bytes:
    """One unmasked text frame, as a server sends it."""
    data = text.encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else struct.pack("!BBH", 0x81, 126, len(data))
    return head + data


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool = True) -> None:
    """Accept an upgrade by hand and, unless told otherwise, answer the first heartbeat."""
    _, headers = await read_request(reader)
    key = accept_key(headers["sec-websocket-key"][0])
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-accept: {key}\r\n\r\n".encode()
    )
    if answer:
        _, data = await read_frame(reader)
        writer.write(text_frame(ok(json.loads(data))))


def ok(frame: list[Any], response: Any = None) -> str:
    """The reply ``ok`` to a frame of version 2."""
    payload = {"response": {} if response is None else response, "status": "ok"}
    return json.dumps([frame[0], frame[1], frame[2], "phx_reply", payload])


Answer = Callable[[ServerConnection, list[Any]], Awaitable[bool | None]]


class FrameServer:
    """A WebSocket server that answers every frame with ``ok``, unless ``answer`` says it dealt with it."""

    def __init__(self, answer: Answer | None = None, **settings: Any) -> None:
        self._answer = answer
        self._settings = settings
        self.frames: list[tuple[int, list[Any]]] = []
        """Every frame that came, with the number of its connection, from 1."""
        self.live: list[ServerConnection] = []
        self.connects = 0
        self.close_codes: list[int | None] = []
        """How each connection ended, by the close frame that the client sent."""

    async def __aenter__(self) -> FrameServer:
        self._server: Server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            ping_interval=None,
            close_timeout=0.2,
            compression=None,
            **self._settings,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/socket"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.live:
            connection.transport.abort()
        async with asyncio.timeout(LIMIT):
            await self._server.wait_closed()

    def of(self, event: str, topic: str | None = None) -> list[list[Any]]:
        """The frames of one event that came."""
        return [frame for _, frame in self.frames if frame[3] == event and topic in (None, frame[2])]

    async def _serve(self, connection: ServerConnection) -> None:
        self.connects += 1
        number = self.connects
        self.live.append(connection)
        try:
            async for message in connection:
                frame = json.loads(message)
                self.frames.append((number, frame))
                if self._answer is None or not await self._answer(connection, frame):
                    await connection.send(ok(frame))
        except ConnectionClosed:
            pass  # as it does
        finally:
            self.live.remove(connection)
            received = connection.protocol.close_rcvd
            self.close_codes.append(None if received is None else received.code)


@contextlib.asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    """Connect, and close at the end."""
    client.socket.connect()
    try:
        yield client
    finally:
        await client.socket.close()
        client.counts_add_up()
