"""The last changes, newest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.lines import LineView, Span, Tone


class LogEntry(NamedTuple):
    """One change."""

    time: str
    subject: str
    text: str
    tone: Tone = "plain"


class ChangeLog(LineView, can_focus=True):
    """Follows the newest entry until someone scrolls up."""

    def show(self, entries: Sequence[LogEntry]) -> None:
        """Show ``entries``, oldest first."""
        following = self.scroll_offset.y >= self.virtual_size.height - self.size.height
        self.set_lines(
            [
                (
                    Span(f" {entry.time} ", "dim"),
                    Span(f"{entry.subject} " if entry.subject else "", "strong"),
                    Span(entry.text, entry.tone),
                )
                for entry in entries
            ]
        )
        if following:
            self.move_to_end(last=True)

    def on_resize(self) -> None:
        """Keep the newest entry in view."""
        self.move_to_end(last=True)
