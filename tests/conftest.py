"""What every test begins with."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tui.text import secret_values


def pytest_configure() -> None:
    # A shell that starts something in the background, and nohup, have it ignore these; the programs that
    # tests start would, too.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_secret_of_another_test() -> Iterator[None]:
    """The values that are masked are those of the process, and a test's tokens are words to the next one."""
    yield
    secret_values.KNOWN.forget()
