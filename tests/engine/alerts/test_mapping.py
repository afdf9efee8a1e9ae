"""What the hubs that there are bring, and what becomes of it: an alert, or a name that nobody maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.alerts.scene import alert_options, alerts, connections, do, engine, pushes
from tests.engine.conftest import eventually, running
from tui.alerts.options import SourceOptions
from tui.demo.dialect import REAL
from tui.demo.hub import Hub
from tui.engine.components import ComponentOptions
from tui.model.alerts import AlertCommand

WHAT_VIEWERS_DO = {
    "raid": "raid",
    "gift_subscription": "gift",
    "subscription": "sub",
    "resubscription": "resub",
    "cheer": "cheer",
    "redemption": "redemption",
    "follower": "follow",
}
NAMES = {
    "plain": "hype_train",
    "old": "event:hype_train",
    "telemetry": "event:hype_train",
    "new": "twitch_event:hype_train",
}


@pytest.mark.parametrize("dialect", ["plain", *REAL])
async def test_what_viewers_do_is_an_alert_on_every_hub_and_what_nobody_maps_is_listed(
    tmp_path: Path, dialect: str
) -> None:
    async with Hub(seed=1, dialect=dialect) as hub, engine(hub, tmp_path) as supervisor:
        await do(supervisor, "pause")
        for kind in WHAT_VIEWERS_DO:
            hub.happen(kind, user_name="mira", **({"cumulative_months": 1} if kind[0] == "s" else {}))
        hub.happen("chat_message")
        hub.happen("channel_update")
        for _ in range(2):
            hub.happen("hype_train")
        await eventually(lambda: sum(alerts(supervisor).unmapped.values()) == 2, "the last is told")
        queue = alerts(supervisor)
        assert queue.unmapped == {NAMES[dialect]: 2}
        assert [each.type for each in queue.waiting] == list(WHAT_VIEWERS_DO.values())
        assert {each.who for each in queue.waiting} == {"mira"}
        # A source that maps it has nothing left to tell.
        options = alert_options(tmp_path, {})
        own = SourceOptions(
            connection="events", topic="events:all", events={NAMES[dialect]: "hype", "cheer": "tip"}
        )
        desks = ComponentOptions(alerts=replace(options, sources=(own,)))
        assert (await supervisor.apply(connections(hub), components=desks)).ok
        hub.happen("hype_train", user_name="zed")
        hub.happen("cheer", user_name="zed")
        await eventually(
            lambda: {"hype", "tip"} <= {each.type for each in alerts(supervisor).waiting}, "mapped"
        )
        assert alerts(supervisor).unmapped == {}


async def test_a_type_that_none_can_have_is_muted_by_force_alone(hub: Hub, tmp_path: Path) -> None:
    rules = "[[rule]]\ntype = 'folow'\n"
    words = "no source or rule has type folow; nearest: follow"
    own = {"follower": "follow", "train": "hype"}
    source = SourceOptions(connection="events", topic="events:all", events=own)
    options = replace(alert_options(tmp_path, {}), sources=(source,))
    mute = AlertCommand(verb="mute", type="folow", seconds=300)
    (tmp_path / "rules.toml").write_text(rules)
    with running(*connections(hub), alerts=options) as supervisor:
        await eventually(lambda: supervisor.snapshot().alerts, "published")
        await eventually(
            lambda: alerts(supervisor).rules == f"rules.toml:2: rule 1: type: {words}", "told of the rules"
        )
        refused = await supervisor.alerts(mute)
        assert (refused.ok, refused.message) == (False, words)
        assert await do(supervisor, "mute", type="hype", seconds=300) == "hype is muted for 5 min"
        assert await do(supervisor, "mute", type="folow", seconds=300, force=True)
        await eventually(lambda: alerts(supervisor).mutes.keys() == {"hype", "folow"}, "both")
        assert await do(supervisor, "mute", type="folow", seconds=0) == "folow is no longer muted"
        # One that brings whatever comes may bring it.
        anything = replace(source, events={"*": "*"})
        desks = ComponentOptions(alerts=replace(options, sources=(anything,)))
        assert (await supervisor.apply(connections(hub), components=desks)).ok
        await eventually(lambda: alerts(supervisor).rules is None, "the rules are used")
        assert (await supervisor.alerts(mute)).ok
        supervisor.stop()
        await eventually(supervisor.ended.is_set, "the engine stopped")


@pytest.mark.parametrize("dialect", ["plain", *REAL])
async def test_two_engines_push_an_event_under_one_id(tmp_path: Path, dialect: str) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    async with Hub(seed=1, dialect=dialect) as hub, engine(hub, folders[0]), engine(hub, folders[1]):
        hub.happen("raid", user_name="mira")
        await eventually(lambda: len(pushes(hub)) == 2, "both push")
    assert len({each["data"]["id"] for each in pushes(hub)}) == 1
