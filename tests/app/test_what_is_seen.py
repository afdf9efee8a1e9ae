"""The app on a scripted engine: what is seen at every size and in every theme, and what costs nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest
from rich.style import Style

from tests.app.seen import SIZE, row_of, screen_lines, screen_text, until, until_seen
from tests.scripted_engine import BusyEngine, ScriptedEngine, channel, connection, evening, history, hub_away
from tui.app.actions import ACTIONS
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.screens.alerts import AlertsScreen
from tui.app.screens.details import DetailsScreen
from tui.app.screens.text import HelpScreen
from tui.app.screens.theme import THEMES
from tui.model.snapshot import Availability, CommandResult, ConnectionSnapshot, DiskHealthSnapshot
from widgets.change_log import ChangeLog


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


async def test_the_details_screen_shows_long_values() -> None:
    app = OverlaySupervisorApp(evening())
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await until_seen(pilot, "and that is the third shiny today")
        assert "buffered 3 of 100" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, DetailsScreen))


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
