"""Long work cut into turns of the event loop, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from typing import Any

TURN = 0.005
"""Seconds of one thing's work until the loop does what else there is to do."""

_STEPS_A_LOOK = 16  # at the clock


def in_turns(steps: Iterator[None]) -> Coroutine[Any, Any, None] | None:
    """Take the steps of one turn, at once; what takes the rest of them, if there are more."""
    return None if _turn(steps) else _rest(steps)


async def _rest(steps: Iterator[None]) -> None:
    while True:
        await asyncio.sleep(0)
        if _turn(steps):
            return


def _turn(steps: Iterator[None]) -> bool:
    ends = time.perf_counter() + TURN
    for number, _ in enumerate(steps, 1):
        if number % _STEPS_A_LOOK == 0 and time.perf_counter() > ends:
            return False
    return True
