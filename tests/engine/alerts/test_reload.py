"""What a reload of the settings does to the queue, and says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tests.engine.alerts.scene import alert_options, alerts, connections, do, engine
from tests.engine.conftest import eventually
from tui.demo.hub import Hub
from tui.engine.components import ComponentOptions


class Set(NamedTuple):
    key: str
    text: str
    source: str = "config.toml:1"


async def test_a_reload_says_what_changed_what_it_did_and_what_waits_for_the_next_start(
    hub: Hub, tmp_path: Path
) -> None:
    before = (Set("alerts.most_waiting", "50"), Set("alerts.kept_days", "30"))
    after = (Set("alerts.most_waiting", "7"), Set("alerts.kept_days", "1"))
    options = alert_options(tmp_path, {})
    async with engine(hub, tmp_path) as supervisor:
        assert (await supervisor.apply(connections(hub), before, ComponentOptions(alerts=options))).ok
        await do(supervisor, "pause")
        for number in range(15):
            hub.happen("raid", user_name=f"viewer_{number}")
        await eventually(lambda: len(alerts(supervisor).waiting) == 15, "all wait")
        desks = ComponentOptions(alerts=replace(options, most_waiting=7, kept_days=1.0))
        result = await supervisor.apply(connections(hub), after, desks)
        assert result.message == (
            "settings reloaded: alerts.most_waiting 50 -> 7; "
            "from the next start: alerts.kept_days 30 -> 1; 8 alerts dropped"
        )
        assert result.message in [line.text for line in supervisor.log().lines]
        again = await supervisor.apply(connections(hub), after, desks)
        assert again.message == "settings reloaded: nothing changed"
