"""The servers under the benchmarks: one as bare as can be, and the demo's hub."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.bench.processes import obey, say
from tui.demo.hub import Hub

FRAMES = "tests.bench.servers:frames"
HUBS = "tests.bench.servers:hubs"

TOPIC = "bench:1"
DISTINCT = 1_000
"""Different messages in a flood, so that nobody wins by remembering one."""

_encode = msgspec.json.Encoder().encode


class _Frame(msgspec.Struct, array_like=True):
    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Any


_decode = msgspec.json.Decoder(_Frame).decode


def payload(number: int, size: int) -> dict[str, Any]:
    """A payload of about ``size`` bytes: rows of short values, as applications send them."""
    rows = [
        {"id": row, "name": f"user{row}", "type": "follow", "value": row * 1.5, "text": "x" * 40}
        for row in range(max(1, size // 92))
    ]
    return {"number": number, "rows": rows}


async def frames(size: int = 200, messages: int = 0, join_delay: float = 0.0) -> None:
    """Answers every frame with ok; ``go`` with ``messages`` ready-made broadcasts beside.

    Args:
        join_delay: seconds until a join is answered; joins do not wait for each other.
    """
    flood = b"".join(
        Frame(Opcode.TEXT, _encode([None, None, TOPIC, "msg", payload(number, size)])).serialize(mask=False)
        for number in range(DISTINCT)
    )
    loop = asyncio.get_running_loop()

    def answer(connection: ServerConnection, frame: _Frame) -> None:
        reply = {"status": "ok", "response": frame.payload}
        data = _encode([frame.join_ref, frame.ref, frame.topic, "phx_reply", reply])
        connection.transport.write(Frame(Opcode.TEXT, data).serialize(mask=False))

    async def handle(connection: ServerConnection) -> None:
        # A client that goes without a word is no news here.
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                frame = _decode(message)
                if frame.event == "phx_join" and join_delay:
                    loop.call_later(join_delay, answer, connection, frame)
                    continue
                answer(connection, frame)
                if frame.event == "go":
                    for _ in range(messages // DISTINCT):
                        connection.transport.write(flood)
                        await connection.drain()

    async with serve(
        handle, "127.0.0.1", 0, compression=None, ping_interval=None, open_timeout=None, backlog=2048
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        say([f"ws://127.0.0.1:{port}/socket"])
        await obey({})


async def hubs(count: int = 1) -> None:
    """So many hubs; each command takes the number of one of them and answers when it was done.

    Both sides read the same clock: ``time.monotonic`` is the machine's on Linux and macOS.
    """
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(Hub(seed=number)) for number in range(count)]

        def command(do: Callable[[Hub], Awaitable[None] | None]) -> Callable[..., Awaitable[float]]:
            async def carry_out(hub: int = 0) -> float:
                at = time.monotonic()
                waiting = do(running[hub])
                if waiting is not None:
                    await waiting
                return at

            return carry_out

        say([hub.url for hub in running])
        await obey(
            {
                "kill": command(lambda hub: hub.stop(graceful=False)),
                "start": command(lambda hub: hub.start()),
                "freeze": command(lambda hub: hub.faults.freeze()),
                "thaw": command(lambda hub: hub.faults.thaw()),
            }
        )
