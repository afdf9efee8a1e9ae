"""A clock moved by hand, and a driver that does with a queue what the real one does, in memory."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from tui.alerts.alert import Alert
from tui.alerts.queue import AlertQueue
from tui.alerts.rules import DEFAULT, Rules
from tui.alerts.types import Order, QueueOptions, Show
from tui.model.alerts import AlertSummary
from tui.model.snapshot import CommandResult

EPOCH = 1_800_000_000.0


class MovedClock:
    """Both readings, moved by hand; the wall clock can also be set."""

    def __init__(self) -> None:
        self.passed = 1_000.0
        self.wall_offset = 0.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return EPOCH + self.passed + self.wall_offset


class Driver:
    """Stores what changed, then carries out the orders into ``orders``."""

    def __init__(self, rules: Rules = DEFAULT, *, there: bool = True, **options: Any) -> None:
        self.clock = MovedClock()
        window = options.pop("same_id_window", 600.0)
        kept = QueueOptions(**options)
        self.queue = AlertQueue(self.clock, random.Random(1), kept, rules=rules, same_id_window=window)
        self.queue.player.page.place = ("hub", "stream:overlays")
        self.rows: dict[str, Alert] = {}
        self.orders: list[Order] = []
        if there:
            self.queue.player.target(True)
        self.drain()

    def drain(self) -> list[Order]:
        for alert in self.queue.take_changed():
            self.rows[alert.id] = alert
        orders = self.queue.player.overlays.take_orders()
        self.orders += orders
        return orders

    def arrive(self, type: str, payload: Mapping[str, Any] | None = None, id: str | None = None) -> Alert:
        """An event of another viewer becomes an alert; its row as it was stored at first."""
        payload = payload or {"user_name": "mira", "user_id": len(self.rows)}
        alert = self.queue.judge_arrival(type, payload, source="hub", source_id=id)
        assert alert is not None
        self.rows[alert.id] = alert
        self.queue.admit(alert)
        self.drain()
        return alert

    def requeue(self, old: Alert) -> CommandResult:
        """One of the history once more."""
        again = self.queue.commands.renew(old)
        if isinstance(again, CommandResult):
            return again
        self.drain()
        self.rows[again.id] = again
        return self.queue.commands.requeue(again)

    def show(self) -> Alert:
        """The one pushed last is taken by the hub."""
        shown = [order.alert for order in self.orders if isinstance(order, Show)][-1]
        assert self.queue.player.delivered(shown.id)
        self.drain()
        return shown

    def until(self, moment: float) -> list[Order]:
        """Time passes; the queue is called exactly when it asked for it. Returns the orders on the way."""
        before = len(self.orders)
        while (due := self.queue.player.next_at()) is not None and due <= moment:
            self.clock.passed = max(due, self.clock.passed)
            self.queue.player.advance()
            self.drain()
            again = self.queue.player.next_at()
            assert again is None or again > self.clock.passed, "a deadline that has no effect"
        self.clock.passed = moment
        return self.orders[before:]

    def after(self, seconds: float) -> list[Order]:
        return self.until(self.clock.passed + seconds)

    def outcome(self, alert: Alert) -> str | None:
        return self.rows[alert.id].outcome

    def playing(self) -> AlertSummary:
        """The one that plays, which there is."""
        playing = self.queue.snapshot().playing
        assert playing is not None
        return playing

    def waiting(self) -> list[str]:
        return [alert.id for alert in self.queue.snapshot().waiting]
