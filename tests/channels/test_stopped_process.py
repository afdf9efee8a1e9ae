"""A process that is stopped (SIGSTOP) and continued judges its links by what comes then, not by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from real import LIMIT, eventually

CLIENT = Path(__file__).parent / "stopped_client.py"
STOPPED = 1.5
"""Seconds: several times every limit that the stopped client has."""


class Process:
    """The client in its own process, and what it said."""

    def __init__(self, process):
        self.process = process
        self.said = []

    async def read(self):
        while line := await self.process.stdout.readline():
            self.said.append(json.loads(line))

    def values(self, name):
        return [facts[name] for facts in self.said if name in facts]

    async def stop_for_a_while(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        await asyncio.sleep(STOPPED)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def stoppable(hub):
    process = await asyncio.create_subprocess_exec(
        sys.executable, CLIENT, hub.url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    one = Process(process)
    reading = asyncio.create_task(one.read())
    try:
        await eventually(lambda: one.values("joins") == [1])
        yield one
        process.stdin.write(b"end\n")
        async with asyncio.timeout(LIMIT):
            assert await process.wait() == 0
            await reading
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading
        process._transport.close()


async def test_stopped_and_continued_on_a_healthy_link_keeps_it(hub):
    async with stoppable(hub) as one:
        for number in (1, 2):
            await one.stop_for_a_while()
            hub.send_to_topic("echo:1", "news", {"n": number})  # waits in the system meanwhile
            one.go_on()
            await eventually(lambda: one.values("news")[-1:] == [number])  # noqa: B023 (awaited at once)
            beats = sum(received.frame.event == "heartbeat" for received in hub.received)
            await eventually(
                lambda: sum(r.frame.event == "heartbeat" for r in hub.received) >= beats + 3  # noqa: B023 (awaited at once)
            )
    assert one.values("state") == ["connecting", "connected", "disconnected"]
    assert (one.values("failures"), one.values("attempts")) == ([0], [1])
    assert hub.connects == 1


async def test_stopped_while_the_server_dropped_it_comes_back_at_once(hub):
    async with stoppable(hub) as one:
        await one.stop_for_a_while()
        hub.faults.drop_all()
        one.go_on()
        await eventually(lambda: one.values("joins") == [1, 2])
        hub.send_to_topic("echo:1", "news", {"n": 7})
        await eventually(lambda: one.values("news") == [7])
    assert one.values("failures") == [0]
    assert hub.connects == 2


async def test_stopped_while_the_server_froze_is_seen_after_one_more_heartbeat(hub):
    async with stoppable(hub) as one:
        await one.stop_for_a_while()
        hub.faults.freeze()
        one.go_on()
        await eventually(lambda: "nothing came within 0.4 s of a heartbeat" in one.values("error"))
        hub.faults.thaw()
        await eventually(lambda: one.values("joins")[-1] > 1 and one.values("state")[-1] == "connected")
    assert one.values("failures")[0] >= 1
