"""What was meant by what somebody typed for an id: the id, or a beginning that no other has."""

from __future__ import annotations

from collections.abc import Mapping

from tui.control.client import RefusedError

SHORTEST = 4
"""Characters that a beginning must have."""

_MOST_NAMED = 3


def by_beginning(typed: str, known: Mapping[str, str], kind: str) -> str | None:
    """The id that ``typed`` means; None where none of those that are known begins so.

    Args:
        typed: from a person.
        known: by id, each in words.
        kind: what they are, in the plural.

    Raises:
        RefusedError: it is too short or may mean several; the message says what to type.
    """
    if typed in known:
        return typed
    found = [id for id in known if id.startswith(typed)]
    if found and len(typed) < SHORTEST:
        raise RefusedError(f"at least {SHORTEST} characters of an id are needed, {typed} is too short")
    if len(found) > 1:
        named = ", ".join(f"{id} ({known[id]})" for id in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise RefusedError(f"{typed} may be any of {len(found)} {kind}: {named}{more}; give more of the id")
    return found[0] if found else None
