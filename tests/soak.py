"""``python -m tests.soak --minutes N [--seed N] [--json]``: faults at random for as long as one likes.

A hub whose faults come and go by chance, the whole engine in its thread with its journal, its log and
its reports, and a client with handlers of its own. After each fault everything must come back; then,
when all is quiet, memory, tasks, descriptors and threads are counted. They must not grow.

Exit status: 0 flat and everything came back, 1 not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tui.channels import Channel, ChannelsError, Message, Options, Socket
from tui.demo.faults import FAULTS
from tui.demo.hub import Hub
from tui.engine.reporters import JsonLines
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import CommandResult, ExtraCommand
from tui.store.journal import Journal
from tui.store.log_file import LogFile
from tui.store.writer import DescriptorSink, Writer

OPTIONS = Options(
    max_reconnect_attempts="unlimited",
    reconnect_base_delay=0.05,
    reconnect_max_delay=0.3,
    heartbeat_interval=0.5,
    heartbeat_timeout=0.5,
    circuit_breaker_threshold=3,
    circuit_breaker_timeout=0.3,
    stable_after=0.1,
    open_timeout=1.0,
    join_timeout=2.5,
    push_timeout=1.0,
    max_message_size=1_000_000,
    proxy="none",
)
"""So short that an hour holds what would take weeks."""

BACK_LIMIT = 30.0
"""Seconds within which everything must be back once a fault has ended."""

WARM_UP = 0.2
"""The part of the samples that is left out, and at least every kind of fault once: caches and the
allocator's reserves fill at first."""

FEWEST = len(FAULTS) + 6
"""Samples without which there is no verdict; about two minutes."""

RSS_TOLERANCE = 0.03
"""The part by which memory may differ from the first to the last third: the allocator's own noise."""

_RSS_NOISE = 1024  # KiB, for short runs
_COUNT_NOISE = 1  # a handler that happens to run, a descriptor that happens to be open
_OVERSIZED = 2_000_000
_TOPICS = ("echo:1", "events:all", "stream:overlays", "dashboard:main")


@dataclass(frozen=True)
class _Topic:
    topic: str
    params: Any = None


@dataclass(frozen=True)
class _Connection:
    name: str
    url: str
    topics: tuple[_Topic, ...]
    options: Options = OPTIONS
    label: str = "soak"


@dataclass(frozen=True)
class Quiet:
    """What there is when all is connected and joined and nothing is wrong."""

    seconds: float
    rss: int
    """KiB."""
    tasks: int
    """In the engine's loop."""
    hub_tasks: int
    """In the loop of the hub and the client beside the engine."""
    descriptors: int
    threads: int


KINDS = ("rss", "tasks", "hub_tasks", "descriptors", "threads")


class TaskCount:
    """Counts the engine's tasks from within its loop, where its notice is asked for at each snapshot."""

    def __init__(self) -> None:
        self.tasks = 0

    def notice(self) -> str | None:
        """As of the engine's extras; never anything to show."""
        # The last snapshot is taken when the loop has ended.
        with contextlib.suppress(RuntimeError):
            self.tasks = len(asyncio.all_tasks())
        return None

    def commands(self) -> Sequence[ExtraCommand]:
        """None."""
        return ()

    async def run(self, command: str) -> CommandResult:
        """None is there."""
        return CommandResult(ok=False, message=command)


class Client:
    """A socket beside the engine, with a plain and an async handler on each channel."""

    def __init__(self, url: str) -> None:
        self.socket = Socket(url, OPTIONS)
        self.handled = 0
        self.channels: list[Channel] = []
        for topic in _TOPICS:
            channel = self.socket.channel(topic)
            for event in ("flood", "news", "fragmented"):
                channel.on(event, self._plain)
                channel.on(event, self._later)
            self.channels.append(channel)

    def _plain(self, message: Message) -> None:
        message.payload  # noqa: B018 (decodes it)

    async def _later(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.handled += 1

    def go(self) -> None:
        """Connect, and join what is not joined."""
        self.socket.connect()
        for channel in self.channels:
            if channel.state == "closed":
                channel.join()

    @property
    def is_back(self) -> bool:
        """Connected and joined, and no handler has work left."""
        return self.socket.is_connected and all(
            channel.state == "joined" and not channel.waiting_messages for channel in self.channels
        )


class Soak:
    """One run; what became of it is in :attr:`samples`, :attr:`faults` and :attr:`lost`."""

    def __init__(self, seconds: float, seed: int, folder: Path, tell: Any) -> None:
        self._seconds = seconds
        self._random_source = random.Random(seed)
        self._folder = folder
        self._note = tell
        self.samples: list[Quiet] = []
        self.faults: Counter[str] = Counter()
        self.lost: list[str] = []
        """Faults after which something did not come back in time."""
        self.handled = 0
        self.slowest_return = 0.0

    async def run(self) -> None:
        """Until the time is over."""
        journal = Journal(self._folder)
        log_file = LogFile(self._folder)
        nothing = os.open(os.devnull, os.O_WRONLY)
        writer = Writer(DescriptorSink(nothing), note_dropped=str)
        try:
            async with Hub(seed=1) as hub:
                hub.traffic = 20
                await self._on(hub, journal, JsonLines(writer.write))
        finally:
            # Blocking, but at the end nobody is left to be held up.
            for each in (writer, journal, log_file):
                each.close(2)
            os.close(nothing)

    async def _on(self, hub: Hub, journal: Journal, reporter: JsonLines) -> None:
        count = TaskCount()
        supervisor = Supervisor(
            self._settings(hub, 4),
            plugin_commands=count,
            journal=journal,
            reporters=[reporter],
            report_interval=0.2,
        )
        engine = threading.Thread(target=supervisor.run, name="engine", daemon=True)
        engine.start()
        client = Client(hub.url)
        client.go()
        try:
            begun = time.monotonic()
            first = self._random_source.sample(sorted(FAULTS), len(FAULTS))
            await self._until_back(hub, supervisor, client)
            while time.monotonic() < begun + self._seconds:
                fault = first.pop() if first else self._random_source.choice(sorted(FAULTS))
                self.faults[fault] += 1
                await self._stage(fault, hub, supervisor, client)
                ended = time.monotonic()
                await supervisor.apply(self._settings(hub, 4))
                await supervisor.connect()
                client.go()
                if not await self._until_back(hub, supervisor, client):
                    self.lost.append(fault)
                    self._note(f"not back within {BACK_LIMIT:g} s after {fault}: {_states(supervisor)}")
                self.slowest_return = max(self.slowest_return, time.monotonic() - ended)
                self._sample(time.monotonic() - begun, count)
            self.handled = client.handled
        finally:
            await client.socket.close()
            supervisor.stop()
            await asyncio.to_thread(supervisor.ended.wait, 5)

    def _settings(self, hub: Hub, connections: int) -> list[_Connection]:
        topics = tuple(map(_Topic, _TOPICS))
        return [_Connection(f"link{number}", hub.url, topics) for number in range(connections)]

    async def _stage(self, fault: str, hub: Hub, supervisor: Supervisor, client: Client) -> None:
        """Have one fault, with commands and pushes in the middle of it, and end it."""
        if fault == "oversized":
            hub.faults.oversized(_OVERSIZED)
        else:
            waiting = FAULTS[fault].apply(hub.faults)
            if waiting is not None and asyncio.iscoroutine(waiting):
                await waiting
        for _ in range(self._random_source.randint(0, 3)):
            await asyncio.sleep(self._random_source.uniform(0, 0.5))
            await self._disturb(hub, supervisor, client)
        await hub.faults.clear()

    async def _disturb(self, hub: Hub, supervisor: Supervisor, client: Client) -> None:
        name = f"link{self._random_source.randrange(4)}"
        match self._random_source.randrange(6):
            case 0:
                await supervisor.reconnect(name)
            case 1:
                await supervisor.disconnect(name)
            case 2:
                # A reload that takes connections away, and topics from those that stay.
                fewer = [_Connection(each.name, each.url, each.topics[:2]) for each in self._settings(hub, 3)]
                await supervisor.apply(fewer)
            case 3:
                await supervisor.push(name, "echo:1", "echo", {"n": 1})
            case 4:
                client.socket.reconnect()
            case 5:
                with contextlib.suppress(ChannelsError):
                    await client.channels[0].push("echo", {"n": 1})

    async def _until_back(self, hub: Hub, supervisor: Supervisor, client: Client) -> bool:
        """All connected and joined for several heartbeats' time, and nothing half closed."""
        wanted = 5
        deadline = time.monotonic() + BACK_LIMIT
        quiet_since: float | None = None
        while (now := time.monotonic()) < deadline:
            snapshot = supervisor.snapshot()
            quiet = (
                client.is_back
                and len(snapshot.connections) == wanted - 1
                and all(
                    one.details.stable
                    and len(one.channels) == len(_TOPICS)
                    and all(channel.state == "joined" for channel in one.channels)
                    for one in snapshot.connections
                )
                and len(hub.connections) == len(hub.transports) == wanted
            )
            if not quiet:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now
            elif now > quiet_since + 0.6:
                return True
            await asyncio.sleep(0.05)
        return False

    def _sample(self, seconds: float, count: TaskCount) -> None:
        gc.collect()
        with open("/proc/self/statm") as facts:
            rss = int(facts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        self.samples.append(
            Quiet(
                seconds=round(seconds, 1),
                rss=rss,
                tasks=count.tasks,
                hub_tasks=len(asyncio.all_tasks()),
                descriptors=len(os.listdir("/proc/self/fd")),
                threads=threading.active_count(),
            )
        )


def _states(supervisor: Supervisor) -> str:
    return ", ".join(
        f"{one.name} {one.metrics.connection_state} ({one.details.reason}) "
        f"{sum(channel.state == 'joined' for channel in one.channels)}/{len(one.channels)}"
        for one in supervisor.snapshot().connections
    )


def thirds(samples: Sequence[Quiet], kind: str) -> tuple[float, float]:
    """The medians of the first and the last third, without the warm-up."""
    warm_up = max(len(FAULTS), int(len(samples) * WARM_UP))
    values = [float(getattr(each, kind)) for each in samples[warm_up:]]
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def is_flat(samples: Sequence[Quiet], kind: str) -> bool:
    """Whether it did not grow by more than what comes and goes."""
    first, last = thirds(samples, kind)
    noise = max(_RSS_NOISE, first * RSS_TOLERANCE) if kind == "rss" else _COUNT_NOISE
    return last <= first + noise


def main() -> int:
    """Run, print the curve and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, help="of the faults; a new one unless given")
    parser.add_argument("--json", action="store_true", help="all samples and the verdict, for machines")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)

    def tell(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    tell(f"seed {seed}, {arguments.minutes:g} min")
    with tempfile.TemporaryDirectory(prefix="overlay-supervisor-soak-") as folder:
        soak = Soak(arguments.minutes * 60, seed, Path(folder), tell)
        asyncio.run(soak.run())
        logging.shutdown()
    return report(soak, seed, as_json=arguments.json)


def report(soak: Soak, seed: int, *, as_json: bool) -> int:
    """Print what was found; returns the exit status."""
    samples = soak.samples
    if len(samples) < FEWEST:
        print(
            f"no verdict from {len(samples)} samples; it takes {FEWEST}: give it more time", file=sys.stderr
        )
        return 1
    flat = {kind: is_flat(samples, kind) for kind in KINDS}
    good = all(flat.values()) and not soak.lost
    if as_json:
        verdict = {
            "seed": seed,
            "flat": flat,
            "thirds": {kind: thirds(samples, kind) for kind in KINDS},
            "notBack": soak.lost,
            "faults": dict(soak.faults),
            "handled": soak.handled,
            "slowestReturn": soak.slowest_return,
            "ok": good,
            "samples": [asdict(sample) for sample in samples],
        }
        print(json.dumps(verdict))
        return 0 if good else 1
    print("  time   RSS KiB  tasks  hub tasks  descriptors  threads")
    for sample in samples[:: max(1, len(samples) // 40)]:
        print(
            f"{sample.seconds:6.0f}  {sample.rss:8,}  {sample.tasks:5}  {sample.hub_tasks:9}"
            f"  {sample.descriptors:11}  {sample.threads:7}"
        )
    print(
        f"{sum(soak.faults.values())} faults of {len(soak.faults)} kinds, {soak.handled:,} messages handled, "
        f"back after {soak.slowest_return:.1f} s at most"
    )
    for kind in KINDS:
        first, last = thirds(samples, kind)
        print(f"{kind}: {first:,.0f} in the first third, {last:,.0f} in the last: "
              f"{'flat' if flat[kind] else 'GROWS'}")  # fmt: skip
    if soak.lost:
        print(f"not back in time after: {', '.join(soak.lost)}")
    print("flat" if good else "NOT FLAT")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
