"""Processor time from socket to handler, and requests with their replies."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.bench import processes
from tests.bench.clients import decode, encode, open_bare, open_ours
from tests.bench.figures import Aim, Figure, ratio, sample
from tests.bench.servers import DISTINCT, FRAMES, TOPIC
from tui.channels import Message

_HERE = "tests.bench.throughput"
_LIMIT = 120.0


async def bare(url: str, messages: int) -> dict[str, Any]:
    """Receive a flood with the library alone."""
    connection = await open_bare(url, TOPIC)
    await connection.send(encode(["1", "2", TOPIC, "go", {}]), text=True)
    decode(await connection.recv(decode=False))
    received = 0
    began, processor = time.perf_counter(), time.process_time()
    while received < messages:
        decode(await connection.recv(decode=False))
        received += 1
    result = _spent(began, processor, messages)
    await connection.close()
    return result


async def ours(url: str, messages: int, read: bool) -> dict[str, Any]:
    """Receive a flood with a handler of one channel, which looks at the payloads or does not."""
    socket, channel = await open_ours(url, TOPIC)
    done = asyncio.Event()
    received = 0

    def count(message: Message) -> None:
        nonlocal received
        received += 1
        if received == messages:
            done.set()

    def count_and_read(message: Message) -> None:
        nonlocal received
        message.payload  # noqa: B018 (decodes it)
        received += 1
        if received == messages:
            done.set()

    channel.on("msg", count_and_read if read else count)
    await channel.push("go", timeout=_LIMIT)
    began, processor = time.perf_counter(), time.process_time()
    already = received
    async with asyncio.timeout(_LIMIT):
        await done.wait()
    result = _spent(began, processor, messages - already)
    result["dropped"] = socket.details().dropped_messages
    await socket.close()
    return result


def _spent(began: float, processor: float, messages: int) -> dict[str, Any]:
    used, passed = time.process_time() - processor, time.perf_counter() - began
    return {
        "microseconds": used / messages * 1e6,
        "per_second": messages / passed,
        "share": used / passed,
        "dropped": 0,
    }


async def measure(size: int, *, messages: int, repeats: int, unread: float, read: float) -> list[Figure]:
    """Bare, unread and read, one after another, so often; each in a fresh process.

    Args:
        unread, read: the aims, in times of bare.
    """
    messages = max(DISTINCT, messages // DISTINCT * DISTINCT)
    results: dict[str, list[dict[str, Any]]] = {"bare": [], "unread": [], "read": []}
    async with processes.Server(FRAMES, size=size, messages=messages) as server:
        for _ in range(repeats):
            results["bare"].append(await processes.run(f"{_HERE}:bare", url=server.url, messages=messages))
            for kind in ("unread", "read"):
                results[kind].append(
                    await processes.run(
                        f"{_HERE}:ours", url=server.url, messages=messages, read=kind == "read"
                    )
                )
    words = "2 KB" if size == 2000 else f"{size} bytes"
    figures = []
    for kind, limit in (("unread", unread), ("read", read)):
        dropped = sum(result["dropped"] for result in results[kind])
        figures.append(
            ratio(
                f"throughput {words} {kind}",
                f"Processor time a message from socket to handler, {words}, payload {kind}",
                ours=sample([result["microseconds"] for result in results[kind]]),
                bare=sample([result["microseconds"] for result in results["bare"]]),
                aim=Aim(limit=limit),
                unit="µs",
                note=f"{messages:,} messages, {repeats} interleaved repeats, {dropped} dropped",
                void=f"{dropped} messages were dropped" if dropped else None,
                more={
                    "messages a second": sample([result["per_second"] for result in results[kind]]).median,
                    "bare a second": sample([result["per_second"] for result in results["bare"]]).median,
                    "share of its core": sample([result["share"] for result in results[kind]]).median,
                },
            )
        )
    return figures


async def throughput200(*, messages: int = 60_000, repeats: int = 7) -> list[Figure]:
    """Many small messages."""
    return await measure(200, messages=messages, repeats=repeats, unread=0.75, read=0.85)


async def throughput2k(*, messages: int = 20_000, repeats: int = 7) -> list[Figure]:
    """Larger ones, where decoding weighs more."""
    return await measure(2000, messages=messages, repeats=repeats, unread=0.60, read=1.05)


# One request at a time


async def bare_requests(url: str, requests: int) -> dict[str, float]:
    """Send, wait for the reply, and so on, with the library alone."""
    connection = await open_bare(url, TOPIC)
    began, processor = time.perf_counter(), time.process_time()
    for number in range(requests):
        ref = str(number)
        await connection.send(encode(["1", ref, TOPIC, "echo", {"number": number}]), text=True)
        reply = decode(await connection.recv(decode=False))
        if reply.ref != ref or reply.payload["status"] != "ok":
            raise RuntimeError("another reply than the one asked for")
    result = _rate(began, processor, requests)
    await connection.close()
    return result


async def our_requests(url: str, requests: int) -> dict[str, float]:
    """The same with awaited pushes."""
    socket, channel = await open_ours(url, TOPIC)
    began, processor = time.perf_counter(), time.process_time()
    for number in range(requests):
        await channel.push("echo", {"number": number})
    result = _rate(began, processor, requests)
    await socket.close()
    return result


def _rate(began: float, processor: float, requests: int) -> dict[str, float]:
    used, passed = time.process_time() - processor, time.perf_counter() - began
    return {"per_second": requests / passed, "microseconds": used / requests * 1e6}


async def roundtrip(*, requests: int = 8_000, repeats: int = 7) -> list[Figure]:
    """Requests and replies a second, one after another on one connection."""
    results: dict[str, list[dict[str, float]]] = {"bare_requests": [], "our_requests": []}
    async with processes.Server(FRAMES) as server:
        for _ in range(repeats):
            for kind, found in results.items():
                found.append(await processes.run(f"{_HERE}:{kind}", url=server.url, requests=requests))
    bare, ours = results["bare_requests"], results["our_requests"]
    return [
        ratio(
            "roundtrip",
            "Requests with their replies, one after another",
            ours=sample([result["per_second"] for result in ours], "higher"),
            bare=sample([result["per_second"] for result in bare], "higher"),
            aim=Aim(limit=0.9, at_least=True),
            unit="a second",
            note=f"{requests:,} requests, {repeats} interleaved repeats",
            more={
                "our processor µs": sample([result["microseconds"] for result in ours]).median,
                "bare processor µs": sample([result["microseconds"] for result in bare]).median,
            },
        )
    ]
