"""The app: reads snapshots a few times a second, shows them, and passes commands on."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
from textual import events
from textual.app import App
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from tui import presenters
from tui.actions import ACTIONS
from tui.apart import apart
from tui.engine.api import CommandResult, ConnectionSnapshot, Engine, LogLine, Snapshot
from tui.exports import write_new
from tui.formats import counted, time_of_day
from tui.keymap import Keymap, keymap, textual_keymap
from tui.presenters.alert_history import types_of
from tui.presenters.frames import pretty
from tui.presenters.incident_news import IncidentNews
from tui.presenters.incidents import Severity
from tui.presenters.status import RINGS_FROM
from tui.push_line import PushError, read_push
from tui.remembered import Remembered
from tui.replay.controls import SPEEDS, Mark, Position, Replay
from tui.screens.alert_actions import AlertActionsScreen
from tui.screens.alerts import AlertsScreen
from tui.screens.base import SupervisorScreen
from tui.screens.bindings import bindings
from tui.screens.dashboard import DashboardScreen
from tui.screens.details import DetailsScreen
from tui.screens.incidents import IncidentsScreen, TimelineScreen
from tui.screens.inspector import InspectorScreen
from tui.screens.lists import ConnectionScreen
from tui.screens.palette import Palette, PaletteCommand, PaletteProvider
from tui.screens.service import ServiceScreen
from tui.screens.text import HelpScreen, LinesScreen, MetricsScreen, TextScreen
from tui.screens.theme import ThemeScreen
from tui.screens.workers import run_beside
from tui.terminal import UnattendedApp
from tui.typed import Pasted
from widgets.lines import Span, Tone
from widgets.prompt import again
from widgets.untrusted import displayable

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
COMMAND_SECONDS = 10.0
"""How long a command may take before its silence is told."""
LOG_LINES = 500
_MIDDLE_ROUNDS = 2
"""Rounds of the collector over what is not quite new before one over all; ten would take minutes."""
REMEMBER_SECONDS = 0.5
"""After a change of the arrangement: what is typed into the filter is not written letter by letter."""

DARK = Theme(
    name="dark",
    primary="#3d7fd9",
    secondary="#5aa0a8",
    success="#4cc27a",
    warning="#f2c230",
    error="#ff5f6b",
    accent="#5aa0a8",
    foreground="#d8dde3",
    background="#12161b",
    surface="#12161b",
    panel="#1f262e",
    boost="#1f262e",
    dark=True,
)
LIGHT = Theme(
    name="light",
    primary="#2563b8",
    secondary="#2f7d86",
    success="#0f6130",
    warning="#755200",
    error="#b3132b",
    accent="#2f7d86",
    foreground="#1c2126",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#e7e9ea",
    boost="#e7e9ea",
    dark=False,
)
THEMES = ("dark", "light", "ansi-dark", "ansi-light")


@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """What a face takes from the settings and from its last run."""

    theme: str | None = None
    """One of :data:`THEMES`; it beats the remembered one. ``NO_COLOR`` beats both."""
    bell: bool = False
    """Ring once when the worst state becomes worse."""
    toast_from: Severity | None = "warning"
    """The least severity of an incident that is told in the last row as it opens; None tells none."""
    bell_from: Severity | None = None
    """The same for the bell."""
    refresh: float = 1.0
    """Seconds between repaints of what merely ticks."""
    keymap: Keymap = field(default_factory=lambda: keymap({}))
    """The keys of every action."""
    folder: Path | None = None
    """Where pictures and exports go; None for the working directory."""
    remembered: Remembered = field(default_factory=Remembered)
    """How the last face was left."""
    remember: Callable[[Remembered], None] | None = None
    """Keeps how this one is left; called in a thread, and may raise OSError."""
    notice: str | None = None
    """Told once at the start."""


class OverlaySupervisorApp(UnattendedApp, inherit_bindings=False):
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
        options: FaceOptions | None = None,
        attached: bool = False,
        replay: Replay | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Show ``engine``. ``engine_worker`` runs its loop, or waits for its end, and is watched.

        ``attached`` says that the engine lives elsewhere and goes on without this face. ``replay`` is the
        engine where it shows the past. ``clock`` gives epoch seconds, of a replay those of its moment.
        """
        super().__init__()
        # Nothing moves by itself: an unchanged screen sends nothing.
        self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        for name in set(self.available_themes) - set(THEMES):
            self.unregister_theme(name)
        self.options = options or FaceOptions()
        wanted = self.options.theme or self.options.remembered.theme
        self.theme = "ansi-dark" if self.without_colour else wanted if wanted in THEMES else "dark"
        self.keymap = self.options.keymap
        self.set_keymap(textual_keymap(self.keymap))
        self.clock = clock
        self.refresh_seconds = self.options.refresh
        self.engine = engine
        self.attached = attached
        self.replay = replay
        self.marks: tuple[Mark, ...] = ()
        """What a replay's time line shows."""
        self._jumps = 0
        self.snapshot: Snapshot = engine.snapshot()
        self.log_lines: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.log_missed = 0
        self._engine_worker = engine_worker
        self._engine_end: str | None = None
        self._log_cursor = 0
        self._urgent: tuple[object, ...] = ()
        self._shown_tick = 0
        self._counted_at = 0.0
        self._worst: int | None = None
        self._news = IncidentNews(self.options.toast_from, self.options.bell_from)
        self._remembered = self.options.remembered
        self._remembering = threading.Lock()
        self._remember_timer: Timer | None = None

    def get_default_screen(self) -> DashboardScreen:
        """The dashboard."""
        return DashboardScreen(self.options.remembered)

    def on_mount(self) -> None:
        """Start the engine's worker and the reading of snapshots."""
        if self._engine_worker is not None:
            self.run_worker(
                self._engine_worker, name="engine", group="engine", thread=True, exit_on_error=False
            )
        self.set_interval(POLL_SECONDS, self._look)
        self.call_after_refresh(_spare_the_collector)
        self.show_now()
        # What is open already is no news.
        self._tell_news(self.snapshot)
        if self.replay is not None:
            run_beside(self, partial(self._read_marks, self.replay), name="marks", group="marks")
        if self.options.notice is not None:
            self.call_after_refresh(self.tell, self.options.notice, "busy")

    def on_key(self, event: events.Key) -> None:
        """Give a key to the line, the palette or the question that the keys before it opened.

        Keys that come together all go to what had the focus before the first of them had its effect, and
        come by here one after the other.
        """
        screen = self.screen
        if isinstance(screen, Palette):
            taken = not screen.has_had(event)
            if taken:
                screen.take(event)
        else:
            taken = isinstance(screen, SupervisorScreen) and screen.take_key(event)
        if taken:
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """The same with a text that is pasted; elsewhere it does nothing."""
        if self._paste(event):
            event.stop()

    def on_pasted(self, event: Pasted) -> None:
        """The same with a text that came as keys; where it ends in a key that leaves, that is still pressed.

        Not where a question stands: who pastes does not answer it.
        """
        in_line = self._paste(events.Paste(event.text))
        if not in_line:
            self.tell(f"✗ {event.keys:,} keys at once were taken for a text: nothing was done", "busy")
        leaves = event.last.key in (*self.keymap["quit"], *self.keymap["back"])
        if leaves and not (event.last.is_printable if in_line else self._is_asking):
            again(self, event.last)

    def _paste(self, event: events.Paste) -> bool:
        """Put a text into the line that is open; whether there is one."""
        screen = self.screen
        if isinstance(screen, Palette):
            screen.take(event)
            return True
        return isinstance(screen, SupervisorScreen) and screen.take_paste(event)

    # Showing ------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Show what is urgent at once, and once in a while what merely ticks."""
        new_lines = self._read_log()
        snapshot = self._read()
        self._tell_news(snapshot)
        urgent = presenters.urgent(snapshot)
        if new_lines or urgent != self._urgent or self._tick() != self._shown_tick:
            self.show_now()
        elif self.now != self._counted_at:
            self._count_down()

    def _count_down(self) -> None:
        """Between two repaints: the time that an alert has left, once a second."""
        self._counted_at = now = self.now
        snapshot = self._read()
        screen = self.screen
        if isinstance(screen, SupervisorScreen) and presenters.counts_down(snapshot, now):
            screen.count_down(snapshot, now)

    def _tick(self) -> int:
        return int(self.clock() / self.refresh_seconds)

    def _read(self) -> Snapshot:
        snapshot = self.engine.snapshot()
        if self._engine_end is not None and snapshot.stopped is None:
            snapshot = msgspec.structs.replace(snapshot, stopped=self._engine_end)
        return snapshot

    def show_now(self) -> None:
        """Read the engine and show what changed."""
        self._read_log()
        self.snapshot = snapshot = self._read()
        self._urgent = presenters.urgent(snapshot)
        self._shown_tick = self._tick()
        self._counted_at = now = self.now
        title = presenters.terminal_title(snapshot, now)
        self.show_title(title if self.replay is None else "sup replay")
        self._ring(presenters.worst(snapshot, now), settled=presenters.settled(snapshot))
        for screen in self.screen_stack:
            # Below a full screen nothing can be seen; below the palette the dashboard can.
            if isinstance(screen, SupervisorScreen) and screen.is_attached:
                screen.show(snapshot, now)

    @property
    def now(self) -> float:
        """Epoch seconds, whole ones: what merely ticks changes no more often."""
        return float(int(self.clock()))

    @property
    def position(self) -> Position | None:
        """Where a replay stands; None for the present."""
        return None if self.replay is None else self.replay.position()

    def _ring(self, worst: int, *, settled: bool) -> None:
        """Ring when things have become worse than they were, if that was asked for."""
        before = self._worst
        # What comes back before it has held is the trouble that was rung for.
        self._worst = worst if settled or before is None else min(before, worst)
        # Not for what was found at the start, nor for what a person asked for.
        if self.options.bell and before is not None and worst < before and worst <= RINGS_FROM:
            self.bell()

    def _tell_news(self, snapshot: Snapshot) -> None:
        """Say which incidents have opened, if that was asked for."""
        news = self._news.look(snapshot, self.now, may_tell=lambda: not self._is_asking)
        if news is None:
            return
        if news.ring:
            self.bell()
        if news.text:
            self.tell(news.text, news.tone)

    @property
    def _is_asking(self) -> bool:
        return any(isinstance(each, SupervisorScreen) and each.is_asking for each in self.screen_stack)

    async def _read_marks(self, replay: Replay) -> None:
        position = replay.position()
        self.marks = await replay.marks(position.begin, position.end)
        self.show_now()

    def _read_log(self) -> bool:
        if self.replay is not None and (jumps := self.replay.position().jumps) != self._jumps:
            # What was read was of another moment.
            self._jumps, self._log_cursor = jumps, 0
            self.log_lines.clear()
            self._read_page()
            return True
        return self._read_page()

    def _read_page(self) -> bool:
        page = self.engine.log(after=self._log_cursor, limit=LOG_LINES)
        self._log_cursor = page.next_cursor
        self.log_missed += page.missed
        self.log_lines.extend(page.lines)
        return bool(page.lines or page.missed)

    def remember(self, **changes: str | None) -> None:
        """Keep how the face is arranged for the next start."""
        remembered = msgspec.structs.replace(self._remembered, **changes)
        if remembered == self._remembered:
            return
        self._remembered = remembered
        if self._remember_timer is not None:
            self._remember_timer.stop()
        self._remember_timer = self.set_timer(REMEMBER_SECONDS, self._write_remembered)

    @property
    def remembered(self) -> Remembered:
        """How the face is arranged now."""
        return self._remembered

    def _write_remembered(self) -> None:
        keep = self.options.remember
        if keep is None:
            return

        def write() -> None:
            # One after the other, and each the latest there is.
            with self._remembering:
                keep(self._remembered)

        async def run() -> None:
            try:
                await apart(write, write, "remember")
            except OSError as error:
                log.warning("the arrangement of the screen could not be kept: %s", error)

        run_beside(self, run, name="remember", group="remember")

    def watch_theme(self, theme: str) -> None:
        """Keep the theme that was chosen."""
        if self.is_running and not self.without_colour:
            self.remember(theme=theme)

    def connection(self, name: str) -> ConnectionSnapshot | None:
        """The connection of that name as it was last read."""
        for connection in self.snapshot.connections:
            if connection.name == name:
                return connection
        return None

    def tell(self, text: str, tone: Tone = "plain") -> None:
        """Say something in the last row of the screen that is seen."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, SupervisorScreen):
                screen.tell(text, tone)
                return

    # Commands -----------------------------------------------------------------------------------

    def command(self, verb: str, name: str | None) -> None:
        """Give a command of the engine, for ``name`` or for all."""
        give: dict[str, Callable[[str | None], Awaitable[CommandResult]]] = {
            "connect": self.engine.connect,
            "reconnect": self.engine.reconnect,
            "disconnect": self.engine.disconnect,
        }
        self.run_command(f"{verb} {name or 'all'}", give[verb](name))

    def ask_command(self, verb: str, name: str | None) -> None:
        """The same, asking once before anything that stops connections which nobody pointed at."""
        screen = self.screen
        harmless = verb == "connect" or (verb == "reconnect" and name is not None)
        if harmless or not isinstance(screen, SupervisorScreen):
            self.command(verb, name)
            return
        count = len(self.snapshot.connections)
        what = name or ("the one connection" if count == 1 else f"all {count} connections")
        keys = self.keymap.get(f"all.{verb}" if name is None else "", self.keymap[f"connection.{verb}"])
        screen.ask(f"{verb} {what}", keys, lambda: self.command(verb, name))

    def run_command(
        self,
        words: str,
        answer: Awaitable[CommandResult],
        told: Callable[[str, CommandResult], None] | None = None,
    ) -> None:
        """Wait for the engine's answer beside everything else, tell it, and call ``told`` with it."""

        async def run() -> None:
            try:
                result = await asyncio.wait_for(answer, COMMAND_SECONDS)
            except TimeoutError:
                result = CommandResult(ok=False, message=f"no answer after {COMMAND_SECONDS:.0f} s")
            if result.ok:
                self.tell(result.message)
            else:
                self.tell(f"✗ {words}: {result.message}", "bad")
            self.show_now()
            if told is not None:
                told(words, result)
            # The engine publishes what a command did within 20 ms.
            self.set_timer(0.04, self.show_now)

        self.tell(f"{words} …")
        run_beside(self, run, name=words, group="commands")

    def push_line(self, name: str, line: str) -> str | None:
        """Push what was typed: a topic, an event, and a payload in JSON.

        Returns:
            What is wrong with it and where, if it was not sent.
        """
        try:
            push = read_push(line)
        except PushError as error:
            return str(error)
        words = f"push {push.event} on {push.topic}"
        self.run_command(
            words, self.engine.push(name, push.topic, push.event, push.payload), told=self._show_reply
        )
        return None

    def _show_reply(self, words: str, result: CommandResult) -> None:
        """Show a reply that is too long for the last row on a screen of its own."""
        screen = self.screen
        if result.ok and len(result.message) > self.size.width - 2 and isinstance(screen, SupervisorScreen):
            lines = [(Span(f" {line}"),) for line in pretty(result.message)]
            self.open_screen(TextScreen("reply", words, lines, result.message))

    def show_metrics(self, name: str) -> None:
        """Show ``getMetrics()`` of ``name``."""
        if connection := self.connection(name):
            read_at = time_of_day(self.snapshot.taken_at, self.clock())
            self.open_screen(MetricsScreen(name, read_at, presenters.metrics_json(connection)))

    def show_state(self, name: str) -> None:
        """Tell ``getState()`` of ``name``."""
        if connection := self.connection(name):
            self.tell(f"{name}.getState(): {connection.metrics.connection_state!r}")

    def copy_metrics(self, name: str) -> None:
        """Send the metrics of ``name`` to the terminal's clipboard."""
        if connection := self.connection(name):
            self.copy(presenters.metrics_json(connection), f"metrics of {name}")

    def copy(self, text: str, what: str) -> None:
        """Send ``text`` to the terminal's clipboard; whether it took it, no terminal says."""
        self.copy_to_clipboard(text)
        self.tell(f"{what} sent to the terminal's clipboard")

    def show_details(self, name: str) -> None:
        """Show everything known of ``name``."""
        self.open_screen(DetailsScreen(name))

    def show_alerts(self) -> None:
        """Show the alert queue; where it is open below the present screen, go back to it."""
        if any(isinstance(screen, AlertsScreen) for screen in self.screen_stack):
            while not isinstance(self.screen, AlertsScreen):
                self.pop_screen()
        else:
            self.open_screen(AlertsScreen())

    def show_service(self, key: str) -> None:
        """Show everything known of the service of that key."""
        self.open_screen(ServiceScreen(key))

    def show_timeline(self, id: str) -> None:
        """Show what happened before and during an incident."""
        self.open_screen(TimelineScreen(id))

    def action_incidents(self) -> None:
        """Show the incidents; where they are open below the present screen, go back to them."""
        if any(isinstance(screen, IncidentsScreen) for screen in self.screen_stack):
            while not isinstance(self.screen, IncidentsScreen):
                self.pop_screen()
        else:
            self.open_screen(IncidentsScreen())

    def action_command_palette(self) -> None:
        """Find a command by its name."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def inspect(self, name: str) -> None:
        """Show the frames of ``name``."""
        self.open_screen(InspectorScreen(name))

    def action_refresh_rate(self, factor: float) -> None:
        """Repaint what merely ticks more often, or less."""
        self.refresh_seconds = min(60.0, max(POLL_SECONDS, self.refresh_seconds * factor))
        self.tell(f"what merely ticks is repainted every {self.refresh_seconds:g} s")

    def action_picture(self) -> None:
        """Write a picture of the screen to a file."""
        name = time.strftime("screen-%Y%m%dT%H%M%S.svg", time.localtime(self.clock()))
        picture = picture_of(self)

        def write() -> str:
            return str(write_new(self.options.folder, name, picture.encode()))

        self.run_writing("picture", write)

    def run_writing(self, what: str, write: Callable[[], str]) -> None:
        """Write a file in a thread, and tell where it went."""

        async def run() -> None:
            try:
                path = await apart(write, write, what)
            except OSError as error:
                self.tell(f"✗ {what}: {error.filename or ''}: {error.strerror}", "bad")
            else:
                self.tell(f"{what}: {path}")

        run_beside(self, run, name=what, group="files")

    def action_choose_theme(self) -> None:
        """Choose a theme, each seen as the cursor comes to it."""
        self.push_screen(ThemeScreen(THEMES, self.theme))

    def action_help(self) -> None:
        """Show the keys."""
        if not isinstance(self.screen, HelpScreen):
            screen = self.screen
            first = screen.HELP_FIRST if isinstance(screen, SupervisorScreen) else ()
            self.open_screen(HelpScreen(self.keymap, ("replay",) if self.replay is not None else first))

    def action_toggle_debug(self) -> None:
        """Show the indicator though nothing is wrong, or only when something is."""
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
        screen.ask(f"quit and stop {what}", keys, lambda: self.exit(return_code=0))

    # A replay ----------------------------------------------------------------------------------

    def action_replay(self, verb: str, amount: float = 0.0) -> None:
        """Go to another moment of a replay, or let it play."""
        replay = self.replay
        if replay is None:
            self.tell("✗ this is the present: overlay-supervisor replay shows the past", "busy")
            return
        position = replay.position()
        speed = (
            SPEEDS[(SPEEDS.index(position.speed) + 1) % len(SPEEDS)] if position.playing else position.speed
        )
        what: dict[str, Callable[[], Awaitable[CommandResult]]] = {
            "play": lambda: replay.pause() if position.playing else replay.play(position.speed),
            "speed": lambda: replay.play(speed),
            "step": lambda: replay.step(int(amount)),
            "by": lambda: replay.seek(position.at + amount),
            "incident": replay.next_incident if amount > 0 else replay.previous_incident,
        }
        self.run_command("replay", what[verb]())

    def action_replay_jump(self) -> None:
        """Ask for a moment of a replay, and go there."""
        screen, replay = self.screen, self.replay
        if replay is None or not isinstance(screen, SupervisorScreen):
            self.action_replay("play")
            return

        def answered(text: str) -> None:
            try:
                position = replay.position()
                at = moment_of(text, position.at, position.begin, position.end)
            except ValueError:
                self.tell("✗ expected a time such as 21:14, 21:14:05, -5m or 2026-11-22T21:14", "bad")
                return
            self.run_command("replay", replay.seek(at))

        screen.prompt("go to:", "", answered=answered)

    def action_detach(self) -> None:
        """Leave an engine that lives elsewhere to itself."""
        if self.attached:
            self.exit(return_code=0)
        else:
            self.tell("✗ nothing to detach from: this screen's own process runs the connections", "busy")

    def action_suspend_process(self) -> None:
        """Say what suspending would do, and do nothing."""
        self.tell("✗ ^z would stop every connection: nothing was done; run it in tmux to leave it", "busy")

    def open_screen(self, screen: SupervisorScreen) -> None:
        """Open a screen over the present one."""
        self.push_screen(screen)
        self.call_later(self.show_now)

    # The palette --------------------------------------------------------------------------------

    def palette_commands(self, screen: Screen[object]) -> Iterable[PaletteCommand]:
        """The old console's debug helpers for the selected connection and for all; the actions; the
        helpers for every other connection; the engine's extras."""
        names = [connection.name for connection in self.snapshot.connections]
        selected = screen.selected if isinstance(screen, ConnectionScreen) else None
        if selected is not None:
            yield from self._debug_helpers(selected.name)
        yield PaletteCommand("debug: getMetrics all", "The metrics of all as JSON.", self._show_all_metrics)
        yield PaletteCommand("debug: getState all", "The states of all.", self._show_all_states)
        for verb in ("connect", "reconnect", "disconnect"):
            yield PaletteCommand(
                f"debug: {verb} all",
                f"{verb.capitalize()} every connection now.",
                _bound(self.ask_command, verb, None),
            )
        for action in ACTIONS:
            target, _, name = action.function.partition("(")[0].rpartition(".")
            there = target == "app" or hasattr(screen, f"action_{name}")
            if action.palette is not None and there:
                yield PaletteCommand(action.palette, action.help, self._doing(action.function))
        if isinstance(screen, AlertActionsScreen) and self.snapshot.alerts is not None:
            for type in types_of(self.snapshot.alerts):
                yield PaletteCommand(
                    f"alerts: test {displayable(type, 40)}",
                    "Make one test alert of this type.",
                    _bound(screen.test_alert, type),
                )
        for name in names:
            if selected is None or name != selected.name:
                yield from self._debug_helpers(name)
        for extra in self.engine.extra_commands():
            yield PaletteCommand(
                displayable(extra.label, 80),
                displayable(extra.help, 200),
                _bound(self._run_extra, extra.id, extra.label),
            )

    def _debug_helpers(self, name: str) -> Iterable[PaletteCommand]:
        yield PaletteCommand(
            f"debug: getMetrics {name}", "Its nine metrics as JSON.", _bound(self.show_metrics, name)
        )
        yield PaletteCommand(f"debug: getState {name}", "Its state.", _bound(self.show_state, name))
        for verb in ("connect", "reconnect", "disconnect"):
            yield PaletteCommand(
                f"debug: {verb} {name}",
                f"{verb.capitalize()} {name} now.",
                _bound(self.ask_command, verb, name),
            )

    def _doing(self, function: str) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            await self.run_action(function, default_namespace=self.screen)

        return do

    def _run_extra(self, command: str, label: str) -> None:
        self.run_command(label, self.engine.run_extra(command))

    def _show_all_metrics(self) -> None:
        metrics = {connection.name: connection.metrics.to_camel() for connection in self.snapshot.connections}
        text = msgspec.json.format(msgspec.json.encode(metrics), indent=2).decode()
        read_at = time_of_day(self.snapshot.taken_at, self.clock())
        self.open_screen(MetricsScreen("all", read_at, text))

    def _show_all_states(self) -> None:
        states = (f"{each.name} {each.metrics.connection_state}" for each in self.snapshot.connections)
        self.tell("getState(): " + ", ".join(states))

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

    def worker_failed(self, worker: Worker[object]) -> None:
        """Log and tell a failure that nobody foresaw; row 1 tells that of the engine itself."""
        log.error("worker %s failed", worker.name, exc_info=worker.error)
        if worker.name != "engine":
            self.tell(f"✗ {worker.name}: {type(worker.error).__name__}: {worker.error}", "bad")


def moment_of(text: str, now: float, begin: float, end: float) -> float:
    """Epoch seconds of a time of day, of ``-5m`` or ``+30s`` from ``now``, or of a date.

    A time of day is one of the day of ``now``, or of the day before or after if only that is between
    ``begin`` and ``end``.

    Raises:
        ValueError: none of these.
    """
    text = text.strip()
    units = {"s": 1, "m": 60, "h": 3600}
    if match := re.fullmatch(r"([+-])(\d{1,6})([smh])", text):
        return now + (1 if match[1] == "+" else -1) * int(match[2]) * units[match[3]]
    if match := re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text):
        day = datetime.fromtimestamp(now)
        hour, minute, second = (int(part or 0) for part in match.groups())
        day = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
        days = [(day + timedelta(days=shift)).timestamp() for shift in (0, -1, 1)]
        # A minute that was begun before there was anything is meant too.
        return next((moment for moment in days if begin - 60 <= moment <= end), days[0])
    return datetime.fromisoformat(text).timestamp()


def picture_of(app: App[int]) -> str:
    """The screen as SVG, without a font that would be fetched from somewhere when it is looked at."""
    picture = app.export_screenshot(title="overlay-supervisor")
    # Some viewers, GNOME's among them, take leading spaces away unless told not to.
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


def _bound(function: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: function(*arguments)


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
