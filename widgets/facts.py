"""A pane of facts: its name on the left, labels and values in columns beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from widgets.lines import Line, LineView, Span, Tone
from widgets.untrusted import ELLIPSIS, cell_width, cut_to, displayable, fitted

GUTTER = 11
"""The width of a pane's name with its margins: the same for all, so that they line up."""


class Fact(NamedTuple):
    """A label with its value."""

    label: str
    value: str
    tone: Tone = "plain"


class FactList(LineView, can_focus=True):
    """One fact a row: its label on the left, its value under the others' values."""

    DEFAULT_CSS = "FactList { scrollbar-size-vertical: 0; }"

    def show(self, facts: Sequence[Fact]) -> None:
        """Show ``facts``."""
        self.set_lines(
            [
                (
                    Span(fitted(f" {fact.label}", GUTTER + 1), "dim"),
                    Span(displayable(fact.value, 300), fact.tone),
                )
                for fact in facts
            ]
        )


def fact_lines(
    title: str, columns: Sequence[int], rows: Sequence[Sequence[Fact]], *, aligned: bool = False
) -> list[Line]:
    """Lay ``rows`` out; with ``aligned`` the labels of one column are equally wide."""
    most = max((len(row) for row in rows), default=0)
    label_widths = [
        max(len(row[column].label) for row in rows if column < len(row)) for column in range(most)
    ]
    lines: list[Line] = []
    for number, row in enumerate(rows):
        line: list[Span] = [Span(fitted(f" {title}" if number == 0 else "", GUTTER), "heading")]
        for column, fact in enumerate(row):
            width = columns[column] if column < len(columns) else 20
            label = (fitted(fact.label, label_widths[column]) if aligned else fact.label) + " "
            value = displayable(fact.value, 300)
            if column < len(row) - 1:
                value = fitted(value, max(0, width - len(label) - 1)) + " "
            line += (Span(label, "dim"), Span(value, fact.tone))
        lines.append(tuple(line))
    return lines


def fact_section(title: str, facts: Sequence[Fact], width: int, most: int | None = None) -> list[Line]:
    """A heading over facts, ``most`` characters of each folded, and a blank line; nothing without facts."""
    lines: list[Line] = [(Span(f" {title}", "heading"),)] if facts else []
    for fact in facts:
        lines += folded_fact(fact._replace(value=fact.value[:most]), width)
    return [*lines, ()] if facts else []


def folded_fact(fact: Fact, width: int, gutter: int = GUTTER) -> list[Line]:
    """A label of ``gutter`` columns and the whole of its value, folded to ``width`` columns."""
    first = f"  {fitted(displayable(fact.label, 40), gutter)} "
    room = max(10, width - len(first))
    return [
        (Span(first if number == 0 else " " * len(first), "dim"), Span(part, fact.tone))
        for number, part in enumerate(folded_text(displayable(fact.value, 1000), room))
    ]


def folded_text(text: str, width: int) -> Iterator[str]:
    """A displayable text in lines of at most ``width`` columns, broken at spaces where there are some."""
    while cell_width(text) > width:
        kept = cut_to(text, width).removesuffix(ELLIPSIS) or text[0]
        space = kept.rfind(" ")
        if space > width // 2:
            kept = kept[:space]
        yield kept
        text = text[len(kept) :].lstrip()
    yield text
