"""Some of the hostile hubs for a moment each; ``python -m tests.hostile`` has all of them for longer."""

from __future__ import annotations

import pytest

from tests.hostile.beside import beside
from tests.hostile.hub import NAMES

SOME = ("huge_topics", "long_names", "refusals", "tiny_values", "fragments_of_a_byte")


@pytest.mark.parametrize("name", SOME)
def test_a_hostile_hub_costs_nobody_but_its_own_link(name: str) -> None:
    assert name in NAMES
    finding = beside(name, seconds=3.0)
    assert not finding.faults, finding
