"""Row 2: what viewers see, the time it has left, and the state of the alert queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from widgets.lines import Line, LineView, Span
from widgets.untrusted import cell_width, displayable, fitted

OnAirTone = Literal["air", "sent", "busy", "quiet"]
"""An overlay is known to show it; sent, and nobody knows; it waits for a person or for the overlays;
nothing is shown."""

_BARS = (10, 5)
_WHAT_BEFORE_BAR, _WHAT_BEFORE_WORDS = 24, 12
"""Columns of what it is that are kept before the time's bar, and before the words on the right."""
_SECONDS = 4


@dataclass(frozen=True)
class OnAirValue:
    """What the line says. Type and what may be from the network."""

    tone: OnAirTone
    label: str
    """What viewers see, in a word or two: ``ON AIR``, ``nothing on air``."""
    type: str = ""
    what: str = ""
    left: float | None = None
    """The share of its time that is left, from 0 to 1; None while no time runs."""
    seconds: str = ""
    state: str = ""
    """Of the queue."""
    tally: str = ""
    trouble: str = ""


class OnAir(LineView):
    """One line, filled with colour while viewers see something or the queue waits."""

    DEFAULT_CSS = """
    OnAir {
        height: 1;
        text-style: bold;
        &.on-air-air { background: #6d3fc0; color: #ffffff; }
        &.on-air-sent { background: $foreground 22%; }
        &.on-air-busy { background: #f2c230; color: #161616; }
        &.on-air-quiet { text-style: none; }
        &:ansi { color: ansi_default; background: ansi_default; text-style: bold reverse; }
        &:ansi.on-air-air { color: ansi_magenta; }
        &:ansi.on-air-busy { color: ansi_yellow; }
        &:ansi.on-air-quiet { text-style: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="on-air-quiet")
        self.value = OnAirValue("quiet", "")

    def show(self, value: OnAirValue) -> None:
        """Show ``value``; a second that passes changes the time alone."""
        if value == self.value:
            return
        if value.tone != self.value.tone:
            self.remove_class(f"on-air-{self.value.tone}")
            self.add_class(f"on-air-{value.tone}")
        self.value = value
        self.lay_out()

    def lay_out(self) -> None:
        """Set the lines."""
        self.set_lines((on_air_line(self.value, self.size.width),))


def on_air_line(value: OnAirValue, width: int) -> Line:
    """The line for ``width`` columns: what it is goes before the bar, the bar before how many wait."""
    head = f" {displayable(value.label, 100)}"
    if value.type:
        head += f"  {displayable(value.type, 40)}"
    what = displayable(value.what, 300)
    state, tally, trouble = (displayable(each, 100) for each in (value.state, value.tally, value.trouble))
    everything = (state, tally, trouble)
    wanted = [(bar, everything, _WHAT_BEFORE_BAR) for bar in (_BARS if value.left is not None else ())]
    for words in (everything, (state, "", trouble), (state, "", ""), ("", "", "")):
        wanted.append((0, words, _WHAT_BEFORE_WORDS))
    for bar, words, least in wanted:
        time = _time(value, bar)
        tail = "  ".join(word for word in words if word)
        tail = f"   {tail} " if tail else " "
        room = width - cell_width(head) - cell_width(time) - cell_width(tail) - 2
        if room >= min(cell_width(what), least):
            break
    return (Span(f"{head}  {fitted(what, max(0, room))}"), Span(time), Span(tail))


def _time(value: OnAirValue, cells: int) -> str:
    if value.left is None:
        return ""
    full = round(value.left * cells)
    bar = f"  {'▓' * full}{'▒' * (cells - full)}" if cells else ""
    return f"{bar}  {value.seconds:>{_SECONDS}}"
