"""The check for a monitoring system, on real hubs."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from tests.engine.conftest import connection, eventually, running, state_of
from tui.cli import check
from tui.cli.main import main
from tui.demo.hub import Hub
from tui.text.formats import time_of_day


async def test_each_connection_is_connected_joined_and_left_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with Hub() as hub, Hub() as refusing, Hub(token="right") as secret:
        refusing.faults.refuse_join("stream:queue", response={"reason": "unauthorized"})
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"ws://127.0.0.1:{free.getsockname()[1]}/socket"
        findings = await check.once(
            [
                connection("good", hub.url, "stream:overlays", "events:all"),
                connection("partly", refusing.url, "stream:overlays", "stream:queue"),
                connection("secret", secret.url),
                connection("nobody", nobody),
            ],
            limit=5,
        )
        found = {each.name: each for each in findings}
        assert found["good"].status == check.OK
        assert "2/2 topics joined" in found["good"].message
        assert found["partly"].status == check.WARNING
        assert found["partly"].message.startswith("connected, 1/2 topics joined; join of stream:queue: error")
        assert found["secret"].status == check.CRITICAL
        assert "403 Forbidden" in found["secret"].message
        assert found["nobody"].status == check.CRITICAL
        assert check.report(findings) == check.CRITICAL
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["CRITICAL", "CRITICAL", "WARNING", "OK"]
        await eventually(lambda: not hub.connections, "nothing is left connected")


async def test_a_server_that_is_silent_is_critical_in_time() -> None:
    async with Hub() as hub:
        hub.faults.accept_silent()
        findings = await check.once([connection("silent", hub.url)], limit=0.3)
        assert findings == [
            check.Finding("silent", check.CRITICAL, "no answer to the first heartbeat within 0.3 s")
        ]


async def test_a_running_engine_is_asked_instead() -> None:
    async with Hub() as hub:
        with running(connection("up", hub.url, "stream:overlays"), connection("down", hub.url)) as engine:
            await eventually(lambda: state_of(engine, "down") == "connected", "connected")
            await eventually(lambda: engine.snapshot().connections[0].channels[0].state == "joined", "joined")
            await engine.disconnect("down")
            await eventually(lambda: state_of(engine, "down") == "disconnected", "disconnected")
            found = check.running(engine.snapshot(), time.time())
            assert [str(each) for each in found] == [
                "OK up: connected, 1/1 topics joined",
                "WARNING down: disconnected",
            ]


async def test_an_engine_that_stopped_or_fell_silent_is_critical_though_its_last_word_was_fine() -> None:
    async with Hub() as hub:
        with running(connection("up", hub.url)) as engine:
            await eventually(lambda: state_of(engine, "up") == "connected", "connected")
            alive = engine.snapshot()
        assert check.running(alive, alive.taken_at + 1)[0].status == check.OK
        assert check.running(alive, alive.taken_at + 60) == [
            check.Finding(
                "engine", check.CRITICAL, f"silent since {time_of_day(alive.taken_at, time.time())}"
            )
        ]
        stopped = engine.snapshot()
        assert check.running(stopped, stopped.taken_at) == [
            check.Finding("engine", check.CRITICAL, "stopped: it was asked to stop")
        ]


async def test_a_single_attempt_that_fails_is_told_by_its_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = await check.once([connection("nobody", f"ws://127.0.0.1:{port}/socket")], limit=5)
    assert found == [check.Finding("nobody", check.CRITICAL, f"refused by 127.0.0.1:{port}")]


async def test_whoever_is_still_waited_for_at_the_end_is_named() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for scheme, words in (
        ("ws", "no answer to the upgrade within 1 s"),
        ("wss", f"no answer to the TLS handshake from 127.0.0.1:{port} within 1 s"),
    ):
        found = await check.once([connection("mute", f"{scheme}://127.0.0.1:{port}/socket")], limit=1)
        assert found == [check.Finding("mute", check.CRITICAL, words)]
    server.close()


def test_where_no_engine_runs_the_answer_comes_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    assert main(["check", "--running", "--state", str(tmp_path), "--timeout", "60"]) == check.CRITICAL
    assert time.monotonic() - begun < 30
    assert capsys.readouterr().out.startswith("CRITICAL engine: no engine is running in ")
