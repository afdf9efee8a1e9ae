"""What every test of the alert queue in the engine begins with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tui.alerts import persistence as alert_keeping
from tui.alerts import rules_watcher as rules_module
from tui.alerts import stage as stage_module
from tui.demo.hub import Hub


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "RETRY_DELAYS", (0.1, 0.2))
    monkeypatch.setattr(rules_module, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", 0.3)


@pytest.fixture
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    """The polite one, or the one of the dialect that a test is marked with (``on_every_hub``)."""
    dialect = getattr(request, "param", "plain")
    async with Hub(seed=1, shows_alerts=False, dialect=dialect, passes_on=True) as hub:
        yield hub
