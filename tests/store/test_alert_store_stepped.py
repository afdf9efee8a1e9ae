"""The alerts' store on virtual time, step by step without a thread, with a disk that stalls, is full and
outlives a program that is killed at any moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tui.alerts import store as module
from tui.alerts.store import AlertStore, StoreState
from tui.alerts.store_file import Row
from tui.simulation.disk import LATENCY, LoopWorker, SimulatedDisk
from tui.simulation.loop import EPOCH, VirtualLoop
from tui.store.age_limit import DAY

WELL = StoreState(ok=True, message="written", held=0)
SOON = 0.05


class Program:
    """One life of a program that keeps alerts on this disk."""

    def __init__(self, loop: VirtualLoop, disk: SimulatedDisk, **options: Any) -> None:
        self.loop = loop
        self.worker = LoopWorker(loop, disk)
        self.noted: dict[str, bytes] = {}
        """The latest of each that was told to be written."""
        self.trace: list[tuple[float, str, str]] = []
        self.store = AlertStore(
            disk,
            now=self.now,
            lived=loop.time,
            worker=self.worker,
            **options,
        )
        self.store.restored.add_done_callback(lambda _: self.note("restored", ""))
        self.store.start()

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def note(self, what: str, words: str) -> None:
        self.trace.append((round(self.loop.time(), 6), what, words))

    def put(self, id: str, data: str, *, open: bool = False) -> None:
        now = self.now()
        outcome = None if open else "shown"
        row = Row(id, open, "cheer", outcome, now, data.encode())
        self.store.put([row], lambda: self.tell(row))

    def tell(self, row: Row) -> None:
        # Whoever is told goes by the state.
        self.note(
            "written" if self.store.state.ok else "written, in trouble", f"{row.id} {row.data.decode()}"
        )
        self.noted[row.id] = row.data

    @property
    def restored(self) -> dict[str, bytes]:
        return {row.id: row.data for row in self.store.restored.result(0)}


class Room:
    """A disk, time, and the programs that used it one after another."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.disk = SimulatedDisk(self.loop)
        self.errors: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))

    def start(self, **options: Any) -> Program:
        return Program(self.loop, self.disk, **options)

    def pass_time(self, seconds: float) -> None:
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()
        assert not self.errors

    @property
    def content(self) -> dict[str, bytes]:
        found: list[Any] = self.disk.read("SELECT id, data FROM alerts")
        return dict(found)


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.loop.close()


def test_while_the_disk_stalls_all_is_held_and_each_state_is_told_when_it_is_there(room: Room) -> None:
    program = room.start()
    room.pass_time(SOON)
    program.put("a", "1", open=True)
    # It has been taken to be written.
    room.pass_time(1.5 * LATENCY)
    room.disk.stall(30.0)
    program.put("a", "2")
    program.put("b", "1")
    room.pass_time(0.9)
    assert program.store.state.ok
    room.pass_time(10.0)
    assert program.store.state.message == "the disk has not answered for 11 s; 2 held in memory"
    assert (program.noted, room.content) == ({}, {})
    room.pass_time(19.2)
    assert program.store.state == WELL
    written = [words for _, what, words in program.trace if what == "written"]
    assert written == ["a 1", "a 2", "b 1"]
    assert room.content == program.noted == {"a": b"2", "b": b"1"}


def test_a_full_disk_is_tried_again_ever_more_slowly_and_loses_nothing(room: Room) -> None:
    tries: list[float] = []
    program = room.start(require=lambda: tries.append(room.loop.time()))
    room.pass_time(SOON)
    room.disk.fill(True)
    tries.clear()
    large = "x" * 50_000
    for number in range(20):
        program.put(f"{number}", large)
    room.pass_time(60.0)
    assert program.store.state.message == "disk full; 20 held in memory"
    assert program.noted == {}
    assert 30 < len(tries) < 40
    assert tries[1] - tries[0] == pytest.approx(0.1, abs=SOON)
    room.disk.fill(False)
    room.pass_time(2.1)
    assert program.store.state == WELL
    assert room.content == program.noted
    assert len(program.noted) == 20


def test_a_disk_that_answers_at_last_is_not_well_before_it_has_taken_what_is_held(room: Room) -> None:
    program = room.start()
    room.pass_time(SOON)
    # A look at the file hangs.
    room.disk.stall(10.0)
    room.pass_time(5.0)
    program.put("a", "x" * 50_000)
    room.disk.fill(True)
    for _ in range(6_000):
        room.pass_time(LATENCY / 2)
        assert not program.store.state.ok
    assert program.store.state.trouble == "disk full"


def test_a_disk_that_is_full_from_the_start_is_opened_when_there_is_room(room: Room) -> None:
    room.disk.fill(True)
    program = room.start()
    program.put("a", "1", open=True)
    room.pass_time(10.0)
    assert program.store.state.message == "disk full; 1 held in memory"
    assert not program.store.restored.done()
    room.disk.fill(False)
    room.pass_time(3.0)
    assert program.restored == {}
    assert room.content == {"a": b"1"}


def test_what_was_not_committed_is_gone_with_the_program_that_was_killed(room: Room) -> None:
    first = room.start()
    room.pass_time(SOON)
    first.put("a", "1", open=True)
    room.pass_time(SOON)
    first.put("a", "2", open=True)
    first.put("b", "1", open=True)
    first.worker.kill()
    room.pass_time(5.0)
    assert first.noted == {"a": b"1"}
    second = room.start()
    room.pass_time(SOON)
    assert second.restored == {"a": b"1"}


def test_beyond_the_bound_ended_rows_go_while_the_disk_stalls_and_open_ones_never(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 100)
    program = room.start()
    program.put("opened before", "1", open=True)
    room.pass_time(SOON)
    room.disk.stall(60.0)
    # Its end must be kept: in the file it is open.
    program.put("opened before", "2")
    for number in range(50):
        program.put(f"open {number}", "1", open=True)
    for number in range(500):
        program.put(f"{number}", "1")
    room.pass_time(59.0)
    assert program.store.state.held <= 100
    room.pass_time(2.0)
    assert {id for id in room.content if id.startswith("open ")} == {f"open {n}" for n in range(50)}
    assert room.content["opened before"] == b"2"
    assert program.store.state.dropped == 551 - len(room.content)
    assert "499" in room.content


def test_rows_are_trimmed_as_time_passes(room: Room) -> None:
    hour = 3600.0
    program = room.start(kept_days=2 * hour / DAY)
    room.pass_time(SOON)
    program.put("open", "1", open=True)
    for number in range(5):
        program.put(f"{number}", "1")
        room.pass_time(hour)
    assert set(room.content) == {"open", "4", "3"}


def test_the_end_waits_for_a_stall_no_longer_than_it_may(room: Room) -> None:
    first = room.start()
    room.pass_time(SOON)
    first.put("a", "1", open=True)
    assert first.store.close(1.0)
    second = room.start()
    room.pass_time(SOON)
    room.disk.stall(10.0)
    second.put("b", "1", open=True)
    assert not second.store.close(1.0)
    second.worker.kill()
    room.pass_time(20.0)
    third = room.start()
    room.pass_time(SOON)
    assert third.restored == {"a": b"1"}
    # One that has room again is tried once more, though it was not due yet.
    room.disk.fill(True)
    third.put("c", "x" * 50_000)
    room.pass_time(SOON)
    assert not third.store.state.ok
    room.disk.fill(False)
    assert third.store.close(1.0)
    assert set(room.content) == {"a", "c"}


def evening(seed: int) -> list[tuple[float, str, str]]:
    """An hour in which everything happens, and what was told of it."""
    random_source, room = random.Random(seed), Room()
    program, trace = room.start(), []
    told: dict[str, bytes] = {}
    asked: dict[str, set[bytes]] = {}
    ended = room.loop.time() + 3600.0
    number = 0
    while room.loop.time() < ended:
        room.pass_time(random_source.choice((0.0, LATENCY, 1.5 * LATENCY, random_source.expovariate(0.3))))
        match random_source.choices(("put", "stall", "full", "room", "kill", "end"), (60, 3, 3, 6, 3, 1))[0]:
            case "put":
                for _ in range(random_source.randint(1, 5)):
                    number += 1
                    id = f"{random_source.randrange(12)}"
                    program.put(
                        id,
                        f"{number}" + "x" * random_source.choice((0, 5000)),
                        open=random_source.random() < 0.5,
                    )
                    asked.setdefault(id, set()).add(b"%d" % number)
            case "stall":
                room.disk.stall(random_source.uniform(0, 40))
            case "full" | "room" as what:
                room.disk.fill(what == "full")
            case "kill" | "end" as what:
                if what == "end":
                    program.store.close(1.5)
                program.worker.kill()
                told |= program.noted
                trace += program.trace
                for id, data in room.content.items() if told else ():
                    plain = data.rstrip(b"x")
                    assert plain in asked[id]
                    # Nothing that was told is undone; what was committed a moment before may be untold.
                    assert int(plain) >= int(told.get(id, b"0").rstrip(b"x"))
                assert told.keys() <= (room.content.keys() if told else set())
                program = room.start()
    room.disk.fill(False)
    room.pass_time(60.0)
    assert program.store.state == WELL
    assert room.content.items() >= program.noted.items()
    room.loop.close()
    return trace + program.trace


def test_whatever_happens_what_was_told_is_there_and_the_same_chance_gives_the_same_hour() -> None:
    for seed in range(2):
        assert evening(seed) == evening(seed)
