"""Conditions on an event's fields: ``bits >= 100``, ``reward.title = "hydrate"``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tui.alerts.templates import field

EXPECTED = (
    'expected a condition like bits >= 100, is_gift = true or tier = "1000" (=, !=, <, <=, >, >= '
    "and a number, true, false or a quoted text)"
)
MOST_CONDITION = 300
"""Characters of one condition."""

_SHAPE = re.compile(
    r"""\s*(?P<field>[A-Za-z_]\w*(?:\.\w+)*)\s*(?P<sign><=|>=|!=|==?|<|>)\s*
    (?:(?P<number>[+-]?\d{1,30}(?:\.\d{1,30})?)|(?P<truth>true|false)|"(?P<text>[^"]*)"|'(?P<plain>[^']*)')\s*""",
    re.VERBOSE | re.ASCII,
)
_NUMERIC = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Value = float | bool | str


class Condition(NamedTuple):
    """One comparison of a field (a dotted path) with a value."""

    field: str
    sign: str
    value: Value

    def holds(self, payload: Mapping[str, Any]) -> bool:
        """Whether it is true of an event; never of one that lacks the field or has no such kind of value.

        A number is also found in a text that is nothing but a number, as in the tiers of subscriptions.
        """
        found = field(payload, self.field)
        if isinstance(self.value, bool) or isinstance(found, bool):
            if not (isinstance(self.value, bool) and isinstance(found, bool)):
                return False
        elif isinstance(self.value, str):
            if not isinstance(found, str):
                return False
        elif isinstance(found, str):
            if len(found) > 62 or not _NUMERIC.fullmatch(found):
                return False
            found = float(found)
        elif not isinstance(found, int | float):
            return False
        return _COMPARE[self.sign](found, self.value)

    def ends(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """The lower and the upper end of what a comparison by size lets through; an end that is left out lies
        a little further in."""
        value = float(self.value)
        if self.sign in (">", ">="):
            return (value, int(self.sign == ">")), (math.inf, 0)
        return (-math.inf, 0), (value, -int(self.sign == "<"))


def parse(text: str) -> Condition:
    """A condition from its text.

    Raises:
        ValueError: says what is expected.
    """
    found = _SHAPE.fullmatch(text) if len(text) <= MOST_CONDITION else None
    if found is None:
        raise ValueError(EXPECTED)
    sign = "=" if found["sign"] == "==" else found["sign"]
    value: Value
    if found["number"] is not None:
        value = float(found["number"])
    elif found["truth"] is not None:
        value = found["truth"] == "true"
    else:
        value = found["text"] if found["text"] is not None else found["plain"]
    if sign not in ("=", "!=") and (isinstance(value, bool | str)):
        raise ValueError(f"expected a number after {sign}")
    return Condition(found["field"], sign, value)


class Region:
    """What a set of conditions lets through, to tell which of two is the narrower."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self.equalities = sum(condition.sign == "=" for condition in conditions)
        self.ranges = len(conditions) - self.equalities
        self._intervals: dict[str, tuple[tuple[float, int], tuple[float, int]]] = {}
        others = set()
        for condition in conditions:
            if condition.sign in ("=", "!="):
                others.add((condition.field, condition.sign, condition.value))
                continue
            low, high = condition.ends()
            lower, upper = self._intervals.get(condition.field, (low, high))
            self._intervals[condition.field] = max(lower, low), min(upper, high)
        self.shape = (frozenset(self._intervals), frozenset(others))

    def is_inside(self, other: Region) -> bool:
        """Whether all that this lets through passes the other too, and less than passes there."""
        if self.shape != other.shape:
            return False
        pairs = [(mine, other._intervals[name]) for name, mine in self._intervals.items()]
        return self._intervals != other._intervals and all(
            mine[0] >= theirs[0] and mine[1] <= theirs[1] for mine, theirs in pairs
        )
