"""Figures as bars of one colour in one row."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇"


def sparkline(values: Sequence[float], cells: int) -> str:
    """At most ``cells`` bars, the newest on the right; each is the greatest of the values it stands for.

    The scale begins at zero and ends at the greatest value, so that a jitter of nothing looks like
    nothing.
    """
    if not values or cells <= 0:
        return ""
    each = -(-len(values) // cells)
    # The newest group is whole; the oldest may be smaller.
    folded = [max(values[max(0, end - each) : end]) for end in range(len(values), 0, -each)][::-1]
    top = max(folded)
    if top <= 0:
        return _BARS[0] * len(folded)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in folded)
