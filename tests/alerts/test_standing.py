"""What has ended and may stand on an overlay all the same: a panic takes it off, and nothing else."""

from __future__ import annotations

import pytest

from tests.alerts.driver import Driver
from tui.alerts.alert import Alert
from tui.alerts.view import Clear


def cleared(driver: Driver) -> list[str]:
    return [order.alert.id for order in driver.drain() if isinstance(order, Clear)]


def test_what_ended_early_is_taken_off_while_its_time_lasts() -> None:
    driver = Driver()
    early = driver.arrive("cheer")
    driver.show()
    driver.after(early.duration * 0.6)
    driver.queue.target(False, "cut")
    driver.drain()
    assert driver.outcome(early) == "unconfirmed"
    driver.queue.target(True)
    assert driver.queue.panic().message == "paused; 1 taken off"
    assert cleared(driver) == [early.id]
    assert driver.queue.panic().message == "paused; nothing played"
    # Long after its time nothing of it is there.
    driver.queue.resume()
    driver.after(1.0)
    late = driver.arrive("cheer")
    driver.show()
    driver.after(late.duration * 0.6)
    driver.queue.target(False, "cut")
    driver.after(late.duration)
    assert driver.queue.panic().message == "paused; nothing played"


def dropped(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    driver.show()
    driver.queue.target(False, "cut")
    driver.drain()
    driver.arrive("raid")
    assert driver.outcome(alert) == "unconfirmed"
    driver.queue.clear()
    driver.queue.target(True)
    return alert


def confirmed_behind_another(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    driver.queue.uncertain(alert.id, "cut")
    driver.queue.pause()
    driver.arrive("raid")
    driver.queue.resume()
    driver.after(2.0)
    driver.show()
    driver.queue.confirm(alert.id)
    driver.drain()
    assert driver.outcome(alert) == "shown"
    return alert


def failed(driver: Driver) -> Alert:
    alert = driver.arrive("cheer")
    for delay, has_left in ((1.1, True), (3.1, False), (0.0, False)):
        driver.queue.refused(alert.id, "no answer", has_left=has_left)
        driver.drain()
        driver.after(delay)
    assert driver.outcome(alert) == "failed"
    return alert


@pytest.mark.parametrize("way", [dropped, confirmed_behind_another, failed])
def test_it_is_taken_off_whichever_way_it_ended(way: object) -> None:
    driver = Driver(most_waiting=1, clears="one")
    assert callable(way)
    alert = way(driver)
    driver.queue.panic()
    assert alert.id in cleared(driver)


@pytest.mark.parametrize("resumed", [False, True])
def test_what_a_late_store_tells_of_is_taken_off_too(resumed: bool) -> None:
    before = Driver()
    playing, waiting = before.arrive("cheer"), before.arrive("cheer")
    before.show()
    driver = Driver(there=False)
    driver.queue.panic()
    if resumed:
        driver.queue.resume()
    driver.queue.restore(before.rows.values())
    assert cleared(driver) == [playing.id]
    assert (driver.outcome(playing), driver.waiting()) == ("removed", [waiting.id])


def test_the_next_run_knows_what_ended_early() -> None:
    before = Driver()
    early = before.arrive("cheer")
    before.show()
    before.after(early.duration * 0.6)
    before.queue.target(False, "cut")
    before.drain()
    for seconds, words in ((0.7, "paused; 1 taken off"), (30.0, "paused; nothing played")):
        driver = Driver()
        driver.clock.wall_offset = seconds
        driver.queue.restore(before.rows.values())
        driver.clock.wall_offset = 0.0
        assert driver.queue.panic().message == words


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
    driver.queue.panic()
    assert set(cleared(driver)) == {former.id, again.id}
