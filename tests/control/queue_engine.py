"""An engine whose alert queue is what a test says it is, served at a control socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.scripted_engine import ScriptedEngine, connection
from tui.control.protocol import SOCKET_NAME
from tui.control.server import ControlServer
from tui.model.alerts import (
    AlertCommand,
    AlertContent,
    AlertOutcome,
    AlertPage,
    AlertsSnapshot,
    AlertSummary,
    SourceAway,
)
from tui.model.snapshot import CommandResult, Snapshot

HOSTILE = "\x1b[31m=cmd|'/C calc'!A0\u202e"


class QueueEngine(ScriptedEngine):
    """Shows ``queue``, keeps the commands that come, and has ``ended`` for a history."""

    def __init__(self, queue: AlertsSnapshot | None = None, ended: tuple[Any, ...] = ()) -> None:
        super().__init__((connection("stage"),))
        self.queue = queue
        self.ended: tuple[AlertSummary | SourceAway, ...] = ended
        self.history_refused: CommandResult | None = None
        self.commands: list[AlertCommand] = []
        self.pages: list[dict[str, Any]] = []
        self.contents: dict[str, AlertContent] = {}

    def snapshot(self) -> Snapshot:
        return msgspec.structs.replace(super().snapshot(), alerts=self.queue)

    async def alerts(self, command: AlertCommand) -> CommandResult:
        self.commands.append(command)
        return self.answer

    async def alert_history(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        alert_type: str | None = None,
        outcome: AlertOutcome | None = None,
        words: tuple[str, ...] = (),
    ) -> AlertPage | CommandResult:
        self.pages.append(
            {"before": before, "limit": limit, "type": alert_type, "outcome": outcome, "words": words}
        )
        if self.history_refused is not None:
            return self.history_refused
        begin = int(before or 0)
        end = begin + limit
        return AlertPage(
            alerts=self.ended[begin:end],
            next_before=str(end) if end < len(self.ended) else None,
            counts={"raid": {"shown": 2, "skipped": 1}},
        )

    async def alert(self, alert: str) -> AlertContent | CommandResult:
        return self.contents.get(alert) or CommandResult(ok=False, message=f"no alert {alert}")


def alert(number: int, **changes: Any) -> AlertSummary:
    """One that waits; its id begins like those of all that came in the same minute."""
    values: dict[str, Any] = {
        "id": f"01kb3x{number:04d}0123456789",
        "type": "raid",
        "who": f"viewer_{number}",
        "title": f"viewer_{number} raids with 20",
        "priority": 8,
        "duration": 10.0,
        "source": "stage stream:events",
        "accepted_at": time.time() - 60,
    }
    return AlertSummary(**values | changes)


def ended(number: int, **changes: Any) -> AlertSummary:
    """One that was shown."""
    values: dict[str, Any] = {"state": "ended", "outcome": "shown", "ended_at": time.time() - 30}
    return alert(number, **values | changes)


@contextmanager
def serving_queue(folder: Path, engine: ScriptedEngine) -> Iterator[Path]:
    """Its control socket in ``folder``, closed at the end."""
    path = folder / SOCKET_NAME
    server = ControlServer(engine, path, state_folder=folder)
    server.start()
    try:
        yield path
    finally:
        assert server.close(5), "the control thread did not end"
