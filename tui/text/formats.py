"""Times, lengths and amounts in words short enough for a screen of 80 columns, and values as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

NOTHING = "\N{EN DASH}"
"""Stands where a value is not known; never a zero."""

_HALF_A_DAY = 12 * 3600

LOOP_LATE = 0.25
"""Seconds by which the engine's own loop must be late for that to be shown."""


def loop_late(seconds: float) -> str | None:
    """That the engine's own loop was late, in words; None when that is not worth them."""
    return f"our own loop was up to {seconds:.2g} s late" if seconds > LOOP_LATE else None


def counted(number: int, noun: str) -> str:
    """``1 alert``, ``2,000 alerts``; a ``noun`` whose plural takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def time_of_day(moment: float | None, now: float) -> str:
    """Return ``21:09:02``, or ``22 21:09`` (day and time) for what is half a day away: 8 columns at most."""
    if moment is None:
        return NOTHING
    near = abs(now - moment) < _HALF_A_DAY
    return datetime.fromtimestamp(moment).strftime("%H:%M:%S" if near else "%d %H:%M")


def age(moment: float, now: float) -> str:
    """Return how long ago something was: seconds up to two minutes, then ever coarser."""
    return duration(max(0.0, now - moment))


def noted_state(state: str, unanswered_since: float | None, now: float) -> str:
    """The state of a connection with what it must not be told without."""
    return state if unanswered_since is None else f"{state}, {unanswered(unanswered_since, now)}"


def unanswered(since: float | None, now: float) -> str:
    """What the state of a connection goes on with while nothing answers its heartbeats; else empty."""
    return "" if since is None else f"heartbeats unanswered since {time_of_day(since, now)}"


def duration(seconds: float) -> str:
    """Return a length of time in the coarsest two units that matter; one below zero, which only a clock that
    was set makes, as none."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def coarse_age(seconds: float) -> str:
    """Return an age in 4 columns at most, in steps so coarse that it seldom changes: ten seconds at least."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole // 10 * 10}s" if whole >= 10 else "<10s"
    if whole < 7200:
        return f"{whole // 60}m"
    return f"{whole // 3600}h" if whole < 172_800 else f"{min(whole // 86_400, 999)}d"


def round_trip(seconds: float | None) -> str:
    """Return a round-trip time in three digits."""
    if seconds is None:
        return NOTHING
    if seconds >= 0.9995:
        return f"{seconds:.1f}s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f}ms" if milliseconds < 9.95 else f"{milliseconds:.0f}ms"


def size(count: int) -> str:
    """Return a number of bytes in decimal units."""
    if count < 1000:
        return f"{count} B"
    exponent = min(4, int(math.log10(count)) // 3)
    value = count / 1000**exponent
    return f"{value:.1f} {'kMGT'[exponent - 1]}B" if value < 99.95 else f"{value:.0f} {'kMGT'[exponent - 1]}B"


def rate(per_second: float) -> str:
    """Return a rate; small ones with a decimal."""
    if per_second <= 0:
        return "0"
    return f"{per_second:.1f}" if per_second < 99.95 else f"{per_second:,.0f}"


def for_json(value: object) -> Any:
    """A value as JSON has it here: fields in camelCase, the keys of mappings as they are."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        fields = {_camel(name): for_json(getattr(value, name)) for name in value.__struct_fields__}
        return fields if tag is None else {"kind": tag, **fields}
    if isinstance(value, tuple):
        return [for_json(each) for each in value]
    if isinstance(value, Mapping):
        return {key: for_json(each) for key, each in value.items()}
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
