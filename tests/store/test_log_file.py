"""The log as a user finds it in the state folder."""

from __future__ import annotations

import json
import logging
import math
import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tui.store.log_file import FILES, MAX_MESSAGE, MAX_TRACEBACK, JsonLinesHandler, LogFile, RotatingFile
from tui.store.repeats import MOST_A_PLACE, MOST_PLACES, SAME_WORDS, Repeats
from tui.store.writer import Writer


@pytest.fixture(autouse=True)
def _same_logging_afterwards() -> Iterator[None]:
    root, websockets = logging.getLogger(), logging.getLogger("websockets")
    levels = root.level, websockets.level
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    websockets.setLevel(levels[1])
    logging.captureWarnings(False)


def without_those_of_pytest() -> None:
    """Leave only the handler that was added last: pytest's own cannot bear what ours must."""
    logging.getLogger().handlers[:-1] = []


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_json_in_a_private_file(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    log = LogFile(folder)
    logging.getLogger("tui.engine").warning("%s is %s", "hub", "down", extra={"connection": "hub"})
    logging.getLogger("tui.engine").debug("not at this level")
    assert log.close(5)
    (line,) = read(folder / "overlay-supervisor.log")
    assert line["level"] == "warning"
    assert line["logger"] == "tui.engine"
    assert line["message"] == "hub is down"
    assert line["connection"] == "hub"
    assert line["time"].startswith("20")
    assert line["time"].endswith("+00:00")
    assert abs(line["timestamp"] - (folder / "overlay-supervisor.log").stat().st_mtime) < 5
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert log.dropped == 0


def test_text_from_the_network_stays_one_short_harmless_line(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    without_those_of_pytest()
    logging.error("bad \x1b[2J \r\n \u202e \udcff %s", "x" * 100_000)
    assert log.close(5)
    raw = log.path.read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert b"\x1b" not in raw
    message = json.loads(raw)["message"]
    assert message.startswith("bad \x1b[2J \r\n")
    assert len(message) < MAX_MESSAGE + 50
    assert message.endswith("characters cut]")


def test_an_error_brings_its_traceback_of_bounded_length(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    try:
        raise RuntimeError("y" * 100_000 + "end")
    except RuntimeError:
        logging.getLogger("tui").exception("it failed")
    assert log.close(5)
    (line,) = read(log.path)
    assert line["traceback"].rstrip().endswith("yend")
    assert len(line["traceback"]) <= MAX_TRACEBACK + 5


def test_a_record_that_cannot_be_shown_harms_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFile(tmp_path)
    without_those_of_pytest()
    logging.getLogger("tui").info("%d", "no number")
    logging.getLogger("tui").info("after it")
    assert log.close(5)
    first, second = read(log.path)
    assert first["message"] == "a log record could not be formatted: TypeError"
    assert second["message"] == "after it"
    assert capsys.readouterr().err == ""


def test_headers_and_frames_of_the_library_are_not_logged(tmp_path: Path) -> None:
    log = LogFile(tmp_path, "debug")
    logging.getLogger("websockets.client").debug("> Authorization: Bearer s3cr3t")
    logging.getLogger("websockets.client").info("connection open")
    logging.getLogger("tui").debug("our own")
    assert log.close(5)
    assert [line["message"] for line in read(log.path)] == ["our own"]


def test_the_file_is_rotated_by_size(tmp_path: Path) -> None:
    sink = RotatingFile(tmp_path / "log", max_bytes=100)
    for number in range(40):
        sink.write(f"{number:029}\n".encode())
    sink.close()
    names = ["log", *(f"log.{number}" for number in range(1, FILES))]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    kept = [int(line) for name in reversed(names) for line in (tmp_path / name).read_text().splitlines()]
    assert kept == list(range(40 - len(kept), 40))
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


def test_a_restart_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for message in ("first", "second"):
        log = LogFile(tmp_path)
        logging.getLogger("tui").warning(message)
        assert log.close(5)
    assert [line["message"] for line in read(log.path)] == ["first", "second"]


class Minutes:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def messages(path: Path, handler: JsonLinesHandler, writer: Writer) -> list[str]:
    handler.close()
    assert writer.close(5)
    return [line["message"] for line in read(path)]


def test_what_is_told_of_repetitions_is_what_they_said_when_they_came(tmp_path: Path) -> None:
    class Passing:
        """Can be shown until it is gone."""

        def __str__(self) -> str:
            if gone:
                raise RuntimeError("gone")
            return "here"

    gone = False
    writer = Writer(RotatingFile(tmp_path / "log"), note_dropped=str)
    handler = JsonLinesHandler(writer)
    logger = logging.Logger("tui.engine")
    logger.addHandler(handler)
    for _ in range(SAME_WORDS + 3):
        logger.warning("it is %s", Passing())
    gone = True
    last = messages(tmp_path / "log", handler, writer)[-1]
    assert last == "3 times more within a minute, at last: it is here"


def test_what_says_the_same_for_hours_is_a_line_a_minute_with_its_number(tmp_path: Path) -> None:
    time_of_log = Minutes()
    writer = Writer(RotatingFile(tmp_path / "log"), note_dropped=str)
    handler = JsonLinesHandler(writer, Repeats(time_of_log))
    logger = logging.Logger("asyncio")
    logger.addHandler(handler)
    for _ in range(3600):
        for _ in range(100):
            logger.error("accept() out of system resource")
        logger.warning("peer %s", int(time_of_log.now) % 7)
        time_of_log.now += 1.0
    logger.info("once")
    told = messages(tmp_path / "log", handler, writer)
    assert told.count("accept() out of system resource") == 60 * SAME_WORDS
    often = f"{6000 - SAME_WORDS} times more within a minute, at last: accept() out of system resource"
    assert told.count(often) == 60
    assert told.count("once") == 1
    assert len(told) == 60 * (SAME_WORDS + 1 + 7 * SAME_WORDS + 1) + 1


def test_one_place_with_ever_other_words_is_bounded_and_so_are_the_places(tmp_path: Path) -> None:
    writer = Writer(RotatingFile(tmp_path / "log"), note_dropped=str)
    handler = JsonLinesHandler(writer, Repeats(Minutes()))
    logger = logging.Logger("tui")
    logger.addHandler(handler)
    port = "a client from port %06d"
    for number in range(20_000):
        logger.warning(port, number)
    for number in range(3 * MOST_PLACES):
        other = logging.Logger(f"tui.{number}")
        other.addHandler(handler)
        other.warning("one")
    told = messages(tmp_path / "log", handler, writer)
    ports = [line for line in told if "port" in line]
    most = math.ceil(MOST_A_PLACE / len(port % 0))
    assert len(ports) == most + 1
    assert ports[-1] == f"{20_000 - most} times more within a minute, at last: {port % 19_999}"
    assert told.count("one") == 3 * MOST_PLACES


def test_an_unusable_folder_is_told_once_and_the_program_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    log = LogFile(tmp_path / "state")
    for _ in range(3):
        logging.getLogger("tui").warning("nobody reads it")
    assert not log.close(5)
    assert log.dropped == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "no log file" in told


def test_a_folder_that_comes_back_is_used_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "state"
    blocked.touch()
    log = LogFile(blocked)
    logging.getLogger("tui").warning("lost")
    deadline = time.monotonic() + 5
    while log.dropped < 1:
        assert time.monotonic() < deadline
        os.sched_yield()
    blocked.unlink()
    logging.getLogger("tui").warning("kept")
    assert log.close(5)
    assert [line["message"] for line in read(log.path)] == ["1 log lines are missing here", "kept"]
    assert "no log file" in capsys.readouterr().err


FULL_DISK = """
import logging, pathlib, resource, signal, sys
from tui.store.log_file import LogFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = LogFile(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for number in range(20):
    logging.warning("line %s", number)
while log.path.read_text().count("\\n") + log.dropped < 20:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
logging.warning("room again")
assert log.close(5)
print(log.dropped)
"""


def test_a_full_disk_leaves_whole_lines_and_tells_what_is_missing(tmp_path: Path) -> None:
    # A limit on the size of files fails as a full disk does: a short write, then an error.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    lines = read(tmp_path / "overlay-supervisor.log")
    dropped = int(done.stdout)
    assert lines[-2]["message"] == f"{dropped} log lines are missing here"
    assert lines[-1]["message"] == "room again"
    assert [line["message"] for line in lines[:-2]] == [f"line {n}" for n in range(20 - dropped)]
