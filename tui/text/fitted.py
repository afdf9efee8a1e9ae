"""Text from outside as one short line that can be stored and shown."""

from __future__ import annotations

import re

from tui.text.secret_values import masked

# Line ends and the other controls, and what turns the reading direction of all that follows.
_CONTROLS = re.compile("[\\s\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def fitted(text: str, most: int) -> str:
    """``text`` as one line of at most ``most`` characters, fit to be encoded, without values of
    secrets; a cut shows as an ellipsis.
    """
    # Cut before anything else: the text may be a megabyte long.
    kept = masked(text[: most + 1]).encode("utf-8", "replace").decode()
    kept = _CONTROLS.sub(" ", kept).strip()
    return kept if len(text) <= most else kept[: most - 1] + "…"
