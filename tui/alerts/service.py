"""The alert queue in the engine: events in, rows to the store, pushes out, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tui.alerts import persistence as alert_persistence
from tui.alerts.alert import Alert, new_id
from tui.alerts.arrivals import Arrivals
from tui.alerts.command_handler import AlertCommands
from tui.alerts.delivery import Delivery
from tui.alerts.dispatcher import AlertOrders
from tui.alerts.options import AlertOptions, SourceOptions
from tui.alerts.overlay_hub import OverlayHub
from tui.alerts.persistence import AlertPersistence, row_of_away
from tui.alerts.queue import AlertQueue
from tui.alerts.rules_watcher import WatchedRules
from tui.alerts.sources import Source
from tui.alerts.store import AlertStore
from tui.alerts.summaries import content, summary
from tui.alerts.types import PersistedOrders, QueueOptions
from tui.channels import Channel
from tui.channels.clock import Clock
from tui.connections.subscriptions import Connections, Listening, Wanted, channel_of, on
from tui.model.alerts import TEST_SOURCE, AlertContent, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.incidents import LineSeverity
from tui.model.snapshot import CommandResult, LineKind
from tui.store.event_log import ChangeLog
from tui.text.formats import counted

log = logging.getLogger("tui.alerts.service")

_MOST_RECENT = 50


class AlertService:
    """Runs one queue on the engine's loop; only its commands and :meth:`alert` wait for anything.

    Its parts hold it: they change the queue, then call :meth:`settle`.

    Args:
        connections: looked at anew each time, since a reload replaces them.
        store: None keeps alerts in memory alone.
        asked_at: as of :class:`tui.alerts.overlay_hub.OverlayHub`.
        other: which other engine shows the alerts instead of this one, in words; None for none.
        changed: called when something is to be published soon.
    """

    def __init__(
        self,
        options: AlertOptions,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        random_source: random.Random,
        *,
        store: AlertStore | None,
        other: Callable[[], str | None] = lambda: None,
        asked_at: Callable[[str, str], float | None] = lambda connection, topic: None,
        changed: Callable[[], None],
    ) -> None:
        self.options = options
        self.connections = connections
        self.clock = clock
        self.random_source = random_source
        self.changed = changed
        self.has_begun = store is None
        """Alerts play: the store has told what it holds, or had its time to."""
        self.persistence = AlertPersistence(store, clock, self.on_loop)
        self.queue = AlertQueue(clock, random_source, same_id_window=options.same_id_window)
        self.queue.knows_past = store is None
        self._changes = changes
        self.orders = AlertOrders(self)
        self._hub = OverlayHub(self, asked_at)
        self.commands = AlertCommands(self)
        self._arrivals = Arrivals(self)
        self._rules = WatchedRules(self)
        self._sources: list[Source] = []
        # The times in which one was away that are over.
        self._away: deque[SourceAway] = deque(maxlen=_MOST_RECENT)
        self._listening = Listening()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._noted_target: tuple[str | None, str | None] | None = None
        # None until the store has told what an earlier run was ordered, which must not be overwritten.
        self._kept_lasting: PersistedOrders | None = None
        self._store_words: str | None = None
        self._find_other = other
        self._other: str | None = None

    @property
    def _delivery(self) -> Delivery | None:
        return self.orders.delivery

    # The engine's loop

    def start(self) -> None:
        """Begin to listen; what was stored is taken up when the store tells it."""
        self._loop = asyncio.get_running_loop()
        self.persistence.restore(self._restore)
        if not self.has_begun:
            # A store that does not answer must not hold up what viewers do now.
            self._loop.call_later(alert_persistence.ANSWER_LIMIT, self._begin)
        self.configure(self.options)

    def configure(self, options: AlertOptions) -> list[str]:
        """Take these settings from now on; what waits and plays goes on. ``same_id_window`` and what is kept
        of the history change at the next start. What became of alerts by that, in words."""
        before = self._ended()
        self._rules.configure(options.rules, options.types)
        if options.sources != self.options.sources:
            self._arrivals.unmapped.forget()
        self.options = options
        self.orders.configure(options.delivery)
        self._sources = [self._source(each) for each in options.sources]
        self.queue.player.configure(
            QueueOptions(
                has_target=self._delivery is not None,
                clears="nothing" if self._delivery is None else self._delivery.clears,
                on_uncertain=options.on_uncertain,
                most_waiting=options.most_waiting,
                gap=options.gap,
            )
        )
        self._noted_target = None
        self.attach()
        self.poll()
        self.settle()
        return [
            f"{counted(number, 'alert')} {outcome}" for outcome, number in (self._ended() - before).items()
        ]

    def _ended(self) -> Counter[str]:
        ended = Counter[str]()
        for outcomes in self.queue.player.record.counts().values():
            ended.update(outcomes)
        return ended

    def _source(self, options: SourceOptions) -> Source:
        """The source of these options; one that is known goes on, so that its absence is not forgotten."""
        known = (each for each in self._sources if each.options == options)
        return next(known, None) or Source(options, self._arrivals)

    def stop(self) -> None:
        """End: nothing more is pushed or taken in. What the store holds is its own to write."""
        self._rules.stop()
        self._listening.keep({})
        if self._timer is not None:
            self._timer.cancel()
        self.orders.stop()

    def attach(self) -> None:
        """Listen on the channels that there are now: at the start and after a reload."""
        wanted: Wanted = {}
        for source in self._sources:
            wanted |= source.wanted(self.connections())
        wanted |= self._hub.wanted(self._delivery)
        self._listening.keep(wanted | self._comings_and_goings())

    def _comings_and_goings(self) -> Wanted:
        """Looked at when they happen: what is back by the next publication was away all the same."""
        places = [(source.options.connection, source.options.topic) for source in self._sources]
        if self._delivery is not None:
            places.append(self._delivery.place)
        return {
            (f"there: {connection}", topic, event): on(channel, event, lambda _: self.poll())
            for connection, topic in places
            if (channel := self.find_channel(connection, topic)) is not None
            for event in ("phx_join", "phx_error", "phx_close")
        }

    def poll(self) -> None:
        """Notice which sources and whether the delivery are there. Cheap; called at each publication."""
        for source in self._sources:
            away = source.poll(self.connections(), self.clock)
            if away is not None:
                self._was_away(away)
        if self._look_at_target():
            self.settle()
        self._note_store()

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds: a source has been away no longer or shorter for that."""
        for source in self._sources:
            source.clock_was_set(step)
        self.changed()

    def _was_away(self, away: SourceAway) -> None:
        self._away.append(away)
        now = self.clock.time()
        seconds = (away.until or now) - away.since
        length = "less than a second" if seconds < 1 else f"{seconds:.0f} s"
        self.persistence.put(row_of_away(new_id(now, self.random_source), away))
        self.note(f"{away.source} was away for {length}: alerts in it not seen", "warning")

    # For its parts

    def note(
        self, text: str, severity: LineSeverity = "info", kind: LineKind = "state", *, quiet: bool = False
    ) -> None:
        """Write a line into the changes; a quiet one is for the journal and the log alone."""
        self._changes.add(self.clock.time(), None, text, severity, kind, quiet=quiet)
        if not quiet:
            self.changed()

    def find_channel(self, connection: str, topic: str) -> Channel | None:
        return channel_of(self.connections(), connection, topic)

    def on_loop(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back on the engine's loop, from any thread."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                log.debug("the engine's loop had ended already")

    def stands_aside(self) -> bool:
        """Whether another engine shows the alerts: then none is shown or taken in; what waited waits on."""
        before, self._other = self._other, self._find_other()
        if self._other is None and before is not None:
            left, self._arrivals.left = self._arrivals.left, 0
            text = f"alerts are shown here again; what was left to {before}: {counted(left, 'event')}"
            self.note(text, "warning", "engine")
        return self._other is not None

    def refresh(self) -> None:
        """Look at the delivery anew, and settle: the end of a push, or a word of the hub, may change it."""
        self._look_at_target()
        self.settle()

    def _look_at_target(self) -> bool:
        """Tell the queue whether there is anything to deliver to; True when that is news."""
        if not self.has_begun:
            return False
        delivery = self._delivery
        if self.stands_aside():
            absent: str | None = f"{self._other} shows them"
        else:
            self.orders.take_off_what_was_left()
            absent = None if delivery is None else delivery.absent()
        unseen = None if delivery is None else self._hub.without_page(delivery.options)
        if self._noted_target == (absent, unseen):
            return False
        self._noted_target = (absent, unseen)
        self.queue.player.watched(unseen or "")
        self.queue.player.target(absent is None, absent or "")
        return True

    def settle(self) -> None:
        """Store what changed, then do what is to be done, and wake up for what is next."""
        changed, orders = self.queue.take_changed(), self.queue.player.overlays.take_orders()
        self.orders.note_news()
        lasting = replace(self.queue.lasting(), pages=tuple(sorted(self._hub.known)))
        if self._kept_lasting not in (None, lasting):
            self._kept_lasting = lasting
            self.persistence.keep_lasting(lasting)
        for alert in changed:
            if alert.state == "ended":
                if alert.outcome == "unconfirmed" and alert.sent_at is not None:
                    self._hub.was_unseen()
                ended_at = alert.ended_at or self.clock.time()
                self._changes.keep_alert(ended_at, _noted(alert), summary(alert))
        if orders:
            self.persistence.write(changed, lambda: self.orders.carry_out(orders))
        elif changed:
            self.persistence.write(changed)
        self._plan()
        self.changed()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self.queue.player.next_at()
        if moment is not None and self._loop is not None and not self._loop.is_closed():
            # The loop's own clock may stand still while the machine sleeps: never later than a second.
            delay = min(1.0, max(0.0, moment - self.clock.monotonic()))
            self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self.queue.player.advance()
        self.settle()

    # The store

    def _restore(self, alerts: list[Alert], lasting: PersistedOrders) -> None:
        self.queue.restore_lasting(lasting)
        self._hub.known.update(lasting.pages)
        self._kept_lasting = lasting
        self.queue.restore(alerts)
        self.queue.knows_past = True
        self.orders.seek()
        waiting = sum(alert.state != "ended" for alert in alerts)
        if waiting:
            self.note(f"taken up again: {counted(waiting, 'alert')} of before", kind="alert")
        self._go_on()

    def _begin(self) -> None:
        """Play though the store has not told what it holds; that is taken up when it does."""
        if not self.has_begun:
            self._go_on()

    def _go_on(self) -> None:
        self.has_begun = True
        self._arrivals.go_on()
        self._hub.go_on()
        self.refresh()

    def _note_store(self) -> None:
        if not self.has_begun:
            return  # it has its time to open the file
        words = self.persistence.trouble
        # The count in the words changes all the time; that there is trouble is the news.
        noted = None if words is None else words.partition(";")[0]
        if noted != self._store_words:
            self._store_words = noted
            text = f"the alerts' store: {words}" if words else "the alerts' store answers again"
            self.note(text, "error" if words else "info")

    # What is asked

    async def alert(self, id: str) -> AlertContent | CommandResult:
        """As of :class:`tui.model.engine.Engine`."""
        alert = self.queue.find(id) or await self.persistence.find(id)
        if isinstance(alert, CommandResult):
            return alert
        stage = self.queue.player.find_stage(id)
        return content(
            alert, self.persistence.shown(summary(alert) if stage is None else self.queue.show(stage))
        )

    def snapshot(self) -> AlertsSnapshot:
        view = self.queue.snapshot()
        recent = sorted((*self._away, *view.recent), key=_moment, reverse=True)
        if self.persistence.unwritten:
            recent = list(map(self.persistence.shown, recent))
            view = replace(
                view,
                playing=None if view.playing is None else self.persistence.shown(view.playing),
                beside=tuple(map(self.persistence.shown, view.beside)),
                waiting=tuple(map(self.persistence.shown, view.waiting)),
            )
        return replace(
            view,
            recent=tuple(recent[:_MOST_RECENT]),
            most_waiting=self.options.most_waiting,
            unmapped=self._arrivals.unmapped.counts,
            away=tuple(source.away for source in self._sources if source.away is not None),
            overlays=self._hub.pages,
            delivers_to=None if self._delivery is None else self._delivery.message,
            can_clear=self._delivery is not None and self._delivery.clears != "nothing",
            unsaved=self.persistence.held,
            store=self.persistence.trouble,
            store_fails=self.persistence.fails,
            rules=self._rules.trouble,
            warning=self._hub.warning,
        )


def _moment(entry: AlertSummary | SourceAway) -> float:
    return (entry.until if isinstance(entry, SourceAway) else entry.ended_at) or 0.0


def _noted(alert: Alert) -> str:
    test = "test " if alert.source == TEST_SOURCE else ""
    words = f"{test}{alert.type} {alert.who}: {alert.outcome}"
    return f"{words}: {alert.reason}" if alert.reason else words
