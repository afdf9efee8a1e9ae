"""The alert queue over the whole screen: what plays, what waits, what was, and all that is known of it."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from textual.containers import Horizontal, Vertical

from tui.app.commands import run_beside
from tui.app.presenters import alert_history as history
from tui.app.presenters import alerts as present
from tui.app.presenters.replay import known_queue
from tui.app.screens.base import SupervisorScreen, bindings
from tui.app.screens.text import LinesScreen
from tui.model.alerts import AlertCommand, AlertContent, AlertPage, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.known import on_stage
from tui.model.snapshot import CommandResult, Snapshot
from widgets.alert_list import AlertList, alert_heading
from widgets.lines import LinesPane, LineView
from widgets.on_air import OnAir
from widgets.text_line import Divider, HeadingLine

MOST_HELD = 1000
"""Entries of the history that the screen holds; a filter reaches what lies further back."""
PAGE = 100
MOST_BARREN = 5
"""Pages with nothing to show that are read without a key."""
DAY_SECONDS = 5.0
"""At least so long between two counts of the day."""
BESIDE_FROM = 110
"""Columns from which the figures have a place beside the list."""
_FIGURES = 44


class AlertsScreen(SupervisorScreen):
    """One list: what plays and waits, then what ended, the newest first; older ones are read on scrolling."""

    BINDINGS = bindings("alerts")
    HELP_FIRST = ("alerts", "queue", "list")
    HINTS = (
        *("alerts.pause", "alerts.details", "alerts.remove", "alerts.filter", "alerts.figures"),
        *("alerts.skip", "alerts.undo", "alerts.requeue", "alerts.panic", "help"),
    )
    AUTO_FOCUS = "#alerts"

    def __init__(self) -> None:
        self._list = AlertList(self._cursor_moved, self.action_alert_details, id="alerts")
        super().__init__(self._list)
        self._on_air = OnAir(id="on-air")
        self._summary = LinesPane(id="summary")
        self._heading = HeadingLine(alert_heading, spare=AlertList.SPARE, id="list-heading")
        self._figures = LinesPane(id="figures")
        self._figures_beside = Horizontal(Divider(), self._figures, id="figures-beside")
        self._queue_pane = Vertical(self._heading, self._list, id="queue")
        panes = Horizontal(self._queue_pane, self._figures_beside, id="alert-panes")
        self.parts = (self._on_air, self._title, self._notice, self._summary, panes)
        self._chosen: present.AlertKey | None = None
        """The row chosen by hand; None is on the first that waits."""
        self._held: dict[present.AlertKey, AlertSummary | SourceAway] = {}
        """What ended, as far as it was read or seen to end."""
        self._newest: present.AlertKey | None = None
        self._next_before: str | None = None
        self._begun = False
        """The first page of the filter in force has been asked for."""
        self._reading = False
        self._refused: str | None = None
        self._day: present.Counts | None = None
        self._day_of: tuple[int, int] | None = None
        """For which minute, and how many ended in this session, the day's counts were asked for."""
        self._day_asked_at = 0.0
        self._barren = 0
        """Pages one after the other that brought nothing to show."""
        self._wanted = ""
        self._places: dict[str, int] = {}
        """Where alerts are going that were moved, until the queue says that they are there."""
        self._figures_first = False

    @property
    def moved_pane(self) -> LineView:
        return self._figures if self.focused is self._figures else self._list

    # Showing ------------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now: float) -> None:
        super().show(snapshot, now)
        self.count_down(snapshot, now)
        alerts = snapshot.alerts
        if alerts is None:
            self._title.show("alerts", present.NO_QUEUE)
            return
        self._take_recent(alerts)
        self._lay_out(alerts, now)
        self._read_what_is_needed(alerts, now)

    def count_down(self, snapshot: Snapshot, now: float) -> None:
        value = present.on_air(known_queue(snapshot, self.app.position), now)
        self._on_air.display = value is not None
        if value is not None:
            self._on_air.show(value)

    def _lay_out(self, alerts: AlertsSnapshot, now: float) -> None:
        wanted = self.wanted_history
        playing_and_waiting = {
            alert.id: alert for alert in (*on_stage(alerts), *alerts.waiting) if wanted.passes(alert)
        }
        rows = [row for row in present.open_rows(alerts) if row.key in playing_and_waiting]
        rows += [present.ended_row(away, now) for away in alerts.away if wanted.passes(away)]
        there = {row.key for row in rows}
        past = [entry for entry in self._past(alerts) if wanted.shows(entry)]
        rows += [present.ended_row(entry, now) for entry in past if present.key_of(entry) not in there]
        keys = [row.key for row in rows]
        if self._chosen not in keys:
            self._chosen = None
        first = next((alert.id for alert in alerts.waiting if alert.id in playing_and_waiting), None)
        self._list.show(rows, self._chosen or first or (keys[0] if keys else None))
        self._title.show("alerts", self._title_note(alerts, now))
        self._notice.show(self._notice_text(alerts, len(rows), now))
        self._notice.display = bool(self._notice.lines)
        summary = present.summary_lines(alerts, self._day)
        self._summary.set_lines(summary if self.size.height >= 20 else summary[:1])
        self._summary.styles.height = len(self._summary.lines)
        self._lay_figures_out(alerts, now)

    def _lay_figures_out(self, alerts: AlertsSnapshot, now: float) -> None:
        width = self.size.width
        beside = width >= BESIDE_FROM
        self._queue_pane.display = beside or not self._figures_first
        self._figures_beside.display = beside or self._figures_first
        self._figures_beside.set_class(beside, "beside")
        self._summary.display = not beside
        room = _FIGURES - 2 if beside else width
        self._figures.set_lines(present.figure_lines(alerts, self._day, self._held_words(), now, room))

    def _title_note(self, alerts: AlertsSnapshot, now: float) -> str:
        where = f"to {alerts.delivers_to}" if alerts.delivers_to else "delivered nowhere"
        return f"{where}, {present.pane_note(alerts, now)}"

    def _notice_text(self, alerts: AlertsSnapshot, shown: int, now: float) -> str | None:
        parts = [long for _, long in present.troubles(alerts, now)]
        if self._wanted:
            parts.insert(0, f"only {self._wanted!r}: {shown:,}, esc shows all")
        if self._refused is not None:
            parts.append(f"no older ones: {self._refused}")
        return "   ".join(parts) or None

    def _held_words(self) -> str:
        if self._refused is not None:
            return self._refused
        if len(self._held) >= MOST_HELD:
            return f"the last {MOST_HELD:,} are held; a filter reaches further"
        return f"{len(self._held):,} read, " + ("older ones follow" if self._next_before else "all there are")

    # The past -----------------------------------------------------------------------------------

    def _past(self, alerts: AlertsSnapshot) -> list[AlertSummary | SourceAway]:
        # What was put back into the queue has not ended any more.
        for alert in (*on_stage(alerts), *alerts.waiting):
            self._held.pop(alert.id, None)
        return sorted(self._held.values(), key=present.moment_of, reverse=True)

    def _take_recent(self, alerts: AlertsSnapshot) -> None:
        """Take over what ended since the last look."""
        keys = [present.key_of(entry) for entry in alerts.recent]
        if self._newest is not None and self._newest not in keys and len(keys) >= present.MOST_RECENT:
            # More ended than a snapshot holds: what lies between is read from the store.
            self._begin_anew()
        self._newest = keys[0] if keys else None
        wanted = self.wanted_history
        for key, entry in zip(keys, alerts.recent, strict=True):
            if wanted.shows(entry):
                self._held[key] = entry
        if len(self._held) > MOST_HELD:
            newest = sorted(self._held.items(), key=lambda item: present.moment_of(item[1]), reverse=True)
            self._held = dict(newest[:MOST_HELD])
            self._next_before = None

    def _begin_anew(self) -> None:
        self._held, self._next_before, self._begun, self._refused = {}, None, False, None

    def _read_what_is_needed(self, alerts: AlertsSnapshot, now: float) -> None:
        """Read the first page, the next one when the end is near, and the day's counts once in a while."""
        if self._reading:
            return
        day_of = (int(now // 60), sum(present.totals(alerts.counts).values()))
        day_is_old = day_of != self._day_of and now >= self._day_asked_at + DAY_SECONDS
        more = self._next_before is not None and self._list.is_near_the_end
        if not self._begun and (self._refused is None or day_is_old):
            before, limit = None, PAGE
        elif more and len(self._held) < MOST_HELD and self._barren < MOST_BARREN:
            before, limit = self._next_before, PAGE
        elif day_is_old:
            before, limit = None, 1
        else:
            return
        self._reading, self._day_of, self._day_asked_at = True, day_of, now
        run_beside(self, partial(self._read, before, limit), "alert history")

    async def _read(self, before: str | None, limit: int) -> None:
        wanted = self.wanted_history
        try:
            answer = await self.app.engine.alert_history(
                before=before, limit=limit, alert_type=wanted.type, outcome=wanted.outcome, words=wanted.terms
            )
        finally:
            self._reading = False
        if isinstance(answer, CommandResult):
            self._refused = answer.message
        elif wanted == self.wanted_history:
            self._take_page(answer, whole=limit == PAGE)
        self.app.show_now()

    def _take_page(self, page: AlertPage, *, whole: bool) -> None:
        self._refused, self._day = None, page.counts
        if not whole:
            return
        self._begun, self._next_before = True, page.next_before
        wanted, before = self.wanted_history, len(self._held)
        for entry in page.alerts:
            if wanted.shows(entry):
                # What a snapshot told is newer than what the store had.
                self._held.setdefault(present.key_of(entry), entry)
        self._barren = 0 if len(self._held) > before else self._barren + 1

    # The filter ---------------------------------------------------------------------------------

    @property
    def wanted_history(self) -> history.AlertFilter:
        return history.alert_filter(self._wanted, history.types_of(self.app.snapshot.alerts, self._day or {}))

    def action_alert_filter(self) -> None:
        self.last_row.ask_filter(self._wanted, self._filter)

    def _filter(self, text: str) -> None:
        before = self.wanted_history
        self._wanted = " ".join(text.split())
        after = self.wanted_history
        if before != after:
            self._begin_anew()
            self._newest = None
        self.app.show_now()

    def action_back(self) -> None:
        if self._wanted:
            self._filter("")
        elif self._figures_first:
            self.action_figures()
        else:
            self.dismiss()

    # Doing --------------------------------------------------------------------------------------

    def _cursor_moved(self, key: Hashable) -> None:
        """Keep the row that was chosen, wherever it goes, and read on near the end."""
        if isinstance(key, str | tuple):
            self._chosen = key
        self._barren = 0
        if (alerts := self.app.snapshot.alerts) is not None:
            self._read_what_is_needed(alerts, self.app.now)

    @property
    def selected(self) -> AlertSummary | SourceAway | None:
        """The alert, or the absence, on which the cursor is."""
        alerts, key = self.app.snapshot.alerts, self._list.selected
        if alerts is None:
            return None
        there: tuple[AlertSummary | SourceAway, ...] = (*on_stage(alerts), *alerts.waiting, *alerts.away)
        held = self._held.get(key) if isinstance(key, str | tuple) else None
        return next((entry for entry in there if present.key_of(entry) == key), held)

    @property
    def selected_type(self) -> str | None:
        selected = self.selected
        return selected.type if isinstance(selected, AlertSummary) else None

    def _pointed_at(self) -> AlertSummary | None:
        """The selected alert; from now on the cursor stays on it. What is none is said."""
        selected = self.selected
        if self.alert_actions.queue() is None:
            return None
        if isinstance(selected, AlertSummary):
            self._chosen = selected.id
            return selected
        words = "no alert is selected" if selected is None else "that is no alert: a source was away"
        self.note(words, "busy")
        return None

    def action_alert_details(self) -> None:
        def show(content: AlertContent) -> None:
            lines = history.content_lines(content, self.app.now, self.size.width)
            self.app.open_screen(LinesScreen("alert", present.said(content.alert), lines))

        if (alert := self._pointed_at()) is not None:
            self.with_answer(partial(self.app.engine.alert, alert.id), show, "alert")

    def action_remove_alert(self) -> None:
        """Remove the selected alert; the cursor goes on to the next one."""
        if (alert := self._pointed_at()) is None:
            return
        if alert.state == "ended":
            self.note("it has ended already", "busy")
            return
        following = self._list.key_after(alert.id)

        def noted(result: CommandResult) -> None:
            if result.ok and self._chosen == alert.id and isinstance(following, str | tuple):
                self._chosen = following

        self.alert_actions.give("remove", AlertCommand(verb="remove", id=alert.id), noted)

    def action_move_alert(self, by: int) -> None:
        if (alert := self._pointed_at()) is None or (alerts := self.app.snapshot.alerts) is None:
            return
        if alert not in alerts.waiting:
            self.note("only what waits can be moved", "busy")
            return
        # A key that is held down is faster than the snapshots.
        here = self._places.get(alert.id) or alerts.waiting.index(alert) + 1
        place = min(max(1, here + by), len(alerts.waiting))
        if place == here:
            self.note("it is the first already" if by < 0 else "it is the last already", "busy")
            return
        self._places[alert.id] = place

        def noted(result: CommandResult) -> None:
            if self._places.get(alert.id) == place:
                self.set_timer(0.1, lambda: self._arrived(alert.id, place))

        self.alert_actions.give("move", AlertCommand(verb="move", id=alert.id, position=place), noted)

    def _arrived(self, id: str, place: int) -> None:
        if self._places.get(id) == place:
            del self._places[id]

    def action_requeue_alert(self) -> None:
        if (alert := self._pointed_at()) is None:
            return
        if alert.state != "ended":
            self.note("it has not ended yet", "busy")
            return
        self.alert_actions.give("requeue", AlertCommand(verb="requeue", id=alert.id))

    def action_figures(self) -> None:
        """Show the figures in front of the list, or go to them where they are beside it."""
        if self.size.width >= BESIDE_FROM:
            self._figures_first = False
            (self._list if self.focused is self._figures else self._figures).focus()
            return
        self._figures_first = not self._figures_first
        self.app.show_now()
        self.call_after_refresh((self._figures if self._figures_first else self._list).focus)
