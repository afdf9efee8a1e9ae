"""Mutated requests against a control socket: ``python -m tests.control.fuzz --requests 10000 --seed 1``.

Every line must be answered or end its connection, and the engine, its other clients and the number of
its descriptors must not notice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.control.conftest import RawClient, serving, wait_until
from tests.engine.conftest import connection, eventually, state_of
from tui.alerts.options import AlertOptions
from tui.control.protocol import MAX_REQUEST
from tui.demo.hub import Hub

SEEDS: tuple[dict[str, object], ...] = (
    {"type": "snapshot"},
    {"type": "log", "after": 3, "limit": 10},
    {"type": "metrics", "name": "stage"},
    {"type": "info"},
    {"type": "extra_commands"},
    {"type": "connect", "name": None},
    {"type": "reconnect", "name": "stage"},
    {"type": "disconnect", "name": "stage"},
    {
        "type": "push",
        "name": "stage",
        "topic": "stream:overlays",
        "event": "ping",
        "payload": {"a": [1, None]},
    },
    {"type": "set_debug", "shown": True},
    {"type": "run_extra", "command": "drop"},
    *(
        {"type": "alerts", "command": command}
        for command in (
            {"verb": "pause"},
            {"verb": "resume"},
            {"verb": "hold", "seconds": 0.01},
            {"verb": "test", "type": "raid", "count": 3},
            {"verb": "remove", "id": "01kb3x00010123456789"},
            {"verb": "move", "id": "01kb3x00010123456789", "position": 1},
            {"verb": "clear", "type": None},
            {"verb": "mute", "type": "follow", "seconds": 60.0},
        )
    ),
    {"type": "alert_history", "before": "1.5 a", "limit": 10, "alert_type": "raid", "outcome": "shown"},
    {"type": "alert", "alert": "01kb3x00010123456789"},
    {"type": "acknowledge", "incident": "01kb3x00010123456789"},
    {"type": "timeline", "incident": "01kb3x00010123456789"},
    {"type": "reload"},
    {"type": "watch"},
    {"type": "subscribe", "log_after": 0},
)

_ODD: tuple[object, ...] = (
    *(None, True, -1, 0, 2**53, 2**64, 10**400, 1.5),
    *("", "\x00\x1b[2J", "\ud800", "x" * 5000),
    *([], {}, [[[]]], {"v": 1}),
)


class Outcome(NamedTuple):
    answered: int
    ended: int
    """Lines that ended their connection, and said why."""


def mutated(random_source: random.Random) -> bytes:
    """One line, whole or broken, with its end or without."""
    request: dict[str, object] = {"v": 1, "id": random_source.randrange(1000), **random_source.choice(SEEDS)}
    for _ in range(random_source.randrange(3)):
        place, command = request, request.get("command")
        if isinstance(command, dict) and random_source.random() < 0.5:
            place = request["command"] = dict(command)
        key = random_source.choice((*place, "extra", "v", "type"))
        if random_source.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = random_source.choice(_ODD)
    line = bytearray(json.dumps(request).encode())
    for _ in range(random_source.choice((0, 0, 1, 1, 2, 8))):
        place = random_source.randrange(len(line) + 1)
        match random_source.randrange(5):
            case 0:
                line[place:place] = bytes((random_source.randrange(256),))
            case 1:
                del line[place : place + random_source.randrange(1, 9)]
            case 2:
                line[place:place] = random_source.choice(
                    (b"[", b'{"a":', b'"', b"\\u")
                ) * random_source.choice((1, 3, 900))
            case 3:
                line[place:place] = line[: random_source.randrange(len(line) + 1)]
            case _:
                line[place:] = bytes(random_source.randrange(256) for _ in range(random_source.randrange(20)))
    if random_source.random() < 0.002:
        line += b" " * MAX_REQUEST
    return bytes(line) + b"\n"


def attack(path: Path, requests: int, seed: int) -> Outcome:
    """Send so many lines, a few to a connection, and see that each connection answers or says its end.

    Raises:
        AssertionError: one did not.
        TimeoutError: one hung.
    """
    random_source = random.Random(seed)
    answered = ended = sent = 0
    while sent < requests:
        with RawClient(path) as client:
            lines = [
                mutated(random_source) for _ in range(min(random_source.randrange(1, 30), requests - sent))
            ]
            sent += len(lines)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send(b"".join(lines))
                client.send(b'{"v":1,"id":424242,"type":"info"}\n')
            while (answer := client.line()) is not None:
                if answer["type"] in ("refusal", "result", "value"):
                    answered += 1
                if answer.get("id") == 424242 or answer.get("code") == "too_long":
                    break
            assert answer is not None, f"seed {seed}: a connection ended without a word"
            ended += answer.get("code") == "too_long"
    return Outcome(answered, ended)


async def fuzz(requests: int, seed: int) -> Outcome:
    """Attack an engine on an embedded hub and see that nothing is left behind."""
    with tempfile.TemporaryDirectory(prefix="ctl-") as name:
        async with Hub() as hub:
            stage = connection("stage", hub.url, "stream:overlays")
            with serving(Path(name), stage, alerts=AlertOptions()) as run:
                with RawClient(run.path) as faithful:
                    await asyncio.to_thread(faithful.ask, "info")
                    before = _descriptors()
                    outcome = await asyncio.to_thread(attack, run.path, requests, seed)
                    assert (await asyncio.to_thread(faithful.ask, "info"))["type"] == "value"
                await asyncio.to_thread(wait_until, lambda: run.server.clients == 0, "all clients gone")
                assert not run.server._watchers
                assert (await run.engine.reconnect(None)).ok
                await eventually(lambda: state_of(run.engine, "stage") == "connected", "the engine goes on")
                await eventually(lambda: _descriptors() <= before + 2, "no descriptor left open")
    return outcome


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.control.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(2**32)
    print(f"seed {seed}")
    began = time.monotonic()
    outcome = asyncio.run(fuzz(args.requests, seed))
    print(
        f"{args.requests} requests in {time.monotonic() - began:.1f} s: {outcome.answered} answers, "
        f"{outcome.ended} connections ended for a line that was too long"
    )


if __name__ == "__main__":
    main()
