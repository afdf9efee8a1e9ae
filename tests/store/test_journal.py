"""The journal: bounded, never waits, and honest about the times it did not see."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tui.cli import journal as journal_view
from tui.model.events import RunStarted, RunStopped
from tui.model.snapshot import LineKind
from tui.store.journal import FOLDER_NAME, DayFiles, Entry, Gap, Journal, parse_since, read

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86_400

LEFT_OUT = "1 line left out: of an older version, or half written as the machine crashed"


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def entry(timestamp: float, text: str, kind: LineKind = "state", connection: str | None = "stage") -> Entry:
    return Entry(timestamp=timestamp, kind=kind, text=text, connection=connection)


def started(timestamp: float) -> Entry:
    return Entry(timestamp=timestamp, kind="engine", text="started", event=RunStarted())


def stopped(timestamp: float) -> Entry:
    return Entry(timestamp=timestamp, kind="engine", text="stopped", event=RunStopped())


def keep(folder: Path, *entries: Entry) -> None:
    """Write entries as a journal does whose clock reads each one's own time."""
    clock = Clock()
    for each in entries:
        clock.now = each.timestamp
        journal = Journal(folder, now=clock)
        journal.add(each)
        assert journal.close(5)


def test_what_happened_last_night_is_found_by_time_and_connection(tmp_path: Path) -> None:
    keep(
        tmp_path,
        started(NOON - 2 * DAY),
        entry(NOON - DAY, "failed: refused", connection="events"),
        entry(NOON - DAY + 5, "reconnecting: 1012 service restart"),
        entry(NOON, "connected after 5 s"),
    )
    every = list(read(tmp_path))
    assert [each.text for each in every if isinstance(each, Entry)] == [
        "started",
        "failed: refused",
        "reconnecting: 1012 service restart",
        "connected after 5 s",
    ]
    asked = list(read(tmp_path, since=NOON - DAY - 60, until=NOON - 60, connection="stage"))
    assert [each for each in asked if isinstance(each, Entry)] == [
        entry(NOON - DAY + 5, "reconnecting: 1012 service restart")
    ]


def test_a_time_in_which_it_was_not_running_shows_as_such(tmp_path: Path) -> None:
    keep(
        tmp_path,
        started(NOON),
        stopped(NOON + 10),
        started(NOON + 100),
        entry(NOON + 160, "", "alive", None),
        started(NOON + 1000),
    )
    gaps = [each for each in read(tmp_path) if isinstance(each, Gap)]
    assert gaps == [
        Gap(since=NOON + 10, until=NOON + 100, because="stopped"),
        # It was killed: known to the precision of its last sign of life.
        Gap(since=NOON + 160, until=NOON + 1000, because="killed"),
    ]
    assert not any(isinstance(each, Entry) and each.kind == "alive" for each in read(tmp_path))


def test_a_gap_is_found_however_long_ago_it_began_and_whatever_it_was(tmp_path: Path) -> None:
    keep(
        tmp_path,
        started(NOON - 5 * DAY),
        entry(NOON - 5 * DAY + 60, "", "alive", None),
        started(NOON - 3600),
        entry(NOON - 3540, "", "alive", None),
        # The machine slept: nothing says so but the silence.
        entry(NOON - 600, "", "alive", None),
        stopped(NOON - 590),
    )
    gaps = [each for each in read(tmp_path, since=NOON - 7200, now=NOON) if isinstance(each, Gap)]
    assert gaps == [
        Gap(since=NOON - 5 * DAY + 60, until=NOON - 3600, because="killed"),
        Gap(since=NOON - 3540, until=NOON - 600, because="stood still"),
        Gap(since=NOON - 590, until=NOON, because="stopped", lasts=True),
    ]


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    sink = DayFiles(tmp_path, now=Clock())
    sink.write(b"one\n")
    (tmp_path / "2026-11-22.jsonl").unlink()
    sink.write(b"two\n")
    sink.close()
    assert (tmp_path / "2026-11-22.jsonl").read_bytes() == b"two\n"


def test_a_folder_without_a_journal_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert journal_view.main(tmp_path, since=None, connection=None, as_json=False) == 1
    assert "no journal in" in capsys.readouterr().err


def test_a_gap_that_began_before_the_time_asked_for_is_told(tmp_path: Path) -> None:
    keep(tmp_path, started(NOON), stopped(NOON + 10), started(NOON + 3600))
    assert next(read(tmp_path, since=NOON + 1800)) == Gap(
        since=NOON + 10, until=NOON + 3600, because="stopped"
    )


def test_files_are_kept_for_so_many_days_and_bytes_and_are_private(tmp_path: Path) -> None:
    clock = Clock()
    sink = DayFiles(tmp_path, kept_days=3, kept_bytes=150, now=clock)
    for day in range(6):
        clock.now = NOON + day * DAY
        sink.write(b"x" * 99 + b"\n")
    sink.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["2026-11-26.jsonl", "2026-11-27.jsonl"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_clock_that_jumps_removes_no_day_and_time_that_passes_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, lived = Clock(), Clock(0.0)
    sink = DayFiles(tmp_path, kept_days=3, now=clock, lived=lived)

    def pass_time(seconds: float) -> None:
        clock.now += seconds
        lived.now += seconds
        sink.write(b"x\n")

    for _ in range(3):
        pass_time(DAY)
    days = {path.name for path in tmp_path.iterdir()}
    for jump in (3 * 365 * DAY, -2 * 365 * DAY, 700 * DAY):
        clock.now += jump
        sink.write(b"x\n")
        assert days < {path.name for path in tmp_path.iterdir()}
    assert caplog.text.count("no day of the journal is removed by age") == 1
    for _ in range(2):
        pass_time(DAY)
    assert len(days - {path.name for path in tmp_path.iterdir()}) == 1


def test_a_start_under_a_clock_that_is_years_ahead_removes_nothing_but_beyond_the_bytes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for day in range(3):
        clock = Clock(NOON + day * DAY)
        DayFiles(tmp_path, now=clock).write(b"x" * 99 + b"\n")
    later = Clock(NOON + 3 * 365 * DAY)
    DayFiles(tmp_path, now=later).write(b"x" * 99 + b"\n")
    assert len(list(tmp_path.iterdir())) == 4
    assert "the clock went ahead by" in caplog.text
    later.now += DAY
    DayFiles(tmp_path, now=later, kept_bytes=150).write(b"x" * 99 + b"\n")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_clock_that_was_set_back_makes_no_length_below_zero_and_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, started(NOON), entry(NOON + 60, "before"))
    keep(tmp_path, started(NOON - 7200), entry(NOON - 7100, "after"))
    assert [one.text for one in read(tmp_path, until=NOON) if isinstance(one, Entry)] == [
        "started",
        "started",
        "after",
    ]
    assert journal_view.main(tmp_path, since=None, connection=None, as_json=False) == 0
    told = capsys.readouterr().out
    assert "not running for a time unknown, as the clock was set back, until " in told
    assert "-" not in told.partition("not running for")[2].partition(",")[0]


def test_todays_file_is_kept_though_it_alone_is_too_large(tmp_path: Path) -> None:
    sink = DayFiles(tmp_path, kept_bytes=10, now=Clock())
    sink.write(b"x" * 99 + b"\n")
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["2026-11-22.jsonl"]


def test_a_line_cut_by_a_crash_of_the_machine_hides_nothing_else(tmp_path: Path) -> None:
    keep(tmp_path, started(NOON))
    path = next((tmp_path / FOLDER_NAME).iterdir())
    path.write_bytes(path.read_bytes() + b'{"timestamp":17\n')
    keep(tmp_path, entry(NOON + 5, "connected"))
    texts = [each.text for each in read(tmp_path) if isinstance(each, Entry)]
    assert texts == ["started", LEFT_OUT, "connected"]


@pytest.mark.parametrize("moment", ["1e300", "-1e15", "253402300800"])
def test_a_line_of_a_time_that_no_calendar_has_is_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    keep(tmp_path, started(NOON))
    path = next((tmp_path / FOLDER_NAME).iterdir())
    line = b'{"format":2,"timestamp":%b,"kind":"state","text":"x"}\n' % moment.encode()
    path.write_bytes(path.read_bytes() + line)
    for since in (None, "9999-12-31T23:59:59-14:00"):
        assert journal_view.main(tmp_path, since=since, connection=None, as_json=False) == 0
    assert LEFT_OUT in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400), ("3d", 3 * DAY)],
)
def test_since_takes_a_duration(text: str, seconds_ago: float) -> None:
    assert parse_since(text, NOON) == NOON - seconds_ago


def test_since_takes_the_last_such_time_of_day_and_dates() -> None:
    here = datetime.fromtimestamp(NOON)
    earlier = here.replace(hour=(here.hour - 1) % 24)
    assert parse_since(earlier.strftime("%H:%M"), NOON) <= NOON
    assert NOON - parse_since(here.strftime("%H:%M"), NOON) < 61
    later = datetime.fromtimestamp(NOON + 3600)
    assert NOON - parse_since(later.strftime("%H:%M"), NOON) > 22 * 3600
    assert parse_since("2026-11-22T12:00+00:00", NOON) == NOON
    with pytest.raises(ValueError, match="never"):
        parse_since("never", NOON)


@pytest.mark.parametrize(
    ("now", "text", "expected"),
    [
        # The clocks were set back in the night to the 25th of October.
        ("2026-10-25T20:00+01:00", "21:14", "2026-10-24T21:14+02:00"),
        ("2026-10-25T08:00+01:00", "01:30", "2026-10-25T01:30+02:00"),
        # And forward in that to the 29th of March.
        ("2026-03-29T12:00+02:00", "23:00", "2026-03-28T23:00+01:00"),
    ],
)
def test_a_time_of_day_is_right_when_the_clocks_were_changed(now: str, text: str, expected: str) -> None:
    moments = [datetime.fromisoformat(each).timestamp() for each in (now, expected)]
    program = f"from tui.store.journal import parse_since; print(parse_since({text!r}, {moments[0]!r}))"
    environ = {**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True
    )
    assert float(done.stdout) == moments[1]


def test_a_time_of_day_is_sought_before_the_end_of_what_is_looked_at() -> None:
    evening = datetime(2026, 11, 19, 2, 0).timestamp()
    found = parse_since("23:30", datetime(2026, 11, 25, 12).timestamp(), evening)
    assert found == datetime(2026, 11, 18, 23, 30).timestamp()


def test_the_command_prints_words_or_json_and_nothing_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    keep(tmp_path, started(now - 50), stopped(now - 40), started(now - 5))
    keep(tmp_path, entry(now - 1, "joined \x1b[31mred"))
    assert journal_view.main(tmp_path, since="1h", connection=None, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "not running for 0 min 35 s" in lines[2]
    assert lines[-1].endswith("stage joined ␛[31mred")
    assert journal_view.main(tmp_path, since="1h", connection="stage", as_json=True) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["kind"] for each in objects] == ["engine", "engine", "gap", "engine", "state"]
    assert journal_view.main(tmp_path, since="never", connection=None, as_json=False) == 2
    assert "expected 90s" in capsys.readouterr().err


def test_a_connection_that_never_was_is_told_from_a_quiet_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time()
    keep(tmp_path, started(now - DAY), entry(now - DAY + 1, "connected", connection="events"))
    keep(tmp_path, entry(now - 60, "connected"))
    assert journal_view.main(tmp_path, since="1h", connection="stgae", as_json=False) == 1
    said = capsys.readouterr()
    assert said.err == "overlay-supervisor: nothing is kept of stgae; of these there is: events, stage\n"
    assert journal_view.main(tmp_path, since="1h", connection="events", as_json=False) == 0
    assert capsys.readouterr().err == "overlay-supervisor: nothing of events in that time\n"
    assert journal_view.main(tmp_path, since="1h", connection="stage", as_json=False) == 0
    assert capsys.readouterr().err == ""
