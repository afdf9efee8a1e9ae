"""What every test begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tui import secret_values


@pytest.fixture(autouse=True)
def no_secret_of_another_test() -> Iterator[None]:
    """The values that are masked are those of the process, and a test's tokens are words to the next one."""
    yield
    secret_values.KNOWN.forget()
