"""The alert queue: what comes in, what is taken up again, and how it stands. Decides; does nothing itself."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import asdict, replace

from tui.alerts.alert import MOST_PAYLOAD, MOST_TITLE, MOST_TYPE, Alert, id_of_event, new_id, payload_text
from tui.alerts.commands import Commands
from tui.alerts.confirmations import Confirmations
from tui.alerts.events import viewer_of
from tui.alerts.player import Player
from tui.alerts.recent import SeenIds
from tui.alerts.rules import DEFAULT, Rules
from tui.alerts.stage import Stage
from tui.alerts.summaries import on_stage, summary
from tui.alerts.templates import field
from tui.alerts.types import PersistedOrders, QueueOptions
from tui.alerts.waiting import Entry
from tui.channels.clock import Clock
from tui.model.alerts import AlertMode, AlertsSnapshot, AlertSummary
from tui.text.fitted import fitted

DEFAULT_OPTIONS = QueueOptions()

_CAME_AGAIN = "the same event came again before the store had told of it"


class AlertQueue:
    """A deterministic state machine: no I/O, no tasks, not for several threads at once.

    Its driver calls a method, then takes :meth:`take_changed` and commits those rows, then takes
    the overlays' orders and carries them out, then calls the player's ``advance`` at its ``next_at``. Every
    method first ends what is due, so that a late driver changes nothing but the moment. No method raises.

    What becomes of pushes is told to :attr:`player`; what people ask goes to :attr:`commands`.

    Args:
        clock: monotonic for all timers; epoch only for stamps and for the ages of restored alerts.
        random_source: draws the ids.
        rules: what events become; may be replaced at any time through :attr:`rules`.
        options: may be replaced through :meth:`configure`.
        same_id_window: seconds in which two events with one id are one.
    """

    def __init__(
        self,
        clock: Clock,
        random_source: random.Random,
        options: QueueOptions = DEFAULT_OPTIONS,
        *,
        rules: Rules = DEFAULT,
        same_id_window: float = 600.0,
    ) -> None:
        self.player = Player(clock, options, rules)
        self.commands = Commands(self.player, random_source)
        self.confirmations = Confirmations(self.player)
        self._clock = clock
        self._random_source = random_source
        self._stops = self.player.stops
        self._waiting = self.player.waiting
        self._record = self.player.record
        self._snapshot: AlertsSnapshot | None = None
        self._version = -1
        self._seen = SeenIds(same_id_window)
        # Alerts that are on their way to the store.
        self._judged = set[str]()
        self.knows_past = True
        """What an earlier run accepted was told: until then an event that comes again may not take the place
        of what it was."""
        self._duplicates = 0
        self._ignored = 0

    # What the driver takes

    def take_changed(self) -> list[Alert]:
        """Every alert whose stored row must change, in its latest state, once. Commit them together."""
        changed = list(self._record.changed.values())
        self._record.changed.clear()
        return changed

    # Arrivals

    def judge_arrival(
        self, type: str, payload: Mapping[str, Any], *, source: str, source_id: str | None = None
    ) -> Alert | None:
        """The alert that an event becomes, to be stored and then given to :meth:`admit`.

        None for one that came already (counted as a duplicate) or that the rules ignore (counted too).
        """
        now = self.player.tick()
        if source_id is not None:
            if self._seen.holds(source, source_id, now):
                self._duplicates += 1
                self._record.touch()
                return None
            self._seen.add(source, source_id, now)
        # The store's rows that are no alerts have a type in brackets.
        type = type.lstrip("( ") or "?"
        # By the type as it came: a rule's word may happen to be somebody's secret too.
        verdict = asdict(self.player.rules.judge(type, payload))
        if verdict.pop("ignore"):
            self._ignored += 1
            self._record.touch()
            return None
        accepted_at = self._clock.time()
        text, was_cut = payload_text(payload)
        viewer = viewer_of(payload)
        what = (type, text) if source_id is None else (source_id,)
        return Alert(
            id=self._new_id(payload, source, what, accepted_at),
            type=fitted(type, MOST_TYPE) or "?",
            accepted_at=accepted_at,
            payload=text,
            payload_cut=was_cut,
            viewers=() if viewer is None else (viewer,),
            source=source,
            source_id=source_id,
            place=self._waiting.new_place(accepted_at),
            **verdict,
        )

    def _new_id(self, payload: Mapping[str, Any], source: str, what: tuple[str, ...], now: float) -> str:
        """Of an event that tells its time the same in every engine that it reaches, so that a page on which
        two of them show it can tell; of another one, or of one that came before, our own."""
        time = field(payload, "timestamp")
        if self.knows_past and isinstance(time, str) and time:
            id = id_of_event(source, fitted(time, MOST_TITLE), *what)
            if id not in self._judged and not self._record.knows(id):
                self._judged.add(id)
                return id
        return new_id(now, self._random_source)

    def admit(self, alert: Alert) -> None:
        """Takes a new alert in. It waits, shows at once, makes another grow, or ends; once for each id."""
        now = self.player.enter()
        self._judged.discard(alert.id)
        if not self._record.knows(alert.id):
            self._record.accept(alert.id)
            self._waiting.last_place = max(self._waiting.last_place, alert.place)
            entry = Entry(alert, now, now)
            target = self.player.growing.target_of(alert, self.player.now)
            if target is not None and self.player.unseen_words and self.player.find_stage(target.alert.id):
                # It plays while nobody is there: of whom else it tells would not be seen.
                target = None
            if self._stops.is_muted(alert.type):
                self.player.endings.end(entry, "muted", f"{alert.type} is muted")
            elif target is not None:
                self.player.grow(target, entry, now)
            else:
                self.player.join(entry)
        self.player.settle()

    def reject(self, type: str, text: str, reason: str, source: str) -> None:
        """An event that cannot be read: it ends ``rejected`` at once, kept with the reason.

        Args:
            text: the event as it came, of which the beginning is kept.
        """
        self.player.enter()
        accepted_at = self._clock.time()
        # A character takes at most six bytes.
        kept = text[: MOST_PAYLOAD // 8]
        alert = Alert(
            id=new_id(accepted_at, self._random_source),
            type=fitted(type, MOST_TYPE),
            accepted_at=accepted_at,
            payload=payload_text({"text": kept})[0],
            payload_cut=len(kept) < len(text),
            source=source,
            place=self._waiting.new_place(accepted_at),
        )
        self._record.accept(alert.id)
        self.player.endings.end(Entry(alert, self.player.now, self.player.now), "rejected", reason)
        self.player.settle()

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Takes in what was stored: at the start, or later, when the store answers late.

        Open alerts go on: waiting ones in their place; what was playing is offered again in front if less
        than half its duration had passed, else it ends; a push of unknown end is dealt with as
        ``on_uncertain`` says. Ended ones only tell which events were seen. Ids that are known are left alone.
        After a panic in this run none comes that overlays may have shown.
        """
        now = self.player.enter()
        epoch = self._clock.time()
        here = {
            (one.source, one.source_id): one for one in (*self._record.recent(), *self.player.open_alerts())
        }
        taken_up, played = set[str](), list[Entry]()
        for alert in sorted(alerts, key=lambda alert: alert.accepted_at):
            # A clock that was set back makes no negative age.
            age = max(0.0, epoch - alert.accepted_at)
            if alert.source_id is not None and not self._seen.holds(alert.source, alert.source_id, now):
                self._seen.add(alert.source, alert.source_id, now - age)
            self._waiting.last_place = max(self._waiting.last_place, alert.place)
            if alert.tries:
                self.player.page.know_of_before(alert)
            if self._record.knows(alert.id):
                continue
            again = None if alert.source_id is None else here.get((alert.source, alert.source_id))
            stands = again is not None and self._stands_for(again, alert)
            if alert.state == "ended":
                continue
            self._record.take_up(alert.id)
            taken_up.add(alert.id)
            grown_age = age if alert.grown_at is None else max(0.0, epoch - alert.grown_at)
            entry = Entry(alert, now - age, now - grown_age)
            if stands and alert.tries:
                self.player.endings.end_sent(entry, _CAME_AGAIN)
            elif stands:
                self.player.endings.end(entry, "collapsed", _CAME_AGAIN)
            elif alert.state == "waiting":
                self.player.wait(entry)
            else:
                played.append(entry)
        # The first of them is put before the others at last.
        for entry in reversed(played):
            self._take_up(entry, epoch)
        if self.commands.has_panicked:
            self.commands.end_left(taken_up)
            self.player.show_others_again()
        self.player.settle()

    def _stands_for(self, again: Alert, former: Alert) -> bool:
        """Whether the alert of an event that came again stands for the former, which thus ends.

        One that has gone no way yet ends instead. None ends for which nothing else stands: shown twice is
        better than lost.
        """
        if abs(again.accepted_at - former.accepted_at) >= self._seen.window:
            return False
        entry = self._waiting.find(again.id)
        if entry is not None and not entry.alert.tries and entry.alert.grown_at is None:
            self._duplicates += 1
            self._waiting.remove(entry)
            entry.alert = replace(entry.alert, into=former.id)
            self.player.endings.end(entry, "collapsed", _CAME_AGAIN)
            return False
        if again.outcome == "collapsed":
            again = self.find(again.into or "") or again
        was_dealt_with = again.tries or again.outcome in (None, "skipped", "removed")
        if former.state == "ended" or former.grown_at is not None or not was_dealt_with:
            return False
        self._duplicates += 1
        return True

    def restore_lasting(self, lasting: PersistedOrders) -> None:
        """Take up what an earlier run was ordered, as far as it lasts; orders of this run go before it."""
        now = self.player.enter()
        self._stops.restore(lasting, now, self._clock.time())
        self.player.page.restore(lasting.page, lasting.stacks)
        self._record.touch()
        self.player.settle()

    def _take_up(self, entry: Entry, epoch: float) -> None:
        """Deals with one that was playing when the program ended."""
        alert = entry.alert
        if alert.sent_at is None:
            if self.player.options.has_target and alert.tries:
                self.player.doubt(entry, "the program ended while it was sent")
            else:
                self.player.put_back(entry)
        elif epoch - alert.sent_at < alert.duration / 2:
            self.player.put_back(entry)
        else:
            self.player.endings.end_sent(entry, "the program ended while it played")

    # How it stands

    def lasting(self) -> PersistedOrders:
        page = self.player.page
        lasting = self._stops.lasting(self.player.tick())
        return replace(lasting, page=page.kept(), stacks=tuple(sorted(page.stacks)))

    def find(self, id: str) -> Alert | None:
        """An alert that is open or that ended lately."""
        here = (*self.player.open_alerts(), *self._record.recent())
        return next((alert for alert in here if alert.id == id), None)

    def show(self, stage: Stage) -> AlertSummary:
        """One that plays, as it leaves the engine."""
        return on_stage(stage, self.player.now, self._clock.time())

    def snapshot(self) -> AlertsSnapshot:
        """The queue's own part of it; the same object until something changes."""
        now = self.player.tick()
        if self._snapshot is None or self._version != self._record.version:
            self._version = self._record.version
            mode, message = self._mode()
            playing = self.player.playing
            self._snapshot = AlertsSnapshot(
                mode=mode,
                message=message,
                held_until=self._stops.held_until(now),
                playing=None if playing is None else self.show(playing),
                beside=tuple(map(self.show, self.player.beside)),
                waiting=tuple(summary(entry.alert) for entry in self._waiting),
                recent=tuple(map(summary, self._record.recent())),
                accepted=self._record.accepted,
                restored=self._record.restored,
                counts=self._record.counts(),
                ignored=self._ignored,
                duplicates=self._duplicates,
                mutes=self._stops.mutes(),
                can_undo=self.commands.can_undo,
            )
        return self._snapshot

    def _mode(self) -> tuple[AlertMode, str]:
        player = self.player
        if self._stops.paused:
            return "paused", ""
        if self._stops.is_held(player.now):
            return "held", ""
        if not player.overlays.are_there:
            return "waiting for overlays", player.overlays.message
        if player.unseen_words:
            return "waiting for overlays", player.unseen_words
        return "playing" if player.stages() or len(self._waiting) else "idle", ""
