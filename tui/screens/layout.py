"""How the rows of the screen are shared out."""

from __future__ import annotations

from dataclasses import dataclass

# The widths of the facts in a pane of 80 columns, beside the pane's name.
HEALTH_COLUMNS = (22, 17, 30)
HEARTBEAT_COLUMNS = (10, 10, 10, 10, 30)
TRAFFIC_COLUMNS = (27, 25, 17)

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
"""Below this size the screen says that it is too small, and shows what fits."""

BESIDE_WIDTH = 76
"""From this width on there is room for a second pane beside the first."""


@dataclass(frozen=True)
class Rows:
    """The heights of the dashboard's parts, top to bottom; 0 hides one."""

    notice: int
    list_heading: int
    connections: int
    title: int
    indicator: int
    panes: int
    log_title: int
    log: int


def share_rows(
    height: int, *, connections: int, panes: int, indicator: int, notice: bool, details: bool = True
) -> Rows:
    """Share out ``height`` rows, those of row 1 and of the hints included.

    A part that does not fit is left out whole, the least urgent first: what is wrong and with which
    connection stays to the last.
    """
    left = max(0, height - 2)

    def take(most: int, least: int = 1) -> int:
        nonlocal left
        given = min(most, left) if left >= least else 0
        left -= given
        return given

    notice_rows = take(1) if notice else 0
    # Enough of the list to see what is wrong; it grows later if rows are left.
    shown = take(min(max(connections, 1), 6 if height >= 20 else 5))
    heading = take(1)
    if left < 2:
        shown += take(max(0, connections - shown))
    title = take(1, 2) if details else 0
    indicator_rows = take(indicator) if title else 0
    pane_rows = take(min(panes, 6)) if title else 0
    log_title = take(1, 2)
    log = take(2) if log_title else 0
    # What is left goes to the lists, and the rest of it to the log.
    shown += take(min(max(0, connections - shown), max(left // 2, left - 12)))
    if title:
        pane_rows += take(min(max(0, panes - pane_rows), max(left - left // 4, left - 8)))
    if log_title:
        log += left
    else:
        shown += left
    return Rows(notice_rows, heading, shown, title, indicator_rows, pane_rows, log_title, log)
