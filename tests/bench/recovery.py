"""How soon the client is back, and how soon it sees that a link is dead."""

from __future__ import annotations

import asyncio
import time

from tests.bench import processes
from tests.bench.clients import options
from tests.bench.figures import Aim, Figure, sample
from tests.bench.servers import FRAMES, HUBS
from tui.channels import Channel, Socket, StateChange

_HERE = "tests.bench.recovery"
_LIMIT = 120.0
_NOTE = 0.005
_GREETING = 0.5


async def return_after(down: float, sockets: int, stable_after: float) -> list[float]:
    """Seconds from a hub's return until each of its clients is joined again; each draws its own delays."""
    joins: list[list[float]] = [[] for _ in range(sockets)]
    clients = []
    async with processes.Server(HUBS) as server:
        for number, times in enumerate(joins):
            socket = Socket(server.url, options("live", stable_after=stable_after))
            channel = socket.channel(f"echo:{number}")
            channel.on("phx_join", lambda message, times=times: times.append(time.monotonic()))
            channel.join()
            socket.connect()
            clients.append(socket)
        async with asyncio.timeout(_LIMIT):
            while not all(socket.details().stable for socket in clients):
                await asyncio.sleep(0.05)
        died = await server.ask("kill")
        await asyncio.sleep(max(0.0, died + down - time.monotonic()))
        back = await server.ask("start")
        async with asyncio.timeout(_LIMIT):
            while not all(len(times) > 1 for times in joins):
                await asyncio.sleep(_NOTE)
        await asyncio.gather(*(socket.close() for socket in clients))
    return [times[1] - back for times in joins]


async def rejoin(
    *,
    outages: tuple[tuple[float, float], ...] = ((2.0, 2.0), (20.0, 3.0)),
    sockets: int = 45,
    stable_after: float = 5.0,
) -> list[Figure]:
    """Outages of several lengths, side by side.

    Args:
        outages: pairs of an outage's length and the aim, in seconds.
    """
    found = await asyncio.gather(
        *(
            processes.run(f"{_HERE}:return_after", down=down, sockets=sockets, stable_after=stable_after)
            for down, _ in outages
        )
    )
    figures = []
    for (down, aim), values in zip(outages, found, strict=True):
        times = sample(values)
        figures.append(
            Figure(
                name=f"rejoin {down:g} s",
                what=f"Joined again after the hub was gone for {down:g} s",
                value=times.median,
                value_unit="s",
                aim=Aim(limit=aim),
                unit="s",
                ours=times,
                note=f"preset live, {sockets} sockets with delays of their own",
            )
        )
    return figures


# Joins


async def join_many(url: str, topics: int, repeats: int) -> list[float]:
    """Milliseconds between the first and the last of so many joins, once for each new connection."""
    spreads = []
    for _ in range(repeats):
        socket = Socket(url, options())
        times: list[float] = []
        channels: list[Channel] = [socket.channel(f"room:{number}") for number in range(topics)]
        for channel in channels:
            channel.on("phx_join", lambda message, times=times: times.append(time.perf_counter()))
        answers = [channel.join() for channel in channels]
        socket.connect()
        for answer in answers:
            await answer
        spreads.append((max(times) - min(times)) * 1000)
        await socket.close()
    return spreads


async def joins50(*, topics: int = 50, join_delay: float = 0.1, repeats: int = 9) -> list[Figure]:
    """Whether the joins of one connection wait for each other."""
    async with processes.Server(FRAMES, join_delay=join_delay) as server:
        found = await processes.run(f"{_HERE}:join_many", url=server.url, topics=topics, repeats=repeats)
    spreads = sample(found)
    return [
        Figure(
            name="joins50",
            what=f"{topics} joins of {join_delay * 1000:g} ms on one connection, from the first to the last",
            value=spreads.median,
            value_unit="ms",
            aim=Aim(limit=20.0),
            unit="ms",
            ours=spreads,
            note=f"a server that works on them at once, {repeats} connections",
        )
    ]


# Links that are dead and do not say so


async def freeze(preset: str, sockets: int, changes: dict[str, float]) -> list[float]:
    """Seconds until each of so many frozen links is seen; each is frozen at its own place in the interval."""
    chosen = options(preset, **changes)
    step = chosen.heartbeat_interval / sockets
    async with processes.Server(HUBS, count=sockets) as server:

        async def one(number: int) -> float:
            lost: asyncio.Future[float] = asyncio.get_running_loop().create_future()

            def watch(change: StateChange) -> None:
                if change.old_state == "connected" and not lost.done():
                    lost.set_result(time.monotonic())

            socket = Socket(server.urls[number], chosen)
            socket.on_state_change(watch)
            socket.channel("echo:1").join()
            await socket.connect()
            # All that was going on is answered before the link is frozen, whatever the place.
            await asyncio.sleep(min(_GREETING, step / 2) + number * step)
            frozen = await server.ask("freeze", hub=number)
            async with asyncio.timeout(_LIMIT):
                seen = await lost - frozen
            # Only then can it end in time.
            await server.ask("thaw", hub=number)
            await socket.close()
            return seen

        return list(await asyncio.gather(*map(one, range(sockets))))


async def half_open(
    *,
    presets: tuple[tuple[str, float], ...] = (("live", 8.0), ("service", 40.0)),
    sockets: int = 9,
    changes: dict[str, float] | None = None,
) -> list[Figure]:
    """A peer that stands still with its TCP connection up.

    Args:
        presets: pairs of a preset and the aim, in seconds.
        changes: of the presets' options.
    """
    found = await asyncio.gather(
        *(
            processes.run(f"{_HERE}:freeze", preset=preset, sockets=sockets, changes=changes or {})
            for preset, _ in presets
        )
    )
    figures = []
    for (preset, aim), values in zip(presets, found, strict=True):
        times = sample(values)
        figures.append(
            Figure(
                name=f"half_open {preset}",
                what=f"A half-open link seen, preset {preset}",
                value=times.median,
                value_unit="s",
                aim=Aim(limit=aim),
                unit="s",
                ours=times,
                note=f"{sockets} links, frozen at places spread over one heartbeat interval",
            )
        )
    return figures
