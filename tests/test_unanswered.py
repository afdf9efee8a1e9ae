"""A hub that sends data and answers no heartbeat any more: the same is said of it by every output."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from tests.channels.real import FrameServer
from tests.engine.conftest import FAST, connection, eventually, running, state_of
from tui.app.presenters import dashboard, details, status
from tui.cli import check
from tui.cli.ctl.words import lasting, short_line
from tui.engine.reporters import JsonLines
from tui.metrics.exposition import exposition
from tui.model.snapshot import Snapshot
from tui.text.formats import NOTHING, time_of_day


def answers_once() -> Any:
    """Answers one heartbeat; then says something on a topic for each of the others."""
    was_asked = False

    async def answer(server: Any, frame: list[Any]) -> bool:
        nonlocal was_asked
        if frame[3] != "heartbeat":
            return False
        if was_asked:
            await server.send(json.dumps([None, None, "echo:1", "tick", {}]))
            return True
        was_asked = True
        return False

    return answer


async def test_every_output_says_that_heartbeats_are_not_answered_and_shows_no_round_trip() -> None:
    async with FrameServer(answers_once()) as server:
        with running(connection("hub", server.url, "echo:1", options=FAST)) as engine:
            await eventually(lambda: state_of(engine, "hub") == "connected", "connected")
            well = engine.snapshot()
            await eventually(
                lambda: engine.snapshot().connections[0].details.heartbeats_unanswered_since is not None,
                "two heartbeats without an answer",
            )
            told = engine.snapshot()
            assert server.connects == 1
    assert_well(well)
    assert_told(told)


def assert_well(snapshot: Snapshot) -> None:
    shown = snapshot.connections[0]
    assert "unanswered" not in dashboard.connection_row(shown, snapshot, snapshot.taken_at).state


def assert_told(snapshot: Snapshot) -> None:
    (shown,) = snapshot.connections
    now = snapshot.taken_at
    since = shown.details.heartbeats_unanswered_since
    assert since is not None
    words = f"heartbeats unanswered since {time_of_day(since, now)}"
    assert abs(since - time.time()) < 30

    row = dashboard.connection_row(shown, snapshot, now)
    assert (row.symbol, row.state, row.tone) == ("◐", f"Connected, {words}", "busy")
    assert row.round_trip == NOTHING
    bar = status.status_bar(snapshot, now)
    assert (bar.tone, bar.message, bar.tally) == ("busy", f"◐ Connected, {words}", "1/1 up")
    facts = {fact.label: fact.value for fact in dashboard.facts(shown, None, snapshot, now)}
    assert words in facts["since"]
    assert facts["round trip"] == NOTHING
    state = details.health(shown, snapshot, now)[0][0]
    assert (state.value, state.tone) == (f"connected, {words}", "busy")
    assert [fact.value for fact in details.heartbeat(shown, snapshot, now)[0][:3]] == [NOTHING] * 3

    (found,) = check.running(snapshot, now)
    assert str(found) == f"WARNING hub: connected, {words}, 1/1 topics joined"

    view = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
    assert lasting(view.connections[0], now)[1:] == ("◐", f"connected, {words}")
    assert view.connections[0].details.round_trip_last is None
    assert short_line(view, now).startswith("◐ 1 with heartbeats unanswered hub 1/1")

    lines: list[dict[str, Any]] = []
    JsonLines(lambda line: lines.append(json.loads(line))).report(snapshot)
    assert lines[0]["heartbeatsUnansweredSince"] == since
    assert lines[0]["metrics"]["connectionState"] == "connected"
    assert lines[0]["roundTrip"] == {"last": None, "p50": None, "p95": None}

    page = exposition(snapshot, now, version="1").decode()
    assert 'overlay_supervisor_heartbeats_unanswered{connection="hub"} 1' in page
    assert 'heartbeat_round_trip_seconds{connection="hub"' not in page
