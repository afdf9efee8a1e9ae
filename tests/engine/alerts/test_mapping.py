"""What the hubs that there are bring, and what becomes of it: an alert, or a name that nobody maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.alerts.scene import alert_options, alerts, connections, do, engine
from tests.engine.conftest import eventually
from tui.alerts.options import SourceOptions
from tui.demo.dialect import REAL
from tui.demo.hub import Hub
from tui.engine.desks import DeskOptions

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
        desks = DeskOptions(alerts=replace(options, sources=(own,)))
        assert (await supervisor.apply(connections(hub), desks=desks)).ok
        hub.happen("hype_train", user_name="zed")
        hub.happen("cheer", user_name="zed")
        await eventually(
            lambda: {"hype", "tip"} <= {each.type for each in alerts(supervisor).waiting}, "mapped"
        )
        assert alerts(supervisor).unmapped == {}
