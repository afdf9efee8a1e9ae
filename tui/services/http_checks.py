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
from tui.channels.reasons import AnswerError, Step, describe_error, host_and_port, overdue
from tui.services.figures import MOST_WORDS
from tui.services.options import EndpointOptions
from tui.services.payloads import Report, read_health
from tui.services.sources import log_failure
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

    def __init__(
        self,
        clock: Clock,
        random_source: random.Random,
        *,
        resolve_name: dial.ResolveName = dial.resolve_name,
    ) -> None:
        self.clock = clock
        self.random_source = random_source
        self.resolve_name = resolve_name
        self._watched: list[tuple[EndpointOptions, asyncio.Task[None]]] = []

    def watch(self, endpoints: Iterable[EndpointOptions], hear: Hear) -> None:
        """Ask exactly these from now on; those that are asked already go on as they are."""
        known, self._watched = self._watched, []
        for options in endpoints:
            same = next((each for each in known if each[0] == options), None)
            if same is not None:
                known.remove(same)
            self._watched.append(same or (options, self._begin(options, hear)))
        for _, task in known:
            task.cancel()

    def stop(self) -> None:
        """Ask no more; what is under way is dropped."""
        for _, task in self._watched:
            task.cancel()
        self._watched.clear()

    def _begin(self, options: EndpointOptions, hear: Hear) -> asyncio.Task[None]:
        run = self._run(options, hear)
        task = asyncio.get_running_loop().create_task(run, name=f"health of {options.name}")
        task.add_done_callback(log_failure)
        return task

    async def _run(self, options: EndpointOptions, hear: Hear) -> None:
        clock = self.clock
        mistake: type[Exception] | None = None
        spread = min(options.interval, START_WITHIN)
        await self._until(clock.monotonic() + self.random_source.uniform(0, spread))
        while True:
            due = clock.monotonic() + options.interval
            try:
                checked = await self._checked(options)
            except OSError as error:
                checked = _not_asked(str(error.strerror))
            except Exception as error:
                if type(error) is not mistake:
                    log.exception("the check of %s failed", options.name)
                mistake = type(error)
                checked = _not_asked(f"the check failed: {type(error).__name__}, see the log")
            hear(options, checked)
            if checked.noted.message == NEEDS_EXTRA:
                return
            await self._until(max(due, clock.monotonic() + _SHORTEST_PAUSE))

    async def _until(self, due: float) -> None:
        while (rest := due - self.clock.monotonic()) > 0:  # noqa: ASYNC110 (it is time that is waited for)
            await asyncio.sleep(min(rest, _LONGEST_SLEEP))

    async def _checked(self, options: EndpointOptions) -> Checked:
        client = await apart(_import_client, _import_client, "the HTTP client's import")
        if client is None:
            return _not_asked(NEEDS_EXTRA)
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
                    resolve_name=self.resolve_name,
                )
        except OpenError as error:
            return _not_asked(str(error))
        except (OSError, AnswerError) as error:
            now = self.clock.time()
            if isinstance(error, TimeoutError) and error.errno is None:
                if step is None:
                    return _not_asked(awaited.message(options.timeout, "headers not read"))
                return _failed(str(overdue(step, awaited, options.timeout, now)))
            return _failed(str(describe_error(error, step or Step("answer"), now)))
        unread = fetched.unread
        if unread == client.NO_END:
            unread += f" within {options.timeout:g} s"
        noted = read_health(
            fetched.code,
            fetched.body,
            self.clock.time(),
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
