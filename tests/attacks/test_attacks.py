"""Each attack in a small form; the long one is ``python -m tests.attacks``."""

from __future__ import annotations

import pytest

from tests.attacks.__main__ import attacked

SMALL = {"control": 150, "metrics": 100, "endpoints": 32, "command": 40}


@pytest.mark.parametrize(("name", "requests"), SMALL.items())
def test_whatever_comes_from_beside_the_good_link_and_the_answers_go_on(name: str, requests: int) -> None:
    words, faults = attacked(name, requests, seed=1)
    assert not faults, words
