"""``python -m tests.bench.alerts_program FILE ARGUMENTS...``: the program, and how soon alerts are its own.

The arguments are those of ``overlay-supervisor``. FILE holds at the end, in JSON, what :class:`Told` says.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.face_program import Lateness, run_with
from tui.alerts import service as alerts
from tui.alerts.alert import Alert
from tui.alerts.arrivals import Arrivals
from tui.alerts.service import AlertService
from tui.engine import components as desks
from tui.system.ending import End, carry_out


class Admitted(msgspec.Struct, array_like=True):
    """One alert; times by :func:`time.perf_counter`, which all processes of the machine share."""

    sent_at: float
    arrived_at: float
    """At the desk, decoded."""
    admitted_at: float
    """In the queue."""
    committed: bool
    """The store had answered by then."""


class Report(msgspec.Struct):
    """What the program measured of itself."""

    alerts: list[Admitted]
    threads: dict[int, str]
    """The names of the threads that ran at the end, by their native ids."""


def main(end: End) -> int:
    """Run the program with a desk that keeps the moments of every alert."""
    file = Path(sys.argv[1])
    lateness = Lateness(file.with_suffix(".late"))

    told = Report(alerts=[], threads={})

    class MeasuredArrivals(Arrivals):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            self._moments: dict[str | None, tuple[float, float]] = {}

        def _arrive(self, type: str, payload: Mapping[str, Any], source: str, number: str | None) -> None:
            # A duplicate is none of the alert's.
            self._moments.setdefault(number, (float(payload["sent_at"]), time.perf_counter()))
            super()._arrive(type, payload, source, number)

        def _admit(self, alert: Alert) -> None:
            committed = alert.id not in self._service.persistence._unwritten
            super()._admit(alert)
            sent, arrived = self._moments[alert.source_id]
            told.alerts.append(Admitted(sent, arrived, time.perf_counter(), committed))

    class MeasuredComponent(AlertService):
        def stop(self) -> None:
            super().stop()
            told.threads = {each.native_id or 0: each.name for each in threading.enumerate()}
            file.write_bytes(msgspec.json.encode(told))

    # Where the program looks them up.
    vars(alerts)["Arrivals"] = MeasuredArrivals
    vars(desks)["AlertService"] = MeasuredComponent
    return run_with(lateness, end)


if __name__ == "__main__":
    carry_out(main)
