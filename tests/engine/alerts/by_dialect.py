"""What alerts come to on each hub, found out by trying: with the settings that the README shows.

``python -m tests.engine.alerts.by_dialect`` prints the guide's table, and fails where the guide has another.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests import guide
from tests.engine.alerts.scene import alerts, do, kept, pushes, state
from tests.engine.conftest import eventually, running
from tui.config.load import load_settings
from tui.demo import landale
from tui.demo.dialect import DialectName
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage, Shown
from tui.demo.topics import telemetry
from tui.engine.supervisor import Supervisor

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SETTINGS = guide.block("toml", "[alerts.delivery]", README)
CHEER, REDEMPTION, SUB, RAID = 0.6, 5.0, 3.0, 1.5
RULES = f"""\
[[rule]]
type = "cheer"
duration = {CHEER}
[[rule]]
type = "redemption"
duration = {REDEMPTION}
[[rule]]
type = "sub"
duration = {SUB}
collapse = 30
[[rule]]
type = "raid"
duration = {RAID}
[[rule]]
type = "follow"
bypass = true
duration = {CHEER}
"""
CLEARLY = 0.5
"""Seconds before the end of its time at which something must be gone that was taken off."""

HEADING = "What it comes to on each hub"
COLUMNS = ("hub", "page joins with", "shown", "skip", "panic", "growth", "bypass", "wait_for_page")


class Case(NamedTuple):
    """A hub and a page on it."""

    dialect: DialectName
    page: str | None
    """Its name; None where it joins with nothing."""
    passes_on: bool = False

    @property
    def hub(self) -> str:
        return f"{self.dialect}, with the lines" if self.passes_on else self.dialect

    @property
    def joins_with(self) -> str:
        return "`{}`" if self.page is None else "`overlay_type`"


CASES = (
    Case("plain", "takeover"),
    Case("old", "takeover"),
    Case("telemetry", "takeover"),
    Case("telemetry", None),
    Case("new", "takeover"),
    Case("new", None),
    Case("old", "takeover", passes_on=True),
    Case("telemetry", None, passes_on=True),
    Case("new", None, passes_on=True),
)


class Trial:
    """One engine with the README's settings on one hub, and a page that is opened and closed."""

    def __init__(self, hub: Hub, page: OverlayPage, supervisor: Supervisor) -> None:
        self.hub = hub
        self.page = page
        self.supervisor = supervisor

    async def row(self) -> tuple[str, ...]:
        """What each column comes to, from ``shown`` on."""
        waits = await self._wait_for_page()
        shown = await self._shown()
        found = (shown, await self._skip(), await self._growth(), await self._bypass(), await self._panic())
        shown, skip, growth, bypass, panic = found
        return shown, skip, panic, growth, bypass, waits

    # Each leaves the queue and the page empty, but for the last one.

    async def _wait_for_page(self) -> str:
        """First nobody is there, then somebody who is no page and has no name, as a dashboard."""
        alone = await self._waits("early")
        await self.page.close()
        dashboard = OverlayPage(lambda: self.hub.url, None, shows_alerts=False)
        dashboard.open()
        await eventually(lambda: dashboard.joined, "somebody is there")
        beside = await self._waits("late")
        await dashboard.close()
        return {
            (True, True): "waits",
            (True, False): "waits while nobody is there",
            (False, False): "nothing waits",
        }[alone, beside]

    async def _waits(self, who: str) -> bool:
        """Whether an alert waits for the page, which is opened in the end."""
        # Time for a hub that tells of pages to do so.
        await asyncio.sleep(2 * landale.TELEMETRY_INTERVAL)
        self.hub.happen("cheer", user_name=who)
        await eventually(lambda: self._was_pushed(who) or self._mode == "waiting for overlays", "decided")
        waited = not self._was_pushed(who)
        if not waited:
            await eventually(lambda: self._outcome_of(who), "nobody saw it")
            assert self._outcome_of(who) == "unconfirmed"
        self.page.open()
        await eventually(lambda: self.page.joined, "the page is there")
        if waited:
            await eventually(lambda: self._outcome_of(who), "it is shown now")
            assert self._shows_of(who), "it was on the page"
        return waited

    async def _shown(self) -> str:
        self.hub.happen("cheer", user_name="mira")
        await eventually(lambda: self._outcome_of("mira"), "it has ended")
        (shown,) = self._shows_of("mira")
        assert shown.until is not None
        assert shown.until - shown.at >= 0.5
        return str(self._outcome_of("mira"))

    async def _skip(self) -> str:
        self.hub.happen("redemption", user_name="zed")
        self.hub.happen("cheer", user_name="next")
        return await self._taken_off("zed", "skip", lambda: self._outcome_of("next"))

    async def _panic(self) -> str:
        self.hub.happen("redemption", user_name="boss")
        self.hub.happen("cheer", user_name="behind")
        return await self._taken_off("boss", "panic", lambda: self._mode == "paused")

    async def _taken_off(self, who: str, verb: str, then: Callable[[], object]) -> str:
        await eventually(lambda: self._shows_of(who), "it is on the page")
        await do(self.supervisor, verb)
        (shown,) = self._shows_of(who)
        await eventually(lambda: shown.until is not None, "it is off the page")
        assert shown.until is not None
        if shown.until > shown.at + REDEMPTION - CLEARLY:
            return "stays until its time ends"
        await eventually(then, "it goes on")
        return "comes back" if who in self._listed() else "goes at once"

    async def _growth(self) -> str:
        self.hub.happen("subscription", user_name="one", is_gift=False, cumulative_months=1)
        await eventually(lambda: self._shows_of("one"), "it is on the page")
        self.hub.happen("subscription", user_name="two", is_gift=False, cumulative_months=1)
        await eventually(lambda: self._shows_of("one")[-1].data["count"] == 2, "it has grown on the page")
        await eventually(lambda: len(self._listed()) == 1, "one of its items is gone")
        gone_at = asyncio.get_running_loop().time()
        first = self._shows_of("one")[0]
        await eventually(lambda: self.page.showing is None, "its time is over")
        counts = [each.data["count"] for each in self._shows_of("one")]
        was_removed = gone_at < first.at + SUB - CLEARLY and counts == sorted(counts)
        return "one item, grown" if was_removed else "the older one comes back"

    async def _bypass(self) -> str:
        self.hub.happen("raid", user_name="raider", viewers=50)
        await eventually(lambda: self._shows_of("raider"), "it is on the page")
        self.hub.happen("follower", user_name="fan")
        await eventually(lambda: self._was_pushed("fan"), "it is pushed")
        beside = self._outcome_of("raider") is None
        await eventually(lambda: self._outcome_of("raider") and self._outcome_of("fan"), "both have ended")
        await eventually(lambda: self.page.showing is None, "both are gone")
        return "beside" if beside else "next in line"

    # What is seen

    @property
    def _mode(self) -> str:
        return alerts(self.supervisor).mode

    def _was_pushed(self, who: str) -> bool:
        return any(each["data"]["who"] == who for each in pushes(self.hub))

    def _shows_of(self, who: str) -> list[Shown]:
        return [each for each in self.page.shown if each.data["who"] == who]

    def _outcome_of(self, who: str) -> str | None:
        found = (each for each in alerts(self.supervisor).recent if getattr(each, "who", None) == who)
        return getattr(next(found, None), "outcome", None)

    def _listed(self) -> list[str]:
        """Whose items the hub has."""
        kept = self.hub.landale
        data = (
            [each["data"] for each in self.hub.show.queue]
            if kept is None
            else [item.data for item in kept.items]
        )
        return [each["who"] for each in data]


@asynccontextmanager
async def trial(case: Case, folder: Path) -> AsyncIterator[Trial]:
    """An engine with the README's settings and its page still closed."""
    async with Hub(seed=1, shows_alerts=False, dialect=case.dialect, passes_on=case.passes_on) as hub:
        telling = asyncio.create_task(_tell_of_pages(hub), name="telemetry of the polite hub")
        settings = folder / "config.toml"
        text = SETTINGS.replace(guide.HUB_URL, hub.url)
        settings.write_text(re.sub(r"(\[alerts.delivery\]\n)", r"\1wait_for_page = true\n", text))
        (folder / "alerts.toml").write_text(RULES)
        read = load_settings(config=str(settings), environ={})
        page = OverlayPage(lambda: hub.url, case.page)
        links = tuple(read.connections.values())
        with kept(folder) as store, running(*links, alerts=read.alerts, alert_store=store) as supervisor:
            await eventually(
                lambda: any(line.text == "alert rules read" for line in supervisor.log().lines), "the rules"
            )
            for topic in ("events:all", "stream:overlays", "dashboard:telemetry"):
                await eventually(lambda topic=topic: state(supervisor, "hub", topic) == "joined", topic)  # type: ignore[misc]  # a default binds it
            try:
                yield Trial(hub, page, supervisor)
            finally:
                supervisor.stop()
                await eventually(supervisor.ended.is_set, "the engine stopped")
                await page.close()
                telling.cancel()


async def _tell_of_pages(hub: Hub) -> None:
    """What the real hub does by itself."""
    while hub.landale is None:
        hub.send_to_topic("dashboard:telemetry", "telemetry_update", telemetry(hub))
        await asyncio.sleep(landale.TELEMETRY_INTERVAL)


async def row(case: Case, folder: Path) -> list[str]:
    """The guide's row of a case."""
    async with trial(case, folder) as found:
        return [case.hub, case.joins_with, *await found.row()]


async def _main() -> int:
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(await row(case, Path(folder)))
    for each in (COLUMNS, ["---"] * len(COLUMNS), *rows):
        print(f"| {' | '.join(each)} |")
    return 0 if [list(COLUMNS), *rows] == guide.table(HEADING) else 1


if __name__ == "__main__":
    landale.TELEMETRY_INTERVAL = 0.3
    sys.exit(asyncio.run(_main()))
