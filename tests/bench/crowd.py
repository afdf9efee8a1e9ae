"""Many connections in one process: their memory, their beginning, and how they spread after a restart."""

from __future__ import annotations

import asyncio
import bisect
import gc
import os
import time
from typing import Any

from tests.bench import processes
from tests.bench.clients import open_bare, open_ours, options
from tests.bench.figures import Aim, Figure, ratio, sample
from tests.bench.servers import FRAMES, HUBS
from tui.channels import Socket
from tui.channels.connection import open_link
from tui.channels.link import Link, LinkOwner, LinkRequest

_HERE = "tests.bench.crowd"
_LIMIT = 60.0
_WARM = 20
_AT_ONCE = 50
WINDOW = 0.1
"""Seconds of the fullest window after a restart."""


def resident() -> int:
    """Bytes of this process in memory, by the kernel."""
    with open("/proc/self/statm") as facts:
        return int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def idle(url: str, connections: int, kind: str, settle: float) -> float:
    """KiB for each of so many joined connections that do nothing, ``settle`` seconds after the last."""
    opened: list[Any] = []

    async def open_one(number: int) -> None:
        topic = f"idle:{number}"
        if kind == "ours":
            opened.append(await open_ours(url, topic))
            return
        connection = await open_bare(url, topic)
        # Someone has to wait for what comes, or the connection is of no use.
        opened.append((connection, asyncio.create_task(connection.recv(decode=False))))

    async def open_many(first: int, count: int) -> None:
        for start in range(first, first + count, _AT_ONCE):
            await asyncio.gather(*map(open_one, range(start, min(start + _AT_ONCE, first + count))))
        await asyncio.sleep(settle)
        gc.collect()

    # What is imported and grown once must not count.
    await open_many(0, _WARM)
    before = resident()
    await open_many(_WARM, connections)
    used = (resident() - before) / connections / 1024
    for one in opened:
        if kind == "ours":
            await one[0].close()
        else:
            one[1].cancel()
            await one[0].close()
    return used


async def memory(*, connections: int = 400, settle: float = 1.0, repeats: int = 3) -> list[Figure]:
    """Memory of an idle joined connection."""
    found: dict[str, list[float]] = {"bare": [], "ours": []}
    async with processes.Server(FRAMES) as server:
        for _ in range(repeats):
            for kind, values in found.items():
                values.append(
                    await processes.run(
                        f"{_HERE}:idle", url=server.url, connections=connections, kind=kind, settle=settle
                    )
                )
    return [
        ratio(
            "memory",
            "Memory of an idle joined connection",
            ours=sample(found["ours"]),
            bare=sample(found["bare"]),
            aim=Aim(limit=2.0),
            unit="KiB",
            note=f"{connections} connections beyond the first {_WARM}, {repeats} repeats",
        )
    ]


# A thousand at once


async def begin_bare(url: str, connections: int) -> float:
    """Seconds until so many connections are open and joined."""
    began = time.perf_counter()
    opened = await asyncio.gather(*(open_bare(url, f"echo:{number}") for number in range(connections)))
    passed = time.perf_counter() - began
    for connection in opened:
        connection.transport.abort()
    return passed


async def begin_ours(url: str, connections: int) -> float:
    """Seconds until so many are connected, by an answered heartbeat, and joined."""
    began = time.perf_counter()
    opened = await asyncio.gather(*(open_ours(url, f"echo:{number}") for number in range(connections)))
    passed = time.perf_counter() - began
    await asyncio.gather(*(socket.close() for socket, _ in opened))
    return passed


async def connect1000(*, connections: int = 1000, repeats: int = 3) -> list[Figure]:
    """Connections begun in the same instant, in one process."""
    found: dict[str, list[float]] = {"begin_bare": [], "begin_ours": []}
    async with processes.Server(FRAMES) as server:
        for _ in range(repeats):
            for kind, values in found.items():
                values.append(await processes.run(f"{_HERE}:{kind}", url=server.url, connections=connections))
    ours = sample(found["begin_ours"])
    return [
        Figure(
            name="connect1000",
            what=f"{connections:,} connections of one process connected and joined",
            value=ours.median,
            value_unit="s",
            aim=Aim(limit=10.0),
            unit="s",
            ours=ours,
            bare=sample(found["begin_bare"]),
            note=f"all begun at once, {repeats} interleaved repeats",
        )
    ]


# A restart


class _Watched:
    """A socket with the times of its attempts and joins."""

    def __init__(self, url: str, number: int, **changes: float) -> None:
        self.attempts: list[float] = []
        self.joins: list[float] = []
        self.socket = Socket(url, options("live", **changes), opener=self._open)
        channel = self.socket.channel(f"echo:{number}")
        channel.on("phx_join", lambda message: self.joins.append(time.monotonic()))
        channel.join()
        self.socket.connect()

    async def _open(self, request: LinkRequest, owner: LinkOwner) -> Link:
        self.attempts.append(time.monotonic())
        return await open_link(request, owner)


async def restart(clients: int, down: float, stable_after: float) -> dict[str, float]:
    """Have a hub die under stable clients and come back after ``down`` seconds."""
    async with processes.Server(HUBS) as server:
        watched = [_Watched(server.url, number, stable_after=stable_after) for number in range(clients)]
        async with asyncio.timeout(_LIMIT):
            while not all(one.socket.details().stable for one in watched):
                await asyncio.sleep(0.1)
        began = [len(one.attempts) for one in watched]
        joined = [len(one.joins) for one in watched]
        died = await server.ask("kill")
        await asyncio.sleep(max(0.0, died + down - time.monotonic()))
        back = await server.ask("start")
        async with asyncio.timeout(_LIMIT):
            while not all(len(one.joins) > count for one, count in zip(watched, joined, strict=True)):
                await asyncio.sleep(0.02)
        firsts = sorted(one.attempts[count] - died for one, count in zip(watched, began, strict=True))
        last = max(one.joins[count] for one, count in zip(watched, joined, strict=True))
        await asyncio.gather(*(one.socket.close() for one in watched))
    return {
        "fullest": fullest(firsts, WINDOW) / clients,
        "first": firsts[0],
        "last": firsts[-1],
        "all back": last - back,
    }


def fullest(times: list[float], window: float) -> int:
    """How many of the sorted ``times`` the fullest ``window`` holds, wherever it begins."""
    return max(bisect.bisect_left(times, start + window) - place for place, start in enumerate(times))


async def restart_spread(
    *, clients: int = 500, down: float = 1.0, stable_after: float = 5.0, repeats: int = 2
) -> list[Figure]:
    """How evenly clients that lost one hub in the same instant try again, and when all are back."""
    found = [
        await processes.run(f"{_HERE}:restart", clients=clients, down=down, stable_after=stable_after)
        for _ in range(repeats)
    ]
    spread = sample([one["fullest"] for one in found])
    back = sample([one["all back"] for one in found])
    note = f"preset live, {clients} clients in one process, hub gone for {down:g} s, {repeats} repeats"
    return [
        Figure(
            name="restart_spread fullest",
            what="First attempts after a hub restart in the fullest 100 ms",
            value=spread.worst,
            value_unit="of all",
            aim=Aim(limit=0.3),
            unit="of all",
            ours=spread,
            note=note,
            more={"last first attempt, s": max(one["last"] for one in found)},
        ),
        Figure(
            name="restart_spread back",
            what=f"All {clients} clients joined again after the hub is back",
            value=back.worst,
            value_unit="s",
            aim=Aim(limit=10.0),
            unit="s",
            ours=back,
            note=note,
        ),
    ]
