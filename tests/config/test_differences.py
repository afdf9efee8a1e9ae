"""What a reload says of the settings: what changed, and what of it only the next start takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.config.differences import MAX_NOTED, changes
from tui.config.load import load_settings
from tui.connections.settings import EffectiveValue

HUB = '[connections.hub]\nurl = "ws://hub"\ntopics = ["events:all", "stream:overlays"]\n'
ALERTS = "[alerts]\nmost_waiting = 50\n"
SOURCE = '[[alerts.sources]]\nconnection = "hub"\ntopic = "events:all"\n'
DELIVERY = '[alerts.delivery]\nconnection = "hub"\n'
REPORTS = '[[services.reports]]\nconnection = "hub"\ntopic = "events:all"\n'
LONG = "x" * 100


def effective(folder: Path, text: str) -> tuple[EffectiveValue, ...]:
    path = folder / "config.toml"
    path.write_text(text)
    return load_settings(config=str(path), environ={}).sources


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (HUB, HUB + "# a remark\n", []),
        (HUB, "debug = true\n" + HUB, ["debug false -> true"]),
        (HUB, HUB + 'label = "Hub"\n', ['connections.hub.label "hub" -> "Hub"']),
        (
            HUB + f'label = "{LONG}"\n',
            HUB,
            [f'connections.hub.label "{"x" * 38}… -> "hub"'],
        ),
        (
            HUB + ALERTS,
            HUB + "[alerts]\nmost_waiting = 7\ngap = 2\nkept_days = 1\nsame_id_window = 60\n",
            [
                "alerts.most_waiting 50 -> 7, alerts.gap 0.25 -> 2",
                "from the next start: alerts.same_id_window 600 -> 60, alerts.kept_days 30 -> 1",
            ],
        ),
        (
            HUB + ALERTS + SOURCE,
            HUB + ALERTS + SOURCE + "kind_field = 'kind'\n" + DELIVERY,
            ['alerts.sources[0].kind_field "type" -> "kind", alerts.delivery is new'],
        ),
        (HUB + ALERTS + SOURCE + DELIVERY, HUB + ALERTS + SOURCE, ["alerts.delivery is gone"]),
        (HUB + REPORTS, HUB, ["services.reports[0] is gone"]),
        (HUB, HUB + "[incidents]\nquiet_for = 5\n", ["incidents.quiet_for 60 -> 5"]),
        (
            HUB,
            HUB + "[incidents]\nbell_from = 'critical'\n[app]\nmouse = false\n[keys]\n'alerts.mute' = 'U'\n",
            [
                "from the next start: app.mouse true -> false, "
                'incidents.bell_from "none" -> "critical", keys.alerts.mute is new'
            ],
        ),
        # Told by those who run them.
        (HUB, HUB + ALERTS + SOURCE, []),
        (HUB, HUB + HUB.replace("hub", "other"), []),
        (HUB, HUB + "params = { token = 'a' }\n", ["connections.hub.params {} -> { token = *** }"]),
        (HUB + "params = { token = 'a' }\n", HUB + "params = { token = 'b' }\n", []),
    ],
)
def test_what_changed_is_told_by_key(tmp_path: Path, before: str, after: str, told: list[str]) -> None:
    assert changes(effective(tmp_path, before), effective(tmp_path, after)) == told


def test_of_many_changes_the_first_are_told_and_the_number_of_others(tmp_path: Path) -> None:
    others = "".join(f"[connections.hub_{n}]\nurl = 'ws://hub'\ntopics = ['a']\n" for n in range(30))
    before = effective(tmp_path, HUB + others)
    (words,) = changes(before, effective(tmp_path, HUB + others.replace("'a'", "'b'")))
    assert words.count(" -> ") == MAX_NOTED
    assert words.endswith(f", and {30 - MAX_NOTED} more")
