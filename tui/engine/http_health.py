"""Health endpoints, asked over HTTP at their intervals: none waits for another, and nobody for any."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import ModuleType
from typing import Literal, NamedTuple, TypeVar

from tui.channels import dial, values
from tui.channels.clock import Clock
from tui.channels.errors import OpenError
from tui.channels.reasons import host_and_port, in_words
from tui.engine.service_reading import MOST_WORDS, Told, read_health
from tui.settings.watch_values import EndpointOptions

log = logging.getLogger("tui.engine.health")

T = TypeVar("T")

MOST_BODY = 64 * 1024
"""Bytes of an answer's body that are read."""

NEEDS_EXTRA = "needs the extra: pip install 'overlay-supervisor[http]'"

START_WITHIN = 2.0
"""Seconds over which the first requests are spread, or the interval where that is less."""

_SHORTEST_PAUSE = 0.1
_LONGEST_SLEEP = 5.0
"""Seconds: the loop's own clock may stand still while the machine sleeps."""


class Checked(NamedTuple):
    """What came of one request."""

    told: Told
    outcome: Literal["answered", "failed", "not asked"]
    """Failed: there was no HTTP answer. Not asked: nothing was sent, and nothing is known."""


Hear = Callable[[EndpointOptions, Checked], None]
"""Called on the loop, with each endpoint's own options; must not raise."""


class HealthChecker:
    """Asks each endpoint in a task of its own; to be used on one event loop.

    What makes a request wait, the client's import, a secret's file, certificates and name look-ups, waits in
    threads. Of an endpoint there is never more than one request under way.
    """

    def __init__(self, clock: Clock, chance: random.Random, *, look_up: dial.LookUp = dial.look_up) -> None:
        self.clock = clock
        self.chance = chance
        self.look_up = look_up
        self._watched: list[_Endpoint] = []
        self._client: asyncio.Task[ModuleType | None] | None = None
        self._system: ssl.SSLContext | None = None

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
        if self._client is not None:
            self._client.cancel()
            self._client = None

    async def client(self) -> ModuleType | None:
        """The module that fetches; None where the extra is not installed."""
        if self._client is None:
            self._client = asyncio.get_running_loop().create_task(_apart(_import_client), name="HTTP client")
        return await asyncio.shield(self._client)

    async def context(self, options: EndpointOptions) -> ssl.SSLContext | None:
        """The certificates to trust. A named file may be renewed: it is read each time."""
        if not options.url.lower().startswith("https:"):
            return None
        if options.ca_file is not None:
            return await _apart(_trusting, options.ca_file)
        if self._system is None:
            self._system = await _apart(_trusting, None)
        return self._system


class _Endpoint:
    """One endpoint and the task that asks it."""

    def __init__(self, checker: HealthChecker, options: EndpointOptions, hear: Hear) -> None:
        self.options = options
        self._checker = checker
        self._hear = hear
        self._clock = checker.clock
        self._mistake: type[Exception] | None = None
        self._preparing: asyncio.Task[tuple[dict[str, str], ssl.SSLContext | None]] | None = None
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name=f"health of {options.name}")
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Ask no more."""
        self._task.cancel()
        if self._preparing is not None:
            self._preparing.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _run(self) -> None:
        options, clock = self.options, self._clock
        spread = min(options.interval, START_WITHIN)
        await self._until(clock.monotonic() + self._checker.chance.uniform(0, spread))
        client = await self._checker.client()
        if client is None:
            self._hear(options, Checked(Told(words=NEEDS_EXTRA), "not asked"))
            return
        while True:
            due = clock.monotonic() + options.interval
            self._hear(options, await self._checked(client))
            await self._until(max(due, clock.monotonic() + _SHORTEST_PAUSE))

    async def _until(self, due: float) -> None:
        while (rest := due - self._clock.monotonic()) > 0:  # noqa: ASYNC110 (it is time that is waited for)
            await asyncio.sleep(min(rest, _LONGEST_SLEEP))

    async def _checked(self, client: ModuleType) -> Checked:
        try:
            return await self._check(client)
        except Exception as error:
            if type(error) is not self._mistake:
                log.exception("the check of %s failed", self.options.name)
            self._mistake = type(error)
            return _not_asked(f"the check failed: {type(error).__name__}, see the log")

    async def _check(self, client: ModuleType) -> Checked:
        options = self.options
        where = host_and_port(options.url)
        asked = False
        try:
            async with asyncio.timeout(options.timeout):
                headers, context = await self._prepared()
                asked = True
                fetched = await client.fetch(
                    options.url,
                    headers=headers,
                    context=context,
                    most=MOST_BODY,
                    look_up=self._checker.look_up,
                )
        except OpenError as error:
            return _not_asked(str(error))
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                if asked:
                    return _failed(f"no answer within {options.timeout:g} s")
                return _not_asked(f"headers or ca_file not read within {options.timeout:g} s")
            return _failed(str(in_words(error, options.url, self._clock.time())))
        except client.NoHTTPError as error:
            return _failed(f"{where}: {error}")
        told = read_health(
            fetched.code,
            fetched.body,
            self._clock.time(),
            cut=fetched.cut,
            url=options.url,
            location=fetched.location,
        )
        return Checked(told, "answered")

    async def _prepared(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """The headers and certificates of now.

        A disk that does not answer keeps the thread that reads it: so the next request waits for the same
        reading, and does not begin another.
        """
        if self._preparing is None or self._preparing.done():
            loop = asyncio.get_running_loop()
            self._preparing = loop.create_task(self._prepare(), name=f"headers for {self.options.name}")
            # One that ended after its request had given up is asked for by nobody.
            self._preparing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._preparing)

    async def _prepare(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        headers = await values.texts(self.options.headers, "headers")
        return headers, await self._checker.context(self.options)


def _failed(words: str) -> Checked:
    return Checked(Told(state="bad", words=words[:MOST_WORDS]), "failed")


def _not_asked(words: str) -> Checked:
    return Checked(Told(words=words[:MOST_WORDS]), "not asked")


def _import_client() -> ModuleType | None:
    try:
        from tui.engine import http_fetch
    except ImportError as error:
        log.warning("health endpoints are not asked: %s: %s", NEEDS_EXTRA, error)
        return None
    return http_fetch


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise OpenError("ca_file holds no certificates") from None
    except OSError as error:
        raise OpenError(f"ca_file cannot be read: {error.strerror or type(error).__name__}") from None


async def _apart(function: Callable[..., T], *arguments: object) -> T:
    """Call in a daemon thread: whoever waits may go, and the program's end does not wait at all."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function(*arguments)
        except Exception as error:  # noqa: BLE001 (handed to whoever waits)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=f"health {function.__name__}", daemon=True).start()
    return await asyncio.wrap_future(future)
