"""One engine, a good hub and a hostile one: a fault stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.turns import MOST_TURN, beside


@pytest.mark.parametrize(
    "name", ["tiny_values", "just_below_the_limit", "fragments_without_end", "ping_flood"]
)
def test_no_hub_takes_the_loop_from_another(name: str, tmp_path: Path) -> None:
    found = beside(name, 2.5, tmp_path)
    # Of processor time a busy machine takes more as well.
    assert found.longest < 3 * MOST_TURN
    assert found.good.metrics.connection_state == "connected"
    assert found.good.metrics.heartbeat_failures == 0
    assert found.good.metrics.total_reconnects == 0
