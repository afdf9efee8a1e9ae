"""Our own join on the overlays' topic says who we are: a hub may take whoever joins for a page."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.engine.conftest import ConnectionSettings, TopicSettings, connection, eventually, running
from tui.alerts.options import AlertOptions, DeliveryOptions
from tui.cli import check
from tui.config.secret import parse_table
from tui.demo.hub import Hub
from tui.engine.components import ComponentOptions
from tui.engine.supervisor import Supervisor
from tui.services.options import ReportsOptions, ServicesOptions

TOPIC = "stream:overlays"
OURS = "overlay-supervisor"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with Hub(seed=1, dialect="telemetry") as running:
        yield running


def alerts(**delivery: Any) -> AlertOptions:
    return AlertOptions(delivery=DeliveryOptions(connection="stage", **delivery))


def with_own(url: str, params: dict[str, Any], name: str = "stage") -> ConnectionSettings:
    """A connection with join parameters of the user's own."""
    return dataclasses.replace(connection(name, url), topics=(TopicSettings(TOPIC, parse_table(params)),))


def params(hub: Hub) -> Any:
    (channel,) = hub.channels(TOPIC)
    return channel.params


def reason(supervisor: Supervisor) -> str:
    channels = [channel for each in supervisor.snapshot().connections for channel in each.channels]
    return next((channel.reason or "" for channel in channels if channel.topic == TOPIC), "")


async def stop(supervisor: Supervisor) -> None:
    supervisor.stop()
    await eventually(supervisor.ended.is_set, "the engine stopped")


@pytest.mark.parametrize(
    ("own", "delivery", "sent"),
    [
        (None, {}, {"overlay_type": OURS}),
        ({"seat": 7}, {}, {"overlay_type": OURS, "seat": 7}),
        ({"overlay_type": "Watcher"}, {}, {"overlay_type": "Watcher"}),
        (
            {"overlay_type": ""},
            {"join_as": {"overlay_type": "x", "role": ["a"]}},
            {"role": ["a"], "overlay_type": ""},
        ),
        ({"seat": 7}, {"join_as": {}}, {"seat": 7}),
        (None, {"join_as": {}}, {}),
    ],
)
async def test_the_topic_of_alerts_is_joined_under_our_own_name(
    hub: Hub, own: dict[str, Any] | None, delivery: dict[str, Any], sent: dict[str, Any]
) -> None:
    stage = connection("stage", hub.url, TOPIC) if own is None else with_own(hub.url, own)
    with running(stage, connection("other", hub.url), alerts=alerts(**delivery)) as supervisor:
        await eventually(lambda: hub.joins[TOPIC], "joined")
        assert params(hub) == sent
        await stop(supervisor)


async def test_no_other_join_bears_it(hub: Hub) -> None:
    links = (connection("stage", hub.url, TOPIC, "stream:queue"), connection("second", hub.url, TOPIC))
    with running(*links, alerts=alerts()) as supervisor:
        await eventually(lambda: hub.joins[TOPIC] == 2 and hub.joins["stream:queue"], "joined")
        assert sorted(hub.landale.pages() if hub.landale else []) == ["Takeover", OURS]
        assert [channel.params for channel in hub.channels("stream:queue")] == [{}]
        await stop(supervisor)
    with running(links[0]) as supervisor:
        await eventually(lambda: hub.joins[TOPIC] == 3, "joined without a queue of alerts")
        assert params(hub) == {}
        await stop(supervisor)


async def test_a_reload_joins_again_only_where_the_name_changed(hub: Hub) -> None:
    stage = connection("stage", hub.url, TOPIC, "stream:queue")
    with running(stage, alerts=alerts()) as supervisor:
        await eventually(lambda: hub.joins[TOPIC], "joined")
        assert (await supervisor.apply([stage], components=ComponentOptions(alerts=alerts(timeout=3.0)))).ok
        named = alerts(join_as={"overlay_type": "control"})
        assert (await supervisor.apply([stage], components=ComponentOptions(alerts=named))).ok
        await eventually(lambda: hub.joins[TOPIC] == 2, "joined again")
        await eventually(lambda: len(hub.channels(TOPIC)) == 1, "the old one was left")
        assert params(hub) == {"overlay_type": "control"}
        # Where nothing is delivered any more, a join anew would gain nothing, and cost what plays.
        nowhere = AlertOptions(delivery=None)
        for desks in (ComponentOptions(alerts=nowhere), ComponentOptions()):
            assert (await supervisor.apply([stage], components=desks)).ok
        assert params(hub) == {"overlay_type": "control"}
        assert (hub.joins[TOPIC], hub.joins["stream:queue"]) == (2, 1)
        await stop(supervisor)


async def test_what_the_hub_tells_of_our_own_join_is_no_page(hub: Hub) -> None:
    reports = ReportsOptions(
        connection="stage", topic="dashboard:telemetry", event="telemetry_update", kind="hub"
    )
    links = (
        connection("stage", hub.url, TOPIC, "dashboard:telemetry"),
        with_own(hub.url, {"overlay_type": "Omnibar"}, "page"),
    )
    services = ServicesOptions(reports=(reports,))
    with running(*links, alerts=alerts(), services=services) as supervisor:
        await eventually(lambda: hub.joins[TOPIC] == 2, "joined")

        def told() -> set[str]:
            return {each.name for each in supervisor.snapshot().services.services}

        await eventually(lambda: "page Omnibar" in told(), "the hub told")
        assert f"page {OURS}" not in told()
        found = supervisor.snapshot().alerts
        assert found is not None
        assert [page.name for page in found.overlays] == ["Omnibar"]
        await stop(supervisor)


async def test_a_page_that_left_is_told_as_gone_if_it_was_ever_there(hub: Hub) -> None:
    """The hub names those that are there, and no others."""
    links = (
        connection("stage", hub.url, TOPIC, "dashboard:telemetry"),
        with_own(hub.url, {"overlay_type": "Omnibar"}, "page"),
    )
    with running(*links, alerts=alerts(overlays=("Omnibar", "Takeover"))) as supervisor:

        def told() -> list[tuple[str, bool]]:
            found = supervisor.snapshot().alerts
            assert found is not None
            return [(page.name, page.connected) for page in found.overlays]

        await eventually(lambda: supervisor.snapshot().alerts, "the queue is there")
        await eventually(lambda: told() == [("Omnibar", True)], "the page is there")
        assert (await supervisor.disconnect("page")).ok
        await eventually(lambda: told() == [("Omnibar", False)], "the page is gone")
        await stop(supervisor)


async def test_a_check_is_no_page_either(hub: Hub) -> None:
    (found,) = await check.once([connection("stage", hub.url, TOPIC)], 5, alerts())
    assert found.status == check.OK
    (joined,) = (each.frame.payload for each in hub.received if each.frame.event == "phx_join")
    assert joined == {"overlay_type": OURS}


async def test_the_name_is_no_secret_and_what_is_beside_it_stays_one(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAT_TOKEN", "s3cr3t-value")
    hub.faults.refuse_join(TOPIC, response={"reason": f"s3cr3t-value is not for {OURS}"})
    stage = with_own(hub.url, {"token": {"env": "SEAT_TOKEN"}})
    with running(stage, alerts=alerts()) as supervisor:
        await eventually(lambda: OURS in reason(supervisor), "refused")
        assert "s3cr3t" not in reason(supervisor)
        await stop(supervisor)
