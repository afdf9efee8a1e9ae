"""The guide's page as printed, on hubs of every dialect; its lines of Elixir, as far as they can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from guide_page import needs_the_client, page
from plain_client import Client
from websockets.asyncio.client import connect

from tests import guide
from tests.engine.conftest import eventually
from tui.demo.dialect import REAL
from tui.demo.hub import Hub

SILENT = [(dialect, False) for dialect in REAL]
HEARD = [("plain", False), *((dialect, True) for dialect in REAL)]


async def force(client: Client, number: str, duration: float) -> None:
    data = {"id": number, "type": "follow", "who": "Ana", "title": "Ana followed"}
    content = {"type": "alert", "data": data, "duration": round(duration * 1000)}
    await client.send("1", "9", "stream:overlays", "force_content", content)


def heard(hub: Hub) -> list[tuple[str, str]]:
    """What the hub was told by pages."""
    frames = [each.frame for each in hub.received if str(each.frame.event).startswith("alert_")]
    return [(frame.event, frame.payload["id"]) for frame in frames]


@needs_the_client
@pytest.mark.parametrize(("dialect", "passes_on"), [*SILENT, *HEARD])
async def test_the_printed_page_shows_what_the_hub_has_on_for_its_time_and_says_so(
    tmp_path: Path, dialect: str, passes_on: bool
) -> None:
    async with (
        Hub(seed=3, dialect=dialect, passes_on=passes_on) as hub,
        page(hub, tmp_path) as overlay,
        connect(f"{hub.url}/websocket?vsn=2.0.0", compression=None, ping_interval=None) as websocket,
    ):
        if hub.landale is not None:
            assert hub.landale.pages() == (["takeover"] if dialect != "old" else [])
        client = Client(websocket)
        await client.join("stream:overlays")
        await force(client, "a1", 60)
        await eventually(lambda: overlay.has_on == "a1", "shown")
        await force(client, "a2", 0.3)
        await eventually(lambda: overlay.has_on == "a2", "the newer one")
        await eventually(lambda: overlay.has_on != "a2", "its time is over")
        shown = next(each for each in overlay.noted if each["id"] == "a2")
        after = overlay.noted[overlay.noted.index(shown) + 1]
        assert after["at"] - shown["at"] >= 0.28
        # Where the hub keeps a stack the older one comes back.
        assert after["id"] == ("a1" if hub.landale else None)
        assert overlay.all("shown")[0]["who"] == "Ana"

        a1_to_a2 = [("alert_shown", "a1"), ("alert_ended", "a1"), ("alert_shown", "a2")]
        await eventually(lambda: heard(hub)[:3] == a1_to_a2, "the hub has heard it")
        await client.send(None, "end", "phoenix", "heartbeat", {})
        said = []
        while (frame := await client.receive())[1] != "end":
            if frame[3] in ("alert_shown", "alert_ended"):
                said.append((frame[3], frame[4]["id"]))
        assert said[:3] == (a1_to_a2 if (dialect, passes_on) in HEARD else [])


@needs_the_client
@pytest.mark.parametrize("dialect", ["plain", *REAL])
async def test_a_hub_that_goes_away_leaves_nothing_on_the_printed_page(tmp_path: Path, dialect: str) -> None:
    async with Hub(seed=3, dialect=dialect) as hub, page(hub, tmp_path) as overlay:
        async with connect(
            f"{hub.url}/websocket?vsn=2.0.0", compression=None, ping_interval=None
        ) as websocket:
            client = Client(websocket)
            await client.join("stream:overlays")
            await force(client, "a1", 0.5)
            await eventually(lambda: overlay.has_on == "a1", "shown")
            hub.faults.freeze()
            await eventually(lambda: overlay.has_on is None, "its time is over")
            hub.faults.thaw()
        joins = hub.joins["stream:overlays"]
        hub.faults.drop_all()
        await eventually(lambda: hub.joins["stream:overlays"] > joins, "it is back by itself")
        assert overlay.noted[-1]["what"] == "hidden"


@needs_the_client
@pytest.mark.parametrize("stack", ["alerts", "interrupt_stack"])
async def test_the_printed_page_chooses_as_the_real_ones_do(tmp_path: Path, stack: str) -> None:
    """The first of the highest priority, the newest first; what is no alert of ours is passed over."""

    def item(number: str, priority: int, seconds: float, **others: Any) -> dict[str, Any]:
        named = {"id": f"hub's {number}", "data": {"id": number, "who": "Ana"}}
        return {"priority": priority, "duration": round(seconds * 1000), **named, **others}

    items = [
        item("low", 50, 60),
        item("text", 200, 60, data="words"),
        item("nothing", 200, 60, data=None),
        item("second", 100, 0.6),
        item("first", 100, 60),
    ]
    async with Hub(seed=3, dialect="new") as hub, page(hub, tmp_path) as overlay:
        for listed in (items[3:], items):
            hub.send_to_topic("stream:overlays", "stream_state", {stack: listed})
        await eventually(lambda: overlay.has_on == "first", "the time of the newer one is over")
        hub.send_to_topic("stream:overlays", "stream_state", {stack: items[:3]})
        await eventually(lambda: overlay.has_on == "low", "nothing higher is listed")
        hub.send_to_topic("stream:overlays", "stream_state", {"current_show": "variety"})
        await eventually(lambda: overlay.has_on is None, "nothing is listed")
        assert [each["id"] for each in overlay.noted] == ["second", "first", "low", None]


def test_the_lines_of_elixir_pass_on_what_the_printed_page_says() -> None:
    """There is no Elixir here: their shape is held, clause by clause."""
    lines = guide.block("elixir", "alert_shown")
    head, body = re.fullmatch(r"def handle_in\((.*)\) when (.*) do\n((?:  .*\n)+)end\n", lines).group(1, 3)  # type: ignore[union-attr]  # it matches, or the test fails
    assert head.replace(" ", "") == 'event,%{"id"=>_}=payload,socket'
    assert body == "  broadcast_from!(socket, event, payload)\n  {:reply, :ok, socket}\n"
    passed = re.search(r'when event in \["(\w+)", "(\w+)"\] do', lines)
    assert passed is not None
    page_text = guide.block("js", "stream_state")
    assert set(passed.groups()) == set(re.findall(r'channel\.push\("(\w+)", \{ id:', page_text))


def test_the_readme_prints_the_same_page() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert guide.block("js", "stream_state", readme) == guide.block("js", "stream_state")


def test_the_guide_is_short() -> None:
    assert len(guide.ALERTS.splitlines()) < 200
