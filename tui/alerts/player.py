"""What plays, and what beside it: when the next begins, ends or comes back, whatever becomes of a push."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from tui.alerts.alert import MAX_VIEWERS, MOST_ITEMS, MOST_MESSAGE, Alert, Outcome, fitted
from tui.alerts.doubtful import LATE_CONFIRMATION, DoubtfulAlerts
from tui.alerts.growing import Growing
from tui.alerts.record import Record
from tui.alerts.rules import Rules
from tui.alerts.stage import Stage
from tui.alerts.standing import StandingAlerts
from tui.alerts.stops import Stops
from tui.alerts.view import Clear, Order, QueueOptions, Show, Update
from tui.alerts.waiting import Entry, WaitingLine
from tui.channels.clock import Clock, WallSteps

MOST_BESIDE = 5
MOST_TRIES = 5
"""Pushes of one alert that ended in doubt; after so many it is left, or it would stop all others for ever."""
UNCERTAIN_PAUSE = 1.0
"""Seconds before the next push after one of unknown end."""

NOT_CONFIRMED = "sent; no overlay confirmed it"
SEEN_BEFORE = "an overlay confirmed it before it waited again"
NO_DELIVERY = "no delivery is set up"
_NOT_THERE_YET = "not connected yet"


class Player:
    """Moves alerts from the waiting line to the stage and to their ends.

    Every public method first ends what is due; those that a driver calls settle all that follows.
    """

    def __init__(self, clock: Clock, options: QueueOptions, rules: Rules) -> None:
        self.rules = rules
        self.options = options
        self.clock = clock
        self.now = clock.monotonic()
        self.stops = Stops()
        self.waiting = WaitingLine()
        self.record = Record()
        self.standing = StandingAlerts()
        self.target_words = _NOT_THERE_YET
        self.unseen_words = ""
        self.playing: Stage | None = None
        self.beside: list[Stage] = []
        self._wall = WallSteps(clock)
        self._available = False
        self._gap_until = -math.inf
        self._growing = Growing()
        self._doubtful = DoubtfulAlerts()
        self._orders: list[Order] = []

    def configure(self, options: QueueOptions) -> None:
        """Take other options, as at the start; what waits and plays goes on."""
        now = self.enter()
        for stage in reversed(self.stages()) if options.has_target != self.options.has_target else ():
            if options.has_target or stage.phase != "showing":
                self.withdraw(stage)
                self.interrupt(stage, now)
            else:
                stage.keep_to_itself()
        self.options = options
        self.record.touch()
        self.settle()

    # What the driver takes

    def take_orders(self) -> list[Order]:
        """What is to be done, in this order, once the rows taken just before are committed."""
        orders, self._orders = self._orders, []
        return orders

    def next_at(self) -> float | None:
        """The monotonic moment at which :meth:`advance` must be called; None: only a call changes things."""
        moments = [self.waiting.next_expiry(), *self.stops.moments(self.now)]
        for stage in self.stages():
            if stage.phase != "retrying" or self._may_show():
                moments += [stage.deadline, stage.update_at]
        if self.playing is None and len(self.waiting) and self._may_show():
            moments.append(self._gap_until)
        earliest = min(moments)
        return None if earliest == math.inf else earliest

    def advance(self) -> None:
        """Does what is due by now. Calling it too early or too often does nothing."""
        self.enter()
        self.settle()

    # What the driver tells of the delivery

    def target(self, available: bool, words: str = "") -> None:
        """Whether there is anything to deliver to; ``words`` say why not. Away: nothing starts.

        What plays is offered again if less than half its time had passed, else it ends. A push that is
        under way stays until its end is told.
        """
        now = self.enter()
        words = fitted(words, MOST_MESSAGE)
        if (available, words) != (self._available, self.target_words):
            self._available = available
            self.target_words = words
            self.record.touch()
        if not self.is_there():
            # The last first, since each is put before the others.
            for stage in reversed(self.stages()):
                if stage.phase == "sending" and not self.withdraw(stage):
                    continue
                self.interrupt(stage, now)
        self.settle()

    def watched(self, words: str = "") -> None:
        """Whether anybody would see what is shown; ``words`` say why not. Not: nothing starts, and what plays
        goes on, since an overlay that comes back finds it there."""
        self.enter()
        words = fitted(words, MOST_MESSAGE)
        if words != self.unseen_words:
            self.unseen_words = words
            self.record.touch()
        self.settle()

    def delivered(self, id: str, tries: int | None = None, item: str | int | None = None) -> bool:
        """The hub took it: its time begins. False when it was not being sent.

        Args:
            tries: the alert's, when it was pushed: an earlier push says nothing of the present one. None
                for the present one. So with the other two.
            item: the hub's own id of what it made of it, if it told one.
        """
        now = self.enter()
        if item is not None:
            self.made(id, tries, item)
        stage = self._find_sent(id, tries)
        if stage is not None:
            self._begin(stage, now)
        self.settle()
        return stage is not None

    def made(self, id: str, tries: int | None, item: str | int) -> None:
        """The hub told its id of what it made of a push of an alert, which may have ended meanwhile."""
        stage = self.find_stage(id)
        entry = self.waiting.find(id) if stage is None else stage.entry
        ended = next((alert for alert in self.record.recent() if alert.id == id), None)
        alert = ended if entry is None else entry.alert
        if alert is None:
            return
        made = (alert.tries if tries is None else tries, item)
        items = (*(each for each in alert.items if each != made), made)[-MOST_ITEMS:]
        if entry is not None:
            self.amend(entry, items=items)
        else:
            self.record.amend(alert, replace(alert, items=items))

    def refused(
        self,
        id: str,
        reason: str,
        tries: int | None = None,
        *,
        has_left: bool = True,
        answered: bool = True,
    ) -> bool:
        """The hub refused it, or it never left: tried again after 1 s and after 3 s more, then failed.

        Args:
            has_left: False for one that never left, which counts as no push.
            answered: False for one that is taken for refused, since no answer came in time.
        """
        now = self.enter()
        stage = self._find_sent(id, tries)
        if stage is not None:
            if not has_left:
                self.amend(stage.entry, tries=stage.entry.alert.tries - 1)
            elif not answered:
                stage.is_doubtful = True
            if not stage.refused(now):
                self._leave(stage)
                if stage.is_doubtful:
                    self.may_stand(stage.entry.alert)
                self.end(stage.entry, "failed", reason)
            elif not self.is_there():
                self.interrupt(stage, now)
            self.record.touch()
        self.settle()
        return stage is not None

    def uncertain(self, id: str, reason: str, tries: int | None = None) -> bool:
        """The connection went after the push had left: nobody knows whether it arrived."""
        self.enter()
        stage = self._find_sent(id, tries)
        if stage is not None:
            self._lose(stage, reason)
        self.settle()
        return stage is not None

    def confirm(self, id: str) -> bool:
        """An overlay acknowledged it. Counts until 10 s after its end; False when it changed nothing."""
        now = self.enter()
        found = True
        stage = self.find_stage(id)
        entry = self.waiting.find(id)
        if stage is not None:
            self._confirm(stage)
            if stage.phase != "showing":
                # Whatever became of the hub's answer: it is on the overlay.
                self.withdraw(stage)
                self._begin(stage, now)
        elif entry is not None and entry.back_at + LATE_CONFIRMATION > now:
            self._confirm_waiting(entry, now)
        else:
            found = self._confirm_ended(lambda alert, _since, _ended: alert.id == id, now)
        self.settle()
        return found

    def _confirm_waiting(self, entry: Entry, now: float) -> None:
        """An overlay acknowledged one that has come back from the stage just now."""
        if not entry.is_uncertain:
            self.amend(entry, seen=True)
            return
        self.waiting.remove(entry)
        self.amend(entry, confirmed=True)
        if self.playing is None and self.is_there():
            # It is on the overlay, without another push.
            stage = self.playing = Stage(entry)
            stage.found(now)
            self.amend(entry, state="playing")
            self._begin(stage, now)
        else:
            self.may_stand(entry.alert)
            self.end(entry, "shown", "confirmed after the connection was lost")

    def may_stand(self, alert: Alert, seconds: float | None = None) -> None:
        """It has ended, or is about to, and may be on an overlay: for so long, or its whole time.

        A panic until then takes it off.
        """
        seconds = alert.duration if seconds is None else min(seconds, alert.duration)
        if self.options.has_target and alert.tries and seconds > 0:
            self.standing.add(alert, self.now + seconds)

    def overlays_connected(self, at: float | None = None) -> bool:
        """A hub report received at monotonic ``at`` (now, if left out) names an overlay as connected.

        Confirms whatever was on the air at that moment; True when that is news.
        """
        now = self.enter()
        if at is None:
            at = now
        found = False
        if self.options.has_target:
            for stage in self.stages():
                if stage.phase == "showing" and stage.since <= at and not stage.entry.alert.confirmed:
                    self._confirm(stage)
                    found = True
            found |= self._confirm_ended(lambda _alert, since, ended: since <= at <= ended, now)
        self.settle()
        return found

    # Time

    def tick(self) -> float:
        self.now = max(self.now, self.clock.monotonic())
        if step := self._wall.step():
            self.stops.clock_was_set(step)
            self.record.touch()
        return self.now

    def enter(self) -> float:
        """Ends what is due, without beginning anything; returns the time."""
        now = self.tick()
        if self.stops.end_due(now):
            self.record.touch()
        for stage in self.stages():
            if stage.phase == "showing" and stage.deadline <= now:
                self._finish(stage, now)
            elif stage.phase == "sending" and stage.deadline <= now:
                self._lose(stage, "nobody told how the push ended")
        self.expire(now)
        return now

    def settle(self) -> None:
        """Keeps the bounds and begins what may begin; at the end of every call."""
        self.expire(self.now)
        self.drop_surplus()
        for stage in self.stages():
            if stage.update_at <= self.now:
                self._order(Update(stage.entry.alert))
                stage.updated(self.now)
            if stage.phase == "retrying" and stage.deadline <= self.now and self._may_show():
                self._push(stage)
        if self.playing is None and len(self.waiting) and self._gap_until <= self.now and self._may_show():
            entry = self.waiting.first()
            self.waiting.remove(entry)
            self.playing = self._start(entry)

    def expire(self, now: float) -> None:
        for entry in self.waiting.expired(now):
            self.waiting.remove(entry)
            self._give_up(entry, "expired", f"waited longer than {entry.alert.time_to_live:g} s")

    def drop_surplus(self) -> None:
        while len(self.waiting) > self.options.most_waiting:
            entry = self.waiting.least()
            self.waiting.remove(entry)
            self._give_up(entry, "dropped", f"queue full: {self.options.most_waiting} others wait")

    def _give_up(self, entry: Entry, outcome: Outcome, reason: str) -> None:
        """Ends one that waited in vain; what the overlays may have shown before does not end as unseen."""
        if entry.alert.tries:
            self.end_sent(entry, reason)
        else:
            self.end(entry, outcome, reason)

    # Growing

    def target_of(self, alert: Alert) -> Entry | None:
        """The open alert that a newcomer makes grow; None when it stands for itself."""
        return self._growing.target_of(alert, self.now)

    def grow(self, target: Entry, entry: Entry, now: float) -> None:
        known = target.alert.viewers
        new = tuple(viewer for viewer in entry.alert.viewers if viewer not in known)
        # Nothing is to be seen of a viewer who did it once more.
        is_more = bool(new) or not entry.alert.viewers
        count = target.alert.count + (entry.alert.count if is_more else 0)
        title, message = self.rules.render(target.alert, count)
        self.amend(
            target, count=count, viewers=(*known, *new)[:MAX_VIEWERS], title=title, message=message,
            grown_at=self.clock.time(),
        )  # fmt: skip
        target.grown = now
        stage = self.find_stage(target.alert.id)
        if stage is not None and is_more:
            stage.prolong(now)
            for at, order in enumerate(self._orders):
                if isinstance(order, Show) and order.alert.id == stage.id:
                    self._orders[at] = Show(target.alert)
                    stage.pushed_count = count
        entry.alert = replace(entry.alert, into=target.alert.id)
        self.end(entry, "collapsed", "")

    # From waiting to the stage and back

    def join(self, entry: Entry) -> None:
        """A new alert waits, or shows at once beside the others."""
        if entry.alert.bypass and self._may_show() and len(self.beside) < MOST_BESIDE:
            self.beside.append(self._start(entry))
            self._growing.add(entry)
        else:
            self.wait(entry)

    def wait(self, entry: Entry) -> None:
        self.waiting.add(entry)
        self._growing.add(entry)
        self.record.touch()

    def _start(self, entry: Entry) -> Stage:
        stage = Stage(entry)
        if self.options.has_target:
            self._push(stage)
        else:
            self.amend(entry, state="playing")
            stage.shown(self.now)
        return stage

    def _push(self, stage: Stage) -> None:
        self.amend(stage.entry, state="playing", tries=stage.entry.alert.tries + 1)
        stage.pushed(self.now)
        self._order(Show(stage.entry.alert))

    def _begin(self, stage: Stage, now: float) -> None:
        """Its time begins."""
        stage.shown(now)
        self.amend(stage.entry, sent_at=self.clock.time())
        if not self.is_there():
            self.interrupt(stage, now)

    def _confirm(self, stage: Stage) -> None:
        if not stage.entry.alert.confirmed:
            self.amend(stage.entry, confirmed=True)

    def interrupt(self, stage: Stage, now: float) -> None:
        """There is nowhere to show it any more."""
        if stage.is_past_half(now) or stage.entry.alert.tries >= MOST_TRIES:
            self._finish(stage, now, f"ended early: {self.target_words}")
        else:
            self._leave(stage)
            self.put_back(stage.entry)

    def _lose(self, stage: Stage, reason: str) -> None:
        """Nobody knows whether its push arrived."""
        self._leave(stage)
        self._gap_until = self.now + UNCERTAIN_PAUSE
        self.doubt(stage.entry, reason)

    def doubt(self, entry: Entry, reason: str) -> None:
        if self.options.on_uncertain == "again" and entry.alert.tries < MOST_TRIES:
            self.put_back(entry, is_uncertain=True)
            return
        self.may_stand(entry.alert)
        tries = "" if entry.alert.tries < 2 else f" {entry.alert.tries} times"
        self.end(entry, "unconfirmed", f"sent{tries}, unknown whether it arrived: {reason}")

    def put_back(self, entry: Entry, *, is_uncertain: bool = False) -> None:
        """It waits again, in front of its priority, under the same id, and may do so for its whole time."""
        self.amend(entry, **as_not_played(entry.alert))
        entry.back_at, entry.is_uncertain = self.now, is_uncertain
        if entry.alert.time_to_live is not None:
            entry.expires_at = self.now + entry.alert.time_to_live
        self.waiting.add_in_front(entry)
        self.record.changed[entry.alert.id] = entry.alert
        self._growing.add(entry)

    def _leave(self, stage: Stage) -> None:
        """Takes it from the stage; the next one begins after the gap."""
        if stage is self.playing:
            self.playing = None
            self._gap_until = self.now + self.options.gap
        else:
            self.beside.remove(stage)
        self.record.touch()

    def recall(self, stage: Stage) -> str:
        """Takes it from the stage and off the overlay; what is to be added to the words about it."""
        self._leave(stage)
        # One that is to be tried again may be there: the hub's answer was late, or was lost.
        return "" if self.withdraw(stage) or not stage.was_pushed else self.take_off(stage.entry.alert)

    def take_off(self, alert: Alert) -> str:
        if not self.options.has_target or self.options.clears == "nothing":
            return "; it cannot be taken off the overlay, where it stays until its time ends"
        self._order(Clear(alert))
        return "" if self.is_there() else "; it is taken off when the overlays are there again"

    def show_others_again(self) -> None:
        """Pushes what a Clear for all wiped off the overlay with the one that was meant."""
        if self.options.clears == "all" and any(isinstance(order, Clear) for order in self._orders):
            for stage in self.stages():
                if stage.phase != "retrying":
                    self._order(Update(stage.entry.alert))
                    stage.updated(self.now)

    def clear_left(self, entry: Entry) -> str:
        """Takes off the overlay what waits again, and was sent before: it may stand there still."""
        return self.take_off(entry.alert) if entry.alert.tries else ""

    def withdraw(self, stage: Stage) -> bool:
        """Whether its push was still to be carried out, and now is not."""
        kept = [order for order in self._orders if isinstance(order, Clear) or order.alert.id != stage.id]
        was_pushed = any(isinstance(order, Show) and order.alert.id == stage.id for order in self._orders)
        self._orders = kept
        if was_pushed:
            self.amend(stage.entry, tries=stage.entry.alert.tries - 1)
        return was_pushed

    # Ends

    def _finish(self, stage: Stage, now: float, early: str = "") -> None:
        """Its time is over."""
        self._leave(stage)
        self.end_sent(stage.entry, early, stage.since)

    def end_sent(self, entry: Entry, words: str, since: float = math.inf) -> Alert:
        """Ends one that the overlays may have shown, since ``since`` if that is known.

        Args:
            words: why before its time was over; empty if it was.
        """
        if words:
            self.may_stand(entry.alert)
        if entry.alert.confirmed:
            return self.end(entry, "shown", words)
        if entry.alert.seen:
            return self.end(entry, "shown", f"{SEEN_BEFORE}; {words}" if words else SEEN_BEFORE)
        reason = NOT_CONFIRMED if self.options.has_target else NO_DELIVERY
        return self.end(entry, "unconfirmed", f"{reason}; {words}" if words else reason, since)

    def _confirm_ended(self, is_meant: Callable[[Alert, float, float], bool], now: float) -> bool:
        """Turns doubtful ones of the last seconds into shown ones."""
        confirmed = self._doubtful.take(is_meant, now)
        for alert in confirmed:
            self.record.amend(alert, replace(alert, outcome="shown", reason="", confirmed=True))
            self.record.touch()
        return bool(confirmed)

    def end(self, entry: Entry, outcome: Outcome, reason: str, since: float = math.inf) -> Alert:
        """Ends an alert that is neither waiting nor on the stage any more; the entry keeps it as it was."""
        self._growing.remove(entry)
        if entry.alert.seen and outcome in ("unconfirmed", "failed"):
            outcome, reason = "shown", f"{SEEN_BEFORE}; {reason}"
        alert = replace(
            entry.alert,
            state="ended",
            outcome=outcome,
            reason=fitted(reason, MOST_MESSAGE),
            ended_at=self.clock.time(),
        )
        self.record.end(alert)
        if outcome in ("unconfirmed", "failed"):
            self._doubtful.add(alert, since, self.now)
        self.record.touch()
        return alert

    # Small things

    def amend(self, entry: Entry, **fields: Any) -> None:
        entry.alert = replace(entry.alert, **fields)
        self.record.changed[entry.alert.id] = entry.alert
        self.record.touch()

    def _order(self, order: Order) -> None:
        self._orders.append(order)

    def stages(self) -> list[Stage]:
        return [*self.beside] if self.playing is None else [self.playing, *self.beside]

    def _find_sent(self, id: str, tries: int | None) -> Stage | None:
        """The stage of an alert whose push is under way."""
        stage = self.find_stage(id)
        is_it = stage is not None and stage.phase == "sending" and tries in (None, stage.entry.alert.tries)
        return stage if is_it else None

    def find_stage(self, id: str) -> Stage | None:
        return next((stage for stage in self.stages() if stage.id == id), None)

    def open_alerts(self) -> Iterator[Alert]:
        """What plays and what waits."""
        yield from (stage.entry.alert for stage in self.stages())
        yield from (entry.alert for entry in self.waiting)

    def is_open(self, id: str) -> bool:
        return self.find_stage(id) is not None or self.waiting.find(id) is not None

    def is_there(self) -> bool:
        return self._available or not self.options.has_target

    def _may_show(self) -> bool:
        return self.is_there() and not (
            self.stops.paused or self.stops.is_held(self.now) or self.unseen_words
        )


def as_not_played(alert: Alert) -> dict[str, Any]:
    """The fields that make an alert wait again."""
    return {
        "state": "waiting",
        "sent_at": None,
        "confirmed": False,
        "seen": alert.seen or alert.confirmed,
    }
