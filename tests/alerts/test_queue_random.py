"""Any arrivals, commands, answers, losses, clock jumps and crashes: nothing lost, nothing twice."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from tests.alerts.driver import MovedClock
from tui.alerts.alert import Alert, decode, encode
from tui.alerts.queue import AlertQueue
from tui.alerts.types import Clear, PersistedOrders, QueueOptions, Show, Update

MOST = 4
TYPES = st.sampled_from(["a", "b", "c"])
PICK = st.integers(0, 10)


class QueueMachine(RuleBasedStateMachine):
    """Rows are what the store holds; whatever the queue has not handed over is gone with a crash."""

    @initialize(
        has_target=st.sampled_from([True, True, True, False]),
        clears=st.sampled_from(["one", "all", "nothing"]),
        on_uncertain=st.sampled_from(["again", "leave"]),
    )
    def start(self, **options: Any) -> None:
        self.clock = MovedClock()
        self.random_source = random.Random(7)
        self.options = options
        self.rows: dict[str, Alert] = {}
        self.old_rows: list[Alert] = []
        self.undone: set[str] = set()
        self.there = not options["has_target"]
        self.free_to_show: set[str] = set()
        """Alerts that may be pushed: never yet, or again for a reason."""
        self.in_flight: list[str] = []
        self.pushed_at: dict[str, float] = {}
        self.shown_at: dict[str, float] = {}
        self.lasting = PersistedOrders()
        self.on_page: dict[str, list[float]] = {}
        """When each push of an alert is over on a page that keeps its own time, and may have got a push at
        any moment until its answer, or until that was given up; infinite while it is under way."""
        self.ended: dict[str, str] = {}
        self.admitted = 0
        self.open_queue()
        self.target(True)

    def open_queue(self) -> None:
        self.queue = AlertQueue(self.clock, self.random_source, self.queue_options())
        self.there = not self.options["has_target"]
        self.admitted = sum(alert.state != "ended" for alert in self.rows.values())

    def queue_options(self) -> QueueOptions:
        return QueueOptions(most_waiting=MOST, **self.options)

    def commit(self) -> list[Show | Update | Clear]:
        changed = self.queue.take_changed()
        self.lasting = self.queue.lasting()
        assert len({alert.id for alert in changed}) == len(changed)
        for alert in changed:
            self.judge_change(alert)
            self.old_rows = [*self.old_rows[-20:], alert]
            self.rows[alert.id] = decode(encode(alert))
        return self.queue.player.overlays.take_orders()

    def judge_change(self, alert: Alert) -> None:
        before = self.ended.get(alert.id)
        if alert.state == "ended":
            assert alert.outcome is not None
            assert alert.ended_at is not None
            if before is not None:
                # What is brought back too late, or to a full queue, ends at once.
                came_back = alert.id in self.undone and before == "removed"
                late = before in ("unconfirmed", "failed") and alert.outcome == "shown"
                assert came_back or before == alert.outcome or late
                assert not (late and before == "failed") or alert.confirmed
            if alert.tries:
                assert alert.outcome not in ("expired", "dropped"), "the overlays may have shown it"
            if alert.seen or alert.confirmed:
                assert alert.outcome in ("shown", "skipped", "removed")
            self.ended[alert.id] = alert.outcome
        else:
            assert alert.outcome is None
            if before is not None:
                assert before == "removed"
                assert alert.id in self.undone
                del self.ended[alert.id]
                self.free_to_show.add(alert.id)

    def carry_out(self, orders: list[Show | Update | Clear]) -> None:
        now, wiped = self.clock.passed, False
        for order in orders:
            id = order.alert.id
            row = self.rows[id]
            assert self.options["has_target"]
            if isinstance(order, Show):
                assert row == order.alert, "playing is recorded before the push"
                assert row.state == "playing"
                assert self.there
                assert self.queue.snapshot().mode == "playing"
                assert id in self.free_to_show, "shown twice"
                self.free_to_show.discard(id)
                self.in_flight.append(id)
                self.shown_at[id] = now
                self.begin_on_page(id)
            if isinstance(order, Update):
                assert row.state == "playing"
                growth = self.queue.player.begin_update(id, order.alert.tries)
                if growth is not None:
                    self.queue.player.end_update(growth, arrived=True)
                    if id not in self.beside():
                        self.on_page.setdefault(id, []).append(now + growth.seconds)
                assert wiped or now >= self.pushed_at[id] + 1, "sooner than a second after the last push"
            if isinstance(order, Clear):
                assert self.options["clears"] != "nothing"
                wiped = self.options["clears"] == "all"
                assert row.state == "ended" or (row.state == "waiting" and row.tries), "never sent"
            else:
                self.pushed_at[id] = now

    def beside(self) -> set[str]:
        return {one.id for one in self.queue.snapshot().beside}

    def begin_on_page(self, id: str) -> None:
        if id not in self.beside():
            others = {other: max(ends) for other, ends in self.on_page.items() if other != id and ends}
            # An epoch second has seven digits behind the point.
            assert max(others.values(), default=0.0) <= self.clock.passed + 0.001, "two on the page"
            self.on_page.setdefault(id, []).append(math.inf)

    def end_on_page(self, id: str, *, arrived: bool) -> None:
        ends = self.on_page.get(id, [])
        if math.inf in ends:
            ends.remove(math.inf)
            if arrived:
                # Of what nobody told the end of within a minute, that was the end.
                ends.append(min(self.clock.passed, self.shown_at[id] + 60) + self.rows[id].duration)

    def drain(self) -> None:
        self.carry_out(self.commit())

    # What happens

    @rule(
        type=TYPES,
        priority=st.integers(1, 3),
        duration=st.sampled_from([1.0, 5.0]),
        time_to_live=st.sampled_from([None, None, 3.0, 20.0]),
        bypass=st.booleans(),
        collapse=st.sampled_from([0.0, 0.0, 10.0]),
        reaches=st.sampled_from(["queue", "queue", "queue", "store"]),
    )
    def arrive(self, type: str, reaches: str, **fields: Any) -> None:
        alert = self.queue.judge_arrival(type, {"user_name": "mira"}, source="hub")
        assert alert is not None
        alert = replace(alert, **fields)
        self.rows[alert.id] = alert
        self.free_to_show.add(alert.id)
        if reaches == "store":
            self.crash()
            return
        self.queue.admit(alert)
        self.admitted += 1
        self.drain()
        self.queue.admit(alert)  # what is told twice counts once

    @rule(seconds=st.sampled_from([0.1, 0.25, 0.6, 1.0, 2.5, 5.0, 70.0]), misses=st.booleans())
    def pass_time(self, seconds: float, misses: bool) -> None:
        end = self.clock.passed + seconds
        turns = 0
        while not misses and (due := self.queue.player.next_at()) is not None and due <= end:
            self.clock.passed = max(due, self.clock.passed)
            self.advance()
            turns += 1
            assert turns < 500
        self.clock.passed = end
        self.advance()

    def advance(self) -> None:
        flying = set(self.in_flight)
        self.queue.player.advance()
        orders = self.commit()
        for id in flying:
            # Nobody told the end of its push within a minute.
            if self.clock.passed - self.shown_at[id] >= 60:
                self.land(id)
        self.carry_out(orders)
        again = self.queue.player.next_at()
        assert again is None or again > self.clock.passed, "a deadline that has no effect"
        self.queue.player.advance()
        assert not self.queue.take_changed()
        assert not self.queue.player.overlays.take_orders()

    @rule(seconds=st.sampled_from([-86_400.0, -5.0, 5.0, 86_400.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        self.clock.wall_offset += seconds
        self.advance()

    @rule(there=st.sampled_from([True, True, False]))
    def target(self, there: bool) -> None:
        if self.options["has_target"]:
            self.there = there
        self.queue.player.target(there, "" if there else "takeover")
        orders = self.commit()
        if not there:
            # What is answered may be offered again; what is under way still has to land.
            self.free_to_show |= {
                id for id, row in self.rows.items() if row.state == "waiting" and id not in self.in_flight
            }
        self.carry_out(orders)

    @rule(seen=st.sampled_from([True, True, False]))
    def watched(self, seen: bool) -> None:
        if self.options["has_target"]:
            self.queue.player.watched("" if seen else "no page")
            assert seen or self.queue.snapshot().mode in ("waiting for overlays", "paused", "held")
            self.drain()

    @rule(seconds=st.sampled_from([0.3, 1.5]))
    def all_goes_well(self, seconds: float) -> None:
        self.target(True)
        self.watched(True)
        self.command("resume", "a")
        while self.in_flight:
            self.answer(0, "ok")
        self.pass_time(seconds, False)
        while self.in_flight:
            self.answer(0, "ok")

    @rule(has_target=st.booleans())
    def reload(self, has_target: bool) -> None:
        """Other settings: with a delivery or without."""
        if has_target == self.options["has_target"]:
            return
        self.options["has_target"] = has_target
        self.there = not has_target
        self.queue.player.watched("")
        self.queue.player.target(False, "other settings")
        self.queue.player.configure(self.queue_options())
        orders = self.commit()
        self.give_up_all()
        self.free_to_show |= {id for id, row in self.rows.items() if row.state != "ended"}
        self.carry_out(orders)

    def give_up_all(self) -> None:
        for id in self.in_flight:
            self.end_on_page(id, arrived=True)
        self.in_flight = []

    def land(self, id: str) -> None:
        self.in_flight.remove(id)
        self.end_on_page(id, arrived=True)
        self.free_to_show.add(id)

    @rule(pick=PICK, answer=st.sampled_from(["ok", "ok", "refused", "uncertain", "confirmed"]))
    def answer(self, pick: int, answer: str) -> None:
        if not self.in_flight:
            return
        id = self.in_flight[pick % len(self.in_flight)]
        self.in_flight.remove(id)
        self.end_on_page(id, arrived=answer != "refused")
        if answer == "refused":
            self.queue.player.refused(id, "no")
        elif answer == "uncertain":
            self.queue.player.uncertain(id, "cut")
        else:
            (self.queue.confirmations.confirm if answer == "confirmed" else self.queue.player.delivered)(id)
        if answer in ("refused", "uncertain") or not self.there:
            self.free_to_show.add(id)
        self.drain()

    @rule(pick=PICK)
    def hub_takes_off(self, pick: int) -> None:
        """The hub did what it was asked."""
        asked = self.queue.player.page.to_take_off()
        if asked:
            entry = asked[pick % len(asked)]
            self.on_page.pop(entry.id, None)
            self.queue.player.taken_off(entry)
            self.drain()

    @rule(pick=PICK)
    def confirm(self, pick: int) -> None:
        ids = [id for id in self.pushed_at if id not in self.in_flight]
        if ids:
            self.queue.confirmations.confirm(ids[-1 - pick % len(ids)])
            self.drain()

    @rule(ago=st.sampled_from([0.0, 0.5, 3.0]))
    def report(self, ago: float) -> None:
        self.queue.confirmations.overlays_connected(since=self.clock.passed - ago)
        self.drain()

    @rule(
        command=st.sampled_from(["pause", "resume", "hold", "skip", "skip", "panic", "clear", "mute"]),
        type=TYPES,
    )
    def command(self, command: str, type: str) -> None:
        queue = self.queue
        arguments: dict[str, list[Any]] = {"hold": [3.0], "clear": [type], "mute": [type, 0.1]}
        done = getattr(queue.commands, command)(*arguments.get(command, []))
        assert done.message
        if command == "skip" and done.ok:
            assert self.queue.player.record.recent()[0].outcome == "skipped"
        self.drain()

    @rule(pick=PICK, position=st.integers(1, MOST), what=st.sampled_from(["remove", "move", "requeue"]))
    def command_on_one(self, pick: int, position: int, what: str) -> None:
        view = self.queue.snapshot()
        if what == "requeue":
            if recent := self.queue.player.record.recent():
                again = self.queue.commands.renew(recent[pick % len(recent)])
                if isinstance(again, Alert):
                    self.drain()
                    self.rows[again.id] = again
                    self.free_to_show.add(again.id)
                    self.admitted += 1
                    assert self.queue.commands.requeue(again).ok
        elif what == "move" and view.waiting:
            id = view.waiting[pick % len(view.waiting)].id
            if self.queue.commands.move(id, position).ok:
                assert self.queue.snapshot().waiting[position - 1].id == id
        elif what == "remove":
            ids = [alert.id for alert in view.waiting] + ([view.playing.id] if view.playing else [])
            if ids:
                assert self.queue.commands.remove(ids[pick % len(ids)]).ok
        self.drain()

    @rule()
    def undo(self) -> None:
        self.undone |= {id for id, outcome in self.ended.items() if outcome == "removed"}
        self.queue.commands.undo()
        self.drain()

    @rule(
        when=st.sampled_from(["idle", "before the commit", "before the orders"]),
        there=st.sampled_from([True, True, False]),
    )
    def crash(self, when: str = "idle", there: bool = False) -> None:
        if when != "idle":
            self.queue.player.target(True)
            self.queue.commands.resume()
            if when == "before the orders":
                self.commit()
        self.give_up_all()
        standing = self.lasting
        self.open_queue()
        self.free_to_show |= {id for id, row in self.rows.items() if row.state != "ended"}
        if there:
            self.target(True)
        self.queue.restore_lasting(standing)
        self.queue.restore(self.rows.values())
        self.drain()

    @rule()
    def the_store_answers_late(self) -> None:
        before = self.queue.snapshot()
        self.queue.restore(alert for alert in self.old_rows if alert.id in self.known())
        assert self.queue.snapshot() == before

    def known(self) -> set[str]:
        player = self.queue.player
        return {alert.id for alert in (*player.open_alerts(), *player.record.recent())}

    # What always holds

    @invariant()
    def nothing_is_lost_and_the_store_knows_it_all(self) -> None:
        view = self.queue.snapshot()
        held = {alert.id: alert for alert in self.queue.player.open_alerts()}
        assert held == {id: row for id, row in self.rows.items() if row.state != "ended"}
        assert all(alert.state == "waiting" for alert in view.waiting)
        assert all(one.state == "playing" for one in (*view.beside, view.playing) if one is not None)
        ended = self.ended_here()
        assert view.accepted + view.restored == len(held) + ended == self.admitted

    @invariant()
    def no_page_has_an_alert_longer_than_the_queue_thinks(self) -> None:
        for id, ends in self.on_page.items():
            until = max(ends, default=0.0)
            if self.clock.passed + 0.001 < until < math.inf:
                entry = self.queue.player.page.find(id)
                assert entry is not None
                assert entry.until >= until - 0.001

    @invariant()
    def order_and_bounds_are_kept(self) -> None:
        view = self.queue.snapshot()
        order = [
            (-each.alert.priority, each.alert.place, each.alert.id) for each in self.queue.player.waiting
        ]
        assert order == sorted(order)
        assert len(view.waiting) <= MOST
        assert len(view.beside) <= 5

    @invariant()
    def there_is_always_a_next_time(self) -> None:
        due = self.queue.player.next_at()
        assert due is None or due > self.clock.passed
        assert due is not None or all(one.phase == "retrying" for one in self.queue.player.stages())

    def teardown(self) -> None:
        """Let go on, everything comes to its end."""
        if not hasattr(self, "queue"):
            return
        self.target(True)
        self.watched(True)
        self.command("resume", "a")
        for _ in range(200):
            while self.in_flight:
                self.answer(0, "ok")
            due = self.queue.player.next_at()
            if due is None:
                break
            self.clock.passed = max(due, self.clock.passed)
            self.advance()
        view = self.queue.snapshot()
        assert view.mode == "idle"
        assert view.accepted + view.restored == self.ended_here()

    def ended_here(self) -> int:
        return sum(sum(outcomes.values()) for outcomes in self.queue.snapshot().counts.values())


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(
    derandomize=True, database=None, deadline=None, max_examples=60, stateful_step_count=40
)


def walk(seed: int, steps: int) -> Counter[str]:
    """A long evening by weighted chance; what became of its alerts."""
    random_source = random.Random(seed)
    pick, moves = random_source.randrange, QueueMachine()
    moves.start(
        has_target=seed % 4 > 0,
        clears=["one", "all", "nothing"][seed % 3],
        on_uncertain=random_source.choice(["again", "leave"]),
    )

    def arrive() -> None:
        moves.arrive(
            type=random_source.choice("abc"),
            reaches="store" if pick(20) == 0 else "queue",
            priority=1 + pick(3),
            duration=random_source.choice([1.0, 5.0]),
            time_to_live=random_source.choice([None, None, 3.0, 20.0]),
            bypass=pick(4) == 0,
            collapse=random_source.choice([0.0, 0.0, 10.0]),
        )

    def burst() -> None:
        for _ in range(pick(12)):
            arrive()

    answers = ["ok", "ok", "refused", "refused", "uncertain", "confirmed"]
    commands = ["pause", "resume", "resume", "hold", "skip", "skip", "panic", "clear", "mute"]
    choices: list[tuple[int, Callable[[], None]]] = [
        (20, arrive),
        (2, burst),
        (25, lambda: moves.pass_time(random_source.choice([0.1, 0.25, 0.6, 1.0, 2.5, 5.0]), pick(3) == 0)),
        (1, lambda: moves.pass_time(70.0, pick(2) == 0)),
        (1, lambda: moves.set_the_wall_clock(random_source.choice([-86_400.0, -5.0, 5.0, 86_400.0]))),
        (6, lambda: moves.target(pick(3) > 0)),
        (3, lambda: moves.watched(pick(3) > 0)),
        (6, lambda: moves.all_goes_well(0.3)),
        (25, lambda: moves.answer(pick(10), random_source.choice(answers))),
        (5, lambda: moves.confirm(pick(10))),
        (5, lambda: moves.hub_takes_off(pick(10))),
        (5, lambda: moves.report(random_source.choice([0.0, 0.5, 3.0]))),
        (6, lambda: moves.command(random_source.choice(commands), random_source.choice("abc"))),
        (
            10,
            lambda: moves.command_on_one(
                pick(10), 1 + pick(MOST), random_source.choice(["remove", "move", "move", "requeue"])
            ),
        ),
        (3, moves.undo),
        (
            2,
            lambda: moves.crash(
                random_source.choice(["idle", "before the commit", "before the orders"]), True
            ),
        ),
        (2, moves.the_store_answers_late),
        (1, lambda: moves.reload(pick(3) > 0)),
    ]
    weights = [weight for weight, _ in choices]
    for _ in range(steps):
        random_source.choices(choices, weights)[0][1]()
        moves.nothing_is_lost_and_the_store_knows_it_all()
        moves.order_and_bounds_are_kept()
        moves.there_is_always_a_next_time()
        moves.no_page_has_an_alert_longer_than_the_queue_thinks()
    moves.teardown()
    return Counter(moves.ended.values())


def test_long_evenings_come_to_their_end() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(200):
        outcomes += walk(seed, 200)
    met = set(outcomes)
    assert met == {
        "shown", "unconfirmed", "skipped", "removed", "expired", "dropped", "muted", "collapsed", "failed",
    }  # fmt: skip
