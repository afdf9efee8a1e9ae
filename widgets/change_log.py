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
    """Follows the newest entry until someone scrolls up, and again from when they are back at the end."""

    _is_following = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Notice that someone scrolled."""
        super().watch_scroll_y(old_value, new_value)
        self._is_following = new_value >= self.max_scroll_y

    def show(self, entries: Sequence[LogEntry]) -> None:
        """Show ``entries``, oldest first."""
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
        self.lay_out()

    def lay_out(self) -> None:
        """Keep the newest entry in view."""
        if self._is_following and self.scroll_y < self.max_scroll_y:
            # At once: below another screen there is no next refresh to wait for.
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
