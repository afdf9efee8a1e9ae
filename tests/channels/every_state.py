"""Every state that a connection's life can be in, at small numbers, and all that can happen in each of them:
``python -m tests.channels.every_state``.

States that differ only in when they are, and in what is counted without end, are one.
"""

from __future__ import annotations

import copy
import dataclasses
import random
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from tui.channels.errors import OpenError
from tui.channels.health import StateChange
from tui.channels.lifecycle import Lifecycle, Phase
from tui.channels.options import Options

SMALL = Options(
    max_reconnect_attempts=4,
    reconnect_base_delay=1.0,
    reconnect_max_delay=2.0,
    heartbeat_interval=4.0,
    heartbeat_timeout=2.0,
    circuit_breaker_threshold=2,
    circuit_breaker_timeout=5.0,
    stable_after=3.0,
    open_timeout=3.0,
    revive_after=6.0,
)
ALLOWANCE = 3.0
"""Seconds that a join may hold up an answer."""
LATE = 20.0
WELL = 30.0
"""Seconds within which a server that is well again must have its client."""
_PAST = -10.0
"""Seconds; what is as long ago, longer than any of the numbers, is as good as never."""


class Now:
    """The clock of all of them."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return self.at


class Chance(random.Random):
    """Draws the least, or the most."""

    draws_most = True
    was_asked = False

    def uniform(self, a: float, b: float) -> float:
        self.was_asked = True
        return b if self.draws_most else a


class LifecycleCallbacks:
    """What there is of a connection, as those see it who carry it out."""

    def __init__(self, now: Now, find: Callable[[str], None]) -> None:
        self.now = now
        self.find = find
        self.opened_at = 0.0
        """Or when it was looked at again, after nobody had looked for too long."""
        self.is_opening = self.is_open = self.is_greeted = False
        self.refs: tuple[str, ...] = ()
        """Of the heartbeats of this connection, the latest last."""
        self.begun = 0
        """Attempts of this step."""
        self.changes: list[StateChange] = []

    def begin_opening(self) -> None:
        if self.is_opening or self.is_open:
            self.find("two connections: one is begun while another is there")
        self.is_opening = True
        self.begun += 1

    def end_connection(self, words: str, *, graceful: bool) -> None:
        self.is_opening = self.is_open = self.is_greeted = False
        self.refs = ()

    def gave_up_opening(self, limit: float) -> OpenError:
        return OpenError("no answer")

    def send_heartbeat(self) -> str:
        if not self.is_open:
            self.find("a heartbeat is sent where no connection is open")
        ref = f"{int(self.refs[-1]) + 1}" if self.refs else "1"
        self.refs = (*self.refs, ref)[-2:]
        return ref

    def connection_opened(self) -> None:
        if not self.refs:
            self.find("joins may follow before a heartbeat was sent")
        self.is_greeted = True
        self.opened_at = self.now.at

    def state_changed(self, change: StateChange) -> None:
        self.changes.append(change)

    def became_stable(self) -> None:
        pass


class Act(NamedTuple):
    """Something that happens, so many seconds after what was before."""

    name: str
    report: Callable[[Lifecycle, LifecycleCallbacks], object] | None = None
    wait: float = 0.0
    heard: bool = False
    late: bool = False
    allowance: float = 0.0
    orders: tuple[str, ...] = ()
    """What a person asks for, of this."""

    def __str__(self) -> str:
        given = {"heard": self.heard, "late": self.late, "a join waits": self.allowance}
        return " ".join(
            [self.name, f"after {self.wait:g} s", *(word for word, is_so in given.items() if is_so)]
        )


class State:
    """A life, its connection, and how it was come to."""

    def __init__(
        self,
        life: Lifecycle,
        callbacks: LifecycleCallbacks,
        at: float,
        due: float | None,
        before: State | None,
        act: Act | None,
    ) -> None:
        self.life = life
        self.callbacks = callbacks
        self.at = at
        self.due = due
        """When it asked to be asked again."""
        self.before = before
        self.act = act

    @property
    def is_chosen(self) -> bool:
        """It waits for a person, as one wanted it: stopped, or never to be revived."""
        return self.life.phase is Phase.IDLE or (
            self.life.phase is Phase.GAVE_UP and self.life.next_try is None
        )

    def path(self) -> Iterator[str]:
        """What happened up to here."""
        if self.before is not None:
            yield from self.before.path()
        if self.act is not None:
            yield f"{self.act} -> {self.life.phase.name}"


class Visit:
    """All states, from the first one on.

    Args:
        options: small numbers, or there is no end.
        most: findings, after which it ends.
    """

    def __init__(self, options: Options, most: int = 1) -> None:
        self.options = options
        self.now = Now()
        self.random_source = Chance()
        self.findings: list[str] = []
        self.steps = 0
        self._most = most
        self._at: State | None = None
        self._act: Act | None = None
        self.states: dict[Hashable, State] = {}

    def run(self) -> None:
        """Visit them."""
        callbacks = LifecycleCallbacks(self.now, self.find)
        life = Lifecycle(self.options, self.now, self.random_source, callbacks)
        first = State(life, callbacks, 0.0, None, None, None)
        self.states[self.key(first)] = first
        waiting = deque([first])
        while waiting and len(self.findings) < self._most:
            state = waiting.popleft()
            for act in list(self.acts(state)):
                for draws_most in (True, False):
                    self.random_source.draws_most, self.random_source.was_asked = draws_most, False
                    new = self.follow(state, act)
                    key = self.key(new)
                    if key not in self.states:
                        self.states[key] = new
                        waiting.append(new)
                    if not self.random_source.was_asked:
                        break
            self.come_back(state)

    def find(self, words: str) -> None:
        """Something is not as it must be."""
        path = [] if self._at is None else list(self._at.path())
        self.findings.append(f"{words}, by: {'; '.join([*path, str(self._act)])}")

    # What happens

    def acts(self, state: State) -> Iterator[Act]:
        """All that can happen in a state: at once, or just as it would have acted by itself."""
        callbacks = state.callbacks
        rest = None if state.due is None else state.due - state.at
        for heard in (False, True) if callbacks.is_open else (False,):
            for allowance in (0.0, ALLOWANCE) if callbacks.is_open else (0.0,):
                if rest is not None:
                    yield Act("tick", wait=rest, heard=heard, allowance=allowance)
                    yield Act("early tick", wait=min(1.0, rest), heard=heard, allowance=allowance)
                yield Act("late tick", wait=LATE, heard=heard, late=True, allowance=allowance)
        for wait in {0.0, rest or 0.0}:
            for verbs in (("connect",), ("reconnect",), ("disconnect",), ("disconnect", "connect")):
                yield Act(" and ".join(verbs), _ordering(verbs), wait, orders=verbs)
            yield Act("another is stable", lambda life, _: life.wake_early(), wait)
            if callbacks.is_opening:
                yield Act("opened", _opened, wait)
                yield Act("opened and lost", _opened_and_lost, wait)
                yield Act("not opened", _failing(OpenError("refused")), wait)
                yield Act("refused", _failing(OpenError("403", refusal=True)), wait)
                yield Act("told to wait", _failing(OpenError("503", retry_after=60.0)), wait)
            if callbacks.is_open:
                yield Act("lost", _lost, wait)
                yield Act(
                    "answered", lambda life, callbacks: life.heartbeat_replied(callbacks.refs[-1]), wait
                )
                yield Act(
                    "the one before is answered",
                    lambda life, callbacks: life.heartbeat_replied(callbacks.refs[0]),
                    wait,
                )
                yield Act("another is answered", lambda life, _: life.heartbeat_replied("0"), wait)

    def follow(self, state: State, act: Act) -> State:
        """The state after it; all that must hold in every one does."""
        self._at, self._act = state, act
        self.steps += 1
        callbacks = copy.copy(state.callbacks)
        callbacks.begun, callbacks.changes = 0, []
        if act.late:
            callbacks.opened_at = state.at + act.wait
        life = copied(state.life, callbacks)
        at = self.now.at = state.at + act.wait
        before = state.life
        if act.report is not None:
            act.report(life, callbacks)
        until = life.breaker.until if before.breaker.is_open else None
        due = life.step(at, heard=act.heard, late=act.late, allowance=act.allowance)
        new = State(life, callbacks, at, due, state, act)
        if until is not None and at < until and callbacks.begun and not act.orders:
            self.find("an attempt is made while the breaker is open")
        self.judge(before, new, act)
        return new

    def judge(self, before: Lifecycle, new: State, act: Act) -> None:
        """What must hold after every step."""
        life, callbacks, at, due = new.life, new.callbacks, new.at, new.due
        phase, options = life.phase, self.options
        if callbacks.is_opening != (phase is Phase.OPENING) or callbacks.is_open != life.is_open:
            self.find("what it says is there is not what there is")
        if (life.state == "connected") != (phase is Phase.UP):
            self.find("the state's word is another one")
        if phase is Phase.UP and not life.heartbeat.answered:
            self.find("connected, though no heartbeat was answered")
        if phase is Phase.GREETING and at - callbacks.opened_at >= options.heartbeat_timeout and not act.late:
            self.find("not connected, and not given up in its time")
        if life.is_open and not callbacks.is_greeted:
            self.find("open, and no joins may follow")
        if due is not None and due <= at:
            self.find("asks to be asked again at once")
        if due is None and not new.is_chosen:
            self.find("waits for nothing")
        if phase is Phase.WAITING and due is not None and due - at > options.reconnect_max_delay:
            self.find("waits longer than the cap")
        if life.breaker.is_open != (phase is Phase.BROKEN):
            self.find("the breaker is open, or closed, where nobody waits for it")
        if life.stable and (
            phase is not Phase.UP or life.counts.reconnect_attempts or life.breaker.state != "closed"
        ):
            self.find("stable, and its failures are not forgotten")
        begun = life.counts.attempts_begun - before.counts.attempts_begun
        ended = counted(life) - counted(before)
        if begun != callbacks.begun or begun != ended + life.under_way - before.under_way:
            self.find("the counts of attempts do not add up")
        if life.breaker.trips - before.breaker.trips > (before.breaker.state == "closed"):
            self.find("a trip is counted that is none")
        if "disconnect" in act.orders[-1:] and not (phase is Phase.IDLE and due is None):
            self.find("disconnected, and it goes on")
        if before.phase is Phase.IDLE and phase is not Phase.IDLE and not act.orders:
            self.find("it connects though nobody asked")
        if act.orders and (life.breaker.failures or life.breaker.is_open) and act.orders != ("connect",):
            self.find("a command does not re-arm all")
        if act.late and before.phase is Phase.UP and phase is not Phase.UP:
            self.find("dropped for what nobody looked at")
        if act.late and before.phase is Phase.OPENING and phase is not Phase.OPENING:
            self.find("given up though nobody looked")
        if life.is_open and life.heartbeat.deadline(ALLOWANCE) - at > max(
            options.heartbeat_interval, options.heartbeat_timeout, ALLOWANCE
        ):
            self.find("no heartbeat is due in its time")
        self.judge_changes(before, life, callbacks)

    def judge_changes(self, before: Lifecycle, life: Lifecycle, callbacks: LifecycleCallbacks) -> None:
        """The changes of state that are told."""
        state = before.state
        for change in callbacks.changes:
            if change.old_state != state or change.new_state == state:
                self.find("a change is told that is none")
            state = change.new_state
            if (change.error is not None) != (state in ("reconnecting", "failed")):
                self.find("a change is told without its reason, or with one that is none")
        if state != life.state:
            self.find("a change is not told")

    def come_back(self, state: State) -> None:
        """From here, with a server that is well, it becomes stable by itself and in good time."""
        if state.is_chosen:
            return
        self._act = Act("a server that is well")
        self.random_source.draws_most = True
        callbacks = copy.copy(state.callbacks)
        callbacks.find = lambda _: None
        life = copied(state.life, callbacks)
        at = state.at
        due = state.due
        while not life.stable and at <= state.at + WELL:
            if callbacks.is_opening:
                _opened(life, callbacks)
            elif callbacks.is_open and life.heartbeat.unanswered_since is not None:
                life.heartbeat_replied(callbacks.refs[-1])
            else:
                at = at + LATE if due is None else max(due, at)
            self.now.at = at
            due = life.step(at, heard=callbacks.is_open)
        if not life.stable:
            self._at = state
            self.find("no way back to stable")

    def key(self, state: State) -> Hashable:
        """The same for states from which the same can happen."""
        life, at = state.life, state.at

        def ago(moment: float | None, longest: float = _PAST) -> float | None:
            return None if moment is None or moment - at <= longest else moment - at

        limit = self.options.max_reconnect_attempts
        heartbeat = life.heartbeat
        is_up = life.phase is Phase.UP
        return (
            life.phase,
            life.reason is None,
            life.refusal is None,
            life.stable,
            min(life.counts.reconnect_attempts, 4 if limit == "unlimited" else limit + 1),
            life._retry,
            life._revival,
            ago(life._open_deadline) if life.phase is Phase.OPENING else None,
            ago(life._connected_at) if is_up and not life.stable else None,
            ago(life._wait_until),
            ago(life._woken_early_at, -self.options.reconnect_max_delay),
            (life.breaker.state, life.breaker.failures, ago(life.breaker.until)),
            (ago(heartbeat._sent_at), heartbeat._proven, heartbeat.answered) if life.is_open else None,
            life.is_open
            and (
                ago(state.callbacks.opened_at) if life.phase is Phase.GREETING else None,
                heartbeat.unanswered_since is None,
                *(ref in heartbeat._sent for ref in state.callbacks.refs),
            ),
            None if state.due is None else state.due - at,
        )


def copied(life: Lifecycle, callbacks: LifecycleCallbacks) -> Lifecycle:
    """Another one that goes on from here."""
    new = copy.copy(life)
    new.counts = copy.copy(life.counts)
    new._callbacks, new._commands = callbacks, []
    new.breaker, new.heartbeat = copy.copy(life.breaker), copy.copy(life.heartbeat)
    new.heartbeat._sent = dict(life.heartbeat._sent)
    new.heartbeat._unanswered = list(life.heartbeat._unanswered)
    return new


def counted(life: Lifecycle) -> int:
    """Attempts that have ended."""
    return life.counts.successful_connects + life.counts.failed_attempts + life.counts.attempts_aborted


def _ordering(verbs: tuple[Any, ...]) -> Callable[[Lifecycle, LifecycleCallbacks], None]:
    def order(life: Lifecycle, _: LifecycleCallbacks) -> None:
        for verb in verbs:
            life.command(verb)

    return order


def _failing(error: OpenError) -> Callable[[Lifecycle, LifecycleCallbacks], None]:
    return lambda life, _: life.open_failed(error)


def _opened(life: Lifecycle, callbacks: LifecycleCallbacks) -> None:
    callbacks.is_opening, callbacks.is_open = False, True
    life.opened()


def _opened_and_lost(life: Lifecycle, callbacks: LifecycleCallbacks) -> None:
    _opened(life, callbacks)
    _lost(life, callbacks)


def _lost(life: Lifecycle, _: LifecycleCallbacks) -> None:
    life.lost("dropped")


OPTIONS = {
    "few attempts": SMALL,
    "attempts without end": dataclasses.replace(SMALL, max_reconnect_attempts="unlimited"),
    "never revived": dataclasses.replace(SMALL, max_reconnect_attempts=1, revive_after="never"),
}


def main() -> int:
    for name, options in OPTIONS.items():
        visit = Visit(options)
        visit.run()
        print(f"{name}: {len(visit.states)} states, {visit.steps} steps")
        for finding in visit.findings:
            print("FOUND", finding)
        if visit.findings:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
