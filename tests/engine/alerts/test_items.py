"""What is taken off by the hub's own ids: each item, whichever run and settings it was made under."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.engine.alerts.scene import (
    LIMIT,
    alerts,
    do,
    engine,
    kept,
    on_air,
    outcomes,
    page,
    pushes,
    reload,
    state,
)
from tests.engine.alerts.test_clearing import BY_ITEM, STAYS, told
from tests.engine.alerts.test_left import REMOVAL, left_behind, on_page, playing, said, showing
from tests.engine.conftest import eventually
from tui.alerts import persistence as alert_keeping
from tui.alerts.alert import Alert, encode
from tui.alerts.store import AlertStore
from tui.alerts.store_file import Row
from tui.demo.channel import Reply, Stop
from tui.demo.hub import Hub
from tui.demo.topics import Overlays, Queue
from tui.engine.supervisor import Supervisor


def ended_row(number: int, at: float) -> Row:
    """An alert that an earlier run showed by an item of the hub."""
    alert = Alert(
        id=f"{number:020}", type="cheer", accepted_at=at, state="ended", outcome="shown", sent_at=at,
        ended_at=at + 5, duration=5.0, tries=1,
    )  # fmt: skip
    return Row(alert.id, False, "cheer", "shown", at + 5, encode(alert))


def is_there(supervisor: Supervisor) -> bool:
    return all(state(supervisor, "stage", topic) == "joined" for topic in ("stream:overlays", "stream:queue"))


async def test_the_next_run_does_not_take_off_what_was_brought_back(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with page(hub) as overlay:
        with kept(tmp_path) as store:
            async with engine(hub, tmp_path, store, rules=STAYS, delivery=BY_ITEM) as supervisor:
                await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
                await do(supervisor, "remove", id=await left_behind(supervisor, hub))
                await do(supervisor, "undo")
        assert [each.get("off", False) for each in on_page(tmp_path)] == [False], "it may be there by right"
        await hub.faults.accept()
        await eventually(lambda: overlay.joined, "the page is back")
        monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
        late = AlertStore(tmp_path / "alerts.sqlite")
        async with engine(hub, tmp_path, late, rules=STAYS, delivery=BY_ITEM) as supervisor:
            await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
            late.start()
            await eventually(lambda: playing(supervisor, "mira"), "on the air again")
            assert (playing(supervisor, "mira"), showing(overlay)) == (True, "mira")
            removed = [each.frame.payload["id"] for each in hub.received if each.frame.event == REMOVAL]
            assert hub.show.queue
            assert hub.show.queue[0]["id"] not in removed
        assert late.close(LIMIT)


async def test_settings_that_went_elsewhere_and_back_forget_nothing(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: is_there(supervisor), "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor) and hub.show.queue, "on the air")
        # Joined as it is, since a join under another name would end what plays.
        await reload(supervisor, hub, tmp_path, BY_ITEM | {"topic": "stream:queue", "join_as": {}})
        await reload(supervisor, hub, tmp_path, BY_ITEM)
        await do(supervisor, "skip")
        await eventually(lambda: overlay.showing is None, "taken off")
        await eventually(lambda: outcomes(supervisor) == [("mira", "skipped")], "skipped")
        assert not any("could not be taken off" in text for text in told(supervisor))


class DiskHealth(Overlays):
    """Makes another item of each push."""

    items: ClassVar[list[str]] = []
    numbers: ClassVar[itertools.count[int]] = itertools.count()

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event != "force_content":
            return await super().handle_in(event, payload)
        DiskHealth.items.append(f"item {next(DiskHealth.numbers)}")
        return self.success({"id": DiskHealth.items[-1]})


class Removing(Queue):
    """Removes an item, when it is let; may drop the link after it."""

    cuts: ClassVar[int] = 0
    may_remove: ClassVar[asyncio.Event]

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event != REMOVAL:
            return await super().handle_in(event, payload)
        await self.may_remove.wait()
        if payload["id"] not in DiskHealth.items:
            return self.failure("not_found", "no such queue item")
        DiskHealth.items.remove(payload["id"])
        if Removing.cuts:
            Removing.cuts -= 1
            asyncio.get_running_loop().call_soon(self.hub.faults.drop_all)
        return self.success({})


@pytest.fixture
def keeping(hub: Hub) -> type[Removing]:
    DiskHealth.items, Removing.cuts, Removing.may_remove = [], 0, asyncio.Event()
    Removing.may_remove.set()
    hub.on("stream:overlays", DiskHealth)
    hub.on("stream:queue", Removing)
    return Removing


async def test_each_item_is_taken_off_though_the_link_goes_between_two(
    hub: Hub, tmp_path: Path, keeping: type[Removing]
) -> None:
    keeping.cuts = 1
    async with engine(hub, tmp_path, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: is_there(supervisor), "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: playing(supervisor, "mira"), "on the air")
        hub.faults.drop_all()
        await eventually(lambda: len(DiskHealth.items) == 2 and playing(supervisor, "mira"), "again")
        await eventually(lambda: is_there(supervisor), "joined")
        await do(supervisor, "skip")
        await eventually(lambda: not DiskHealth.items, "both are taken off")
        assert keeping.cuts == 0


async def test_an_item_that_the_hub_would_not_remove_is_asked_for_no_more(
    hub: Hub, tmp_path: Path, keeping: type[Removing]
) -> None:
    async with engine(hub, tmp_path, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: is_there(supervisor), "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: playing(supervisor, "mira"), "on the air")
        DiskHealth.items.clear()
        await do(supervisor, "pause")
        await do(supervisor, "remove", id=getattr(alerts(supervisor).playing, "id", ""))
        await said(supervisor, "cheer of mira: the hub removed nothing: ")
        assert not any("could not be taken off" in text for text in told(supervisor))
        asked = sum(each.frame.event == REMOVAL for each in hub.received)
        await do(supervisor, "undo")
        await do(supervisor, "clear", type=None)
        await do(supervisor, "undo")
        assert await do(supervisor, "panic") == "paused; nothing to take off; 1 removed"
        await eventually(lambda: outcomes(supervisor)[-1:] == [("mira", "removed")], "removed")
        assert sum(each.frame.event == REMOVAL for each in hub.received) == asked


async def test_two_removals_of_one_alert_do_not_meet(
    hub: Hub, tmp_path: Path, keeping: type[Removing], caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(hub, tmp_path, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: is_there(supervisor), "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: playing(supervisor, "mira"), "on the air")
        keeping.may_remove.clear()
        await do(supervisor, "remove", id=getattr(alerts(supervisor).playing, "id", ""))
        await eventually(lambda: any(each.frame.event == REMOVAL for each in hub.received), "asked")
        await do(supervisor, "undo")
        keeping.may_remove.set()
        await eventually(lambda: len(pushes(hub)) == 2 and playing(supervisor, "mira"), "again")
        await do(supervisor, "skip")
        await eventually(lambda: not DiskHealth.items, "both are taken off")
        await eventually(lambda: outcomes(supervisor)[-1:] == [("mira", "skipped")], "skipped")
    asked = [each.frame.payload["id"] for each in hub.received if each.frame.event == REMOVAL]
    assert len(asked) == len(set(asked)) == 2
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_a_late_store_tells_of_pushes_no_item_out(
    hub: Hub, tmp_path: Path, keeping: type[Removing]
) -> None:
    now = time.time()
    with kept(tmp_path) as store:
        store.put([ended_row(number, now - 300 + number) for number in range(200)])
    late = AlertStore(tmp_path / "alerts.sqlite")
    async with engine(hub, tmp_path, late, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: is_there(supervisor), "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: playing(supervisor, "mira"), "on the air")
        late.start()
        await eventually(lambda: alerts(supervisor).store is None and late.restored.done(), "it has told")
        await do(supervisor, "skip")
        await eventually(lambda: not DiskHealth.items, "taken off")
    assert late.close(LIMIT)
