"""What is known is said once: each output says the same of the same snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripted_engine import connection
from tui.app.presenters import status
from tui.cli import check
from tui.cli.ctl.words import short_line
from tui.metrics.exposition import why_not_up
from tui.model.alerts import AlertsSnapshot
from tui.model.known import SILENT_AFTER, Rank, rank, worst_first
from tui.model.snapshot import ConnectionSnapshot, Snapshot

NOW = 1_790_000_000.0


def snapshot(*connections: ConnectionSnapshot, **changes: Any) -> Snapshot:
    values = {"sequence": 1, "taken_at": NOW, "started_at": NOW - 60, "connections": connections}
    return Snapshot(**values | changes)


def in_state(name: str, state: str) -> ConnectionSnapshot:
    return connection(name, metrics={"connection_state": state})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stopped": "out of memory"}, "engine stopped: out of memory"),
        ({"waiting": "it starts"}, "waiting for the engine: it starts"),
        ({"waiting": "it starts", "stopped": "out of memory"}, "waiting for the engine: it starts"),
        ({"taken_at": NOW - SILENT_AFTER - 1}, "engine silent since "),
        ({"taken_at": NOW + SILENT_AFTER + 1}, "engine silent since the clock was set back"),
    ],
)
def test_what_is_not_the_present_is_so_for_every_output(changes: dict[str, Any], words: str) -> None:
    of = snapshot(connection("hub"), **changes)
    assert short_line(of, NOW).startswith(f"? {words}")
    assert words in status.status_bar(of, NOW).message
    assert (why_not_up(of, NOW) or "").startswith(words)
    (found,) = check.running(of, NOW)
    assert found.status == check.CRITICAL
    assert found.message in words or found.message.startswith("silent since ")


def test_a_store_that_works_again_does_not_fail() -> None:
    lost = AlertsSnapshot(store="3 alerts were not stored")
    assert short_line(snapshot(alerts=lost, connections=(connection("hub"),)), NOW).startswith("● 1/1 up")
    failing = AlertsSnapshot(store="disk full", store_fails=True)
    assert "alert store fails" in short_line(snapshot(connection("hub"), alerts=failing), NOW)


def test_the_ranks_are_those_of_the_screen_and_of_the_line() -> None:
    of = [connection("b"), in_state("a", "failed"), in_state("c", "disconnected")]
    assert [each.name for each in worst_first(of)] == ["a", "c", "b"]
    assert [each.name for each in status.in_order(of, "worst")] == ["a", "c", "b"]
    assert rank(of[1]) == Rank.FAILED
    assert short_line(snapshot(*of), NOW).startswith("✗ 1 down a")
