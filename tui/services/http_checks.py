"""Health endpoints, asked over HTTP at their intervals: none waits for another, and nobody for any."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Literal, NamedTuple

from tui.channels import dial, values
from tui.channels.apart import Awaited, apart
from tui.channels.clock import Clock
from tui.channels.errors import OpenError
from tui.channels.reasons import AnswerError, Step, host_and_port, in_words, overdue
from tui.services.figures import MOST_WORDS
from tui.services.options import EndpointOptions
from tui.services.payloads import Report, read_health
from tui.system.installation import needs

log = logging.getLogger("tui.engine.health")

MOST_BODY = 64 * 1024
"""Bytes of an answer's body that are read."""

NEEDS_EXTRA = "needs httpx and httpcore"

START_WITHIN = 2.0
"""Seconds over which the first requests are spread, or the interval where that is less."""

_SHORTEST_PAUSE = 0.1
_LONGEST_SLEEP = 5.0
"""Seconds: the loop's own clock may stand still while the machine sleeps."""


class Checked(NamedTuple):
    """What came of one request."""

    noted: Report
    outcome: Literal["answered", "failed", "not asked"]
    """Failed: there was no HTTP answer. Not asked: nothing was sent, and nothing is known."""


Hear = Callable[[EndpointOptions, Checked], None]
"""Called on the loop, with each endpoint's own options; must not raise."""


class HealthChecker:
    """Asks each endpoint in a task of its own; to be used on one event loop.

    Of an endpoint there is never more than one request under way.
    """

    def __init__(self, clock: Clock, chance: random.Random, *, look_up: dial.LookUp = dial.look_up) -> None:
        self.clock = clock
        self.chance = chance
        self.look_up = look_up
        self._watched: list[_Endpoint] = []

    def watch(self, endpoints: Iterable[EndpointOptions], hear: Hear) -> None:
        """Ask exactly these from now on; those that are asked already go on as they are."""
        known, self._watched = self._watched, []
        for options in endpoints:
            same = next((each for each in known if each.options == options), None)
            if same is not None:
                known.remove(same)
            self._watched.append(same or _Endpoint(self, options, hear))
        for endpoint in known:
            endpoint.stop()

    def stop(self) -> None:
        """Ask no more; what is under way is dropped."""
        for endpoint in self._watched:
            endpoint.stop()
        self._watched.clear()


class _Endpoint:
    """One endpoint and the task that asks it."""

    def __init__(self, checker: HealthChecker, options: EndpointOptions, hear: Hear) -> None:
        self.options = options
        self._checker = checker
        self._hear = hear
        self._clock = checker.clock
        self._mistake: type[Exception] | None = None
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name=f"health of {options.name}")
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Ask no more."""
        self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _run(self) -> None:
        options, clock = self.options, self._clock
        spread = min(options.interval, START_WITHIN)
        await self._until(clock.monotonic() + self._checker.chance.uniform(0, spread))
        while True:
            due = clock.monotonic() + options.interval
            checked = await self._checked()
            self._hear(options, checked)
            if checked.noted.message == NEEDS_EXTRA:
                return
            await self._until(max(due, clock.monotonic() + _SHORTEST_PAUSE))

    async def _until(self, due: float) -> None:
        while (rest := due - self._clock.monotonic()) > 0:  # noqa: ASYNC110 (it is time that is waited for)
            await asyncio.sleep(min(rest, _LONGEST_SLEEP))

    async def _checked(self) -> Checked:
        try:
            client = await apart(_import_client, _import_client, "the HTTP client's import")
            return _not_asked(NEEDS_EXTRA) if client is None else await self._check(client)
        except OSError as error:
            return _not_asked(str(error.strerror))
        except Exception as error:
            if type(error) is not self._mistake:
                log.exception("the check of %s failed", self.options.name)
            self._mistake = type(error)
            return _not_asked(f"the check failed: {type(error).__name__}, see the log")

    async def _check(self, client: ModuleType) -> Checked:
        options = self.options
        step: Step | None = None

        def at(reached: Step) -> None:
            nonlocal step
            step = reached

        awaited = Awaited()
        awaited.by_this_task()
        try:
            async with asyncio.timeout(options.timeout) as limit:
                headers = await values.headers(options.headers, "headers")
                tls = options.url.lower().startswith("https:")
                context = await dial.tls_context(options.ca_file) if tls else None
                at(Step("answer", host_and_port(options.url)))
                fetched = await client.fetch(
                    options.url,
                    headers=headers,
                    context=context,
                    most=MOST_BODY,
                    limit=limit,
                    at=at,
                    look_up=self._checker.look_up,
                )
        except OpenError as error:
            return _not_asked(str(error))
        except (OSError, AnswerError) as error:
            now = self._clock.time()
            if isinstance(error, TimeoutError) and error.errno is None:
                if step is None:
                    return _not_asked(awaited.message(options.timeout, "headers not read"))
                return _failed(str(overdue(step, awaited, options.timeout, now)))
            return _failed(str(in_words(error, step or Step("answer"), now)))
        unread = fetched.unread
        if unread == client.NO_END:
            unread += f" within {options.timeout:g} s"
        noted = read_health(
            fetched.code,
            fetched.body,
            self._clock.time(),
            unread=unread,
            url=options.url,
            location=fetched.location,
        )
        return Checked(noted, "answered")


def _failed(words: str) -> Checked:
    return Checked(Report(state="bad", message=words[:MOST_WORDS]), "failed")


def _not_asked(words: str) -> Checked:
    return Checked(Report(message=words[:MOST_WORDS]), "not asked")


def _import_client() -> ModuleType | None:
    try:
        from tui.services import http_fetch
    except ImportError as error:
        log.warning("health endpoints are not asked, which %s: %s", needs("http"), error)
        return None
    return http_fetch
