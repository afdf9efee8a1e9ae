"""The engine's own log of what changed, read by cursor."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from tui.model.alerts import AlertSummary
from tui.model.events import AlertEnded, Event
from tui.model.incidents import LineSeverity
from tui.model.snapshot import LineKind, LogLine, LogPage
from tui.store.journal import Entry, line_of

log = logging.getLogger("tui.engine")


_TEXT_LIMIT = 1000
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class ChangeLog:
    """The last ``size`` lines; written by the engine's thread, read from any.

    Each line goes to the program's log as well, which keeps more of them, and to ``keep``, the journal.
    """

    def __init__(self, size: int = 1000, *, keep: Callable[[Entry], None] | None = None) -> None:
        self._keep = keep
        self._lines: deque[tuple[LogLine, Entry]] = deque(maxlen=size)
        self._cursor = 0
        self._lock = threading.Lock()

    def add(
        self,
        timestamp: float,
        connection: str | None,
        text: str,
        severity: LineSeverity = "info",
        kind: LineKind = "state",
        *,
        quiet: bool = False,
        event: Event | None = None,
        subject: str | None = None,
    ) -> None:
        """Add one line; a quiet one is for the journal and the program's log alone.

        Without a ``text``, for people, it is for the journal alone; ``subject`` is the key of a service.
        """
        entry = Entry(
            timestamp=timestamp,
            kind=kind,
            text=text[:_TEXT_LIMIT],
            connection=connection,
            severity=severity,
            subject=subject,
            event=event,
        )
        if text and not quiet:
            with self._lock:
                self._cursor += 1
                self._lines.append((line_of(entry, self._cursor), entry))
        if self._keep is not None:
            self._keep(entry)
        if text:
            log.log(_LEVELS[severity], "%s", entry.text, extra={"connection": connection})

    def keep_alert(self, timestamp: float, text: str, alert: AlertSummary) -> None:
        """Keep in the journal alone what became of an alert: there may be hundreds a second."""
        if self._keep is not None:
            event = AlertEnded(alert=alert)
            self._keep(Entry(timestamp=timestamp, kind="alert", text=text[:_TEXT_LIMIT], event=event))

    def entries(self) -> tuple[Entry, ...]:
        """What is held, as the journal keeps it, oldest first."""
        with self._lock:
            return tuple(entry for _, entry in self._lines)

    def page(self, after: int, limit: int) -> LogPage:
        """The lines after the cursor ``after``, at most ``limit`` of them, oldest first."""
        with self._lock:
            lines = tuple(line for line, _ in self._lines if line.cursor > after)[:limit]
            oldest = self._lines[0][0].cursor if self._lines else self._cursor + 1
        return LogPage(
            lines=lines,
            next_cursor=lines[-1].cursor if lines else max(after, 0),
            missed=max(0, oldest - after - 1),
        )
