"""The face as a program of its own, for a real terminal: ``python -m tests.terminal.program MODE [FILE]``.

``still``: nothing changes. ``busy``: every snapshot differs. ``flood``: all is painted 20 times a
second, for four seconds; then a notice says that it ended. ``crash``: fails after half a second.
With FILE, its loop writes the time there ten times a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from tests.scripted_engine import BusyEngine, ScriptedEngine, channel, connection, evening
from tui.app.app import OverlaySupervisorApp
from tui.model.snapshot import Trouble
from tui.system.ending import End, carry_out


class FloodApp(OverlaySupervisorApp):
    """Paints everything again and again: what a terminal does not read is soon too much."""

    def on_mount(self) -> None:
        self.set_interval(0.05, lambda: self.screen.refresh(), repeat=80)
        self.set_timer(4.5, self.end)

    def end(self) -> None:
        assert isinstance(self.engine, ScriptedEngine)
        self.engine.notice = "the flood ended"


async def run(mode: str, ticks: Path | None, end: End) -> int:
    """Run the app in ``mode`` and return its code."""
    if mode == "busy":
        app = OverlaySupervisorApp(BusyEngine([connection(f"link_{n}") for n in range(12)]))
    elif mode == "hostile":
        app = OverlaySupervisorApp(hostile())
    elif mode == "flood":
        app = FloodApp(evening())
    elif mode == "crash":
        app = OverlaySupervisorApp(evening())
        asyncio.get_running_loop().call_later(0.5, lambda: app.call_later(crash))
    else:
        app = OverlaySupervisorApp(ScriptedEngine([connection("stage"), connection("dashboard")]))
    if ticks is not None:
        ticker = asyncio.create_task(tick(ticks), name="ticker")
        status = await app.run_to(end)
        ticker.cancel()
    else:
        status = await app.run_to(end)
    if app.crash is not None:
        print(f"crashed: {app.crash}", file=sys.stderr, flush=True)
        return 1
    assert status is not None
    return status


def hostile() -> ScriptedEngine:
    """Everything that a network could say, in every text that it can reach."""
    engine = ScriptedEngine(
        [
            connection(
                "stage",
                details={"last_close_code": 1011, "last_close_reason": text, "reason": text},
                metrics={"connection_state": "reconnecting", "reconnect_attempts": 1},
                trouble=Trouble(
                    state="reconnecting",
                    circuit_open=False,
                    message=text,
                    since=time.time(),
                    state_since=time.time(),
                    last_reason=text,
                ),
                channels=(
                    channel(topic=text, state="errored", reason=text, last_event=text, last_text=text),
                    channel("overlay:" + text[::-1], last_event=text, last_text=text),
                ),
                address=text,
                label=text,
            )
            for text in HOSTILE[:1]
        ]
    )
    for text in HOSTILE:
        engine.write(text, connection=text, severity="error")
    engine.notice = HOSTILE[0]
    return engine


HOSTILE = (
    "[/bad][red]x[/] \x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[999;999H\x1bP+q544e\x1b\\ \x9b31m\x9d0;evil\x9c"
    "\r\n\t\b\x7f \u202eevil\u2066\u200f\u200b\u200d\ufeff 日本語 👩‍👩‍👧‍👦 e\u0301\u0301\u0301 \U000e0041",
    "evil " * 200_000,
    "\x1b[31m" * 1000,
)
"""Markup, OSC and CSI sequences, C1 controls, newlines, bidirectional and zero-width controls, a megabyte."""


def crash() -> None:
    """What no handler foresaw."""
    raise RuntimeError("staged crash of the face")


async def tick(path: Path) -> None:
    """Write the time of the loop, so that a loop that stands still is seen."""
    with path.open("w", buffering=1) as file:
        while True:
            file.write(f"{time.monotonic()}\n")
            await asyncio.sleep(0.1)


def main(end: End) -> int:
    """Run, and end with the app's status."""
    if "IGNORE_HANGUP" in os.environ:
        # What is noted replaces an ignored signal, which is what nohup sets: block it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    ticks = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    end.lasts()
    return asyncio.run(run(sys.argv[1], ticks, end))


if __name__ == "__main__":
    carry_out(main)
