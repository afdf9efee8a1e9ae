"""Client and server in processes of their own, each on a core of its own.

A piece of work is named ``module:function``, an async function of JSON values. A client's prints its
result and ends; a server's goes on until its standard input is closed, so that none outlives who started
it, and obeys commands that come there.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

Role = Literal["server", "client"]

ROOT = Path(__file__).parents[2]
"""From where ``tests`` can be imported."""

_CORES = "OVERLAY_BENCH_CORES"
_LINE_LIMIT = 16 * 1024 * 1024


def choose_cores() -> str:
    """Pick a core for servers and one for clients, for this process and all it starts; says which."""
    if not hasattr(os, "sched_setaffinity"):
        return "client and server are not pinned: this system has no sched_setaffinity"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return "client and server are not pinned: there is only one core"
    os.environ[_CORES] = f"{cores[0]},{cores[-1]}"
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        del os.environ[_CORES]
        return f"client and server are not pinned: {error.strerror}"
    return f"server pinned to core {cores[0]}, client to core {cores[-1]}, {os.cpu_count()} in all"


def _pin(role: Role) -> None:
    cores = os.environ.get(_CORES)
    if cores:
        server, client = cores.split(",")
        os.sched_setaffinity(0, {int(server if role == "server" else client)})


async def _start(role: Role, work: str, arguments: dict[str, Any]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.processes",
        role,
        work,
        json.dumps(arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=_LINE_LIMIT,
    )


async def run(work: str, **arguments: Any) -> Any:
    """Run a client to its end and return its result.

    Raises:
        RuntimeError: it failed; why stands on standard error.
    """
    process = await _start("client", work, arguments)
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{work} ended with status {process.returncode}")
    return json.loads(said)


class Server:
    """A server process; ``urls`` once entered."""

    def __init__(self, work: str, **arguments: Any) -> None:
        self._work = work
        self._arguments = arguments
        self._turn = asyncio.Lock()
        self.urls: list[str] = []

    @property
    def url(self) -> str:
        """Of the first, often the only one."""
        return self.urls[0]

    async def __aenter__(self) -> Self:
        self._process = await _start("server", self._work, self._arguments)
        self.urls = await self._hear()
        return self

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Have the server do something and wait until it is done."""
        async with self._turn:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
            return await self._hear()

    async def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._work} ended")
        return json.loads(line)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def say(value: Any) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def obey(commands: dict[str, Callable[..., Awaitable[Any]]]) -> None:
    """A server's last line: carry out what comes on standard input, one after another, until it ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        arguments = json.loads(line)
        say(await commands[arguments.pop("command")](**arguments))


def _main() -> None:
    role, work, arguments = sys.argv[1:]
    _pin("server" if role == "server" else "client")
    # A thousand connections need more descriptors than many systems give unasked.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    module, _, name = work.partition(":")
    result = asyncio.run(getattr(importlib.import_module(module), name)(**json.loads(arguments)))
    if role == "client":
        say(result)


if __name__ == "__main__":
    _main()
