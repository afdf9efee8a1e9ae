"""Going through a replay."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from tui.app.commands import EngineApp
from tui.app.screens.last_row import LastRow
from tui.model.engine import CommandResult
from tui.replay.controls import SPEEDS
from widgets.prompt import Prompt


def replay(app: EngineApp, verb: str, amount: float = 0.0) -> None:
    """Go to another moment of the replay, or let it play; where there is none that is said."""
    replay = app.replay
    if replay is None:
        app.note("✗ this is the present: overlay-supervisor replay shows the past", "busy")
        return
    position = replay.position()
    speed = SPEEDS[(SPEEDS.index(position.speed) + 1) % len(SPEEDS)] if position.playing else position.speed
    what: dict[str, Callable[[], Awaitable[CommandResult]]] = {
        "play": lambda: replay.pause() if position.playing else replay.play(position.speed),
        "speed": lambda: replay.play(speed),
        "step": lambda: replay.step(int(amount)),
        "by": lambda: replay.seek(position.at + amount),
        "incident": replay.next_incident if amount > 0 else replay.previous_incident,
    }
    app.run_command("replay", what[verb]())


def ask_moment(app: EngineApp, row: LastRow) -> None:
    """Ask for a moment of the replay, and go there."""
    past = app.replay
    if past is None:
        replay(app, "play")
        return

    def answered(text: str) -> None:
        try:
            position = past.position()
            at = moment_of(text, position.at, position.begin, position.end)
        except ValueError:
            app.note("✗ expected a time such as 21:14, 21:14:05, -5m or 2026-11-22T21:14", "bad")
            return
        app.run_command("replay", past.seek(at))

    row.prompt(Prompt("go to:", answered=answered))


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
