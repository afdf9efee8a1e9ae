"""What a terminal sends, as messages: no sequence breaks the reading, and no text without an end holds it up.

What is pasted into a terminal that marks no paste comes here raw, and may hold every sequence there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual import events
from textual._parser import Parser
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

from tui.app.typed import MOST_PASTED

UNENDED = 2.0
"""Seconds without a character after which a marked text has ended, though its mark never came."""
MOST_CELLS = 1_000_000
"""Of a terminal; what calls itself larger, or nothing, is none."""


class Sequences(XTermParser):
    """Reads what a terminal sends. Times are those of one monotonic clock."""

    def __init__(self) -> None:
        super().__init__()
        self._text: str | None = None
        """What is kept of a marked text that is under way."""
        self._last = ""
        """The last characters, in which a mark may have begun."""
        self._came = 0.0

    @property
    def is_in_text(self) -> bool:
        """A marked text is under way: to be asked again before long, though nothing comes."""
        return self._text is not None

    def take(self, data: str, now: float) -> list[Message]:
        """What ``data``, read at ``now``, means; without any, what time alone has settled."""
        found: list[Message] = []
        if data:
            self._came = now
        elif self._text is not None and now - self._came >= UNENDED:
            found.append(self._end(self._last))
        while data:
            if self._text is None:
                data = self._take_keys(data, found)
            else:
                data = self._take_text(self._text, data, found)
        found += self.tick()
        return found

    def _take_keys(self, data: str, found: list[Message]) -> str:
        for at, sign in enumerate(data, 1):
            try:
                found += self._possible(self.feed(sign))
            except (ValueError, ArithmeticError):
                # A key or a place with a number that is none: the sequence is left out.
                Parser.__init__(self)
            self._last = (self._last + sign)[-len(BRACKETED_PASTE_START) :]
            if self._last == BRACKETED_PASTE_START:
                self._text = self._last = ""
                return data[at:]
        return ""

    def _take_text(self, text: str, data: str, found: list[Message]) -> str:
        more, mark, rest = (self._last + data).partition(BRACKETED_PASTE_END)
        if mark:
            found.append(self._end(more))
            return rest
        begun = len(BRACKETED_PASTE_END) - 1
        self._text, self._last = (text + more[:-begun])[:MOST_PASTED], more[-begun:]
        return ""

    def _end(self, more: str) -> events.Paste:
        text, self._text, self._last = (self._text or "") + more, None, ""
        # It knows of the beginning, and has seen nothing of the text.
        list(self.feed(BRACKETED_PASTE_END))
        return events.Paste(text[:MOST_PASTED].replace("\x00", ""))

    def _possible(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            if isinstance(message, events.Resize):
                if not message.pixel_size:
                    self.terminal_pixel_size = None
                if not 0 < message.size.area <= MOST_CELLS:
                    self.terminal_size = None
                    continue
            yield message
