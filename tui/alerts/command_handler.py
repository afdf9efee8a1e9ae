"""What people ask of the alert queue: each order, and the answer to it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection

from tui.alerts.alert import Alert
from tui.alerts.events import sample, unknown_type
from tui.alerts.persistence import AlertPersistence
from tui.alerts.queue import AlertQueue
from tui.alerts.summaries import find
from tui.alerts.types import Done
from tui.channels.clock import Clock
from tui.model.alerts import TEST_SOURCE, TESTS, AlertCommand
from tui.model.bounds import MAX_TEST_ALERTS
from tui.model.snapshot import CommandResult
from tui.store.event_log import ChangeLog

"""Alerts of one order."""


class AlertCommands:
    """On the engine's loop.

    Args:
        settle: called when the queue was told something.
        types: those that sources bring and built-in rules have; None for any.
    """

    def __init__(
        self,
        queue: AlertQueue,
        persistence: AlertPersistence,
        changes: ChangeLog,
        clock: Clock,
        chance: random.Random,
        settle: Callable[[], None],
        types: Callable[[], Collection[str] | None],
    ) -> None:
        self._queue = queue
        self._persistence = persistence
        self._changes = changes
        self._clock = clock
        self._chance = chance
        self._settle = settle
        self._types = types

    async def give(self, command: AlertCommand) -> CommandResult:
        """Do something; the result says what was done, once the store has it or is known not to take it."""
        done = await self._do(command)
        self._settle()
        message = done.message
        if done.ok:
            text = f"alerts: {command.verb} by command: {message}"
            self._changes.add(self._clock.time(), None, text, kind="alert", quiet=True)
            if not await self._persistence.all_written():
                message += "; in memory alone until the store answers"
        return CommandResult(ok=done.ok, message=message)

    async def _do(self, command: AlertCommand) -> Done:
        queue, id = self._queue, command.id or ""
        type = command.type if isinstance(command.type, str) else None
        match command.verb:
            case "pause":
                return queue.commands.pause()
            case "resume":
                return queue.commands.resume()
            case "hold":
                return queue.commands.hold(command.seconds or 0.0)
            case "skip":
                return queue.commands.skip()
            case "remove":
                return queue.commands.remove(id)
            case "move":
                return queue.commands.move(id, command.position or 0)
            case "clear":
                return queue.commands.clear(type)
            case "mute":
                seconds = command.seconds or 0.0
                unknown = None if command.force or not seconds else self._unknown(type or "")
                return (
                    queue.commands.mute(type or "", seconds / 60) if unknown is None else Done(False, unknown)
                )
            case "panic":
                return queue.commands.panic()
            case "undo":
                return queue.commands.undo()
            case "test":
                return await self._test(type or "", command.count)
            case "requeue":
                alert = await self._alert_of(id)
                if isinstance(alert, CommandResult):
                    return Done(False, alert.message)
                again = queue.commands.renew(alert)
                return again if isinstance(again, Done) else await self._requeue(again)

    def _unknown(self, type: str) -> str | None:
        """What is to be said of a type that none can have; None of one that some can, or did."""
        types, view = self._types(), self._queue.view()
        if types is None or any(alert.type == type for alert in (*view.waiting, *view.recent)):
            return None
        return unknown_type(type, {*types, *self._queue.player.rules.types})

    async def _requeue(self, again: Alert) -> Done:
        done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()

        def take_in() -> None:
            result = self._queue.commands.requeue(again)
            self._settle()
            if not done.done():
                done.set_result(result)

        self._persistence.write([again], take_in)
        return await done

    async def _test(self, type: str, count: int) -> Done:
        if not type or not 1 <= count <= MAX_TEST_ALERTS:
            return Done(False, f"expected a type and a count from 1 to {MAX_TEST_ALERTS}")
        payloads = (sample(type, self._chance, self._clock.time()) for _ in range(count))
        found = [self._queue.judge_arrival(type, payload, source=TEST_SOURCE) for payload in payloads]
        alerts = [alert for alert in found if alert is not None]
        ended = Counter({"ignored": count - len(alerts)})
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take_in() -> None:
            ended.subtract(self._ended())
            for alert in alerts:
                self._queue.admit(alert)
            ended.update(self._ended())
            self._settle()
            if not done.done():
                done.set_result(None)

        if alerts:
            self._persistence.write(alerts, take_in)
            await done
        what = ", ".join(f"{number} {outcome}" for outcome, number in ended.most_common() if number)
        plural = "s" if count > 1 else ""
        words = f"{count} test alert{plural} of type {type}"
        return Done(True, f"{words}: {what} at once" if what else words)

    def _ended(self) -> dict[str, int]:
        return {each.outcome: each.number for each in self._queue.view().outcomes if each.type == TESTS}

    async def _alert_of(self, id: str) -> Alert | CommandResult:
        found = find(self._queue.view(), id)
        return await self._persistence.find(id) if found is None else found[0]
