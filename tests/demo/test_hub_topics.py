"""The topics of the streaming set-up: what comes after a join, what is answered, what happens by itself."""

from __future__ import annotations

import asyncio

import pytest
from plain_client import eventually

from tui.demo.hub import Hub
from tui.demo.show import Show

AFTER_JOIN = {
    "stream:overlays": (
        "stream_state",
        {
            "current_show",
            "active_content",
            "priority_level",
            "interrupt_stack",
            "ticker_rotation",
            "metadata",
        },
    ),
    "stream:queue": ("queue_state", {"queue", "active_content", "metrics", "is_processing"}),
    "dashboard:main": ("initial_state", {"connected", "timestamp"}),
    "overlay:obs": ("initial_state", {"type", "data"}),
    "transcription:live": ("connection_established", {"connected", "timestamp"}),
}


@pytest.mark.parametrize("topic", AFTER_JOIN)
async def test_state_is_pushed_after_the_join(client, topic):
    event, keys = AFTER_JOIN[topic]
    peer = await client()
    await peer.join(topic)
    frame = await peer.receive()
    assert frame[:4] == ["1", None, topic, event]
    assert set(frame[4]) == keys


async def test_nothing_is_pushed_after_the_join_of_events(client):
    peer = await client()
    await peer.join("events:all")
    await peer.beat()


@pytest.mark.parametrize("topic", [*AFTER_JOIN, "events:chat"])
async def test_ping(client, topic):
    peer = await client()
    await peer.join(topic)
    await peer.send("1", "2", topic, "ping", {})
    answer = (await peer.until("phx_reply"))[4]["response"]
    if topic.startswith(("overlay", "transcription")):
        assert answer["pong"] is True
    else:
        assert answer["success"] is True
        assert answer["data"]["pong"] is True
        assert set(answer["meta"]) == {"timestamp", "server_version"}


async def test_unknown_events_are_answered_with_an_error(client):
    peer = await client()
    for ref, topic in enumerate(("stream:queue", "overlay:obs"), 1):
        await peer.join(topic, ref=str(ref))
        await peer.receive()
        reply = (await peer.ask(str(ref), "9", topic, "no_such", {}))[4]
        assert reply["status"] == "error"
        response = reply["response"]
        assert ("message" in response) if topic == "overlay:obs" else (response["error"]["code"])


async def test_forced_content_is_on_screen_and_in_the_queue(hub, client):
    peer, watcher = await client(), await client()
    await peer.join("stream:overlays")
    await peer.receive()
    await watcher.join("stream:queue")
    await watcher.receive()
    content = {"type": "raid", "data": {"viewers": 120}, "duration": 10_000}
    await peer.send("1", "2", "stream:overlays", "force_content", content)
    assert (await peer.receive())[3:4] == ["content_update"]
    assert (await peer.receive())[4]["metadata"]["state_version"] == 1
    reply = (await peer.receive())[4]
    number = reply["response"]["data"]["id"]
    state = (await watcher.receive())[4]
    assert [item["id"] for item in state["queue"]] == [number]
    assert state["active_content"]["data"] == {"viewers": 120}
    assert hub.show.stream_state()["active_content"]["type"] == "raid"

    reply = await watcher.ask("1", "3", "stream:queue", "remove_queue_item", {"id": number})
    assert reply[4]["queue"] == []
    assert (await watcher.receive())[4]["status"] == "ok"
    reply = (await watcher.ask("1", "4", "stream:queue", "remove_queue_item", {"id": number}))[4]
    assert reply["response"]["error"]["code"] == "not_found"


async def test_takeover(client):
    peer = await client()
    await peer.join("stream:overlays")
    await peer.receive()
    frame = await peer.ask("1", "2", "stream:overlays", "takeover", {"type": "alert", "message": "hi"})
    assert frame[3] == "takeover"
    assert frame[4]["message"] == "hi"
    assert (await peer.receive())[4]["status"] == "ok"
    assert (await peer.ask("1", "3", "stream:overlays", "takeover_clear", {}))[3] == "takeover_clear"


async def test_state_on_request(client):
    peer = await client()
    for ref, (topic, event, request) in enumerate(
        [
            ("stream:overlays", "stream_state", "request_state"),
            ("stream:queue", "queue_state", "request_queue_state"),
        ],
        1,
    ):
        await peer.join(topic, ref=str(ref))
        await peer.receive()
        assert (await peer.ask(str(ref), "9", topic, request, {}))[3] == event
        assert (await peer.receive())[4]["response"]["success"] is True


async def test_telemetry_counts_what_is_there(hub, client):
    peer = await client()
    await peer.join("dashboard:main")
    await peer.receive()
    data = (await peer.ask("1", "2", "dashboard:main", "get_telemetry", {}))[4]["response"]["data"]
    assert data["websocket"]["total_connections"] == 1
    assert data["websocket"]["channels_by_type"] == {"dashboard:main": 1}
    assert data["websocket"]["totals"]["joins"] == 1


def test_the_same_seed_brings_the_same_evening():
    def evening(seed):
        show = Show(seed)
        happenings = [show.next_happening() for _ in range(300)]
        return [
            {key: value for key, value in happening.payload.items() if key != "timestamp"}
            for happening in happenings
        ]

    assert evening(5) == evening(5)
    assert evening(5) != evening(6)
    assert {"chat_message", "cheer", "raid", "gift_subscription"} <= {event["type"] for event in evening(5)}


def test_a_gift_bomb_brings_its_subscriptions():
    show = Show(1)
    while (bomb := show.next_happening()).type != "gift_subscription":
        pass
    behind = [show.next_happening() for _ in range(bomb.payload["total"])]
    assert {happening.type for happening in behind} == {"subscription"}
    assert all(happening.payload["is_gift"] for happening in behind)


async def test_traffic(client):
    async with Hub(seed=3) as hub:
        peer = await client(to=hub)
        for ref, topic in enumerate(("events:all", "stream:overlays", "transcription:live", "dashboard:a")):
            await peer.send(str(ref), str(ref), topic, "phx_join", {})
        await eventually(lambda: len(hub.topics()) == 4)
        hub.traffic = 500
        seen = set()
        while not {"chat_message", "stream_state", "new_transcription", "telemetry_update"} <= seen:
            seen.add((await peer.receive())[3])
        hub.traffic = 0
        assert hub.traffic == 0
    with pytest.raises(ValueError, match="0 or more"):
        hub.traffic = -1


async def test_traffic_set_before_the_start_and_kept_over_a_restart(client):
    hub = Hub()
    hub.traffic = 200
    for _ in range(2):
        async with hub:
            peer = await client(to=hub)
            await peer.join("events:all")
            await peer.receive()
    await asyncio.sleep(0)
