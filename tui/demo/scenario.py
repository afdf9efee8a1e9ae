"""Staged faults: what happens on the demonstration's hubs, and when."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from .dialect import DialectName
from .faults import FAULTS
from .hub import Hub
from .overlay import OverlayPage
from .show import PAGES

logger = logging.getLogger(__name__)

Command = Callable[[str, str], Awaitable[object]]
"""Does as a user would: ("disconnect" or "connect", the connection's name)."""

OPTIONS: Mapping[str, Any] = {
    # Short enough that a minute shows what otherwise takes an evening.
    "max_reconnect_attempts": "unlimited",
    "reconnect_base_delay": 0.3,
    "reconnect_max_delay": 1.0,
    "heartbeat_interval": 1.5,
    "heartbeat_timeout": 1.0,
    "circuit_breaker_threshold": 3,
    "circuit_breaker_timeout": 4.0,
    "stable_after": 1.0,
    "join_timeout": 3.0,
    "push_timeout": 3.0,
}
"""The options of every connection of the demonstration; seconds and counts."""

MAIN, SECOND = "hub", "saya"
ALERT_PAGE = "takeover"
"""The overlay page on which alerts are shown."""
ROOMS: Mapping[DialectName, str] = {
    "plain": "dashboard:telemetry",
    "old": "dashboard:main",
    "telemetry": "dashboard:telemetry",
    "new": "dashboard:services",
}
"""The dashboard's topic: where a hub tells of others, it does there."""
CHAT_WEIGHT = 400
"""Chat messages beside 42 other events of viewers: an alert about every four seconds."""

ALERT_RULES = """\
# Rules of the demonstration's alerts. They are read anew whenever this file is saved: try it.
# Shorter than on a real evening, so that a minute shows several.

[[rule]]
type = "follow"
duration = 3

[[rule]]
type = "sub"
duration = 4

[[rule]]
type = "resub"
duration = 4

[[rule]]
type = "gift"
duration = 5

[[rule]]
type = "cheer"
duration = 3

[[rule]]
type = "cheer"
when = "bits = 420"
priority = 8
duration = 4
title = "{who} cheered exactly 420"

[[rule]]
type = "redemption"
duration = 3

[[rule]]
type = "raid"
duration = 6
"""
"""The alert queue's rules for the demonstration."""


class PaletteCommand(NamedTuple):
    """One fault as a palette offers it."""

    id: str
    label: str
    help: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One staged fault: after ``pause`` seconds, ``act`` runs to its end (which ends the fault too)."""

    id: str
    label: str
    help: str
    pause: float
    act: Callable[[Scenario], Awaitable[None]]


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
        hubs: by name; :func:`demo_hubs` unless given. "hub" and "saya" must be among them.
        schedule: the stages of one round; :data:`SCHEDULE` unless given.
        chance: shifts the pauses a little; None keeps them exact.
        command: lets a stage disconnect and connect a connection as a user would; without it that
            stage is left out.
        pace: every wait is multiplied by it; below 1 everything happens faster.
        staged: False plays no stage by itself: nothing fails unless :meth:`trigger` is told to.
    """

    def __init__(
        self,
        hubs: Mapping[str, Hub] | None = None,
        *,
        schedule: Sequence[Stage] | None = None,
        chance: random.Random | None = None,
        command: Command | None = None,
        pace: float = 1.0,
        staged: bool = True,
    ) -> None:
        self.hubs = dict(demo_hubs() if hubs is None else hubs)
        self.command = command
        """May be set after the scenario was made, when there is something to command."""
        self.pace = pace
        url = self._url_of_main
        self.pages = {name: OverlayPage(url, name, shows_alerts=name == ALERT_PAGE, kept=0) for name in PAGES}
        """The overlay pages of the main hub, by name."""
        self._schedule = tuple(SCHEDULE if schedule is None else schedule)
        self._chance = chance
        self._staged = staged
        self._next: Stage | None = self._schedule[0] if self._schedule else None
        self._now: Stage | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # What a face shows

    @property
    def next_words(self) -> str:
        """What comes next, such as "next: hub restart", or what is happening now."""
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

    def commands(self) -> list[PaletteCommand]:
        """Everything that :meth:`trigger` knows: the stages first, then single faults of the main hub."""
        stages = [PaletteCommand(stage.id, stage.label, stage.help) for stage in self._schedule]
        taken = {stage.id for stage in stages}
        return (
            stages
            + [
                PaletteCommand(fault.id, fault.label, fault.help)
                for fault in FAULTS.values()
                if fault.id not in taken
            ]
            + [_TOGGLE]
        )

    def connections(self) -> dict[str, dict[str, Any]]:
        """The connections to supervise: name -> url, topics, label, options. Known once started."""
        main, second = self.hubs[MAIN].url, self.hubs[SECOND].url
        found = {
            "stage": (main, ["stream:overlays", "stream:queue", "overlay:obs", "overlay:system"], "Overlays"),
            "dashboard": (main, [self._room], "Dashboard"),
            "events": (main, ["events:all", "health:services"], "Viewer events"),
            "phononmaser_in": (second, ["transcription:live", "overlay:system"], "Transcription"),
            "seed_events": (second, ["events:all", "transcription:live"], "Seed"),
        }
        return {
            name: {"url": url, "topics": topics, "label": label, "options": dict(OPTIONS)}
            for name, (url, topics, label) in found.items()
        }

    def alerts(self) -> dict[str, Any]:
        """What the alert queue is told: where viewer events come from, where alerts go, by which rules."""
        return {
            "sources": [{"connection": "events", "topic": "events:all"}],
            "delivery": {"connection": "stage", "overlays": (ALERT_PAGE,)},
            "rules": ALERT_RULES,
        }

    def services(self) -> dict[str, Any]:
        """What is watched beside the connections: what the hub tells of others, and its own health."""
        main = urlsplit(self._url_of_main())
        of_others = {
            "connection": "dashboard",
            "topic": self._room,
            "event": "telemetry_update",
            "kind": "hub",
            "stale_after": 8.0,
        }
        of_themselves = {
            "connection": "events",
            "topic": "health:services",
            "event": "health_report",
            "stale_after": 30.0,
        }
        notes = self.hubs[MAIN].dialect != "old"
        return {
            "reports": [of_others, of_themselves] if notes else [of_themselves],
            "endpoints": [
                {"name": "hub", "url": f"http://{main.netloc}/health", "interval": 2.0, "timeout": 1.0}
            ],
        }

    @property
    def _room(self) -> str:
        return ROOMS[self.hubs[MAIN].dialect]

    def _url_of_main(self) -> str:
        return self.hubs[MAIN].url

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
        stage = next((stage for stage in self._schedule if stage.id == name), None)
        if stage is not None:
            self._spawn(self._play(stage), name)
            return
        if name == _TOGGLE.id:
            self._spawn(self._toggle_page(), name)
            return
        fault = FAULTS.get(name)
        if fault is None:
            known = ", ".join(command.id for command in self.commands())
            raise ValueError(f"no fault is called {name!r}; there are: {known}")
        done = fault.apply(self.hubs[MAIN].faults)
        if isinstance(done, Awaitable):
            self._spawn(_finish(done), name)

    async def wait(self, seconds: float) -> None:
        """Waits at the scenario's own pace."""
        shift = 1.0 if self._chance is None else self._chance.uniform(0.9, 1.1)
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

    async def _toggle_page(self) -> None:
        page = self.pages[ALERT_PAGE]
        if page.is_open:
            await page.close()
        else:
            page.open()

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


_TOGGLE = PaletteCommand(
    "overlay_page", "overlay page closes / opens", "Alerts that nobody sees end unconfirmed, until it opens"
)


async def _finish(work: Awaitable[None]) -> None:
    await work


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
