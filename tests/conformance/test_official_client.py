"""The official JavaScript client, npm's ``phoenix`` on ``ws``, against the embedded hub.

``npm ci --prefix tests/conformance`` installs what this needs. The script runs once, with one hub; every
check in it is a test here.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import recorded_topics

from tui.demo.hub import Hub

HERE = Path(__file__).parent
SCRIPT = HERE / "conformance.mjs"
CHECKS = re.findall(r'^await check\("(.+?)"', SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
TIME_LIMIT = 60.0

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules" / "phoenix").is_dir(),
        reason="the JavaScript client is not installed: npm ci --prefix tests/conformance",
    ),
]


def tasks(hub: Hub, restarts: set[asyncio.Task[None]]) -> dict[str, Callable[..., Any]]:
    """What the script may ask of the hub."""

    def restart(after: float) -> None:
        task = asyncio.create_task(hub.faults.restart(after))
        restarts.add(task)
        task.add_done_callback(restarts.discard)

    def require_token(token: str) -> None:
        hub.token = token

    async def clear() -> None:
        hub.token = None
        while restarts:
            await asyncio.wait(list(restarts))
        await hub.faults.clear()

    faults = hub.faults
    return {
        "clear": clear,
        "restart": restart,
        "require_token": require_token,
        "broadcast": hub.broadcast,
        "disconnect": hub.disconnect,
        "joined": lambda topic: len(hub.channels(topic)),
        "refuse_join": lambda topic, times: faults.refuse_join(topic, times=times),
        "drop_all": faults.drop_all,
        "refuse": faults.refuse,
        "accept": faults.accept,
        "freeze": faults.freeze,
        "thaw": faults.thaw,
        "accept_silent": lambda: faults.accept_silent(times=1),
        "flood": faults.flood,
        "fragmented": faults.fragmented,
    }


async def run_script() -> dict[str, dict[str, Any]]:
    """Runs the script against a hub of its own; the results by check."""
    results: dict[str, dict[str, Any]] = {}
    async with Hub(seed=1) as hub:
        recorded_topics.register(hub)
        known = tasks(hub, set())
        process = await asyncio.create_subprocess_exec(
            str(NODE),
            str(SCRIPT),
            hub.url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(TIME_LIMIT):
                async for line in process.stdout:
                    said = json.loads(line)
                    if "check" in said:
                        results[said["check"]] = said
                        continue
                    answer = known[said["do"]](*said["with"])
                    if isinstance(answer, Awaitable):
                        answer = await answer
                    process.stdin.write(json.dumps(answer).encode() + b"\n")
                complaint = (await process.stderr.read()).decode()
                status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        results["the script"] = {"ok": status == 0, "detail": f"status {status}: {complaint}"}
    return results


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    return asyncio.run(run_script())


@pytest.mark.parametrize("name", [*CHECKS, "the script"])
def test_official_client(name: str, results: dict[str, dict[str, Any]]) -> None:
    assert name in results, f"the check never ran; {results['the script']['detail']}"
    assert results[name]["ok"], results[name]["detail"]


def test_there_are_enough_checks() -> None:
    assert len(CHECKS) == len(set(CHECKS)) >= 25
