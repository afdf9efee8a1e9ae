"""What the README shows runs, as it stands there."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tui.channels import Socket
from tui.demo.hub import Hub

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(holding: str) -> str:
    found = [text for text in BLOCKS if holding in text]
    assert len(found) == 1, f"{len(found)} examples in README.md hold {holding!r}"
    return found[0]


async def test_the_service_prints_what_comes_and_survives_a_restart(tmp_path: Path) -> None:
    text = block("new_transcription")
    code = [line for line in text.splitlines() if line.strip()]
    assert len(code) <= 16, "the README promises a service in about 15 lines"
    async with Hub() as hub:
        script = tmp_path / "service.py"
        script.write_text(text.replace("ws://localhost:7175/socket", hub.url))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(script), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(20):
                await _until_printed(process.stdout, "connecting -> connected")
                await _until_joined(hub, 1)
                await hub.stop(graceful=False)
                await hub.start()
                await _until_joined(hub, 2)
                await hub.broadcast("transcription:live", "new_transcription", {"text": "hello again"})
                await _until_printed(process.stdout, "hello again")
        finally:
            process.kill()
            await process.wait()


async def _until_printed(stream: asyncio.StreamReader, words: str) -> None:
    while True:
        line = await stream.readline()
        assert line, f"the service ended without printing {words!r}"
        if words in line.decode():
            return


async def _until_joined(hub: Hub, times: int) -> None:
    while hub.joins["transcription:live"] < times:
        await asyncio.sleep(0.01)


async def test_the_hub_serves_channel_code_of_your_own() -> None:
    said: list[object] = []

    async def my_client(url: str) -> None:
        async with Socket(url) as socket:
            channel = socket.channel("room:lobby")
            channel.on("said", lambda message: said.append(message.payload))
            await channel.join()
            assert await channel.push("hello", {"to": "all"}) == {"heard": "hello"}

    names: dict[str, object] = {"my_client": my_client}
    exec(block("class Room(Channel)"), names)
    test = names["test_my_client"]
    assert callable(test)
    await test()
    assert said == [{"to": "all"}]


def test_the_faults_that_are_named_exist() -> None:
    listed = re.search(r"real evening: (.*?)\.\n", README, re.DOTALL)
    assert listed is not None
    faults = re.findall(r"`(\w+)", listed.group(1))
    assert len(faults) > 10
    hub = Hub()
    assert [fault for fault in faults if not hasattr(hub.faults, fault)] == []
