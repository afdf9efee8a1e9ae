"""The control socket: what it answers, whom it refuses, and what cannot bring it down."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import resource
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.control.conftest import RawClient, serving, wait_until
from tests.engine.conftest import connection, eventually, state_of
from tests.pace import Stopwatch
from tui.control import session as conversation
from tui.control import socket_file
from tui.control.client import ControlClient
from tui.control.methods import ENGINE_METHODS
from tui.control.protocol import MAX_ANSWER, MAX_PATH, MAX_REQUEST, ControlError, EngineInfo, socket_path
from tui.control.server import MAX_CLIENTS
from tui.demo.hub import Hub
from tui.engine.supervisor import Supervisor
from tui.model.snapshot import CommandResult, ExtraCommand
from tui.replay.engine import ReplayEngine


class Faults:
    """Two commands beside the engine's own."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def commands(self) -> list[ExtraCommand]:
        return [ExtraCommand(id="drop", label="drop", help="Drop all.")]

    async def run(self, command: str) -> CommandResult:
        self.ran.append(command)
        if command == "raise":
            raise ZeroDivisionError
        return CommandResult(ok=True, message=f"staged: {command}")

    def notice(self) -> str | None:
        return None


async def test_every_request_is_answered(hub: Hub, folder: Path) -> None:
    faults = Faults()
    reloaded: list[str] = []

    def reload() -> CommandResult:
        reloaded.append(threading.current_thread().name)
        return CommandResult(ok=True, message="1 added, 2 unchanged")

    topics = connection("stage", hub.url, "stream:overlays")
    with serving(folder, topics, plugin_commands=faults, reload=reload) as run, RawClient(run.path) as client:
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected")
        await eventually(lambda: run.engine.snapshot().connections[0].channels[0].joins, "joined")

        async def ask(type: str, **fields: Any) -> dict[str, Any]:
            return await asyncio.to_thread(client.ask, type, **fields)

        info = (await ask("info"))["value"]
        assert info["pid"] == os.getpid()
        assert info["state_folder"] == str(folder)
        assert info["log_path"] == str(folder / "overlay-supervisor.log")
        assert info["started_at"] == run.engine.snapshot().started_at
        snapshot = (await ask("snapshot"))["value"]
        assert snapshot["connections"][0]["metrics"]["connection_state"] == "connected"
        assert (await ask("log", after=0, limit=1))["value"]["next_cursor"] >= 0
        assert (await ask("metrics", name="stage"))["value"]["stage"]["successfulConnects"] == 1
        assert not (await ask("metrics", name="nope"))["ok"]
        assert (await ask("set_debug", shown=True))["ok"]
        await eventually(lambda: run.engine.snapshot().debug, "debug")
        pushed = await ask("push", name="stage", topic="stream:overlays", event="ping", payload={})
        assert pushed["ok"]
        assert "pong" in pushed["message"]
        assert (await ask("extra_commands"))["value"] == [
            {"id": "drop", "label": "drop", "help": "Drop all."}
        ]
        assert (await ask("run_extra", command="drop"))["message"] == "staged: drop"
        assert (await ask("reload"))["message"] == "1 added, 2 unchanged"
        assert reloaded == ["control reload"]
        assert (await ask("disconnect", name="stage"))["ok"]
        await eventually(lambda: state_of(run.engine, "stage") == "disconnected", "disconnected")
        assert not (await ask("push", name="stage", topic="stream:overlays", event="ping", payload=1))["ok"]
        assert (await ask("connect", name=None))["ok"]
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected again")
        assert (await ask("reconnect", name="stage"))["ok"]
        unknown = await ask("reconnect", name="nope")
        assert unknown == {
            "v": 1,
            "id": 1,
            "type": "result",
            "ok": False,
            "message": "no connection nope; there are: stage",
            "reply": None,
        }


async def test_a_command_that_raises_is_answered_and_ends_nothing(folder: Path) -> None:
    with serving(folder, plugin_commands=Faults()) as run, RawClient(run.path) as client:
        refusal = client.ask("run_extra", command="raise")
        assert refusal["code"] == "failed"
        assert "ZeroDivisionError" in refusal["message"]
        assert client.ask("info")["type"] == "value"


async def test_a_command_under_way_is_answered_when_the_engine_stops(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(name: str | None) -> CommandResult:
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        future.cancel()  # as when the engine's loop ends beneath a command
        return await future

    with serving(folder) as run, RawClient(run.path) as client:
        monkeypatch.setattr(run.engine, "connect", cancelled)
        answer = await asyncio.to_thread(client.ask, "connect", name=None)
        assert (answer["code"], answer["message"]) == ("failed", "the engine stopped before it answered")
        assert (await asyncio.to_thread(client.ask, "info"))["type"] == "value"


def test_without_settings_reload_says_so(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        assert client.ask("reload")["ok"] is False


async def test_watchers_hear_every_change_of_state(hub: Hub, folder: Path) -> None:
    with serving(folder, connection("stage", hub.url)) as run:
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected")
        with RawClient(run.path) as first, RawClient(run.path) as second:
            for client in (first, second):
                assert client.ask("watch")["ok"]
            await run.engine.disconnect("stage")
            await run.engine.connect("stage")
            for client in (first, second):
                seen = [await asyncio.to_thread(client.line) for _ in range(3)]
                assert [(each["old_state"], each["new_state"]) for each in seen if each] == [
                    ("connected", "disconnected"),
                    ("disconnected", "connecting"),
                    ("connecting", "connected"),
                ]
                assert all(each and each["connection"] == "stage" for each in seen)


async def test_a_subscriber_gets_what_changed_and_a_sign_of_life(hub: Hub, folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        assert client.ask("subscribe", log_after=0)["ok"]
        assert client.ask("subscribe")["kind"] == "snapshot"  # the first update comes before the refusal
        assert client.until(lambda line: line["type"] == "refusal")["code"] == "busy"
        began, watch = time.monotonic(), Stopwatch()
        lines = list[Any]()
        while sum(line["type"] == "alive" for line in lines) < 3:
            lines.append(await asyncio.to_thread(client.line))
        # On a busy machine the engine's own loop may be late, which changes something.
        assert len(lines) <= 5
        assert time.monotonic() - began > 1.5
        assert watch.seconds < 6
        first, _, last = (line["taken_at"] for line in lines if line["type"] == "alive")
        assert last - first > 1
        await run.engine.set_debug(True)
        update = await asyncio.to_thread(client.until, lambda line: line["type"] == "update")
        assert update["value"]["debug"] is True


def test_two_versions_are_named(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        client.send(b'{"v":2,"id":9,"type":"snapshot"}\n')
        answer = client.line()
        assert answer is not None
        assert (answer["id"], answer["code"]) == (9, "version")
        assert "version 1" in answer["message"]
        assert "version 2" in answer["message"]
        assert client.ask("info")["type"] == "value"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"v":' + b"[" * 60_000,
        b'{"v":1}',
        b'{"v":' + b"9" * 60_000 + b"}",
        b'{"v":1,"id":-1,"type":"info"}',
        b'{"v":1,"id":1,"type":"explode"}',
        b'{"v":1,"id":1,"type":"info","more":1}',
        b'{"v":1,"id":1,"type":"disconnect"}',
        b'{"v":1,"id":1,"type":"log","limit":100000}',
        b'{"v":1,"id":1,"type":"push","name":"a","topic":"","event":"e","payload":1}',
        b'{"v":1,"id":1,"type":"push","name":"a","topic":"t","event":"e","payload":' + b"[" * 60_000,
        b'{"v":1,"id":1,"type":"connect","name":"' + b"n" * 300 + b'"}',
        b'{"v":1,"id":1,"type":"alerts"}',
        b'{"v":1,"id":1,"type":"alerts","command":{"verb":"clear"}}',
        b'{"v":1,"id":1,"type":"alerts","command":{"verb":"move","id":"a"}}',
        b'{"v":1,"id":1,"type":"alerts","command":{"verb":"mute","type":null,"seconds":1}}',
        b'{"v":1,"id":1,"type":"alerts","command":{"verb":"hold","seconds":1e9}}',
        b'{"v":1,"id":1,"type":"alerts","command":{"verb":"test","type":"raid","count":501}}',
        b'{"v":1,"id":1,"type":"alert_history","limit":1001}',
        b'{"v":1,"id":1,"type":"alert","alert":""}',
    ],
    ids=range(24),
)
def test_what_is_no_request_is_answered_and_survived(folder: Path, line: bytes) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        client.send(line + b"\n\n  \n")
        answer = client.line()
        assert answer is not None
        assert answer["type"] == "refusal"
        assert client.ask("info")["type"] == "value"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_ends_its_connection_alone(folder: Path, end: bytes) -> None:
    with serving(folder) as run, RawClient(run.path) as other, RawClient(run.path) as client:
        client.send(b"x" * MAX_REQUEST + end)
        answer = client.line()
        assert answer is not None
        assert answer["code"] == "too_long"
        assert client.line() is None
        assert other.ask("info")["type"] == "value"


def test_the_longest_request_is_answered(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        begin, end = b'{"v":1,"id":1,"type":"info"', b"}\n"
        client.send(begin + b" " * (MAX_REQUEST - len(begin) - len(end)) + end)
        answer = client.line()
        assert answer is not None
        assert answer["type"] == "value"


def test_requests_in_pieces_and_in_heaps(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        request = b'{"v":1,"id":5,"type":"info"}\n'
        for byte in request:
            client.send(bytes((byte,)))
        answer = client.line()
        assert answer is not None
        assert answer["id"] == 5
        client.send(request * 500)
        assert sum(client.line() is not None for _ in range(500)) == 500


def test_a_script_may_close_its_end_at_once(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as client:
        client.send(b'{"v":1,"id":5,"type":"set_debug","shown":true}\n')
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.line()
        assert answer is not None
        assert answer["ok"]
        assert client.line() is None


def test_half_a_request_times_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HALF_REQUEST_SECONDS", 0.3)
    with serving(folder) as run, RawClient(run.path) as silent, RawClient(run.path) as half:
        assert half.ask("info")["type"] == "value"
        time.sleep(0.5)  # between two requests there is no limit
        assert half.ask("info")["type"] == "value"
        half.send(b'{"v":1,')
        for client in (silent, half):
            answer = client.line()
            assert answer is not None
            assert answer["code"] == "timeout"
            assert client.line() is None


def test_who_is_idle_gives_way_the_oldest_first(folder: Path) -> None:
    with serving(folder) as run:
        clients = [RawClient(run.path) for _ in range(MAX_CLIENTS)]
        for client in (*clients[1:], clients[0]):
            assert client.ask("info")["type"] == "value"
        assert clients[3].ask("watch")["ok"]
        with RawClient(run.path) as late:
            assert late.ask("info")["type"] == "value"
        answer = clients[1].line()
        assert answer is not None
        assert answer["code"] == "busy"
        assert clients[1].line() is None
        for client in (clients[0], *clients[2:]):
            assert client.ask("info")["type"] == "value"
        for client in clients:
            client.__exit__()


def test_who_attaches_or_watches_is_not_idle_and_the_thirty_third_is_told(folder: Path) -> None:
    with serving(folder) as run:
        clients = [RawClient(run.path) for _ in range(MAX_CLIENTS)]
        for number, client in enumerate(clients):
            assert client.ask("watch" if number % 2 else "subscribe")["ok"]
        with RawClient(run.path) as late:
            answer = late.line()
            assert answer is not None
            assert answer["code"] == "busy"
            assert late.line() is None
        for client in clients:
            client.__exit__()
        wait_until(lambda: run.server.clients == 0, "all gone")
        with RawClient(run.path) as client:
            assert client.ask("info")["type"] == "value"


def test_who_attached_and_reads_nothing_any_more_gives_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "UNREAD_SECONDS", 1.5)
    with serving(folder) as run:
        frozen = [RawClient(run.path) for _ in range(MAX_CLIENTS - 1)]
        for client in frozen:
            assert client.ask("subscribe")["ok"]

        def is_let_in() -> bool:
            with RawClient(run.path) as late, contextlib.suppress(OSError):
                return bool(late.ask("info")["type"] == "value")
            return False  # turned away before it asked

        with RawClient(run.path) as attached:
            assert attached.ask("subscribe")["ok"]
            reading = threading.Thread(target=lambda: [*iter(attached.line, None)], daemon=True)
            reading.start()
            wait_until(is_let_in, "a place")
            for _ in range(2 * MAX_CLIENTS):
                assert is_let_in()
            assert reading.is_alive()
            attached.socket.shutdown(socket.SHUT_RDWR)
            reading.join(10)
        for client in frozen:
            client.__exit__()


def test_a_storm_of_idle_clients_locks_nobody_out(folder: Path) -> None:
    with serving(folder) as run, RawClient(run.path) as attached:
        assert attached.ask("watch")["ok"]
        idle = []
        storm = threading.Thread(
            target=lambda: idle.extend(ControlClient(run.path) for _ in range(10 * MAX_CLIENTS))
        )
        storm.start()
        for _ in range(20):
            with ControlClient(run.path) as client:
                assert client.value("info", EngineInfo).pid == os.getpid()
        storm.join(30)
        assert attached.ask("info")["type"] == "value"
        assert run.server.clients <= MAX_CLIENTS
        for each in idle:
            each.close()


def test_without_a_file_to_spare_it_waits_and_then_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(folder) as run:
        clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(20)]
        lowest = os.dup(0)
        os.close(lowest)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
            for client in clients:
                client.connect(os.fspath(run.path))
            wait_until(lambda: "no connection can be taken" in caplog.text, "told")
            time.sleep(1.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert caplog.text.count("no connection can be taken") == 1
        clients[-1].sendall(b'{"v":1,"id":1,"type":"info"}\n')
        clients[-1].settimeout(10)
        assert b'"value"' in clients[-1].recv(65536)
        for client in clients:
            client.close()


def test_who_asks_and_never_reads_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "UNREAD_SECONDS", 0.5)
    with serving(folder) as run, RawClient(run.path) as other, RawClient(run.path) as mute:
        mute.socket.settimeout(0.2)
        request = b'{"v":1,"id":5,"type":"info"}\n' * 1000

        def ask_until_the_end() -> None:
            for _ in range(50):
                with contextlib.suppress(TimeoutError):  # the server reads no more of it, as it should
                    mute.send(request)

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            ask_until_the_end()
        assert other.ask("info")["type"] == "value"
        wait_until(lambda: run.server.clients == 1, "dropped")


async def test_who_watches_and_never_reads_is_dropped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    monkeypatch.setattr(conversation, "MAX_UNREAD", 20_000)
    with serving(folder, connection("stage", hub.url)) as run, RawClient(run.path) as mute:
        assert mute.ask("watch")["ok"]
        assert run.server.clients == 1
        began = run.engine.snapshot().sequence
        for _ in range(5_000):
            if not run.server.clients:
                break
            await run.engine.disconnect("stage")
            await run.engine.connect("stage")
        assert run.server.clients == 0
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "the engine goes on")
        assert run.engine.snapshot().sequence > began


def test_an_answer_that_is_too_long_is_told(folder: Path) -> None:
    from tui.control.protocol import Value, encode_answer, raw

    line = json.loads(encode_answer(Value(id=3, value=raw("x" * MAX_ANSWER))))
    assert (line["type"], line["id"], line["code"]) == ("refusal", 3, "too_long")


# The socket's file --------------------------------------------------------------------------------


def test_socket_and_folder_are_private(folder: Path) -> None:
    inner = folder / "state"
    old = os.umask(0)
    try:
        with serving(inner) as run:
            assert stat.S_IMODE(os.stat(run.path).st_mode) == 0o600
            assert stat.S_IMODE(os.stat(inner).st_mode) == 0o700
    finally:
        os.umask(old)
    assert not run.path.exists()


def test_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(folder) as run:
        monkeypatch.setattr("tui.control.server.peer_user", lambda connection: os.geteuid() + 4711)
        with RawClient(run.path) as client:
            answer = client.line()
            assert answer is not None
            assert answer["code"] == "forbidden"
            assert client.line() is None


def test_ourselves_and_root_are_trusted() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert socket_file.peer_user(one) in (os.geteuid(), None)
    assert socket_file.is_trusted(os.geteuid())
    assert socket_file.is_trusted(0)
    assert not socket_file.is_trusted(os.geteuid() + 1)


def test_a_deleted_socket_comes_back_and_clients_stay(folder: Path) -> None:
    inner = folder / "state"
    with serving(inner) as run, RawClient(run.path) as before:
        assert before.ask("info")["type"] == "value"
        for _ in range(2):
            run.path.unlink()
            inner.rmdir()
            wait_until(run.path.exists, "there again", limit=5)
            with RawClient(run.path) as after:
                assert after.ask("info")["type"] == "value"
            assert before.ask("info")["type"] == "value"
        assert stat.S_IMODE(os.stat(run.path).st_mode) == 0o600
    assert not run.path.exists()


def test_a_stale_socket_is_replaced(folder: Path) -> None:
    path = folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(folder) as run, RawClient(run.path) as client:
        assert client.ask("info")["type"] == "value"


def test_another_engines_socket_is_left_alone(folder: Path) -> None:
    with serving(folder) as run:
        with pytest.raises(ControlError, match="another engine answers"), serving(folder):
            pass
        with RawClient(run.path) as client:
            assert client.ask("info")["type"] == "value"


def test_what_is_no_socket_is_left_alone(folder: Path) -> None:
    path = folder / "control.sock"
    path.write_text("precious")
    with pytest.raises(ControlError, match="no socket is there"), serving(folder):
        pass
    assert path.read_text() == "precious"


def test_another_engines_socket_is_not_removed_at_the_end(folder: Path) -> None:
    with serving(folder) as run:
        other = socket.socket(socket.AF_UNIX)
        run.path.unlink()
        other.bind(str(run.path))
        other.listen()
    assert run.path.exists()
    other.close()


def test_a_path_that_is_too_long_is_told(folder: Path) -> None:
    longest = folder / ("s" * (MAX_PATH - len(str(folder)) - 1))
    with serving(folder, path=longest) as run, RawClient(run.path) as client:
        assert client.ask("info")["type"] == "value"
    words = rf"{MAX_PATH + 1} bytes, {MAX_PATH} are allowed"
    with pytest.raises(ControlError, match=words), serving(folder, path=Path(f"{longest}s")):
        pass
    # Where a person can name another one.
    with pytest.raises(ControlError, match=rf"{words}.*\n.*--socket"):
        socket_path(f"{longest}s", folder, {})


def test_the_end_waits_for_no_client(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(folder) as run, RawClient(run.path) as idle, RawClient(run.path) as subscribed:
        assert idle.ask("info")["type"] == "value"
        assert subscribed.ask("subscribe")["ok"]
        watch = Stopwatch()
        assert run.server.close(10)
        assert watch.seconds < 1
        assert idle.line() is None
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("engine", [Supervisor, ReplayEngine])
def test_an_engine_is_called_by_the_names_of_its_interface(engine: type) -> None:
    for method in ENGINE_METHODS.values():
        inspect.signature(getattr(engine, method.name)).bind(None, **dict.fromkeys(method.parameters))


def test_who_is_not_answered_says_how_long_it_waited(folder: Path) -> None:
    path = folder / "silent.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(os.fspath(path))
        silent.listen()
        words = r"^no answer from the engine within 0\.2 s$"
        with ControlClient(path, 5.0) as client, pytest.raises(ControlError, match=words):
            client.command("reload", 0.2)
