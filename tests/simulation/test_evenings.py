"""Evenings of an hour in which nothing is found, over the hubs of every dialect."""

from __future__ import annotations

import pytest

from tests.simulation.evening import run
from tests.simulation.plan import plan

SEEDS = range(1, 21)
"""One that failed is added with its mend."""


@pytest.mark.parametrize("seed", SEEDS)
def test_all_holds_in_an_evening(seed: int) -> None:
    told = run(plan(seed, 1.0))
    assert not told.findings
    assert told.pushes > 50, "an evening in which next to nothing was shown"
