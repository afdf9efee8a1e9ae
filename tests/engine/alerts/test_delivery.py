"""The alert queue on a real hub and a real overlay page: what becomes of each alert."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.alerts.scene import (
    LIMIT,
    LONG,
    SHORT,
    Deaf,
    Refusing,
    Silent,
    alert_options,
    alerts,
    connections,
    do,
    engine,
    history,
    kept,
    last,
    listed,
    on_air,
    on_every_hub,
    outcomes,
    page,
    page_later,
    pushes,
    rows,
    state,
)
from tests.engine.conftest import connection, eventually
from tui.alerts import overlay_hub as alert_hub
from tui.alerts.endings import ONLY_LISTED
from tui.alerts.options import DeliveryOptions
from tui.demo.hub import Hub
from tui.demo.overlay import OverlayPage
from tui.demo.topics import Overlays, telemetry
from tui.engine import loop as loop_module
from tui.engine.components import ComponentOptions
from tui.model.alerts import AlertSummary, SourceAway


@on_every_hub
async def test_one_at_a_time_acknowledged_skipped_and_kept(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with page(hub) as overlay, engine(hub, tmp_path, store) as supervisor:
            for name in ("mira", "zed", "avalon"):
                hub.happen("cheer", user_name=name, bits=100)
            await eventually(lambda: len(overlay.shown) == 2, "the second is shown")
            # Beyond its own time only if the first one's time had been counted from its arrival.
            assert overlay.shown[1].at - overlay.shown[0].at >= 0.75
            await eventually(lambda: getattr(alerts(supervisor).playing, "who", "") == "zed", "zed plays")
            assert "skipped" in await do(supervisor, "skip")
            await eventually(lambda: len(outcomes(supervisor)) == 3, "all have ended")
            assert outcomes(supervisor) == [("mira", "shown"), ("zed", "skipped"), ("avalon", "shown")]
            assert [each.data["who"] for each in overlay.shown] == ["mira", "zed", "avalon"]
            kept_names = [getattr(each, "who", "") for each in (await history(supervisor)).alerts]
            assert kept_names == ["avalon", "zed", "mira"]
            await eventually(lambda: not listed(hub), "nothing is left")
    assert {alert.outcome for alert in rows(tmp_path)} == {"shown", "skipped"}


async def test_without_a_page_nothing_is_said_to_be_shown(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path, delivery={"overlays": ("omnibar",)}) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).playing and pushes(hub), "plays")
        # Our own link has joined the overlays' topic too; that makes it no page.
        hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
        await eventually(lambda: outcomes(supervisor), "ended")
        assert outcomes(supervisor) == [("mira", "unconfirmed")]
        assert last(supervisor).reason == ONLY_LISTED
        assert len(pushes(hub)) == 1
        assert not any(each.connected for each in alerts(supervisor).overlays)
        # A page of the settings that says nothing of alerts is believed when the hub reports it meanwhile.
        quiet = OverlayPage(lambda: hub.url, "omnibar", shows_alerts=False)
        quiet.open()
        try:
            await eventually(lambda: quiet.joined, "the page is there")
            hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
            await eventually(lambda: any(each.connected for each in alerts(supervisor).overlays), "named")
            hub.happen("cheer", user_name="zed")
            await eventually(lambda: len(pushes(hub)) == 2, "pushed")
            await eventually(lambda: alerts(supervisor).playing, "plays")
            hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
            await eventually(lambda: outcomes(supervisor)[1:] == [("zed", "shown")], "shown by the report")
        finally:
            await quiet.close()


async def test_a_time_in_which_the_source_was_away_is_in_the_history(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            hub.faults.refuse()
            before = time.time()
            hub.faults.drop_all()
            await eventually(lambda: alerts(supervisor).away, "away")
            assert alerts(supervisor).away[0].source == "events events:all"
            assert alerts(supervisor).away[0].until is None
            await hub.faults.accept()
            await eventually(lambda: not alerts(supervisor).away, "back")
            (away,) = (await history(supervisor)).alerts
            assert isinstance(away, SourceAway)
            assert away.until is not None
            assert before - 1 <= away.since < away.until <= time.time()
            assert away in alerts(supervisor).recent
            assert any("alerts in it not seen" in line.text for line in supervisor.log().lines)


async def test_even_a_moment_away_is_in_the_history(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            # Nothing is published, so nothing is looked at, before the source is back.
            monkeypatch.setattr(loop_module, "PUBLISH_EVERY", 60.0)
            monkeypatch.setattr(loop_module, "PUBLISH_SOON", 60.0)
            await asyncio.sleep(0.3)
            hub.faults.crash_channel("events:all")
            await eventually(lambda: hub.joins["events:all"] == 2, "joined again")
            limit = time.monotonic() + LIMIT
            while not (found := (await history(supervisor)).alerts):
                assert time.monotonic() < limit
            assert isinstance(found[0], SourceAway)


async def test_an_alert_never_waits_in_the_push_buffer(hub: Hub, tmp_path: Path) -> None:
    hub.faults.refuse_join("stream:overlays", response={"reason": "closed for repairs"})
    async with page_later(hub) as overlay, engine(hub, tmp_path, joined=False) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "it waits")
        await eventually(lambda: "closed for repairs" in alerts(supervisor).message, "the reason is told")
        assert alerts(supervisor).mode == "waiting for overlays"
        assert [each.buffered for each in supervisor.snapshot().connections[0].channels] == [0, 0]
        assert pushes(hub) == []
        hub.faults.allow_join("stream:overlays")
        await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "shown in the end")
        assert len(overlay.shown) == len(pushes(hub)) == 1


async def test_refused_is_tried_again_then_failed_and_the_next_one_plays(hub: Hub, tmp_path: Path) -> None:
    hub.on("stream:overlays", Refusing)
    async with engine(hub, tmp_path) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "failed")], "failed")
        assert "the scene is locked" in str(last(supervisor).reason)
        assert [each["data"]["id"] for each in pushes(hub)] == [last(supervisor).id] * 3
        hub.on("stream:overlays", Overlays)
        hub.faults.crash_channel("stream:overlays")
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: len(outcomes(supervisor)) == 2, "the next")
        assert outcomes(supervisor)[1] == ("zed", "unconfirmed")


async def test_an_answer_that_never_comes_is_a_failure_unless_the_page_says_otherwise(
    hub: Hub, tmp_path: Path
) -> None:
    hub.on("stream:overlays", Deaf)
    async with engine(hub, tmp_path, delivery={"timeout": 0.2}) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "failed")], "failed")
        assert "no answer within 0.2 s" in str(last(supervisor).reason)
        hub.on("stream:overlays", Silent)
        hub.faults.crash_channel("stream:overlays")
        async with page(hub) as overlay:
            hub.happen("cheer", user_name="zed")
            await eventually(lambda: len(outcomes(supervisor)) == 2, "the next")
            assert outcomes(supervisor)[1] == ("zed", "shown")
            assert len(overlay.shown) == 1


@on_every_hub
async def test_lost_early_it_is_offered_again_lost_late_it_is_over(hub: Hub, tmp_path: Path) -> None:
    async with page(hub) as overlay, engine(hub, tmp_path, rules=LONG) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: on_air(supervisor), "on the air")
        first = alerts(supervisor).playing
        hub.faults.drop_all()
        await eventually(lambda: len(overlay.shown) == 2 and on_air(supervisor), "on the air again")
        again = alerts(supervisor).playing
        assert first is not None
        assert again is not None
        assert first.id == again.id == overlay.shown[0].id == overlay.shown[1].id
        ends = again.ends_at or 0.0
        assert ends > (first.ends_at or 0.0)
        await eventually(lambda: time.time() > ends - 1.1, "more than half its time has passed")
        hub.faults.drop_all()
        await eventually(lambda: outcomes(supervisor), "over")
        assert outcomes(supervisor) == [("mira", "shown")]
        assert "ended early" in str(last(supervisor).reason)
        await eventually(lambda: overlay.joined, "the page is back")
        await eventually(lambda: alerts(supervisor).mode == "idle", "nothing is left")
        # What the page shows once more, the hub told it when it was back; nothing was pushed again.
        assert len(pushes(hub)) == 2


@pytest.mark.parametrize("on_uncertain", ["again", "leave"])
async def test_lost_between_the_push_and_its_answer(hub: Hub, tmp_path: Path, on_uncertain: str) -> None:
    hub.on("stream:overlays", Deaf)
    async with engine(hub, tmp_path, on_uncertain=on_uncertain) as supervisor:
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: len(pushes(hub)) == 1, "pushed")
        hub.on("stream:overlays", Overlays)
        hub.faults.drop_all()
        await eventually(lambda: outcomes(supervisor) == [("mira", "unconfirmed")], "ended")
        ids = [each["data"]["id"] for each in pushes(hub)]
        if on_uncertain == "again":
            assert ids == [last(supervisor).id] * 2
            assert last(supervisor).reason == ONLY_LISTED
        else:
            assert ids == [last(supervisor).id]
            assert "unknown whether it arrived" in str(last(supervisor).reason)


async def test_a_queue_of_the_hubs_own_is_warned_of(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path) as supervisor:
        await eventually(lambda: state(supervisor, "stage", "stream:queue") == "joined", "joined")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: hub.show.queue, "in the hub's queue")
        hub.show.queue_content("follower", {"id": "of the hub", "user_name": "zed"}, 5000)
        hub.send_to_topic("stream:queue", "queue_state", hub.show.queue_state())
        await eventually(lambda: alerts(supervisor).warning, "warned of")
        assert "1 items" in str(alerts(supervisor).warning)
        hub.show.remove(hub.show.queue[-1]["id"])
        hub.send_to_topic("stream:queue", "queue_state", hub.show.queue_state())
        await eventually(lambda: alerts(supervisor).warning is None, "over")


async def test_what_cannot_be_read_is_rejected_with_the_reason(hub: Hub, tmp_path: Path) -> None:
    with kept(tmp_path) as store:
        async with engine(hub, tmp_path, store) as supervisor:
            hub.send_to_topic("events:all", "cheer", ["no", "object"])
            hub.send_to_topic("events:all", "raid", None)
            hub.send_to_topic("events:all", "never_heard_of", {"id": "1"})
            await eventually(lambda: alerts(supervisor).counts.get("raid") == {"rejected": 1}, "rejected")
            assert alerts(supervisor).counts == {"cheer": {"rejected": 1}, "raid": {"rejected": 1}}
            assert alerts(supervisor).accepted == 2
            (raid, cheer) = (await history(supervisor, "rejected")).alerts
            assert isinstance(cheer, AlertSummary)
            assert isinstance(raid, AlertSummary)
            assert cheer.reason == "cheer: the event is no object"
            told = await supervisor.alert(cheer.id)
            assert '[\\"no\\"' in getattr(told, "payload", "")


async def test_rules_change_while_it_runs_and_a_broken_file_changes_nothing(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    async with engine(hub, tmp_path, rules=SHORT) as supervisor:
        await do(supervisor, "pause")

        def read() -> int:
            return sum(line.text == "alert rules read" for line in supervisor.log().lines)

        file.write_text("[[rule]]\ntype = 'cheer'\npriority = 9\ntitle = 'new rules'\n")
        await eventually(lambda: read() == 2, "read again")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "waits")
        assert (alerts(supervisor).waiting[0].title, alerts(supervisor).waiting[0].priority) == (
            "new rules",
            9,
        )
        file.write_text("[[rule]]\ntype = 'cheer'\n\npriority = 11\n")
        await eventually(lambda: alerts(supervisor).rules, "the mistake is told")
        assert f"{file.name}:4: rule 1: priority: expected a whole number" in str(alerts(supervisor).rules)
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: len(alerts(supervisor).waiting) == 2, "waits")
        assert alerts(supervisor).waiting[1].title == "new rules"
        file.write_text(SHORT)
        await eventually(lambda: alerts(supervisor).rules is None, "mended")


async def test_floods_of_one_kind_become_one_alert_each(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path) as supervisor:
        await do(supervisor, "pause")
        hub.happen("raid", user_name="avalon", viewers=120)
        await hub.faults.follows(500, rate=10_000)
        hub.faults.gift_bomb(50)
        await eventually(lambda: alerts(supervisor).accepted == 502, "all came")
        await eventually(lambda: alerts(supervisor).ignored == 50, "the bomb's subscriptions too")
        waiting = alerts(supervisor).waiting
        assert [(each.type, each.count) for each in waiting] == [("raid", 1), ("gift", 1), ("follow", 500)]
        assert waiting[2].title == "bot_1 and 499 others followed"
        assert alerts(supervisor).counts == {"follow": {"collapsed": 499}}


async def test_the_answer_to_test_alerts_says_what_became_of_them(hub: Hub, tmp_path: Path) -> None:
    async with engine(hub, tmp_path, most_waiting=3) as supervisor:
        await do(supervisor, "pause")
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "waits")
        await do(supervisor, "mute", type="raid", seconds=60.0)
        assert await do(supervisor, "test", type="cheer", count=2) == "2 test alerts of type cheer"
        words = "10 test alerts of type cheer: 10 dropped at once"
        assert await do(supervisor, "test", type="cheer", count=10) == words
        assert await do(supervisor, "test", type="raid") == "1 test alert of type raid: 1 muted at once"
        await eventually(lambda: len(alerts(supervisor).waiting) == 3, "full")
        assert "mira" in [each.who for each in alerts(supervisor).waiting]


async def test_the_queue_waits_for_a_page_if_it_is_told_to(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report() -> None:
        hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))

    overlay = OverlayPage(lambda: hub.url)
    async with engine(hub, tmp_path, delivery={"wait_for_page": True}) as supervisor:
        report()
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "it waits")
        assert alerts(supervisor).message == "no overlay page is connected"
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: alerts(supervisor).waiting, "waits")
        assert pushes(hub) == []
        overlay.open()
        try:
            await eventually(lambda: overlay.joined, "the page is there")
            report()
            await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "shown")
        finally:
            await overlay.close()
        report()
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "it waits again")
        # A hub that tells nothing any more must not hold the queue for ever.
        monkeypatch.setattr(alert_hub, "PAGES_KNOWN_FOR", 0.0)
        hub.happen("cheer", user_name="zed")
        await eventually(lambda: len(outcomes(supervisor)) == 2, "goes on")
        assert outcomes(supervisor)[1] == ("zed", "unconfirmed")


async def test_a_page_that_is_loaded_anew_gets_nothing_twice(hub: Hub, tmp_path: Path) -> None:
    def report() -> None:
        hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))

    async with engine(hub, tmp_path, delivery={"wait_for_page": True}, rules=LONG) as supervisor:
        async with page(hub):
            report()
            for who in ("mira", "zed"):
                hub.happen("cheer", user_name=who)
            await eventually(lambda: on_air(supervisor) and alerts(supervisor).waiting, "one on, one waits")
        report()
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "no page")
        async with page(hub):
            await eventually(lambda: outcomes(supervisor) == [("mira", "shown")], "it went on")
            assert len(pushes(hub)) == 1
            report()
            await eventually(lambda: on_air(supervisor), "the next")
        report()
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "no page")
        # The hub is there: what it holds is taken off at once.
        assert await do(supervisor, "panic") == "paused; asked to take 1 off"
        await eventually(lambda: hub.show.stream_state()["active_content"] is None, "taken off")


async def test_what_one_hub_told_of_its_pages_does_not_hold_the_queue_for_another(
    hub: Hub, tmp_path: Path
) -> None:
    waits = {"wait_for_page": True}
    async with Hub(seed=2) as other, engine(hub, tmp_path, delivery=waits) as supervisor:
        hub.send_to_topic("stream:overlays", "telemetry_update", telemetry(hub))
        await eventually(lambda: alerts(supervisor).mode == "waiting for overlays", "it waits")
        delivery = DeliveryOptions(connection="second", wait_for_page=True)
        options = replace(alert_options(tmp_path, None), delivery=delivery)
        both = (*connections(hub), connection("second", other.url, "stream:overlays"))
        assert (await supervisor.apply(both, components=ComponentOptions(alerts=options))).ok
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor) == [("mira", "unconfirmed")], "goes on")
        assert len(pushes(other)) == 1


async def test_rules_are_read_after_a_thread_could_not_be_started(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, failed = threading.Thread.start, list[str]()

    def start_or_fail(thread: threading.Thread) -> None:
        if thread.name == "alert rules" and len(failed) < 2:
            failed.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_fail)
    async with engine(hub, tmp_path) as supervisor:
        lines = [line.text for line in supervisor.log().lines if "rules" in line.text]
    told = "the built-in alert rules stay in force: not read, no thread could be started"
    assert [*reversed(lines)][:2] in ([told, "alert rules read"], ["alert rules read", told])
    assert lines.count(told) == 1


async def test_the_last_snapshot_is_made_though_alerts_grow(
    hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is due after the end of the engine's loop is nobody's to push."""
    async with engine(hub, tmp_path, rules="") as supervisor:
        for number in range(20):
            hub.happen("follower", user_name=f"viewer {number}")
        await eventually(lambda: alerts(supervisor).accepted == 20, "all came")
        hub.faults.freeze()  # the leaves wait for answers, and another push falls due meanwhile
    assert "no running event loop" not in caplog.text
    assert supervisor.snapshot().stopped == "it was asked to stop"
    assert supervisor.snapshot().alerts is not None


async def test_a_push_that_a_join_holds_up_is_not_pushed_again(hub: Hub, tmp_path: Path) -> None:
    hub.faults.slow_join(2.0)
    async with engine(hub, tmp_path, delivery={"timeout": 0.5}) as supervisor:
        # A hub answers nothing on a connection while one of its joins runs.
        assert state(supervisor, "stage", "stream:queue") == "joining"
        hub.happen("cheer", user_name="mira")
        await eventually(lambda: outcomes(supervisor), "it had its time")
        assert len(pushes(hub)) == 1
