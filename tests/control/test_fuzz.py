"""A few hundred mutated requests; ``python -m tests.control.fuzz`` sends as many as wanted."""

from __future__ import annotations

import pytest

from tests.control.fuzz import fuzz


@pytest.mark.parametrize("seed", [1, 2])
async def test_mutated_requests_are_survived(seed: int) -> None:
    outcome = await fuzz(400, seed)
    assert outcome.answered > 100
