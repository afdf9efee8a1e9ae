"""The face of a replay: what was on the screen then, and that nobody can take it for the present."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.app.seen import app_of, screen_text, until
from tests.engine.conftest import connection, eventually, running
from tui.app.app import OverlaySupervisorApp
from tui.app.typed_lines import moment_of
from tui.demo.hub import Hub
from tui.replay.engine import open_replay
from tui.store.journal import Journal
from tui.text.formats import NOTHING
from widgets.time_line import TimeLineValue, TimeMark, time_line


async def until_seen(pilot: Pilot[int], *texts: str) -> None:
    await until(pilot, lambda: all(text in screen_text(app_of(pilot)) for text in texts))


async def _run(folder: Path) -> None:
    journal = Journal(folder)
    async with Hub() as hub:
        stage = connection("stage", hub.url, "stream:overlays")
        with running(stage, journal=journal, keep_frames=True) as engine:
            assert engine.started.wait(5)
            await eventually(lambda: engine.snapshot().connections[0].details.stable, "up")
            await asyncio.sleep(0.5)
            hub.faults.refuse()
            hub.faults.drop_all()
            await eventually(lambda: engine.snapshot().incidents.open, "an incident")
            await asyncio.sleep(0.3)
    assert journal.close(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("replayed")
    asyncio.run(_run(made))
    return made


async def test_a_journal_is_stepped_through_and_says_that_it_is_none_of_the_present(folder: Path) -> None:
    replay = open_replay(folder, time.time() - 3600)
    replay.start()
    app = OverlaySupervisorApp(replay, replay=replay, clock=replay.now)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await until_seen(pilot, " REPLAY ", "paused")
            await pilot.press("right_parenthesis")
            await until_seen(pilot, "Circuit Breaker Open", "opened breaker_open of stage")
            await pilot.press("i")
            await until_seen(pilot, "phx_join", "heartbeat", "as they were", " REPLAY ")
            await pilot.press("escape")
            await until_seen(pilot, "LAST HOUR")
            # Failed, reconnecting, connected: the lines before.
            await pilot.press(*["less_than_sign"] * 4)
            await until_seen(pilot, "● Connected", "1/1 up")
            # What was read of the log then is gone again.
            assert "breaker_open" not in screen_text(app).split("changes")[1].split("REPLAY")[0]
            await pilot.press("r")
            await until_seen(pilot, "this is a replay: nothing can be done")
            await pilot.press("space")
            await until_seen(pilot, "playing x1")
            await pilot.press("space")
            await until_seen(pilot, "paused")
            await pilot.press("q")
        assert app.return_code == 0
    finally:
        replay.close()


async def test_of_a_journal_no_figure_is_invented(folder: Path) -> None:
    replay = open_replay(folder / "journal", time.time() - 3600)
    replay.start()
    app = OverlaySupervisorApp(replay, replay=replay, clock=replay.now)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("right_parenthesis")
            not_known = [f"{label:<10} {NOTHING}" for label in ("heartbeat", "traffic", "attempts")]
            await until_seen(pilot, "Circuit Breaker Open", "from the journal", *not_known)
            assert "0 failed" not in screen_text(app)
    finally:
        replay.close()


def test_the_time_line_shows_where_one_stands_and_what_there_is() -> None:
    value = TimeLineValue(
        "2026-11-25 21:14:00", "paused", "20:14", "21:20", 0.5, (TimeMark(0.0, 0.25, "·", "dim"),)
    )
    text = "".join(span.text for span in time_line(value, 80))
    assert text.startswith(" REPLAY 2026-11-25 21:14:00 paused  20:14 ····")
    assert text.endswith("── 21:20")
    assert text.count("█") == 1
    assert len(text) <= 80
    assert "".join(span.text for span in time_line(value, 40)).strip().endswith("paused")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("21:14", "2026-11-24T21:14"),
        (" 21:14:05 ", "2026-11-24T21:14:05"),
        ("-5m", "2026-11-24T11:55"),
        ("+90s", "2026-11-24T12:01:30"),
        ("2026-11-23T08:00", "2026-11-23T08:00"),
    ],
)
def test_a_moment_is_of_the_day_that_is_shown(typed: str, expected: str) -> None:
    noon = datetime(2026, 11, 24, 12).timestamp()
    found = moment_of(typed, noon, noon - 20 * 86_400, noon + 20 * 86_400)
    assert found == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize(
    ("at", "typed", "expected"),
    [
        ("2026-11-18T23:30", "01:00", "2026-11-19T01:00"),
        ("2026-11-19T01:00", "23:00", "2026-11-18T23:00"),
        ("2026-11-19T01:00", "22:00", "2026-11-18T22:00"),
        # Neither is held: told as beyond the end of the day that is shown.
        ("2026-11-19T01:00", "12:00", "2026-11-19T12:00"),
    ],
)
def test_a_time_of_day_beyond_midnight_is_of_the_day_that_holds_it(
    at: str, typed: str, expected: str
) -> None:
    begin, end = (datetime(2026, 11, day, hour, 0, 4).timestamp() for day, hour in ((18, 22), (19, 2)))
    found = moment_of(typed, datetime.fromisoformat(at).timestamp(), begin, end)
    assert found == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize("typed", ["", "25:00", "soon", "-5", "99:99"])
def test_what_is_no_moment_is_none(typed: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|hour|minute"):
        moment_of(typed, 0.0, 0.0, 0.0)
