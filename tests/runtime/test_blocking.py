"""A disk, a standard output and a log that block for as long as they like: nothing else waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import connection, eventually, running, state_of
from tests.pace import Stopwatch
from tui.demo.hub import Hub
from tui.engine.reporters import JsonLines
from tui.engine.supervisor import Supervisor
from tui.store import journal as journal_module
from tui.store import log_file as log_module
from tui.store.journal import Entry, Journal, read
from tui.store.log_file import LogFile
from tui.store.writer import CAPACITY, DescriptorSink, Writer

BEATS = int(os.environ.get("BEATS_WHILE_BLOCKED", "4"))
"""Heartbeats, one each half second, that must be answered while something blocks; 60 take half a minute."""

_PATIENCE = 25.0 + 2 * BEATS  # only where the code under test waits after all: it fails, and never hangs


class Gate:
    """Lets writes through or holds them, for as long as a test likes."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.held = threading.Event()
        """A write waits."""

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def __enter__(self) -> None:
        if not self._open.is_set():
            self.held.set()
        self._open.wait(_PATIENCE)

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """What the journal and the log write to their files passes this gate."""
    gate = Gate()
    for sink in (journal_module.DayFiles, log_module.RotatingFile):
        write = sink.write

        def write_through_gate(self: object, data: bytes, write=write) -> None:  # type: ignore[no-untyped-def]  # bound below
            with gate:
                write(self, data)

        monkeypatch.setattr(sink, "write", write_through_gate)
    yield gate
    gate.open()


@pytest.fixture
def log_file(tmp_path: Path, disk: Gate) -> Iterator[LogFile]:
    root, level = logging.getLogger(), logging.getLogger().level
    opened = LogFile(tmp_path)
    yield opened
    disk.open()
    opened.close(5)
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as hub:
        yield hub


async def longest_silence(supervisor: Supervisor, until: asyncio.Event) -> float:
    """Seconds between two snapshots at most; the engine's loop publishes one each quarter of a second."""
    longest, last, watch = 0.0, supervisor.snapshot().sequence, Stopwatch()
    while not until.is_set():
        await asyncio.sleep(0.02)
        longest = max(longest, watch.seconds)
        if (sequence := supervisor.snapshot().sequence) != last:
            last, watch = sequence, Stopwatch()
    return longest


def beats(hub: Hub) -> int:
    return sum(received.frame.event == "heartbeat" for received in hub.received)


async def go_on(hub: Hub, supervisor: Supervisor, *, beats_more: int = BEATS) -> None:
    """Heartbeats are answered, commands obeyed and snapshots published, now."""
    enough = asyncio.Event()
    watching = asyncio.create_task(longest_silence(supervisor, enough))
    before, failures = beats(hub), supervisor.snapshot().connections[0].metrics.heartbeat_failures
    await eventually(lambda: beats(hub) >= before + beats_more, "heartbeats go on", limit=10 + beats_more)
    watch = Stopwatch()
    result = await supervisor.push("hub", "echo:1", "echo", {"n": 1})
    assert result.ok, result.message
    assert watch.seconds < 1
    enough.set()
    # A writer that is waited for is waited for ever: two seconds are for a busy machine.
    assert await watching < 2, "the engine's loop stood still"
    metrics = supervisor.snapshot().connections[0].metrics
    assert (metrics.connection_state, metrics.heartbeat_failures) == ("connected", failures)


async def restart(hub: Hub, supervisor: Supervisor) -> None:
    """Something worth writing down: the connection goes and comes back, even now."""
    before = supervisor.snapshot().connections[0].metrics.successful_connects

    def back() -> bool:
        one = supervisor.snapshot().connections[0]
        joined = all(channel.state == "joined" for channel in one.channels)
        return joined and one.metrics.successful_connects > before

    hub.faults.drop_all()
    await eventually(back, "back while something blocks")


async def test_a_disk_that_blocks_under_the_journal_and_the_log_delays_nothing_and_the_loss_is_told(
    hub: Hub, tmp_path: Path, disk: Gate, log_file: LogFile
) -> None:
    journal = Journal(tmp_path)

    def flood() -> None:
        for number in range(CAPACITY + 500):
            journal.add(Entry(timestamp=time.time(), kind="state", text=f"event {number}"))
            logging.getLogger("tui.test").warning("line %s", number)

    with running(connection("hub", hub.url, "echo:1"), journal=journal) as supervisor:
        await eventually(lambda: state_of(supervisor, "hub") == "connected", "connected")
        disk.shut()
        await restart(hub, supervisor)
        assert await asyncio.to_thread(disk.held.wait, 5), "nothing was written: nothing blocks"
        await go_on(hub, supervisor)
        # A night's worth of events on a disk that hangs: the latest are kept, the others counted.
        async with asyncio.timeout(30):
            await asyncio.to_thread(flood)
        assert log_file.dropped > 0
        await go_on(hub, supervisor, beats_more=2)
        disk.open()
        await restart(hub, supervisor)
    assert journal.close(5)
    assert log_file.close(5)
    entries = [entry for entry in read(tmp_path) if isinstance(entry, Entry)]
    missing = [int(entry.text.split()[0]) for entry in entries if entry.kind == "missing"]
    kept = [entry.text for entry in entries if entry.text.startswith("event ")]
    assert sum(missing) >= 500
    assert kept[-1] == f"event {CAPACITY + 499}"
    assert entries[-1].text == "stopped"
    lines = [json.loads(line)["message"] for line in log_file.path.read_text().splitlines()]
    told = sum(int(line.split()[0]) for line in lines if line.endswith("log lines are missing here"))
    assert told == log_file.dropped >= 500


async def test_an_engine_ends_in_its_time_though_the_disk_never_answers(
    hub: Hub, tmp_path: Path, disk: Gate
) -> None:
    journal = Journal(tmp_path)
    with running(connection("hub", hub.url, "echo:1"), journal=journal) as supervisor:
        await eventually(lambda: state_of(supervisor, "hub") == "connected", "connected")
        disk.shut()
        await restart(hub, supervisor)
        assert await asyncio.to_thread(disk.held.wait, 5)
        watch = Stopwatch()
        supervisor.stop()
        await eventually(supervisor.ended.is_set, "ended")
        assert watch.seconds < 2
    watch = Stopwatch()
    assert not journal.close(0.2)
    assert watch.seconds < 1
    # The hub was told of the end: the connection was closed, not just forgotten.
    await eventually(lambda: not hub.connections, "closed")


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """A pipe; at the end nobody can be stuck in it, since its reading end is closed."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


async def test_a_standard_output_that_nobody_reads_delays_nothing_and_the_loss_is_told(
    hub: Hub, unread: tuple[int, int]
) -> None:
    reading, writing = unread
    writer = Writer(
        DescriptorSink(writing), note_dropped=lambda count: f'{{"type":"dropped","lines":{count}}}'
    )
    lines: list[dict[str, object]] = []

    def read_all() -> None:
        with open(reading, encoding="utf-8", closefd=False) as stream:
            lines.extend(map(json.loads, stream))

    reporter = JsonLines(writer.write)

    def flood() -> None:
        for _ in range(CAPACITY + 500):
            reporter.report(supervisor.snapshot())

    one = connection("hub", hub.url, "echo:1")
    with running(one, reporters=[reporter], report_interval=0.001) as supervisor:
        await eventually(lambda: state_of(supervisor, "hub") == "connected", "connected")
        # Hours of reports in a moment: the pipe is full, and the queue before it too.
        async with asyncio.timeout(5):
            await asyncio.to_thread(flood)
        assert writer.dropped > 0
        await go_on(hub, supervisor)
        await restart(hub, supervisor)
        await go_on(hub, supervisor, beats_more=2)
        # Someone reads again: what is left comes, and how much does not.
        reader = threading.Thread(target=read_all, daemon=True)
        reader.start()
        await eventually(lambda: any(line["type"] == "dropped" for line in list(lines)), "the loss is told")
    assert await asyncio.to_thread(writer.close, 5)
    os.close(writing)
    await asyncio.to_thread(reader.join, 5)
    assert not reader.is_alive()
    assert sum(int(str(line["lines"])) for line in lines if line["type"] == "dropped") == writer.dropped
    assert lines[-1]["type"] == "state", "the newest line is kept"
