"""The guide's table by dialect, held against what happens on real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import guide
from tests.engine.alerts.by_dialect import CASES, COLUMNS, HEADING, Case, row
from tui.demo import landale

TRIED = [case for case in CASES if case.dialect == "telemetry" and not case.passes_on]
"""The others take too long for each commit: ``python -m tests.engine.alerts.by_dialect`` tries all."""


@pytest.mark.parametrize("case", TRIED, ids=lambda case: f"{case.hub}, {case.joins_with}")
async def test_a_row_of_the_guide_s_table_is_what_happens(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landale, "TELEMETRY_INTERVAL", 0.3)
    assert await row(case, tmp_path) in guide.table(HEADING)


def test_the_table_has_a_row_for_every_hub_and_page() -> None:
    head, *rows = guide.table(HEADING)
    assert tuple(head) == COLUMNS
    assert [(each[0], each[1]) for each in rows] == [(case.hub, case.joins_with) for case in CASES]
