"""As much of a terminal as it takes to tell what a program's bytes changed on its screen."""

from __future__ import annotations

import codecs
import re

from widgets.untrusted import cell_width

_TOKEN = re.compile(
    r"\x1b\[(?P<parameters>[0-9:;<=>?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
_LONGEST = 65536
"""Characters of one escape sequence; more is none."""

_BLANK = (" ", "")
CURSOR = "▸"


class Screen:
    """Cells with their styles, painted by what is fed. What places no text on the grid is passed over."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[_BLANK] * width for _ in range(height)]
        self._row = self._column = 0
        self._style = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._left = ""

    def feed(self, data: bytes) -> set[int]:
        """Paint ``data``, which may begin and end anywhere; returns the rows of which a cell changed."""
        text = self._left + self._decode(data)
        changed: set[int] = set()
        place = 0
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None:
                # A sequence whose end is still to come, or none at all.
                if len(text) - place < _LONGEST:
                    break
                place += 1
                continue
            place = token.end()
            if token["text"] is not None:
                self._write(token["text"], changed)
            elif token["final"] is not None:
                self._obey(token["final"], token["parameters"], changed)
            elif token["control"] == "\r":
                self._column = 0
            elif token["control"] == "\n":
                self._row = min(self._row + 1, self.height - 1)
            elif token["control"] == "\b":
                self._column = max(0, self._column - 1)
        self._left = text[place:]
        return changed

    def text(self, row: int) -> str:
        """The characters of a row."""
        return "".join(character for character, _ in self._cells[row])

    @property
    def selected(self) -> str | None:
        """The name in the row with the cursor, if there is one."""
        for cells in self._cells:
            if cells[0][0] == CURSOR:
                words = "".join(character for character, _ in cells[:40]).split()
                # The cursor stands against the symbol; the name is the next word.
                return words[1] if len(words) > 1 else None
        return None

    def _write(self, text: str, changed: set[int]) -> None:
        cells = self._cells[self._row]
        for character in text:
            wide = 1 if character.isascii() else cell_width(character)
            for part in (character, "")[:wide]:
                if self._column < self.width:
                    cell = (part, self._style)
                    if cells[self._column] != cell:
                        cells[self._column] = cell
                        changed.add(self._row)
                    self._column += 1

    def _obey(self, final: str, parameters: str, changed: set[int]) -> None:
        if parameters[:1] in ("<", "=", ">", "?"):
            return
        if final == "m":
            # A program that paints the same text in the same way says so in the same words.
            self._style = "" if parameters in ("", "0") else f"{self._style};{parameters}"
            return
        numbers = [int(number) if number.isdigit() else 0 for number in parameters.split(";")]
        first = numbers[0]
        if final in "Hf":
            self._row = _within(first - 1, self.height)
            self._column = _within((numbers[1] if len(numbers) > 1 else 1) - 1, self.width)
        elif final in "AB":
            self._row = _within(self._row + max(1, first) * (1 if final == "B" else -1), self.height)
        elif final in "CD":
            self._column = _within(self._column + max(1, first) * (1 if final == "C" else -1), self.width)
        elif final == "G":
            self._column = _within(first - 1, self.width)
        elif final == "d":
            self._row = _within(first - 1, self.height)
        elif final == "J":
            rows = range(self.height) if first >= 2 else range(self._row + 1, self.height)
            for row in rows:
                self._erase(row, 0, changed)
            if first == 0:
                self._erase(self._row, self._column, changed)
        elif final == "K" and first == 0:
            self._erase(self._row, self._column, changed)

    def _erase(self, row: int, column: int, changed: set[int]) -> None:
        blank = [_BLANK] * (self.width - column)
        if self._cells[row][column:] != blank:
            self._cells[row][column:] = blank
            changed.add(row)


def _within(place: int, count: int) -> int:
    return max(0, min(place, count - 1))
