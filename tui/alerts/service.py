"""The alert queue in the engine: events in, rows to the store, pushes out, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
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
from tui.alerts.page import Number
from tui.alerts.persistence import AlertPersistence
from tui.alerts.queue import AlertQueue
from tui.alerts.recent_entries import Recent
from tui.alerts.rules_watcher import WatchedRules
from tui.alerts.sources import Source
from tui.alerts.store import AlertStore
from tui.alerts.summaries import (
    MODES,
    content,
    counts,
    find,
    on_stage,
    row_of_away,
    summary,
)
from tui.alerts.types import PersistedOrders, QueueOptions
from tui.alerts.unmapped import Unmapped
from tui.channels import Channel
from tui.channels.clock import Clock
from tui.connections.subscriptions import Connections, Listening, Wanted, channel_of, on
from tui.model.alerts import (
    TEST_SOURCE,
    AlertCommand,
    AlertContent,
    AlertsSnapshot,
    SourceAway,
)
from tui.model.snapshot import CommandResult
from tui.store.event_log import ChangeLog
from tui.text.formats import counted

log = logging.getLogger("tui.alerts.service")


class AlertService:
    """Runs one queue on the engine's loop; only :meth:`history` and :meth:`alert` wait for anything.

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
        chance: random.Random,
        *,
        store: AlertStore | None,
        other: Callable[[], str | None] = lambda: None,
        asked_at: Callable[[str, str], float | None] = lambda connection, topic: None,
        changed: Callable[[], None],
    ) -> None:
        self._options = options
        self._connections = connections
        self._changes = changes
        self._clock = clock
        self._chance = chance
        self.persistence = AlertPersistence(store, clock, self._on_loop)
        self._changed = changed
        self._queue = AlertQueue(clock, chance, same_id_window=options.same_id_window)
        self._queue.knows_past = store is None
        self._orders = AlertOrders(
            self._queue, self._find, changes, clock, noted=self._pushed, changed=changed
        )
        self._hub = OverlayHub(
            connections,
            changes,
            clock,
            is_ours=self._queue.player.page.is_ours,
            knows_ours=store is None,
            asked_at=asked_at,
            acknowledged=self._acknowledged,
            reported=self._reported,
            listed=self._listed,
            changed=changed,
        )
        self._commands = AlertCommands(
            self._queue, self.persistence, changes, clock, chance, self._settle, lambda: self._options.types
        )
        self._sources: list[Source] = []
        self._unmapped = Unmapped()
        self._arrivals = Arrivals(
            self._queue,
            self.persistence,
            changes,
            clock,
            self._unmapped,
            waits=store is not None,
            stands_aside=self._stands_aside,
            settle=self._settle,
            changed=changed,
        )
        self._listening = Listening()
        self._rules = WatchedRules(self._queue.player, changes, clock, self._on_loop, changed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._noted_target: tuple[str | None, str | None] | None = None
        self._restored = store is None
        # None until the store has told what an earlier run was ordered, which must not be overwritten.
        self._kept_lasting: PersistedOrders | None = None
        self._recent = Recent(self.persistence)
        self._store_words: str | None = None
        self._find_other = other
        self._other: str | None = None

    @property
    def _delivery(self) -> Delivery | None:
        return self._orders.delivery

    # The engine's loop

    def start(self) -> None:
        """Begin to listen; what was stored is taken up when the store tells it."""
        self._loop = asyncio.get_running_loop()
        self.persistence.restore(self._restore)
        if not self._restored:
            # A store that does not answer must not hold up what viewers do now.
            self._loop.call_later(alert_persistence.ANSWER_LIMIT, self._begin)
        self.configure(self._options)

    def configure(self, options: AlertOptions) -> list[str]:
        """Take these settings from now on; what waits and plays goes on. ``same_id_window`` and what is kept
        of the history change at the next start. What became of alerts by that, in words."""
        before = self._ended()
        self._rules.configure(options.rules, options.types)
        if options.sources != self._options.sources:
            self._unmapped.forget()
        self._options = options
        self._orders.configure(options.delivery)
        self._sources = [self._source(each) for each in options.sources]
        self._queue.player.configure(
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
        self._settle()
        return [
            f"{counted(number, 'alert')} {outcome}" for outcome, number in (self._ended() - before).items()
        ]

    def _ended(self) -> Counter[str]:
        ended = Counter[str]()
        for each in self._queue.view().outcomes:
            ended[each.outcome] += each.number
        return ended

    def _source(self, options: SourceOptions) -> Source:
        """The source of these options; one that is known goes on, so that its absence is not forgotten."""
        return next((each for each in self._sources if each.options == options), None) or Source(
            options, self._arrivals.came, self._unmapped.count
        )

    def stop(self) -> None:
        """End: nothing more is pushed or taken in. What the store holds is its own to write."""
        self._rules.stop()
        self._listening.keep({})
        if self._timer is not None:
            self._timer.cancel()
        self._orders.stop()

    def attach(self) -> None:
        """Listen on the channels that there are now: at the start and after a reload."""
        wanted: Wanted = {}
        for source in self._sources:
            wanted |= source.wanted(self._connections().get(source.options.connection))
        wanted |= self._hub.wanted(self._delivery)
        self._listening.keep(wanted | self._comings_and_goings())

    def _comings_and_goings(self) -> Wanted:
        """Looked at when they happen: what is back by the next publication was away all the same."""
        places = [(source.options.connection, source.options.topic) for source in self._sources]
        if self._delivery is not None:
            places.append((self._delivery.options.connection, self._delivery.options.topic))
        return {
            (f"there: {connection}", topic, event): on(channel, event, lambda _: self.poll())
            for connection, topic in places
            if (channel := self._find(connection, topic)) is not None
            for event in ("phx_join", "phx_error", "phx_close")
        }

    def poll(self) -> None:
        """Notice which sources and whether the delivery are there. Cheap; called at each publication."""
        connections = self._connections()
        for source in self._sources:
            away = source.poll(connections.get(source.options.connection), self._clock)
            if away is not None:
                self._was_away(away)
        if self._look_at_target():
            self._settle()
        self._note_store()

    def clock_was_set(self, step: float) -> None:
        """The wall clock was set by so many seconds: a source has been away no longer or shorter for that."""
        for source in self._sources:
            source.clock_was_set(step)
        self._changed()

    def _stands_aside(self) -> bool:
        """Whether another engine shows the alerts: then none is shown or taken in; what waited waits on."""
        before, self._other = self._other, self._find_other()
        if self._other is None and before is not None:
            left, self._arrivals.left = self._arrivals.left, 0
            text = f"alerts are shown here again; what was left to {before}: {counted(left, 'event')}"
            self._changes.add(self._clock.time(), None, text, "warning", "engine")
        return self._other is not None

    def _look_at_target(self) -> bool:
        """Tell the queue whether there is anything to deliver to; True when that is news."""
        if not self._restored:
            return False
        delivery = self._delivery
        if self._stands_aside():
            absent: str | None = f"{self._other} shows them"
        else:
            self._orders.take_off_what_was_left()
            absent = None if delivery is None else delivery.absent()
        unseen = None if delivery is None else self._hub.without_page(delivery.options)
        if self._noted_target == (absent, unseen):
            return False
        self._noted_target = (absent, unseen)
        self._queue.player.watched(unseen or "")
        self._queue.player.target(absent is None, absent or "")
        return True

    def _was_away(self, away: SourceAway) -> None:
        self._recent.away.append(away)
        now = self._clock.time()
        seconds = (away.until or now) - away.since
        length = "less than a second" if seconds < 1 else f"{seconds:.0f} s"
        self._changes.add(now, None, f"{away.source} was away for {length}: alerts in it not seen", "warning")
        self.persistence.put(row_of_away(new_id(now, self._chance), away))
        self._changed()

    def _find(self, connection: str, topic: str) -> Channel | None:
        return channel_of(self._connections(), connection, topic)

    def _on_loop(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back on the engine's loop, from any thread."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                log.debug("the engine's loop had ended already")

    # What the hub and the overlays tell

    def _acknowledged(self, id: str) -> None:
        if self._queue.confirmations.confirm(id):
            self._settle()

    def _reported(self, seen_since: float | None) -> None:
        if seen_since is not None:
            self._queue.confirmations.overlays_connected(since=seen_since)
        self._look_at_target()
        self._settle()

    def _listed(self, topic: str, items: list[tuple[Number, str]], on_stack: bool) -> None:
        self._queue.player.listed(topic, items, on_stack=on_stack)
        self._orders.ask_for_removals()
        self._settle()

    # What the queue decided

    def _settle(self) -> None:
        """Store what changed, then do what is to be done, and wake up for what is next."""
        changed, orders = self._queue.take_changed(), self._queue.take_orders()
        self._orders.note_news()
        lasting = replace(self._queue.lasting(), pages=tuple(sorted(self._hub.known)))
        if self._kept_lasting not in (None, lasting):
            self._kept_lasting = lasting
            self.persistence.keep_lasting(lasting)
        for alert in changed:
            if alert.state == "ended":
                if alert.outcome == "unconfirmed" and alert.sent_at is not None:
                    self._hub.was_unseen()
                self._changes.keep_alert(alert.ended_at or self._clock.time(), _noted(alert), summary(alert))
        if orders:
            self.persistence.write(changed, lambda: self._orders.carry_out(orders))
        elif changed:
            self.persistence.write(changed)
        self._plan()
        self._changed()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self._queue.next_at()
        if moment is not None and self._loop is not None and not self._loop.is_closed():
            # The loop's own clock may stand still while the machine sleeps: never later than a second.
            delay = min(1.0, max(0.0, moment - self._clock.monotonic()))
            self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self._queue.advance()
        self._settle()

    def _pushed(self) -> None:
        """It is known what became of a push, or of what is taken off."""
        self._look_at_target()
        self._settle()

    # The store

    def _restore(self, alerts: list[Alert], lasting: PersistedOrders) -> None:
        self._queue.restore_lasting(lasting)
        self._hub.known.update(lasting.pages)
        self._kept_lasting = lasting
        self._queue.restore(alerts)
        self._queue.knows_past = True
        self._orders.seek(self.persistence.seek)
        waiting = sum(alert.state != "ended" for alert in alerts)
        if waiting:
            text = f"taken up again: {counted(waiting, 'alert')} of before"
            self._changes.add(self._clock.time(), None, text, kind="alert")
        self._go_on()

    def _begin(self) -> None:
        """Play though the store has not told what it holds; that is taken up when it does."""
        if not self._restored:
            self._go_on()

    def _go_on(self) -> None:
        self._restored = True
        self._arrivals.go_on()
        self._hub.know_ours()
        self._look_at_target()
        self._settle()

    def _note_store(self) -> None:
        if not self._restored:
            return  # it has its time to open the file
        words = self.persistence.trouble
        # The count in the words changes all the time; that there is trouble is the news.
        noted = None if words is None else words.partition(";")[0]
        if noted != self._store_words:
            self._store_words = noted
            text = f"the alerts' store: {words}" if words else "the alerts' store answers again"
            self._changes.add(self._clock.time(), None, text, "error" if words else "info")

    # What is asked

    async def command(self, command: AlertCommand) -> CommandResult:
        """As of :class:`tui.model.engine.Engine`."""
        return await self._commands.give(command)

    async def alert(self, id: str) -> AlertContent | CommandResult:
        """As of :class:`tui.model.engine.Engine`."""
        found = find(self._queue.view(), id)
        if found is not None:
            return content(*found, held=self.persistence.is_held(id))
        alert = await self.persistence.find(id)
        return alert if isinstance(alert, CommandResult) else content(alert, None)

    # What is told

    def snapshot(self) -> AlertsSnapshot:
        """The queue as it stands."""
        view = self._queue.view()
        held = self.persistence.is_held
        away = tuple(source.away for source in self._sources if source.away is not None)
        return AlertsSnapshot(
            mode=MODES[view.state],
            message=view.message.removeprefix("waiting for overlays: ") if view.state == "away" else "",
            held_until=view.held_until,
            playing=None
            if view.playing is None
            else on_stage(view.playing, held=held(view.playing.alert.id)),
            beside=tuple(on_stage(each, held=held(each.alert.id)) for each in view.beside),
            waiting=tuple(summary(each, held=held(each.id)) for each in view.waiting),
            most_waiting=self._options.most_waiting,
            recent=self._recent.entries(view.recent),
            accepted=view.accepted,
            restored=view.restored,
            counts=counts(view.outcomes),
            ignored=view.ignored,
            duplicates=view.duplicates,
            unmapped=self._unmapped.counts,
            mutes=view.mutes,
            away=away,
            overlays=self._hub.pages,
            delivers_to=None if self._delivery is None else self._delivery.message,
            can_clear=self._delivery is not None and self._delivery.clears != "nothing",
            can_undo=view.can_undo,
            held_in_memory=self.persistence.held,
            store=self.persistence.trouble,
            store_fails=self.persistence.fails,
            rules=self._rules.trouble,
            warning=self._hub.warning,
        )


def _noted(alert: Alert) -> str:
    test = "test " if alert.source == TEST_SOURCE else ""
    words = f"{test}{alert.type} {alert.who}: {alert.outcome}"
    return f"{words}: {alert.reason}" if alert.reason else words
