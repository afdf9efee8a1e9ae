"""How the rows of the screen are shared out."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
"""Below this size the screen says that it is too small, and shows what fits."""

FACTS_WIDTH = 48
"""Columns that facts need: where channels stand beside them, these have the rest (see app.tcss)."""

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
    on_air: int = 0
    channels: int = 0
    """Below the panes, where the alerts have taken their place beside the facts."""


def share_rows(
    height: int,
    *,
    connections: int,
    unwell: int = 0,
    panes: int,
    indicator: int,
    notice: bool,
    details: bool = True,
    on_air: bool = False,
    channels: int = 0,
    log: int = 1_000_000,
    more_panes: int = 0,
    more_channels: int = 0,
) -> Rows:
    """Share out ``height`` rows, those of row 1 and of the hints included.

    ``unwell`` of the connections are not as they should be: where there is little room, it is for them.
    ``log`` is how many lines the log has: rows that it could not fill go to the others. ``more_panes`` and
    ``more_channels`` are rows that these could fill beyond what they need, where some would be empty.

    A part that does not fit is left out whole, the least urgent first: what is wrong and with which
    connection stays to the last.
    """
    left = max(0, height - 2)

    def take(most: int, least: int = 1) -> int:
        nonlocal left
        given = min(most, left) if left >= least else 0
        left -= given
        return given

    on_air_rows = take(1) if on_air else 0
    notice_rows = take(1) if notice else 0
    # Enough of the list to see what is wrong; it grows later if rows are left.
    enough = 6 if height >= 20 else max(5, min(unwell, left - 3))
    shown = take(min(max(connections, 1), enough))
    heading = take(1)
    if left < 2:
        shown += take(max(0, connections - shown))
    title = take(1, 2) if details else 0
    indicator_rows = take(indicator) if title else 0
    pane_rows = take(min(panes, 6)) if title else 0
    log_title = take(1, 2)
    log_rows = take(2) if log_title else 0

    def free() -> int:
        return left - max(0, log - log_rows) if log_title else left

    # What is left goes to the lists, and the rest of it to the log.
    shown += take(min(max(0, connections - shown), max(left // 2, left - 12, free())))
    if title:
        pane_rows += take(min(max(0, panes - pane_rows), max(left - left // 4, left - 8, free())))
    # Only where there are rows to spare: the channels are in the details too.
    channel_rows = take(min(channels, left - 1)) if title and channels and left >= 4 else 0
    if title and (channel_rows == channels) and free() > 0:
        more = take(min(more_channels, free()))
        channel_rows, pane_rows = (channel_rows + more, pane_rows) if channels else (0, pane_rows + more)
        pane_rows += take(min(more_panes, max(0, free())))
    if log_title:
        log_rows += left
    else:
        shown += left
    return Rows(
        notice=notice_rows,
        list_heading=heading,
        connections=shown,
        title=title,
        indicator=indicator_rows,
        panes=pane_rows,
        log_title=log_title,
        log=log_rows,
        on_air=on_air_rows,
        channels=channel_rows,
    )
