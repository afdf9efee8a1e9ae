"""How much may be asked of an engine at once: the types of its parameters, with their bounds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MAX_LOG_LINES = 1000
MAX_FRAMES = 1000
MAX_ALERTS = 1000
MAX_TEST_ALERTS = 500
MAX_POSITION = 10_000
"""In the alert queue."""
MAX_SEARCH_WORDS = 20
MAX_NAME = 256
"""Characters."""
DAY = 86_400.0
"""Seconds; the longest hold and the longest mute."""

Cursor = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Topic = Annotated[str, Meta(min_length=1, max_length=4096)]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
"""Of an alert or an incident."""
