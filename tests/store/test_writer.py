"""The writer thread: callers never wait, and what is lost is told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator

import pytest

from tests.pace import Stopwatch
from tui.store.writer import DescriptorSink, Writer


def tell(count: int) -> str:
    return f"{count} missing"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A real pipe: the ends to read from and to write to."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0), open(writing, "wb", buffering=0):
        yield reading, writing


class FailingSink:
    """Fails while ``failure`` is set."""

    def __init__(self, failure: OSError | None) -> None:
        self.failure = failure
        self.lines: list[str] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.failure:
            raise self.failure
        self.lines.append(data.decode())

    def close(self) -> None:
        self.closed = True


def read_lines(descriptor: int, last: str) -> list[str]:
    """Lines up to ``last``; the pipe is blocking, so a missing one ends in the test's time limit."""
    with open(descriptor, closefd=False, encoding="utf-8") as stream:
        lines = []
        for line in stream:
            lines.append(line.rstrip("\n"))
            if lines[-1] == last:
                break
        return lines


def test_lines_arrive_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = Writer(DescriptorSink(writing), note_dropped=tell)
    for number in range(100):
        writer.write(f"line {number}")
    assert writer.close(5)
    assert read_lines(reading, "line 99") == [f"line {number}" for number in range(100)]
    assert writer.dropped == 0


def test_an_unread_pipe_delays_nobody_and_the_next_line_tells_what_is_missing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = Writer(DescriptorSink(writing), note_dropped=tell)
    watch = Stopwatch()
    for number in range(30_000):
        writer.write(f"{number:06} {'x' * 93}")
    assert watch.seconds < 3

    lines = read_lines(reading, f"029999 {'x' * 93}")
    notices = [(place, line) for place, line in enumerate(lines) if line.endswith("missing")]
    numbers = [int(line[:6]) for line in lines if not line.endswith("missing")]
    assert writer.dropped > 15_000
    assert len(numbers) + writer.dropped == 30_000
    assert sum(int(line.split()[0]) for _, line in notices) == writer.dropped
    # The gap is told exactly where it is, and the 10,000 latest lines are all there.
    place, notice = notices[-1]
    assert int(lines[place + 1][:6]) - int(lines[place - 1][:6]) - 1 == int(notice.split()[0])
    assert numbers[-10_000:] == list(range(20_000, 30_000))
    assert writer.close(5)


def test_closing_waits_no_longer_than_told_for_an_unread_pipe(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    writer = Writer(DescriptorSink(writing), note_dropped=tell)
    for _ in range(100):
        writer.write("x" * 10_000)
    watch = Stopwatch()
    assert not writer.close(0.2)
    assert watch.seconds < 1


def test_a_broken_pipe_is_told_once_and_ends_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    told = threading.Semaphore(0)
    writer = Writer(DescriptorSink(writing), note_dropped=tell, on_broken=told.release)
    # Takes the place of the reading end, which is closed by this.
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), reading)
    writer.write("one")
    assert told.acquire(timeout=5)
    assert writer.broken
    writer.write("two")
    assert not writer.close(5)
    assert not told.acquire(blocking=False)
    assert writer.dropped == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_lines_lost_to_a_failing_disk_are_told_when_it_works_again(code: int) -> None:
    sink = FailingSink(OSError(code, os.strerror(code)))
    writer = Writer(sink, note_dropped=tell)
    for number in range(3):
        writer.write(f"lost {number}")
    deadline = time.monotonic() + 5
    while writer.dropped < 3:
        assert time.monotonic() < deadline
        os.sched_yield()
    assert writer.last_error is not None
    assert writer.last_error.errno == code
    sink.failure = None
    writer.write("kept")
    assert writer.close(5)
    assert sink.lines == ["3 missing\n", "kept\n"]
    assert sink.closed
    assert not writer.broken


def test_a_non_blocking_descriptor_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    writer = Writer(DescriptorSink(writing), note_dropped=tell)
    for number in range(2_000):
        writer.write(f"{number:099}")
    lines = read_lines(reading, f"{1999:099}")
    assert len(lines) == 2_000
    assert writer.close(5)


def test_a_line_that_is_no_utf_8_ends_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = Writer(DescriptorSink(writing), note_dropped=tell)
    writer.write("a \udcff name")
    writer.write("more")
    assert read_lines(reading, "more") == ["a \\udcff name", "more"]
    assert writer.close(5)


def test_after_the_end_lines_are_counted_as_dropped(pipe: tuple[int, int]) -> None:
    writer = Writer(DescriptorSink(pipe[1]), note_dropped=tell)
    assert writer.close(5)
    writer.write("late")
    assert writer.dropped == 1
