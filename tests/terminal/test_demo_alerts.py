"""The demonstration's alerts: from what a viewer does to the history, by keys, over a restart."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.real_terminal import ROOT
from tests.terminal.test_whole_program import pane

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="os-") as path:
        yield Path(path)


def skipped_gifts(folder: Path) -> list[dict[str, Any]]:
    command = ["alerts", "history", "--json", "--type", "gift", "--outcome", "skipped", "--state"]
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli.ctl.main", *command, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return list(json.loads(done.stdout)) if done.returncode == 0 else []


def test_what_a_viewer_does_is_on_air_is_skipped_by_a_key_and_is_there_after_a_restart(folder: Path) -> None:
    # Without its staged faults, one of which would take the overlay page away sooner or later.
    with pane(folder, "-m tui.cli.main demo --calm") as tmux:
        tmux.wait_for(
            lambda screen: (
                re.search(r" stage +Connected 4/4", screen) is not None
                and re.search(r" events +Connected 2/2", screen) is not None
            ),
            20,
        )
        tmux.run("send-keys", ":")
        tmux.wait_for(lambda screen: "Search for commands" in screen)
        tmux.run("send-keys", "gift bomb")
        tmux.wait_for(lambda screen: "demo: gift bomb (50 subs)" in screen)
        tmux.run("send-keys", "Enter")
        # In row 2; another gift may play while this one waits, and the hub may not have named the page yet.
        on_air = re.compile(r" (ON AIR|SENT, unconfirmed) +gift +\S+ gifted 50 ")
        screen = tmux.wait_for(lambda screen: on_air.match(screen.splitlines()[1]) is not None, 30)
        assert "PLAYING" in screen
        tmux.run("send-keys", "s")
        tmux.wait_for(lambda screen: "gifted 50 " not in screen.splitlines()[1])
        (gift,) = skipped_gifts(folder)
        assert "gifted 50 subs" in gift["title"]
        tmux.run("send-keys", "q", "q")
        tmux.wait_for(lambda screen: "ended 0" in screen)
    command = [sys.executable, "-m", "tui.cli.main", "demo", "--headless", "--state", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as again:
        try:
            limit = time.monotonic() + 15
            while not (found := skipped_gifts(folder)):
                assert time.monotonic() < limit
                time.sleep(0.1)
            assert found == [gift]
        finally:
            again.terminate()
    assert again.returncode == 0
