"""Events that bear words which are somebody's secret too: told apart and judged as they came, kept masked."""

from __future__ import annotations

from pathlib import Path

from tests.engine.alerts.scene import alerts, engine, kept, rows
from tests.engine.conftest import eventually
from tui.demo.hub import Hub
from tui.text import secret_values


async def test_ids_that_look_alike_once_masked_are_two(hub: Hub, tmp_path: Path) -> None:
    secret_values.add("evening-12345")
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            for number in ("evening-12", "evening-123", "evening-123"):
                hub.happen("cheer", id=number, user_name="mira", bits=5)
            await eventually(lambda: alerts(supervisor).duplicates == 1, "the third is the second")
            assert alerts(supervisor).accepted == 2
    assert not [row for row in rows(tmp_path) if "evening" in str(row.source_id)]


async def test_a_rule_holds_for_a_type_that_is_a_secret_too(hub: Hub, tmp_path: Path) -> None:
    secret_values.add("follow")
    rules = "[[rule]]\ntype = 'follow'\nignore = true\n"
    async with engine(hub, tmp_path, rules=rules) as supervisor:
        hub.happen("follower", user_name="mira")
        await eventually(lambda: alerts(supervisor).ignored == 1, "ignored, as the rule says")
        assert alerts(supervisor).accepted == 0
