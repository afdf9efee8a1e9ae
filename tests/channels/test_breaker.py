"""The breaker by itself: closed, open, half-open, and what counts as a trip."""

from __future__ import annotations

from tui.channels.breaker import CircuitBreaker


def tripped(threshold: int = 3, timeout: float = 100.0) -> CircuitBreaker:
    breaker = CircuitBreaker(threshold, timeout)
    for _ in range(threshold):
        breaker.fail(now=10.0)
    return breaker


def test_it_is_closed_until_the_threshold_is_reached() -> None:
    breaker = CircuitBreaker(3, 100.0)
    assert [breaker.fail(1.0), breaker.fail(2.0)] == [False, False]
    assert (breaker.state, breaker.trips, breaker.until) == ("closed", 0, None)
    assert breaker.fail(3.0)
    assert (breaker.state, breaker.trips, breaker.until) == ("open", 1, 103.0)


def test_a_threshold_of_one_opens_at_the_first_failure() -> None:
    assert CircuitBreaker(1, 5.0).fail(0.0)


def test_half_open_is_not_open_and_has_no_time() -> None:
    breaker = tripped()
    breaker.half_open()
    assert (breaker.is_open, breaker.state, breaker.until) == (False, "half-open", None)


def test_a_failed_probe_opens_it_again_for_its_whole_time_and_is_no_trip() -> None:
    breaker = tripped()
    for number in range(1, 751):
        breaker.half_open()
        assert breaker.fail(now=200.0 * number)
        assert (breaker.state, breaker.until) == ("open", 200.0 * number + 100)
        assert (breaker.trips, breaker.probes) == (1, number)


def test_what_opens_it_after_a_success_is_one_more_trip() -> None:
    breaker = tripped()
    breaker.half_open()
    breaker.close()
    assert [breaker.fail(300.0) for _ in range(3)] == [False, False, True]
    assert (breaker.trips, breaker.probes) == (2, 1)


def test_closing_forgets_the_failures_and_keeps_the_trips() -> None:
    breaker = tripped()
    breaker.close()
    assert (breaker.state, breaker.failures, breaker.trips, breaker.until) == ("closed", 0, 1, None)
    assert [breaker.fail(1.0), breaker.fail(1.0), breaker.fail(1.0)] == [False, False, True]


def test_hastening_ends_the_open_time_earlier_and_never_later() -> None:
    breaker = tripped()
    breaker.wake_early(50.0)
    assert breaker.until == 50.0
    breaker.wake_early(80.0)
    assert breaker.until == 50.0
    breaker.close()
    breaker.wake_early(60.0)
    assert breaker.until is None
