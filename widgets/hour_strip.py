"""The last hour of one connection as a strip of bars: how much of it was connected."""

from __future__ import annotations

from functools import lru_cache

from widgets.lines import Line, Span, Tone

MINUTES = 60

_FULL, _MOST, _SOME, _NONE, _ASKED, _UNKNOWN = "▇", "▅", "▂", "▁", "○", "?"
_TONES: dict[str, Tone] = {
    _FULL: "good",
    _MOST: "busy",
    _SOME: "busy",
    _NONE: "bad",
    _ASKED: "dim",
    _UNKNOWN: "dim",
}


def cells_for(width: int) -> int:
    """How many bars a list of ``width`` columns has room for: of four, two minutes or one each."""
    return 60 if width >= 170 else 30 if width >= 120 else 15


@lru_cache(maxsize=1024)
def strip_spans(hour: str, cells: int) -> Line:
    """``hour`` as ``cells`` bars, the present on the right.

    ``hour`` has one character a minute: ``0`` to ``8`` eighths connected (only ``8`` is unbroken), ``o``
    disconnected as asked, ``?`` not observed; what is missing on the left was not observed either.
    """
    hour = hour[-MINUTES:].rjust(MINUTES, "?")
    each = MINUTES // cells
    spans: list[Span] = []
    for start in range(0, MINUTES, each):
        bar = _bar(hour[start : start + each])
        tone = _TONES[bar]
        if spans and spans[-1].tone == tone:
            spans[-1] = Span(spans[-1].text + bar, tone)
        else:
            spans.append(Span(bar, tone))
    return tuple(spans)


def _bar(minutes: str) -> str:
    eighths = [int(minute) for minute in minutes if minute.isdigit()]
    if not eighths:
        return _ASKED if "o" in minutes else _UNKNOWN
    if all(eighth == 8 for eighth in eighths):
        return _FULL
    mean = sum(eighths) / len(eighths)
    # Any break is seen, and only a time without any connection is empty.
    return _NONE if mean == 0 else _MOST if mean >= 4 else _SOME
