"""The app on a scripted engine: what keys, questions and the palette do, and what is remembered."""

from __future__ import annotations

import asyncio

import pytest
from textual.events import Key
from textual.widgets import Input

from tests.app.seen import SIZE, screen_lines, screen_text, until, until_seen
from tests.scripted_engine import ScriptedEngine, connection, evening, hub_away
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
from tui.app.screens.text import MetricsScreen
from tui.model.snapshot import CommandResult, ExtraCommand
from widgets.prompt import Prompt


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
    monkeypatch.setattr("tui.app.screens.last_row.MESSAGE_SECONDS", 2.0)
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


async def test_a_question_keeps_its_answers_on_a_narrow_screen() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("X")
        await until_seen(pilot, "? X or y: yes, else no")
