"""A hub, clients that are closed after each test, and a check that nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from real import LIMIT, Client, descriptors, eventually

from tests.certificates import write_certificates
from tui.demo.hub import Hub


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """After the test: no task and no descriptor more than before."""
    tasks, opened = asyncio.all_tasks(), descriptors()
    yield

    def left() -> tuple[list[str], set[str]]:
        names = [repr(task) for task in asyncio.all_tasks() if task not in tasks and not task.done()]
        me = asyncio.current_task()
        return [name for name in names if me is None or name != repr(me)], descriptors() - opened

    with contextlib.suppress(TimeoutError):
        await eventually(lambda: left() == ([], set()), LIMIT)
    assert left() == ([], set())


@pytest.fixture
async def hub(nothing_left: None) -> AsyncIterator[Hub]:
    async with Hub(seed=1) as running:
        yield running
        await running.faults.clear()


@pytest.fixture
async def client(nothing_left: None) -> AsyncIterator[Callable[..., Client]]:
    """A function that makes a client and connects it: ``client(hub.url, "echo:1", heartbeat_timeout=1)``."""
    made: list[Client] = []

    def connect(url: str, *topics: str, **changes: object) -> Client:
        one = Client(url, *topics, **changes)
        made.append(one)
        one.socket.connect()
        return one

    yield connect
    for one in made:
        await one.socket.close()
        one.counts_add_up()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a server's certificate of it for 127.0.0.1 alone."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture
async def secure_hub(nothing_left: None, certificates: Path) -> AsyncIterator[Hub]:
    """A hub behind TLS, with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with Hub(ssl=context) as hub:
        yield hub
