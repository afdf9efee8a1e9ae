"""What plays, and what beside it: when the next begins, ends or comes back, whatever becomes of a push."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from tui.alerts.alert import MAX_VIEWERS, MOST_MESSAGE, Alert
from tui.alerts.endings import Endings
from tui.alerts.overlays import Growth, Overlays
from tui.alerts.page import Number, OnPage
from tui.alerts.recent import Record
from tui.alerts.rules import Rules
from tui.alerts.stage import Stage
from tui.alerts.stops import Stops
from tui.alerts.types import QueueOptions
from tui.alerts.waiting import Entry, Growing, WaitingLine
from tui.channels.clock import Clock, WallSteps
from tui.text.fitted import fitted

MOST_BESIDE = 5
MOST_TRIES = 5
"""Pushes of one alert that ended in doubt; after so many it is left, or it would stop all others for ever."""
UNCERTAIN_PAUSE = 1.0
"""Seconds before the next push after one of unknown end."""

LEAST_LEFT = 0.1
"""Seconds; for less nothing is pushed any more."""


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
        self.overlays = Overlays(clock, options)
        self.page = self.overlays.page
        self.unseen_words = ""
        self.playing: Stage | None = None
        self.beside: list[Stage] = []
        self._wall = WallSteps(clock)
        self._gap_until = -math.inf
        self.growing = Growing()
        self.endings = Endings(clock, self.record, self.page, self.growing)
        self.endings.delivers = options.has_target

    def configure(self, options: QueueOptions) -> None:
        """Take other options, as at the start; what waits and plays goes on."""
        now = self.enter()
        for stage in reversed(self.stages()) if options.has_target != self.options.has_target else ():
            if options.has_target or stage.phase != "on air":
                self.withdraw(stage)
                self.interrupt(stage, now)
            else:
                stage.keep_to_itself()
        self.options = self.overlays.options = options
        self.endings.delivers = options.has_target
        self.record.touch()
        self.settle()

    # What the driver takes

    def next_at(self) -> float | None:
        """The monotonic moment at which :meth:`advance` must be called; None: only a call changes things."""
        moments = [self.waiting.next_expiry(), *self.stops.moments(self.now)]
        for stage in self.stages():
            if stage.phase != "retrying":
                moments += [stage.deadline, stage.update_at]
            elif self._may_show():
                moments.append(max(stage.deadline, self.overlays.free_at(stage.id)))
        if self.playing is None and len(self.waiting) and self._may_show():
            moments.append(max(self._gap_until, self.overlays.free_at(self._next().alert.id)))
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
        if (available, words) != (self.overlays.available, self.overlays.message):
            self.overlays.available = available
            self.overlays.message = words
            self.record.touch()
        if not self.overlays.are_there:
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

    def delivered(self, id: str, tries: int | None = None, item: Number | None = None) -> bool:
        """The hub took it: its time begins. False when it was not being sent.

        Args:
            tries: the alert's, when it was pushed: an earlier push says nothing of the present one. None
                for the present one. So with the other two.
            item: the hub's own id of what it made of it, if it told one.
        """
        now = self.enter()
        if item is not None:
            self.page.note_item(id, item)
        stage = self._landed(id, tries, arrived=True)
        if stage is not None:
            self.begin(stage, now)
        self.settle()
        return stage is not None

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
        stage = self._landed(id, tries, arrived=has_left and not answered)
        if stage is not None:
            if not has_left:
                self.endings.amend(stage.entry, tries=stage.entry.alert.tries - 1)
            if not stage.refused(now):
                self._leave(stage)
                self.endings.end(stage.entry, "failed", reason)
            elif not self.overlays.are_there:
                self.interrupt(stage, now)
            self.record.touch()
        self.settle()
        return stage is not None

    def uncertain(self, id: str, reason: str, tries: int | None = None) -> bool:
        """The connection went after the push had left: nobody knows whether it arrived."""
        self.enter()
        stage = self._landed(id, tries, arrived=True)
        if stage is not None:
            self._lose(stage, reason)
        self.settle()
        return stage is not None

    def begin_update(self, id: str, tries: int) -> Growth | None:
        """Push one on the stage as it is now, for what is left of its time; None for nothing to push.
        Its end is told by :meth:`end_update`."""
        self.enter()
        stage = self.find_stage(id)
        if stage is None or stage.phase == "retrying" or stage.entry.alert.tries != tries:
            return None
        left = stage.deadline - self.now if stage.phase == "on air" else stage.entry.alert.duration
        if left < LEAST_LEFT:
            return None
        return self.overlays.begin_update(stage.entry.alert, left, beside=stage in self.beside)

    def end_update(self, growth: Growth, *, arrived: bool, item: Number | None = None) -> None:
        """What became of that push; see :meth:`delivered`."""
        self.enter()
        if item is not None:
            self.page.note_item(growth.alert.id, item)
        self.page.land(growth.alert.id, growth, arrived=arrived)
        self.settle()

    def listed(self, topic: str, items: Sequence[tuple[Number, str]], *, on_stack: bool) -> None:
        """What a hub's state lists of alerts: as of :meth:`tui.alerts.page.Page.see`."""
        self.enter()
        self.page.see(topic, items, on_stack=on_stack)
        self.settle()

    def taken_off(self, entry: OnPage) -> None:
        """The hub took one off the overlays."""
        self.enter()
        self.page.gone(entry)
        self.settle()

    # Time

    def tick(self) -> float:
        self.now = max(self.now, self.clock.monotonic())
        if step := self._wall.step():
            self.stops.clock_was_set(step)
            self.page.clock_was_set()
            self.record.touch()
        return self.now

    def enter(self) -> float:
        """Ends what is due, without beginning anything; returns the time."""
        now = self.tick()
        if self.stops.end_due(now):
            self.record.touch()
        for stage in self.stages():
            if stage.phase == "on air" and stage.deadline <= now:
                self._finish(stage, now)
            elif stage.phase == "sending" and stage.deadline <= now:
                self._lose(stage, "nobody told how the push ended")
        self.expire(now)
        return now

    def settle(self) -> None:
        """Keeps the bounds and begins what may begin; at the end of every call."""
        self.expire(self.now)
        self.drop_surplus()
        self.page.expire()
        for stage in self.stages():
            if stage.update_at <= self.now:
                self.overlays.update(stage.entry.alert)
                stage.updated(self.now)
            is_due = stage.phase == "retrying" and stage.deadline <= self.now and self._may_show()
            if is_due and self.overlays.free_at(stage.id) <= self.now:
                self._push(stage)
        if self.playing is None and len(self.waiting) and self._gap_until <= self.now and self._may_show():
            entry = self._next()
            if self.overlays.free_at(entry.alert.id) <= self.now:
                self.waiting.remove(entry)
                self.playing = Stage(entry)
                self._start(self.playing)

    def _next(self) -> Entry:
        """What is to begin next: one that a page may have already goes on before any other."""
        lasting = [entry for entry in self.waiting if self.page.stands(entry.alert.id)]
        return (
            min(lasting, key=lambda entry: self.overlays.free_at(entry.alert.id))
            if lasting
            else self.waiting.first()
        )

    def expire(self, now: float) -> None:
        for entry in self.waiting.expired(now):
            self.waiting.remove(entry)
            self.endings.give_up(entry, "expired", f"waited longer than {entry.alert.time_to_live:g} s")

    def drop_surplus(self) -> None:
        while len(self.waiting) > self.options.most_waiting:
            entry = self.waiting.least()
            self.waiting.remove(entry)
            self.endings.give_up(entry, "dropped", f"queue full: {self.options.most_waiting} others wait")

    # Growing

    def grow(self, target: Entry, entry: Entry, now: float) -> None:
        known = target.alert.viewers
        new = tuple(viewer for viewer in entry.alert.viewers if viewer not in known)
        # Nothing is to be seen of a viewer who did it once more.
        is_more = bool(new) or not entry.alert.viewers
        count = target.alert.count + (entry.alert.count if is_more else 0)
        title, message = self.rules.render(target.alert, count)
        self.endings.amend(
            target, count=count, viewers=(*known, *new)[:MAX_VIEWERS], title=title, message=message,
            grown_at=self.clock.time(),
        )  # fmt: skip
        target.grown = now
        stage = self.find_stage(target.alert.id)
        if stage is not None and is_more:
            stage.prolong(now)
            if self.overlays.amend(target.alert):
                stage.pushed_count = count
        entry.alert = replace(entry.alert, into=target.alert.id)
        self.endings.end(entry, "collapsed", "")

    # From waiting to the stage and back

    def join(self, entry: Entry) -> None:
        """A new alert waits, or shows at once beside the others."""
        if entry.alert.bypass and self.page.keeps_stack:
            # A newer item would hide what plays.
            self.wait(entry, is_next=True)
        elif entry.alert.bypass and self._may_show() and len(self.beside) < MOST_BESIDE:
            self.beside.append(Stage(entry))
            self._start(self.beside[-1])
            self.growing.add(entry)
        else:
            self.wait(entry)

    def wait(self, entry: Entry, *, is_next: bool = False) -> None:
        place = self.waiting.bypassing + 1
        self.waiting.add(entry)
        if is_next:
            for one in self.waiting.move(entry, place):
                self.record.changed[one.alert.id] = one.alert
        self.growing.add(entry)
        self.record.touch()

    def _start(self, stage: Stage) -> None:
        if self.options.has_target:
            self._push(stage)
        else:
            self.endings.amend(stage.entry, state="playing")
            stage.shown(self.now)

    def _push(self, stage: Stage) -> None:
        self.endings.amend(stage.entry, state="playing", tries=stage.entry.alert.tries + 1)
        stage.pushed(self.now)
        self.overlays.show(stage.entry.alert, beside=stage in self.beside)

    def _landed(self, id: str, tries: int | None, *, arrived: bool) -> Stage | None:
        """It is known what became of a push; the stage of the alert if it was the push under way there."""
        stage = self.find_stage(id)
        is_it = stage is not None and stage.phase == "sending" and tries in (None, stage.entry.alert.tries)
        if stage is not None and tries is None:
            tries = stage.entry.alert.tries
        self.page.land(id, tries, arrived=arrived)
        return stage if is_it else None

    def begin(self, stage: Stage, now: float) -> None:
        stage.shown(now)
        self.endings.amend(stage.entry, sent_at=self.clock.time())
        if not self.overlays.are_there:
            self.interrupt(stage, now)

    def interrupt(self, stage: Stage, now: float) -> None:
        """There is nowhere to show it any more."""
        if stage.is_past_half(now) or stage.entry.alert.tries >= MOST_TRIES:
            self._finish(stage, now, f"ended early: {self.overlays.message}")
        else:
            self._leave(stage)
            self.put_back(stage.entry)

    def _lose(self, stage: Stage, reason: str) -> None:
        self.page.land(stage.id, stage.entry.alert.tries, arrived=True)
        self._leave(stage)
        self._gap_until = self.now + UNCERTAIN_PAUSE
        self.doubt(stage.entry, reason)

    def doubt(self, entry: Entry, reason: str) -> None:
        if self.options.on_uncertain == "again" and entry.alert.tries < MOST_TRIES:
            self.put_back(entry, is_uncertain=True)
            return
        tries = "" if entry.alert.tries < 2 else f" {entry.alert.tries} times"
        self.endings.end(entry, "unconfirmed", f"sent{tries}, unknown whether it arrived: {reason}")

    def put_back(self, entry: Entry, *, is_uncertain: bool = False) -> None:
        """It waits again, in front of its priority, under the same id, and may do so for its whole time."""
        self.endings.amend(entry, **as_not_played(entry.alert))
        entry.back_at, entry.is_uncertain = self.now, is_uncertain
        if entry.alert.time_to_live is not None:
            entry.expires_at = self.now + entry.alert.time_to_live
        self.waiting.add_in_front(entry)
        self.record.changed[entry.alert.id] = entry.alert
        self.growing.add(entry)

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
        self.unstage(stage)
        return self.overlays.take_off(stage.id)

    def unstage(self, stage: Stage) -> None:
        """Takes it from the stage; the overlay may have it still."""
        self._leave(stage)
        self.withdraw(stage)

    def show_others_again(self) -> None:
        """Pushes what a Clear for all wiped off the overlay with the one that was meant."""
        if self.overlays.are_wiped:
            for stage in self.stages():
                if stage.phase != "retrying":
                    self.overlays.update(stage.entry.alert)
                    stage.updated(self.now)

    def withdraw(self, stage: Stage) -> bool:
        """Whether its push was still to be carried out, and now is not."""
        was_pushed = self.overlays.withdraw(stage.entry.alert)
        if was_pushed:
            self.endings.amend(stage.entry, tries=stage.entry.alert.tries - 1)
        return was_pushed

    # Ends

    def _finish(self, stage: Stage, now: float, early: str = "") -> None:
        self._leave(stage)
        self.endings.end_sent(stage.entry, early, stage.since)

    # Small things

    def stages(self) -> list[Stage]:
        return [*self.beside] if self.playing is None else [self.playing, *self.beside]

    def find_stage(self, id: str) -> Stage | None:
        return next((stage for stage in self.stages() if stage.id == id), None)

    def open_alerts(self) -> Iterator[Alert]:
        yield from (stage.entry.alert for stage in self.stages())
        yield from (entry.alert for entry in self.waiting)

    def is_open(self, id: str) -> bool:
        return self.find_stage(id) is not None or self.waiting.find(id) is not None

    def _may_show(self) -> bool:
        return self.overlays.are_there and not (
            self.stops.paused or self.stops.is_held(self.now) or self.unseen_words
        )


def as_not_played(alert: Alert) -> dict[str, Any]:
    return {
        "state": "waiting",
        "sent_at": None,
        "confirmed": False,
        "seen": alert.seen or alert.confirmed,
    }
