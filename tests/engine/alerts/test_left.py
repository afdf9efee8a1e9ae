"""What was left on the overlays: taken off late, by the next run too, and not at the cost of others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from concurrent.futures import Future
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
    reload,
    rows,
    state,
)
from tests.engine.alerts.test_clearing import BY_ITEM, STAYS, told
from tests.engine.conftest import eventually
from tui.alerts import persistence as alert_keeping
from tui.alerts.dispatcher import MOST_LOSSES
from tui.alerts.store import StoreError
from tui.demo.channel import Crash, Reply, Stop
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


class TakingOffOne(TakingOff):
    """Takes off what is named, if that is shown."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "take_off":
            await self.may_answer.wait()
            active = self.hub.show.stream_state()["active_content"]
            if active is None or active["data"]["id"] != payload["id"]:
                return self.success({})
        return await super().handle_in(event, payload)


BESIDE = {"clear_topic": "stream:queue", "clear_event": "take_off", "clear_payload": {"id": "{id}"}}
ALL_BESIDE = BESIDE | {"clear_payload": {}}
REMOVAL = "remove_queue_item"
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


def on_page(folder: Path) -> list[Any]:
    """What may stand on the overlays, as the store's file has it."""
    with contextlib.closing(sqlite3.connect(folder / "alerts.sqlite")) as file:
        ((data,),) = file.execute("SELECT data FROM alerts WHERE id = '(standing)'")
    found: list[Any] = json.loads(data)["page"]
    return found


def asked(hub: Hub, event: str) -> int:
    """How often the hub was asked."""
    return sum(each.frame.event == event for each in hub.received)


async def said(supervisor: Supervisor, words: str) -> None:
    await eventually(lambda: any(text.startswith(words) for text in told(supervisor)), f"said: {words}")


async def test_nothing_is_shown_before_what_was_left_is_taken_off(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=ALL_BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        number = await left_behind(supervisor, hub, "zed")
        await do(supervisor, "remove", id=number)
        door.may_join.clear()
        await hub.faults.accept()
        await eventually(lambda: overlay.joined, "the page is back")
        await eventually(lambda: alerts(supervisor).mode == "playing", "the overlays are back")
        assert not overlay.clears
        door.may_join.set()
        await eventually(lambda: overlay.clears and showing(overlay) == "zed", "wiped, and the next")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed"]


async def test_the_next_begins_when_the_hub_has_taken_off_the_last(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=ALL_BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        hub.happen("cheer", user_name="zed")
        door.may_answer.clear()
        await do(supervisor, "skip")
        await eventually(lambda: asked(hub, "take_off"), "asked")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira"]
        door.may_answer.set()
        await eventually(lambda: playing(supervisor, "zed") and showing(overlay) == "zed", "the next")
        await said(supervisor, "cheer of mira was taken off the overlays")
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed"]


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


@pytest.mark.parametrize("delivery", [{}, BY_ITEM], ids=["all", "by item"])
@pytest.mark.parametrize("verb", ["panic", "remove"])
async def test_the_next_run_takes_off_what_the_last_could_not(
    hub: Hub, tmp_path: Path, verb: str, delivery: dict[str, Any]
) -> None:
    async with page(hub) as overlay:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=delivery) as supervisor:
                number = await left_behind(supervisor, hub)
                await do(
                    supervisor,
                    verb,
                    **({"id": number} if verb == "remove" else {"type": None} if verb == "clear" else {}),
                )
                await eventually(lambda: outcomes(supervisor) == [("mira", "removed")], "ended")
        await hub.faults.accept()
        await eventually(lambda: overlay.joined, "the page is back")
        assert hub.show.stream_state()["active_content"] is not None
        for run in (2, 3):
            with kept(tmp_path) as store:
                async with engine(hub, tmp_path, store, rules=STAYS, delivery=delivery) as supervisor:
                    await eventually(lambda: hub.show.stream_state()["active_content"] is None, "taken off")
                    await eventually(lambda: overlay.showing is None, "the page is empty")
                    if run == 2:
                        await said(supervisor, "cheer of mira was taken off the overlays")
                    assert alerts(supervisor).mode == ("paused" if verb == "panic" else "idle"), run
        events = [each.frame.event for each in hub.received]
        assert events.count(REMOVAL if delivery else "takeover_clear") == 1, "once, not at every start"
        assert [each.outcome for each in rows(tmp_path)] == ["removed"]


class Untelling(Overlays):
    """Tells the page alone what is on the overlays."""

    async def after_join(self) -> None:
        if self.page == "takeover":
            await super().after_join()

    async def _note_state(self) -> None:
        for channel in self.hub.channels(self.topic):
            if isinstance(channel, Overlays) and channel.page == "takeover":
                channel.push("stream_state", self.hub.show.stream_state())


class Untold(Untelling):
    """Does not say what it made of an alert either."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        reply = await super().handle_in(event, payload)
        return self.success({}) if event == "force_content" else reply


class Shut(Queue):
    """Tells nobody what it holds."""

    async def after_join(self) -> None:
        return


async def test_the_next_run_says_so_when_it_cannot_know_the_hubs_own_id(hub: Hub, tmp_path: Path) -> None:
    untold = BY_ITEM | {"reply_id": "data.nothing"}
    hub.on("stream:overlays", Untold)
    hub.on("stream:queue", Shut)
    async with page(hub):
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=untold) as supervisor:
                await left_behind(supervisor, hub)
                await do(supervisor, "panic")
        await hub.faults.accept()
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=untold) as supervisor:
                await said(supervisor, f"{FAILED}the hub has not told its data.nothing")


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


class SlowToShow(Overlays):
    """Deals with content when it is let."""

    may_show: ClassVar[asyncio.Event]

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "force_content":
            await SlowToShow.may_show.wait()
        return await super().handle_in(event, payload)


class Mute(Untelling):
    """Takes off what it is asked to, and never says so."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        reply = await super().handle_in(event, payload)
        return None if event == "takeover_clear" else reply


async def test_a_hub_that_never_answers_has_the_next_wait_for_the_end_of_the_last(
    hub: Hub, tmp_path: Path
) -> None:
    hub.on("stream:overlays", Mute)
    hub.faults.refuse_join("stream:queue", response={"reason": "nobody is told"})
    rules = STAYS.replace("20.0", "3.0")
    async with page(hub) as overlay, engine(hub, tmp_path, rules=rules, delivery=IMPATIENT) as supervisor:
        for who in ("mira", "zed"):
            hub.happen("cheer", user_name=who)
        await eventually(lambda: on_air(supervisor) and alerts(supervisor).waiting, "on the air")
        await do(supervisor, "skip")
        await eventually(lambda: overlay.clears, "asked")
        await eventually(lambda: showing(overlay) == "zed", "the next")
        first, second = overlay.shown
        assert second.at - first.at >= 3.0
        assert [each["data"]["who"] for each in pushes(hub)] == ["mira", "zed"]


class Crashing(Untelling):
    """As Phoenix does with an event for which there is no clause."""

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "takeover_clear":
            raise Crash("no function clause")
        return await super().handle_in(event, payload)


async def test_a_hub_that_knows_no_such_event_is_not_asked_for_ever(hub: Hub, tmp_path: Path) -> None:
    hub.on("stream:overlays", Crashing)
    rules = STAYS.replace("20.0", "5.0")
    async with page(hub), engine(hub, tmp_path, rules=rules) as supervisor:
        for who in ("mira", "zed"):
            hub.happen("cheer", user_name=who)
        await eventually(lambda: on_air(supervisor) and alerts(supervisor).waiting, "on the air")
        await do(supervisor, "skip")
        await said(supervisor, FAILED)
        await eventually(lambda: playing(supervisor, "zed"), "the next")
        clears = [each for each in hub.received if each.frame.event == "takeover_clear"]
        assert len(clears) == MOST_LOSSES


async def test_one_clear_goes_out_for_all_that_it_wipes_off(hub: Hub, tmp_path: Path) -> None:
    hub.on("stream:overlays", Crashing)
    hub.faults.refuse_join("stream:queue", response={"reason": "nobody is told"})
    async with page(hub), engine(hub, tmp_path, rules=STAYS) as supervisor:
        hub.happen("cheer", user_name="mira")
        for number in range(3):
            hub.happen("raid", user_name=f"raider {number}")
        await eventually(lambda: on_air(supervisor) and len(alerts(supervisor).beside) == 3, "on the air")
        await do(supervisor, "panic")
        await said(supervisor, "4 alerts could not be taken off the overlays: ")
        assert sum(each.frame.event == "takeover_clear" for each in hub.received) == MOST_LOSSES
        # Whoever asks once more is heard.
        assert (await do(supervisor, "panic")).startswith("paused; ")
        await eventually(lambda: asked(hub, "takeover_clear") > MOST_LOSSES, "asked again")


class SlowToClear(Untelling):
    """Takes off what it is asked to when it is let."""

    may_clear: ClassVar[asyncio.Event]

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "takeover_clear":
            await self.may_clear.wait()
        return await super().handle_in(event, payload)


async def test_a_hub_that_takes_its_time_is_asked_once(hub: Hub, tmp_path: Path) -> None:
    SlowToClear.may_clear = asyncio.Event()
    hub.on("stream:overlays", SlowToClear)
    hub.faults.refuse_join("stream:queue", response={"reason": "nobody is told"})
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS) as supervisor:
        hub.happen("cheer", user_name="mira")
        hub.happen("raid", user_name="zed")
        await eventually(lambda: on_air(supervisor) and alerts(supervisor).beside, "on the air")
        await do(supervisor, "panic")
        await eventually(lambda: len(outcomes(supervisor)) == 2, "ended")
        # Whatever is told meanwhile makes it look anew.
        await do(supervisor, "mute", type="follow", seconds=60.0)
        await do(supervisor, "mute", type="sub", seconds=60.0)
        SlowToClear.may_clear.set()
        await said(supervisor, "2 alerts were taken off the overlays")
        await eventually(lambda: overlay.showing is None, "the page is empty")
        assert len(overlay.clears) == 1


async def test_what_could_not_be_taken_off_is_by_a_panic(hub: Hub, tmp_path: Path) -> None:
    Forgetful.left = 9
    hub.on("stream:overlays", Forgetful)
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=IMPATIENT) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        await do(supervisor, "skip")
        await said(supervisor, FAILED)
        Forgetful.left = 0
        assert await do(supervisor, "panic") == "paused; asked to take 1 off"
        await eventually(lambda: overlay.clears and overlay.showing is None, "taken off")


async def test_what_stays_since_there_is_no_delivery_any_more_is_told(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS) as supervisor:
        await do(supervisor, "remove", id=await left_behind(supervisor, hub))
        await reload(supervisor, hub, tmp_path, None)
        await said(supervisor, "1 alert stays on the overlays until there is a delivery again")
        await hub.faults.accept()
        await eventually(lambda: showing(overlay) == "mira" and overlay.joined, "the page is back")
        await reload(supervisor, hub, tmp_path, {})
        await said(supervisor, "cheer of mira was taken off the overlays")


@pytest.mark.parametrize("kind", [TakingOff, TakingOffOne])
async def test_nothing_is_taken_off_before_the_hub_has_dealt_with_it(
    hub: Hub, tmp_path: Path, door: type[TakingOff], kind: type[TakingOff]
) -> None:
    SlowToShow.may_show = asyncio.Event()
    hub.on("stream:overlays", SlowToShow)
    hub.on("stream:queue", kind)
    delivery = ALL_BESIDE if kind is TakingOff else BESIDE
    async with (
        page(hub) as overlay,
        engine(hub, tmp_path, rules=STAYS.replace("20.0", "5.0"), delivery=delivery) as supervisor,
    ):
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: pushes(hub), "pushed")
        await do(supervisor, "skip")
        SlowToShow.may_show.set()
        await eventually(lambda: overlay.shown and overlay.showing is None, "shown, and taken off")
        await eventually(lambda: outcomes(supervisor) == [("mira", "skipped")], "skipped")


async def test_what_was_brought_back_is_shown_once_the_hub_has_taken_it_off(
    hub: Hub, tmp_path: Path, door: type[TakingOff]
) -> None:
    hub.on("stream:queue", TakingOffOne)
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=BESIDE) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        door.may_answer.clear()
        await do(supervisor, "remove", id=getattr(alerts(supervisor).playing, "id", ""))
        await eventually(lambda: asked(hub, "take_off"), "asked")
        await do(supervisor, "undo")
        assert len(pushes(hub)) == 1
        door.may_answer.set()
        await eventually(lambda: len(pushes(hub)) == 2 and playing(supervisor, "mira"), "on the air again")
        await eventually(lambda: overlay.clears and showing(overlay) == "mira", "there again")


async def test_what_was_left_is_sought_until_the_store_tells_of_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with page(hub) as overlay:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS) as supervisor:
                await left_behind(supervisor, hub)
                await do(supervisor, "panic")
        await hub.faults.accept()
        await eventually(lambda: overlay.joined, "the page is back")
        # It ended longer ago than what the store tells of by itself, and the disk is in trouble.
        monkeypatch.setattr(alert_keeping, "QUESTION_LIMIT", 0.1)
        with kept(tmp_path, seen_window=0.0) as store:
            find, asked = store.find, list[str]()

            def find_later(id: str) -> Any:
                asked.append(id)
                if len(asked) < 3:
                    refused: Any = Future()
                    refused.set_exception(StoreError("I/O error"))
                    return refused
                return find(id)

            monkeypatch.setattr(store, "find", find_later)
            async with engine(hub, tmp_path, store, rules=STAYS) as supervisor:
                await said(supervisor, "cheer of mira was taken off the overlays")
                assert len(asked) == 3
                assert overlay.clears
