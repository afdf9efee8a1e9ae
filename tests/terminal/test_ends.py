"""Every form of the program ends in time, with its status, its terminal as before: a storm of forty ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import storm
from tests.terminal.real_terminal import ROOT, RealTerminal
from tests.terminal.test_whole_program import wait_until

BUSY_LIMIT = 10.0
"""Seconds to an end where others have the processors."""


def trials() -> list[storm.Trial]:
    """Each form with all that can be stuck, and others by chance."""
    random_source = random.Random(7)
    each = [storm.trial(random_source, form, stuck) for form in storm.FORMS for stuck in storm.STUCK[form]]
    return each + [storm.trial(random_source) for _ in range(40 - len(each))]


@pytest.fixture(scope="module")
def grounds() -> Iterator[storm.Grounds]:
    with storm.Grounds() as grounds:
        yield grounds


@pytest.mark.parametrize("trial", trials(), ids=str)
def test_it_ends_in_time(grounds: storm.Grounds, trial: storm.Trial) -> None:
    outcome = grounds.run(trial)
    limit = storm.LIMIT if os.getloadavg()[0] < (os.cpu_count() or 1) else BUSY_LIMIT
    assert storm.wrong(outcome, limit) is None


def test_what_is_asked_by_a_key_is_held_up_by_no_disk(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    stuck = {"PYTHONPATH": f"{ROOT / 'tests' / 'stuck'}:{ROOT}", "STUCK_DISK": str(folder)}
    with RealTerminal("demo", "--state", str(folder), module="tui", environment=stuck) as terminal:
        terminal.wait_for_output("heartbeat", 30)
        (tmp_path / "demo.hung").touch()
        terminal.type("q")
        terminal.wait_for_output("quit and stop", 30)
        terminal.type("q")
        assert terminal.exit_code(BUSY_LIMIT) == 0
        assert terminal.modes() == terminal.modes_before


def test_a_demonstration_leaves_no_folder_behind_though_a_part_of_it_does_not_end() -> None:
    stuck = "import threading, tui.runtime.demo_host as host, tui.__main__ as program\n"
    stuck += "host.DemoHost.__exit__ = lambda *_: threading.Event().wait()\n"
    stuck += "program.overlay_supervisor()"
    command = [sys.executable, "-c", stuck, "demo", "--headless"]
    with tempfile.TemporaryDirectory(prefix="os-") as folder:
        demo = subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"TMPDIR": folder}
        )
        try:
            assert demo.stdout is not None
            assert demo.stdout.readline()
            assert os.listdir(folder)
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(BUSY_LIMIT) == 0
            assert not os.listdir(folder)
        finally:
            demo.kill()
            demo.communicate()


def test_an_engine_that_is_stopped_holds_up_nobody_who_wants_to_attach() -> None:
    with tempfile.TemporaryDirectory(prefix="os-") as folder:
        command = [sys.executable, "-m", "tui", "demo", "--headless", "--state", folder]
        engine = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
        try:
            wait_until(lambda: (Path(folder) / "control.sock").exists(), "the engine is up")
            engine.send_signal(signal.SIGSTOP)
            with RealTerminal("attach", "--state", folder, module="tui") as terminal:
                # Before it is that program, it holds what this one does.
                wait_until(lambda: "attach" in terminal.process.cmdline(), "it began")
                wait_until(lambda: len(terminal.process.net_connections("unix")) > 0, "it asks")
                os.kill(terminal.pid, signal.SIGHUP)
                assert terminal.exit_code(BUSY_LIMIT) == 129
        finally:
            engine.kill()
            engine.wait()
