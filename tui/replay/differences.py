"""What changed between two JSON values, and the later one from the earlier one and that.

A difference is itself a JSON value:

- ``[value]``: replaced by ``value``;
- ``[">", dropped, value, ...]``: of a list, the first ``dropped`` items went and the values came at the end;
- ``["<", kept, value, ...]``: of a list, the values came in front of its first ``kept`` items;
- an object: of an object or a list of the same length, what changed at each key or index; null where a key
  went.
"""

from __future__ import annotations

from typing import Any

_FRONT, _END = "<", ">"


class DifferenceError(ValueError):
    """A difference that does not belong to the value."""


def difference(before: Any, after: Any) -> Any:
    """What makes ``after`` of ``before``; an empty object when they are equal."""
    if before == after and type(before) is type(after):
        return {}
    if isinstance(before, dict) and isinstance(after, dict):
        changes: dict[str, Any] = {key: None for key in before if key not in after}
        for key, value in after.items():
            if key not in before:
                changes[key] = [value]
            elif changed := difference(before[key], value):
                changes[key] = changed
        return changes
    if isinstance(before, list) and isinstance(after, list):
        moved = _moved(before, after)
        if moved is not None:
            return moved
        if len(before) == len(after):
            return {
                str(index): changed
                for index, (old, new) in enumerate(zip(before, after, strict=True))
                if (changed := difference(old, new))
            }
    return [after]


def _moved(before: list[Any], after: list[Any]) -> list[Any] | None:
    """The difference of a list that items left at one end and came to at the other."""
    if not before or not after:
        return None
    if after[0] != before[0]:
        for came, value in enumerate(after):
            if value == before[0] and came:
                kept = len(after) - came
                if kept <= len(before) and after[came:] == before[:kept]:
                    return [_FRONT, kept, *after[:came]]
                break
    for dropped, value in enumerate(before):
        if value == after[0]:
            kept = len(before) - dropped
            if after[:kept] == before[dropped:] and (dropped or len(after) > kept):
                return [_END, dropped, *after[kept:]]
            break
    return None


def applied(before: Any, change: Any) -> Any:
    """The value that ``change`` makes of ``before``, which stays as it is.

    Raises:
        DifferenceError: the two do not belong together.
    """
    if isinstance(change, dict):
        if not change:
            return before
        if isinstance(before, dict):
            after = dict(before)
            for key, inner in change.items():
                if inner is None:
                    after.pop(key, None)
                else:
                    after[key] = applied(before.get(key), inner)
            return after
        if isinstance(before, list):
            items = list(before)
            for index, inner in change.items():
                try:
                    place = int(index)
                    items[place] = applied(items[place], inner)
                except (IndexError, ValueError):
                    raise DifferenceError(f"no item {index[:20]}") from None
            return items
    if isinstance(change, list):
        match change:
            case [value]:
                return value
            case ["<", int(kept), *came] if isinstance(before, list) and 0 <= kept <= len(before):
                return [*came, *before[:kept]]
            case [">", int(dropped), *came] if isinstance(before, list) and 0 <= dropped <= len(before):
                return [*before[dropped:], *came]
    raise DifferenceError("what changed does not belong to what there was")
