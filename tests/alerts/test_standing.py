"""What has ended and may stand on an overlay all the same: a panic takes it off, and nothing else."""

from __future__ import annotations

import pytest

from tests.alerts.driver import Driver
from tui.alerts.alert import MOST_ITEMS, Alert
from tui.alerts.standing import MOST_STANDING
from tui.alerts.view import Clear, Update


def cleared(driver: Driver) -> list[str]:
    return [order.alert.id for order in driver.drain() if isinstance(order, Clear)]


def ended_early(driver: Driver) -> Alert:
    """An alert whose link went behind its half."""
    alert = driver.arrive("cheer")
    driver.show()
    driver.after(alert.duration * 0.6)
    driver.queue.player.target(False, "cut")
    driver.drain()
    assert driver.outcome(alert) == "unconfirmed"
    return alert


def test_what_ended_early_is_taken_off_while_its_time_lasts() -> None:
    driver = Driver()
    early = ended_early(driver)
    driver.queue.player.target(True)
    assert driver.queue.commands.panic().message == "paused; 1 taken off"
    assert cleared(driver) == [early.id]
    assert driver.queue.commands.panic().message == "paused; nothing played"
    # Long after its time nothing of it is there.
    driver.queue.commands.resume()
    driver.after(1.0)
    driver.after(ended_early(driver).duration)
    assert driver.queue.commands.panic().message == "paused; nothing played"


def dropped(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    driver.show()
    driver.queue.player.target(False, "cut")
    driver.drain()
    driver.arrive("raid")
    assert driver.outcome(alert) == "unconfirmed"
    driver.queue.commands.clear()
    driver.queue.player.target(True)
    return alert


def confirmed_behind_another(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    driver.queue.player.uncertain(alert.id, "cut")
    driver.queue.commands.pause()
    driver.arrive("raid")
    driver.queue.commands.resume()
    driver.after(2.0)
    driver.show()
    driver.queue.player.confirm(alert.id)
    driver.drain()
    assert driver.outcome(alert) == "shown"
    return alert


def failed(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    for delay, has_left in ((1.1, True), (3.1, False), (0.0, False)):
        driver.queue.player.refused(alert.id, "no answer", has_left=has_left, answered=False)
        driver.drain()
        driver.after(delay)
    assert driver.outcome(alert) == "failed"
    return alert


@pytest.mark.parametrize("way", [dropped, confirmed_behind_another, failed])
def test_it_is_taken_off_whichever_way_it_ended(way: object) -> None:
    driver = Driver(most_waiting=1, clears="one")
    assert callable(way)
    alert = way(driver)
    driver.queue.commands.panic()
    assert alert.id in cleared(driver)


@pytest.mark.parametrize("resumed", [False, True])
def test_what_a_late_store_tells_of_is_taken_off_too(resumed: bool) -> None:
    before = Driver()
    playing, waiting = before.arrive("cheer"), before.arrive("cheer")
    before.show()
    driver = Driver(there=False)
    driver.queue.commands.panic()
    if resumed:
        driver.queue.commands.resume()
    driver.queue.restore(before.rows.values())
    assert cleared(driver) == [playing.id]
    assert (driver.outcome(playing), driver.waiting()) == ("removed", [waiting.id])


def test_what_plays_when_a_late_store_tells_of_more_is_shown_again() -> None:
    before = Driver()
    old = before.arrive("cheer")
    before.show()
    driver = Driver()
    driver.queue.commands.panic()
    driver.queue.commands.resume()
    driver.after(1.0)
    new = driver.arrive("raid")
    driver.show()
    driver.queue.restore(before.rows.values())
    assert [(type(order), order.alert.id) for order in driver.drain()] == [(Clear, old.id), (Update, new.id)]


def test_nothing_stands_that_the_hub_refused_or_that_was_brought_back() -> None:
    driver = Driver()
    refused = driver.arrive("cheer")
    for delay in (1.1, 3.1, 0.0):
        driver.queue.player.refused(refused.id, "no")
        driver.drain()
        driver.after(delay)
    assert driver.outcome(refused) == "failed"
    assert driver.queue.commands.panic().message == "paused; nothing played"
    # What is brought back stands once.
    driver.queue.commands.resume()
    driver.after(1.0)
    again = driver.arrive("cheer")
    driver.show()
    driver.queue.commands.remove(again.id)
    driver.drain()
    driver.queue.player.may_stand(driver.rows[again.id])
    driver.queue.commands.pause()
    driver.queue.commands.undo()
    assert driver.queue.commands.panic().message == "paused; 1 taken off"
    assert cleared(driver) == [again.id]


def test_what_ended_long_ago_pushes_nothing_out() -> None:
    old = Driver()
    for _ in range(MOST_STANDING + 10):
        old.arrive("cheer")
        old.show()
        old.after(20.0)
    driver = Driver()
    ended_early(driver)
    driver.clock.wall_offset = 20.0 * (MOST_STANDING + 10)
    driver.queue.restore(old.rows.values())
    driver.queue.player.target(True)
    assert driver.queue.commands.panic().message == "paused; 1 taken off"


def test_a_clock_that_was_set_back_makes_nothing_stand_longer() -> None:
    before = Driver()
    before.clock.wall_offset = 3600.0
    ended = before.arrive("cheer")
    before.show()
    before.after(30.0)
    assert before.outcome(ended) == "unconfirmed"
    driver = Driver()
    driver.queue.restore(before.rows.values())
    driver.after(60.0)
    assert driver.queue.commands.panic().message == "paused; nothing played"


def test_the_hubs_ids_are_kept_whatever_became_of_the_alert_meanwhile() -> None:
    driver = Driver()
    playing = driver.arrive("cheer")
    driver.queue.player.delivered(playing.id, 1, "item 1")
    driver.queue.player.made(playing.id, 1, 2)
    driver.drain()
    assert driver.rows[playing.id].items == ((1, "item 1"), (1, 2))
    driver.queue.commands.skip()
    driver.queue.player.made(playing.id, 1, "item 3")
    driver.drain()
    assert driver.rows[playing.id].items[-1] == (1, "item 3")
    assert driver.outcome(playing) == "skipped"
    for number in range(3 * MOST_ITEMS):
        driver.queue.player.made(playing.id, 1, number)
    driver.drain()
    assert len(driver.rows[playing.id].items) == MOST_ITEMS


def test_the_next_run_knows_what_ended_early() -> None:
    before = Driver()
    ended_early(before)
    for seconds, words in ((0.7, "paused; 1 taken off"), (30.0, "paused; nothing played")):
        driver = Driver()
        driver.clock.wall_offset = seconds
        driver.queue.restore(before.rows.values())
        driver.clock.wall_offset = 0.0
        assert driver.queue.commands.panic().message == words


def test_of_an_event_that_came_again_both_alerts_are_taken_off() -> None:
    before = Driver()
    before.clock.wall_offset = -1.0
    former = before.arrive("cheer", id="event 1")
    before.show()
    driver = Driver(clears="one")
    again = driver.arrive("cheer", id="event 1")
    driver.show()
    driver.queue.restore(before.rows.values())
    driver.drain()
    assert driver.outcome(former) == "unconfirmed"
    driver.queue.commands.panic()
    assert set(cleared(driver)) == {former.id, again.id}
