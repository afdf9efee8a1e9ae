"""What people ask of the alert queue: each order, and the answer to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.alerts.alert import Alert
from tui.alerts.events import sample, unknown_type
from tui.model.alerts import TEST_SOURCE, TESTS, AlertCommand
from tui.model.bounds import MAX_TEST_ALERTS
from tui.model.snapshot import CommandResult

if TYPE_CHECKING:
    from tui.alerts.service import AlertService


class AlertCommands:
    """On the engine's loop."""

    def __init__(self, service: AlertService) -> None:
        self._service = service
        self._queue = service.queue

    async def give(self, command: AlertCommand) -> CommandResult:
        """Do something; the result says what was done, once the store has it or is known not to take it."""
        done = await self._do(command)
        self._service.settle()
        message = done.message
        if done.ok:
            text = f"alerts: {command.verb} by command: {message}"
            self._service.note(text, kind="alert", quiet=True)
            if not await self._service.persistence.all_written():
                message += "; in memory alone until the store answers"
        return CommandResult(ok=done.ok, message=message)

    async def _do(self, command: AlertCommand) -> CommandResult:
        commands, id = self._queue.commands, command.id or ""
        type = command.type if isinstance(command.type, str) else None
        match command.verb:
            case "pause":
                return commands.pause()
            case "resume":
                return commands.resume()
            case "hold":
                return commands.hold(command.seconds or 0.0)
            case "skip":
                return commands.skip()
            case "remove":
                return commands.remove(id)
            case "move":
                return commands.move(id, command.position or 0)
            case "clear":
                return commands.clear(type)
            case "mute":
                minutes = (command.seconds or 0.0) / 60
                unknown = None if command.force or not minutes else self._unknown(type or "")
                return unknown or commands.mute(type or "", minutes)
            case "panic":
                return commands.panic()
            case "undo":
                return commands.undo()
            case "test":
                return await self._test(type or "", command.count)
            case "requeue":
                alert = self._queue.find(id) or await self._service.persistence.find(id)
                again = commands.renew(alert) if isinstance(alert, Alert) else alert
                if isinstance(again, CommandResult):
                    return again
                return await self._stored([again], lambda: commands.requeue(again))

    def _unknown(self, type: str) -> CommandResult | None:
        """What is to be said of a type that none can have; None of one that some can, or did."""
        types, player = self._service.options.types, self._queue.player
        if types is None or any(
            each.type == type for each in (*player.open_alerts(), *player.record.recent())
        ):
            return None
        words = unknown_type(type, {*types, *player.rules.types})
        return None if words is None else CommandResult(ok=False, message=words)

    async def _stored(self, alerts: list[Alert], take_in: Callable[[], CommandResult]) -> CommandResult:
        """What taking alerts in has for result, once they are stored."""
        done: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()

        def go_on() -> None:
            result = take_in()
            self._service.settle()
            if not done.done():
                done.set_result(result)

        self._service.persistence.write(alerts, go_on)
        return await done

    async def _test(self, type: str, count: int) -> CommandResult:
        if not type or not 1 <= count <= MAX_TEST_ALERTS:
            words = f"expected a type and a count from 1 to {MAX_TEST_ALERTS}"
            return CommandResult(ok=False, message=words)
        now = self._service.clock.time()
        payloads = (sample(type, self._service.random_source, now) for _ in range(count))
        found = [self._queue.judge_arrival(type, payload, source=TEST_SOURCE) for payload in payloads]
        alerts = [alert for alert in found if alert is not None]

        def take_in() -> CommandResult:
            ended = Counter({"ignored": count - len(alerts)})
            ended.subtract(self._ended())
            for alert in alerts:
                self._queue.admit(alert)
            ended.update(self._ended())
            what = ", ".join(f"{number} {outcome}" for outcome, number in ended.most_common() if number)
            words = f"{count} test alert{'s' if count > 1 else ''} of type {type}"
            return CommandResult(ok=True, message=f"{words}: {what} at once" if what else words)

        return await self._stored(alerts, take_in)

    def _ended(self) -> dict[str, int]:
        return self._queue.player.record.counts().get(TESTS, {})
