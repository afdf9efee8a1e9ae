"""What is taken off the overlays, whatever becomes of the link, the settings and the hub's own items."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.engine.alerts.scene import (
    LIMIT,
    LONG,
    alerts,
    do,
    engine,
    kept,
    listed,
    on_air,
    on_every_hub,
    outcomes,
    page,
    pushes,
    reload,
    state,
)
from tests.engine.conftest import eventually
from tui.alerts import persistence as alert_keeping
from tui.alerts import store_file as alert_file
from tui.demo.channel import Reply, Stop
from tui.demo.hub import Hub
from tui.demo.topics import Overlays
from tui.engine.supervisor import Supervisor

STAYS = "".join(
    f"[[rule]]\ntype = '{type}'\nduration = 20.0\nbypass = {bypass}\ncollapse = 0\n"
    for type, bypass in (("cheer", "false"), ("raid", "true"))
)
BY_ITEM = {
    "clear_event": "remove_queue_item",
    "clear_topic": "stream:queue",
    "clear_payload": {"id": "{reply_id}"},
}


def told(supervisor: Supervisor) -> list[str]:
    return [line.text for line in supervisor.log().lines]


@on_every_hub
@pytest.mark.parametrize("verb", ["panic", "remove", "clear"])
async def test_what_could_not_be_taken_off_is_when_the_link_is_back(
    hub: Hub, tmp_path: Path, verb: str
) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        number = getattr(alerts(supervisor).playing, "id", "")
        hub.faults.refuse()
        hub.faults.drop_all()
        await eventually(lambda: alerts(supervisor).waiting, "it waits again")
        words = await do(
            supervisor,
            verb,
            **({"id": number} if verb == "remove" else {"type": None} if verb == "clear" else {}),
        )
        assert "taken off when the overlays are there again" in words
        await eventually(lambda: outcomes(supervisor) == [("mira", "removed")], "ended")
        await hub.faults.accept()
        await eventually(lambda: not listed(hub), "taken off")
        await eventually(lambda: overlay.joined and overlay.showing is None, "the page is empty")
        assert len(pushes(hub)) == 1


async def test_what_was_never_pushed_is_not_said_to_stay(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_keeping, "ANSWER_LIMIT", LIMIT)
    gate, write = threading.Event(), alert_file.AlertFile.write

    def slow(self: Any, rows: Any) -> Any:
        if any(b'"playing"' in row.data for row in rows):
            assert gate.wait(LIMIT)
        return write(self, rows)

    monkeypatch.setattr(alert_file.AlertFile, "write", slow)
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store, rules=STAYS, delivery=BY_ITEM) as supervisor:
            hub.happen("cheer", user_name="mira")
            await eventually(lambda: alerts(supervisor).playing, "on its way")
            skipping = asyncio.ensure_future(do(supervisor, "skip"))
            await eventually(lambda: outcomes(supervisor), "skipped")
            gate.set()
            assert (await skipping).startswith("skipped cheer of mira")
            hub.happen("raid", user_name="zed")
            await eventually(lambda: pushes(hub), "the next")
            assert [each["data"]["who"] for each in pushes(hub)] == ["zed"]
            assert not any("taken off" in text for text in told(supervisor))


async def test_a_reload_forgets_neither_what_is_shown_nor_where(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS, delivery=BY_ITEM) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        await reload(supervisor, hub, tmp_path, BY_ITEM | {"timeout": 4.0})
        assert await do(supervisor, "skip") == "skipped cheer of mira; asked to take it off"
        await eventually(lambda: overlay.showing is None and not hub.show.queue, "taken off")
        await eventually(lambda: outcomes(supervisor) == [("mira", "skipped")], "skipped")
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: on_air(supervisor), "the next")
        await reload(supervisor, hub, tmp_path, None)
        words = "skipped cheer of zed; it cannot be taken off the overlay, where it stays until its time ends"
        assert await do(supervisor, "skip") == words
        assert overlay.showing is not None
        assert not any("could not be taken off" in text for text in told(supervisor))


async def test_what_can_be_taken_off_no_more_is_told_once(hub: Hub, tmp_path: Path) -> None:
    async with page(hub), engine(hub, tmp_path, rules=STAYS.replace("20.0", "5.0")) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        hub.faults.refuse()
        hub.faults.drop_all()
        await eventually(lambda: alerts(supervisor).waiting, "it waits again")
        await do(supervisor, "clear", type=None)
        await reload(supervisor, hub, tmp_path, {"clear_event": None})
        await hub.faults.accept()
        why = "the hub has nothing that takes an alert off"
        words = f"cheer of mira could not be taken off the overlays: {why}"
        await eventually(lambda: words in told(supervisor), "told")
        await eventually(lambda: state(supervisor, "events", "events:all") == "joined", "events come again")
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: on_air(supervisor), "goes on")
        assert sum("taken off" in text for text in told(supervisor)) <= 2, "when it was left, and now"


class Busy(Overlays):
    """Refuses the pushes whose number is named."""

    refused: ClassVar[set[int]] = {3}
    pushed: ClassVar[int] = 0

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "force_content":
            Busy.pushed += 1
            if Busy.pushed in self.refused:
                return self.failure("rate_limited", "slow down")
        return await super().handle_in(event, payload)


async def test_what_was_wiped_off_is_pushed_until_it_is_there(hub: Hub, tmp_path: Path) -> None:
    Busy.pushed = 0
    hub.on("stream:overlays", Busy)
    async with page(hub) as overlay, engine(hub, tmp_path, rules=STAYS) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        hub.happen("raid", user_name="zed")
        await eventually(lambda: any(each.confirmed for each in alerts(supervisor).beside), "beside")
        await do(supervisor, "remove", id=alerts(supervisor).beside[0].id)
        await eventually(lambda: len(pushes(hub)) == 4, "tried again")
        await eventually(lambda: getattr(overlay.showing, "data", {}).get("who") == "mira", "there again")
        assert not any("could not be shown" in text for text in told(supervisor))


class Slow(Overlays):
    """Takes content at once, and answers when it is let."""

    answers: ClassVar[asyncio.Event]

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        reply = await super().handle_in(event, payload)
        if event == "force_content":
            await self.answers.wait()
        return reply


async def test_what_is_taken_off_by_the_hubs_own_id_is_so_when_the_hub_has_told_it(
    hub: Hub, tmp_path: Path
) -> None:
    Slow.answers = asyncio.Event()
    hub.on("stream:overlays", Slow)
    by_item = {
        "clear_event": "remove_queue_item",
        "clear_topic": "stream:queue",
        "clear_payload": {"id": "{reply_id}"},
    }
    async with engine(hub, tmp_path, rules=LONG, delivery=by_item) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: hub.show.queue, "in the hub's queue")
        await do(supervisor, "skip")
        assert hub.show.queue
        Slow.answers.set()
        await eventually(lambda: not hub.show.queue, "taken out")
        await eventually(lambda: outcomes(supervisor) == [("mira", "skipped")], "skipped")
        (removal,) = [each for each in hub.received if each.frame.event == "remove_queue_item"]
        assert removal.frame.payload["id"]
        # A hub that never told it is asked for nothing, and this is said.
        Slow.answers.clear()
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: hub.show.queue, "in the hub's queue")
        await do(supervisor, "skip")
        hub.faults.drop_all()
        words = "cheer of zed could not be taken off the overlays: the hub has not told its data.id"
        await eventually(lambda: any(words in line.text for line in supervisor.log().lines), "told")


async def test_what_is_wiped_off_with_another_is_shown_again(hub: Hub, tmp_path: Path) -> None:
    rules = LONG + "[[rule]]\ntype = 'follow'\nbypass = true\ncollapse = 0\nduration = 20.0\n"
    async with page(hub) as overlay, engine(hub, tmp_path, rules=rules) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        hub.happen("follower", user_name="zed")
        await eventually(lambda: len(overlay.shown) == 2, "beside it")
        await eventually(lambda: any(each.confirmed for each in alerts(supervisor).beside), "confirmed")
        await do(supervisor, "remove", id=alerts(supervisor).beside[0].id)
        await eventually(lambda: len(overlay.clears) == 1 and len(overlay.shown) == 3, "cleared, and again")
        assert [each.data["who"] for each in overlay.shown] == ["mira", "zed", "mira"]
        assert overlay.showing is not None
        await eventually(lambda: len(outcomes(supervisor)) == 2, "over")
        assert outcomes(supervisor) == [("zed", "removed"), ("mira", "shown")]
