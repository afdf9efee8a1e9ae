"""The real hub, whichever dialect it speaks: its stack, its silences, and what it can tell of pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.alerts.scene import alert_options, alerts, do, kept, last, outcomes, page, pushes, state
from tests.engine.alerts.scene import engine as begin
from tests.engine.alerts.test_clearing import told
from tests.engine.conftest import connection, eventually, running
from tui.alerts.endings import ONLY_LISTED
from tui.alerts.options import DeliveryOptions
from tui.alerts.overlay_hub import DEFAULT_PAGE, vouches
from tui.demo.dialect import REAL
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.engine.supervisor import Supervisor
from tui.services.options import ReportsOptions, ServicesOptions

RULES = "".join(
    f"[[rule]]\ntype = '{type}'\nduration = {duration}\nbypass = {bypass}\ncollapse = {collapse}\n"
    for type, duration, bypass, collapse in (
        ("cheer", 2.0, "false", 0),
        ("sub", 20.0, "false", 30),
        ("raid", 1.0, "true", 0),
        ("gift", 20.0, "false", 0),
    )
)


@pytest.fixture(params=REAL)
async def hub(request: Any) -> AsyncIterator[Hub]:
    async with Hub(seed=1, shows_alerts=False, dialect=request.param) as running:
        yield running


only_telemetry = pytest.mark.parametrize("hub", ["telemetry"], indirect=True)


def engine(hub: Hub, folder: Path, **delivery: Any) -> AbstractAsyncContextManager[Supervisor]:
    return begin(hub, folder, rules=RULES, delivery=delivery)


def forced(hub: Hub) -> list[str]:
    """Whose alerts the hub holds, the newest first."""
    assert hub.landale is not None
    return [item.data["who"] for item in hub.landale.items]


def showing(overlay: OverlayPage) -> str | None:
    return None if overlay.showing is None else overlay.showing.data["who"]


async def plays(supervisor: Supervisor, who: str) -> str:
    await eventually(
        lambda: (on := alerts(supervisor).playing) and (on.who, on.phase) == (who, "on air"), f"{who} plays"
    )
    return getattr(alerts(supervisor).playing, "id", "")


async def test_what_is_skipped_leaves_before_the_next_begins_and_does_not_come_back(
    hub: Hub, tmp_path: Path
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path) as supervisor:
        hub.happen("gift_subscription", user_name="mira", total=5)
        await plays(supervisor, "mira")
        hub.happen("cheer", user_name="zed", bits=5)
        await eventually(lambda: showing(overlay) == "mira", "the page has it")
        assert await do(supervisor, "skip") == "skipped gift of mira; asked to take it off"
        await plays(supervisor, "zed")
        assert forced(hub) == ["zed"]
        await eventually(lambda: len(outcomes(supervisor)) == 2, "over")
        await eventually(lambda: not forced(hub) and showing(overlay) is None, "nothing came back")
        assert [each.data["who"] for each in overlay.shown] == ["mira", "zed"]
        assert "gift of mira was taken off the overlays" in told(supervisor)


async def test_panic_takes_off_all_of_ours_and_nothing_of_others(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path) as supervisor:
        hub.happen("gift_subscription", user_name="mira", total=5)
        await plays(supervisor, "mira")
        assert hub.landale is not None
        hub.landale.force({"id": "another's", "who": "somebody"}, 60_000)
        assert await do(supervisor, "panic") == "paused; asked to take 1 off"
        await eventually(lambda: forced(hub) == ["somebody"], "ours is gone")
        await eventually(lambda: "gift of mira was taken off the overlays" in told(supervisor), "and said so")
        assert sum(each.frame.event == "takeover_clear" for each in hub.received) == 1
        assert overlay.joined


async def test_what_was_removed_and_brought_back_is_there_once(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path) as supervisor:
        hub.happen("gift_subscription", user_name="mira", total=5)
        number = await plays(supervisor, "mira")
        await do(supervisor, "remove", id=number)
        await do(supervisor, "undo")
        await eventually(lambda: len(pushes(hub)) == 2 and forced(hub) == ["mira"], "there again, once")
        await plays(supervisor, "mira")
        await eventually(lambda: showing(overlay) == "mira", "the page has it")


async def test_what_grows_is_there_once_and_no_longer_than_the_queue_counts(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path) as supervisor:
        hub.happen("subscription", user_name="mira", is_gift=False)
        await plays(supervisor, "mira")
        await asyncio.sleep(1.0)
        hub.happen("subscription", user_name="zed", is_gift=False)
        await eventually(lambda: len(pushes(hub)) == 2, "pushed again")
        await eventually(lambda: len(forced(hub)) == 1, "the older item is gone")
        await eventually(lambda: getattr(overlay.showing, "data", {}).get("count") == 2, "the page has it")
        first, second = (each["duration"] for each in pushes(hub))
        assert first == 20_000
        assert 19_000 < second <= 20_000, "its time began anew when it grew"
        await do(supervisor, "skip")
        await eventually(lambda: not forced(hub), "gone")


async def test_what_bypasses_the_queue_is_next_in_line(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path) as supervisor:
        hub.happen("cheer", user_name="mira", bits=5)
        await plays(supervisor, "mira")
        await eventually(lambda: showing(overlay) == "mira", "the page has it")
        hub.happen("gift_subscription", user_name="zed", total=5)
        hub.happen("raid", user_name="avalon", viewers=5)
        await eventually(lambda: len(alerts(supervisor).waiting) == 2, "both wait")
        assert alerts(supervisor).beside == ()
        await plays(supervisor, "avalon")
        assert forced(hub) == ["avalon"]


async def test_its_word_of_our_own_join_vouches_for_nothing_and_that_it_cannot_tell_is_said_once(
    hub: Hub, tmp_path: Path
) -> None:
    async with engine(hub, tmp_path, join_as={}, overlays=(DEFAULT_PAGE,)) as supervisor:
        assert hub.landale is not None
        for who in ("mira", "zed"):
            hub.happen("cheer", user_name=who, bits=5)
            await plays(supervisor, who)
            if hub.landale.dialect.notes_pages:
                hub.send_to_topic("stream:overlays", "telemetry_update", hub.landale.telemetry())
            await eventually(lambda who=who: (who, "unconfirmed") in outcomes(supervisor), "over")
        assert last(supervisor).reason == ONLY_LISTED
        cannot = [text for text in told(supervisor) if text.startswith("nobody can say whether")]
        tells = hub.landale.dialect.notes_pages
        assert len(cannot) == (0 if tells else 1)
        assert tells or "of no page" in str(alerts(supervisor).warning)


@pytest.mark.parametrize(
    "hub", [name for name, dialect in REAL.items() if not dialect.notes_pages], indirect=True
)
async def test_where_the_hub_cannot_tell_of_pages_nothing_waits(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path, wait_for_page=True) as supervisor:
        hub.happen("cheer", user_name="mira", bits=5)
        await eventually(lambda: outcomes(supervisor) == [("mira", "unconfirmed")], "over")
        assert "none is waited for" in str(alerts(supervisor).warning)


@only_telemetry
async def test_an_empty_list_of_a_hub_that_tells_by_itself_holds_the_queue(hub: Hub, tmp_path: Path) -> None:
    assert hub.landale is not None

    def report() -> None:
        told = hub.landale.telemetry() if hub.landale is not None else {}
        hub.send_to_topic("stream:overlays", "telemetry_update", told)

    async with engine(hub, tmp_path, wait_for_page=True, overlays=("takeover",)) as supervisor:
        hub.send_to_topic("stream:overlays", "telemetry_update", {"overlays": []})
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "it waits")
        # A report that says nothing of pages takes nothing back.
        hub.send_to_topic("stream:overlays", "telemetry_update", {"timestamp": "now"})
        hub.happen("cheer", user_name="mira", bits=5)
        await eventually(lambda: alerts(supervisor).waiting, "waits")
        report()
        await asyncio.sleep(0.1)
        assert pushes(hub) == [], "our own join is no page"
        async with page(hub):
            report()
            await plays(supervisor, "mira")
            assert [each.name for each in alerts(supervisor).overlays] == ["takeover"]
            report()
            await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "shown")
            # What it said is not said again while it is away.
            await hub.stop()
            await eventually(lambda: state(supervisor, "stage", "stream:overlays") != "joined", "away")
            await eventually(lambda: alerts(supervisor).overlays == (), "nothing is said of its pages")
            await hub.start()


@only_telemetry
async def test_the_next_run_knows_too_that_the_hub_names_the_page(hub: Hub, tmp_path: Path) -> None:
    waiting: dict[str, Any] = {"wait_for_page": True, "overlays": ("takeover",)}

    def report() -> None:
        assert hub.landale is not None
        hub.send_to_topic("stream:overlays", "telemetry_update", hub.landale.telemetry())

    with kept(tmp_path) as store:
        async with page(hub), begin(hub, tmp_path, store, rules=RULES, delivery=waiting) as supervisor:
            report()
            await eventually(lambda: alerts(supervisor).overlays, "named")
            hub.happen("cheer", user_name="mira", bits=5)
            await plays(supervisor, "mira")
    dashboard = OverlayPage(lambda: hub.url, None, shows_alerts=False)
    dashboard.open()
    try:
        await eventually(lambda: dashboard.joined, "a dashboard is there")
        with kept(tmp_path) as store:
            async with begin(hub, tmp_path, store, rules=RULES, delivery=waiting) as supervisor:
                await eventually(lambda: store.restored.done(), "restored")
                report()
                await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "it waits")
    finally:
        await dashboard.close()


@pytest.mark.parametrize(
    ("name", "overlays", "vouched"),
    [
        ("takeover", (), False),
        ("takeover", ("takeover",), True),
        ("omnibar", ("takeover",), False),
        (DEFAULT_PAGE, (DEFAULT_PAGE,), False),
        ("overlay-supervisor", ("overlay-supervisor",), False),
    ],
)
def test_who_vouches(name: str, overlays: tuple[str, ...], vouched: bool) -> None:
    assert vouches(name, DeliveryOptions(connection="hub", overlays=overlays)) is vouched


@pytest.mark.parametrize("hub", ["new"], indirect=True)
async def test_the_empty_list_that_answers_a_question_says_nothing(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    options = alert_options(tmp_path, {"wait_for_page": True})
    links = (
        connection("stage", hub.url, "stream:overlays", "dashboard:services"),
        connection("events", hub.url, "events:all"),
    )
    reports = ReportsOptions(
        connection="stage", topic="dashboard:services", event="telemetry_update", kind="hub"
    )
    services = ServicesOptions(reports=(reports,))
    with running(*links, alerts=options, services=services) as supervisor:
        await eventually(lambda: any(each.frame.event == "get_telemetry" for each in hub.received), "asked")
        await eventually(lambda: state(supervisor, "events", "events:all") == "joined", "joined")
        hub.happen("cheer", user_name="mira", bits=5)
        await plays(supervisor, "mira")
        supervisor.stop()
        await eventually(supervisor.ended.is_set, "the engine stopped")
