"""The interface of every face: what may be read from the engine and asked of it.

``snapshot`` and ``log`` are safe from any thread and never block. Commands are awaited on the
caller's own loop; they run on the engine's and never raise for what the network did: the result
says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from msgspec import Meta

from tui.model.alerts import AlertCommand, AlertContent, AlertOutcome, AlertPage
from tui.model.bounds import MAX_ALERTS, MAX_FRAMES, MAX_LOG_LINES, MAX_SEARCH_WORDS, Cursor, Id, Name, Topic
from tui.model.incidents import Timeline
from tui.model.snapshot import (
    CommandResult,
    ConnectionHistory,
    ExtraCommand,
    FrameContent,
    FramePage,
    LogPage,
    Snapshot,
)

_REFUSED = CommandResult(ok=False, message="this is a replay: nothing can be done")


class Engine(Protocol):
    """A running engine, in this process or behind a socket, or one of the past, which inherits the refusals.

    The control socket's methods are made of these, so that all of their parameters are bounded.
    """

    def snapshot(self) -> Snapshot:
        """The value last published: at most 4 a second, within 20 ms of a change of state or a command."""

    def log(self, after: Cursor = 0, limit: Annotated[int, Meta(ge=1, le=MAX_LOG_LINES)] = 100) -> LogPage:
        """The lines after the cursor ``after``, at most ``limit`` of them, oldest first."""

    async def history(self, name: Name) -> ConnectionHistory | CommandResult:
        """What is kept of ``name``; a result that is not ok says why there is none."""
        return _REFUSED

    async def frames(
        self, name: Name, after: Cursor = 0, limit: Annotated[int, Meta(ge=1, le=MAX_FRAMES)] = 200
    ) -> FramePage | CommandResult:
        """The newest frames of ``name`` after the cursor ``after``, at most ``limit`` of them (1 to 1,000).

        To ask is what turns the recording on; it goes off, and forgets, when nobody has asked for 10 s.
        """
        return _REFUSED

    async def frame(self, name: Name, cursor: Cursor) -> FrameContent | CommandResult:
        """One frame that is still held, with its payload."""
        return _REFUSED

    async def connect(self, name: Name | None) -> CommandResult:
        """Connect ``name`` or every one, counts and breaker re-armed; a connected one stays as it is."""
        return _REFUSED

    async def reconnect(self, name: Name | None) -> CommandResult:
        """Replace the connection of ``name``, or of every one."""
        return _REFUSED

    async def disconnect(self, name: Name | None) -> CommandResult:
        """Disconnect ``name``, or every connection, until it is asked for again."""
        return _REFUSED

    async def push(self, name: Name, topic: Topic, event: Topic, payload: Any) -> CommandResult:
        """Push on a joined topic and report the reply; answers "not connected" at once when it is not."""
        return _REFUSED

    async def set_debug(self, shown: bool) -> CommandResult:
        """Show the indicator even when all is well, or only when something is wrong."""
        return _REFUSED

    async def acknowledge(self, incident: Id) -> CommandResult:
        """Acknowledge an open incident: seen by a person, who is not to be told again."""
        return _REFUSED

    async def timeline(self, incident: Id) -> Timeline | CommandResult:
        """What happened before and during an incident."""
        return _REFUSED

    async def alerts(self, command: AlertCommand) -> CommandResult:
        """Do something with the alert queue; the result says what was done, or why nothing was."""
        return _REFUSED

    async def alert_history(
        self,
        *,
        before: Annotated[str, Meta(max_length=256)] | None = None,
        limit: Annotated[int, Meta(ge=1, le=MAX_ALERTS)] = 100,
        alert_type: Name | None = None,
        outcome: AlertOutcome | None = None,
        words: Annotated[tuple[Name, ...], Meta(max_length=MAX_SEARCH_WORDS)] = (),
    ) -> AlertPage | CommandResult:
        """Ended alerts from the store, at most ``limit`` (1 to 1,000), the newest first.

        Each of ``words`` is somewhere in their type, outcome, who, title or message.
        """
        return _REFUSED

    async def alert(self, alert: Id) -> AlertContent | CommandResult:
        """One alert, whether it waits, plays or has ended."""
        return _REFUSED

    def extra_commands(self) -> tuple[ExtraCommand, ...]:
        """The commands beside these, for the palette."""

    async def run_extra(self, command: Name) -> CommandResult:
        """Run one of :meth:`extra_commands` by its id."""
        return _REFUSED


class PluginCommands(Protocol):
    """Commands of whoever runs beside the engine, such as the demo's faults."""

    def commands(self) -> Sequence[ExtraCommand]:
        """What there is to run."""

    async def run(self, command: str) -> CommandResult:
        """Run one, awaited on the caller's loop."""

    def notice(self) -> str | None:
        """One line that must stay on the screen. Called from the engine's thread; never blocks."""
