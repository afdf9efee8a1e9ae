"""What people ask of the alert queue: to stop, to take off, to bring back, to put in another order."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Container, Iterator

from msgspec.structs import replace

from tui.alerts.alert import MOST_TYPE, Alert, fitted, new_id
from tui.alerts.playback import Playback, as_not_played
from tui.alerts.rules import Rules
from tui.alerts.view import Done, Lasting, QueueOptions, Standing
from tui.alerts.waiting import Entry
from tui.channels.clock import Clock

MOST_UNDO = 20
MOST_MUTES = 100
MOST_MUTED_MINUTES = 1440.0
MOST_HELD_SECONDS = 86_400.0


class Commands(Playback):
    """The part of :class:`tui.alerts.queue.AlertQueue` that people move; see there."""

    def __init__(self, clock: Clock, chance: random.Random, options: QueueOptions, rules: Rules) -> None:
        super().__init__(clock, options, rules)
        self._chance = chance
        self._last_place = 0.0
        self._undo: deque[tuple[tuple[Entry, Alert], ...]] = deque(maxlen=MOST_UNDO)
        # What is renewed, until it is taken in.
        self._renewed: set[str] = set()
        # What was ordered here before it was known what an earlier run was ordered.
        self._was_resumed = False
        self._has_panicked = False
        self._unmuted: set[str] = set()

    def pause(self) -> Done:
        """Starts nothing more until it is resumed; what plays goes on to its end."""
        self._enter()
        if self._paused:
            return self._done(False, "already paused")
        self._paused = True
        self._held_until = -math.inf
        return self._done(True, "paused" if self._playing is None else "paused after the one that plays")

    def resume(self) -> Done:
        """Ends a pause or a hold."""
        self._enter()
        self._was_resumed = True
        if not self._paused and not self._is_held():
            return self._done(False, "not paused")
        self._paused = False
        self._held_until = -math.inf
        return self._done(True, "resumed")

    def hold(self, seconds: float) -> Done:
        """A pause that ends by itself, after at most a day; another hold replaces it."""
        now = self._enter()
        if self._paused:
            return self._done(False, "already paused")
        if not 0 < seconds <= MOST_HELD_SECONDS:
            return self._done(False, f"expected more than 0 and at most {MOST_HELD_SECONDS:g} seconds")
        self._held_until = now + seconds
        self._held = Lasting(self._clock.time() + seconds, seconds)
        return self._done(True, f"held for {seconds:g} s")

    def skip(self) -> Done:
        """Ends what plays."""
        self._enter()
        stage = self._playing
        if stage is None:
            return self._done(False, "nothing is playing")
        words = self._recall(stage)
        self._show_others_again()
        self._end(stage.entry, "skipped", "")
        return self._done(True, f"skipped {_named(stage.entry.alert)}{words}", stage.id)

    def remove(self, id: str) -> Done:
        """Removes one alert, waiting or playing."""
        self._enter()
        words = ""
        entry = self._waiting.find(id)
        stage = self._find_stage(id)
        if entry is not None:
            self._waiting.remove(entry)
            words = self._clear_left(entry)
        elif stage is not None:
            entry = stage.entry
            words = self._recall(stage)
        else:
            return self._done(False, "no such alert waits or plays")
        self._show_others_again()
        self._remove([entry])
        return self._done(True, f"removed {_named(entry.alert)}{words}", id)

    def clear(self, type: str | None = None) -> Done:
        """Removes all that wait, or all of one type."""
        self._enter()
        entries = [entry for entry in self._waiting if type is None or entry.alert.type == type]
        what = "" if type is None else f" {fitted(type, MOST_TYPE)}"
        if not entries:
            return self._done(False, f"no{what} alert waits")
        words = ""
        for entry in entries:
            self._waiting.remove(entry)
            words = self._clear_left(entry) or words
        self._show_others_again()
        self._remove(entries)
        return self._done(True, f"cleared {len(entries)} waiting{what}{words}")

    def undo(self) -> Done:
        """Brings back what the last remove or clear took, each to its place; up to 20 steps back."""
        self._enter()
        if not self._undo:
            return self._done(False, "nothing to undo")
        removed = self._undo.pop()
        others = {entry.alert.id for entry in self._waiting}
        for entry, ended in removed:
            self._record.reopen(ended, entry.alert)
            self._standing.forget(ended.id)
            if entry.alert.tries:
                # An overlay's word of it may still come.
                entry.back_at, entry.is_uncertain = self._now, False
            self._wait(entry)
        self._expire(self._now)
        self._drop_surplus()
        left = {entry.alert.id for entry in self._waiting}
        back = len(left - others)
        words = f"brought back {back}"
        if back < len(removed):
            words += f"; {len(removed) - back} no longer fit"
        if pushed_out := len(others - left):
            words += f"; dropped {pushed_out} other{'s' if pushed_out > 1 else ''} to make room"
        return self._done(True, words)

    def move(self, id: str, position: int) -> Done:
        """Moves a waiting alert to ``position`` from 1. Among others of another priority it takes theirs."""
        self._enter()
        entry = self._waiting.find(id)
        if entry is None:
            return self._done(False, "no such alert waits")
        if not 1 <= position <= len(self._waiting):
            return self._done(False, f"expected a position from 1 to {len(self._waiting)}")
        before = entry.alert.priority
        for one in self._waiting.move(entry, position):
            self._record.changed[one.alert.id] = one.alert
            self._last_place = max(self._last_place, one.alert.place)
        after = entry.alert.priority
        words = "" if after == before else f"; its priority is now {after}, it was {before}"
        return self._done(True, f"moved {_named(entry.alert)} to {position}{words}", id)

    def renew(self, alert: Alert) -> Alert | Done:
        """A new alert like one of the history, to be stored and then given to :meth:`requeue`; or why not."""
        self._enter()
        if alert.state != "ended" or self._is_open(alert.id):
            return self._done(False, "it has not ended yet")
        if alert.outcome == "rejected":
            return self._done(False, "it could not be read, so there is nothing to show")
        if alert.id in self._renewed or any(one.requeued_from == alert.id for one in self._open()):
            return self._done(False, "it waits or plays once more already")
        self._renewed.add(alert.id)
        # Undo would bring it back a second time.
        kept = (tuple(each for each in step if each[0].alert.id != alert.id) for step in self._undo)
        self._undo = deque(filter(None, kept), maxlen=MOST_UNDO)
        accepted_at = self._clock.time()
        return replace(
            alert, id=new_id(accepted_at, self._chance), accepted_at=accepted_at, source_id=None,
            place=self._next_place(accepted_at), state="waiting", outcome=None, reason="", sent_at=None,
            confirmed=False, seen=False, ended_at=None, into=None, requeued_from=alert.id, tries=0,
            grown_at=None, collapse=0.0, items=(),
        )  # fmt: skip

    def requeue(self, again: Alert) -> Done:
        """Takes in what :meth:`renew` made; mutes do not stop it, and nothing new makes it grow."""
        now = self._enter()
        if again.requeued_from is not None:
            self._renewed.discard(again.requeued_from)
        self._record.accept(again.id)
        self._join(Entry(again, now, now))
        self._drop_surplus()
        if not self._is_open(again.id):
            return self._done(True, f"the queue is full: {_named(again)} was dropped again", again.id)
        return self._done(True, f"requeued {_named(again)}", again.id)

    def mute(self, type: str, minutes: float) -> Done:
        """Lets no alert of a type in for so long, at most a day; 0 ends it. Those that wait stay."""
        now = self._enter()
        type = fitted(type, MOST_TYPE)
        if minutes == 0:
            if len(self._unmuted) < MOST_MUTES:
                self._unmuted.add(type)
            if self._mutes.pop(type, None) is None:
                return self._done(False, f"{type} is not muted")
            return self._done(True, f"{type} is no longer muted")
        if not type or not 0 < minutes <= MOST_MUTED_MINUTES:
            return self._done(False, f"expected a type and from 0 to {MOST_MUTED_MINUTES:g} minutes")
        if type not in self._mutes and len(self._mutes) >= MOST_MUTES:
            return self._done(False, f"{MOST_MUTES} types are muted already")
        self._mutes[type] = (now + minutes * 60, Lasting(self._clock.time() + minutes * 60, minutes * 60))
        return self._done(True, f"{type} is muted for {minutes:g} min")

    def panic(self) -> Done:
        """Takes everything off the overlay, what waits to be shown there once more too, and pauses."""
        self._enter()
        stages = self._stages()
        words = ""
        for stage in stages:
            words = self._recall(stage) or words
            self._end(stage.entry, "removed", "panic")
        left, words_of_left = self._end_left()
        self._paused = self._has_panicked = True
        self._held_until = -math.inf
        count = len(stages) + left
        if not count:
            return self._done(True, "paused; nothing played")
        words = words or words_of_left
        return self._done(True, f"paused; {count} {'ended' if words else 'taken off'}{words}")

    def _end_left(self, of: Container[str] | None = None) -> tuple[int, str]:
        """Ends what waits to be shown once more, and takes off what may stand there; how many, and words.

        Args:
            of: alerts' ids; None for all.
        """
        words = ""
        waiting = [
            entry for entry in self._waiting if entry.alert.tries and (of is None or entry.alert.id in of)
        ]
        for entry in waiting:
            self._waiting.remove(entry)
            words = self._clear_left(entry) or words
            self._end(entry, "removed", "panic")
        ended = self._standing.take(self._now)
        for alert in ended:
            words = self._take_off(alert) or words
        return len(waiting) + len(ended), words

    def standing(self) -> Standing:
        """What was ordered and lasts."""
        return Standing(
            paused=self._paused,
            held=self._held if self._is_held() else None,
            mutes={type: mute for type, (_, mute) in self._mutes.items()},
        )

    # Small things

    def _remove(self, entries: list[Entry]) -> None:
        removed = []
        for entry in entries:
            ended = self._end(entry, "removed", "")
            entry.alert = replace(entry.alert, **as_not_played(entry.alert))
            removed.append((entry, ended))
        self._undo.append(tuple(removed))

    def _open(self) -> Iterator[Alert]:
        yield from (stage.entry.alert for stage in self._stages())
        yield from (entry.alert for entry in self._waiting)

    def _next_place(self, epoch: float) -> float:
        # By the epoch, so that alerts of an earlier run that the store brings late stand in front; never
        # back, whatever the clock is set to.
        self._last_place = max(epoch, self._last_place + 1 / 64)
        return self._last_place

    def _done(self, ok: bool, message: str, id: str | None = None) -> Done:
        self._view = None
        self._settle()
        return Done(ok, message, id)


def _named(alert: Alert) -> str:
    return f"{alert.type} of {alert.who}" if alert.who else alert.type
