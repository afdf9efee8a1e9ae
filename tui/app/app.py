"""The app: reads snapshots a few times a second, shows them, and passes commands on."""

from __future__ import annotations

import gc
import logging
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from textual import events
from textual.app import App
from textual.worker import Worker, WorkerState

from tui.app.commands import LOG_LINES, AppOptions, EngineApp, run_beside
from tui.app.keymap import textual_keymap
from tui.app.presenters import alerts, status
from tui.app.presenters.alerts import NO_QUEUE
from tui.app.presenters.incidents import IncidentNews
from tui.app.presenters.status import RINGS_FROM
from tui.app.screens.alerts import AlertsScreen
from tui.app.screens.base import SupervisorScreen, bindings
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.incidents import IncidentsScreen
from tui.app.screens.palette import Palette, PaletteProvider
from tui.app.screens.text import HelpScreen, LinesScreen
from tui.app.screens.theme import DARK, LIGHT, THEMES, ThemeScreen
from tui.app.typed import Pasted
from tui.app.typed_lines import moment_of
from tui.model.engine import Engine
from tui.model.snapshot import Snapshot
from tui.replay.engine import ReplayEngine
from tui.text.formats import counted
from widgets.lines import Tone
from widgets.prompt import Prompt, again

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
_MIDDLE_ROUNDS = 2
"""Rounds of the collector over what is not quite new before one over all; ten would take minutes."""


class OverlaySupervisorApp(EngineApp, inherit_bindings=False):
    """The face of one engine. Ends with its return code; the engine is the caller's to stop."""

    TITLE = "overlay-supervisor"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS = bindings("everywhere")
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {PaletteProvider}  # noqa: RUF012 (as the base class declares it)
    NOTIFICATION_TIMEOUT = 5

    def __init__(
        self,
        engine: Engine,
        engine_worker: Callable[[], None] | None = None,
        *,
        options: AppOptions | None = None,
        attached: bool = False,
        replay: ReplayEngine | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Show ``engine``. ``engine_worker`` runs its loop, or waits for its end, and is watched.

        ``attached`` says that the engine lives elsewhere and goes on without this face. ``replay`` is the
        engine where it shows the past. ``clock`` gives epoch seconds, of a replay those of its moment.
        """
        super().__init__(engine, options=options, attached=attached, replay=replay, clock=clock)
        # Nothing moves by itself: an unchanged screen sends nothing.
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        for name in set(self.available_themes) - set(THEMES):
            self.unregister_theme(name)
        wanted = self.options.theme or self.options.remembered.theme
        self.theme = "ansi-dark" if self.without_colour else wanted if wanted in THEMES else "dark"
        self.set_keymap(textual_keymap(self.keymap))
        self.refresh_seconds = self.options.refresh
        self._engine_worker = engine_worker
        self._engine_end: str | None = None
        self._jumps = 0
        self._log_cursor = 0
        self._urgent: tuple[object, ...] = ()
        self._shown_tick = 0
        self._counted_at = 0.0
        self._worst: int | None = None
        self._news = IncidentNews(self.options.toast_from, self.options.bell_from)

    def get_default_screen(self) -> DashboardScreen:
        return DashboardScreen(self.options.remembered)

    def on_mount(self) -> None:
        if self._engine_worker is not None:
            self.run_worker(
                self._engine_worker, name="engine", group="engine", thread=True, exit_on_error=False
            )
        self.set_interval(POLL_SECONDS, self._poll)
        self.call_after_refresh(_spare_the_collector)
        self.show_now()
        # What is open already is no news.
        self._note_news(self.snapshot)
        if self.replay is not None:
            run_beside(self, partial(self._read_marks, self.replay), "marks")
        if self.options.notice is not None:
            self.call_after_refresh(self.note, self.options.notice, "busy")

    def on_key(self, event: events.Key) -> None:
        """Give a key to the line, the palette or the question that the keys before it opened.

        Keys that come together all go to what had the focus before the first of them had its effect, and
        come by here one after the other.
        """
        if self._take(event):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """The same with a text that is pasted; elsewhere it does nothing."""
        if self._take(event):
            event.stop()

    def on_pasted(self, event: Pasted) -> None:
        """The same with a text that came as keys; where it ends in a key that leaves, that is still pressed.

        Not where a question stands: who pastes does not answer it.
        """
        in_line = self._take(events.Paste(event.text))
        if not in_line:
            self.note(f"✗ {event.keys:,} keys at once were taken for a text: nothing was done", "busy")
        leaves = event.last.key in (*self.keymap["quit"], *self.keymap["back"])
        if leaves and not (event.last.is_printable if in_line else self._is_asking):
            again(self, event.last)

    def _take(self, event: events.Key | events.Paste) -> bool:
        screen = self.screen
        return isinstance(screen, SupervisorScreen | Palette) and screen.take(event)

    # Showing ------------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Show what is urgent at once, and once in a while what merely ticks."""
        new_lines = self._read_log()
        snapshot = self._read()
        self._note_news(snapshot)
        urgent = status.urgent(snapshot)
        if new_lines or urgent != self._urgent or self._tick() != self._shown_tick:
            self.show_now()
        elif self.now != self._counted_at:
            self._count_down()

    def _count_down(self) -> None:
        """Between two repaints: the time that an alert has left, once a second."""
        self._counted_at = now = self.now
        snapshot = self._read()
        screen = self.screen
        if isinstance(screen, SupervisorScreen) and alerts.counts_down(snapshot, now):
            screen.count_down(snapshot, now)

    def _tick(self) -> int:
        return int(self.clock() / self.refresh_seconds)

    def _read(self) -> Snapshot:
        snapshot = self.engine.snapshot()
        if self._engine_end is not None and snapshot.stopped is None:
            snapshot = msgspec.structs.replace(snapshot, stopped=self._engine_end)
        return snapshot

    def show_now(self) -> None:
        self._read_log()
        self.snapshot = snapshot = self._read()
        self._urgent = status.urgent(snapshot)
        self._shown_tick = self._tick()
        self._counted_at = now = self.now
        title = status.terminal_title(snapshot, now)
        self.show_title(title if self.replay is None else "sup replay")
        self._ring(status.worst(snapshot, now), settled=status.settled(snapshot))
        for screen in self.screen_stack:
            # Below a full screen nothing can be seen; below the palette the dashboard can.
            if isinstance(screen, SupervisorScreen) and screen.is_attached:
                screen.show(snapshot, now)

    def _ring(self, worst: int, *, settled: bool) -> None:
        """Ring when things have become worse than they were, if that was asked for."""
        before = self._worst
        # What comes back before it has held is the trouble that was rung for.
        self._worst = worst if settled or before is None else min(before, worst)
        # Not for what was found at the start, nor for what a person asked for.
        if self.options.bell and before is not None and worst < before and worst <= RINGS_FROM:
            self.bell()

    def _note_news(self, snapshot: Snapshot) -> None:
        """Say which incidents have opened, if that was asked for."""
        news = self._news.poll(snapshot, self.now, may_note=lambda: not self._is_asking)
        if news is None:
            return
        if news.ring:
            self.bell()
        if news.text:
            self.note(news.text, news.tone)

    @property
    def _is_asking(self) -> bool:
        return any(
            isinstance(each, SupervisorScreen) and each.last_row.is_asking for each in self.screen_stack
        )

    async def _read_marks(self, replay: ReplayEngine) -> None:
        position = replay.position()
        self.marks = await replay.marks(position.begin, position.end)
        self.show_now()

    def _read_log(self) -> bool:
        """Read what is new in the log; whether there is anything, or all of it is of another moment."""
        jumps = 0 if self.replay is None else self.replay.position().jumps
        has_jumped, self._jumps = jumps != self._jumps, jumps
        if has_jumped:
            self._log_cursor = 0
            self.log_lines.clear()
        page = self.engine.log(after=self._log_cursor, limit=LOG_LINES)
        self._log_cursor = page.next_cursor
        self.log_missed += page.missed
        self.log_lines.extend(page.lines)
        return has_jumped or bool(page.lines or page.missed)

    def watch_theme(self, theme: str) -> None:
        if self.is_running and not self.without_colour:
            self.remember(theme=theme)

    def note(self, text: str, tone: Tone = "plain") -> None:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, SupervisorScreen):
                screen.note(text, tone)
                return

    # Actions ------------------------------------------------------------------------------------

    def action_show_alerts(self) -> None:
        if self.snapshot.alerts is None:
            self.note(NO_QUEUE, "busy")
        else:
            self._open_once(AlertsScreen)

    def _open_once(self, kind: type[AlertsScreen] | type[IncidentsScreen]) -> None:
        """Open a screen; where one of its kind is open below the present screen, go back to it."""
        if any(isinstance(screen, kind) for screen in self.screen_stack):
            while not isinstance(self.screen, kind):
                self.pop_screen()
        else:
            self.open_screen(kind())

    def action_incidents(self) -> None:
        self._open_once(IncidentsScreen)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_refresh_rate(self, factor: float) -> None:
        self.refresh_seconds = min(60.0, max(POLL_SECONDS, self.refresh_seconds * factor))
        self.note(f"what merely ticks is repainted every {self.refresh_seconds:g} s")

    def action_picture(self) -> None:
        picture = picture_of(self)
        self.export("picture", "screen", "svg", picture.encode)

    def action_choose_theme(self) -> None:
        self.push_screen(ThemeScreen(THEMES, self.theme))

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            screen = self.screen
            first = screen.HELP_FIRST if isinstance(screen, SupervisorScreen) else ()
            self.open_screen(HelpScreen(self.keymap, ("replay",) if self.replay is not None else first))

    def action_toggle_debug(self) -> None:
        shown = not self.snapshot.debug
        self.run_command("debug indicator", self.engine.set_debug(shown))

    def action_ask_quit(self) -> None:
        """Say what would stop; quit at the second press."""
        screen = self.screen
        if isinstance(screen, LinesScreen):
            # As in any pager: what is read is left, not what runs.
            screen.dismiss()
            return
        if self.attached or self.replay is not None:
            self.exit(return_code=0)
            return
        if not isinstance(screen, SupervisorScreen):
            return
        count = len(self.snapshot.connections)
        what = counted(count, "connection")
        keys = self.keymap["quit"]
        screen.last_row.ask(f"quit and stop {what}", keys, lambda: self.exit(return_code=0))

    def action_replay_jump(self) -> None:
        past, screen = self.replay, self.screen
        if past is None:
            self.action_replay("play")
            return

        def answered(text: str) -> None:
            try:
                position = past.position()
                at = moment_of(text, position.at, position.begin, position.end)
            except ValueError:
                self.note("✗ expected a time such as 21:14, 21:14:05, -5m or 2026-11-22T21:14", "bad")
            else:
                self.run_command("replay", past.seek(at))

        if isinstance(screen, SupervisorScreen):
            screen.last_row.prompt(Prompt("go to:", answered=answered))

    def action_detach(self) -> None:
        if self.attached:
            self.exit(return_code=0)
        else:
            self.note("✗ nothing to detach from: this screen's own process runs the connections", "busy")

    def action_suspend_process(self) -> None:
        self.note("✗ ^z would stop every connection: nothing was done; run it in tmux to leave it", "busy")

    # Workers ------------------------------------------------------------------------------------

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Notice the engine's end, and commands that failed in a way nobody foresaw."""
        worker = event.worker
        if worker.name == "engine" and event.state in (WorkerState.ERROR, WorkerState.SUCCESS):
            error = worker.error
            self._engine_end = f"{type(error).__name__}: {error}" if error else "its loop ended"
            self.show_now()
        if event.state is WorkerState.ERROR:
            self.worker_failed(worker)


def picture_of(app: App[int]) -> str:
    """The screen as SVG, without a font that would be fetched from somewhere when it is looked at."""
    picture = app.export_screenshot(title="overlay-supervisor")
    # Some viewers, GNOME's among them, take leading spaces away unless told not to.
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def _spare_the_collector() -> None:
    """Leave what lives as long as the app out of the collector's rounds, the worst stalls there are.

    The rounds over the rest are cheap then, and must come soon: each connection that is lost leaves a few
    hundred objects in circles behind.
    """
    gc.collect()
    gc.freeze()
    # It waits until what is new is a quarter of what the last full round found, and that was all of the app.
    gc.collect()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _MIDDLE_ROUNDS)
