"""Keys as people type them: several at once, into lines, as answers to questions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot

from tests.app.seen import SIZE, app_of, screen_lines, screen_text, until, until_seen
from tests.scripted_engine import ScriptedEngine, connection, evening
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.keymap import keymap
from tui.app.screens import last_row
from tui.app.screens.details import DetailsScreen
from tui.model.snapshot import CommandResult
from widgets.alert_list import AlertList
from widgets.cursor_list import CursorList
from widgets.watch_list import WatchList

NAMES = {"/": "slash", ":": "colon", " ": "space", "\r": "enter"}


def send(pilot: Pilot[int], text: str) -> None:
    """Type as a slow link delivers it: all keys at once, before any of them had its effect."""
    for sign in text:
        app_of(pilot).post_message(Key(NAMES.get(sign, sign), None if sign == "\r" else sign))


def last_line(pilot: Pilot[int]) -> str:
    return screen_lines(app_of(pilot))[-1]


# Typed ahead


async def test_what_is_typed_right_behind_the_filters_key_is_the_filter() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        send(pilot, "/stageXs")
        await until_seen(pilot, "only 'stageXs': 0 of 9")
        assert engine.asked == []


async def test_a_filter_its_end_and_what_follows_in_one_go() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        send(pilot, "/seed\rjc")
        await until_seen(pilot, "only 'seed': 2 of 9")
        await until(pilot, lambda: bool(engine.asked))
        # The second of the two that match.
        (asked,) = engine.asked
        assert asked == ("connect", "seed_words" if "▸● seed_words" in screen_text(app) else "seed_events")
        assert "▸" in screen_lines(app)[5]


async def test_a_command_of_the_palette_in_one_go() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        send(pilot, ":connect all\r")
        await until(pilot, lambda: engine.asked == [("connect", "None")])


@pytest.mark.parametrize(
    ("key", "pasted", "seen"), [("/", "seed\n", "only 'seed'"), (":", "pause", "> pause")]
)
async def test_what_is_pasted_right_behind_the_key_that_opens_a_line(
    key: str, pasted: str, seen: str
) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        # Where there is no line it does nothing.
        app.post_message(Paste("sX"))
        await pilot.pause()
        send(pilot, key)
        app.post_message(Paste(pasted))
        await until(pilot, lambda: seen in screen_text(app).replace(">  ", "> "))
        assert engine.asked == []


async def test_a_push_in_one_go() -> None:
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        send(pilot, "ppp\r")
        await until_seen(pilot, "trailing characters: stream:overlays ping {}pp")
        assert engine.asked == []


# Lines


@pytest.mark.parametrize("opens", ["slash", "p"])
async def test_a_line_keeps_the_keys_until_it_is_left(opens: str) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(opens, "tab", "D", "shift+tab", "y", "X")
        await pilot.pause(0.1)
        assert engine.asked == []
        assert last_line(pilot).rstrip().endswith("DyX")
        await pilot.press("escape")
        await until(pilot, lambda: "palette" in last_line(pilot))


@pytest.mark.parametrize("keys", [("p", "escape"), ("p", "ctrl+c"), ("slash", "enter"), ("slash", "escape")])
async def test_the_list_has_the_keys_again_behind_a_line(keys: tuple[str, ...]) -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j")
        await until_seen(pilot, "▸◐ events")
        await pilot.press(*keys)
        await until(pilot, lambda: "palette" in last_line(pilot))
        await pilot.press("j")
        await until_seen(pilot, "▸◐ takeover")


async def test_all_lines_of_what_is_pasted_are_taken() -> None:
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p")
        await until_seen(pilot, "push topic event JSON: ")
        await pilot.press("ctrl+u")
        app.post_message(Paste('stream:overlays ping {"a":\n 1,\r\n "b": 2}\n'))
        await until_seen(pilot, '"b": 2}')
        await pilot.press("enter")
        await until(pilot, lambda: bool(engine.asked))
        assert engine.asked == [("push", "stage", "stream:overlays", "ping", "{'a': 1, 'b': 2}")]


# Questions


async def test_nothing_takes_the_place_of_a_question() -> None:
    answers: asyncio.Queue[CommandResult] = asyncio.Queue()

    class Late(ScriptedEngine):
        async def reconnect(self, name: str | None = None) -> CommandResult:
            return await answers.get()

    engine = Late([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("r", "D")
        await until_seen(pilot, "disconnect stage? D or y: yes")
        answers.put_nowait(CommandResult(ok=True, message="stage: reconnecting now"))
        await pilot.pause(0.2)
        assert "disconnect stage? D or y: yes" in last_line(pilot)
        await pilot.press("n")
        # What had to wait is told now.
        await until_seen(pilot, "stage: reconnecting now")
        assert engine.asked == []


async def test_a_question_that_nobody_answers_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_row, "QUESTION_SECONDS", 0.2)
    engine = ScriptedEngine([connection()])
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("D")
        await until_seen(pilot, "nobody answered: nothing was done")
        await pilot.press("y")
        await until_seen(pilot, "clipboard")
        assert engine.asked == []


async def test_a_question_takes_the_keys_of_the_settings() -> None:
    engine = ScriptedEngine([connection("a_name_that_is_much_longer_than_the_screen_is_wide_" * 2)])
    options = AppOptions(keymap=keymap({"connection.disconnect": ("f6",)}))
    app = OverlaySupervisorApp(engine, options=options)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("f6")
        await until_seen(pilot, "? F6 or y: yes, else no")
        await pilot.press("D")
        await until(pilot, lambda: "palette" in last_line(pilot))
        assert engine.asked == []
        await pilot.press("f6", "f6")
        await until(pilot, lambda: bool(engine.asked))


# Keys that are none


async def test_control_q_is_no_way_around_the_question() -> None:
    engine = ScriptedEngine([connection()])
    options = AppOptions(keymap=keymap({"connection.reconnect": ("ctrl+q",)}))
    app = OverlaySupervisorApp(engine, options=options)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+q")
        await until(pilot, lambda: engine.asked == [("reconnect", "stage")])
        assert app.is_running
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+q", "p", "ctrl+q")
        await pilot.pause(0.1)
        assert app.is_running


@pytest.mark.parametrize(
    ("action", "key"), [("all.reconnect", "R"), ("connection.metrics", "m"), ("connection.disconnect", "D")]
)
async def test_an_action_without_keys_has_none(action: str, key: str) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine, options=AppOptions(keymap=keymap({action: ()})))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(key)
        await pilot.pause(0.1)
        assert "palette" in last_line(pilot)
        assert "getMetrics" not in screen_text(app)


# What is shown of what is not there


async def test_details_of_what_a_reload_took_away_claim_nothing_of_it() -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await until_seen(pilot, "HEALTH")
        engine.connections = engine.connections[1:]
        await until_seen(pilot, "no longer there")
        text = screen_text(app)
        assert "HEALTH" not in text
        assert "joined" not in text
        await pilot.press("r")
        await until_seen(pilot, "is no longer there")
        assert engine.asked == []


async def test_where_nothing_matches_no_connections_figures_stand() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "round trip")
        await pilot.press("slash", "z", "z", "z")
        await until_seen(pilot, "only 'zzz': 0 of 9, esc shows all")
        await until(pilot, lambda: "round trip" not in screen_text(app))
        assert "nothing matches" in screen_text(app)


async def test_a_long_text_is_folded_and_copied_whole() -> None:
    engine = ScriptedEngine([connection()])
    engine.answer = CommandResult(ok=True, message='{"x":"' + "y" * 300 + 'END"}')
    app = OverlaySupervisorApp(engine)
    copied: list[Any] = []
    app.copy_to_clipboard = copied.append  # type: ignore[method-assign]  # in place of the terminal
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p", "enter")
        await until_seen(pilot, "yyyEND")
        await pilot.press("y")
        assert copied == [engine.answer.message]
        await pilot.resize_terminal(40, 30)
        await until_seen(pilot, "yEND")


# Rows


@pytest.mark.parametrize(("opens", "kind"), [("escape", WatchList), ("a", AlertList)])
async def test_rows_that_are_shown_anew_right_behind_a_key_do_not_take_the_cursor_back(
    opens: str, kind: type[CursorList[Any]]
) -> None:
    engine = evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(opens)
        await pilot.pause()
        rows = app.screen.query_one(kind)
        before = rows.cursor
        for moves in range(1, 4):
            # Nothing is waited for: what the keys and the engine's snapshots do may come in any order.
            rows.move(1)
            app.show_now()
            assert rows.cursor == before + moves
        await pilot.press("r")
        await until(pilot, lambda: bool(engine.asked))
        asked = ("alerts", "requeue", "follow-8") if kind is AlertList else ("reconnect", "dashboard")
        assert engine.asked == [asked]
