"""Staged faults: what happens on the demonstration's hubs, and when."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .dialect import DialectName
from .faults import FAULTS, Fault
from .hub import Hub
from .overlay import OverlayPage
from .show import PAGES

logger = logging.getLogger(__name__)

Command = Callable[[str, str], Awaitable[object]]
"""Does as a user would: ("disconnect" or "connect", the connection's name)."""

MAIN, SECOND = "hub", "saya"
ALERT_PAGE = "takeover"
CHAT_WEIGHT = 400
"""Chat messages beside 42 other events of viewers: an alert about every four seconds."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One staged fault: after ``pause`` seconds, ``act`` runs to its end (which ends the fault too)."""

    id: str
    label: str
    help: str
    pause: float
    act: Callable[[Scenario], Coroutine[Any, Any, None]]


def demo_hubs(seed: int | None = None, dialect: DialectName = "plain") -> dict[str, Hub]:
    """The demonstration's two hosts by name, not started: one can fail while the other lives."""

    def hub(seed: int | None) -> Hub:
        return Hub(seed=seed, idle_timeout=20.0, shows_alerts=False, kept=0, dialect=dialect)

    main = hub(seed)
    main.show.chat_weight = CHAT_WEIGHT
    return {MAIN: main, SECOND: hub(None if seed is None else seed + 1)}


class Scenario:
    """Runs the stages on the hubs, round after round, and fires faults by name in between.

    ``async with`` starts the hubs with their traffic, the overlay pages and the stages, and stops all of it.

    Args:
        hubs: by name; "hub" and "saya" must be among them.
        schedule: the stages of one round; :data:`SCHEDULE` unless given.
        random_source: shifts the pauses a little; None keeps them exact.
        command: lets a stage disconnect and connect a connection as a user would; without it that
            stage is left out.
        pace: every wait is multiplied by it; below 1 everything happens faster.
        staged: False plays no stage by itself: nothing fails unless :meth:`trigger` is told to.
    """

    def __init__(
        self,
        hubs: Mapping[str, Hub],
        *,
        schedule: Sequence[Stage] | None = None,
        random_source: random.Random | None = None,
        command: Command | None = None,
        pace: float = 1.0,
        staged: bool = True,
    ) -> None:
        self.hubs = hubs
        self.command = command
        self.pace = pace
        main = self.hubs[MAIN]
        self.pages = {
            name: OverlayPage(lambda: main.url, name, shows_alerts=name == ALERT_PAGE, kept=0)
            for name in PAGES
        }
        self._schedule = tuple(SCHEDULE if schedule is None else schedule)
        self._random_source = random_source
        self._staged = staged
        self._next: Stage | None = self._schedule[0] if self._schedule else None
        self._now: Stage | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # What a face shows

    @property
    def next_words(self) -> str:
        if self._now is not None:
            return f"now: {self._now.label}"
        return "next: nothing" if self._next is None else f"next: {self._next.label}"

    @property
    def notice(self) -> str:
        """The line that says that nothing of this is real."""
        if self._staged:
            return f"DEMO: faults are staged; {self.next_words}"
        now = "no fault by itself" if self._now is None else self.next_words
        return f'DEMO: {now}; the palette\'s "demo: ..." make some'

    def commands(self) -> list[Stage | Fault]:
        """Everything that :meth:`trigger` knows: the stages first, then single faults of the main hub."""
        return [*self._schedule, *FAULTS.values(), _TOGGLE]

    # What happens

    async def run(self) -> None:
        """Plays the stages for ever; cancel it to end. A stage that fails is logged and passed over."""
        while self._schedule:
            for stage in self._schedule:
                if stage.id == HANG_UP and self.command is None:
                    continue
                self._next = stage
                await self.wait(stage.pause)
                await self._play(stage)
            for hub in self.hubs.values():
                await hub.faults.clear()

    async def trigger(self, name: str) -> None:
        """Fires a stage or a fault by its id; returns at once. Raises: ValueError for an unknown one."""
        command = next((each for each in self.commands() if each.id == name), None)
        if command is None:
            known = ", ".join(command.id for command in self.commands())
            raise ValueError(f"no fault is called {name!r}; there are: {known}")
        if isinstance(command, Stage):
            self._spawn(command.act(self) if command is _TOGGLE else self._play(command), name)
        elif asyncio.iscoroutine(lasting := command.apply(self.hubs[MAIN].faults)):
            self._spawn(lasting, name)

    async def wait(self, seconds: float) -> None:
        shift = 1.0 if self._random_source is None else self._random_source.uniform(0.9, 1.1)
        await asyncio.sleep(seconds * self.pace * shift)

    async def __aenter__(self) -> Self:
        try:
            for hub in self.hubs.values():
                await hub.start()
                hub.traffic = True
            for page in self.pages.values():
                page.open()
        except BaseException:
            await self.stop()
            raise
        if self._staged:
            self._spawn(self.run(), "stages")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stops the stages and the hubs; about a second at most."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            # A command that is under way elsewhere does not hold up the end.
            await asyncio.wait(tasks, timeout=1.0)
        await asyncio.gather(*(page.close() for page in self.pages.values()))
        await asyncio.gather(*(hub.stop() for hub in self.hubs.values()))

    async def _play(self, stage: Stage) -> None:
        self._now = stage
        try:
            await stage.act(self)
        except Exception:
            logger.exception("the stage %s of the demonstration failed", stage.id)
        finally:
            self._now = None

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"demo {name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s of the demonstration failed", task.get_name(), exc_info=error)


# The stages of one round


async def _restart(scenario: Scenario) -> None:
    await scenario.hubs[MAIN].faults.restart(0.8 * scenario.pace)


async def _second_host_refuses(scenario: Scenario) -> None:
    hub = scenario.hubs[SECOND]
    hub.faults.refuse()
    hub.faults.drop_all()
    try:
        # Three refusals open the breaker; it stays open for a while after the host is back.
        await scenario.wait(5.0)
    finally:
        await hub.faults.accept()


async def _hang_up(scenario: Scenario) -> None:
    if scenario.command is None:
        return
    await scenario.command("disconnect", "dashboard")
    await scenario.wait(2.5)
    await scenario.command("connect", "dashboard")


async def _channels_crash(scenario: Scenario) -> None:
    scenario.hubs[MAIN].faults.crash_channel("stream:*")


async def _freeze(scenario: Scenario) -> None:
    faults = scenario.hubs[MAIN].faults
    faults.freeze()
    try:
        await scenario.wait(3.5)
    finally:
        faults.thaw()


async def _unavailable(scenario: Scenario) -> None:
    faults = scenario.hubs[SECOND].faults
    faults.http_status(503, retry_after=1, times=2)
    faults.close_all(1012)


async def _noise(scenario: Scenario) -> None:
    faults = scenario.hubs[MAIN].faults
    faults.garbage()
    faults.flood("events:*", 2_000, 200)


async def _page_closed(scenario: Scenario) -> None:
    page = scenario.pages[ALERT_PAGE]
    await page.close()
    scenario.hubs[MAIN].happen("cheer", bits=100)
    try:
        # Longer than an alert plays: one, at least, is seen by nobody.
        await scenario.wait(6.0)
    finally:
        page.open()


async def _toggle_page(scenario: Scenario) -> None:
    page = scenario.pages[ALERT_PAGE]
    if page.is_open:
        await page.close()
    else:
        page.open()


HANG_UP = "hang_up"

SCHEDULE: tuple[Stage, ...] = (
    Stage("hub_restart", "hub restart", "The hub restarts; its three links come back by themselves",
          3.0, _restart),
    Stage("saya_refuses", "saya refuses", "The second host refuses for 5 s: breakers open, then a probe",
          2.0, _second_host_refuses),
    Stage(HANG_UP, "dashboard disconnected", "The dashboard is disconnected and connected, as by a user",
          1.5, _hang_up),
    Stage("channels_crash", "channels crash", "The stream's channels crash and are joined again",
          2.0, _channels_crash),
    Stage("page_closed", "overlay page closed", "The takeover page is closed for 6 s: nothing is confirmed",
          2.0, _page_closed),
    Stage("hub_freezes", "hub freezes", "TCP stays up and nothing is answered for 3.5 s",
          2.0, _freeze),
    Stage("saya_unavailable", "saya answers 503", "The second host closes with 1012 and answers 503 twice",
          2.5, _unavailable),
    Stage("noise", "garbage and a flood", "Frames that cannot be decoded, then 2,000 in one burst",
          2.0, _noise),
)  # fmt: skip
"""One round, about 35 s: all five states of a connection, several recoveries, and alerts that nobody sees."""

_TOGGLE = Stage(
    "overlay_page", "overlay page closes / opens", "Alerts that nobody sees end unconfirmed, until it opens",
    0.0, _toggle_page,
)  # fmt: skip
