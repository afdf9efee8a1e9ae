"""A recording's files: bounded, found by their headers, and spoilt only where they are spoilt."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.store.recorded import Recorded
from tui.store.recording import (
    FOLDER_NAME,
    HEADER_BYTES,
    LINE_BYTES,
    SUFFIX,
    Holds,
    Recording,
    RecordingFiles,
    pack,
    unpack_header,
)

NOON = 1_795_348_800.0


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def line(number: int, **more: Any) -> bytes:
    return json.dumps({"kind": "told", "number": number, **more}).encode()


def files(folder: Path, **changes: Any) -> RecordingFiles:
    return RecordingFiles(folder / FOLDER_NAME, **{"sync": lambda descriptor: None, **changes})


def every_line(folder: Path) -> list[dict[str, Any]]:
    recorded = Recorded(folder)
    return [json.loads(each) for block in recorded.forward(0, 0) for each in recorded.lines(block)]


def test_what_was_recorded_is_read_again_by_us_and_by_zcat(tmp_path: Path) -> None:
    recording = Recording(files(tmp_path, sync=os.fsync))
    for number in range(100):
        assert recording.add(NOON + number, line(number), Holds.TOLD)
    assert recording.close(5)
    (path,) = (tmp_path / FOLDER_NAME).iterdir()
    assert [each["number"] for each in every_line(tmp_path)] == list(range(100))
    lines = gzip.decompress(path.read_bytes()).splitlines()
    assert [json.loads(each)["number"] for each in lines] == list(range(100))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for named in (path, path.parent, tmp_path):
        assert Recorded(named).bounds() == (NOON, NOON + 99)


def test_a_reader_goes_to_a_time_by_the_headers_and_sees_what_blocks_hold(tmp_path: Path) -> None:
    sink = files(tmp_path)
    for number in range(50):
        holds = Holds.FRAME | (Holds.BEGINNING if number % 10 == 0 else Holds.NOTHING)
        sink.write(pack([line(number)], NOON + number, NOON + number + 0.5, holds), beginning=False)
    sink.close()
    recorded = Recorded(tmp_path)
    file, place = recorded.holding(NOON + 34.7)
    block = next(recorded.backward(file, place))
    assert (block.header.begin, block.header.lines) == (NOON + 34, 1)
    begin = next(each for each in recorded.backward(file, place) if each.header.holds & Holds.BEGINNING)
    assert begin.header.begin == NOON + 30
    assert recorded.holding(NOON - 1) == (0, -1)
    assert [each.header.begin - NOON for each in recorded.forward(file, place)] == list(range(34, 50))


def test_files_end_at_a_beginning_and_the_oldest_go(tmp_path: Path) -> None:
    clock = Clock()
    sink = files(tmp_path, file_bytes=2_000, kept_bytes=10_000, now=clock)
    written = []
    for number in range(400):
        clock.now += 1
        beginning = number % 3 == 0
        block = pack(
            [line(number, text=os.urandom(30).hex())],
            clock.now,
            clock.now,
            Holds.BEGINNING if beginning else Holds.TOLD,
        )
        sink.write(block, beginning=beginning)
        written.append(number)
        assert sum(path.stat().st_size for path in (tmp_path / FOLDER_NAME).iterdir()) <= 10_000 + 3_000
    sink.close()
    recorded = Recorded(tmp_path)
    kept = [found["number"] for found in every_line(tmp_path)]
    assert kept == written[-len(kept) :]
    assert 20 < len(kept) < 400
    firsts: dict[int, Holds] = {}
    for each in recorded.forward(0, 0):
        firsts.setdefault(each.file, each.header.holds)
    assert len(firsts) > 3
    assert all(holds & Holds.BEGINNING for holds in firsts.values())
    # A time that only an old file has is found without opening those before it.
    at = next(recorded.forward(2, 0)).header.begin
    assert Recorded(tmp_path).holding(at) == (2, 0)


def test_a_file_is_ended_by_time_and_one_that_somebody_deleted_is_not_written_on(tmp_path: Path) -> None:
    clock = Clock()
    sink = files(tmp_path, file_seconds=60.0, now=clock)
    folder = tmp_path / FOLDER_NAME
    for moment in (0, 30, 61):
        clock.now = NOON + moment
        sink.write(pack([line(moment)], clock.now, clock.now, Holds.BEGINNING), beginning=True)
    assert len(list(folder.iterdir())) == 2
    for path in folder.iterdir():
        path.unlink()
    sink.write(pack([line(62)], clock.now, clock.now, Holds.TOLD), beginning=False)
    assert [each["number"] for each in every_line(tmp_path)] == [62]
    sink.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_spoilt_costs_its_own_block_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    blocks = [pack([line(n, block=n), line(n, block=n)], NOON + n, NOON + n, Holds.TOLD) for n in range(8)]
    whole = b"".join(blocks)
    spoilt = bytearray(whole)
    begin = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["cut", "zeroed", "garbage", "inserted", "removed"]))
    length = data.draw(st.integers(1, 200))
    end = min(len(whole), begin + length)
    if how == "cut":
        end = len(whole)
        del spoilt[begin:]
    elif how == "zeroed":
        spoilt[begin:end] = bytes(end - begin)
    elif how == "removed":
        del spoilt[begin:end]
    else:
        garbage = data.draw(st.binary(min_size=1, max_size=100)) + data.draw(
            st.sampled_from([b"", blocks[0][:HEADER_BYTES], blocks[0][:20]])
        )
        if how == "inserted":
            end = begin
            spoilt[begin:begin] = garbage
        else:
            spoilt[begin:end] = garbage
    path = tmp_path_factory.mktemp("spoilt") / f"x{SUFFIX}"
    path.write_bytes(spoilt)
    found = every_line(path)
    # Those that lie wholly before or behind what was touched.
    starts = [sum(map(len, blocks[:n])) for n in range(9)]
    untouched = [n for n in range(8) if starts[n + 1] <= begin or starts[n] >= end]
    # Random bytes may be the very ones that were there.
    assert {each["block"] for each in found} >= set(untouched)
    assert [each["block"] for each in found] == sorted(each["block"] for each in found)
    assert all(found.count(each) == 2 for each in found)


def test_a_block_that_would_unpack_to_more_than_is_ever_written_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / f"x{SUFFIX}"
    path.write_bytes(pack([b"0" * (3 * LINE_BYTES)], NOON, NOON, Holds.TOLD))
    recorded = Recorded(path)
    (block,) = recorded.forward(0, 0)
    assert recorded.lines(block) == []
    assert recorded.unreadable == 1


def test_one_that_is_still_written_is_read_on(tmp_path: Path) -> None:
    clock = Clock()
    sink = files(tmp_path, file_bytes=1_000, now=clock)
    recorded = None
    for number in range(60):
        clock.now += 1
        block = pack([line(number)], clock.now, clock.now, Holds.BEGINNING)
        sink.write(block, beginning=True)
        recorded = recorded or Recorded(tmp_path)
        assert recorded.look() or number == 0
        bounds = recorded.bounds()
        assert bounds is not None
        assert bounds[1] == clock.now
    sink.close()
    assert len(list((tmp_path / FOLDER_NAME).iterdir())) > 3


class HeldFiles(RecordingFiles):
    """A disk that does not answer until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FOLDER_NAME)
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def write(self, block: bytes, *, beginning: bool) -> None:
        self.asked.set()
        assert self.let_go.wait(10)
        super().write(block, beginning=beginning)


def test_a_disk_that_does_not_answer_costs_what_has_no_room_and_says_so_there(
    tmp_path: Path,
) -> None:
    held = HeldFiles(tmp_path)
    recording = Recording(held, waiting_bytes=1_000, flush_every=0.01)
    assert recording.add(NOON, line(0), Holds.TOLD)
    assert held.asked.wait(5)
    taken = [number for number in range(1, 100) if recording.add(NOON + number, line(number), Holds.TOLD)]
    dropped = 99 - len(taken)
    assert 10 < len(taken) < 60
    assert recording.dropped == dropped
    held.let_go.set()
    deadline = time.monotonic() + 5
    while not recording.add(NOON + 100, line(100), Holds.TOLD):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert recording.close(5)
    found = every_line(tmp_path)
    assert [each.get("number") for each in found] == [0, *taken, None, 100]
    lost = found[-2]
    assert lost["kind"] == "lost"
    assert lost["because"] == "the disk was too slow"
    assert lost["lines"] == recording.dropped >= dropped


def test_what_comes_too_late_or_is_too_long_is_counted(tmp_path: Path) -> None:
    recording = Recording(files(tmp_path))
    assert not recording.add(NOON, b"0" * (LINE_BYTES + 1), Holds.FRAME)
    assert recording.close(5)
    assert not recording.add(NOON, line(0), Holds.TOLD)
    assert recording.dropped == 2
    assert [each["because"] for each in every_line(tmp_path)] == ["a line was too long"]


FULL_DISK = """
import os, pathlib, resource, signal, sys, time
from tui.store.recording import Holds, Recording, RecordingFiles
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recording = Recording(RecordingFiles(pathlib.Path(sys.argv[1])), flush_every=0.005)
def add(number):
    text = os.urandom(100).hex()
    recording.add(number, b'{"number":%d,"text":"%s"}' % (number, text.encode()), Holds.TOLD)
def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
number = 0
while recording.last_error is None:
    add(number)
    number += 1
    time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
dropped = recording.dropped
for _ in range(20):
    add(number)
    number += 1
until(lambda: recording.dropped >= dropped + 20)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
add(number)
assert recording.close(5)
assert recording.last_error is None
print(number + 1, recording.dropped)
"""


def test_a_full_disk_leaves_whole_blocks_and_tells_what_is_missing(tmp_path: Path) -> None:
    # A limit on the size of files fails as a full disk does: a short write, then an error.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines() == ["the recording cannot be written: No space left on device"]
    count, dropped = map(int, done.stdout.split())
    found = every_line(tmp_path)
    for path in tmp_path.iterdir():
        assert gzip.decompress(path.read_bytes()), "every file ends where a block does"
    numbers = [each["number"] for each in found if "number" in each]
    lost = [each["lines"] for each in found if each.get("kind") == "lost"]
    assert numbers[-1] == count - 1
    assert len(numbers) + sum(lost) == count
    assert sum(lost) == dropped >= 20


KILLED = """
import pathlib, sys, time
from tui.store.recording import Holds, Recording, RecordingFiles
recording = Recording(RecordingFiles(pathlib.Path(sys.argv[1])))
number = 0
while True:
    number += 1
    recording.add(time.time(), b'{"number":%d}' % number, Holds.TOLD)
    print(number, flush=True)
    time.sleep(0.02)
"""


def test_a_program_that_is_killed_loses_about_the_last_second(tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            told.append((time.monotonic(), int(text)))
            if told[-1][0] > told[0][0] + 2.0:
                break
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
    kept = [each["number"] for each in every_line(tmp_path)]
    assert kept == list(range(1, len(kept) + 1))
    # Half a second until it is written; the rest is for a machine that has other things to do.
    due = max(number for when, number in told if when < killed - 1.5)
    assert len(kept) >= due


def test_a_run_never_writes_on_in_the_file_of_another(tmp_path: Path) -> None:
    clock = Clock()
    for number in range(3):
        sink = files(tmp_path, now=clock)
        sink.write(pack([line(number)], NOON, NOON, Holds.TOLD), beginning=False)
        sink.close()
    assert len(list((tmp_path / FOLDER_NAME).iterdir())) == 3
    assert [each["number"] for each in every_line(tmp_path)] == [0, 1, 2]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError):
        Recorded(tmp_path / "empty")


def test_a_header_of_another_version_is_no_header() -> None:
    block = bytearray(pack([line(0)], NOON, NOON, Holds.TOLD))
    assert unpack_header(bytes(block)) is not None
    block[HEADER_BYTES - 6] ^= 1
    assert unpack_header(bytes(block)) is None
