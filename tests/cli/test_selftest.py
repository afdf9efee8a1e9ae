"""The self-test: passes on the embedded hub, and says what it saw when a server is not as it should be."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys

from tui.cli import selftest
from tui.demo.hub import Channel, Hub, Refuse


async def test_it_passes_on_the_embedded_hub_and_says_what_it_saw() -> None:
    ok, checks = await selftest.run(None, None)
    assert ok, checks
    assert [check.name for check in checks] == [
        "connection establishment",
        "automatic reconnection",
        "half-open link",
        "breaker activation",
        "breaker recovery",
        "metric tracking",
    ]
    assert sum(check.seconds for check in checks) < 15
    assert "joined stream:overlays" in checks[0].seen


async def test_a_live_server_is_left_running_and_connected_to_no_more() -> None:
    async with Hub() as hub:
        ok, checks = await selftest.run(hub.url, "events:all")
        assert ok, checks
        async with asyncio.timeout(5):
            while hub.connections:
                await asyncio.sleep(0.01)
        assert hub.running


async def test_without_a_topic_nothing_is_joined() -> None:
    async with Hub() as hub:
        ok, checks = await selftest.run(hub.url, None)
        assert ok, checks
        assert "no topic given" in checks[0].seen
        assert not hub.joins


async def test_a_server_that_accepts_and_is_silent_fails_the_first_check() -> None:
    async with Hub() as hub:
        hub.faults.accept_silent()
        ok, checks = await selftest.run(hub.url, "events:all", limit=1.5)
    assert not ok
    assert [check.name for check in checks] == ["connection establishment"]
    assert "not connected within" in checks[0].seen


async def test_a_refused_topic_fails_with_the_server_s_reason() -> None:
    class Private(Channel):
        async def join(self, params: object) -> object:
            raise Refuse({"reason": "unauthorized"})

    async with Hub() as hub:
        hub.on("private:*", Private)
        ok, checks = await selftest.run(hub.url, "private:x", limit=1.0)
    assert not ok
    assert "not joined within" in checks[0].seen
    assert "unauthorized" in checks[0].seen


def test_the_command_prints_json_and_a_status() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}/socket"
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli.main", "selftest", "--url", url, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert report["checks"][0]["ok"] is False
    assert "cannot be reached" in report["checks"][0]["seen"]
