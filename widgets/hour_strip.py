"""The last hour of one connection as a strip of bars: how much of it was connected."""

from __future__ import annotations

from functools import lru_cache

from widgets.lines import Line, Span, Tone

MINUTES = 60

_FULL, _MOST, _SOME, _NONE, _ASKED, _UNKNOWN, _BEFORE = "▇", "▅", "▂", "▁", "○", "?", "·"
_TONES: dict[str, Tone] = {
    # Most of what is seen on a good day: breaks in it must stand out.
    _FULL: "calm",
    _MOST: "busy",
    _SOME: "busy",
    _NONE: "bad",
    _ASKED: "dim",
    _UNKNOWN: "dim",
    _BEFORE: "dim",
}


def cells_for(width: int) -> int:
    """How many bars a list of ``width`` columns has room for: of four, two minutes or one each."""
    return 60 if width >= 168 else 30 if width >= 118 else 15


@lru_cache(maxsize=256)
def strip_spans(hour: str, cells: int) -> Line:
    """``hour`` as ``cells`` bars, the present on the right.

    ``hour`` has one character a minute: ``0`` to ``8`` eighths connected (only ``8`` is unbroken), ``o``
    disconnected as asked, ``?`` not observed. What is missing on the left, and what was not observed before
    anything was, is taken for the time before it was watched: that is no gap.
    """
    seen = hour[-MINUTES:].lstrip("?")
    hour = seen.rjust(MINUTES, _BEFORE)
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
        return _ASKED if "o" in minutes else _UNKNOWN if "?" in minutes else _BEFORE
    if all(eighth == 8 for eighth in eighths):
        return _FULL
    mean = sum(eighths) / len(eighths)
    # Any break is seen, and only a time without any connection is empty.
    return _NONE if mean == 0 else _MOST if mean >= 4 else _SOME
