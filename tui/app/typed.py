"""Keys as they come from a terminal, told from a text that was pasted.

Where a terminal does not mark what is pasted (GNU screen and the Linux console do not), it comes as if it had
been typed: taken for keys, a page of prose would be a hundred commands. So more keys in one go than anybody
types are a text, as if it had been marked: for a line that is open, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual import events
from textual._parser import Parser
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

MOST_TYPED = 100
"""Keys that may come in one go: what a script sends, or a hand that was ahead of a busy screen."""
MOST_PASTED = 16 * 1024
"""Characters that are kept of a text; more of them are counted."""
FASTEST_TYPED = 0.01
"""Seconds without a key that part two of those that are typed."""
PASTE_GAP = 0.1
"""Seconds without a key that end a text: it may come in pieces."""
UNENDED = 2.0
"""Seconds without a character after which a marked text has ended, though its mark never came."""
MOST_CELLS = 1_000_000
"""Of a terminal; what calls itself larger, or nothing, is none."""

_HASTY = 16
"""So many keys in one read may be the beginning of a text: they wait for :data:`FASTEST_TYPED`."""
_LATEST = ((events.AppFocus, events.AppBlur), (events.MouseMove,))
"""Of these in a row the last one alone is true."""


class Sequences(XTermParser):
    """Reads what a terminal sends, as messages: no sequence breaks the reading, and no text without an end
    holds it up. What is pasted where nothing marks it comes here raw, and may hold every sequence there is.

    Times are those of one monotonic clock.
    """

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


class Pasted(events.Paste):
    """A text that came without marks. Widgets that take what is pasted leave it to the app.

    Attributes:
        text: the first :data:`MOST_PASTED` characters of it; of other keys, enter and tab alone are in it.
        keys: how many keys it was.
        last: the last one.
    """

    def __init__(self, text: str, keys: int, last: events.Key) -> None:
        super().__init__(text)
        self.keys = keys
        self.last = last


class Typed:
    """Parts what a terminal sends. Not for several threads; times are those of one monotonic clock."""

    def __init__(self) -> None:
        self._held: list[events.Key] = []
        """Not handed on yet, of a text no more than can be kept of it."""
        self._run = 0
        """Keys without a pause between them, those that were handed on included."""
        self._taken = 0
        """How many of the run were handed on as keys."""
        self._came = 0.0

    @property
    def _is_text(self) -> bool:
        return self._run > MOST_TYPED

    def take(self, came: Sequence[Message], now: float) -> list[Message]:
        """What was read at ``now``, or nothing; returns what is to be handed on, in its order."""
        # A text whose next piece is here already has not ended, however late a busy machine comes to read it.
        goes_on = self._is_text and any(isinstance(event, events.Key) for event in came)
        found = [] if goes_on else self._due(now)
        for event in came:
            if isinstance(event, events.Key):
                self._hold(event, now)
                continue
            if not self._is_text:
                found += self._keys()
            if found and any(isinstance(event, kinds) and isinstance(found[-1], kinds) for kinds in _LATEST):
                found.pop()
            found.append(event)
        if not self._is_text and len(self._held) < _HASTY:
            found += self._keys()
        return found

    def _due(self, now: float) -> list[Message]:
        if now - self._came < self._gap:
            return []
        found: list[Message] = [self._text()] if self._is_text else list(self._keys())
        self._run = self._taken = 0
        return found

    @property
    def wait(self) -> float | None:
        """Seconds after which to take nothing, if nothing comes; None where nothing is held."""
        return self._gap if self._held else None

    @property
    def _gap(self) -> float:
        return PASTE_GAP if self._is_text else FASTEST_TYPED

    def _hold(self, key: events.Key, now: float) -> None:
        self._run += 1
        self._came = now
        if len(self._held) > MOST_PASTED:
            self._held.pop()
        self._held.append(key)

    def _keys(self) -> list[events.Key]:
        keys, self._held = self._held, []
        self._taken += len(keys)
        return keys

    def _text(self) -> Pasted:
        count = self._run - self._taken
        keys = self._keys()
        text = "".join(map(_character_of, keys[:MOST_PASTED]))
        return Pasted(text, count, keys[-1])


def _character_of(key: events.Key) -> str:
    if key.character is not None and key.character.isprintable():
        return key.character
    return {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}.get(key.key, "")
