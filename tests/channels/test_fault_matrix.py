"""Faults of a connection that was up, on real sockets: the right state, counts, and every channel again."""

from __future__ import annotations

import asyncio
import time

import pytest
from real import Client, eventually, running

from tui.channels import PRESETS, Options
from tui.demo.hub import Hub

TALKING = ("echo:1", "echo:2")


async def test_a_frozen_server_is_dropped_after_the_heartbeat_timeout(hub, client):
    one = client(hub.url, *TALKING, heartbeat_interval=0.2, heartbeat_timeout=0.4)
    await one.works(hub)
    await eventually(lambda: one.socket.details().stable)
    hub.faults.freeze()
    began = time.monotonic()
    await eventually(lambda: one.socket.get_health_metrics().heartbeat_failures >= 1)
    assert time.monotonic() - began >= 0.3
    assert one.reasons[0] == "nothing came within 0.4 s of a heartbeat"
    assert {channel.state for channel in one.channels} == {"errored"}
    hub.faults.thaw()
    await eventually(lambda: one.all_joined and len(hub.connections) == 1)
    await one.works(hub)
    metrics = one.socket.get_health_metrics()
    assert metrics.total_reconnects == 1
    assert [channel.joins for channel in one.channels] == [2, 2]


async def test_a_freeze_shorter_than_the_timeout_is_no_failure(hub, client):
    one = client(hub.url, *TALKING, heartbeat_interval=0.1, heartbeat_timeout=5)
    await one.works(hub)
    hub.faults.freeze()
    sent = one.socket.details().messages_out
    await eventually(lambda: one.socket.details().messages_out > sent)
    hub.faults.thaw()
    await one.works(hub)
    assert hub.connects == 1
    assert one.socket.get_health_metrics().heartbeat_failures == 0


async def test_a_restart_of_any_length_on_every_preset_ends_joined(nothing_left, capsys):
    """Real delays of each preset; only what counts as stable is shortened."""

    async def case(preset: str, outage: float) -> tuple[str, float, float]:
        async with Hub() as hub:
            one = Client(hub.url)
            one.socket = type(one.socket)(hub.url, Options.preset(preset, stable_after=0.2, proxy="none"))
            one.socket.on_state_change(one.changes.append)
            for topic in TALKING:
                one.join(topic)
            async with running(one):
                await eventually(lambda: one.socket.details().stable and one.all_joined)
                await hub.stop(graceful=outage < 1)
                await asyncio.sleep(outage)
                await hub.start()
                back = time.monotonic()
                await eventually(lambda: one.all_joined, 30)
                took = time.monotonic() - back
                await one.works(hub)
                assert [channel.joins for channel in one.channels] == [2, 2]
                assert one.socket.get_health_metrics().circuit_breaker_trips == 0
            return preset, outage, took

    rows = await asyncio.gather(*(case(preset, outage) for preset in PRESETS for outage in (0.1, 2.0)))
    with capsys.disabled():
        print()
        for preset, outage, took in rows:
            print(f"  {preset:8} away {outage:3.1f} s: joined again {took:4.2f} s after the server was back")
    # A base of 1 s: retries at most 1, 3 and 7 s after the loss; live's base is half of that.
    for preset, outage, took in rows:
        longest = {"service": 1.0, "overlay": 1.0, "live": 0.5}[preset] * (3 if outage < 1 else 7)
        assert took < longest + 3, (preset, outage, took)


@pytest.mark.parametrize("kind", ["json", "shape", "empty", "utf8", "nesting", "binary", "kind"])
async def test_garbage_is_counted_and_skipped_and_the_link_lives(hub, client, kind, caplog):
    one = client(hub.url, *TALKING)
    await one.works(hub)
    for _ in range(3):
        assert hub.faults.garbage(kind) == 1
    await one.works(hub)
    assert hub.connects == 1
    one.channels[0].on("news", lambda message: message.payload)
    details = one.socket.details()
    lines = [record for record in caplog.records if "does not decode" in record.getMessage()]
    if kind in ("utf8", "nesting"):
        # A frame on a topic of ours whose payload is broken: counted when a handler asks for it.
        assert details.undecodable >= 3
    else:
        assert details.undecodable == 3
    assert len(lines) == 1  # at most one a minute
    assert one.socket.state == "connected"


async def test_a_message_that_is_too_large_ends_the_connection_with_1009(hub, client):
    one = client(hub.url, *TALKING, max_message_size=50_000)
    await one.works(hub)
    hub.faults.oversized(60_000, topic="echo:1")
    await eventually(lambda: hub.connects == 2)
    await one.works(hub)
    assert one.socket.details().last_close_code == 1009
    assert one.reasons[0].startswith("closed by us: 1009 message too big")
    assert one.reasons[0].endswith("(max_message_size is 50,000 bytes)")


async def test_a_message_of_the_greatest_size_passes(hub, client):
    one = client(hub.url, *TALKING, max_message_size=1_000_000)
    heard = []
    one.channels[0].on("oversized", lambda message: heard.append(len(message.payload["pad"])))
    await one.works(hub)
    hub.faults.oversized(900_000, topic="echo:1")
    await eventually(lambda: heard == [900_000])
    assert hub.connects == 1


async def test_fragments_with_a_ping_between_make_one_message(hub, client):
    one = client(hub.url, *TALKING)
    heard = []
    one.channels[0].on("fragmented", lambda message: heard.append(message.payload))
    await one.works(hub)
    for fragments in (1, 2, 5, 200):
        hub.faults.fragmented(
            "echo:1", payload={"fragments": fragments, "text": "é" * 300}, fragments=fragments
        )
    await eventually(lambda: len(heard) == 4)
    assert [payload["fragments"] for payload in heard] == [1, 2, 5, 200]
    assert {payload["text"] for payload in heard} == {"é" * 300}
    await one.works(hub)
    assert (hub.connects, one.socket.details().undecodable) == (1, 0)


async def test_many_faults_one_after_another_end_joined(hub, client):
    one = client(hub.url, *TALKING, heartbeat_interval=0.1, heartbeat_timeout=0.5)
    for number in range(1, 21):
        await one.works(hub)
        match number % 4:
            case 0:
                hub.faults.drop_all(reset=True)
            case 1:
                hub.faults.close_all(1011)
            case 2:
                hub.faults.crash_channel("*")
            case 3:
                hub.faults.accept_and_close(1013, times=2)
                hub.faults.drop_all()
        await eventually(lambda: any(channel.joins <= number for channel in one.channels))  # noqa: B023 (awaited at once)
        await eventually(lambda: all(channel.joins == number + 1 for channel in one.channels))  # noqa: B023 (awaited at once)
    await one.works(hub)
    assert one.socket.get_health_metrics().heartbeat_failures == 0
