"""One on the page: what may stand there, until when, and what is taken off it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alerts.driver import Driver
from tui.alerts.alert import Alert
from tui.alerts.page import ASK_AGAIN, MOST_ON_PAGE, Removal
from tui.alerts.rules import Rule, Rules
from tui.alerts.types import Clear, Show, Update

RULES = [Rule(type="sub", duration=8.0, collapse=0.0), Rule(type="follow", duration=5.0, collapse=30.0)]
EIGHT = Rules(RULES)
TOPIC = "stream:overlays"


def shown(orders: list[Any]) -> list[str]:
    return [order.alert.type for order in orders if isinstance(order, Show)]


def cleared(driver: Driver) -> list[str]:
    return [order.alert.id for order in driver.drain() if isinstance(order, Clear)]


def begin(driver: Driver, type: str = "sub", **fields: Any) -> Alert:
    """One is on the air, and another waits."""
    alert = driver.arrive(type, {"user_name": "mira", **fields})
    driver.show()
    driver.arrive("cheer")
    return alert


def lists(driver: Driver, *items: tuple[str, str]) -> None:
    """The hub's stack, the newest first."""
    driver.queue.player.listed(TOPIC, items, on_stack=True)
    driver.drain()


def removals(driver: Driver) -> list[str | int]:
    return [removal.number for removal in driver.queue.player.page.removals()]


def restarted(driver: Driver, seconds: float = 0.0, **options: Any) -> Driver:
    """The next run on the same store, killed and begun so many seconds later."""
    standing = driver.queue.lasting()
    again = Driver(EIGHT, there=False, **options)
    again.clock.wall_offset = driver.clock.time() + seconds - again.clock.time()
    again.rows = dict(driver.rows)
    again.queue.restore_lasting(standing)
    again.queue.restore(driver.rows.values())
    again.queue.player.target(True)
    again.orders += again.drain()
    return again


# One on the page


def test_what_was_cut_short_stands_until_its_time_on_the_page_is_over() -> None:
    """The channel crashes at 4.5 s of 8, and is joined again at 4.9."""
    driver = Driver(EIGHT)
    begin(driver)
    driver.after(4.5)
    driver.queue.player.target(False, "crashed")
    driver.after(0.4)
    driver.queue.player.target(True)
    driver.drain()
    assert shown(driver.after(3.0)) == []
    assert shown(driver.after(0.2)) == ["cheer"]


def test_a_push_of_one_that_has_grown_bears_what_is_left_of_its_time() -> None:
    driver = Driver(EIGHT)
    begin(driver, "follow")
    driver.after(3.0)
    driver.arrive("follow", {"user_name": "zed"})
    driver.after(0.1)
    driver.arrive("follow", {"user_name": "ed"})
    (update,) = [order for order in driver.after(1.0) if isinstance(order, Update)]
    growth = driver.queue.player.begin_update(update.alert.id, update.alert.tries)
    assert growth is not None
    playing = driver.queue.snapshot().playing
    assert playing is not None
    assert playing.ends_at == pytest.approx(driver.clock.time() + growth.seconds)
    # Its answer takes a while: so much longer may a page have it.
    driver.after(0.5)
    driver.queue.player.end_update(growth, arrived=True)
    driver.drain()
    assert shown(driver.after(growth.seconds - 0.1)) == []
    assert shown(driver.after(0.2)) == ["cheer"]


@pytest.mark.parametrize("end", ["uncertain", "no answer", "never told"])
def test_a_push_of_unknown_end_stands_from_the_moment_in_which_it_was_given_up(end: str) -> None:
    driver = Driver(EIGHT, on_uncertain="leave")
    alert = driver.arrive("sub")
    driver.arrive("cheer")
    tries = 1
    if end == "uncertain":
        driver.after(3.0)
        driver.queue.player.uncertain(alert.id, "cut")
    elif end == "no answer":
        for seconds in (5.0, 6.0, 8.0):
            driver.after(seconds)
            driver.queue.player.refused(alert.id, "no answer", tries, answered=False)
            driver.drain()
            tries += 1
    else:
        driver.after(60.0)
    driver.drain()
    assert driver.outcome(alert) in ("unconfirmed", "failed")
    assert shown(driver.after(7.9)) == []
    assert shown(driver.after(0.2)) == ["cheer"]


def test_what_a_hub_refused_stands_nowhere() -> None:
    driver = Driver(EIGHT)
    alert = driver.arrive("sub")
    driver.arrive("cheer")
    for seconds in (1.1, 3.1, 0.3):
        driver.queue.player.refused(alert.id, "no")
        driver.drain()
        driver.after(seconds)
    assert driver.outcome(alert) == "failed"
    assert driver.orders[-1].alert.type == "cheer"


def test_what_a_page_may_have_goes_on_before_any_other() -> None:
    driver = Driver(EIGHT)
    cheer = driver.arrive("cheer")
    driver.show()
    driver.queue.player.target(False, "cut")
    driver.arrive("raid")
    driver.queue.player.target(True)
    assert [order.alert.id for order in driver.after(0.3)] == [cheer.id]


@pytest.mark.parametrize("was", ["on the air", "being sent"])
def test_a_killed_run_leaves_nothing_that_the_next_shows_another_beside(was: str) -> None:
    driver = Driver(EIGHT, on_uncertain="leave")
    driver.arrive("sub")
    if was == "on the air":
        driver.show()
    driver.after(5.0)
    driver.arrive("cheer")
    again = restarted(driver, 1.0, on_uncertain="leave")
    left = 2.0 if was == "on the air" else 8.0
    assert shown(again.orders + again.after(left - 0.1)) == []
    assert shown(again.after(0.2)) == ["cheer"]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_makes_nothing_stand_shorter_for_the_next_run(step: float) -> None:
    driver = Driver(EIGHT)
    begin(driver)
    driver.after(5.0)
    driver.queue.player.target(False, "cut")
    driver.clock.wall_offset += step
    driver.drain()
    again = restarted(driver)
    assert shown(again.orders + again.after(2.9)) == []
    assert shown(again.after(0.2)) == ["cheer"]


def test_a_late_answer_ends_no_time_early() -> None:
    driver = Driver(EIGHT, clears="nothing")
    alert = driver.arrive("sub")
    driver.arrive("cheer")
    driver.queue.commands.skip()
    driver.after(4.0)
    assert not driver.queue.player.delivered(alert.id, 1)
    assert shown(driver.drain() + driver.after(7.9)) == []
    assert shown(driver.after(0.2)) == ["cheer"]


def test_an_acknowledgement_of_what_was_given_up_makes_it_stand_anew() -> None:
    driver = Driver(EIGHT, on_uncertain="leave")
    alert = driver.arrive("sub")
    driver.arrive("cheer")
    driver.queue.player.uncertain(alert.id, "cut")
    driver.after(7.0)
    assert driver.queue.confirmations.confirm(alert.id)
    assert shown(driver.drain() + driver.after(7.9)) == []
    assert shown(driver.after(0.2)) == ["cheer"]


def test_the_table_is_bounded() -> None:
    driver = Driver(EIGHT, on_uncertain="leave")
    page = driver.queue.player.page
    for number in range(2 * MOST_ON_PAGE):
        alert = Alert(id=f"{number:020}", type="sub", accepted_at=0.0)
        page.push(alert, 1, 8.0, beside=False)
        page.land(alert.id, 1, arrived=True)
    assert len(page.lasting()) == MOST_ON_PAGE


# A hub that keeps a stack


def test_what_is_skipped_is_asked_for_until_the_hub_no_longer_lists_it() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver)
    lists(driver, ("h1", alert.id))
    assert driver.queue.commands.skip().message == "skipped sub of mira; asked to take it off"
    driver.drain()
    assert removals(driver) == ["h1"]
    assert removals(driver) == [], "the hub has its time"
    lists(driver, ("h1", alert.id))
    assert shown(driver.after(ASK_AGAIN)) == []
    assert removals(driver) == ["h1"]
    lists(driver)
    driver.after(0.3)
    assert shown(driver.orders) == ["sub", "cheer"]
    assert [(news.entry.id, news.is_sure) for news in driver.queue.player.page.take_news()] == [
        (alert.id, True)
    ]


def test_what_is_listed_only_later_is_taken_off_then() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver)
    driver.queue.commands.skip()
    driver.queue.player.page.set_off(driver.queue.player.page.to_take_off()[0], "asked")
    driver.drain()
    assert shown(driver.after(1.0)) == []
    lists(driver, ("h1", alert.id))
    assert removals(driver) == ["h1"]
    lists(driver)
    assert shown(driver.orders) == ["sub", "cheer"]


def test_what_has_gone_does_not_come_back() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver)
    lists(driver, ("h1", alert.id))
    driver.queue.commands.skip()
    removals(driver)
    lists(driver)
    driver.after(20.0)
    # Another topic of the hub is late.
    driver.queue.player.listed("stream:queue", [("h1", alert.id)], on_stack=False)
    assert removals(driver) == []
    # A push that lay on a line for a while made another item of it.
    lists(driver, ("h2", alert.id))
    assert removals(driver) == ["h2"]


def test_of_what_has_grown_the_older_items_are_taken_off() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver, "follow")
    lists(driver, ("h1", alert.id))
    driver.after(1.0)
    driver.arrive("follow", {"user_name": "zed"})
    growth = driver.queue.player.begin_update(alert.id, 1)
    assert growth is not None
    lists(driver, ("h2", alert.id), ("h1", alert.id))
    assert removals(driver) == [], "the grown one is on its way"
    driver.queue.player.end_update(growth, arrived=True)
    assert removals(driver) == ["h1"]
    lists(driver, ("h2", alert.id))
    assert driver.queue.snapshot().playing is not None
    assert shown(driver.after(4.8)) == []


def test_there_bypass_means_next_in_line() -> None:
    rules = Rules([Rule(type="raid", bypass=True, collapse=0.0), *RULES])
    driver = Driver(rules)
    alert = begin(driver)
    driver.arrive("cheer")
    lists(driver, ("h1", alert.id))
    raids = [driver.arrive("raid") for _ in range(2)]
    assert driver.queue.snapshot().beside == ()
    assert driver.waiting()[:2] == [raid.id for raid in raids]
    assert shown(driver.after(8.3)) == ["raid"]


def test_undo_shows_once_more_what_the_hub_has_taken_off_first() -> None:
    driver = Driver(EIGHT)
    alert = driver.arrive("sub")
    driver.show()
    lists(driver, ("h1", alert.id))
    driver.queue.commands.remove(alert.id)
    removals(driver)
    driver.queue.player.page.set_off(driver.queue.player.page.to_take_off()[0], "asked")
    driver.queue.commands.undo()
    assert shown(driver.after(1.0)) == []
    lists(driver)
    assert [order.alert.id for order in driver.drain() + driver.orders[-1:]] == [alert.id]
    assert driver.show().tries == 2
    lists(driver, ("h2", alert.id))
    assert removals(driver) == []


def test_panic_takes_off_all_of_ours_also_what_ended_before_its_time() -> None:
    driver = Driver(EIGHT)
    alert = driver.arrive("sub")
    driver.show()
    lists(driver, ("h1", alert.id), ("another's", "no id of ours"))
    driver.after(5.0)
    driver.queue.player.target(False, "cut")
    driver.drain()
    assert driver.outcome(alert) == "unconfirmed"
    driver.queue.player.target(True)
    assert driver.queue.commands.panic().message == "paused; asked to take 1 off"
    assert removals(driver) == ["h1"]
    assert driver.queue.commands.panic().message == "paused; asked to take 1 off"
    lists(driver)
    assert driver.queue.commands.panic().message == "paused; nothing to take off"


def test_the_next_run_takes_off_what_the_hub_lists_still() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver)
    lists(driver, ("h1", alert.id))
    driver.queue.player.target(False, "cut")
    driver.queue.commands.remove(alert.id)
    driver.drain()
    again = restarted(driver, 1.0)
    lists(again, ("h1", alert.id))
    assert removals(again) == ["h1"]
    assert shown(again.orders) == []
    lists(again)
    assert shown(again.orders) == ["cheer"]


def test_what_a_hub_lists_for_ever_is_not_in_the_way_for_ever() -> None:
    driver = Driver(EIGHT)
    alert = begin(driver)
    lists(driver, ("h1", alert.id))
    assert shown(driver.after(8.3)) == ["cheer"]
    driver.show()
    driver.after(30.0)
    lists(driver, ("h1", alert.id))
    assert removals(driver) == []
    assert driver.arrive("sub").id in {order.alert.id for order in driver.orders}
    # So it is with a list of what was shown before.
    driver.queue.player.listed("stream:queue", [("q1", alert.id)], on_stack=False)
    assert removals(driver) == []


# A hub that answers with an id, or merely politely


def test_what_a_reply_named_is_not_removed_by_what_a_queue_lists() -> None:
    driver = Driver(EIGHT)
    alert = driver.arrive("sub")
    driver.queue.player.listed("stream:queue", [("c1", alert.id)], on_stack=False)
    driver.queue.player.delivered(alert.id, 1, "c1")
    driver.queue.commands.skip()
    assert removals(driver) == []
    assert cleared(driver) == [alert.id]
    assert not driver.queue.player.page.keeps_stack


@pytest.mark.parametrize("clears", ["one", "all", "nothing"])
def test_the_next_begins_when_the_hub_has_taken_off_the_last(clears: Any) -> None:
    driver = Driver(EIGHT, clears=clears)
    alert = begin(driver)
    driver.queue.commands.skip()
    driver.drain()
    if clears == "nothing":
        assert shown(driver.after(7.9)) == []
        assert shown(driver.after(0.2)) == ["cheer"]
        return
    assert shown(driver.after(1.0)) == []
    entry = driver.queue.player.page.find(alert.id)
    assert entry is not None
    driver.queue.player.taken_off(entry)
    assert shown(driver.drain()) == ["cheer"]


def test_what_was_brought_back_before_the_hub_was_asked_stays() -> None:
    driver = Driver(EIGHT)
    alert = driver.arrive("sub")
    driver.show()
    driver.queue.player.target(False, "cut")
    driver.queue.commands.remove(alert.id)
    driver.queue.commands.undo()
    driver.drain()
    assert driver.queue.player.page.to_take_off() == []
    driver.queue.player.target(True)
    assert driver.queue.player.page.removals() == list[Removal]()
    assert shown(driver.after(0.3)) == ["sub"]
