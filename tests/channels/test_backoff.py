"""Delays by themselves: bounds for every retry, and the draws that make them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tui.channels import Options
from tui.channels.backoff import BackOff


def made(base: float, most: float, jitter: float, random_source: random.Random) -> BackOff:
    options = Options(reconnect_base_delay=base, reconnect_max_delay=most, reconnect_jitter=jitter)
    return BackOff(options, random_source)


PRESETS = {"service": (1.0, 60.0), "overlay": (1.0, 30.0), "live": (0.5, 3.0)}


@pytest.mark.parametrize(("base", "most"), PRESETS.values(), ids=PRESETS)
def test_delays_stay_within_the_jittered_bounds_of_every_retry(base: float, most: float) -> None:
    back_off = made(base, most, 0.5, random.Random(3))
    for retry in range(1, 40):
        longest = min(base * 2 ** (retry - 1), most)
        delays = [back_off.delay(retry) for _ in range(300)]
        assert longest / 2 <= min(delays) <= longest * 0.6
        assert longest * 0.9 <= max(delays) <= longest


def test_the_first_retry_after_stable_is_uniform_from_zero() -> None:
    back_off = made(1.0, 60.0, 0.5, random.Random(3))
    delays = sorted(back_off.delay(1, after_stable=True) for _ in range(1_000))
    assert delays[0] < 0.02
    assert 0.45 < delays[500] < 0.55
    assert delays[-1] > 0.98


def test_only_the_first_retry_after_stable_may_be_that_short() -> None:
    back_off = made(1.0, 60.0, 0.5, random.Random(3))
    assert min(back_off.delay(2, after_stable=True) for _ in range(300)) >= 1


def test_the_same_seed_gives_the_same_delays() -> None:
    first, second = (made(1.0, 60.0, 0.5, random.Random(9)) for _ in range(2))
    assert [first.delay(n) for n in range(1, 9)] == [second.delay(n) for n in range(1, 9)]


def test_no_jitter_and_full_jitter() -> None:
    assert made(2.0, 60.0, 0.0, random.Random(1)).delay(3) == 8
    whole = made(2.0, 60.0, 1.0, random.Random(1))
    assert min(whole.delay(1) for _ in range(300)) < 0.05


def test_retry_after_is_the_greater_of_the_two_and_never_beyond_the_cap() -> None:
    back_off = made(4.0, 30.0, 0.0, random.Random(1))
    assert back_off.delay(1, retry_after=1.0) == 4
    assert back_off.delay(1, retry_after=20.0) == 20
    assert back_off.delay(1, retry_after=3_600.0) == 30


@REPLAYED
@given(
    base=st.floats(0.001, 100),
    factor=st.floats(1, 1_000),
    jitter=st.floats(0, 1),
    retry=st.integers(1, 10_000),
    after_stable=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e9),
    seed=st.integers(0, 99),
)
def test_no_delay_is_ever_negative_or_beyond_the_cap(
    base: float,
    factor: float,
    jitter: float,
    retry: int,
    after_stable: bool,
    retry_after: float | None,
    seed: int,
) -> None:
    most = base * factor
    back_off = made(base, most, jitter, random.Random(seed))
    delay = back_off.delay(retry, after_stable=after_stable, retry_after=retry_after)
    assert 0 <= delay <= most
    if retry_after is not None:
        assert delay >= min(retry_after, most)
