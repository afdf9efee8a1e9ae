"""What the values that leave the engine cost to import: no more than the library that they are made with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tui import channels

_HEAVY = ("asyncio", "pydantic", "ssl", "textual", "websockets", "tui.channels.socket", "tui.config")


@pytest.mark.parametrize("module", ["tui.model.engine", "tui.channels", "tui.control.protocol"])
def test_the_values_bring_neither_a_loop_nor_a_socket(module: str) -> None:
    code = f"import sys, {module}; print([each for each in {_HEAVY!r} if each in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_every_name_of_the_client_is_handed_on() -> None:
    assert {name: getattr(channels, name).__class__ for name in channels.__all__}
    assert not hasattr(channels, "sockets")
