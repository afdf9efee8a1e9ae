"""All that is watched in one list with a cursor: our connections, then the services that others tell of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from textual.message import Message

from widgets.connection_list import ConnectionRow, heading_line, row_line
from widgets.cursor_list import CursorList
from widgets.lines import Line
from widgets.service_list import ServiceRow, service_heading, service_line


class Reported(NamedTuple):
    """The key of a service's row; that of a connection's is its name."""

    key: str


class _Heading(NamedTuple):
    """The key of the row between the groups, and what stands there."""

    group: str = "reported"


_HEADING = _Heading()


class WatchList(CursorList[ConnectionRow | ServiceRow | _Heading]):
    """Two groups. The first one's heading stands above the list, where it stays."""

    class Scrolled(Message):
        """Other rows are seen, and maybe of another group."""

    def show(
        self,
        links: Sequence[ConnectionRow],
        selected: str | Reported | None,
        reported: Sequence[ServiceRow] = (),
    ) -> None:
        """Show the rows with the cursor on ``selected``."""
        between = (_HEADING,) if links and reported else ()
        rows = (*links, *between, *reported)
        self.show_rows(rows, [_key_of(row) for row in rows], selected)

    @property
    def heading(self) -> Callable[[int], Line]:
        """The heading of the group that the uppermost row belongs to."""
        top = self.scroll_offset.y
        row = self._rows[top] if top < len(self._rows) else None
        return service_heading if isinstance(row, ServiceRow) else heading_line

    def is_heading(self, row: ConnectionRow | ServiceRow | _Heading) -> bool:
        """The row between the groups."""
        return row is _HEADING

    def line_of(self, row: ConnectionRow | ServiceRow | _Heading, width: int, selected: bool) -> Line:
        """One connection or service."""
        if isinstance(row, ConnectionRow):
            return row_line(row, width, selected)
        return service_line(row, width, selected) if isinstance(row, ServiceRow) else service_heading(width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell that other rows are seen."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())


def _key_of(row: ConnectionRow | ServiceRow | _Heading) -> Hashable:
    if isinstance(row, ConnectionRow):
        return row.name
    return Reported(row.key) if isinstance(row, ServiceRow) else row
