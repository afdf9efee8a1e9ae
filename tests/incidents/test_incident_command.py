"""The user's command with real processes: good ones, and every bad one that a user can have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import eventually
from tests.incidents.incident_watch import MovedClock, Watch
from tui.incidents import hook as incident_command
from tui.incidents.hook import MOST_OUTPUT, MOST_UNDER_WAY, MOST_WAITING, IncidentCommand, message
from tui.incidents.options import IncidentsOptions
from tui.incidents.rules import Finding
from tui.model.incidents import IncidentSnapshot

FAILED = Finding("failed", "stage", "gone; $(rm -rf /)", ("stage",))
LOUD = IncidentSnapshot(
    id="1-1",
    rule="failed",
    subject="stage",
    severity="critical",
    message="gone",
    opened_at=1_800_000_000.0,
    updated_at=1_800_000_000.0,
)
QUIET = IncidentSnapshot(
    id="1-2", rule="flapping", subject="stage", severity="warning", message="", opened_at=0.0, updated_at=0.0
)


def python(script: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", script, *map(str, arguments))


KEEPS = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"


class Report:
    """A command whose clock is moved by hand, and what is told of it."""

    def __init__(self, command: tuple[str, ...], **options: Any) -> None:
        self.clock = MovedClock()
        self.lines: list[tuple[str, str]] = []
        self.options = IncidentsOptions(command=command, **options)
        self.outcomes = 0
        loop = asyncio.get_running_loop()

        def on_loop(callback: Any) -> None:
            with contextlib.suppress(RuntimeError):  # a command may end after its test
                loop.call_soon_threadsafe(self._count, callback)

        self.command = IncidentCommand(
            self.options, self.clock, lambda text, severity: self.lines.append((severity, text)), on_loop
        )

    def _count(self, callback: Any) -> None:
        callback()
        self.outcomes += 1

    async def runs(self, count: int = 1) -> None:
        """Run it so many times, one after the other."""
        for _ in range(count):
            before = self.outcomes
            self.command.run("opened", LOUD)
            await eventually(lambda number=before: self.outcomes > number, "its end")  # type: ignore[misc]  # a default binds it


@contextmanager
def running(command: tuple[str, ...], **options: Any) -> Iterator[Report]:
    told = Report(command, **options)
    try:
        yield told
    finally:
        told.command.stop()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_it_reads_every_opening_reopening_and_end_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, environment = tmp_path / "a file; $(x)", tmp_path / "environment"
    monkeypatch.setenv("PHONE_TOKEN", "as it is")
    # The line is what is waited for, so it comes last.
    script = f"import os; open({str(environment)!r}, 'w').write(os.environ['PHONE_TOKEN']); {KEEPS}"
    watch = Watch(IncidentsOptions(command=python(script, file)))
    watch.component.start()

    async def told(count: int, *findings: Finding) -> dict[str, Any]:
        for _ in range(20):
            watch.clock.passed += 0.25
            watch.component.take(findings)
        await eventually(lambda: file.exists() and file.read_bytes().count(b"\n") == count, "a line")
        return json.loads(file.read_text().splitlines()[-1])  # type: ignore[no-any-return]  # JSON is of any type

    # A warning is not severe enough.
    opened = await told(1, FAILED, Finding("flapping", "stage", "5 reconnects"))
    (incident,) = [each for each in watch.component.snapshot().open if each.rule == "failed"]
    assert opened == {
        "event": "opened",
        "id": incident.id,
        "rule": "failed",
        "subject": "stage",
        "severity": "critical",
        "message": "gone; $(rm -rf /)",
        "opened_at": incident.opened_at,
        "updated_at": incident.updated_at,
        "resolved_at": None,
        "acknowledged_at": None,
        "times": 1,
        "lasted": 0.0,
    }
    resolved = await told(2)
    assert (resolved["event"], resolved["id"]) == ("resolved", incident.id)
    assert resolved["resolved_at"] == watch.component.snapshot().resolved[-1].resolved_at
    again = await told(3, FAILED)
    assert (again["event"], again["times"]) == ("reopened", 2)
    # Whoever has acknowledged it is told of its end alone.
    assert watch.component.acknowledge(incident.id).ok
    assert (await told(4))["event"] == "resolved"
    assert (await told(4, FAILED))["event"] == "resolved"
    assert (await told(5))["event"] == "resolved"
    assert environment.read_text() == "as it is"
    assert watch.component.snapshot().command is None
    watch.component.stop()


async def test_one_that_is_stopped_ends_with_the_engine(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with running(("/bin/sh", "-c", f"echo $$ >{file}; kill -STOP $$; exec sleep 60")) as told:
        told.command.run("opened", LOUD)
        await eventually(lambda: file.exists() and bool(file.read_text()), "it runs")
        pid = int(file.read_text())
        await eventually(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text(), "it is stopped")
        told.command.stop()
        await eventually(lambda: not is_running(pid), "its end")


async def test_one_that_does_not_exist_is_told_once_and_its_secrets_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = str(tmp_path / "none")
    with running((name, "--key=hunter2"), command_per_minute=60) as told:
        await told.runs(3)
        words = f"{name} cannot be started: No such file or directory"
        assert told.command.trouble == words
        assert told.lines == [("error", f"the command for incidents: {words}")]
        told.command.configure(IncidentsOptions(command=python("pass", "nul\0hunter2")))
        assert told.command.trouble is None, "it was another command's"
        await told.runs()
        assert "null character" in str(told.command.trouble)
        told.command.configure(IncidentsOptions(command=python("pass")))
        await told.runs()
        assert told.command.trouble is None
    assert "hunter2" not in caplog.text + str(told.lines)


async def test_a_status_is_told_once_and_that_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tui.connections.trouble")
    script = "import os, sys; os.path.exists(sys.argv[1]) or sys.exit('no \\x1b[31msignal')"
    with running(python(script, tmp_path / "good")) as told:
        await told.runs(2)
        assert told.command.trouble == f"{sys.executable}: exit status 1"
        (tmp_path / "good").touch()
        await told.runs()
    assert [severity for severity, _ in told.lines] == ["error", "info"]
    assert told.lines[1][1] == "the command for incidents works again"
    assert r"no \x1b[31msignal" in caplog.text


async def test_one_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_command, "KILL_AFTER", 0.3)
    script = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1], 'a').write('asked '))\n"
        "child = os.fork()\n"
        "child and open(sys.argv[2], 'w').write(f'{os.getpid()} {child} {os.getsid(0)}\\n')\n"
        "while True: time.sleep(0.05)\n"
    )
    pids = tmp_path / "pids"
    with running(python(script, tmp_path / "asked", pids), command_timeout=1.0) as told:
        await told.runs()
        assert told.command.trouble == f"{sys.executable}: no end within 1 s, killed"
        parent, child, session = map(int, pids.read_text().split())
        assert session == parent, "it has no terminal of ours"
        assert (tmp_path / "asked").read_text() == "asked asked "
        await eventually(lambda: not is_running(parent) and not is_running(child), "both are gone")


async def test_one_that_floods_its_output_is_bounded_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tui.connections.trouble")
    script = "import os\nwhile True: os.write(1, b'x' * 100_000)"
    with running(python(script), command_timeout=0.4) as told:
        await told.runs()
    assert str(told.command.trouble).endswith("no end within 0.4 s, killed")
    (record,) = [each for each in caplog.records if "it printed" in each.message]
    assert record.message.count("x") <= MOST_OUTPUT + 10
    assert record.message.endswith(", and more")


async def test_one_that_leaves_something_behind_or_reads_nothing_is_done_when_it_ends() -> None:
    script = "import os, time\nif os.fork() == 0: time.sleep(1.5)\n"
    with running(python(script), command_timeout=60.0) as told:
        await told.runs()
        assert told.command.trouble is None


async def test_the_number_a_minute_is_bounded_and_what_is_left_out_is_told_once_a_minute(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    with running(python(KEEPS, file), command_per_minute=2) as told:
        for _ in range(5):
            told.command.run("opened", LOUD)
            told.command.run("opened", QUIET)
        await eventually(lambda: told.outcomes == 2, "two of them")
        assert told.command.dropped == 3
        words = "left out: more than 2 within a minute, or too many at once"
        assert told.lines == [("warning", f"1 call of the command for incidents {words}")]
        told.clock.passed = 59.9
        told.command.poll()
        assert len(told.lines) == 1
        told.clock.passed = 60.0
        told.command.poll()
        assert told.lines[1:] == [("warning", f"2 calls of the command for incidents {words}")]
        await told.runs(2)
        assert (told.command.dropped, told.command.trouble) == (3, None)
    assert file.read_bytes() == message("opened", LOUD) * 4


async def test_four_run_at_once_and_a_hundred_wait(tmp_path: Path) -> None:
    file, gate = tmp_path / "file", tmp_path / "gate"
    script = (
        "import os, sys, time\n"
        "def say(mark):\n"
        "    file = os.open(sys.argv[1], os.O_APPEND | os.O_CREAT | os.O_WRONLY)\n"
        "    os.write(file, mark)\n"
        "say(b'+')\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
        "say(b'-')\n"
    )
    with running(python(script, file, gate), command_per_minute=1000) as told:
        for _ in range(MOST_UNDER_WAY + 4):
            told.command.run("opened", LOUD)
        await eventually(lambda: file.exists() and file.read_bytes() == b"+" * MOST_UNDER_WAY, "four")
        gate.touch()
        await eventually(lambda: told.outcomes == MOST_UNDER_WAY + 4, "all of them")
        under_way = most = 0
        for mark in file.read_text():
            under_way += 1 if mark == "+" else -1
            most = max(most, under_way)
        assert (under_way, most) == (0, MOST_UNDER_WAY)
        gate.unlink()
        file.unlink()
        for _ in range(MOST_UNDER_WAY):
            told.command.run("opened", LOUD)
        await eventually(lambda: file.exists() and file.read_bytes() == b"+" * MOST_UNDER_WAY, "four again")
        for _ in range(MOST_WAITING + 7):
            told.command.run("opened", LOUD)
        assert told.command.dropped == 7
        # The end: what waits is not made any more, and what runs is asked to end.
        told.command.stop()
        await eventually(lambda: told.outcomes == 2 * MOST_UNDER_WAY + 4, "the end of what runs")
        assert file.read_bytes() == b"+" * MOST_UNDER_WAY
    assert told.command.trouble is None


def test_what_it_reads_holds_nothing_that_a_terminal_obeys() -> None:
    hostile = "\x9b31m \u202e\u2028\x7f 日😀"
    incident = IncidentSnapshot(
        id="i-1",
        rule="failed",
        subject=hostile,
        severity="critical",
        message=hostile,
        opened_at=1.0,
        updated_at=1.0,
    )
    line = message("opened", incident)
    assert line.endswith(b"\n")
    assert line[:-1].decode("ascii").isprintable()
    assert json.loads(line)["message"] == hostile
