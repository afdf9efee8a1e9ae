"""The simulated overlay page, and what the hub tells of pages: only what is really there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from plain_client import eventually

from tui.demo.dialect import DEFAULT_PAGE, REAL
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage, Screen
from tui.demo.scenario import ALERT_PAGE, Scenario, demo_hubs
from tui.demo.topics import telemetry


@asynccontextmanager
async def opened(hub: Hub, name: str = "takeover") -> AsyncIterator[OverlayPage]:
    page = OverlayPage(lambda: hub.url, name)
    page.open()
    try:
        await eventually(lambda: page.joined)
        yield page
    finally:
        await page.close()


def connected(hub: Hub) -> dict[str, bool]:
    return {each["name"]: each["connected"] for each in telemetry(hub)["overlays"]}


async def force(client, number: str, duration: int = 10_000) -> None:
    content = {"type": "alert", "data": {"id": number, "title": "hello"}, "duration": duration}
    await client.send("1", "9", "stream:overlays", "force_content", content)


async def test_a_page_shows_an_alert_and_says_so_to_the_others(hub, client):
    peer = await client()
    await peer.join("stream:overlays")
    async with opened(hub) as page:
        await force(peer, "a1")
        frame = await peer.until("alert_shown")
        assert {key: frame[4][key] for key in ("id", "overlay")} == {"id": "a1", "overlay": "takeover"}
        assert [each.id for each in page.shown] == ["a1"]
        state = hub.show.queue_state()
        assert [item["data"]["id"] for item in state["queue"]] == ["a1"]
        await peer.send("1", "10", "stream:overlays", "takeover_clear", {})
        await peer.until("takeover_clear")
        await eventually(lambda: page.showing is None)
        assert hub.show.queue_state()["queue"] == []
        assert len(page.shown) == len(page.clears) == 1


async def test_who_is_no_page_cannot_say_that_one_shows_anything(hub, client):
    peer, other = await client(), await client()
    for each in (peer, other):
        await each.join("stream:overlays")
        await each.receive()
    answer = (await peer.ask("1", "2", "stream:overlays", "alert_shown", {"id": "a1"}))[4]
    assert answer["response"]["error"]["code"] == "not_an_overlay"
    await other.beat()
    page = await client()
    await page.join("stream:overlays", {"overlay_type": "takeover"})
    await page.receive()
    answer = (await page.ask("1", "2", "stream:overlays", "alert_shown", {"id": 1}))[4]
    assert answer["response"]["error"]["details"] == {"field": "id"}


async def test_only_a_page_that_joined_is_told_as_connected(hub, client):
    peer = await client()
    await peer.join("stream:overlays")
    assert connected(hub) == {"omnibar": False, "takeover": False, "ironmon": False}
    assert all(each["lastSeen"] is None for each in telemetry(hub)["overlays"])
    async with opened(hub), opened(hub, "of its own"):
        assert connected(hub) == {"omnibar": False, "takeover": True, "ironmon": False, "of its own": True}
    await eventually(lambda: not any(connected(hub).values()))
    seen = {each["name"]: each["lastSeen"] for each in telemetry(hub)["overlays"]}
    assert seen["omnibar"] is None
    assert seen["takeover"] is not None


async def test_a_page_comes_back_and_shows_what_is_on_now(hub, client):
    async with opened(hub) as page:
        hub.faults.drop_all()
        await eventually(lambda: not page.joined)
        peer = await client()
        await peer.join("stream:overlays")
        await force(peer, "a1")
        await eventually(lambda: [each.id for each in page.shown] == ["a1"])
        hub.faults.garbage()
        hub.faults.crash_channel("stream:overlays")
        await eventually(lambda: not page.joined)
        # What stands goes on to stand, and the hub's word that it still does changes nothing.
        await eventually(lambda: page.joined)
        assert len(page.shown) == 1
        assert page.showing is not None
        await page.close()
        assert not page.is_open
        assert page.showing is None


async def test_content_that_is_over_is_shown_to_nobody(hub, client):
    peer = await client()
    await peer.join("stream:overlays")
    await force(peer, "a1", duration=0)
    await peer.until("content_update")
    async with opened(hub) as page:
        await peer.send("1", "2", "stream:overlays", "request_state", {})
        await peer.until("phx_reply")
        assert list(page.shown) == []


def item(number, priority=100, duration=1_000, **others):
    return {"id": number, "priority": priority, "duration": duration, "data": {"id": number}, **others}


@pytest.mark.parametrize("stack", ["alerts", "interrupt_stack"])
def test_a_page_chooses_the_first_of_the_highest_priority_whose_time_is_not_over(stack):
    screen = Screen()
    items = [item("new", 50, 9_000), item("b", 100, 2_000), item("a", 100, 5_000)]
    seen = []
    for now in (0.0, 1.9, 2.0, 4.9, 5.0, 8.9, 9.0):
        first = screen.first({stack: items}, now)
        seen.append(first and first.number)
    assert seen == ["b", "b", "a", "a", "new", "new", None]
    # What comes back under its id, once it was not listed, is another thing.
    assert screen.first({stack: []}, 9.0) is None
    assert screen.first({stack: items}, 9.0).end == 11.0


@pytest.mark.parametrize(
    "listed", [None, 7, {}, [None], [7], [{"id": 1}], [item("a", None)], [item("a", duration="long")]]
)
def test_what_is_no_item_is_passed_over(listed):
    assert Screen().first({"alerts": listed}, 0.0) is None
    if isinstance(listed, list):
        assert Screen().first({"alerts": [*listed, item("good")]}, 0.0).number == "good"


@pytest.fixture(params=["plain", *REAL])
async def any_hub(request) -> AsyncIterator[Hub]:
    async with Hub(seed=7, dialect=request.param) as running:
        yield running


async def test_a_page_shows_what_was_forced_last_and_for_its_time_on_every_hub(any_hub, client):
    peer = await client(to=any_hub)
    await peer.join("stream:overlays")
    async with opened(any_hub) as page:
        await force(peer, "a1", duration=60_000)
        await eventually(lambda: page.showing is not None)
        await force(peer, "a2", duration=300)
        await eventually(lambda: [each.id for each in page.shown][-1] == "a2")
        two = page.shown[1]
        await eventually(lambda: two.until is not None)
        assert two.until - two.at >= 0.25
        if any_hub.landale is None:
            assert page.showing is None
        else:
            assert page.showing.id == "a1", "the older one comes back"
        assert page.shown[0].until == two.at


async def test_a_page_keeps_its_own_time_though_its_hub_is_frozen(any_hub, client):
    peer = await client(to=any_hub)
    await peer.join("stream:overlays")
    async with opened(any_hub) as page:
        await force(peer, "a1", duration=400)
        await eventually(lambda: page.showing is not None)
        any_hub.faults.freeze()
        await eventually(lambda: page.showing is None)
        any_hub.faults.thaw()


async def test_an_alert_that_has_grown_is_shown_anew_with_the_time_that_it_bears(any_hub, client):
    peer = await client(to=any_hub)
    await peer.join("stream:overlays")
    async with opened(any_hub) as page:
        await force(peer, "a1", duration=60_000)
        await eventually(lambda: page.showing is not None)
        await force(peer, "a1", duration=300)
        await eventually(lambda: len(page.shown) > 1 and page.shown[1].until is not None)
        assert page.shown[1].until - page.shown[1].at >= 0.25


@pytest.mark.parametrize("name", ["takeover", None])
async def test_a_page_is_tracked_by_its_name_or_by_the_hub_s_own(any_hub, client, name):
    async with opened(any_hub, name):
        landale = any_hub.landale
        if landale is None:
            assert connected(any_hub)["takeover"] is (name is not None)
        else:
            assert landale.pages() == ([name or DEFAULT_PAGE] if landale.dialect.tracks_pages else [])


@pytest.mark.parametrize("passes_on", [False, True])
@pytest.mark.parametrize("dialect", REAL)
async def test_a_page_is_heard_where_the_hub_passes_on_what_it_says(client, dialect, passes_on):
    async with Hub(seed=7, dialect=dialect, passes_on=passes_on) as hub:
        peer = await client(to=hub)
        await peer.join("stream:overlays")
        async with opened(hub):
            await force(peer, "a1", duration=200)
            await eventually(lambda: any(each.frame.event == "alert_ended" for each in hub.received))
            await peer.send(None, "end", "phoenix", "heartbeat", {})
            said = []
            while (frame := await peer.receive())[1] != "end":
                if frame[3] not in ("stream_state", "phx_reply"):
                    said.append((frame[3], frame[4]))
            both = [("alert_shown", {"id": "a1"}), ("alert_ended", {"id": "a1"})]
            assert said == (both if passes_on else [])


async def test_the_page_of_the_demonstration_closes_and_opens_on_command():
    async with Scenario(demo_hubs(seed=1), schedule=()) as scenario:
        page = scenario.pages[ALERT_PAGE]
        await eventually(lambda: page.joined)
        await scenario.trigger("overlay_page")
        await eventually(lambda: not page.is_open and not connected(scenario.hubs["hub"])[ALERT_PAGE])
        await scenario.trigger("overlay_page")
        await eventually(lambda: page.joined and connected(scenario.hubs["hub"])[ALERT_PAGE])


async def test_viewers_give_and_follow_in_masses(hub, client):
    peer = await client()
    await peer.join("events:all")
    hub.faults.gift_bomb(50)
    bomb = await peer.receive()
    assert (bomb[3], bomb[4]["total"]) == ("gift_subscription", 50)
    gifts = [(await peer.receive())[4] for _ in range(50)]
    assert all(each["is_gift"] and each["gifter_name"] == bomb[4]["user_name"] for each in gifts)
    following = asyncio.create_task(hub.faults.follows(20, rate=2_000))
    ids = {(await peer.receive())[4]["id"] for _ in range(20)}
    await following
    assert len(ids) == 20
