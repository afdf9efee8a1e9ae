"""The queue by example: what a viewer sees, when, and what the history says afterwards."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.alerts.driver import EPOCH, Driver, MovedClock
from tui.alerts.alert import MAX_VIEWERS, MOST_PAYLOAD, Alert
from tui.alerts.player import MOST_TRIES
from tui.alerts.queue import AlertQueue
from tui.alerts.recent import MOST_SEEN
from tui.alerts.rules import Rule, Rules
from tui.alerts.rules_file import load
from tui.alerts.types import Clear, Clears, PersistedOrders, QueueOptions, Show, Update
from tui.model.alerts import TEST_SOURCE, TESTS
from tui.model.snapshot import CommandResult


def ruled(tmp_path: Path, text: str) -> Rules:
    path = tmp_path / "alerts.toml"
    path.write_text(text)
    return load(path)


def shown(orders: list[Any]) -> list[str]:
    return [order.alert.type for order in orders if isinstance(order, Show)]


def counts(driver: Driver) -> dict[tuple[str, str], int]:
    counts = driver.queue.snapshot().counts
    return {(type, outcome): number for type, of_it in counts.items() for outcome, number in of_it.items()}


# Real evenings


def test_a_gift_bomb_of_fifty_is_one_alert() -> None:
    driver = Driver()
    bomb = {"user_name": "mira", "tier": "1000", "total": 50}
    gift = driver.arrive("gift", bomb)
    for number in range(50):
        single = {"user_name": f"viewer{number}", "is_gift": True, "cumulative_months": 1}
        assert driver.queue.judge_arrival("sub", single, source="hub", source_id=str(number)) is None
    view = driver.queue.snapshot()
    assert (view.accepted, view.ignored, view.waiting) == (1, 50, ())
    assert view.playing is not None
    assert view.playing.id == gift.id
    assert gift.title == "mira gifted 50 subs"


@pytest.mark.parametrize("collapse", [0, 30])
def test_five_hundred_follows_in_a_minute_do_not_push_out_a_raid(tmp_path: Path, collapse: int) -> None:
    rules = ruled(tmp_path, f'[[rule]]\ntype = "follow"\ncollapse = {collapse}')
    driver = Driver(rules)
    driver.queue.commands.pause()
    for number in range(500):
        driver.arrive("follow", {"user_name": f"bot_{number}"})
        if number == 100:
            raid = driver.arrive("raid", {"user_name": "avalon", "viewers": 120})
        driver.after(0.12)
    assert driver.waiting()[0] == raid.id
    if collapse:
        assert [alert.count for alert in driver.queue.snapshot().waiting] == [1, 500]
        assert driver.queue.snapshot().waiting[1].title == "bot_0 and 499 others followed"
    else:
        # The bots' first ones made room for the later ones.
        assert len(driver.waiting()) == 50
        assert counts(driver) == {("follow", "dropped"): 451}
        assert driver.queue.snapshot().waiting[-1].who == "bot_499"
    driver.queue.commands.resume()
    assert shown(driver.drain()) == ["raid"]


def test_a_newcomer_of_the_lowest_priority_is_the_one_that_is_dropped() -> None:
    driver = Driver(most_waiting=2, there=False)
    driver.arrive("raid")
    driver.arrive("gift")
    follow = driver.arrive("follow")
    assert driver.rows[follow.id].outcome == "dropped"
    assert driver.rows[follow.id].reason == "queue full: 2 others wait"


def test_a_sub_train_grows_one_alert_and_ends_300_s_after_it_began() -> None:
    driver = Driver()
    first = driver.arrive("sub", {"user_name": "kaelan"})
    driver.show()
    start = driver.clock.passed
    driver.orders.clear()
    for number in range(200):
        driver.after(2.0)
        if driver.queue.snapshot().playing is None:
            break
        driver.arrive("sub", {"user_name": f"next{number}"})
    playing_for = driver.clock.passed - start
    assert 300 <= playing_for <= 302
    row = driver.rows[first.id]
    assert (row.outcome, row.count) == ("unconfirmed", 150)
    assert row.title == "sub train: 150 new subscribers"
    assert counts(driver)["sub", "collapsed"] == 149
    assert {one.into for one in driver.rows.values() if one.outcome == "collapsed"} == {first.id}
    assert shown(driver.orders) == []


def test_what_grows_quickly_is_pushed_once_a_second_at_most_and_its_end_too() -> None:
    driver = Driver()
    driver.arrive("sub")
    driver.after(0.5)
    driver.arrive("sub")
    driver.show()
    driver.orders.clear()
    pushes = []
    for _ in range(40):
        driver.arrive("sub")
        driver.after(0.1)
        pushes += [driver.clock.passed] * len(driver.orders)
        driver.orders.clear()
    assert 3 <= len(pushes) <= 5
    (last,) = driver.after(1.0)
    assert isinstance(last, Update)
    assert last.alert.count == 42
    assert driver.queue.snapshot().playing is not None


def test_one_viewer_is_one_viewer_however_often() -> None:
    """By the user's id, else by the name, and over a restart too; whoever is not named is one each time."""
    driver = Driver()
    first = driver.arrive("follow", {"user_name": "mira", "user_id": "7"}, id="1")
    driver.show()
    driver.after(2.0)
    driver.orders.clear()
    for number in range(2, 5):
        driver.arrive("follow", {"user_name": "mira_", "data": {"user_id": "7"}}, id=f"{number}")
    assert driver.orders == []
    driver.after(2.9)
    assert driver.queue.snapshot().playing is not None
    assert (driver.rows[first.id].count, driver.rows[first.id].title) == (1, "mira followed")
    assert counts(driver) == {("follow", "collapsed"): 3}
    driver.after(0.2)
    assert driver.queue.snapshot().playing is None, "nobody else came who would have made it last longer"
    before = Driver(there=False)
    before.arrive("follow", {"user_name": "mira"})
    before.arrive("follow", {"user_name": "Mira"})
    (row,) = [row for row in before.rows.values() if row.state == "waiting"]
    after = Driver(there=False)
    after.queue.restore([row])
    for name in ("mira", "zed", "zed", "mira"):
        after.arrive("follow", {"user_name": name})
    (alert,) = after.queue.snapshot().waiting
    assert (alert.count, alert.title) == (2, "mira and 1 other followed")
    for _ in range(3):
        after.arrive("follow", {"is_anonymous": True, "user_name": "mira"})
    for number in range(MAX_VIEWERS + 5):
        after.arrive("follow", {"user_id": number})
    (alert,) = after.queue.player.open_alerts()
    assert (alert.count, len(alert.viewers)) == (2 + 3 + MAX_VIEWERS + 5, MAX_VIEWERS)


def test_an_event_that_tells_its_time_is_the_same_alert_in_every_engine() -> None:
    def ids(payload: dict[str, Any], source_id: str | None = None, **changes: Any) -> list[str]:
        found = []
        for random_source in (1, 2):
            queue = AlertQueue(MovedClock(), random.Random(random_source))
            queue.knows_past = changes.get("knows_past", True)
            for _ in range(changes.get("times", 1)):
                alert = queue.judge_arrival("raid", payload, source="hub", source_id=source_id)
                assert alert is not None
                queue.admit(alert)
                found.append(alert.id)
        return found

    told = {"user_name": "mira", "timestamp": "2026-11-30T15:35:40Z"}
    for payload in (told, {"type": "raid", "data": {"user_name": "mira"}, "timestamp": told["timestamp"]}):
        for source_id in (None, "7"):
            one, other = ids(payload, source_id)
            assert one == other
            assert len(one) == 20
    assert len({*ids(told), *ids(told, "7"), *ids(told, "8"), *ids(told | {"viewers": 3})}) == 4
    assert len({*ids(told, "7"), *ids(told | {"timestamp": "later"}, "7")}) == 2
    # Alike in everything, and yet two events; nothing that tells them from what came before; no time.
    one, again, other, another = ids(told, times=2)
    assert one == other
    assert len({one, again, another}) == 3
    for one, other in (ids(told, "7", knows_past=False), ids({"user_name": "mira"}, "7")):
        assert one != other


def test_two_that_are_alike_are_two_though_neither_is_stored_yet() -> None:
    driver = Driver(there=False)
    payload = {"user_name": "mira", "timestamp": "now"}
    judged = [driver.queue.judge_arrival("raid", payload, source="hub") for _ in range(2)]
    for alert in judged:
        assert alert is not None
        driver.queue.admit(alert)
    assert len(driver.queue.snapshot().waiting) == 2


def test_what_an_earlier_run_accepted_is_not_accepted_anew() -> None:
    before = Driver(there=False)
    before.clock.wall_offset = -30.0
    for _ in range(3):
        before.arrive("raid")
    driver = Driver(there=False)
    driver.arrive("raid")
    driver.queue.restore(list(before.rows.values()))
    view = driver.queue.snapshot()
    assert (view.accepted, view.restored, len(view.waiting)) == (1, 3, 4)


def test_it_grows_only_within_the_window_after_its_last_growth() -> None:
    driver = Driver(there=False)
    for seconds in (0.0, 29.0, 29.0, 30.1):
        driver.after(seconds)
        driver.arrive("follow")
    assert [alert.count for alert in driver.queue.snapshot().waiting] == [3, 1]


def test_what_grows_before_its_push_has_left_is_pushed_grown() -> None:
    driver = Driver()
    for name in ("mira", "zed"):
        alert = driver.queue.judge_arrival("sub", {"user_name": name}, source="hub")
        assert alert is not None
        driver.queue.admit(alert)
    (show,) = driver.drain()
    assert (show.alert.count, show.alert.title) == (2, "sub train: 2 new subscribers")
    driver.queue.player.delivered(show.alert.id)
    assert driver.after(3.0) == []


def test_an_event_that_comes_twice_within_the_window_is_one_alert() -> None:
    driver = Driver(same_id_window=600.0)
    alert = driver.arrive("cheer", {"bits": 5}, id="e1")
    driver.after(599.0)
    assert driver.queue.judge_arrival("cheer", {"bits": 5}, source="hub", source_id="e1") is None
    assert driver.queue.snapshot().duplicates == 1
    driver.arrive("cheer", {"bits": 5}, id="x" * 100_000)
    assert driver.queue.judge_arrival("cheer", {}, source="hub", source_id="x" * 100_000) is None
    for age, known in ((599.0, True), (601.0, False)):
        again = Driver()
        again.clock.wall_offset = age
        again.queue.restore([driver.rows[alert.id]])
        alike = again.queue.judge_arrival("cheer", {"bits": 5}, source="hub", source_id="e1")
        assert (alike is None) is known
    driver.after(2.0)
    driver.arrive("cheer", {"bits": 5}, id="e1")


def test_of_the_seen_ids_the_oldest_go() -> None:
    driver = Driver()
    for number in range(MOST_SEEN + 1):
        driver.queue.judge_arrival("follow", {}, source="hub", source_id=str(number))
    assert driver.queue.judge_arrival("follow", {}, source="hub", source_id="1") is None
    assert driver.queue.judge_arrival("follow", {}, source="hub", source_id="0") is not None


# Playing


def test_one_after_the_other_by_priority_then_by_arrival_with_a_breath_between() -> None:
    driver = Driver()
    driver.arrive("redemption")
    for kind in ("follow", "cheer", "raid", "cheer"):
        driver.arrive(kind)
    order = []
    for _ in range(5):
        alert = driver.show()
        order.append(alert.type)
        assert driver.after(alert.duration) == []
        assert driver.after(0.2499) == []
        driver.after(0.001)
    assert order == ["redemption", "raid", "cheer", "cheer", "follow"]
    assert driver.queue.snapshot().mode == "idle"


def test_its_time_begins_when_the_hub_took_it() -> None:
    driver = Driver()
    alert = driver.arrive("follow")
    driver.after(30.0)
    driver.show()
    assert driver.rows[alert.id].sent_at == driver.clock.time()
    driver.after(4.9)
    assert driver.outcome(alert) is None
    driver.after(0.2)
    assert driver.outcome(alert) == "unconfirmed"
    assert driver.rows[alert.id].reason == "sent; no overlay confirmed it"


def test_an_overlay_or_the_hubs_report_confirms_it_until_10_s_after_its_end() -> None:
    driver = Driver()
    by_overlay = driver.arrive("follow")
    driver.show()
    assert driver.queue.confirmations.confirm(by_overlay.id)
    driver.after(6.0)
    assert driver.outcome(by_overlay) == "shown"

    by_report = driver.arrive("follow")
    driver.after(1.0)
    driver.show()
    driver.after(1.0)
    assert driver.queue.confirmations.overlays_connected()
    driver.after(6.0)
    assert driver.outcome(by_report) == "shown"

    # A page that came behind its beginning may know nothing of it.
    before = driver.arrive("follow")
    driver.show()
    driver.after(1.0)
    assert not driver.queue.confirmations.overlays_connected(since=driver.clock.passed)
    driver.after(6.0)
    assert driver.outcome(before) == "unconfirmed"

    late, too_late = driver.arrive("raid"), driver.arrive("raid")
    driver.show()
    driver.after(10.5)
    assert driver.outcome(late) == "unconfirmed"
    assert driver.queue.confirmations.confirm(late.id)
    driver.drain()
    assert (driver.outcome(late), driver.rows[late.id].reason) == ("shown", "")
    driver.show()
    driver.after(20.1)
    assert not driver.queue.confirmations.confirm(too_late.id)
    driver.drain()
    assert counts(driver) == {
        ("follow", "shown"): 2, ("follow", "unconfirmed"): 1,
        ("raid", "shown"): 1, ("raid", "unconfirmed"): 1,
    }  # fmt: skip


def test_a_refused_push_is_tried_after_one_and_three_seconds_then_failed() -> None:
    driver = Driver()
    alert = driver.arrive("raid")
    driver.arrive("follow")
    assert driver.queue.player.refused(alert.id, "busy")
    assert shown(driver.after(0.99)) == []
    assert shown(driver.after(0.02)) == ["raid"]
    assert driver.queue.player.refused(alert.id, "busy")
    assert shown(driver.after(2.99)) == []
    assert shown(driver.after(0.02)) == ["raid"]
    assert driver.queue.player.refused(alert.id, "content type unknown")
    driver.drain()
    row = driver.rows[alert.id]
    assert (row.outcome, row.reason, row.tries) == ("failed", "content type unknown", 3)
    assert shown(driver.after(1.0)) == ["follow"]
    assert not driver.queue.player.delivered(alert.id)


def test_a_push_of_unknown_end_is_repeated_in_front_under_the_same_id_or_left() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.arrive("cheer")
    assert driver.queue.player.uncertain(alert.id, "connection lost")
    driver.drain()
    assert (driver.rows[alert.id].state, driver.waiting()[0]) == ("waiting", alert.id)
    assert shown(driver.after(0.9)) == []
    driver.after(0.2)
    assert driver.show().id == alert.id

    leaving = Driver(on_uncertain="leave")
    alert = leaving.arrive("cheer")
    assert leaving.queue.player.uncertain(alert.id, "connection lost")
    leaving.drain()
    assert leaving.outcome(alert) == "unconfirmed"
    assert "connection lost" in leaving.rows[alert.id].reason
    leaving.after(3.0)
    assert leaving.queue.confirmations.confirm(alert.id)


def test_an_acknowledgement_after_the_connection_was_lost_spares_the_repetition() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.queue.player.uncertain(alert.id, "connection lost")
    driver.queue.player.target(False, "reconnecting")
    driver.after(5.0)
    assert driver.queue.confirmations.confirm(alert.id)
    driver.queue.player.target(True)
    assert driver.drain() == []
    assert driver.outcome(alert) == "shown"


def test_an_acknowledgement_after_the_connection_came_back_gives_it_its_whole_time() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.arrive("follow")
    driver.queue.player.uncertain(alert.id, "connection lost")
    driver.drain()
    driver.clock.passed += 0.5
    assert driver.queue.confirmations.confirm(alert.id)
    assert driver.drain() == []
    playing = driver.queue.snapshot().playing
    assert playing is not None
    assert (playing.id, playing.phase, playing.confirmed) == (alert.id, "on air", True)
    assert shown(driver.after(alert.duration + 0.24)) == []
    assert driver.outcome(alert) == "shown"
    assert shown(driver.after(0.02)) == ["follow"]


def test_an_acknowledgement_after_the_last_time_out_still_counts() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    for seconds in (5.0, 6.0, 8.0):
        driver.after(seconds)
        driver.queue.player.refused(alert.id, "no answer within 5 s")
        driver.drain()
    assert driver.outcome(alert) == "failed"
    # A page that is open shows no alert that the hub refused.
    assert not driver.queue.confirmations.overlays_connected()
    driver.after(9.0)
    assert driver.queue.confirmations.confirm(alert.id)
    driver.drain()
    assert (driver.outcome(alert), driver.rows[alert.id].reason) == ("shown", "")
    assert counts(driver) == {("cheer", "shown"): 1}


def test_what_was_seen_does_not_end_as_unseen() -> None:
    def interrupted(*, confirmed: bool) -> tuple[Driver, Alert]:
        driver = Driver(Rules([Rule(type="raid", time_to_live=30.0, priority=3)]), most_waiting=2)
        alert = driver.arrive("raid", {"user_name": "avalon"})
        driver.show()
        if confirmed:
            driver.queue.confirmations.confirm(alert.id)
        driver.after(1.0)
        driver.queue.player.target(False, "connection lost")
        driver.drain()
        assert driver.waiting() == [alert.id]
        return driver, alert

    for confirmed, outcome in ((True, "shown"), (False, "unconfirmed")):
        driver, alert = interrupted(confirmed=confirmed)
        driver.after(29.0)
        assert driver.outcome(alert) is None, "its time to wait begins anew"
        driver.after(1.1)
        assert driver.outcome(alert) == outcome
        assert "waited longer than 30 s" in driver.rows[alert.id].reason

        driver, alert = interrupted(confirmed=confirmed)
        younger = [driver.arrive("raid") for _ in range(2)]
        assert driver.outcome(younger[0]) == "dropped", "of one priority the one that was never sent"
        for _ in range(2):
            driver.arrive("gift")
        assert driver.outcome(alert) == outcome
        assert "queue full" in driver.rows[alert.id].reason

    driver, alert = interrupted(confirmed=True)
    driver.queue.player.target(True)
    for seconds in (0.3, 1.0, 3.0):
        driver.after(seconds)
        driver.queue.player.refused(alert.id, "takeover")
        driver.drain()
    assert driver.outcome(alert) == "shown"
    assert driver.rows[alert.id].reason == "an overlay confirmed it before it waited again; takeover"


def test_an_answer_to_an_earlier_push_says_nothing_of_the_present_one() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.queue.commands.remove(alert.id)
    driver.queue.commands.undo()
    driver.after(0.3)
    first, second = (order.alert for order in driver.orders if isinstance(order, Show))
    assert not driver.queue.player.refused(alert.id, "no answer within 5 s", first.tries)
    assert not driver.queue.player.uncertain(alert.id, "connection lost", first.tries)
    assert not driver.queue.player.delivered(alert.id, first.tries)
    assert driver.queue.player.delivered(alert.id, second.tries)


def test_an_acknowledgement_of_an_earlier_push_takes_back_the_one_that_has_not_left() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.queue.player.uncertain(alert.id, "connection lost")
    driver.drain()
    driver.clock.passed += 1.5
    driver.queue.player.advance()
    assert driver.queue.confirmations.confirm(alert.id)
    assert driver.drain() == []
    assert (driver.rows[alert.id].state, driver.rows[alert.id].confirmed) == ("playing", True)


def test_an_acknowledgement_that_comes_much_later_is_none() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.queue.player.uncertain(alert.id, "connection lost")
    driver.queue.player.target(False, "reconnecting")
    driver.after(10.0)
    assert not driver.queue.confirmations.confirm(alert.id)
    assert driver.waiting() == [alert.id]


def test_an_alert_that_ends_every_connection_does_not_stop_the_others() -> None:
    driver = Driver()
    poison = driver.arrive("raid")
    driver.arrive("follow")
    for _ in range(MOST_TRIES):
        assert driver.outcome(poison) is None
        driver.queue.player.uncertain(poison.id, "connection lost")
        driver.drain()
        driver.after(1.5)
    assert driver.outcome(poison) == "unconfirmed"
    assert driver.rows[poison.id].reason == "sent 5 times, unknown whether it arrived: connection lost"
    assert shown(driver.after(8.4)) == [], "it may be on the overlay for its whole time"
    assert shown(driver.after(0.2)) == ["follow"]


def test_nothing_starts_while_the_overlays_are_away() -> None:
    driver = Driver(there=False)
    driver.arrive("raid")
    driver.queue.player.target(False, "takeover is away")
    assert driver.after(60.0) == []
    assert driver.queue.snapshot().message == "takeover is away"
    driver.queue.player.target(True)
    assert shown(driver.drain()) == ["raid"]


def test_overlays_that_go_before_half_its_time_get_it_again_and_later_end_it() -> None:
    driver = Driver()
    alert = driver.arrive("raid")
    driver.show()
    driver.after(4.9)
    driver.queue.player.target(False, "gone")
    driver.drain()
    assert (driver.rows[alert.id].state, driver.rows[alert.id].sent_at) == ("waiting", None)
    driver.after(9.0)
    driver.queue.player.target(True)
    driver.drain()
    assert driver.show().id == alert.id
    driver.after(5.1)
    driver.queue.confirmations.confirm(alert.id)
    driver.queue.player.target(False, "gone")
    driver.drain()
    assert (driver.outcome(alert), driver.rows[alert.id].reason) == ("shown", "ended early: gone")


@pytest.mark.parametrize("answer", ["delivered", "refused", "uncertain"])
def test_what_was_under_way_when_the_overlays_went_waits_for_them(answer: str) -> None:
    driver = Driver()
    alert = driver.arrive("raid")
    driver.queue.player.target(False, "gone")
    driver.drain()
    assert driver.rows[alert.id].state == "playing", "its end is not yet told"
    getattr(driver.queue.player, answer)(alert.id, *([] if answer == "delivered" else ["gone"]))
    driver.drain()
    assert driver.rows[alert.id].state == "waiting"
    driver.after(3.0)
    driver.queue.player.target(True)
    assert shown(driver.drain()) == ["raid"]


def test_growing_never_shortens_what_lasts_longer_than_300_s(tmp_path: Path) -> None:
    driver = Driver(ruled(tmp_path, '[[rule]]\ntype = "sub"\nduration = 400\ncollapse = 30'))
    alert = driver.arrive("sub")
    driver.show()
    driver.after(10.0)
    driver.arrive("sub")
    driver.after(389.9)
    assert driver.outcome(alert) is None
    driver.after(0.2)
    assert driver.outcome(alert) == "unconfirmed"


def test_a_push_that_was_not_yet_carried_out_is_taken_back() -> None:
    driver = Driver()
    alert = driver.queue.judge_arrival("raid", {}, source="hub")
    assert alert is not None
    driver.queue.admit(alert)
    driver.queue.player.target(False, "gone")
    assert driver.drain() == []
    assert driver.waiting() == [alert.id]
    driver.queue.player.target(True)
    driver.queue.commands.skip()
    assert driver.drain() == [], "neither pushed nor taken off"


def test_without_a_delivery_alerts_have_their_time_and_say_so() -> None:
    driver = Driver(there=False, has_target=False)
    first, second = driver.arrive("follow"), driver.arrive("raid")
    driver.after(5.3)
    assert driver.outcome(first) == "unconfirmed"
    assert driver.rows[first.id].reason == "no delivery is set up"
    playing = driver.queue.snapshot().playing
    assert playing is not None
    assert playing.id == second.id
    assert playing.ends_at == pytest.approx(EPOCH + 1000 + 5.25 + 10)
    assert driver.orders == []


def test_those_that_bypass_the_queue_show_at_once_at_most_five(tmp_path: Path) -> None:
    rules = ruled(tmp_path, '[[rule]]\ntype = "follow"\nbypass = true\ncollapse = 0')
    driver = Driver(rules)
    driver.arrive("raid")
    driver.show()
    follows = [driver.arrive("follow") for _ in range(6)]
    view = driver.queue.snapshot()
    assert shown(driver.orders) == ["raid"] + ["follow"] * 5
    assert [one.id for one in view.beside] == [alert.id for alert in follows[:5]]
    assert driver.waiting() == [follows[5].id]
    driver.queue.commands.pause()
    assert driver.arrive("follow").id in driver.waiting()


def test_it_does_not_wait_longer_than_its_time_to_live(tmp_path: Path) -> None:
    driver = Driver(ruled(tmp_path, '[[rule]]\ntype = "cheer"\ntime_to_live = 60'), there=False)
    alert = driver.arrive("cheer")
    driver.clock.wall_offset += 86_400
    driver.after(59.9)
    assert driver.outcome(alert) is None
    driver.after(0.2)
    assert (driver.outcome(alert), driver.rows[alert.id].reason) == ("expired", "waited longer than 60 s")


def test_a_driver_that_is_late_finds_things_as_they_would_have_been(tmp_path: Path) -> None:
    driver = Driver(ruled(tmp_path, '[[rule]]\ntype = "cheer"\ntime_to_live = 60'))
    raid, cheer = driver.arrive("raid"), driver.arrive("cheer")
    driver.show()
    driver.queue.commands.pause()
    driver.clock.passed += 100.0
    assert not driver.queue.commands.remove(cheer.id).ok
    assert not driver.queue.commands.skip().ok
    driver.drain()
    assert (driver.outcome(cheer), driver.outcome(raid)) == ("expired", "unconfirmed")


# Commands


def test_a_pause_lets_the_playing_one_finish_and_loses_nothing() -> None:
    driver = Driver()
    driver.arrive("raid")
    driver.show()
    assert driver.queue.commands.pause().message == "paused after the one that plays"
    waiting = driver.arrive("cheer")
    driver.after(3600.0)
    assert driver.waiting() == [waiting.id]
    assert counts(driver) == {("raid", "unconfirmed"): 1}
    assert not driver.queue.commands.pause().ok
    assert not driver.queue.commands.hold(5).ok
    assert driver.queue.commands.resume().ok
    assert shown(driver.drain()) == ["cheer"]
    assert not driver.queue.commands.resume().ok


def test_a_hold_and_a_mute_end_by_themselves() -> None:
    driver = Driver()
    assert driver.queue.commands.hold(10.0).ok
    assert driver.queue.snapshot().held_until == driver.clock.time() + 10
    driver.arrive("raid")
    assert driver.after(9.9) == []
    assert shown(driver.after(0.2)) == ["raid"]
    assert not driver.queue.commands.hold(float("nan")).ok

    assert driver.queue.commands.mute("follow", 1).ok
    muted = driver.arrive("follow")
    assert (driver.outcome(muted), driver.rows[muted.id].reason) == ("muted", "follow is muted")
    driver.after(60.0)
    assert driver.queue.snapshot().mutes == {}
    assert driver.outcome(driver.arrive("follow")) is None
    assert not driver.queue.commands.mute("follow", 0).ok


@pytest.mark.parametrize("clears", ["one", "all", "nothing"])
def test_skip_ends_what_plays_and_says_when_the_overlay_keeps_it(clears: Clears) -> None:
    can_clear = clears != "nothing"
    driver = Driver(clears=clears)
    assert driver.queue.commands.skip().message == "nothing is playing"
    alert = driver.arrive("raid")
    driver.show()
    done = driver.queue.commands.skip()
    cleared = [order.alert.id for order in driver.drain() if isinstance(order, Clear)]
    assert driver.outcome(alert) == "skipped"
    assert cleared == ([alert.id] if can_clear else [])
    assert ("cannot be taken off" in done.message) is not can_clear


def test_what_a_clear_for_all_wipes_off_with_another_is_shown_again() -> None:
    rules = Rules([Rule(type="follow", bypass=True, collapse=0.0)])
    for clears, expected in (("all", [Clear, Update]), ("one", [Clear]), ("nothing", [])):
        driver = Driver(rules, clears=clears)
        raid = driver.arrive("raid")
        driver.show()
        follow = driver.arrive("follow")
        driver.show()
        driver.queue.commands.remove(follow.id)
        orders = driver.drain()
        assert [type(order) for order in orders] == expected
        assert [order.alert.id for order in orders] == [follow.id, raid.id][: len(expected)]


def test_what_waits_again_may_stand_on_the_overlay_and_is_taken_off_by_whatever_ends_it() -> None:
    def interrupted(**options: Any) -> tuple[Driver, Alert]:
        driver = Driver(**options)
        alert = driver.arrive("raid")
        driver.show()
        driver.queue.player.target(False, "connection lost")
        driver.drain()
        return driver, alert

    for command in ("remove", "clear", "panic"):
        driver, alert = interrupted()
        driver.arrive("gift")
        done = getattr(driver.queue.commands, command)(*[alert.id] if command == "remove" else [])
        assert [order.alert.id for order in driver.drain() if isinstance(order, Clear)] == [alert.id]
        assert "taken off when the overlays are there again" in done.message
        assert driver.outcome(alert) == "removed"
        assert len(driver.waiting()) == (0 if command == "clear" else 1), (
            "what was never sent goes on waiting"
        )
        driver, alert = interrupted(clears="nothing")
        done = getattr(driver.queue.commands, command)(*[alert.id] if command == "remove" else [])
        assert "cannot be taken off the overlay" in done.message
        assert driver.drain() == []
    # Without a delivery nothing stands anywhere, unless there was one before.
    for has_target, words in ((False, ""), (True, "; it cannot be taken off the overlay")):
        driver = Driver(has_target=has_target)
        driver.arrive("raid")
        if has_target:
            driver.show()
        driver.queue.player.configure(QueueOptions(has_target=False, clears="nothing"))
        assert driver.queue.commands.skip().message.startswith(f"skipped raid of mira{words}")
        assert driver.drain() == []


def test_one_that_is_refused_and_flaps_does_not_stop_the_others_for_ever() -> None:
    driver = Driver()
    first, second = driver.arrive("cheer"), driver.arrive("cheer")
    for _ in range(MOST_TRIES):
        assert driver.outcome(first) is None
        driver.queue.player.refused(first.id, "broke")
        driver.queue.player.target(False, "crashed")
        driver.after(1.0)
        driver.queue.player.target(True)
        driver.drain()
        driver.after(1.0)
    assert driver.outcome(first) == "unconfirmed"
    assert driver.rows[second.id].tries == 1
    # What never left is no try, and nothing that an overlay may have shown.
    driver = Driver(Rules([Rule(type="cheer", time_to_live=60.0)]))
    alert = driver.arrive("cheer")
    for _ in range(2 * MOST_TRIES):
        driver.queue.player.refused(alert.id, "not joined", has_left=False)
        driver.queue.player.target(False, "crashed")
        driver.after(1.0)
        driver.queue.player.target(True)
        driver.after(1.0)
    assert driver.outcome(alert) is None
    driver.queue.player.refused(alert.id, "not joined", has_left=False)
    driver.queue.player.target(False, "crashed")
    driver.after(61.0)
    assert driver.outcome(alert) == "expired"


def test_an_acknowledgement_of_one_that_waits_again_is_remembered() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.show()
    driver.after(0.1)
    driver.queue.player.target(False, "connection lost")
    driver.queue.commands.pause()
    driver.queue.player.target(True)
    driver.after(9.0)
    assert driver.queue.confirmations.confirm(alert.id)
    driver.queue.commands.resume()
    for seconds in (1.0, 2.0, 4.0):
        driver.after(seconds)
        driver.queue.player.refused(alert.id, "takeover")
        driver.drain()
    assert driver.outcome(alert) == "shown"


def test_those_that_come_back_keep_their_order() -> None:
    rules = Rules([Rule(type="follow", bypass=True, collapse=0.0)])
    driver = Driver(rules)
    raid = driver.arrive("raid")
    follows = [driver.arrive("follow") for _ in range(3)]
    order = [raid.id, *(follow.id for follow in follows)]
    for id in order:
        driver.queue.player.delivered(id)
    driver.queue.player.target(False, "connection lost")
    driver.drain()
    assert driver.waiting() == order
    # After a restart what played stands in front, though something was moved there meanwhile.
    driver = Driver()
    playing, later, last = (driver.arrive("cheer") for _ in range(3))
    driver.show()
    driver.queue.commands.move(last.id, 1)
    driver.drain()
    again = Driver(there=False)
    again.queue.restore(driver.rows.values())
    assert again.waiting() == [playing.id, last.id, later.id]


def test_an_event_that_came_again_before_the_store_told_of_it_is_one_alert() -> None:
    before = Driver(there=False)
    before.clock.passed -= 30.0
    old = before.arrive("cheer", id="event 1")
    driver = Driver()
    new = driver.arrive("cheer", id="event 1")
    driver.queue.restore([old])
    driver.drain()
    assert driver.outcome(old) == "collapsed"
    assert driver.outcome(new) is None
    assert (driver.waiting(), driver.queue.snapshot().duplicates) == ([], 1)


def test_of_an_event_that_came_again_the_alert_that_has_gone_no_way_yet_ends() -> None:
    before = Driver()
    before.clock.wall_offset = -30.0
    former = before.arrive("cheer", id="event 1")
    driver = Driver(there=False)
    again = driver.arrive("cheer", id="event 1")
    driver.queue.restore([before.rows[former.id]])
    driver.drain()
    assert driver.waiting() == [former.id]
    assert (driver.outcome(again), driver.rows[again.id].into) == ("collapsed", former.id)
    assert driver.queue.snapshot().duplicates == 1
    # So it does when the former has ended.
    before = Driver()
    before.clock.wall_offset = -30.0
    former = before.arrive("cheer", id="event 1")
    before.show()
    before.queue.confirmations.confirm(former.id)
    before.after(20.0)
    assert before.outcome(former) == "shown"
    driver = Driver(there=False)
    again = driver.arrive("cheer", id="event 1")
    driver.queue.restore([before.rows[former.id]])
    driver.drain()
    assert (driver.outcome(again), driver.waiting()) == ("collapsed", [])


def test_an_event_that_came_again_ends_no_alert_for_which_nothing_stands() -> None:
    # The newcomer was muted.
    before = Driver()
    before.clock.wall_offset = -30.0
    former = before.arrive("raid", id="event 1")
    driver = Driver(there=False)
    driver.queue.commands.mute("raid", 10)
    muted = driver.arrive("raid", id="event 1")
    driver.queue.restore([former])
    driver.drain()
    assert (driver.outcome(muted), driver.waiting()) == ("muted", [former.id])
    # Others have made the former grow, or the newcomer.
    before = Driver(there=False)
    before.clock.wall_offset = -30.0
    grown, *_ = (before.arrive("follow", id=f"event {number}") for number in range(5))
    driver = Driver()
    again = driver.arrive("follow", id="event 0")
    driver.queue.restore([before.rows[grown.id]])
    driver.drain()
    assert driver.outcome(again) is None
    assert [alert.count for alert in driver.queue.snapshot().waiting] == [5]
    driver = Driver(there=False)
    more, *_ = (driver.arrive("follow", id=f"event {number}") for number in (0, 7, 8))
    driver.queue.restore([before.rows[grown.id]])
    driver.drain()
    assert sorted(alert.count for alert in driver.queue.snapshot().waiting) == [3, 5]
    assert driver.outcome(more) is None
    # The newcomer had made another grow, which nobody saw.
    before = Driver(there=False)
    before.clock.wall_offset = -30.0
    former = before.arrive("follow", id="event 2")
    driver = Driver(there=False)
    grown = driver.arrive("follow", id="event 1")
    assert driver.outcome(driver.arrive("follow", id="event 2")) == "collapsed"
    for _ in range(51):
        driver.arrive("raid")
    assert driver.outcome(grown) == "dropped"
    driver.queue.commands.resume()
    driver.queue.commands.clear("raid")
    driver.queue.restore([before.rows[former.id]])
    driver.drain()
    assert driver.waiting() == [former.id]
    # It is another event, of another day.
    driver = Driver(there=False)
    old = replace(former, accepted_at=former.accepted_at - 40_000)
    new = driver.arrive("follow", id="event 2")
    driver.queue.restore([old])
    driver.drain()
    assert set(driver.waiting()) == {old.id, new.id}


def test_the_word_of_an_overlay_counts_though_it_was_removed_and_undone_meanwhile() -> None:
    driver = Driver()
    alert = driver.arrive("cheer")
    driver.queue.commands.remove(alert.id)
    driver.queue.commands.undo()
    driver.queue.commands.pause()
    driver.drain()
    assert driver.queue.confirmations.confirm(alert.id)
    driver.queue.commands.clear()
    driver.queue.commands.undo()
    driver.drain()
    assert driver.rows[alert.id].seen


def test_nothing_starts_while_nobody_would_see_it_and_what_plays_goes_on() -> None:
    driver = Driver()
    first, second, third = (driver.arrive("cheer") for _ in range(3))
    driver.show()
    driver.queue.player.watched("no page")
    assert not driver.after(60.0)
    assert (driver.outcome(first), driver.waiting()) == ("unconfirmed", [second.id, third.id])
    view = driver.queue.snapshot()
    assert (view.mode, view.message) == ("waiting for overlays", "no page")
    # Away for another reason, that is what is said, and what plays is offered again.
    driver.queue.player.watched()
    driver.drain()
    driver.show()
    driver.queue.player.watched("no page")
    driver.queue.player.target(False, "cut")
    assert driver.queue.snapshot().message == "cut"
    assert driver.waiting() == [second.id, third.id]
    driver.queue.player.target(True)
    assert not driver.after(60.0)
    driver.queue.player.watched()
    assert [order.alert.id for order in driver.drain()] == [second.id]


def test_what_plays_while_nobody_would_see_it_grows_no_more() -> None:
    driver = Driver()
    first = driver.arrive("follow")
    driver.show()
    driver.queue.player.watched("no page")
    second, third = (driver.arrive("follow") for _ in range(2))
    assert (driver.waiting(), driver.outcome(third)) == ([second.id], "collapsed")
    # It stays as it was pushed.
    assert driver.rows[first.id].count == 1
    driver.queue.player.watched()
    assert driver.outcome(driver.arrive("follow")) == "collapsed"
    assert driver.rows[second.id].count == 3


def test_undo_says_who_made_room_and_brings_back_nothing_that_was_requeued() -> None:
    driver = Driver(there=False, most_waiting=3)
    raids = [driver.arrive("raid") for _ in range(2)]
    driver.queue.commands.clear()
    cheers = [driver.arrive("cheer") for _ in range(2)]
    words = "brought back 2; dropped 1 other to make room"
    assert driver.queue.commands.undo().message == words
    driver.drain()
    assert [driver.outcome(alert) for alert in cheers] == ["dropped", None]

    driver.queue.commands.clear("raid")
    driver.drain()
    assert driver.requeue(driver.rows[raids[0].id]).ok
    assert driver.queue.commands.undo().message == "brought back 1"
    driver.drain()
    assert [driver.rows[id].requeued_from for id in driver.waiting()] == [None, raids[0].id, None]
    driver.queue.commands.remove(cheers[1].id)
    driver.drain()
    assert driver.requeue(driver.rows[cheers[1].id]).ok
    assert driver.queue.commands.undo().message == "nothing to undo"


def test_undo_brings_back_what_was_removed_to_its_place() -> None:
    driver = Driver(there=False)
    ids = [driver.arrive("cheer").id for _ in range(4)]
    assert driver.queue.commands.remove(ids[1]).ok
    assert driver.queue.commands.clear("cheer").message == "cleared 3 waiting cheer"
    assert not driver.queue.commands.clear().ok
    driver.drain()
    assert {driver.outcome(driver.rows[id]) for id in ids} == {"removed"}
    assert driver.queue.commands.undo().message == "brought back 3"
    assert driver.waiting() == [ids[0], ids[2], ids[3]]
    assert driver.queue.commands.undo().ok
    driver.drain()
    assert driver.waiting() == ids
    assert {driver.rows[id].state for id in ids} == {"waiting"}
    assert counts(driver) == {}
    assert not driver.queue.commands.undo().ok


def test_moving_across_priorities_takes_the_neighbours_and_says_so() -> None:
    driver = Driver(there=False)
    raid, cheer, follow = (driver.arrive(kind).id for kind in ("raid", "cheer", "follow"))
    assert (
        driver.queue.commands.move(follow, 1).message
        == "moved follow of mira to 1; its priority is now 9, it was 2"
    )
    assert driver.waiting() == [follow, raid, cheer]
    assert driver.queue.commands.move(follow, 3).message.endswith("its priority is now 6, it was 9")
    assert driver.waiting() == [raid, cheer, follow]
    later = driver.arrive("cheer").id
    assert driver.waiting()[-1] == later, "a new one goes behind what was moved there"
    assert not driver.queue.commands.move(follow, 0).ok
    assert not driver.queue.commands.move(follow, 5).ok
    # Halving the distance ends somewhere; the places are then made anew.
    for _ in range(40):
        driver.queue.commands.move(later, 3)
        driver.queue.commands.move(follow, 3)
    driver.drain()
    assert driver.waiting() == [raid, cheer, follow, later]
    waiting = list(driver.queue.player.open_alerts())
    places = [alert.place for alert in waiting[1:]]
    assert places == sorted(set(places))
    assert {id: row.place for id, row in driver.rows.items()} == {alert.id: alert.place for alert in waiting}


def test_requeue_makes_a_new_alert_of_an_old_one() -> None:
    driver = Driver()
    old = driver.arrive("raid")
    driver.show()
    assert not driver.requeue(driver.rows[old.id]).ok
    driver.queue.commands.mute("raid", 5)
    driver.after(11.0)
    done = driver.requeue(driver.rows[old.id])
    assert done.ok
    assert shown(driver.drain()) == ["raid"]
    new = driver.rows[driver.playing().id]
    assert (new.requeued_from, new.title, new.outcome, new.tries) == (old.id, old.title, None, 1)


def test_one_that_is_requeued_is_so_once_and_nothing_new_makes_it_grow() -> None:
    driver = Driver(there=False)
    old = driver.arrive("follow")
    driver.queue.commands.remove(old.id)
    driver.drain()
    first = driver.queue.commands.renew(driver.rows[old.id])
    assert isinstance(first, Alert)
    twice = CommandResult(ok=False, message="it waits or plays once more already")
    assert driver.queue.commands.renew(driver.rows[old.id]) == twice, "on its way to the store"
    assert driver.queue.commands.requeue(first).ok
    assert driver.queue.commands.renew(driver.rows[old.id]) == twice
    new = driver.arrive("follow", {"user_name": "zed"})
    assert driver.waiting() == [first.id, new.id]
    driver.queue.commands.remove(first.id)
    assert isinstance(driver.queue.commands.renew(driver.rows[old.id]), Alert)


def test_test_alerts_make_room_for_all_others() -> None:
    driver = Driver(there=False, most_waiting=3)

    def test(type: str) -> str:
        alert = driver.queue.judge_arrival(type, {"user_name": "mira"}, source=TEST_SOURCE)
        assert alert is not None
        driver.queue.admit(alert)
        return alert.id

    follow = driver.arrive("follow")
    tests = [test("raid") for _ in range(5)]
    driver.drain()
    assert driver.waiting() == [tests[3], tests[4], follow.id]
    others = [driver.arrive("sub", {"user_name": f"viewer {n}"}) for n in range(2)]
    assert counts(driver) == {(TESTS, "dropped"): 4, ("sub", "collapsed"): 1}
    assert driver.waiting() == [tests[4], others[0].id, follow.id]


@pytest.mark.parametrize("first", [TEST_SOURCE, "hub"])
def test_a_test_alert_and_a_viewers_make_each_other_grow_in_no_direction(first: str) -> None:
    driver = Driver(there=False)
    for source in (first, "hub" if first == TEST_SOURCE else TEST_SOURCE):
        for name in ("mira", "zed"):
            alert = driver.queue.judge_arrival("follow", {"user_name": name}, source=source)
            assert alert is not None
            driver.queue.admit(alert)
    driver.drain()
    assert [alert.count for alert in driver.queue.snapshot().waiting] == [2, 2]
    assert {row.source for row in driver.rows.values() if row.into} == {TEST_SOURCE, "hub"}
    assert counts(driver) == {(TESTS, "collapsed"): 1, ("follow", "collapsed"): 1}


def test_what_cannot_be_read_is_kept_bounded_and_cannot_be_requeued() -> None:
    driver = Driver()
    driver.queue.reject("cheer", "\x00" * 100_000, "the event is no object", "hub")
    driver.drain()
    (row,) = driver.rows.values()
    assert (row.outcome, row.reason, row.payload_cut) == ("rejected", "the event is no object", True)
    assert len(row.payload.encode()) <= MOST_PAYLOAD
    assert not driver.requeue(row).ok


def test_panic_clears_the_overlay_and_pauses(tmp_path: Path) -> None:
    driver = Driver(ruled(tmp_path, '[[rule]]\ntype = "follow"\nbypass = true'))
    raid, follow, cheer = (driver.arrive(kind) for kind in ("raid", "follow", "cheer"))
    driver.queue.commands.panic()
    cleared = {order.alert.id for order in driver.drain() if isinstance(order, Clear)}
    assert cleared == {raid.id, follow.id}
    assert driver.outcome(raid) == driver.outcome(follow) == "removed"
    assert (driver.queue.snapshot().mode, driver.waiting()) == ("paused", [cheer.id])


# Restarts


@pytest.mark.parametrize("command", ["panic", "remove"])
def test_what_waits_again_and_may_stand_on_an_overlay_is_taken_off(command: str) -> None:
    driver = Driver()
    driver.arrive("raid")
    shown = driver.show()
    driver.queue.commands.pause()
    driver.queue.player.target(False, "not connected")
    driver.drain()
    driver.queue.player.target(True)
    driver.drain()
    assert driver.waiting() == [shown.id]
    done = driver.queue.commands.panic() if command == "panic" else driver.queue.commands.remove(shown.id)
    assert done.ok
    assert [(type(order), order.alert.id) for order in driver.drain()] == [(Clear, shown.id)]


def test_skipping_what_is_to_be_tried_again_takes_it_off() -> None:
    driver = Driver()
    alert = driver.arrive("raid")
    assert driver.queue.player.refused(alert.id, "no answer within 10 s", answered=False)
    driver.drain()
    assert driver.queue.commands.skip().ok
    assert [type(order) for order in driver.drain()] == [Clear]


def test_a_restart_goes_on_where_it_was() -> None:
    driver = Driver(most_waiting=3)
    playing = driver.arrive("raid")
    for kind in ("cheer", "follow", "gift"):
        driver.arrive(kind)
    order = driver.waiting()
    driver.show()
    rows = list(driver.rows.values())

    def restart(seconds: float) -> Driver:
        again = Driver(most_waiting=3, there=False)
        again.clock.wall_offset = driver.clock.time() + seconds - again.clock.time()
        again.rows = {row.id: row for row in rows}
        again.queue.restore(rows)
        again.drain()
        return again

    soon = restart(4.0)
    assert soon.rows[playing.id].state == "waiting"
    # One more than fit: of the lowest priority the oldest goes.
    assert soon.waiting() == [playing.id, order[0], order[1]]
    assert soon.outcome(soon.rows[order[2]]) == "dropped"
    later = restart(6.0)
    assert later.waiting() == order
    assert "the program ended while it played" in later.rows[playing.id].reason
    backwards = restart(-3600.0)
    assert backwards.waiting()[0] == playing.id
    before = backwards.queue.snapshot()
    backwards.queue.restore(rows)
    assert backwards.queue.snapshot() is before


@pytest.mark.parametrize("step", [-7200.0, 7200.0, 3 * 365 * 86_400.0])
def test_what_lasts_is_told_by_the_clock_as_it_stands_and_lasts_no_longer_when_it_is_set(
    step: float,
) -> None:
    driver = Driver()
    driver.queue.player.delivered(driver.arrive("raid").id)
    driver.queue.commands.hold(60.0)
    driver.queue.commands.mute("follow", 2.0)
    playing = driver.queue.snapshot().playing
    assert playing is not None
    assert playing.ends_at is not None
    ends_in = playing.ends_at - driver.clock.time()
    driver.after(1.0)
    driver.clock.wall_offset += step
    view = driver.queue.snapshot()
    assert view.held_until == pytest.approx(driver.clock.time() + 59.0)
    assert view.mutes == {"follow": pytest.approx(driver.clock.time() + 119.0)}
    assert view.playing is not None
    assert view.playing.ends_at == pytest.approx(driver.clock.time() + ends_in - 1.0)
    standing = driver.queue.lasting()
    assert standing.held is not None
    assert standing.held.left(driver.clock.time()) == pytest.approx(59.0)
    driver.after(58.9)
    assert driver.queue.snapshot().mode == "held"
    driver.after(0.2)
    assert driver.queue.snapshot().held_until is None


def test_a_restart_keeps_a_pause_a_hold_and_mutes_as_long_as_they_last() -> None:
    driver = Driver()
    driver.queue.commands.hold(60.0)
    driver.queue.commands.mute("follow", 2.0)
    held = driver.queue.lasting()
    driver.queue.commands.pause()
    paused = driver.queue.lasting()

    def restart(standing: PersistedOrders, seconds: float) -> Driver:
        again = Driver()
        again.clock.wall_offset = driver.clock.time() + seconds - again.clock.time()
        again.queue.restore_lasting(standing)
        again.arrive("raid")
        return again

    soon = restart(held, 20.0)
    assert (soon.after(39.9), shown(soon.after(0.2))) == ([], ["raid"])
    assert soon.outcome(soon.arrive("follow")) == "muted"
    soon.after(60.0)
    assert soon.outcome(soon.arrive("follow")) is None
    later = restart(held, 60.0)
    assert shown(later.orders) == ["raid"]
    assert later.outcome(later.arrive("follow")) == "muted"
    assert restart(paused, 120.0).after(3600.0) == []
    # A clock that was set back by days must not stop the overlays for days.
    assert shown(restart(held, -5 * 86_400.0).after(60.1)) == ["raid"]


def test_what_was_ordered_before_the_store_told_goes_before_what_an_earlier_run_was_ordered() -> None:
    driver = Driver()
    driver.queue.commands.mute("follow", 2.0)
    driver.queue.commands.mute("raid", 2.0)
    driver.queue.commands.pause()
    paused = driver.queue.lasting()

    resumed = Driver()
    assert not resumed.queue.commands.resume().ok
    assert not resumed.queue.commands.mute("follow", 0).ok
    resumed.queue.restore_lasting(paused)
    assert resumed.queue.snapshot().mode == "idle"
    assert set(resumed.queue.snapshot().mutes) == {"raid"}
    # What only stops more makes nothing begin that was stopped.
    held = Driver()
    held.queue.commands.hold(5.0)
    held.queue.commands.mute("cheer", 1.0)
    held.queue.restore_lasting(paused)
    held.after(6.0)
    assert held.queue.snapshot().mode == "paused"
    assert set(held.queue.snapshot().mutes) == {"follow", "raid", "cheer"}


def test_a_clock_that_was_set_back_lets_nothing_wait_longer(tmp_path: Path) -> None:
    rules = ruled(tmp_path, '[[rule]]\ntype = "cheer"\ntime_to_live = 60')
    old = Driver(rules, there=False).arrive("cheer")
    driver = Driver(there=False)
    driver.clock.wall_offset = -3600.0
    driver.queue.restore([old])
    driver.after(60.1)
    assert (driver.outcome(old), driver.rows[old.id].reason) == ("expired", "waited longer than 60 s")


@pytest.mark.parametrize(("on_uncertain", "state"), [("again", "waiting"), ("leave", "ended")])
def test_what_was_being_sent_when_the_program_ended_is_uncertain(on_uncertain: Any, state: str) -> None:
    driver = Driver()
    alert = driver.arrive("raid")
    again = Driver(there=False, on_uncertain=on_uncertain)
    again.queue.restore([driver.rows[alert.id]])
    again.drain()
    assert again.rows[alert.id].state == state


def test_alerts_that_the_store_brings_late_stand_before_newer_ones() -> None:
    driver = Driver(there=False)
    old = driver.arrive("cheer")
    again = Driver(there=False)
    again.clock.passed += 5
    new = again.arrive("cheer")
    again.queue.restore([driver.rows[old.id]])
    assert again.waiting() == [old.id, new.id]


def test_the_view_is_the_same_until_something_changes() -> None:
    driver = Driver(there=False)
    driver.arrive("raid")
    view = driver.queue.snapshot()
    driver.after(60.0)
    assert driver.queue.snapshot() is view
    driver.arrive("cheer")
    assert driver.queue.snapshot() is not view
