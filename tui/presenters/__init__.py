"""What each widget shows of a snapshot. Pure: the same snapshot and time give the same values.

``now`` is in whole seconds, so that what merely ticks changes at most once a second. Times are shown
as times of day; an age is shown only where a value is old.
"""

from tui.presenters.dashboard import channel_rows, connection_row, facts, log_entries, title_note
from tui.presenters.details import (
    channel_counts,
    health,
    heartbeat,
    metrics_json,
    setting_lines,
    state_details,
    state_lines,
    traffic,
)
from tui.presenters.status import (
    Order,
    in_order,
    indicator,
    known,
    matches,
    reason,
    severity,
    status_bar,
    terminal_title,
    urgent,
    worst,
)

__all__ = [
    "Order",
    "channel_counts",
    "channel_rows",
    "connection_row",
    "facts",
    "health",
    "heartbeat",
    "in_order",
    "indicator",
    "known",
    "log_entries",
    "matches",
    "metrics_json",
    "reason",
    "setting_lines",
    "severity",
    "state_details",
    "state_lines",
    "status_bar",
    "terminal_title",
    "title_note",
    "traffic",
    "urgent",
    "worst",
]
