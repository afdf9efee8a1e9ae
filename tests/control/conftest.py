"""An engine on the embedded hub with its control socket, and the means to speak to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.engine.conftest import ConnectionSettings, running
from tests.pace import PATIENCE
from tui.cli.ctl.main import main as ctl_main
from tui.control.feed import StateFeed
from tui.control.protocol import SOCKET_NAME
from tui.control.server import ControlServer
from tui.demo.hub import Hub
from tui.engine.supervisor import Supervisor


@dataclass(frozen=True)
class Serving:
    engine: Supervisor
    server: ControlServer
    path: Path


@contextmanager
def serving(folder: Path, *connections: ConnectionSettings, **settings: Any) -> Iterator[Serving]:
    """An engine and its control socket in ``folder``, closed at the end."""
    feed = StateFeed()
    path = settings.pop("path", folder / SOCKET_NAME)
    of_engine = {
        key: settings.pop(key) for key in ("plugin_commands", "alerts", "services") if key in settings
    }
    with running(*connections, reporters=[feed], **of_engine) as engine:
        assert engine.started.wait(5)
        server = ControlServer(
            engine,
            path,
            state_folder=folder,
            log_path=folder / "overlay-supervisor.log",
            feed=feed,
            **settings,
        )
        server.start()
        try:
            yield Serving(engine, server, path)
        finally:
            assert server.close(5), "the control thread did not end"


class RawClient:
    """A plain socket that speaks lines."""

    def __init__(self, path: Path, limit: float = PATIENCE) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(limit)
        self.socket.connect(os.fspath(path))
        self._reader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> dict[str, Any] | None:
        """The next answer; None when the server closed the connection."""
        line = self._reader.readline()
        return json.loads(line) if line else None

    def ask(self, type: str, **fields: Any) -> dict[str, Any]:
        self.send(json.dumps({"v": 1, "id": 1, "type": type, **fields}).encode() + b"\n")
        answer = self.line()
        assert answer is not None, "the server closed the connection"
        return answer

    def until(self, condition: Callable[[dict[str, Any]], object], limit: float = PATIENCE) -> dict[str, Any]:
        """The first answer for which ``condition`` holds."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            line = self.line()
            assert line is not None, "the server closed the connection"
            if condition(line):
                return line
        raise AssertionError(f"not within {limit:g} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self.socket.close()


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


def environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OVERLAY_SUPERVISOR")}
    return {**kept, "OVERLAY_SUPERVISOR_STATE": str(folder)}


async def ctl(folder: Path, *arguments: str, limit: float = PATIENCE) -> Ran:
    """The shell command as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tui.cli.ctl.main",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
    )
    out, err = await asyncio.wait_for(process.communicate(), limit)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


def wait_until(condition: Callable[[], object], what: str, limit: float = PATIENCE) -> None:
    """The same as ``eventually`` where no loop must be kept going."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit:g} s"
        time.sleep(0.01)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder with a short path: a Unix socket allows no long one."""
    made = Path(tempfile.mkdtemp(prefix="ctl-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub() as hub:
        yield hub


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run one command in this process; the engine has a thread of its own."""

    def one(*arguments: str) -> Ran:
        try:
            status = ctl_main(["--state", str(folder), *arguments])
        except SystemExit as usage:
            status = int(usage.code or 0)
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return one
