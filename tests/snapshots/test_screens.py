"""Every screen as it was last looked at and found good.

After a change that is meant to be seen, draw them anew, look at what git shows as changed, and commit it:

    .venv/bin/python -m pytest -q tests/snapshots --snapshot-update

A difference is shown side by side in ``snapshot_report.html``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.pace import PATIENCE
from tests.scripted_engine import (
    ScriptedEngine,
    channel,
    connection,
    evening,
    evening_alerts,
    watched_evening,
)
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.remembered import Remembered
from tui.model.snapshot import Frame, FrameContent

AT = datetime(2026, 11, 24, 21, 14, 22, tzinfo=UTC).timestamp()
LIMIT = PATIENCE
"""Seconds within which a screen must be there."""

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def one_place_and_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same zone and the same colours everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# What there is to see -----------------------------------------------------------------------------


def all_well() -> ScriptedEngine:
    """An evening on which nothing is wrong."""
    names = ("stage", "dashboard", "events", "phononmaser_in", "seed_events")
    engine = ScriptedEngine(
        [
            connection(
                name,
                at=AT,
                messages_per_second_in=1.4 * number,
                channels=(channel(at=AT), channel("stream:queue", at=AT, last_at=AT - 7)),
            )
            for number, name in enumerate(names)
        ],
        clock=lambda: AT,
    )
    for name in names:
        engine.write("connected", name, at=AT - 7200)
    return engine


def frame(
    cursor: int, event: str, payload: Any, topic: str = "stream:overlays", **changes: Any
) -> FrameContent:
    """A frame that came ``cursor`` seconds after the first one, with ``changes``."""
    text = msgspec.json.encode(payload).decode()
    values: dict[str, Any] = {
        "cursor": cursor,
        "timestamp": AT - 20 + cursor,
        "direction": "in",
        "topic": topic,
        "event": event,
        "size": 40 + len(text),
        "preview": text[:200],
    }
    return FrameContent(frame=Frame(**values | changes), payload=text)


def with_frames() -> ScriptedEngine:
    """An evening whose frames are recorded: pushes, their replies, broadcasts, a crash, bytes."""
    engine = evening(AT)
    state = {"current_show": "variety", "active_content": None, "metadata": {"state_version": 42}}
    engine.recorded = [
        frame(1, "stream_state", state),
        frame(2, "queue_state", {"queue": [], "is_processing": False}, "stream:queue"),
        frame(3, "heartbeat", {}, "phoenix", direction="out", ref="41"),
        frame(4, "phx_reply", {"status": "ok", "response": {}}, "phoenix", ref="41"),
        frame(5, "ping", {}, direction="out", ref="42", join_ref="3"),
        frame(6, "phx_reply", {"status": "ok", "response": {"pong": True}}, ref="42", join_ref="3"),
        frame(7, "obs_event", {"scene": "BRB ☕", "words": "日本語のタイトル"}, "overlay:obs"),
        frame(8, "phx_error", {}, "overlay:twitch", join_ref="5"),
        frame(9, "thumbnail", "ff d8 ff e0", "overlay:obs", binary=True, size=48_212),
        frame(10, "a_rather_long_name_for_an_event", {"text": "x" * 300}, "transcription:live:with:a:room"),
    ]
    return engine


def waiting_for_overlays() -> ScriptedEngine:
    """An evening on which no overlay would show an alert."""
    engine = all_well()
    words = "stage: not joined"
    engine.alerts_value = evening_alerts(at=AT, mode="waiting for overlays", message=words, playing=None)
    return engine


def paused() -> ScriptedEngine:
    """An evening on which somebody has paused the alerts."""
    engine = all_well()
    engine.alerts_value = evening_alerts(at=AT, mode="paused", message="paused", playing=None)
    return engine


def page_gone() -> ScriptedEngine:
    """Our own links are well, and a hub has not told of a page for a while."""
    engine = all_well()
    engine.services = watched_evening(AT).services
    engine.change_service("phononmaser@zelan", state="good", message="healthy", hour="8" * 60)
    return engine


# How one gets there -------------------------------------------------------------------------------


class Scene(NamedTuple):
    """A screen: what it is drawn from, the keys that lead to it, what is seen when it is there."""

    engine: Callable[[], ScriptedEngine]
    keys: tuple[str, ...]
    seen: str
    remembered: Remembered = Remembered()
    then: Callable[[Pilot[int], ScriptedEngine], Awaitable[None]] | None = None


async def freeze(pilot: Pilot[int], engine: ScriptedEngine) -> None:
    """Let the list stand still while two frames come."""
    await pilot.press("f")
    engine.recorded += (frame(11, "ping", {}), frame(12, "ping", {}))
    await until_seen(pilot, "FROZEN 21:14:22, 2 new since")


async def open_first(pilot: Pilot[int], engine: ScriptedEngine) -> None:
    """Show the oldest frame with its payload."""
    await pilot.press("g", "enter")
    await until_seen(pilot, "state_version")


async def choose_theme(pilot: Pilot[int], engine: ScriptedEngine) -> None:
    """Open the choice of themes, which has no key."""
    app_of(pilot).action_choose_theme()
    await until_seen(pilot, "▸ ")


async def open_details(pilot: Pilot[int], engine: ScriptedEngine) -> None:
    """Show everything known of what is selected."""
    await pilot.press("enter")
    await until_seen(pilot, "stale after")


ON_STAGE = Remembered(selection="stage")
SCENES = {
    "trouble": Scene(lambda: evening(AT), (), "p95 34ms ▅"),
    "all_well": Scene(all_well, (), "p95 34ms ▅"),
    "filter": Scene(lambda: evening(AT), (), "only 'seed': 2 of 9", Remembered(filter="seed")),
    "details": Scene(lambda: evening(AT), ("enter",), "trips  "),
    "inspector": Scene(with_frames, ("i",), "a_rather_long", ON_STAGE),
    "inspector_frozen": Scene(with_frames, ("i",), "a_rather_long", ON_STAGE, freeze),
    "frame": Scene(with_frames, ("i",), "a_rather_long", ON_STAGE, open_first),
    "help": Scene(lambda: evening(AT), ("question_mark",), "CONNECTIONS"),
    "metrics": Scene(lambda: evening(AT), ("m",), "circuitBreakerTrips"),
    "palette": Scene(lambda: evening(AT), ("ctrl+p",), "debug: getMetrics phononmaser_in"),
    "theme": Scene(lambda: evening(AT), (), "p95 34ms ▅", then=choose_theme),
    "alerts": Scene(lambda: evening(AT), ("a",), "mira cheered"),
    "alerts_figures": Scene(lambda: evening(AT), ("a", "tab"), "WARNINGS"),
    "alerts_paused": Scene(paused, (), "PAUSED  nothing on air"),
    "alerts_waiting": Scene(waiting_for_overlays, (), "WAITING FOR OVERLAYS"),
    "services": Scene(lambda: watched_evening(AT), ("G",), "▸● seed"),
    "service_stale": Scene(page_gone, (), "◐ 1 service stale: page takeover"),
    "service": Scene(page_gone, ("j",), "▸? ironmon", Remembered(), open_details),
    "incidents": Scene(lambda: watched_evening(AT), ("exclamation_mark",), "RESOLVED"),
    "timeline": Scene(lambda: watched_evening(AT), ("exclamation_mark", "enter"), "BEFORE IT"),
    "push": Scene(lambda: evening(AT), ("p",), "push topic event JSON: transcription:live ping {}"),
}


def app_of(pilot: Pilot[int]) -> OverlaySupervisorApp:
    assert isinstance(pilot.app, OverlaySupervisorApp)
    return pilot.app


async def until_seen(pilot: Pilot[int], text: str) -> None:
    """Wait until ``text`` stands on the screen, with a limit."""
    deadline = time.monotonic() + LIMIT
    while text not in (screen := screen_text(pilot)):
        assert time.monotonic() < deadline, f"no {text!r} within {LIMIT:g} s; the screen:\n{screen}"
        await pilot.pause()


def screen_text(pilot: Pilot[int]) -> str:
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def check(compare: Compare, scene: Scene, size: tuple[int, int], theme: str) -> None:
    """Draw the screen of ``scene`` and compare it with the one that was kept."""
    engine = scene.engine()
    options = AppOptions(theme=theme, remembered=scene.remembered)
    app = OverlaySupervisorApp(engine, options=options, clock=lambda: AT)
    screen = ""

    async def go_there(pilot: Pilot[int]) -> None:
        nonlocal screen
        await pilot.press(*scene.keys)
        await until_seen(pilot, scene.seen)
        if scene.then is not None:
            await scene.then(pilot, engine)
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        screen = screen_text(pilot)

    same = compare(app, terminal_size=size, run_before=go_there)
    assert same, f"the screen, or its colours alone, differ from what was kept; now:\n{screen}"


@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "dark"), ((80, 24), "ansi-dark"), ((120, 40), "dark"), ((120, 40), "ansi-dark")],
    ids=["80x24-dark", "80x24-ansi-dark", "120x40-dark", "120x40-ansi-dark"],
)
@pytest.mark.parametrize("name", SCENES)
def test_screen(snap_compare: Compare, name: str, size: tuple[int, int], theme: str) -> None:
    check(snap_compare, SCENES[name], size, theme)


@pytest.mark.parametrize("theme", ["dark", "ansi-dark"])
@pytest.mark.parametrize("size", [(60, 15), (30, 8)], ids="{0[0]}x{0[1]}".format)
def test_too_small_a_screen(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    scene = Scene(lambda: evening(AT), (), "Circuit Breaker Open")
    check(snap_compare, scene, size, theme)
