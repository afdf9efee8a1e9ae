"""What was left on the overlays: taken off late, by the next run too, and not at the cost of others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.engine.alerts.scene import (
    alerts,
    do,
    engine,
    kept,
    on_air,
    outcomes,
    page,
    pushes,
    rows,
    state,
)
from tests.engine.alerts.test_clearing import BY_ITEM, STAYS, told
from tests.engine.conftest import eventually
from tui.demo.channel import Reply, Stop
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import Overlays, Queue
from tui.engine.supervisor import Supervisor


class TakingOff(Queue):
    """Takes off whatever is shown, on a topic of its own, which may be joined late and answer late."""

    may_join: ClassVar[asyncio.Event]
    may_answer: ClassVar[asyncio.Event]

    async def join(self, params: Any) -> Any:
        await self.may_join.wait()
        return await super().join(params)

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event != "take_off":
            return await super().handle_in(event, payload)
        await self.may_answer.wait()
        self.hub.show.clear_forced()
        await self.hub.broadcast("stream:overlays", "takeover_clear", {})
        return self.success({})


BESIDE = {"clear_topic": "stream:queue", "clear_event": "take_off", "clear_payload": {"id": "{id}"}}
ALL_BESIDE = BESIDE | {"clear_payload": {}}
IMPATIENT = {"timeout": 0.5}
FAILED = "cheer of mira could not be taken off the overlays: "


@pytest.fixture
def door(hub: Hub) -> type[TakingOff]:
    TakingOff.may_join, TakingOff.may_answer = asyncio.Event(), asyncio.Event()
    TakingOff.may_join.set()
    TakingOff.may_answer.set()
    hub.on("stream:queue", TakingOff)
    return TakingOff


async def left_behind(supervisor: Supervisor, hub: Hub, *behind: str) -> str:
    """The id of an alert that was on the air when the link went; those of others wait behind it."""
    hub.happen("cheer", user_name="mira")
    await eventually(lambda: on_air(supervisor), "on the air")
    for who in behind:
        hub.happen("cheer", user_name=who)
    await eventually(lambda: len(alerts(supervisor).waiting) == len(behind), "the others wait")
    number = getattr(alerts(supervisor).playing, "id", "")
    hub.faults.refuse()
    hub.faults.drop_all()
    await eventually(lambda: len(alerts(supervisor).waiting) == 1 + len(behind), "it waits again")
    return number


def showing(overlay: OverlayPage) -> str | None:
    return None if overlay.showing is None else overlay.showing.data["who"]


def playing(supervisor: Supervisor, who: str, phase: str = "on air") -> bool:
    found = alerts(supervisor).playing
    return found is not None and (found.who, found.phase) == (who, phase)


async def said(supervisor: Supervisor, words: str) -> None:
    await eventually(lambda: any(text.startswith(words) for text in told(supervisor)), f"said: {words}")


async def test_what_is_shown_now_outlives_what_is_taken_off_late(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=ALL_BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        number = await left_behind(supervisor, hub, "zed")
        await do(supervisor, "remove", id=number)
        door.may_join.clear()
        await hub.faults.accept()
        await eventually(lambda: playing(supervisor, "zed", "sending"), "pushed behind the join")
        await eventually(lambda: overlay.joined, "the page is back")
        assert not overlay.clears
        door.may_join.set()
        await eventually(lambda: overlay.clears and showing(overlay) == "zed", "wiped, and shown again")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed", "zed"]


async def test_what_is_shown_before_the_hub_has_taken_off_the_last_is_shown_again(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=ALL_BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        hub.happen("cheer", user_name="zed")
        door.may_answer.clear()
        await do(supervisor, "skip")
        await eventually(lambda: playing(supervisor, "zed"), "the next")
        door.may_answer.set()
        await eventually(lambda: overlay.clears and showing(overlay) == "zed", "wiped, and shown again")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed", "zed"]


async def test_what_was_brought_back_is_not_taken_off(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        number = await left_behind(supervisor, hub)
        await do(supervisor, "remove", id=number)
        await do(supervisor, "undo")
        door.may_join.clear()
        await hub.faults.accept()
        await eventually(lambda: playing(supervisor, "mira"), "on the air again")
        door.may_join.set()
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        await eventually(lambda: overlay.joined, "the page is back")
        # What would take it off goes the same way before this.
        await do(supervisor, "skip")
        await eventually(lambda: outcomes(supervisor) == [("mira", "skipped")], "skipped")
        await eventually(lambda: overlay.clears, "taken off")
        assert len(overlay.clears) == 1


@pytest.mark.parametrize("verb", ["panic", "remove"])
async def test_the_next_run_takes_off_what_the_last_could_not(hub: Hub, tmp_path: Path, verb: str) -> None:
    async with page(hub) as overlay:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS) as supervisor:
                number = await left_behind(supervisor, hub)
                await do(supervisor, verb, **({"id": number} if verb == "remove" else {}))
                await eventually(lambda: outcomes(supervisor) == [("mira", "removed")], "ended")
        await hub.faults.accept()
        await eventually(lambda: overlay.joined, "the page is back")
        assert hub.show.stream_state()["active_content"] is not None
        for run in (2, 3):
            with kept(tmp_path) as store:
                async with engine(hub, tmp_path, store, rules=STAYS) as supervisor:
                    await eventually(lambda: hub.show.stream_state()["active_content"] is None, "taken off")
                    await eventually(lambda: overlay.showing is None, "the page is empty")
                    if run == 2:
                        await said(supervisor, "cheer of mira was taken off the overlays")
                    assert alerts(supervisor).mode == ("paused" if verb == "panic" else "idle"), run
        assert len(overlay.clears) == 1, "once, not at every start"
        assert [each.outcome for each in rows(tmp_path)] == ["removed"]


async def test_the_next_run_says_so_when_it_cannot_know_the_hubs_own_id(hub: Hub, tmp_path: Path) -> None:
    async with page(hub):
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=BY_ITEM) as supervisor:
                await left_behind(supervisor, hub)
                await do(supervisor, "panic")
        await hub.faults.accept()
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=BY_ITEM) as supervisor:
                await said(supervisor, f"{FAILED}the hub has not told its data.id")


class Forgetful(Overlays):
    """Neither does nor answers the first of what is to be taken off."""

    left: ClassVar[int]

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "takeover_clear" and Forgetful.left:
            Forgetful.left -= 1
            return None
        return await super().handle_in(event, payload)


@pytest.mark.parametrize(("lost", "taken_off"), [(2, True), (9, False)])
async def test_what_the_hub_does_not_answer_is_taken_off_by_another_try(
    hub: Hub, tmp_path: Path, lost: int, taken_off: bool
) -> None:
    Forgetful.left = lost
    hub.on("stream:overlays", Forgetful)
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=IMPATIENT) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        await do(supervisor, "panic")
        if taken_off:
            await eventually(lambda: overlay.clears, "taken off")
            assert not any(text.startswith(FAILED) for text in told(supervisor))
        else:
            await said(supervisor, FAILED)
            assert Forgetful.left == lost - 3


class Mute(Overlays):
    """Takes off what it is asked to, and never says so."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        reply = await super().handle_in(event, payload)
        return None if event == "takeover_clear" else reply


async def test_a_hub_that_never_answers_does_not_have_the_next_wiped_off(hub: Hub, tmp_path: Path) -> None:
    hub.on("stream:overlays", Mute)
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=IMPATIENT) as supervisor:
        for who in ("mira", "zed"):
            hub.happen("cheer", user_name=who)
        await eventually(lambda: on_air(supervisor) and alerts(supervisor).waiting, "on the air")
        await do(supervisor, "skip")
        await said(supervisor, FAILED)
        assert (len(overlay.clears), showing(overlay)) == (1, "zed")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed"]
