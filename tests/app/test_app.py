"""The face on a scripted engine: what is seen at every size, what keys do, what costs nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.style import Style
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from tests.scripted_engine import BusyEngine, ScriptedEngine, channel, connection, evening, history, hub_away
from tui.app.actions import ACTIONS
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.keymap import keymap
from tui.app.remembered import Remembered
from tui.app.screens.alerts import AlertsScreen
from tui.app.screens.base import SupervisorScreen
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.details import DetailsScreen
from tui.app.screens.incidents import IncidentsScreen
from tui.app.screens.inspector import InspectorScreen
from tui.app.screens.palette import Palette, palette_commands
from tui.app.screens.text import HelpScreen, MetricsScreen
from tui.app.screens.theme import THEMES
from tui.model.engine import Availability, CommandResult, ConnectionSnapshot, DiskHealthSnapshot, ExtraCommand
from widgets.change_log import ChangeLog
from widgets.prompt import Prompt

SIZE = (80, 24)


def screen_lines(app: OverlaySupervisorApp) -> list[str]:
    """What is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def screen_text(app: OverlaySupervisorApp) -> str:
    return "\n".join(screen_lines(app))


async def until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for a condition, with a limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within the limit; the screen:\n" + screen_text(app_of(pilot)))
        await pilot.pause(0.02)


async def until_seen(pilot: Pilot[int], text: str) -> None:
    await until(pilot, lambda: text in screen_text(app_of(pilot)))


def app_of(pilot: Pilot[int]) -> OverlaySupervisorApp:
    assert isinstance(pilot.app, OverlaySupervisorApp)
    return pilot.app


def row_of(app: OverlaySupervisorApp, start: str) -> str:
    return next(line for line in screen_lines(app) if line.strip(" ▸─").startswith(start))


# What is seen


async def test_an_evening_at_80x24() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "phononmaser_in")
        lines = screen_lines(app)
        assert lines[0].startswith(" ✗ Circuit Breaker Open  phononmaser_in  next try ")
        assert lines[0].rstrip().endswith("6/9 up")
        assert lines[1].startswith(" ON AIR  raid  avalon raids with 120 ")
        assert lines[2].startswith(" DEMO: faults are staged; next: hub restart")
        assert lines[4].startswith("▸✗ phononmaser_in  Circuit Breaker Open ")
        text = "\n".join(lines)
        for word in (
            "LAST HOUR",
            "RECONNECTS",
            "breaker    open, 2 trips, next ",
            "heartbeat  1 failed, last ok ",
            "─ alerts ─ 2 of 50 waiting",
            "changes",
            "reconnects 11",
            "circuit trips 2",
        ):
            assert word in text
        assert "DEMO" not in lines[-1]
        assert all(key in lines[-1] for key in ("pause", "skip", "panic", "reconnect", "palette", "help"))


@pytest.mark.parametrize("size", [(200, 50), (80, 24), (40, 10), (12, 4), (3, 2), (1, 1)])
@pytest.mark.parametrize(
    "keys", [(), ("j", "enter"), ("question_mark",), ("m",), ("slash", "s"), ("ctrl+p",)]
)
async def test_every_size_holds(size: tuple[int, int], keys: tuple[str, ...]) -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=size) as pilot:
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        assert len(screen_lines(app)) == size[1]
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.resize_terminal(*size)
        await pilot.pause()


async def test_what_is_not_kept_is_told() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: row_of(app, "changes") != "")
        full = "journal: not written: No space left on device, 3 events missing"
        engine.persistence = DiskHealthSnapshot(troubles=(full,))
        await until_seen(pilot, full)


async def test_a_share_of_the_last_minutes_is_no_older_than_ten_seconds() -> None:
    moment = time.time()
    engine = ScriptedEngine([connection("stage")], clock=lambda: moment)
    engine.histories["stage"] = history(last_5_minutes=Availability(share=0.75, observed=150.0))
    app = OverlaySupervisorApp(engine, clock=lambda: moment)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "75.0%")
        engine.histories["stage"] = history(last_5_minutes=Availability(share=0.93, observed=160.0))
        moment += 10.0
        await until_seen(pilot, "93.0%")


async def test_row_1_is_on_every_screen() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        for keys in (("enter",), ("escape", "question_mark"), ("escape", "m")):
            await pilot.press(*keys)
            await until(pilot, lambda: screen_lines(app)[0].startswith(" ✗ Circuit Breaker Open"))


async def test_the_indicator_is_seen_only_with_a_reason() -> None:
    engine = ScriptedEngine([connection("stage", metrics={"total_reconnects": 2})])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "round trip")
        assert "reconnects 2 " in screen_text(app)
        assert "● Connected" not in "\n".join(screen_lines(app)[1:])
        await pilot.press("b")
        await until_seen(pilot, " ● Connected\n".strip("\n"))
        await until(pilot, lambda: "● Connected" in "\n".join(screen_lines(app)[1:]))
        await pilot.press("b")
        await until(pilot, lambda: "● Connected" not in "\n".join(screen_lines(app)[1:]))


async def test_a_stopped_engine_is_unmistakable() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        engine.stopped = "it was asked to stop"
        await until_seen(pilot, " ✗ engine stopped: it was asked to stop")
        assert "▸? phononmaser_in  was Circuit Breaker" in screen_text(app)
        await until(pilot, lambda: "● " not in screen_text(app))


async def test_the_end_of_the_engines_thread_is_shown() -> None:
    def fail() -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise OSError("no more descriptors")

    app = OverlaySupervisorApp(evening(), fail)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, " ✗ engine stopped: OSError: no more descriptors")


async def test_an_engines_thread_that_just_ends_is_shown() -> None:
    app = OverlaySupervisorApp(evening(), lambda: None)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, " ✗ engine stopped: its loop ended")


async def test_no_connections() -> None:
    app = OverlaySupervisorApp(ScriptedEngine())
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "? no connections")
        await pilot.press("r", "enter", "m", "D", "p", "j", "G")
        await until_seen(pilot, "no connection is selected")


async def test_hostile_text_from_the_network_changes_nothing_else() -> None:
    hostile = "[/bad] \x1b[2J\u202e日本\ud800 " + "x" * 100_000
    engine = ScriptedEngine(
        [
            connection(
                "stage",
                metrics={"connection_state": "reconnecting"},
                details={"reason": hostile, "last_close_reason": hostile, "last_close_code": 4000},
                channels=(channel(hostile, last_event=hostile, last_text=hostile, reason=hostile),),
            )
        ],
        notice=hostile,
    )
    engine.write(hostile, "stage", "error")
    engine.answer = CommandResult(ok=False, message=hostile)
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "[/bad] ␛[2J")
        await pilot.press("r", "enter")
        await pilot.pause(0.3)
        for line in screen_lines(app):
            assert "\x1b" not in line
            assert "\u202e" not in line
        await pilot.press("escape", "colon")
        await pilot.pause(0.3)


# Degraded operation


async def test_hub_away_line_by_line_and_back() -> None:
    engine = ScriptedEngine([connection("stage"), hub_away("events")])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "◐ Reconnecting (3)")
        assert screen_lines(app)[0].startswith(" ◐ Reconnecting (3)  events  next try ")
        await until_seen(pilot, "errored 7/100 ")
        await until_seen(pilot, "channels   0/2  buffered 7")
        assert "; refused by saya:7175" in screen_text(app)
        assert "1012 service restart" in screen_text(app)
        engine.replace(
            "events", **{f: getattr(connection("events"), f) for f in ("metrics", "details", "channels")}
        )
        engine.replace("events", trouble=None)
        await until(pilot, lambda: screen_lines(app)[0].startswith(" ● Connected  all 2 connections"))
        await pilot.press("home")
        assert "7/100" not in screen_text(app)


async def test_a_push_while_the_hub_is_away_answers_not_connected() -> None:
    engine = ScriptedEngine([hub_away("events")])
    engine.answer = CommandResult(ok=False, message="not connected: events: refused by saya:7175")
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p")
        await until_seen(pilot, "push topic event JSON: stream:overlays ping {}")
        await pilot.press("enter")
        await until_seen(pilot, "✗ push ping on stream:overlays: not connected: events: refused by saya:7175")
        assert engine.asked == [("push", "events", "stream:overlays", "ping", "{}")]


async def test_brackets_without_end_and_broken_text_do_not_end_the_face() -> None:
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        for payload in ("[" * 5000, '"\ud800"'):
            await pilot.press("p")
            await until(pilot, lambda: len(app.screen.query(Prompt)) == 1)
            app.screen.query_one(Input).value = f"stream:overlays ping {payload}"
            await pilot.press("enter")
            await until_seen(pilot, "✗ not JSON")
            await pilot.press("escape")
            await until(pilot, lambda: not app.screen.query(Prompt))
        assert engine.asked == []


async def test_a_push_that_is_no_json_is_not_sent() -> None:
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p")
        await pilot.pause()
        await pilot.press("x", "enter")
        await until_seen(pilot, "✗ not JSON at column 24, trailing characters: stream:overlays ping {}x")
        assert engine.asked == []
        # One character was wrong, not all of it.
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: engine.asked == [("push", "stage", "stream:overlays", "ping", "{}")])


async def test_a_long_reply_is_shown_in_full_on_a_screen_of_its_own() -> None:
    engine = ScriptedEngine([connection()])
    engine.answer = CommandResult(ok=True, message='{"queue":[' + ",".join(["1"] * 60) + '],"last":"one"}')
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p")
        await until_seen(pilot, "push topic event JSON: ")
        await pilot.press("enter")
        await until_seen(pilot, "─ reply ─ push ping on stream:overlays")
        await pilot.press("G")
        await until_seen(pilot, '   "last": "one"')
        await pilot.press("escape")
        await until_seen(pilot, "LAST HOUR")


# Keys


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("c",), ("connect", "phononmaser_in")),
        (("r",), ("reconnect", "phononmaser_in")),
        (("j", "r"), ("reconnect", "events")),
        (("down", "down", "k", "c"), ("connect", "events")),
        (("G", "c"), ("connect", "stage")),
        (("G", "g", "c"), ("connect", "phononmaser_in")),
        (("C",), ("connect", "None")),
        (("R", "R"), ("reconnect", "None")),
        (("R", "y"), ("reconnect", "None")),
        (("D", "D"), ("disconnect", "phononmaser_in")),
        (("D", "y"), ("disconnect", "phononmaser_in")),
        (("b",), ("set_debug", "True")),
        (("enter", "r"), ("reconnect", "phononmaser_in")),
    ],
)
async def test_keys_give_commands(keys: tuple[str, ...], asked: tuple[str, ...]) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        for key in keys:
            await pilot.press(key)
        await until(pilot, lambda: bool(engine.asked))
        assert engine.asked == [asked]


@pytest.mark.parametrize(
    "keys", [("R", "escape"), ("D", "escape"), ("D", "n"), ("R", "j"), ("D", "R"), ("q", "x")]
)
async def test_a_question_is_called_off_by_any_other_key(keys: tuple[str, ...]) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*keys)
        await pilot.pause(0.1)
        assert engine.asked == []
        assert "palette" in screen_lines(app)[-1]
        assert app.is_running


async def test_a_question_says_what_it_would_do() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("D")
        await until_seen(pilot, "disconnect phononmaser_in? D or y: yes")
        await pilot.press("escape", "q")
        await until_seen(pilot, "quit and stop 9 connections?")


@pytest.mark.parametrize("keys", [("q", "q"), ("ctrl+c", "ctrl+c"), ("q", "y")])
async def test_quit_at_the_second_press(keys: tuple[str, ...]) -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
    assert app.return_code == 0


async def test_suspending_does_nothing_and_says_so() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+z")
        await until_seen(pilot, "would stop every connection: nothing was done")


async def test_the_answer_is_told_at_once_and_forgotten_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.app.screens.last_row.MESSAGE_SECONDS", 0.2)
    engine = evening()
    engine.answer = CommandResult(ok=True, message="phononmaser_in: connecting now")
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("c")
        await until_seen(pilot, "phononmaser_in: connecting now")
        await until_seen(pilot, "^p : palette")


async def test_a_command_without_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.app.commands.COMMAND_SECONDS", 0.1)

    class Silent(ScriptedEngine):
        async def reconnect(self, name: str | None = None) -> CommandResult:
            await asyncio.sleep(60)
            raise AssertionError

    app = OverlaySupervisorApp(Silent([connection()]))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("r")
        await until_seen(pilot, "✗ reconnect stage: no answer after")


async def test_a_command_that_fails_unforeseen_is_told_and_the_face_lives() -> None:
    class Broken(ScriptedEngine):
        async def reconnect(self, name: str | None = None) -> CommandResult:
            raise ValueError("nobody foresaw this")

    app = OverlaySupervisorApp(Broken([connection()]))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("r")
        await until_seen(pilot, "✗ reconnect stage: ValueError: nobody foresaw this")


async def test_the_filter_is_live_and_esc_ends_it() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("slash", "s", "e", "e", "d")
        await until_seen(pilot, "only 'seed': 2 of 9, esc shows all")
        await until(pilot, lambda: "● seed_words" in screen_lines(app)[5])
        await pilot.press("enter")
        await until_seen(pilot, "^p : palette")
        await pilot.press("escape")
        await until(pilot, lambda: "only 'seed'" not in screen_text(app))


async def test_the_order_is_changed_and_the_selection_stays() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j")
        await until_seen(pilot, "▸◐ events")
        await pilot.press("o")
        await until_seen(pilot, "ordered by name")
        assert screen_lines(app)[4].lstrip("▸ ").startswith("● dashboard")
        assert "▸◐ events" in screen_text(app)


async def test_the_selection_follows_the_worst_until_a_hand_is_laid_on() -> None:
    engine = ScriptedEngine([connection("a"), connection("b")])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸● a")
        engine.connections = (connection("a"), hub_away("b"))
        await until_seen(pilot, "▸◐ b")
        await pilot.press("c")
        engine.connections = (hub_away("a"), connection("b"))
        await until_seen(pilot, "◐ a")
        assert "▸● b" in screen_text(app)
        await pilot.press("escape")
        await until_seen(pilot, "▸◐ a")


async def test_tab_goes_through_the_panes_and_keys_move_them() -> None:
    engine = evening()
    for number in range(50):
        engine.write(f"line {number}")
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "line 49")
        await pilot.press("tab", "tab", "tab", "g")
        await until_seen(pilot, "stage connected")
        await pilot.press("G")
        await until_seen(pilot, "line 49")
        assert "▸✗ phononmaser_in" in screen_text(app)


async def test_the_metrics_are_shown_as_the_console_did_and_sent() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MetricsScreen))
        await until_seen(pilot, "phononmaser_in.getMetrics()")
        assert '"circuitBreakerTrips": 2,' in screen_text(app)
        await pilot.press("y")
        await until_seen(pilot, "sent to the terminal's clipboard")
        assert '"isCircuitOpen": true' in app.clipboard
        await pilot.press("escape", "y")
        await until_seen(pilot, "metrics of phononmaser_in sent")


async def test_the_details_screen_shows_long_values() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await until_seen(pilot, "and that is the third shiny today")
        assert "buffered 3 of 100" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, DetailsScreen))


# The registry


async def test_help_tells_every_action() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(120, 120)) as pilot:
        for key in ("question_mark", "f1"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            for action in ACTIONS:
                if action.keys:
                    await until_seen(pilot, action.help)
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


def test_no_key_does_two_things_and_every_action_exists() -> None:
    assert keymap({}) == {action.id: action.keys for action in ACTIONS}
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_a_screen_holds_what_it_needs_in_place_of_standing_on_another() -> None:
    for screen in (DashboardScreen, DetailsScreen, InspectorScreen, AlertsScreen, IncidentsScreen):
        assert screen.__bases__ == (SupervisorScreen,)


async def test_every_action_is_carried_out_by_someone() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE):
        for action in ACTIONS:
            target, _, name = action.function.partition("(")[0].rpartition(".")
            screens = {"inspector": InspectorScreen, "alerts": AlertsScreen, "incidents": IncidentsScreen}
            owner = app if target == "app" else screens.get(action.scope, app.screen)
            assert callable(getattr(owner, f"action_{name}")), action.id


@pytest.mark.parametrize(
    ("words", "asked"),
    [("restart the hub", ("run_extra", "restart")), ("debug: connect stage", ("connect", "stage"))],
)
async def test_enter_right_behind_the_letters_takes_what_was_typed_not_what_matched_before(
    words: str, asked: tuple[str, ...]
) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        await until_seen(pilot, "debug: getMetrics")
        # As a terminal hands over what was typed while the program was busy: all at once.
        for letter in words:
            app.post_message(Key(letter, letter))
        app.post_message(Key("enter", None))
        await until(pilot, lambda: not isinstance(app.screen, Palette))
        await until(pilot, lambda: engine.asked != [])
        assert engine.asked == [asked]


async def test_enter_runs_nothing_when_nothing_is_called_as_typed() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        await until_seen(pilot, "debug: getMetrics")
        # Up to the "t" there is getMetrics, whose line still stands when enter comes.
        for letter in "get nothing":
            app.post_message(Key(letter, letter))
        app.post_message(Key("enter", None))
        await until_seen(pilot, "No matches found")
        assert isinstance(app.screen, Palette)
        assert engine.asked == []


async def test_the_palette_has_the_old_helpers_for_one_and_all_and_the_engines_extras() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        assert isinstance(app.screen, DashboardScreen)
        titles = {command.title: command.run for command in palette_commands(app, app.screen)}
        assert app.screen.selected is not None
        selected = app.screen.selected.name
        assert list(titles)[:5] == [
            f"debug: {helper} {selected}"
            for helper in ("getMetrics", "getState", "connect", "reconnect", "disconnect")
        ]
        assert "refresh twice as often" in titles
        for helper in ("getMetrics", "getState", "connect", "reconnect", "disconnect"):
            assert f"debug: {helper} stage" in titles
            assert f"debug: {helper} all" in titles
        assert "demo: restart the hub" in titles
        titles["debug: reconnect all"]()
        await until_seen(pilot, "reconnect all 9 connections? ")
        await pilot.press("y")
        titles["debug: disconnect stage"]()
        await until_seen(pilot, "disconnect stage? ")
        await pilot.press("y")
        titles["demo: restart the hub"]()
        await until(pilot, lambda: len(engine.asked) == 3)
        assert engine.asked == [("reconnect", "None"), ("disconnect", "stage"), ("run_extra", "restart")]
        titles["debug: getState stage"]()
        await until_seen(pilot, "stage.getState(): 'connected'")
        titles["debug: getMetrics all"]()
        await until_seen(pilot, "all.getMetrics()")


async def test_the_palette_runs_what_is_typed() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("colon")
        await pilot.press(*"demo:")
        await until_seen(pilot, "demo: restart the hub")
        await pilot.pause(0.3)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: engine.asked == [("run_extra", "restart")])


async def test_the_palette_finds_words_in_any_order_and_takes_no_name_for_markup() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("colon")
        await pilot.press(*"stage", "space", *"get", "space", *"state", "enter")
        await until_seen(pilot, "stage.getState(): 'connected'")
    hostile = ("[/x] [red]type", "[@click=app.exit]quit", "a [b\\[c] ")
    engine.extras = tuple(
        ExtraCommand(id=name, label=f"demo: {name}", help=f"What {name} does") for name in hostile
    )
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=(80, 300)) as pilot:
        for typed in ("", "demo:"):
            await pilot.press("colon", *typed)
            for name in hostile:
                await until_seen(pilot, f"demo: {name.strip()}")
                await until_seen(pilot, "What [/x] [red]type does")
            await pilot.press("escape")
        await pilot.press("colon", *"demo:", "enter")
        await until(pilot, lambda: engine.asked[-1:] in [[("run_extra", name)] for name in hostile])


# Themes and cost


@pytest.mark.parametrize("theme", THEMES)
async def test_every_theme_shows_the_same_words(theme: str) -> None:
    app = OverlaySupervisorApp(evening(), options=AppOptions(theme=theme))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "✗ Circuit Breaker Open")
        assert set(app.available_themes) == set(THEMES)


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_words_can_be_read_on_whatever_they_stand(theme: str) -> None:
    app = OverlaySupervisorApp(evening(), options=AppOptions(theme=theme))
    async with app.run_test(size=(200, 50)) as pilot:
        await until_seen(pilot, "p95 34ms ▅")
        faint = {
            (segment.text, round(ratio, 1))
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if any(character.isalpha() for character in segment.text)
            and (ratio := contrast(segment.style)) < 4.5
        }
        assert faint == set()


def contrast(style: Style | None) -> float:
    """How much lighter the lighter one of text and background is, as WCAG counts it."""
    assert style is not None
    assert style.color is not None
    assert style.bgcolor is not None
    light = []
    for colour in (style.color, style.bgcolor):
        parts = [part / 255 for part in colour.get_truecolor()]
        red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        light.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(light) + 0.05) / (min(light) + 0.05)


async def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = OverlaySupervisorApp(evening(), options=AppOptions(theme="dark"))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "✗ Circuit Breaker Open")
        assert app.theme == "ansi-dark"
        assert "NoColor" in {type(line_filter).__name__ for line_filter in app._filters}


async def test_an_unchanged_snapshot_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = OverlaySupervisorApp(ScriptedEngine([connection("a"), connection("b")]))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "round trip")
        await pilot.pause(0.6)
        painted: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, renderable: painted.append(renderable))
        await pilot.pause(1.6)
        assert [each for each in painted if each is not None] == []


def overdue(name: str) -> ConnectionSnapshot:
    return connection(name, details={"heartbeat_unanswered_since": time.time() - 4})


@pytest.mark.parametrize("kind", [ScriptedEngine, BusyEngine])
async def test_what_merely_ticks_is_painted_at_most_once_a_second(
    kind: type[ScriptedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = OverlaySupervisorApp(kind([overdue("a"), connection("b")]))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, " overdue")
        await pilot.pause(0.6)
        painted: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, renderable: painted.append(renderable))
        await pilot.pause(2.5)
        assert 1 <= len([each for each in painted if each is not None]) <= 4


# What a face takes from the settings and from its last run


async def test_keys_can_be_changed_and_footer_and_help_follow() -> None:
    engine = ScriptedEngine([connection()])
    keys = keymap({"connection.reconnect": ("ctrl+r",), "quit": ("Q",)})
    app = OverlaySupervisorApp(engine, options=AppOptions(keymap=keys))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, " ^r reconnect ")
        await pilot.press("r")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: engine.asked == [("reconnect", "stage")])
        await pilot.press("f1")
        await until_seen(pilot, "^r        Reconnect the selected connection now.")
        await pilot.press("escape")
        await pilot.press("q")
        await pilot.press("Q")
        await until_seen(pilot, "quit and stop 1 connection? Q or y: yes")
        await pilot.press("Q")
        await until(pilot, lambda: not app.is_running)


async def test_the_arrangement_comes_back() -> None:
    kept: list[Remembered] = []
    app = OverlaySupervisorApp(evening(), options=AppOptions(remember=kept.append))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o", "j")
        await pilot.press("slash", *"seed", "enter")
        app.theme = "light"
        await until(pilot, lambda: bool(kept) and kept[-1].theme == "light")
    assert kept[-1] == Remembered(theme="light", order="name", filter="seed", selection="events")
    again = OverlaySupervisorApp(evening(), options=AppOptions(remembered=kept[-1]))
    async with again.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "only 'seed': 2 of 9, esc shows all")
        assert again.theme == "light"
        await pilot.press("escape")
        await until_seen(pilot, "▸◐ events")


async def test_a_full_disk_does_not_end_the_face() -> None:
    def full(remembered: Remembered) -> None:
        raise OSError(28, "no space left on device")

    app = OverlaySupervisorApp(evening(), options=AppOptions(remember=full))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await pilot.pause(0.8)
        await until_seen(pilot, "LAST HOUR")


async def test_the_bell_rings_once_for_what_becomes_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine([connection("stage"), connection("events")])
    app = OverlaySupervisorApp(engine, options=AppOptions(bell=True))
    rung: list[float] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append(1))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "● Connected")
        away = hub_away("events")
        engine.replace("events", metrics=away.metrics, details=away.details, trouble=away.trouble)
        await until_seen(pilot, "◐ Reconnecting (3)")
        await pilot.pause(0.6)
        assert len(rung) == 1
        engine.stopped = "it broke"
        await until_seen(pilot, "engine stopped")
        assert len(rung) == 2


async def test_the_bell_does_not_ring_again_for_what_comes_back_before_it_has_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = ScriptedEngine([connection("stage"), connection("events")])
    app = OverlaySupervisorApp(engine, options=AppOptions(bell=True))
    rung: list[float] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append(1))
    away = hub_away("events")
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "● Connected")
        for _ in range(3):
            engine.replace("events", metrics=away.metrics, details=away.details, trouble=away.trouble)
            await until_seen(pilot, "◐ Reconnecting (3)")
            up = msgspec.structs.replace(away.metrics, connection_state="connected")
            engine.replace("events", metrics=up, details=away.details, trouble=None)
            await until_seen(pilot, "2/2 up")
        assert len(rung) == 1
        # It held, and goes once more: that is another trouble.
        held = connection("events")
        engine.replace("events", metrics=held.metrics, details=held.details, trouble=None)
        await until_seen(pilot, "all 2 connections")
        engine.replace("events", metrics=away.metrics, details=away.details, trouble=away.trouble)
        await until_seen(pilot, "◐ Reconnecting (3)")
        assert len(rung) == 2


async def test_what_ticks_can_be_slowed_down_and_sped_up() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("minus")
        await until_seen(pilot, "what merely ticks is repainted every 2 s")
        await pilot.press(*["plus"] * 9)
        await until_seen(pilot, "what merely ticks is repainted every 0.25 s")


async def test_a_picture_is_written_where_files_go_and_fetches_nothing(tmp_path: Path) -> None:
    app = OverlaySupervisorApp(evening(), options=AppOptions(folder=tmp_path / "state"))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "LAST HOUR")
        app.action_picture()
        app.action_picture()
        await until(pilot, lambda: len(list((tmp_path / "state").glob("screen-*.svg"))) == 2)
        picture = next((tmp_path / "state").glob("screen-*.svg"))
        await until_seen(pilot, "picture: ")
        text = picture.read_text(encoding="utf-8")
        assert "phononmaser" in text
        assert "url(http" not in text
        assert "@font-face" not in text
        assert picture.stat().st_mode & 0o777 == 0o600


async def test_below_60x15_it_says_that_it_is_too_small() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(60, 15)) as pilot:
        await until_seen(pilot, "▸✗ phononmaser_in")
        assert "too small" not in screen_text(app)
        await pilot.resize_terminal(59, 15)
        await until_seen(pilot, "too small: 59x15; all is seen from 60x15 on")
        assert "✗ Circuit Breaker Open" in screen_lines(app)[0]
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "too small" not in screen_text(app))


async def test_themes_are_seen_before_they_are_kept() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "LAST HOUR")
        app.action_choose_theme()
        await until_seen(pilot, "▸ dark")
        await pilot.press("j")
        await until(pilot, lambda: app.theme == "light")
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == "dark")
        app.action_choose_theme()
        await until_seen(pilot, "▸ dark")
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: app.theme == "ansi-dark")
        await until_seen(pilot, "LAST HOUR")


async def test_changes_below_another_screen_are_followed_too() -> None:
    engine = evening()
    engine.lines.clear()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
        for number in range(30):
            engine.write(f"change number {number}")
            app.show_now()
            await pilot.pause(0.02)
        await pilot.press("escape")
        await until_seen(pilot, "change number 29")
        # Who scrolled up reads on there; back at the end it is followed again.
        app.screen.query_one(ChangeLog).focus()
        await pilot.press("k", "k", "k", "k", "k")
        engine.write("change number 30")
        app.show_now()
        await pilot.pause()
        assert "change number 30" not in screen_text(app)
        await pilot.press("G")
        await until_seen(pilot, "change number 30")
        engine.write("change number 31")
        app.show_now()
        await until_seen(pilot, "change number 31")


async def test_the_help_begins_with_the_keys_of_the_screen_it_was_asked_on() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        for keys, heading in ((("question_mark",), "DASHBOARD"), (("a", "question_mark"), "ALERTS, ON")):
            await pilot.press(*keys)
            await until_seen(pilot, heading)
            assert heading in next(line for line in screen_lines(app)[2:] if line.strip())
            await pilot.press("escape")


async def test_a_question_keeps_its_answers_on_a_narrow_screen() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("X")
        await until_seen(pilot, "? X or y: yes, else no")
