"""Ten thousand mutated frames of each version: no crash, no hang, no growth, and the link lives on.

``python -m tests.channels.test_fuzzed_frames --frames N --seed S`` feeds more of them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tracemalloc

import pytest

from tui.channels import Options, Presence, Socket
from tui.channels.wire import encode
from tui.demo.hub import Hub

FRAMES = 10_000
TOPIC = "events:all"
SEEDS_V2 = [
    b'["1","2","events:all","phx_reply",{"response":{"a":[1,2.5,null]},"status":"ok"}]',
    b'[null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]',
    b'[null,null,"events:all","news",{"text":"h\\u00e9llo \xf0\x9f\xa6\x8a \\" \\\\ /"}]',
    b'["1",null,"events:all","pushed",{"p":[{"q":{"r":"s"}}]}]',
    b'["1","1","events:all","phx_error",{"reason":"channel_crash"}]',
    b'["1","1","events:all","phx_close",{}]',
    b'[null,null,"events:all","presence_state",{"a":{"metas":[{"phx_ref":"r1"}]}}]',
    b'[null,null,"events:all","presence_diff",{"joins":{"b":{"metas":[{"phx_ref":"r2"}]}},"leaves":{}}]',
    b'[null,"9","events:all","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]',
]
SEEDS_V1 = [
    b'{"event":"phx_close","payload":{},"ref":null,"topic":"events:all"}',
    b'{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"2","topic":"events:all"}',
    b'{"event":"news","payload":{"b":[1,{"c":null}]},"ref":null,"topic":"events:all"}',
    b'{"event":"phx_error","payload":{"reason":"channel_crash"},"ref":null,"topic":"events:all"}',
    b'{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"3","topic":"phoenix"}',
]
SEEDS_BINARY = [
    b"\x00" + encode("1", "", TOPIC, "pushed", b"\xca\xfe", 2)[1:],
    bytes.fromhex("010101060231326563686f3a626f6b090807"),
    bytes.fromhex("02060c6563686f3a6273686f75745f62696e617279beef"),
]
MORSELS = [b"null", b'"', b"\\", b"[", b"]" * 3, b"{", b"}", b",", b"\xff", b"\x00", b"1e999", b"[" * 5000]


def mutated(random_source: random.Random, seeds: list[bytes]) -> bytes:
    """A frame with a few bytes changed, cut, doubled, or a morsel put in."""
    frame = bytearray(random_source.choice(seeds))
    for _ in range(random_source.randrange(4)):
        place = random_source.randrange(len(frame) + 1)
        match random_source.randrange(5):
            case 0:
                frame[place : place + 1] = bytes([random_source.randrange(256)])
            case 1:
                del frame[place : place + random_source.randrange(1, 12)]
            case 2:
                frame[place:place] = random_source.choice(MORSELS)
            case 3:
                frame[place:place] = frame[place : place + random_source.randrange(1, 20)]
            case _:
                del frame[place:]
    return bytes(frame)


async def feed(version: int, frames: int, seed: int) -> dict[str, int]:
    """Feed a connected socket with mutated frames; returns what it counted."""
    random_source = random.Random(seed)
    texts = SEEDS_V2 if version == 2 else SEEDS_V1
    async with Hub() as hub, Socket(hub.url, Options.preset("live", protocol_version=version)) as socket:
        channel = socket.channel(TOPIC)
        presence = Presence(channel)
        for event in ("news", "pushed", "flood"):
            channel.on(event, lambda message: message.payload)
        await channel.join()
        before = socket.details().messages_in
        tracemalloc.start()
        half = 0
        for number in range(frames):
            text = version == 1 or random_source.random() < 0.8
            socket.frame_received(mutated(random_source, texts if text else SEEDS_BINARY), text)
            if number % 100 == 0:
                await asyncio.sleep(0)
            if number == frames // 2:
                half = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - half
        tracemalloc.stop()
        details = socket.details()
        assert details.messages_in - before >= frames
        assert len(presence.entries) < 500
        assert socket.get_health_metrics().successful_connects == 1, "the link was lost"
        if version == 1:
            # Nothing in version 1 tells a false ending from those with which the hub, which knows of
            # none, answers the joins that follow: begin anew with it.
            socket.reconnect()
        # A frame that happened to be whole may have closed the channel; the link is what must live.
        async with asyncio.timeout(15):
            if channel.state == "closed":
                channel.join()
            while True:
                if channel.state == "joined" and await channel.push("ping"):
                    break
                await asyncio.sleep(0.01)
        return {"undecodable": details.undecodable, "handlers": details.handler_errors, "grown": grown}


@pytest.mark.parametrize("version", [1, 2])
async def test_mutated_frames_neither_crash_nor_hang_nor_grow(
    version: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        counted = await feed(version, FRAMES, seed=version)
    assert counted["undecodable"] > FRAMES / 20
    assert counted["grown"] < 2_000_000
    for record in caplog.records:
        assert "could not be dealt with" not in record.message
        assert "owner failed" not in record.message
    # Whatever ten thousand frames do wrong, the log says at most once a minute.
    assert len(caplog.records) < 20


def main() -> None:
    """Feed as many as the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for version in (1, 2):
        counted = asyncio.run(feed(version, arguments.frames // 2, arguments.seed))
        print(f"version {version}: {arguments.frames // 2} frames, {counted}")


if __name__ == "__main__":
    main()
