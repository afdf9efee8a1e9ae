"""Disks and name servers that never answer: each costs what needs it, by name, and nothing else."""

from __future__ import annotations

import asyncio
import builtins
import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import FAST, ConnectionSettings, TopicSettings, eventually, running, state_of
from tests.services.test_services_http import Checking, Server, endpoint
from tui.channels import Socket, apart
from tui.channels.connection import open_link
from tui.channels.dial import tls_context
from tui.config.load import SECRET_LIMIT, load_settings, unreadable_secrets
from tui.config.secret import FileSecret
from tui.demo.hub import Hub
from tui.engine.supervisor import Supervisor

QUICK = replace(FAST, open_timeout=0.3, join_timeout=0.3, heartbeat_timeout=5.0, proxy="none")


class Disk:
    """Files under a folder, opening of which waits until the disk is back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.back = threading.Event()
        self.asked: list[str] = []

    def file(self, name: str, text: str = "t0ken-0f-th3-disk") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def through(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def opened_when_it_is_back(path: Any, *arguments: Any, **named: Any) -> Any:
            if isinstance(path, str) and path.startswith(str(self.folder)) and not self.back.is_set():
                self.asked.append(path)
                self.back.wait(60)
            return opened(path, *arguments, **named)

        return opened_when_it_is_back


@pytest.fixture
def dead_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    folder = tmp_path / "dead"
    folder.mkdir()
    disk = Disk(folder)
    files = [disk.file("token"), disk.file("room")]
    assert len(files) == 2
    monkeypatch.setattr(os, "open", disk.through(os.open))
    monkeypatch.setattr(builtins, "open", disk.through(builtins.open))
    yield disk
    disk.back.set()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[str]:
    """A named pipe that nobody writes to: what is opened for reading, OpenSSL's files too, waits."""
    path = tmp_path / "authorities.pem"
    os.mkfifo(path)
    yield str(path)
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def threads() -> int:
    return threading.active_count()


def reason_of(supervisor: Supervisor, name: str) -> str:
    return next(str(one.details.reason) for one in supervisor.snapshot().connections if one.name == name)


def failed_attempts(supervisor: Supervisor, name: str) -> int:
    return next(one.details.failed_attempts for one in supervisor.snapshot().connections if one.name == name)


async def test_what_hangs_costs_its_own_link_only_and_is_named(
    hub: Hub, tmp_path: Path, dead_disk: Disk, pipe: str
) -> None:
    (tmp_path / "token").write_text("t0ken-0f-a-g00d-disk")
    good, dead = FileSecret(str(tmp_path / "token")), FileSecret(str(dead_disk.folder / "token"))
    room = FileSecret(str(dead_disk.folder / "room"))
    stuck = [
        ConnectionSettings(f"stuck{number}", hub.url, options=replace(QUICK, auth_token=dead))
        for number in range(8)
    ]
    trusting = ConnectionSettings(
        "trusting", hub.url.replace("ws:", "wss:"), options=replace(QUICK, ca_file=pipe)
    )
    joining = ConnectionSettings(
        "joining", hub.url, (TopicSettings("echo:1", {"room": room}),), options=QUICK
    )
    works = ConnectionSettings("works", hub.url, options=replace(QUICK, auth_token=good))
    before = threads()
    with running(*stuck, trusting, joining, works) as supervisor:
        began = time.monotonic()
        await eventually(lambda: state_of(supervisor, "works") == "connected", "the good one", limit=5)
        await eventually(lambda: failed_attempts(supervisor, "stuck7") >= 5, "retries")
        await eventually(lambda: failed_attempts(supervisor, "trusting") >= 3, "retries")
        await eventually(lambda: time.monotonic() > began + 1, "some time")
        # One for each thing that hangs, the engine's, and none for each retry or link.
        assert threads() <= before + 4
        assert dead_disk.asked.count(dead.path) == 1
        for one in stuck:
            words = f"auth_token: secret file {dead.path} did not answer for 0.3 s"
            assert words in reason_of(supervisor, one.name)
        assert f"ca_file {pipe} did not answer for 0.3 s" in reason_of(supervisor, "trusting")
        channel = next(one for one in supervisor.snapshot().connections if one.name == "joining").channels[0]
        await eventually(
            lambda: f"secret file {room.path} did not answer for 0.3 s" in str(_channel(supervisor).reason),
            f"the channel's reason: {channel.reason}",
        )
        # A good disk answers each attempt anew: one that is back too.
        dead_disk.back.set()
        for one in stuck:
            await eventually(lambda one=one: state_of(supervisor, one.name) == "connected", "back")  # type: ignore[misc]  # a default binds it
        await eventually(lambda: _channel(supervisor).state == "joined", "joined")
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 2


def _channel(supervisor: Supervisor) -> Any:
    return next(one for one in supervisor.snapshot().connections if one.name == "joining").channels[0]


class NoThreads:
    """The machine has no thread left, once for each of these names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.left = list(names)
        start = threading.Thread.start

        def start_or_fail(thread: threading.Thread) -> None:
            if found := [name for name in self.left if name in thread.name]:
                self.left.remove(found[0])
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_or_fail)


async def test_what_no_thread_could_be_started_for_is_tried_again_and_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    none = NoThreads(monkeypatch, "secret", "look-up")
    reasons: list[str] = []
    url = hub.url.replace("127.0.0.1", "localhost")
    options = replace(QUICK, auth_token=FileSecret(str(token)))
    async with Socket(url, options) as one:
        one.on_state_change(lambda change: reasons.append(change.error) if change.error else None)
        await eventually(lambda: one.is_connected, "connected")
    assert none.left == []
    assert reasons[0] == f"auth_token: secret file {token}: no thread could be started"
    assert reasons[1].endswith("name look-up of localhost: no thread could be started")
    assert len(reasons) == 2


async def test_health_checks_outlive_a_machine_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    none = NoThreads(monkeypatch, "import")
    server = Server()
    await server.start()
    async with Checking(endpoint("hub", f"http://127.0.0.1:{server.port}/health", interval=0.05)) as heard:
        await eventually(lambda: len(heard.checked["hub"]) > 1, "asked again")
        assert heard.message("hub") == "healthy"
        assert heard.checked["hub"][0].noted.message == "the HTTP client's import: no thread could be started"
    server.stop()
    assert none.left == []


async def test_a_header_of_a_health_check_that_hangs_is_read_by_one_thread_and_named(dead_disk: Disk) -> None:
    server = Server()
    await server.start()
    path = str(dead_disk.folder / "token")
    url = f"http://127.0.0.1:{server.port}/health"
    stuck = endpoint("seed", url, headers={"x-key": FileSecret(path)}, timeout=0.1, interval=0.05)
    async with Checking(stuck, endpoint("hub", url)) as heard:
        await eventually(lambda: len(heard.checked["seed"]) >= 3, "three tries")
        assert heard.message("seed") == f"headers.x-key: secret file {path} did not answer for 0.1 s"
        assert dead_disk.asked == [path]
        await eventually(lambda: heard.checked["hub"] and heard.message("hub") == "healthy", "the other one")
        dead_disk.back.set()
        await eventually(lambda: heard.message("seed") == "healthy", "an answer")
    server.stop()


class Names:
    """Hangs for names that end in ``stuck.test``, and finds loopback for every other."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def __call__(self, host: str, port: int) -> Sequence[tuple[int, Any]]:
        if host.endswith("stuck.test"):
            self.release.wait(60)
        return [(socket.AF_INET, ("127.0.0.1", port))]


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    names = Names()
    yield names
    names.release.set()


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h", "socks4a"])
async def test_the_name_of_a_proxy_of_any_kind_that_hangs_is_named_and_holds_no_pool(
    scheme: str, names: Names
) -> None:
    options = replace(QUICK, open_timeout=0.1, proxy=f"{scheme}://proxy.stuck.test:3128")
    one = Socket(
        "ws://hub.test:4000/socket", options, opener=functools.partial(open_link, resolve_name=names)
    )
    words = "proxy: name look-up of proxy.stuck.test did not answer for 0.1 s"
    # Read beforehand: on a busy machine it takes longer than an attempt may.
    await tls_context(None)
    one.connect()
    await eventually(lambda: words in str(one.details().reason), words)
    await one.close()
    assert asyncio.get_running_loop()._default_executor is None  # type: ignore[attr-defined]  # asyncio shows it no other way


async def test_more_things_at_a_time_than_there_may_be_threads_are_told_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "MOST_THREADS", 3)
    gate = threading.Event()
    waiting = [asyncio.create_task(apart.apart(("thing", n), gate.wait, f"thing {n}")) for n in range(3)]
    await eventually(lambda: apart.is_under_way(("thing", 2)), "all are under way")
    with pytest.raises(OSError, match="fourth: not asked for, 3 others do not answer"):
        await apart.apart("fourth", gate.wait, "fourth")
    gate.set()
    await asyncio.gather(*waiting)
    assert await apart.apart("fourth", gate.wait, "fourth")


async def test_settings_are_read_though_a_file_of_authorities_hangs(
    tmp_path: Path, dead_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dead_disk.file("authorities.pem")
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile: os.open(str(cafile), 0))
    settings = "".join(f'[connections.c{n}]\nurl = "wss://hub.test"\nca_file = "{path}"\n' for n in range(30))
    (tmp_path / "settings.toml").write_text(settings)
    began = time.monotonic()
    assert len(load_settings(config=str(tmp_path / "settings.toml"), environ={}).connections) == 30
    assert time.monotonic() - began < 10


async def test_a_check_of_the_settings_names_each_secret_that_hangs_and_comes_to_an_end(
    tmp_path: Path, dead_disk: Disk
) -> None:
    settings = "".join(
        f'[connections.c{n}]\nurl = "ws://hub.test"\nauth_token = {{ file = "{dead_disk.folder}/token" }}\n'
        for n in range(30)
    )
    (tmp_path / "settings.toml").write_text(settings)
    found = await unreadable_secrets(load_settings(config=str(tmp_path / "settings.toml"), environ={}))
    words = f"secret file {dead_disk.folder}/token did not answer for {SECRET_LIMIT:g} s"
    assert found == [f"connections.c{n}.auth_token: {words}" for n in range(30)]
