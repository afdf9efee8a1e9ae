"""Each attack in a small form; the long one is ``python -m tests.attacks``."""

from __future__ import annotations

import pytest

from tests.attacks.__main__ import attacked


@pytest.mark.parametrize(
    ("name", "requests"), [("control", 500), ("metrics", 150), ("endpoints", 32), ("command", 60)]
)
def test_whatever_comes_from_beside_the_good_link_and_the_answers_go_on(name: str, requests: int) -> None:
    words, faults = attacked(name, requests, seed=1)
    assert not faults, words
