"""The state folder: whose it must be, what is opened in it, and what becomes of one that cannot be used."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import eventually
from tui.cli.main import main
from tui.control.client import ControlClient
from tui.control.lock import FolderHold, StateLock, StateLockedError
from tui.demo.hub import Hub
from tui.system.private_files import NotOursError, open_private, private_folder

ARGUMENTS = ("run", "ws://127.0.0.1:9/socket", "--headless")
STRANGER = 4711
"""A user's and a group's number that nobody here has."""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a short path, as a Unix socket needs it, which every user can reach."""
    made = Path(tempfile.mkdtemp(prefix="state-"))
    made.chmod(0o755)
    inner = made / "state"
    inner.mkdir(mode=0o700)
    yield inner
    inner.chmod(0o700)
    shutil.rmtree(made, ignore_errors=True)


def start(folder: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui.cli.main", *ARGUMENTS, "--state", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OVERLAY_SUPERVISOR_SOCKET": "", **environment},
    )


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a start says that ends at once with status 2, which is one line."""
    assert main([*ARGUMENTS, "--state", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def everybody(folder: Path) -> None:
    folder.chmod(0o777)


def sticky(folder: Path) -> None:
    folder.chmod(0o1777)


def another_group(folder: Path) -> None:
    os.chown(folder, -1, STRANGER)
    folder.chmod(0o770)


def another_user(folder: Path) -> None:
    os.chown(folder, STRANGER, -1)


def a_link_of_another(folder: Path) -> None:
    real = folder.rename(folder.with_name("real"))
    folder.symlink_to(real)
    os.chown(folder, STRANGER, -1, follow_symlinks=False)


@AS_ROOT
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (everybody, "can be written by everybody (mode 0777)"),
        (sticky, "can be written by everybody (mode 1777)"),
        (another_group, f"can be written by group {STRANGER}, which is not ours alone (mode 0770)"),
        (another_user, f"belongs to user {STRANGER}, and we are user 0"),
        (a_link_of_another, f"is a link of user {STRANGER}"),
    ],
)
def test_a_folder_in_which_others_can_put_things_ends_the_start(
    folder: Path, spoil: Callable[[Path], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = folder.with_name("victim")
    victim.write_text("precious")
    (folder / "engine.lock").symlink_to(victim)
    spoil(folder)
    said = refused(folder, capsys)
    assert said.startswith(f"overlay-supervisor: state folder {folder} {words}")
    assert victim.read_text() == "precious"


@AS_ROOT
def test_root_for_another_by_sudo_and_a_group_of_ones_own_may(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.chmod(0o770)
    private_folder(folder)
    os.chown(folder, STRANGER, STRANGER)
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    private_folder(folder)
    monkeypatch.setenv("SUDO_UID", str(STRANGER + 1))
    with pytest.raises(NotOursError, match="belongs to user"):
        private_folder(folder)


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def folder_of_that_name(path: Path, victim: Path) -> None:
    path.mkdir()


THINGS = (link, hard_link, pipe, folder_of_that_name)


@pytest.mark.parametrize("thing", THINGS)
def test_a_lock_that_is_something_else_ends_the_start_and_harms_nothing(
    folder: Path, thing: Callable[[Path, Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    victim = folder.with_name("victim")
    victim.write_text("precious")
    thing(folder / "engine.lock", victim)
    said = refused(folder, capsys)
    assert said.startswith(f"overlay-supervisor: {folder / 'engine.lock'} ")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("thing", THINGS)
def test_whatever_lies_where_the_files_should_be_nothing_else_is_written_and_the_run_goes_on(
    folder: Path, thing: Callable[[Path, Path], None]
) -> None:
    victims = []

    def put(name: str) -> None:
        victims.append(folder.with_name(f"victim-{name.replace('/', '-')}"))
        victims[-1].write_text("precious")
        (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
        thing(folder / name, victims[-1])

    for name in ("overlay-supervisor.log", "alerts.sqlite", "face.json"):
        put(name)
    for days in range(2):
        put(f"journal/{time.strftime('%Y-%m-%d', time.gmtime(time.time() + days * 86_400))}.jsonl")
    settings = folder.with_name("config.toml")
    settings.write_text(
        '[connections.hub]\nurl = "ws://127.0.0.1:9/socket"\n[connections.hub.topics."events:all"]\n'
        '[[alerts.sources]]\nconnection = "hub"\ntopic = "events:all"\n'
    )
    process = start(folder, "--config", str(settings), "--report-interval", "0.2")
    limit = threading.Timer(30, process.kill)
    limit.start()
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        while '"metrics"' not in process.stdout.readline():
            assert process.poll() is None
        process.terminate()
        _, said = process.communicate(timeout=20)
    finally:
        limit.cancel()
        process.kill()
    assert process.returncode == 0, said
    assert "no log file, going on without" in said
    assert [victim.read_text() for victim in victims] == ["precious"] * len(victims)


def test_a_journal_that_is_a_link_to_another_folder_is_not_entered(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    (folder / "journal").symlink_to(elsewhere)
    with pytest.raises(NotOursError, match="is a link"):
        private_folder(folder / "journal")


def test_a_device_is_no_file_of_ours(folder: Path) -> None:
    with pytest.raises(NotOursError, match="not a regular file"):
        open_private(Path("/dev/null"), os.O_WRONLY)


# A folder that cannot be written, and then can ----------------------------------------------------

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24


def bound_by_modes() -> None:
    """In a child before it becomes the program: what the mode forbids is forbidden to root, too."""
    drop = ctypes.CDLL(None).prctl
    for right in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and drop(_PR_CAPBSET_DROP, right, 0, 0, 0):
            os._exit(99)


class Engine:
    """A headless run on a hub with an alert queue, bound by the modes of its folder."""

    def __init__(self, folder: Path, settings: Path) -> None:
        self.folder = folder
        self.said = folder.with_name(f"said-{time.monotonic_ns()}")
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tui.cli.main", "run", "--headless", "--config", str(settings)),
                    *("--state", str(folder)),
                ],
                stdout=subprocess.DEVNULL,
                stderr=said,
                preexec_fn=bound_by_modes,
                env={**os.environ, "OVERLAY_SUPERVISOR_SOCKET": ""},
            )

    def text(self) -> str:
        return self.said.read_text()

    def status(self) -> dict[str, Any]:
        with ControlClient(self.folder / "control.sock") as client:
            return client.value("snapshot", dict)

    def end(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


SETTINGS = """
[connections.hub]
url = "{url}"
preset = "live"
topics = ["events:all", "stream:overlays"]
[[alerts.sources]]
connection = "hub"
topic = "events:all"
[alerts.delivery]
connection = "hub"
topic = "stream:overlays"
wait_for_page = false
"""


def prepared(folder: Path, url: str) -> Path:
    """Make the folder one that cannot be written, beside the settings of an engine."""
    settings = folder.with_name("config.toml")
    settings.write_text(SETTINGS.format(url=url))
    folder.chmod(0o500)
    return settings


async def test_a_folder_that_can_be_written_again_is_taken_and_no_second_engine_runs_beside(
    folder: Path,
) -> None:
    async with Hub() as hub:
        settings = prepared(folder, hub.url)
        first = Engine(folder, settings)
        try:
            await eventually(lambda: hub.joins["events:all"] == 1, "it runs all the same", 20)
            assert "Permission denied; going on, and keeping nothing on disk" in first.text()
            os.chmod(folder, 0o700)
            await eventually(lambda: "can be written, and is" in first.text(), "taken", 20)
            await eventually((folder / "control.sock").exists, "reachable", 20)
            await eventually((folder / "alerts.sqlite").exists, "alerts kept", 20)
            found = await asyncio.to_thread(first.status)
            assert not [words for words in found["persistence"]["troubles"] if "nothing" in words]
            second = Engine(folder, settings)
            assert await asyncio.to_thread(second.process.wait, 20) == 1
            assert f"an engine runs in {folder} already: process {first.process.pid}" in second.text()
        finally:
            assert first.end() == 0
        assert any((folder / "journal").iterdir())
        assert (folder / "overlay-supervisor.log").stat().st_size


def who_is_queued(engine: Engine) -> list[str]:
    alerts = engine.status()["alerts"]
    return [alert["who"] for alert in (alerts["playing"], *alerts["waiting"]) if alert is not None]


async def test_who_finds_another_engine_in_the_folder_shows_no_alerts_until_that_is_gone(
    folder: Path,
) -> None:
    async with Hub() as hub:

        def shown() -> list[str]:
            frames = [each.frame for each in hub.received]
            return [frame.payload["data"]["who"] for frame in frames if frame.event == "force_content"]

        async def followed(who: str) -> None:
            await hub.broadcast("events:all", "raid", {"id": who, "user_name": who, "viewers": 5})

        settings = prepared(folder, hub.url)
        os.chmod(folder, 0)  # what cannot be read cannot be locked either
        engine = Engine(folder, settings)
        try:
            await eventually(lambda: hub.joins["events:all"] == 1, "it runs", 20)
            await followed("mira")
            await eventually(lambda: shown() == ["mira"], "what cannot be kept is shown", 20)
            os.chmod(folder, 0o700)
            other = StateLock(folder)
            other.acquire()
            await eventually(lambda: "showing no alerts" in engine.text(), "it says so", 20)
            assert f"process {os.getpid()} runs an engine in {folder}" in engine.text()
            await followed("bob")
            other.release()
            await eventually(lambda: "can be written, and is" in engine.text(), "taken over", 20)
            await eventually((folder / "control.sock").exists, "reachable", 20)
            limit = time.monotonic() + 20
            while "zed" not in (queued := await asyncio.to_thread(who_is_queued, engine)):
                assert time.monotonic() < limit, queued
                await followed("zed")
                await asyncio.sleep(0.1)
            await eventually(lambda: shown().count("mira") == 2, "what it stopped is shown again", 20)
            assert "bob" not in {*queued, *shown()}
        finally:
            assert engine.end() == 0


async def test_no_second_engine_begins_in_a_folder_that_the_first_could_only_read(folder: Path) -> None:
    async with Hub() as hub:
        settings = prepared(folder, hub.url)
        first = Engine(folder, settings)
        try:
            await eventually(lambda: hub.joins["events:all"] == 1, "it runs all the same", 20)
            second = Engine(folder, settings)
            try:
                assert await asyncio.to_thread(second.process.wait, 20) == 1
            finally:
                second.process.kill()
            assert f"an engine runs in {folder} already" in second.text()
        finally:
            assert first.end() == 0


def test_a_folder_is_locked_before_anything_in_it_can_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no room")

    first = StateLock(folder)
    with monkeypatch.context() as broken:
        broken.setattr("tui.control.lock.open_private", full)
        with pytest.raises(OSError, match="no room"):
            first.acquire()
    with pytest.raises(StateLockedError):
        StateLock(folder).acquire()
    first.acquire()
    first.release()
    with StateLock(folder):
        pass


def test_a_lock_whose_file_was_deleted_is_taken_anew_or_is_anothers(folder: Path) -> None:
    lock = StateLock(folder)
    lock.acquire()
    hold = FolderHold(lock)
    hold.poll()
    hold.require()
    shutil.rmtree(folder)
    hold.poll()
    assert hold.trouble is None
    with pytest.raises(StateLockedError):
        StateLock(folder).acquire()
    (folder / "engine.lock").unlink()
    with pytest.raises(StateLockedError):
        StateLock(folder).acquire()
    shutil.rmtree(folder)
    with StateLock(folder):
        hold.poll()
        assert hold.other == f"process {os.getpid()}"
        with pytest.raises(OSError, match="not this run's"):
            hold.require()
    hold.poll()
    assert (hold.other, hold.trouble) == (None, None)
    lock.path.unlink()
    lock.path.symlink_to(folder / "elsewhere")
    hold.poll()
    assert hold.trouble == f"keeping nothing: {lock.path} is a link, and nothing is opened through links"
    lock.release()
