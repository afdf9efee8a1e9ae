"""What overlays say that they show, of themselves or by a hub's report: what plays is confirmed by it."""

from __future__ import annotations

import math

from tui.alerts.endings import LATE_CONFIRMATION
from tui.alerts.player import Player
from tui.alerts.stage import Stage
from tui.alerts.waiting import Entry


class Confirmations:
    """Told by the driver, as the player is of pushes."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def confirm(self, id: str) -> bool:
        """An overlay acknowledged it. Counts until 10 s after its end; False when it changed nothing."""
        now = self._player.enter()
        found = True
        stage = self._player.find_stage(id)
        entry = self._player.waiting.find(id)
        if stage is None or stage.phase != "on air":
            self._player.page.acknowledge(id)
        if stage is not None:
            self._confirm(stage)
            if stage.phase != "on air":
                # Whatever became of the hub's answer: it is on the overlay.
                self._player.withdraw(stage)
                self._player.begin(stage, now)
        elif entry is not None and entry.back_at + LATE_CONFIRMATION > now:
            self._confirm_waiting(entry, now)
        else:
            found = self._player.endings.confirm(lambda alert, _since, _ended: alert.id == id)
        self._player.settle()
        return found

    def _confirm_waiting(self, entry: Entry, now: float) -> None:
        """An overlay acknowledged one that has come back from the stage just now."""
        if not entry.is_uncertain:
            self._player.endings.amend(entry, seen=True)
            return
        self._player.waiting.remove(entry)
        self._player.endings.amend(entry, confirmed=True)
        if self._player.playing is None and self._player.overlays.are_there:
            # It is on the overlay, without another push.
            stage = self._player.playing = Stage(entry)
            stage.found(now)
            self._player.endings.amend(entry, state="playing")
            self._player.begin(stage, now)
        else:
            self._player.endings.end(entry, "shown", "confirmed after the connection was lost")

    def overlays_connected(self, since: float = -math.inf) -> bool:
        """A hub report that came just now names an overlay as connected, as all did ``since`` then.

        Confirms whatever began to be on the air in that time and is so now: an overlay that came later may
        know nothing of it. True when that is news.
        """
        now = self._player.enter()
        found = False
        if self._player.options.has_target:
            for stage in self._player.stages():
                is_new = stage.phase == "on air" and not stage.entry.alert.confirmed
                if is_new and stage.since >= since:
                    self._confirm(stage)
                    found = True
            found |= self._player.endings.confirm(lambda _alert, begun, ended: since <= begun <= now <= ended)
        self._player.settle()
        return found

    def _confirm(self, stage: Stage) -> None:
        if not stage.entry.alert.confirmed:
            self._player.endings.amend(stage.entry, confirmed=True)
