"""What the engine tells of what changes: no line comes again and again with nothing new but a number."""

from __future__ import annotations

import re
from collections import deque

from tests.simulation.truth import Find
from tests.simulation.world import EngineHost

MOST = 12
"""Lines of one kind in a minute."""
_NUMBERS = re.compile(r"\d+")
_MEANT = re.compile("viewer|by command")  # each is news


class LineTruth:
    """Follows the changes of the engine that runs now."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._engine: EngineHost | None = None
        self._cursor = 0
        self._times: dict[str, deque[float]] = {}

    def poll(self, engine: EngineHost, now: float) -> None:
        """Read what was told since the last look."""
        if engine is not self._engine:
            self._engine, self._cursor, self._times = engine, 0, {}
        page = engine.supervisor.log(self._cursor, 500)
        self._cursor = page.next_cursor
        for line in page.lines:
            if _MEANT.search(line.text) is None:
                times = self._times.setdefault(_NUMBERS.sub("#", line.text), deque(maxlen=MOST))
                times.append(now)
                if len(times) == MOST and now - times[0] < 60:
                    self._find("told again and again", line.text, _NUMBERS.sub("#", line.text))
