"""The known word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_MAX_COMPARED = 100


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like ``word``; of several the first."""
    return max(known, key=lambda other: SequenceMatcher(None, word[:_MAX_COMPARED], other).ratio())
