"""Every form of the program ends in time, with its status, its terminal as before: a storm of forty ends."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests import storm

BUSY_LIMIT = 10.0
"""Seconds to an end where others have the processors."""


def trials() -> list[storm.Trial]:
    """Each form with all that can be stuck, and others by chance."""
    chance = random.Random(7)
    each = [storm.trial(chance, form, stuck) for form in storm.FORMS for stuck in storm.STUCK[form]]
    return each + [storm.trial(chance) for _ in range(40 - len(each))]


@pytest.fixture(scope="module")
def grounds() -> Iterator[storm.Grounds]:
    with storm.Grounds() as grounds:
        yield grounds


@pytest.mark.parametrize("trial", trials(), ids=str)
def test_it_ends_in_time(grounds: storm.Grounds, trial: storm.Trial) -> None:
    outcome = grounds.run(trial)
    limit = storm.LIMIT if os.getloadavg()[0] < (os.cpu_count() or 1) else BUSY_LIMIT
    assert storm.wrong(outcome, limit) is None
