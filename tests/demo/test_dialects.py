"""The dialects of the real hub: what was recorded from it, and what its code was read to do."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from plain_client import Client, eventually

from tui.demo.dialect import REAL
from tui.demo.hub import Hub

RECORDED: dict[str, list[Any]] = json.loads(Path(__file__).with_name("landale.json").read_text())
"""Of the newest hub, by the official JavaScript client: events and payloads in their order."""

TEN = 10
"""Everything here lasts a tenth of what was recorded."""


@pytest.fixture(params=REAL)
async def hub(request) -> AsyncIterator[Hub]:
    async with Hub(seed=7, dialect=request.param) as running:
        yield running


only_new = pytest.mark.parametrize("hub", ["new"], indirect=True)
ALERT = {"count": 1, "id": "a1", "priority": 2, "title": "Ana followed", "type": "follow", "who": "Ana"}


async def force(peer: Client, data: Any, duration: int = 500) -> Any:
    """Force content and return the reply's response; other frames are passed over."""
    content = {"type": "alert", "data": data, "duration": duration}
    return (await ask(peer, "force_content", content))["response"]


async def ask(peer: Client, event: str, payload: Any, topic: str = "stream:overlays", ref: str = "1") -> Any:
    number = f"ask {event} {asyncio.get_running_loop().time()}"
    await peer.send(ref, number, topic, event, payload)
    while True:
        frame = await peer.receive()
        if frame[1] == number:
            return frame[4]


async def listen(peer: Client, into: list[tuple[str, Any]]) -> None:
    while True:
        _, _, _, event, payload = await peer.receive()
        into.append((event, payload))


def shape(value: Any) -> Any:
    """The names and the types of what a payload holds; a base is the stream's own affair."""
    if isinstance(value, dict):
        return {key: "any" if key == "base" else shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "null or text" if value is None or isinstance(value, str) else type(value).__name__


@only_new
async def test_what_is_forced_is_told_as_it_was_recorded(hub, client):
    """Forced, cleared, which takes nothing off, and ended by its time."""
    page, other = await client(), await client()
    heard: list[tuple[str, Any]] = []
    await page.send("1", "1", "stream:overlays", "phx_join", {})
    listening = asyncio.ensure_future(listen(page, heard))
    await other.join("stream:overlays")
    await force(other, ALERT)
    await asyncio.sleep(1.5 / TEN)
    await ask(other, "takeover_clear", {})
    await eventually(lambda: heard and heard[-1][0] == "stream_state" and len(heard) == 6)
    listening.cancel()
    recorded = RECORDED["overlays"]
    assert [event for event, _ in heard] == [event for event, _ in recorded]
    for (_, ours), (_, theirs) in zip(heard[1:], recorded[1:], strict=True):
        assert shape(ours) == shape(theirs)
    ours, theirs = (rows[2][1]["alerts"][0] for rows in (heard, recorded))
    assert {key: ours[key] for key in ("data", "priority", "type")} == {
        key: theirs[key] for key in ("data", "priority", "type")
    }
    assert ours["duration"] * TEN == theirs["duration"]


@only_new
async def test_the_queue_channel_crashes_as_it_was_recorded(hub, client):
    peer, other = await client(), await client()
    heard: list[tuple[str, Any]] = []
    await other.join("stream:overlays")

    async def watch() -> None:
        for number in range(1, 100):
            await peer.send(f"{number}", f"{number}", "stream:queue", "phx_join", {})
            while True:
                _, _, _, event, payload = await peer.receive()
                heard.append((event, payload))
                if event == "phx_error":
                    break

    watching = asyncio.ensure_future(watch())
    await eventually(lambda: len(heard) == 2)
    await force(other, ALERT)
    await eventually(lambda: len(heard) == 5)
    await ask(other, "takeover_clear", {})
    await eventually(lambda: len(heard) == 10)
    watching.cancel()
    assert [event for event, _ in heard] == [event for event, _ in RECORDED["queue"]]
    for (_, ours), (_, theirs) in zip(heard, RECORDED["queue"], strict=True):
        assert shape(ours) == shape(theirs)
    ours, theirs = (rows[4][1]["queue"][0] for rows in (heard, RECORDED["queue"]))
    for name in ("content_type", "position", "priority", "status", "type", "data"):
        assert ours[name] == theirs[name]


@only_new
async def test_what_viewers_do_is_told_as_it_was_recorded(hub, client):
    peer = await client()
    await peer.join("events:all")
    heard: list[tuple[str, Any]] = []
    listening = asyncio.ensure_future(listen(peer, heard))
    hub.happen("follower", user_name="Ana")
    hub.happen("subscription", user_name="Ed", is_gift=False)
    hub.happen("gift_subscription", user_name="Gi", total=5)
    hub.happen("cheer", user_name="Bo", bits=420)
    hub.happen("cheer", user_name=None, bits=100)
    hub.happen("raid", user_name="Cy", viewers=50)
    hub.happen("resubscription", user_name="Re", cumulative_months=12)
    hub.happen("redemption", user_name="Po")
    await eventually(lambda: len(heard) == 16)
    listening.cancel()
    recorded = RECORDED["events"][1:]
    assert Counter(event for event, _ in heard) == Counter(event for event, _ in recorded)
    by_kind = [[row for row in rows if row[0] != "stream_event"] for rows in (heard, recorded)]
    for (event, ours), (theirs_event, theirs) in zip(*by_kind, strict=True):
        assert (event, ours["type"]) == (theirs_event, theirs["type"])
        assert shape(ours) == shape(theirs), event
    states = [[payload for event, payload in rows if event == "stream_event"] for rows in (heard, recorded)]
    assert shape(states[0][-1]) == shape(states[1][-1])


@only_new
async def test_an_older_item_comes_back_behind_a_newer_one_as_it_was_recorded(hub, client):
    """A 10 s gift, "skipped" after 2.3 s by the clear, then a 5 s follow: the gift is back behind it."""
    peer = await client()
    await peer.join("stream:overlays")
    heard: list[tuple[str, Any]] = []
    await force(peer, {"title": "Gi gifted 5 subs"}, 10_000 // TEN)
    await asyncio.sleep(2.3 / TEN)
    await ask(peer, "takeover_clear", {})
    await force(peer, {"title": "Ana followed"}, 5_000 // TEN)
    listening = asyncio.ensure_future(listen(peer, heard))
    await eventually(lambda: len(heard) == 2)
    listening.cancel()
    seen = [payload["alerts"][0]["data"]["title"] if payload["alerts"] else "-" for _, payload in heard]
    titles = [row.partition(" ")[2].rpartition(" of ")[0] for row in RECORDED["shown"]]
    assert titles[-2:] == ["Gi gifted 5 subs", "-"]
    assert seen == titles[-2:]


async def test_a_forced_item_bears_the_hub_s_id_and_the_reply_bears_none(hub, client):
    peer = await client()
    await peer.join("stream:overlays")
    stack = hub.landale.dialect.stack
    assert "id" not in (await force(peer, ALERT, 5_000))["data"]
    await force(peer, ALERT, 5_000)  # the same of ours again: a second item
    await ask(peer, "ping", {})
    await peer.send("1", "8", "stream:overlays", "request_state", {})
    items = (await peer.until("stream_state"))[4][stack]
    assert [item["data"] for item in items] == [ALERT, ALERT]
    assert len({item["id"] for item in items} | {ALERT["id"]}) == 3

    assert (await ask(peer, "remove_queue_item", {"id": "never there"}))["status"] == "ok"
    assert (await ask(peer, "remove_queue_item", {"id": items[0]["id"]}))["status"] == "ok"
    await peer.send("1", "9", "stream:overlays", "request_state", {})
    assert (await peer.until("stream_state"))[4][stack] == items[1:]


async def test_it_is_silent_about_what_it_does_not_know(hub, client):
    peer, other = await client(), await client()
    for each in (peer, other):
        await each.join("stream:overlays")
        await each.receive()
    await peer.send("1", "2", "stream:overlays", "alert_shown", {"id": "a1"})
    await peer.send("1", "3", "stream:overlays", "no such thing", {})
    await peer.beat()
    await other.beat()


async def test_whoever_joins_is_a_page_where_pages_are_tracked(hub, client):
    supervisor, page = await client(), await client()
    await supervisor.join("stream:overlays")
    await page.join("stream:overlays", {"overlay_type": "Omnibar"})
    tracked = {"old": [], "telemetry": ["Takeover", "Omnibar"], "new": ["Takeover", "Omnibar"]}
    assert hub.landale.pages() == tracked[hub.landale.dialect.name]


@pytest.mark.parametrize("hub", ["telemetry"], indirect=True)
async def test_telemetry_names_the_pages_that_are_there_and_no_others(hub, client):
    watcher, page = await client(), await client()
    await watcher.join("dashboard:telemetry")
    await page.join("stream:overlays", {"overlay_type": "Takeover"})
    told = (await watcher.until("telemetry_update"))[4]["overlays"]
    assert [(each["name"], each["connected"]) for each in told] == [("Takeover", True)]
    await page.websocket.close()
    assert (await watcher.until("telemetry_update"))[4]["overlays"] == []


@only_new
async def test_the_newest_hub_answers_the_question_for_telemetry_with_an_empty_list(hub, client):
    peer, page = await client(), await client()
    await page.join("stream:overlays", {"overlay_type": "Takeover"})
    await peer.join("dashboard:services")
    await peer.send("1", "2", "dashboard:services", "get_telemetry", {})
    assert (await peer.until("telemetry_update"))[4]["overlays"] == []
    await peer.beat()


@pytest.mark.parametrize("hub", ["old", "telemetry"], indirect=True)
async def test_events_of_the_older_hubs_tell_in_data_and_bear_no_id(hub, client):
    peer = await client()
    await peer.join("events:all")
    hub.happen("follower", user_name="Ana")
    event, payload = (await peer.receive())[3:]
    assert (event, set(payload), payload["data"]["user_name"]) == (
        "follower",
        {"type", "data", "timestamp"},
        "Ana",
    )
    hub.happen("raid", user_name="Cy", viewers=50)
    event, payload = (await peer.receive())[3:]
    assert (event, payload["type"], payload["data"]["type"]) == ("event", "twitch", "channel.raid")
    assert (payload["data"]["from_broadcaster_user_name"], payload["data"]["viewers"]) == ("Cy", 50)
    await peer.beat()


async def test_a_restart_forgets_what_was_forced(hub, client):
    peer = await client()
    await peer.join("stream:overlays")
    await force(peer, ALERT, 60_000)
    await hub.stop()
    await hub.start()
    again = await client()
    await again.join("stream:overlays")
    assert (await again.receive())[4][hub.landale.dialect.stack] == []
