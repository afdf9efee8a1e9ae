"""A client in a process of its own, for the test that stops and continues it; one JSON line for each fact."""

from __future__ import annotations

import asyncio
import json
import sys

import tui.channels.socket
from tui.channels import Options, Socket

tui.channels.socket.LATE = 0.5


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def main() -> None:
    options = Options(
        heartbeat_interval=0.2,
        heartbeat_timeout=0.4,
        join_timeout=0.4,
        reconnect_base_delay=0.05,
        reconnect_max_delay=0.1,
        circuit_breaker_threshold=100,
        stable_after=0.2,
        proxy="none",
    )
    socket = Socket(sys.argv[1], options)
    socket.on_state_change(lambda change: say(state=change.new_state, error=change.error))
    channel = socket.channel("echo:1")
    channel.on("phx_join", lambda message: say(joins=channel.joins))
    channel.on("news", lambda message: say(news=message.payload["n"]))
    channel.join()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    async with socket:
        await ended.wait()
        say(failures=socket.get_health_metrics().heartbeat_failures, attempts=socket.details().attempts_begun)


asyncio.run(main())
