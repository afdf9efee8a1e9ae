"""A program that puts 200 alerts a second and prints the number of each as it is told that it is written:
``python putting_alerts.py FILE``. The rows that were there are printed first, by how many they are.

Each put holds a new row and the row ``last``, which bears the same number: they must not be seen apart.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tui.alerts.store import AlertStore
from tui.alerts.store_file import Row


def row(id: str, number: int, *, open: bool) -> Row:
    outcome = None if open else "shown"
    return Row(id, open, "cheer", outcome, float(number), b"%d" % number)


def tell(number: int) -> Callable[[], None]:
    # In one write: a line is never cut by the kill.
    return lambda: void(os.write(1, b"%d\n" % number))


def void(_: object) -> None:
    pass


def main() -> None:
    store = AlertStore(Path(sys.argv[1]), kept_days=1e5, kept_rows=10**9)
    store.start()
    restored = store.restored.result(10)
    first = max((int(row.data) for row in restored), default=0) + 1
    print(f"restored {len(restored)}", flush=True)
    due = time.monotonic()
    for number in range(first, first + 100_000):
        # Every third stays open; the others end at once.
        rows = [row(f"alert {number}", number, open=number % 3 == 0), row("last", number, open=True)]
        store.put(rows, tell(number))
        due += 1 / 200
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
