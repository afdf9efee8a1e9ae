"""The inspector: what goes over one connection, in both directions, as it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Hashable
from functools import partial

from tui.app.commands import run_beside
from tui.app.presenters import frames as present
from tui.app.screens.base import SupervisorScreen, bindings
from tui.app.screens.text import TextScreen
from tui.model.snapshot import CommandResult, Frame, FrameContent, FramePage, Snapshot
from widgets.frame_list import FrameList, frame_heading
from widgets.text_line import HeadingLine

MOST_HELD = 1000
"""Frames that the screen holds, the oldest dropped first."""
MOST_AT_ONCE = 250
"""Frames of one reading: what a flood brings beyond is counted as not seen."""
READ_SECONDS = 0.25

_DIRECTIONS: dict[present.Direction, str] = {"both": "", "in": "received", "out": "sent"}
"""Each as the notice says it, in the order in which they are gone through."""


class InspectorScreen(SupervisorScreen):
    """Frames of one connection. To look is what has the engine record them."""

    BINDINGS = bindings("inspector")
    HELP_FIRST = ("inspector", "list")
    HINTS = (
        *("inspector.freeze", "inspector.filter", "inspector.direction"),
        *("inspector.open", "inspector.export", "back"),
    )
    AUTO_FOCUS = "#frames"

    def __init__(self, name: str) -> None:
        self._list = FrameList(self._cursor_moved, self.action_open, id="frames")
        super().__init__(self._list)
        self._connection_name = name
        self._heading = HeadingLine(frame_heading, spare=FrameList.SPARE, id="list-heading")
        self.parts = (self._title, self._notice, self._heading, self._list)
        self._held: deque[Frame] = deque(maxlen=MOST_HELD)
        self._cursor = 0
        self._missed = 0
        self._reading = False
        self._refused: str | None = None
        self._direction: present.Direction = "both"
        self._wanted = ""
        self._chosen: int | None = None
        """The frame chosen by hand; None follows the newest."""
        self._frozen: tuple[Frame, ...] | None = None
        self._frozen_at = 0.0
        self._new_since = 0

    def on_mount(self) -> None:
        self.set_interval(READ_SECONDS, self._poll)
        self._poll()

    # Reading ------------------------------------------------------------------------------------

    def _poll(self) -> None:
        # A screen that is covered asks for nothing, and soon nothing is recorded for it.
        if self._reading or not self.is_current:
            return
        self._reading = True
        run_beside(self, self._read, "frames")

    async def _read(self) -> None:
        try:
            answer = await self.app.engine.frames(self._connection_name, self._cursor, MOST_AT_ONCE)
        finally:
            self._reading = False
        if isinstance(answer, CommandResult):
            self._refused = answer.message
        else:
            self._refused = None
            self._take(answer)
        self._lay_out()

    def _take(self, page: FramePage) -> None:
        if page.next_cursor < self._cursor:
            # Another engine, or one that had forgotten: its frames are numbered anew.
            self._cursor = 0
            return
        self._cursor = page.next_cursor
        self._missed += page.missed
        self._held.extend(page.frames)
        if self._frozen is not None:
            self._new_since += len(page.frames) + page.missed

    # Showing ------------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        connection = self.app.connection(self._connection_name)
        self._title.show(self._connection_name, connection.address if connection else "no longer there")

    @property
    def _listed(self) -> Collection[Frame]:
        return self._held if self._frozen is None else self._frozen

    @property
    def _shown(self) -> list[Frame]:
        """What the filter leaves of them."""
        wanted = present.frame_filter(self._wanted, self._direction)
        return [frame for frame in self._listed if wanted.passes(frame)]

    def _lay_out(self) -> None:
        shown = self._shown
        if self._chosen is not None and not any(frame.cursor == self._chosen for frame in shown):
            self._chosen = None
        self._list.show([present.frame_row(frame) for frame in shown], self._chosen)
        troubles = self._notice_text(len(shown))
        quiet = "recorded while you look" if shown else "waiting for frames; recorded while you look"
        if self.app.replay is not None:
            quiet = "as they were" if shown else "no frame of then is in the journal"
        self._notice.show(troubles or quiet, "busy" if troubles else "dim")

    def _notice_text(self, shown: int) -> str:
        """What must be known of the list; empty while it is all there is."""
        parts = []
        if self._refused is not None:
            parts.append(f"no frames: {self._refused}")
        if self._frozen is not None:
            since = time.strftime("%H:%M:%S", time.localtime(self._frozen_at))
            parts.append(f"FROZEN {since}, {self._new_since:,} new since")
        if self._wanted or self._direction != "both":
            words = " ".join(part for part in (self._wanted, _DIRECTIONS[self._direction]) if part)
            parts.append(f"only {words}: {shown:,} of {len(self._listed):,}")
        if self._missed:
            parts.append(f"{self._missed:,} not seen")
        return "   ".join(parts)

    # Doing --------------------------------------------------------------------------------------

    def _cursor_moved(self, key: Hashable) -> None:
        """Stay on the chosen frame; on the newest, follow."""
        shown = self._shown
        at_end = bool(shown) and key == shown[-1].cursor
        self._chosen = None if at_end or not isinstance(key, int) else key

    def action_freeze(self) -> None:
        if self._frozen is None:
            self._frozen, self._new_since = tuple(self._held), 0
            self._frozen_at = self.app.clock()
        else:
            self._frozen, self._chosen = None, None
        self._lay_out()

    def action_filter(self) -> None:
        self.last_row.ask_filter(self._wanted, self._filter)

    def _filter(self, text: str) -> None:
        self._wanted = text.strip()
        self._lay_out()

    def action_direction(self) -> None:
        order = list(_DIRECTIONS)
        self._direction = order[(order.index(self._direction) + 1) % len(order)]
        self._lay_out()

    def action_back(self) -> None:
        if self._wanted or self._direction != "both":
            self._direction = "both"
            self._filter("")
        else:
            self.dismiss()

    def action_open(self) -> None:
        def show(frame: FrameContent) -> None:
            lines = present.frame_lines(frame, self.app.now)
            self.app.open_screen(TextScreen(self._connection_name, "a frame", lines, frame.payload))

        self._with_selected("frame", show)

    def action_copy(self) -> None:
        self._with_selected("copy", lambda frame: self.app.copy(frame.payload, "the payload"))

    def _with_selected(self, name: str, do: Callable[[FrameContent], None]) -> None:
        if not (shown := self._shown):
            self.note("no frame is selected", "busy")
            return
        cursor = shown[-1].cursor if self._chosen is None else self._chosen
        self.with_answer(partial(self.app.engine.frame, self._connection_name, cursor), do, name)

    def action_export(self) -> None:
        run_beside(self, self._export, "export", exclusive=True)

    async def _export(self) -> None:
        lines, gone = [], 0
        for frame in self._shown:
            answer = await self.app.engine.frame(self._connection_name, frame.cursor)
            if isinstance(answer, CommandResult):
                gone += 1
            else:
                lines.append(present.exported(answer))
        if not lines:
            self.note("✗ nothing to write: no frame that is shown is still held", "busy")
            return
        what = f"{len(lines)} frames" + (f", {gone} no longer held" if gone else "")
        self.app.export(what, f"frames-{self._connection_name}", "jsonl", lambda: b"".join(lines))
