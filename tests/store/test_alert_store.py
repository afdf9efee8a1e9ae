"""The alerts' store: real files, real kills, real locks; what was said to be written is there."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pace import PATIENCE
from tui.alerts import store as module
from tui.alerts.store import AlertStore, StoreError, StoreState
from tui.alerts.store_file import Row, Wanted

KILLS = int(os.environ.get("KILLS", "5"))
NOW = 1_700_000_000.0
LIMIT = PATIENCE
PUTTING = Path(__file__).with_name("putting_alerts.py")


def row(id: str, *, open: bool = False, at: float = NOW, data: bytes = b"{}", **others: Any) -> Row:
    values = {"type": "cheer", "outcome": None if open else "shown"}
    return Row(id=id, open=open, changed_at=at, data=data, **(values | others))


@contextlib.contextmanager
def opened(path: Path, **settings: Any) -> Iterator[AlertStore]:
    store = AlertStore(path, **{"now": lambda: NOW} | settings)
    store.start()
    try:
        yield store
    finally:
        store.close(LIMIT)


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


def put(store: AlertStore, *rows: Row) -> threading.Event:
    written = threading.Event()
    store.put(rows, written.set)
    return written


def written(store: AlertStore, *rows: Row) -> None:
    assert put(store, *rows).wait(LIMIT), store.state


def on_disk(path: Path) -> dict[str, tuple[bool, bytes]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {
            id: (bool(open), data)
            for id, open, data in connection.execute("SELECT id, open, data FROM alerts")
        }


def restored(path: Path) -> list[Row]:
    with opened(path) as store:
        return store.restored.result(LIMIT)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.1)
    monkeypatch.setattr(module, "STALLED_AFTER", 0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "alerts.sqlite"


class Gate:
    """Lets writes through or holds them, for as long as a test likes."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.held = threading.Event()
        """A write waits."""

    def wait(self) -> None:
        if not self.free.is_set():
            self.held.set()
        assert self.free.wait(30)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Every write to a store's file passes this gate."""
    gate, write = Gate(), module.AlertFile.write

    def write_through_gate(self: Any, rows: Any) -> list[str]:
        gate.wait()
        return write(self, rows)

    monkeypatch.setattr(module.AlertFile, "write", write_through_gate)
    yield gate
    gate.free.set()


def test_who_is_told_what_was_restored_finds_the_store_well(tmp_path: Path) -> None:
    found: list[StoreState] = []
    store = AlertStore(tmp_path / "alerts.sqlite", now=lambda: NOW)
    store.restored.add_done_callback(lambda _: found.append(store.state))
    store.start()
    try:
        store.restored.result(LIMIT)
        eventually(lambda: found, "told")
        assert (found[0].ok, found[0].message) == (True, "written")
    finally:
        store.close(LIMIT)


def test_what_is_put_is_there_after_a_restart_and_can_be_asked_for(path: Path) -> None:
    with opened(path) as store:
        assert store.restored.result(LIMIT) == []
        ended = [row(f"e{n}", at=NOW - 1000 + n // 2, type="raid" if n % 3 else "sub") for n in range(9)]
        written(
            store, row("w", open=True, data=b"first"), *ended, row("old", at=NOW - 700, outcome="expired")
        )
        store.put([row("w", open=True, data=b"second \x00\xff")])
        # A question sees what was put before it.
        newest_first = sorted(ended, key=lambda row: (row.changed_at, row.id), reverse=True)
        first = store.history(4, wanted=Wanted(type="raid")).result(LIMIT)
        cursor = (first[-1].changed_at, first[-1].id)
        rest = store.history(100, cursor, Wanted(type="raid")).result(LIMIT)
        assert first + rest == [row for row in newest_first if row.type == "raid"]
        assert [row.id for row in store.history(9, wanted=Wanted(outcome="expired")).result(LIMIT)] == ["old"]
        assert [row.id for row in store.history(9, wanted=Wanted(since=NOW - 996)).result(LIMIT)] == [
            "old",
            "e8",
        ]
        assert store.counts(NOW - 999).result(LIMIT) == {
            ("raid", "shown"): 5,
            ("sub", "shown"): 2,
            ("cheer", "expired"): 1,
        }
        assert store.find("nobody").result(LIMIT) is None
        assert store.close(LIMIT)
    with opened(path, seen_window=800) as store:
        found = store.restored.result(LIMIT)
        assert [row.id for row in found] == ["w", "old"]
        assert found[0] == row("w", open=True, data=b"second \x00\xff")
        assert store.find("e3").result(LIMIT) == ended[3]
        assert store.state == StoreState(ok=True, message="written", held=0)


def test_folder_and_files_are_for_nobody_else(path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(path) as store:
            written(store, row("one"))
            modes = {
                one.name: stat.S_IMODE(one.stat().st_mode) for one in (path.parent, *path.parent.iterdir())
            }
    finally:
        os.umask(before)
    assert modes.pop("state") == 0o700
    assert modes == dict.fromkeys(["alerts.sqlite", "alerts.sqlite-wal", "alerts.sqlite-shm"], 0o600)


def test_a_killed_program_lost_nothing_that_it_said_was_written(path: Path) -> None:
    random_source = random.Random(1)
    told, there = 0, 0
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, PUTTING, path], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == f"restored {there}\n"
            for _ in range(random_source.randint(1, 40)):
                told = int(child.stdout.readline())
            time.sleep(random_source.random() / 100)  # anywhere in a commit; decides nothing
            child.kill()
            child.wait(LIMIT)
            told = max([told, *map(int, child.stdout.read().split())])
        # A copy, so that the next child finds what the kill left.
        copy = path.parent.with_name("copy")
        shutil.copytree(path.parent, copy)
        rows = on_disk(copy / path.name)
        shutil.rmtree(copy)
        last = int(rows.pop("last")[1])
        assert last >= told
        # Neither more nor less than goes with the row that was put together with the latest.
        assert sorted(int(data) for _, data in rows.values()) == list(range(1, last + 1))
        assert all(open == (int(data) % 3 == 0) for open, data in rows.values())
        there = last // 3 + 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(random.Random(1).randbytes(20_000)),
        lambda path: path.write_bytes(b"no database"),
        lambda path: os.truncate(path, 5000),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096 + path.read_bytes()[8192:]),
        lambda path: alter(path, "PRAGMA user_version = 9"),
        lambda path: alter(path, "ALTER TABLE alerts ADD COLUMN more"),
        # To be read only, by the version of its format; names that are no UTF-8.
        lambda path: path.write_bytes(path.read_bytes()[:18] + b"\x09" + path.read_bytes()[19:]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"changed_at", b"changed\xff\xff\xff")),
    ],
    ids=["garbage", "text", "truncated", "a page", "newer", "columns", "format", "names"],
)
def test_a_file_that_cannot_be_used_is_kept_aside_and_a_new_one_begun(
    path: Path, spoil: Callable[[Path], object]
) -> None:
    with opened(path) as store:
        written(store, *(row(f"{n}", data=b"x" * 500) for n in range(50)))
    spoil(path)
    spoiled = path.read_bytes()
    taken = path.with_name("alerts.sqlite.corrupt-20231114T221320")
    taken.write_bytes(b"taken")
    with opened(path) as store:
        written(store, row("new"))
        store.restored.result(LIMIT)
        assert store.state.ok
        assert f"kept aside as {taken.name}-2; a new file was begun" in store.state.message
    assert taken.read_bytes() == b"taken"
    assert taken.with_name(f"{taken.name}-2").read_bytes() == spoiled
    assert list(on_disk(path)) == ["new"]


def alter(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        # Back to one file, as the store leaves it.
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "alerts.sqlite was deleted; a new file was begun"),
        (lambda path: shutil.rmtree(path.parent), "alerts.sqlite was deleted; a new file was begun"),
        (lambda path: replace(path, b"garbage" * 1000), "corrupt; kept aside as alerts.sqlite.corrupt-"),
        (lambda path: replace(path, b""), "written"),
        (lambda path: path.write_bytes(b"garbage" * 1000), "corrupt; kept aside as alerts.sqlite.corrupt-"),
        (lambda path: os.truncate(path, 100), "corrupt; kept aside as alerts.sqlite.corrupt-"),
    ],
    ids=["deleted", "folder deleted", "replaced", "emptied", "overwritten", "truncated"],
)
def test_a_file_lost_while_it_is_used_is_begun_anew_with_what_is_open(
    path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    with opened(path) as store:
        written(store, row("o", open=True, data=b"old"), row("ended"))
    with opened(path) as store:
        store.restored.result(LIMIT)
        written(store, row("p", open=True), row("gone", open=True))
        written(store, row("gone"), row("p", open=True, data=b"new"))
        spoil(path)
        # Nothing is put: it is noticed all the same.
        eventually(lambda: path.exists() and words in store.state.message and store.state.ok, words)
        eventually(
            lambda: on_disk_or_nothing(path) == {"o": (True, b"old"), "p": (True, b"new")}, "rewritten"
        )
        written(store, row("later"))
    assert set(on_disk(path)) == {"o", "p", "later"}


def replace(path: Path, content: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(content)
    other.rename(path)


def on_disk_or_nothing(path: Path) -> dict[str, tuple[bool, bytes]]:
    try:
        return on_disk(path)
    except sqlite3.Error:
        return {}


def test_a_file_that_is_replaced_by_a_sound_one_is_used_and_the_old_log_does_not_spoil_it(path: Path) -> None:
    backup = path.with_name("backup")
    with opened(backup) as store:
        written(store, *(row(f"kept {n}", data=b"k" * 3000) for n in range(20)))
    with opened(path) as store:
        written(store, row("o", open=True), *(row(f"lost {n}", data=b"l" * 3000) for n in range(20)))
        backup.rename(path)
        # Whoever opened it before this would take the old log for its own.
        eventually(lambda: list(path.parent.glob("*.orphan-*-wal")), "the old log is taken away")
        written(store)
        assert set(on_disk(path)) == {"o", *(f"kept {n}" for n in range(20))}
        assert not list(path.parent.glob("*.corrupt-*"))


def test_an_older_copy_in_the_files_place_brings_nothing_back_that_has_ended(path: Path) -> None:
    with opened(path) as store:
        written(store, row("a", open=True), row("b", open=True))
        backup = path.with_name("backup")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(backup),))
        written(store, row("a"))
        content = on_disk(backup)
        backup.rename(path)
        eventually(lambda: "in which ended alerts are open" in store.state.message, "told")
        eventually(lambda: store.state.ok, "goes on")
        written(store, row("c", open=True))
        (aside,) = path.parent.glob("*.corrupt-*")
        assert on_disk(aside) == content
    assert {row.id for row in restored(path) if row.open} == {"b", "c"}
    # A copy that knows nothing else is as good as the file itself.
    with opened(path) as store:
        store.restored.result(LIMIT)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(backup),))
        backup.rename(path)
        written(store, row("c"))
        eventually(lambda: on_disk_or_nothing(path).get("c", (True,))[0] is False, "used")
        assert len(list(path.parent.glob("*.corrupt-*"))) == 1


def test_rows_written_to_a_file_that_was_deleted_meanwhile_are_not_called_written(
    path: Path, disk: Gate
) -> None:
    with opened(path) as store:
        written(store, row("a", open=True))
        disk.free.clear()
        there: list[set[str]] = []
        store.put([row("b")], lambda: there.append(set(on_disk(path))))
        assert disk.held.wait(LIMIT)
        path.unlink()
        disk.free.set()
        eventually(lambda: there, "told")
        assert there == [{"a", "b"}]


def test_a_log_without_its_file_is_kept_and_spoils_no_other_file(path: Path) -> None:
    with opened(path) as store:
        written(store, row("kept in the log only", open=True))
        backup = path.with_name("backup")
        path.rename(backup)
        eventually(lambda: list(path.parent.glob("*.orphan-*-wal")), "the log is kept")
    (log,) = path.parent.glob("*.orphan-*-wal")
    log.rename(backup.with_name("backup-wal"))
    assert list(on_disk(backup)) == ["kept in the log only"]


def test_while_another_program_holds_the_file_all_is_held_and_written_afterwards(path: Path) -> None:
    locking = (
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print(); input()"
    )
    with opened(path) as store:
        written(store, row("a", open=True, data=b"1"), row("b", open=True, data=b"1"))
        other = subprocess.Popen(
            [sys.executable, "-c", locking, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        other.stdout.readline()
        together = put(store, row("a", open=True, data=b"2"), row("b", open=True, data=b"2"))
        later = put(store, row("a", data=b"3"))
        eventually(lambda: not store.state.ok, "told")
        assert store.state.message == "locked by another program; 2 held in memory"
        assert on_disk(path) == {"a": (True, b"1"), "b": (True, b"1")}
        # What is written can be read all the same, and what is not is known.
        found = store.find("a").result(LIMIT)
        assert found is not None
        assert found.data == b"3"
        assert not together.is_set()
        other.communicate("\n", timeout=LIMIT)
        assert together.wait(LIMIT)
        assert later.wait(LIMIT)
        eventually(lambda: store.state.ok, "told that it works again")
        assert on_disk(path) == {"a": (False, b"3"), "b": (True, b"2")}


FULL_DISK = """
import pathlib, resource, sys, time
from tui.alerts.store_file import Row
from tui.alerts.store import AlertStore
def row(n): return Row(f"{n}", n % 2 == 0, "t", None, time.time(), b"x" * 3000)
def wait(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, store.state
        time.sleep(0.005)
store = AlertStore(pathlib.Path(sys.argv[1]))
store.start()
store.restored.result(10)
done = []
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
n = 0
while store.state.ok:
    store.put([row(n)], lambda n=n: done.append(n))
    n += 1
    time.sleep(0.001)
for n in range(n, n + 20):
    store.put([row(n)], lambda n=n: done.append(n))
n += 1
assert store.state.held >= 20 and len(done) < n, store.state
print(store.state.message, flush=True)
input()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
wait(lambda: len(done) == n)
assert done == list(range(n)), done
wait(lambda: store.state.ok and store.state.held == 0)
assert store.close(10)
print(n)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 256 KiB where we may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", folder]
    mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_loses_nothing_and_what_was_held_is_written_when_there_is_room(
    tmp_path: Path, small_disk: Path | None
) -> None:
    # Without a disk of our own, a limit on the size of files: it fails as an error of the disk.
    path = (small_disk or tmp_path) / "alerts.sqlite"
    limit = "0" if small_disk else "200000"
    child = subprocess.Popen(
        [sys.executable, "-c", FULL_DISK, path, limit],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    words = child.stdout.readline()
    assert ("disk full; " if small_disk else "I/O error") in words
    assert "held in memory" in words
    if small_disk:
        subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    output, _ = child.communicate("\n", timeout=30)
    assert child.returncode == 0
    assert len(on_disk(path)) == int(output)


def full(*_: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def test_history_and_counts_hold_what_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path) as store:
        written(
            store,
            *(row(f"{n}", at=NOW + n, terms="mira cheered") for n in range(4)),
            row("undone", at=NOW + 9),
            row("late", at=NOW + 8, outcome="unconfirmed"),
        )
        with monkeypatch.context() as broken:
            broken.setattr(module.AlertFile, "write", full)
            store.put([row("held", at=NOW + 10, type="raid", terms="zed raids"), row("undone", open=True)])
            store.put([row("late", at=NOW + 8), row("waits", open=True)])
            eventually(lambda: not store.state.ok, "full")
            found = [each.id for each in store.history(10).result(LIMIT)]
            assert found == ["held", "late", "3", "2", "1", "0"]
            pages, before = [], None
            for _ in range(4):
                page = store.history(2, before).result(LIMIT)
                pages += [each.id for each in page]
                before = (page[-1].changed_at, page[-1].id) if page else before
            assert pages == found
            assert store.counts(NOW).result(LIMIT) == {("raid", "shown"): 1, ("cheer", "shown"): 5}
            for words, ids in (
                (("zed",), ["held"]),
                (("mira", "cheer", "shown"), ["3", "2", "1", "0"]),
                (("raid",), ["held"]),
                (("%",), []),
            ):
                assert [each.id for each in store.history(9, wanted=Wanted(terms=words)).result(LIMIT)] == ids
        eventually(lambda: store.state.ok, "written")
        assert [each.id for each in store.history(10).result(LIMIT)] == found
        assert store.counts(NOW).result(LIMIT) == {("raid", "shown"): 1, ("cheer", "shown"): 5}


def test_a_page_of_the_history_is_full_though_what_is_in_the_file_is_open_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as store:
        written(store, *(row(f"{n:02}", at=NOW + n) for n in range(40)))
        with monkeypatch.context() as broken:
            broken.setattr(module.AlertFile, "write", full)
            # A great clear, undone.
            store.put([row(f"{n:02}", open=True) for n in range(8, 40)])
            eventually(lambda: not store.state.ok, "full")
            pages, before = [], None
            while page := store.history(3, before).result(LIMIT):
                pages.append([each.id for each in page])
                before = page[-1].changed_at, page[-1].id
            assert pages == [["07", "06", "05"], ["04", "03", "02"], ["01", "00"]]


def test_a_disk_that_does_not_answer_holds_up_nobody_and_is_told(path: Path, disk: Gate) -> None:
    with opened(path) as store:
        store.restored.result(LIMIT)
        disk.free.clear()
        first = put(store, row("a", open=True))
        assert disk.held.wait(LIMIT)
        # The state of a row that is being written is replaced, and written afterwards.
        second = put(store, row("a"), row("b", open=True))
        question = store.history(10)
        eventually(lambda: not store.state.ok, "told")
        assert store.state.message.startswith("the disk has not answered for ")
        assert store.state.message.endswith(" s; 2 held in memory")
        assert not first.is_set()
        disk.free.set()
        assert first.wait(LIMIT)
        assert second.wait(LIMIT)
        assert [row.id for row in question.result(LIMIT)] == ["a"]
        eventually(
            lambda: store.state == StoreState(ok=True, message="written", held=0), "told that it works"
        )


def test_the_end_waits_no_longer_than_told_for_a_disk_that_does_not_answer(path: Path, disk: Gate) -> None:
    with opened(path) as store:
        disk.free.clear()
        never = put(store, row("a"))
        assert disk.held.wait(LIMIT)
        question = store.history(10)
        assert not store.close(0.05)
        with pytest.raises(StoreError, match="closed"):
            question.result(0)
        assert not never.is_set()
        disk.free.set()


def test_what_waits_is_written_at_the_end(path: Path, disk: Gate) -> None:
    with opened(path) as store:
        disk.free.clear()
        events = [put(store, row(f"{n}", data=b"%d" % n)) for n in range(100)]
        assert disk.held.wait(LIMIT)
        threading.Timer(0.05, disk.free.set).start()
        assert store.close(LIMIT)
        assert all(event.is_set() for event in events)
        store.put([row("late")])
        assert store.state.dropped == 1
        with pytest.raises(StoreError):
            store.counts(0).result(0)
    assert len(on_disk(path)) == 100


def test_beyond_the_bound_ended_rows_go_and_nobody_is_told_that_they_are_written(
    path: Path, disk: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 10)
    with opened(path) as store:
        written(store, row("opened before", open=True))
        disk.free.clear()
        put(store, row("x", open=True))
        assert disk.held.wait(LIMIT)
        # Its end must be kept: in the file it is open.
        closing = put(store, row("opened before"))
        opens = put(store, *(row(f"open {n}", open=True) for n in range(12)))
        lost = put(store, row("lost"), row("beside", open=True))
        kept = put(store)
        disk.free.set()
        assert kept.wait(LIMIT)
        assert closing.is_set()
        assert opens.is_set()
        assert not lost.is_set()
        assert store.state.dropped == 1
        assert store.state.message == "written; 1 dropped"
    there = on_disk(path)
    assert set(there) == {"opened before", "x", "beside", *(f"open {n}" for n in range(12))}
    assert not there["opened before"][0]


def test_rows_that_wait_are_bounded_by_their_bytes_too(
    path: Path, disk: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD_BYTES", 100_000)
    with opened(path) as store:
        disk.free.clear()
        first = put(store, row("first", open=True, data=b"x" * 60_000))
        assert disk.held.wait(LIMIT)
        puts = [put(store, row(f"{number}", data=b"x" * 10_000)) for number in range(10_000)]
        assert store.state.held < 20
        # The same rows again are no more of them.
        puts += [put(store, row("first", open=True, data=b"x" * 60_000)) for _ in range(10)]
        disk.free.set()
        assert puts[-1].wait(LIMIT)
        assert first.is_set()
        there = on_disk(path)
        assert "first" in there
        assert store.state.dropped == 10_001 - len(there)
        written(store, *(row(f"later {number}", data=b"x" * 10_000) for number in range(5)))
        assert store.state.dropped == 10_001 - len(there), "there is room again"


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file, not a folder")
    with opened(blocked / "alerts.sqlite") as store:
        waiting = put(store, row("a"))
        eventually(lambda: "cannot be used" in store.state.message, "told")
        with pytest.raises(StoreError, match="1 held in memory"):
            store.history(1).result(LIMIT)
        blocked.unlink()
        assert waiting.wait(LIMIT)
        assert store.restored.result(LIMIT) == []


def test_a_folder_in_which_nothing_can_be_written_is_told_and_tried_again(tmp_path: Path, path: Path) -> None:
    with opened(path) as store:
        written(store, row("a", open=True))
    link = tmp_path / "link"
    link.symlink_to("/sys")  # not even for root
    with opened(link / path.name) as store:
        waiting = put(store, row("b"))
        told = f"read-only, or not ours: {link / path.name}; 1 held in memory"
        eventually(lambda: store.state.message == told, "told")
        assert not store.restored.done()
        link.unlink()
        link.symlink_to(path.parent)
        assert waiting.wait(LIMIT)
        assert [row.id for row in store.restored.result(LIMIT)] == ["a"]


def test_ended_rows_are_trimmed_by_age_and_number_and_open_ones_never(path: Path) -> None:
    old = NOW - 31 * 86_400
    with opened(path, kept_rows=300) as store:
        written(store, row("open", open=True, at=old), *(row(f"old {n}", at=old + n) for n in range(500)))
        written(store, *(row(f"{n:03}", at=NOW - n) for n in range(700)))
        eventually(lambda: sum(store.counts(0).result(LIMIT).values()) == 300, "trimmed")
        assert store.history(1000).result(LIMIT)[-1].id == "299"
        assert store.find("open").result(LIMIT) is not None
    assert set(on_disk(path)) == {"open", *(f"{n:03}" for n in range(300))}


def test_a_clock_that_jumps_ahead_trims_nothing_by_age_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_TRIM_EVERY", 0.02)
    clock, lived = [NOW], [0.0]
    with opened(path, kept_rows=300, now=lambda: clock[0], lived=lambda: lived[0]) as store:
        written(store, *(row(f"{n:03}", at=NOW - n * 86_400) for n in range(25)))
        clock[0] += 3 * 365 * 86_400
        eventually(lambda: "no alert is removed by age" in caplog.text, "told")
        written(store, *(row(f"{n} since", at=clock[0] + n) for n in range(10)))
        assert len(store.history(1000).result(LIMIT)) == 35
        # What passes makes old, what is set does not.
        lived[0] += 8 * 86_400
        eventually(lambda: len(store.history(1000).result(LIMIT)) == 33, "trimmed by age")
        written(store, *(row(f"{n} more", at=clock[0] + n) for n in range(300)))
        eventually(lambda: len(store.history(1000).result(LIMIT)) == 300, "trimmed by number")
    with opened(path, now=lambda: clock[0] + 365 * 86_400) as store:
        eventually(lambda: caplog.text.count("no alert is removed by age") == 2, "told at the start, too")
        assert len(store.history(1000).result(LIMIT)) == 300


def test_a_row_that_no_database_takes_holds_up_no_other(path: Path) -> None:
    with opened(path) as store:
        bad = row("bad", data=["no bytes"])  # type: ignore[arg-type]  # what no caller may give
        never, beside = (
            put(store, bad),
            put(store, row("good"), row("\ud800", open=True, at=float("nan"), type="\ud800")),
        )
        assert beside.wait(LIMIT)
        assert not never.is_set()
        assert store.state == StoreState(ok=True, message="written; 1 dropped", held=0, dropped=1)
    # As good as it can be written.
    assert set(on_disk(path)) == {"good", "\\ud800"}


def test_a_flood_of_rows_starves_no_question(path: Path) -> None:
    ended = threading.Event()

    def flood(store: AlertStore) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            store.put([row(f"{number % 500}", at=NOW + number)])
            time.sleep(0.0002)

    with opened(path) as store:
        thread = threading.Thread(target=flood, args=(store,), daemon=True)
        thread.start()
        try:
            for _ in range(50):
                assert len(store.history(50).result(LIMIT)) <= 50
        finally:
            ended.set()
            thread.join()


def test_a_flood_of_questions_starves_no_row_and_is_bounded(path: Path, disk: Gate) -> None:
    with opened(path) as store:
        disk.free.clear()
        store.put([row("a")])
        assert disk.held.wait(LIMIT)
        questions = [store.history(1) for _ in range(module.MOST_QUESTIONS)]
        with pytest.raises(StoreError, match="ask again later"):
            store.counts(0).result(0)
        unanswered: list[int] = []

        def count(_: object = None) -> None:
            unanswered.append(sum(not question.done() for question in questions))

        # Put as the first question is answered, with all others waiting.
        questions[0].add_done_callback(lambda _: store.put([row("b")], count))
        disk.free.set()
        assert all(len(question.result(LIMIT)) == 1 for question in questions)
        assert len(questions) - 50 < unanswered[0]


Step = tuple[str, int, bool]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("pair"), st.integers(0, 4), st.booleans()),
        st.tuples(st.sampled_from(["lock", "free", "crash", "restart"]), st.just(0), st.just(False)),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_the_latest_state_that_was_told_is_there(tmp_path: Path, steps: list[Step]) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "state"
    path = folder / "alerts.sqlite"
    asked: dict[str, tuple[bool, bytes]] = {}  # the latest state put
    told: dict[str, tuple[bool, bytes]] = {}  # what was there when all was last told
    with contextlib.ExitStack() as stores, contextlib.ExitStack() as locks:
        store = stores.enter_context(opened(path))
        store.restored.result(LIMIT)
        locked = False
        for number, (what, id, open) in enumerate(steps):
            if what in ("put", "pair"):
                rows = [row(f"{id + n}", open=open, data=b"%d" % number) for n in range(1 + (what == "pair"))]
                asked |= {row.id: (row.open, row.data) for row in rows}
                waiting = put(store, *rows)
                if not locked:
                    assert waiting.wait(LIMIT)
                    told = dict(asked)
            elif what == "lock" and not locked:
                other = locks.enter_context(
                    contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
                )
                other.execute("BEGIN IMMEDIATE")
                locked = True
            elif what == "free" and locked:
                locks.close()
                written(store)
                locked, told = False, dict(asked)
            elif what == "crash":
                # What a killed program leaves: the files as they are at this moment, and no memory.
                folder = folder.with_name(f"{folder.name}x")
                shutil.copytree(path.parent, folder)
                locks.close()
                stores.close()
                path, locked, asked = folder / path.name, False, dict(told)
                store = stores.enter_context(opened(path))
            elif what == "restart":
                locks.close()
                assert store.close(LIMIT)
                locked, told = False, dict(asked)
                store = stores.enter_context(opened(path))
            if what in ("crash", "restart"):
                found = {row.id: (row.open, row.data) for row in store.restored.result(LIMIT)}
                assert found == told
    assert on_disk(path) == asked
