"""What the settings of the metrics page come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsOptions:
    """``[metrics]``: an OpenMetrics endpoint."""

    host: str = "127.0.0.1"
    """Who reaches it can read what is there: names, addresses, figures."""
    port: int = 0
    """0 is off."""
