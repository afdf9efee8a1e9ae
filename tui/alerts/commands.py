"""What people ask of the alert queue: to stop, to take off, to bring back, to put in another order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Container

from msgspec.structs import replace

from tui.alerts.alert import MOST_TYPE, Alert, name_of, new_id
from tui.alerts.player import Player, as_not_played
from tui.alerts.stops import MOST_HELD_SECONDS, MOST_MUTED_MINUTES, MOST_MUTES
from tui.alerts.waiting import Entry
from tui.model.snapshot import CommandResult
from tui.text.fitted import fitted

MOST_UNDO = 20


class Commands:
    """What people move of a queue. No method raises; each settles all that follows.

    Args:
        random_source: draws the ids of what is shown once more.
    """

    def __init__(self, player: Player, random_source: random.Random) -> None:
        self._player = player
        self._clock = player.clock
        self._stops = player.stops
        self._waiting = player.waiting
        self._record = player.record
        self._random_source = random_source
        self.has_panicked = False
        """Somebody panicked in this run."""

        self._undo: deque[tuple[tuple[Entry, Alert], ...]] = deque(maxlen=MOST_UNDO)
        # What is renewed, until it is taken in.
        self._renewed: set[str] = set()

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    def pause(self) -> CommandResult:
        """Starts nothing more until it is resumed; what plays goes on to its end."""
        self._player.enter()
        if self._stops.paused:
            return self._done(False, "already paused")
        self._stops.pause()
        return self._done(
            True, "paused" if self._player.playing is None else "paused after the one that plays"
        )

    def resume(self) -> CommandResult:
        now = self._player.enter()
        stopped = self._stops.paused or self._stops.is_held(now)
        self._stops.resume()
        return self._done(True, "resumed") if stopped else self._done(False, "not paused")

    def hold(self, seconds: float) -> CommandResult:
        """A pause that ends by itself, after at most a day; another hold replaces it."""
        now = self._player.enter()
        if self._stops.paused:
            return self._done(False, "already paused")
        if not 0 < seconds <= MOST_HELD_SECONDS:
            return self._done(False, f"expected more than 0 and at most {MOST_HELD_SECONDS:g} seconds")
        self._stops.hold(now, self._clock.time(), seconds)
        return self._done(True, f"held for {seconds:g} s")

    def skip(self) -> CommandResult:
        self._player.enter()
        stage = self._player.playing
        if stage is None:
            return self._done(False, "nothing is playing")
        words = self._player.recall(stage)
        self._player.show_others_again()
        self._player.endings.end(stage.entry, "skipped", "")
        return self._done(True, f"skipped {name_of(stage.entry.alert)}{words}")

    def remove(self, id: str) -> CommandResult:
        self._player.enter()
        words = ""
        entry = self._waiting.find(id)
        stage = self._player.find_stage(id)
        if entry is not None:
            self._waiting.remove(entry)
            words = self._player.overlays.take_off(id)
        elif stage is not None:
            entry = stage.entry
            words = self._player.recall(stage)
        else:
            return self._done(False, "no such alert waits or plays")
        self._player.show_others_again()
        self._remove([entry])
        return self._done(True, f"removed {name_of(entry.alert)}{words}")

    def clear(self, type: str | None = None) -> CommandResult:
        """Removes all that wait, or all of one type."""
        self._player.enter()
        entries = [entry for entry in self._waiting if type is None or entry.alert.type == type]
        what = "" if type is None else f" {fitted(type, MOST_TYPE)}"
        if not entries:
            return self._done(False, f"no{what} alert waits")
        words = ""
        for entry in entries:
            self._waiting.remove(entry)
            words = self._player.overlays.take_off(entry.alert.id) or words
        self._player.show_others_again()
        self._remove(entries)
        return self._done(True, f"cleared {len(entries)} waiting{what}{words}")

    def undo(self) -> CommandResult:
        """Brings back what the last remove or clear took, each to its place; up to 20 steps back."""
        self._player.enter()
        if not self._undo:
            return self._done(False, "nothing to undo")
        removed = self._undo.pop()
        others = {entry.alert.id for entry in self._waiting}
        for entry, ended in removed:
            self._record.reopen(ended, entry.alert)
            self._player.page.keep(ended.id)
            if entry.alert.tries:
                # An overlay's word of it may still come.
                entry.back_at, entry.is_uncertain = self._player.now, False
            self._player.wait(entry)
        self._player.expire(self._player.now)
        self._player.drop_surplus()
        left = {entry.alert.id for entry in self._waiting}
        back = len(left - others)
        words = f"brought back {back}"
        if back < len(removed):
            words += f"; {len(removed) - back} no longer fit"
        if pushed_out := len(others - left):
            words += f"; dropped {pushed_out} other{'s' if pushed_out > 1 else ''} to make room"
        return self._done(True, words)

    def move(self, id: str, position: int) -> CommandResult:
        """Moves a waiting alert to ``position`` from 1. Among others of another priority it takes theirs."""
        self._player.enter()
        entry = self._waiting.find(id)
        if entry is None:
            return self._done(False, "no such alert waits")
        if not 1 <= position <= len(self._waiting):
            return self._done(False, f"expected a position from 1 to {len(self._waiting)}")
        before = entry.alert.priority
        for one in self._waiting.move(entry, position):
            self._record.changed[one.alert.id] = one.alert
            self._waiting.last_place = max(self._waiting.last_place, one.alert.place)
        after = entry.alert.priority
        words = "" if after == before else f"; its priority is now {after}, it was {before}"
        return self._done(True, f"moved {name_of(entry.alert)} to {position}{words}")

    def renew(self, alert: Alert) -> Alert | CommandResult:
        """A new alert like one of the history, to be stored and then given to :meth:`requeue`; or why not."""
        self._player.enter()
        if alert.state != "ended" or self._player.is_open(alert.id):
            return self._done(False, "it has not ended yet")
        if alert.outcome == "rejected":
            return self._done(False, "it could not be read, so there is nothing to show")
        if alert.id in self._renewed or any(
            one.requeued_from == alert.id for one in self._player.open_alerts()
        ):
            return self._done(False, "it waits or plays once more already")
        self._renewed.add(alert.id)
        # Undo would bring it back a second time.
        kept = (tuple(each for each in step if each[0].alert.id != alert.id) for step in self._undo)
        self._undo = deque(filter(None, kept), maxlen=MOST_UNDO)
        accepted_at = self._clock.time()
        return replace(
            alert, id=new_id(accepted_at, self._random_source), accepted_at=accepted_at, source_id=None,
            place=self._waiting.new_place(accepted_at), state="waiting", outcome=None, reason="",
            sent_at=None, confirmed=False, seen=False, ended_at=None, into=None, requeued_from=alert.id,
            tries=0, grown_at=None, collapse=0.0,
        )  # fmt: skip

    def requeue(self, again: Alert) -> CommandResult:
        """Takes in what :meth:`renew` made; mutes do not stop it, and nothing new makes it grow."""
        now = self._player.enter()
        if again.requeued_from is not None:
            self._renewed.discard(again.requeued_from)
        self._record.accept(again.id)
        self._player.join(Entry(again, now, now))
        self._player.drop_surplus()
        if not self._player.is_open(again.id):
            return self._done(True, f"the queue is full: {name_of(again)} was dropped again")
        return self._done(True, f"requeued {name_of(again)}")

    def mute(self, type: str, minutes: float) -> CommandResult:
        """Lets no alert of a type in for so long, at most a day; 0 ends it. Those that wait stay."""
        now = self._player.enter()
        type = fitted(type, MOST_TYPE)
        if minutes == 0:
            if not self._stops.unmute(type):
                return self._done(False, f"{type} is not muted")
            return self._done(True, f"{type} is no longer muted")
        if not type or not 0 < minutes <= MOST_MUTED_MINUTES:
            return self._done(False, f"expected a type and from 0 to {MOST_MUTED_MINUTES:g} minutes")
        if not self._stops.mute(type, now, self._clock.time(), minutes * 60):
            return self._done(False, f"{MOST_MUTES} types are muted already")
        return self._done(True, f"{type} is muted for {minutes:g} min")

    def panic(self) -> CommandResult:
        """Takes everything off the overlay, what waits to be shown there once more too, and pauses."""
        self._player.enter()
        for stage in self._player.stages():
            self._player.unstage(stage)
            self._player.endings.end(stage.entry, "removed", "panic")
        self.has_panicked = True
        self._stops.pause()
        ended, number = self.end_left()
        if not number:
            words = "nothing to take off"
        elif not self._player.overlays.can_take_off:
            words = f"{number} cannot be taken off the overlay, and will stay there until the end"
        elif self._player.overlays.are_there:
            words = f"asked to take {number} off"
        else:
            words = f"{number} to be taken off when the overlays are there again"
        return self._done(True, f"paused; {words}" + (f"; {ended} removed" if ended else ""))

    def end_left(self, of: Container[str] | None = None) -> tuple[int, int]:
        """Ends what waits to be shown once more, and takes off all that may stand there.

        Args:
            of: ids of an earlier run's, of which alone this is meant; None for all.

        Returns:
            How many ended of which nothing is there, and how many are to be taken off.
        """
        ended = 0
        for entry in [each for each in self._waiting if each.alert.tries]:
            if of is None or entry.alert.id in of:
                self._waiting.remove(entry)
                self._player.endings.end(entry, "removed", "panic")
                ended += not self._player.page.stands(entry.alert.id)
        on_stage = {stage.id for stage in self._player.stages()}
        left = [
            each
            for each in self._player.page.lasting()
            if each.id not in on_stage and (of is None or each.is_restored)
        ]
        for each in left:
            self._player.overlays.take_off(each.id, panic=True)
        return ended, len(left)

    # Small things

    def _remove(self, entries: list[Entry]) -> None:
        removed = []
        for entry in entries:
            ended = self._player.endings.end(entry, "removed", "")
            entry.alert = replace(entry.alert, **as_not_played(entry.alert))
            removed.append((entry, ended))
        self._undo.append(tuple(removed))

    def _done(self, ok: bool, message: str) -> CommandResult:
        self._record.touch()
        self._player.settle()
        return CommandResult(ok=ok, message=message)
