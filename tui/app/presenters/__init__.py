"""What each widget shows of a snapshot. Pure: the same snapshot and time give the same values.

``now`` is in whole seconds, so that what merely ticks changes at most once a second. Times are shown
as times of day; an age is shown only where a value is old.
"""

from tui.app.presenters.alerts import alerts_stand, counts_down, on_air, pane_note, pane_rows
from tui.app.presenters.dashboard import channel_rows, connection_row, facts, log_entries, title_note
from tui.app.presenters.details import (
    channel_counts,
    health,
    heartbeat,
    metrics_json,
    setting_lines,
    state_details,
    state_lines,
    traffic,
)
from tui.app.presenters.incidents import incidents_note
from tui.app.presenters.list_filter import matches, service_matches
from tui.app.presenters.replay import (
    FROM_JOURNAL,
    known_facts,
    known_queue,
    known_row,
    nothing_recorded,
    time_line,
)
from tui.app.presenters.services import (
    NOT_OURS,
    figure_list,
    service_facts,
    service_figures,
    service_lines,
    service_note,
    service_rows,
    services_in_order,
    worth_a_look,
)
from tui.app.presenters.status import (
    Order,
    in_order,
    indicator,
    reason,
    settled,
    status_bar,
    terminal_title,
    urgent,
    worst,
)
