"""The alert queue as a person sees it: what is said of it, what keys do with it, what it costs."""

from __future__ import annotations

import csv
import io
import itertools
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.app.seen import SIZE, screen_lines, screen_text, until, until_seen
from tests.scripted_engine import ScriptedEngine, alert, connection, ended, evening, evening_alerts
from tui.alerts.events import TYPES
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.presenters import alert_history, status
from tui.app.presenters.alerts import on_air
from tui.app.screens.alerts import AlertsScreen
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.palette import palette_commands
from tui.model.alerts import AlertOutcome, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.snapshot import CommandResult, Snapshot
from tui.text import formats
from widgets.on_air import OnAirValue, on_air_line
from widgets.prompt import Prompt
from widgets.untrusted import cell_width

NOW = float(int(time.time()))
PLAYING = evening_alerts(at=NOW).playing
assert PLAYING is not None
HOSTILE = "[/bad] \x1b[2J\u202e日本\ud800 " + "x" * 2000


def snapshot_of(value: AlertsSnapshot | None, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {"sequence": 1, "taken_at": NOW, "started_at": NOW, "alerts": value}
    return Snapshot(**values | changes)


def row_2(value: AlertsSnapshot, width: int = 80, **changes: Any) -> str:
    shown = on_air(snapshot_of(value, **changes), NOW)
    assert shown is not None
    return "".join(span.text for span in on_air_line(shown, width))


def playing(**changes: Any) -> AlertSummary:
    return msgspec.structs.replace(PLAYING, **changes)


# Row 2: what viewers see


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ON AIR  raid  avalon raids with 120      ▓▓▓▓▓▓▒▒▒▒    6s   PLAYING  2 waiting"),
        ({"mode": "paused"}, "ON AIR  raid  avalon raids with 120      ▓▓▓▓▓▓▒▒▒▒    6s   PAUSED  2 waiting"),
        ({"playing": playing(confirmed=False)}, "SENT, unconfirmed  raid  avalon raids"),
        ({"playing": playing(phase="sending", ends_at=None)}, "SENDING  raid  avalon raids with 120   "),
        ({"playing": playing(phase="retrying", ends_at=None)}, "TRYING AGAIN  raid"),
        ({"delivers_to": None}, "NOT DELIVERED  raid"),
        ({"store": "disk full"}, "ON AIR  raid  avalon raids with 120  ▓▓▓▒▒  6s   2 waiting  store trouble"),
        ({"playing": None, "beside": (playing(),)}, "ON AIR  raid"),
        ({"playing": None, "mode": "idle", "waiting": ()}, "nothing on air"),
        ({"playing": None, "mode": "paused"}, "PAUSED  nothing on air"),
        (
            {"playing": None, "mode": "held", "held_until": NOW + 9},
            f"HELD until {formats.time_of_day(NOW + 9, NOW)}  nothing on air",
        ),
        (
            {
                "playing": None,
                "mode": "waiting for overlays",
                "message": "stage: not joined",
            },
            "WAITING FOR OVERLAYS:  stage: not joined",
        ),
        (
            {"playing": None, "mode": "idle", "store": "disk full", "unsaved": 7},
            "nothing on air  store trouble: disk full; 7 in memory only",
        ),
        (
            {"playing": None, "mode": "idle", "away": (SourceAway(source="events", since=NOW - 5),)},
            f"nothing on air  source away since {formats.time_of_day(NOW - 5, NOW)}: events",
        ),
    ],
    # The texts hold the time of day, by which no test may be named.
    ids=lambda value: None if isinstance(value, dict) else "words",
)
def test_row_2_says_what_viewers_see_and_why_they_see_nothing(changes: dict[str, Any], expected: str) -> None:
    text = row_2(evening_alerts(at=NOW, **changes))
    assert " ".join(text.split()).startswith(" ".join(expected.split()))


def test_nothing_is_called_on_air_that_no_overlay_is_known_to_show() -> None:
    for phase, confirmed, delivers_to, taken_at in itertools.product(
        ("sending", "retrying", "on air"), (False, True), (None, "stage stream:overlays"), (NOW - 9, NOW)
    ):
        value = evening_alerts(
            at=NOW, delivers_to=delivers_to, playing=playing(phase=phase, confirmed=confirmed)
        )
        shown = on_air(snapshot_of(value, taken_at=taken_at), NOW)
        certain = phase == "on air" and confirmed and delivers_to is not None and taken_at == NOW
        assert shown is not None
        assert (shown.tone == "air") is certain
        assert (shown.label == "ON AIR") is certain


TEXTS = st.text(max_size=60)


@given(
    st.builds(
        OnAirValue,
        st.just("air"),
        TEXTS,
        type=TEXTS,
        what=TEXTS,
        left=st.none() | st.floats(0, 1),
        seconds=st.just("12s"),
        state=TEXTS,
        tally=TEXTS,
        trouble=TEXTS,
    ),
    st.integers(60, 200),
)
def test_what_it_is_goes_before_the_bar_and_the_words_on_the_right(value: OnAirValue, width: int) -> None:
    text = "".join(span.text for span in on_air_line(value, width))
    head = cell_width(f"{value.label}{value.type}") + 12
    assert cell_width(text) <= max(width, head + 10)
    assert ("12s" in text) or value.left is None


def test_figures_that_merely_tick_are_not_urgent() -> None:
    before = status.urgent(snapshot_of(evening_alerts(at=NOW)))
    for ticking in (
        {"accepted": 999, "ignored": 9, "counts": {}},
        {"playing": playing(count=7, ends_at=NOW + 99)},
        {"overlays": ()},
    ):
        assert status.urgent(snapshot_of(evening_alerts(at=NOW, **ticking))) == before
    for urgent in (
        {"mode": "paused"},
        {"playing": playing(phase="sending")},
        {"playing": playing(confirmed=False)},
        {"waiting": ()},
        {"store": "disk full"},
        {"warning": "the hub runs a queue of its own"},
        {"away": (SourceAway(source="events", since=NOW),)},
    ):
        assert status.urgent(snapshot_of(evening_alerts(at=NOW, **urgent))) != before
    words = [evening_alerts(at=NOW, store=f"disk full; {count} in memory") for count in (1, 2)]
    assert status.urgent(snapshot_of(words[0])) == status.urgent(snapshot_of(words[1]))


# Where it is seen


async def test_at_80x24_the_pane_stands_beside_the_facts() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "1 ★7  sub    kaelan subscribed")
        lines = screen_lines(app)
        assert lines[1].startswith(" ON AIR  raid  avalon raids with 120 ")
        text = "\n".join(lines)
        for words in (
            "2 ★3  follow zed followed (+11)",
            "skipped  follow bot_9",
            "away 19 s alerts not seen",
        ):
            assert words in text
        # What only grew another one is told by its count.
        assert "bot_8" not in text
        assert "CHANNELS" not in text


async def test_at_120x40_the_channels_are_seen_too() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(120, 40)) as pilot:
        await until_seen(pilot, "2 ★3  follow zed followed (+11 collapsed)")
        await until_seen(pilot, "✗ transcription:live")


async def test_at_60x15_rows_1_and_2_the_failing_links_and_the_keys_remain() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(60, 15)) as pilot:
        await until_seen(pilot, "▸✗ phononmaser_in")
        lines = screen_lines(app)
        assert lines[0].startswith(" ✗ Circuit Breaker Open")
        assert lines[1].startswith(" ON AIR  raid  avalon raids wit")
        assert lines[1].endswith("PLAYING  2 waiting ")
        assert "◐ takeover" in "\n".join(lines)
        assert "space pause" in lines[-1]


async def test_without_a_queue_nothing_of_it_is_seen_and_its_keys_say_so() -> None:
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "CHANNELS")
        assert "ON AIR" not in screen_text(app)
        assert "pause" not in screen_lines(app)[-1]
        for key in ("space", "s", "u", "X", "a"):
            await pilot.press(key)
            await until(pilot, lambda: screen_lines(app)[-1].startswith(" no alert queue is set up"))
            app.screen.note("")  # type: ignore[attr-defined]  # every screen of ours has it
            await pilot.pause()
        assert engine.asked == []


# What it costs


async def test_only_the_time_of_what_plays_is_painted_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [NOW]
    engine = evening(NOW)
    engine._clock = lambda: at[0]
    app = OverlaySupervisorApp(engine, options=AppOptions(refresh=60.0), clock=lambda: at[0])
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "  6s   PLAYING")
        await pilot.pause(0.2)
        painted: list[Any] = []
        display = app._display

        def record(screen: Any, renderable: Any) -> None:
            if renderable is not None:
                painted.append(renderable)
            display(screen, renderable)

        monkeypatch.setattr(app, "_display", record)
        # A step that begins no new minute: what ticks in the rest of the screen stands still.
        at[0] += 1 if int(NOW) % 60 < 58 else -1
        await until(pilot, lambda: "  6s   PLAYING" not in screen_lines(app)[1])
        await pilot.pause(0.4)
        assert len(painted) == 1
        assert {y for y, _, _ in painted[0].spans} == {1}
        engine.change_alerts(playing=None, mode="idle", waiting=())
        await until(pilot, lambda: screen_lines(app)[1].startswith(" nothing on air"))
        await pilot.pause(0.1)
        painted.clear()
        at[0] += 1 if int(at[0]) % 60 < 58 else -1
        await pilot.pause(0.4)
        assert painted == []


# Keys

PAUSED = {"mode": "paused"}


EVERYWHERE: tuple[tuple[dict[str, Any], str, tuple[str, ...]], ...] = (
    ({}, "space", ("pause",)),
    (PAUSED, "space", ("resume",)),
    ({"mode": "held", "held_until": NOW + 60}, "space", ("resume",)),
    ({}, "s", ("skip",)),
    ({}, "u", ("undo",)),
    ({}, "X X", ("panic",)),
    ({}, "question_mark space", ("pause",)),
)
# Each begins on the first row: the raid that plays. A sub and follows wait, a cheer has ended.
ON_THE_SCREEN = (
    ("x", ("remove", "raid-1")),
    ("j x", ("remove", "sub-1")),
    ("j J", ("move", "sub-1", "2")),
    ("j j K", ("move", "follow-9", "1")),
    ("j j j r", ("requeue", "cheer-4")),
    ("h enter", ("hold", "30.0")),
    ("h 2 0 enter", ("hold", "20.0")),
    ("h end backspace 5 enter", ("hold", "35.0")),
    ("j m enter", ("mute", "sub", "600.0")),
    ("j m 3 enter", ("mute", "sub", "180.0")),
    ("m c h e e r space 3 enter", ("mute", "cheer", "180.0")),
    ("t backspace 5 0 enter", ("test", "raid", "50")),
    ("t s u b enter", ("test", "sub")),
    ("t end 0 enter", ("test", "raid", "10")),
    ("C C", ("clear", "None")),
    ("j j c y", ("clear", "follow")),
)
NONSENSE = (
    ("C escape", "x remove"),
    ("j K", "it is the first already"),
    ("J", "only what waits can be moved"),
    ("r", "it has not ended yet"),
    ("G x", "it has ended already"),
    ("j j j j j x", "that is no alert: a source was away"),
    ("h x enter", "✗ expected a number of seconds, such as 30:"),
    ("m backspace backspace enter", "✗ expected a type and minutes, such as follow 10:"),
)


async def test_keys_give_commands_everywhere() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        for changes, keys, asked in EVERYWHERE:
            engine.alerts_value = evening_alerts(**changes)
            app.show_now()
            await pilot.press(*keys.split())
            await until(pilot, lambda: bool(engine.asked))
            assert engine.asked == [("alerts", *asked)], keys
            engine.asked.clear()


async def test_keys_give_commands_for_the_selected_alert() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        for keys, asked in ON_THE_SCREEN:
            await pilot.press("g", *keys.split())
            await until(pilot, lambda: bool(engine.asked))
            assert engine.asked == [("alerts", *asked)], keys
            engine.asked.clear()


async def test_what_makes_no_sense_is_not_asked_for() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        for keys, told in NONSENSE:
            if app.screen.query(Prompt):
                await pilot.press("escape")
            await pilot.press("g", *keys.split())
            await until_last_row(pilot, app, told)
        assert engine.asked == []


async def until_last_row(pilot: Pilot[int], app: OverlaySupervisorApp, words: str) -> None:
    await until(pilot, lambda: words in screen_lines(app)[-1])


async def test_the_footer_says_resume_where_space_resumes() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "space pause" in screen_lines(app)[-1])
        engine.change_alerts(mode="paused")
        await until(pilot, lambda: "space resume" in screen_lines(app)[-1])


async def test_a_refusal_is_told_with_what_was_asked() -> None:
    engine = evening()
    engine.answer = CommandResult(ok=False, message="nothing is playing")
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("s")
        await until_seen(pilot, "✗ skip: nothing is playing")


async def test_the_palette_tries_each_type() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        assert isinstance(app.screen, DashboardScreen)
        titles = {command.title: command.run for command in palette_commands(app, app.screen)}
        assert {f"alerts: test {type}" for type in TYPES} <= titles.keys()
        assert "alerts: hold for some seconds" in titles
        assert "alerts: remove the selected" not in titles
        titles["alerts: test raid"]()
        await until(pilot, lambda: engine.asked == [("alerts", "test", "raid")])


# The queue's own screen


def many(count: int, outcome: AlertOutcome = "shown", start: int = 0) -> list[AlertSummary | SourceAway]:
    numbers = range(start, start + count)
    return [ended(f"old-{n}", outcome, who=f"viewer_{n}", at=NOW - 3600 - n) for n in numbers]


async def test_the_history_is_read_on_as_one_scrolls() -> None:
    engine = evening()
    engine.past = many(250)
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "24 hours  63 shown, 1 unconfirmed, 412 collapsed")
        await until_seen(pilot, "viewer_1 ")
        await pilot.press("tab")
        await until_seen(pilot, "history     105 read, older ones follow")
        await pilot.press("tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "alerts")
        for _ in range(2):
            await pilot.press("G")
            await pilot.pause(0.1)
        await until_seen(pilot, "viewer_199 ")
        await pilot.press("G")
        await pilot.press("G")
        await until_seen(pilot, "viewer_249 ")


async def test_a_filter_by_outcome_reaches_what_was_not_read_yet() -> None:
    engine = evening()
    engine.past = [*many(250), *many(1, "failed", start=900)]
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a", "a", "slash", *"failed", "enter")
        await until_seen(pilot, "failed      viewer_900 followed")
        assert sum(isinstance(screen, AlertsScreen) for screen in app.screen_stack) == 1
        await until_seen(pilot, "only 'failed': 1, esc shows all")
        assert "kaelan" not in screen_text(app)
        await pilot.press("escape")
        await until_seen(pilot, "kaelan")
        # What grew another one has no row, unless it is asked for.
        assert "bot_8" not in screen_text(app)
        await pilot.press("slash", *"coll")
        await until_seen(pilot, "collapsed   bot_8 followed")
        await pilot.press("escape", "slash", *"foll")
        await until_seen(pilot, "zed followed (+11 collapsed)")
        await until(pilot, lambda: "kaelan" not in screen_text(app))


async def test_without_a_store_what_ended_lately_is_still_seen() -> None:
    engine = evening()
    engine.past_refused = "no store keeps a history"
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "no older ones: no store keeps a history")
        assert "mira cheered 420 bits" in screen_text(app)


async def test_what_was_put_back_has_not_ended_any_more() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "skipped     bot_9 followed")
        assert engine.alerts_value is not None
        engine.change_alerts(waiting=(*engine.alerts_value.waiting, alert("follow-8", who="bot_9")))
        await until_seen(pilot, "waiting     bot_9 followed")
        assert "skipped     bot_9" not in screen_text(app)


async def test_more_that_ended_than_a_snapshot_holds_is_read_from_the_store() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "mira cheered")
        burst = [ended(f"burst-{n}", who=f"crowd_{n}", at=NOW - n / 100) for n in range(80)]
        engine.past = [*burst, *engine.past]
        engine.change_alerts(recent=tuple(burst[:50]))
        await until_seen(pilot, "crowd_1 ")
        await pilot.press("slash", *"shown", "enter")
        await pilot.press("G", "G")
        await until_seen(pilot, "crowd_79 ")


async def test_the_cursor_goes_on_after_a_removal_and_stays_with_what_ends_by_itself() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "▸1        ★7  sub")
        first, second = engine.alerts_value.waiting if engine.alerts_value else ()
        await pilot.press("x")
        await until(pilot, lambda: bool(engine.asked))
        engine.change_alerts(waiting=(second,))
        await until_seen(pilot, "▸1        ★3  follow")
        await pilot.press("j", "k")
        engine.change_alerts(
            waiting=(first,),
            recent=(msgspec.structs.replace(second, state="ended", outcome="expired", ended_at=NOW),),
        )
        await until_seen(pilot, "★3  follow     expired")
        assert next(line for line in screen_lines(app) if line.startswith("▸")).split()[3] == "expired"


async def test_a_key_held_down_moves_further_than_the_snapshots_follow() -> None:
    engine = evening()
    engine.change_alerts(waiting=tuple(alert(f"w-{n}", who=f"viewer_{n}") for n in range(5)))
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "▸1 ")
        for _ in range(3):
            app.simulate_key("J")
        await until(pilot, lambda: len(engine.asked) == 3)
        assert engine.asked == [("alerts", "move", "w-0", str(place)) for place in (2, 3, 4)]


async def test_one_alert_is_shown_in_full_and_hostile_text_changes_nothing_else() -> None:
    engine = evening()
    bad = alert("bad", HOSTILE, HOSTILE, title=HOSTILE, message=HOSTILE)
    engine.change_alerts(
        playing=msgspec.structs.replace(bad, id="on", state="playing", phase="on air", confirmed=True),
        waiting=(bad,),
        recent=(
            msgspec.structs.replace(bad, id="was", state="ended", outcome="rejected", reason=HOSTILE),
            SourceAway(source=HOSTILE, since=NOW - 9, until=NOW - 3),
        ),
        counts={HOSTILE: {HOSTILE: 1}},
        mutes={HOSTILE: NOW + 60},
        delivers_to=HOSTILE,
        store=HOSTILE,
        warning=HOSTILE,
        message=HOSTILE,
    )
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "[/bad] ␛[2J")
        for keys, seen in (
            (("a",), "waiting     [/bad] ␛[2J"),
            (("tab",), "WARNINGS"),
            (("tab", "m"), "mute TYPE MINUTES, 0 ends it:"),
            (("escape", "c"), "remove 1 waiting alert of type [/bad]"),
            (("n", "enter"), "  id          bad"),
            (("G",), '"bits": 420}'),
            (("a",), "waiting     [/bad] ␛[2J"),
        ):
            await pilot.press(*keys)
            await until_seen(pilot, seen)
            for line in screen_lines(app):
                assert not {"\x1b", "\u202e", "\ud800"} & set(line)
                assert cell_width(line) == 80
        assert len(app.screen_stack) == 2


async def test_the_figures_stand_beside_the_list_where_there_is_room() -> None:
    engine = evening()
    engine.change_alerts(
        store="disk full",
        away=(SourceAway(source="events events:all", since=NOW - 5),),
        unmapped={f"event:{number}": 20 - number for number in range(12)},
    )
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("a")
        await until_seen(pilot, "24 HOURS")
        text = screen_text(app)
        for words in (
            "follow      31 shown, 9 skipped",
            "raid        2 shown, 1 unconfirmed",
            "omnibar     ● connected",
            "takeover    ○ away",
            "redemption  until ",
            "store trouble: disk full",
            "20 event:0",
            "16 event:4",
            "and 7 more",
            "away now",
            "▸1 ",
        ):
            assert words in text


async def test_every_size_holds() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        for keys in ("a", "tab", "tab enter", "escape escape"):
            await pilot.press(*keys.split())
            for size in ((200, 50), (1, 1), SIZE):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert len(screen_lines(app)) == size[1]


async def test_a_full_queue_and_test_alerts_are_told() -> None:
    engine = evening()
    trial = ended("trial", "shown", who="tester", at=NOW - 5)
    engine.change_alerts(
        waiting=tuple(evening_alerts().waiting[0] for _ in range(50)),
        counts={"raid": {"dropped": 58, "shown": 1}, "sub": {"dropped": 1}},
        recent=(msgspec.structs.replace(trial, source="test"),),
    )
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "queue full")
        await pilot.press("a", "tab")
        await until_seen(pilot, "queue full: 59 dropped since the start")
        await pilot.press("tab", "G")
        await until_seen(pilot, "(test) tester")


# Files


async def test_the_history_is_written_as_far_as_it_is_filtered(tmp_path: Path) -> None:
    engine = evening()
    formula = ended("formula", "failed", who='=HYPERLINK("x")', title="a, b\nc \ud800", at=NOW - 5)
    engine.past = [*many(1200), formula]
    app = OverlaySupervisorApp(engine, options=AppOptions(folder=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a", "w")
        await until_seen(pilot, "1,201 entries of the history: ")
        await pilot.press("slash", *"failed", "enter", "w")
        await until_seen(pilot, "1 entry of the history: ")
        await pilot.press("W")
        await until(pilot, lambda: len(written(tmp_path)) == 3)
    whole, filtered, table = written(tmp_path)
    assert len(whole.splitlines()) == 1201
    line = json.loads(filtered)
    assert (line["kind"], line["id"], line["outcome"], line["count"]) == ("alert", "formula", "failed", 1)
    [row] = csv.DictReader(io.StringIO(table))
    assert row["who"] == '\'=HYPERLINK("x")'
    assert (row["kind"], row["title"]) == ("alert", "a, b␊c �")
    assert row["ended_at"].endswith("+00:00")


def written(folder: Path) -> list[str]:
    """The files, the longest JSON lines first, then the table."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.suffix == ".csv", -path.stat().st_size))
    return [path.read_text(encoding="utf-8") for path in paths]


# The filter


@pytest.mark.parametrize(
    ("text", "type", "outcome"),
    [
        ("", None, None),
        ("follow", "follow", None),
        ("FOLL", "follow", None),
        ("skipped", None, "skipped"),
        ("sk follow", "follow", "skipped"),
        # Several things begin so: all that is told of an alert is searched.
        ("re", None, None),
        ("nothing such", None, None),
    ],
)
def test_a_filter_is_read_as_it_is_typed(text: str, type: str | None, outcome: str | None) -> None:
    wanted = alert_history.alert_filter(text, TYPES)
    assert (wanted.type, wanted.outcome) == (type, outcome)


async def test_a_viewer_is_found_by_name() -> None:
    engine = evening()
    engine.past = [*many(300), ended("bob", "shown", who="Bob", at=NOW - 9000)]
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a", "slash", *"bob", "enter")
        await until_seen(pilot, "only 'bob': 1")
        assert any(" Bob" in line and "shown" in line for line in screen_lines(app))
        assert engine.words_asked == ("bob",)


def test_a_type_that_is_named_is_no_other_that_holds_its_name() -> None:
    wanted = alert_history.alert_filter("sub", TYPES)
    assert wanted.passes(alert("a", "sub"))
    assert not wanted.passes(alert("b", "resub"))
    assert alert_history.alert_filter("ub", TYPES).passes(alert("b", "resub"))
