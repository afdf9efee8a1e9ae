"""``python -m tests.storm --ends N [--seed N] [--form FORM] [--limit SECONDS]``: ends in every way.

Each form of the program, on a terminal of its own where it has a screen, gets one or forty signals 0 to 1 ms
apart: while it starts, while it runs, and while it ends already; with nothing stuck, or with something that
never answers. It must be gone in time, with the status of its form, the terminal as it was before.

Exit status: 0 every one ended so, 1 not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tests.terminal.hub_thread import HubThread
from tests.terminal.real_terminal import ROOT, RealTerminal

Form = Literal["run", "run --headless", "demo", "demo --headless", "attach", "replay"]
FORMS: tuple[Form, ...] = get_args(Form)

Stuck = Literal["nothing", "token", "name", "disk", "command", "terminal", "keys"]

LIMIT = 2.0
"""Seconds from the first signal to the end."""
PATIENCE = 30.0
"""Seconds for a start, and for what is to be killed."""

STUCK: dict[Form, tuple[Stuck, ...]] = {
    "run": ("nothing", "token", "name", "disk", "command", "terminal", "keys"),
    "run --headless": ("nothing", "token", "name", "disk", "command"),
    "demo": ("nothing", "disk", "terminal", "keys"),
    "demo --headless": ("nothing", "disk"),
    "attach": ("nothing", "disk", "terminal", "keys"),
    "replay": ("nothing", "disk", "terminal", "keys"),
}
"""What can be stuck under each form, so that it matters to it."""
_LEFT = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l")


@dataclass(frozen=True)
class Trial:
    """One end."""

    form: Form
    stuck: Stuck
    moment: Literal["start", "run"]
    wait: float
    """Seconds from the start of the process, or from the moment that it runs, to the first signal."""
    signals: tuple[tuple[signal.Signals, float], ...]
    """Each with the seconds since the one before."""

    def __str__(self) -> str:
        names = Counter(number.name for number, _ in self.signals)
        sent = " ".join(f"{count} {name}" for name, count in names.items())
        when = f"{self.wait * 1000:.0f} ms after its start" if self.moment == "start" else "while it ran"
        return f"{self.form}, {self.stuck} stuck, {sent} {when}"


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    seconds: float
    """From the first signal to the end."""
    fault: str | None = None
    """What was wrong, other than the time."""


def trial(random_source: random.Random, form: Form | None = None, stuck: Stuck | None = None) -> Trial:
    """One at random."""
    form = form or random_source.choice([each for each in FORMS if stuck is None or stuck in STUCK[each]])
    stuck = stuck or random_source.choice(STUCK[form])
    # HUP is a reload where there is neither a screen nor a demo.
    numbers = [signal.SIGTERM, signal.SIGINT] + [signal.SIGHUP] * (form != "run --headless")
    count = random_source.choice((1, 2, 40))
    first = random_source.choice(numbers)
    mixed = random_source.random() < 0.3
    signals = [(first, 0.0)]
    for _ in range(count - 1):
        gap = random_source.choice((0.0, random_source.uniform(0, 0.001)))
        signals.append((random_source.choice(numbers) if mixed else first, gap))
    if count == 40 and random_source.random() < 0.3:
        # Some while it ends already.
        signals = [(number, gap + random_source.uniform(0, 0.05)) for number, gap in signals]
    moment: Literal["start", "run"] = "start" if random_source.random() < 0.25 else "run"
    wait = random_source.uniform(0, 1.2) if moment == "start" else random_source.uniform(0, 0.3)
    return Trial(form, stuck, moment, wait, tuple(signals))


class Grounds:
    """What the programs of a storm stand on: a hub, an engine to attach to, and a journal to replay."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="storm-"))
        self.hub = HubThread()
        self._engine = self._start_engine()

    def __enter__(self) -> Grounds:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.kill()
        self._engine.wait()
        self.hub.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def state(self) -> Path:
        """The state folder of the engine that runs all the while."""
        return self.folder / "engine"

    def _start_engine(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "tui.cli.main",
            "run",
            self.hub.hub.url,
            "-t",
            "events:all",
            "--headless",
        ]
        engine = subprocess.Popen(
            [*command, "--state", str(self.state)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self.hub.hub.joins["events:all"]:
            assert time.monotonic() < deadline, "the engine to attach to did not start"
            time.sleep(0.02)
        return engine

    def run(self, trial: Trial) -> Outcome:
        """Start a program, end it, and see how it went."""
        folder = Path(tempfile.mkdtemp(prefix="t", dir=self.folder))
        try:
            with _program(self, trial, folder) as program:
                return program.end(trial)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Program:
    """One process under test."""

    def __init__(self, trial: Trial, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self._trial = trial
        self._folder = folder
        self._has_screen = "--headless" not in arguments
        self._began = time.monotonic()
        self.terminal: RealTerminal | None = None
        if self._has_screen:
            self.terminal = RealTerminal(*arguments, module="tui", environment=environment)
            self.pid = self.terminal.pid
            return
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tui", *arguments],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.pid = self._process.pid

    def close(self) -> None:
        """Kill what is left."""
        if self.terminal is not None:
            self.terminal.__exit__(None, None, None)
        elif self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def output(self) -> bytes:
        if self.terminal is not None:
            return bytes(self.terminal.output)
        return (self._folder / "out").read_bytes() + (self._folder / "err").read_bytes()

    def status(self) -> int | None:
        """The exit status; None while it runs."""
        if self.terminal is None:
            return self._process.poll()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def is_up(self) -> bool:
        """It does what it was started for, so far as what is stuck lets it."""
        output = self.output
        if self._trial.stuck == "command" and not (self._folder / "called").exists():
            return False
        if self.terminal is not None:
            return b"\x1b[?1049h" in output and len(output) > 4000
        state = b"connecting" if self._trial.stuck in ("token", "name") else b"connected"
        return b'"newState":"' + state + b'"' in output

    def end(self, trial: Trial) -> Outcome:
        """Send the signals and wait for the end."""
        if trial.moment == "run":
            deadline = time.monotonic() + PATIENCE
            while not self.is_up():
                if time.monotonic() > deadline or (status := self.status()) is not None:
                    return Outcome(0.0, f"it did not start: {self.output[-500:]!r}")
                time.sleep(0.01)
        time.sleep(trial.wait)
        if trial.stuck == "terminal" and self.terminal is not None:
            self.terminal.pause_reading()
            for number in range(60 if trial.moment == "run" else 0):
                self.terminal.resize(80 + number % 40, 24 + number % 9)
                time.sleep(0.01)
        if trial.stuck == "keys" and self.terminal is not None:
            threading.Thread(target=self._type, args=(self.terminal,), daemon=True).start()
            time.sleep(0.2)
        if trial.stuck == "disk":
            (self._folder.parent / f"{self._folder.name}.hung").touch()
        began = time.monotonic()
        for number, gap in trial.signals:
            until = time.monotonic() + gap
            while time.monotonic() < until:
                pass
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
        deadline = began + PATIENCE
        while (status := self.status()) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        seconds = time.monotonic() - began
        if status is None:
            return Outcome(seconds, "it did not end")
        return Outcome(seconds, self._fault(status))

    @staticmethod
    def _type(terminal: RealTerminal) -> None:
        with contextlib.suppress(OSError):  # it has ended
            for _ in range(200):
                terminal.type("x" * 50)

    def _fault(self, status: int) -> str | None:
        sent = {number for number, _ in self._trial.signals}
        right = {128 + number for number in sent} if self._has_screen else {0}
        if self._trial.moment == "start":
            # Before its first line nothing but the system, or the interpreter, can end it.
            right |= {-number for number in sent}
            if b"KeyboardInterrupt" in self.output:
                return None
        if status not in right:
            return f"status {status} instead of {sorted(right)}: {self.output[-800:]!r}"
        if b"Traceback" in self.output and status >= 0:
            return f"it left a traceback: {self.output[-1500:]!r}"
        return self._terminal_fault() if self.terminal is not None else None

    def _terminal_fault(self) -> str | None:
        terminal = self.terminal
        assert terminal is not None
        if terminal.modes() != terminal.modes_before:
            return "the terminal's modes are not as before"
        terminal.resume_reading()
        if b"\x1b[?1049h" not in terminal.output and self._trial.stuck != "terminal":
            return None
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            output = bytes(terminal.output)
            entered = output.rfind(b"\x1b[?1049h")
            if all(output.rfind(sequence) > entered for sequence in _LEFT) or entered < 0:
                return None
            time.sleep(0.01)
        return f"the screen was left as it stood: {bytes(terminal.output[-300:])!r}"


@contextlib.contextmanager
def _program(grounds: Grounds, trial: Trial, folder: Path) -> Iterator[_Program]:
    state = folder / "s"
    environment = {
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "x"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "stuck"), str(ROOT)]),
        "TMPDIR": str(folder),
    }
    if trial.stuck == "disk":
        environment["STUCK_DISK"] = str(folder)
    elif trial.stuck == "token":
        environment["STUCK_DISK"] = str(folder / "far")
        (folder / "far.hung").touch()
    if trial.stuck == "name":
        environment["STUCK_NAMES"] = "1"
    arguments = [*trial.form.split()]
    if trial.form.startswith("run"):
        config = folder / "config.toml"
        config.write_text(_settings(trial.stuck, grounds.hub.hub.url, folder))
        arguments += ["--config", str(config), "--state", str(state)]
    elif trial.form == "attach":
        arguments += ["--state", str(grounds.state)]
        if trial.stuck == "disk":
            # The engine's own folder answers; the face's arrangement is kept where it does not.
            shutil.copytree(grounds.state, state, ignore=lambda *_: ["control.sock"])
            arguments = ["attach", "--state", str(state), "--socket", str(grounds.state / "control.sock")]
    elif trial.form == "replay":
        shutil.copytree(grounds.state, state, ignore=lambda *_: ["control.sock"])
        arguments += ["--state", str(state)]
    elif trial.stuck == "disk":
        arguments += ["--state", str(state)]
    program = _Program(trial, folder, arguments, environment)
    try:
        yield program
    finally:
        program.close()
        with contextlib.suppress(OSError):
            (folder.parent / f"{folder.name}.hung").unlink()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "called").read_text()), signal.SIGKILL)


def _settings(stuck: Stuck, url: str, folder: Path) -> str:
    links = {"hub": f'url = "{url}"\ntopics = ["events:all"]'}
    if stuck == "token":
        links = {f"link_{n}": f'url = "{url}"\nauth_token = {{ file = "far/{n}" }}' for n in range(8)}
    elif stuck == "name":
        links = {f"link_{n}": f'url = "ws://nowhere-{n}.test:4000/socket"' for n in range(8)}
    text = "".join(f"[connections.{name}]\n{lines}\n" for name, lines in links.items())
    if stuck == "command":
        text += '[connections.gone]\nurl = "ws://127.0.0.1:9/socket"\nmax_reconnect_attempts = 0\n'
        script = folder / "called.sh"
        # It stops itself: a signal to end waits until somebody has it go on.
        script.write_text(f"#!/bin/sh\necho $$ > {folder}/called\nkill -STOP $$\nexec sleep 60\n")
        script.chmod(0o700)
        text += f'[incidents]\ncommand = ["{script}"]\n'
    return text


def storm(ends: int, seed: int, limit: float, form: Form | None, stuck: Stuck | None, at_once: int) -> int:
    """Carry out so many trials, tell of those that went wrong, and return the exit status."""
    random_source = random.Random(seed)
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for _ in range(ends):
        waiting.put(trial(random_source, form, stuck))
    done: list[tuple[Trial, Outcome]] = []
    with Grounds() as grounds:

        def work() -> None:
            while True:
                try:
                    each = waiting.get_nowait()
                except queue.Empty:
                    return
                outcome = grounds.run(each)
                done.append((each, outcome))
                if (words := wrong(outcome, limit)) is not None:
                    print(f"{each}: {words}", flush=True)

        threads = [threading.Thread(target=work) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    failures = 0
    for each in FORMS:
        outcomes = [outcome for trial, outcome in done if trial.form == each]
        if outcomes:
            latest = max(outcome.seconds for outcome in outcomes)
            bad = sum(wrong(outcome, limit) is not None for outcome in outcomes)
            failures += bad
            print(f"{each:<16} {len(outcomes):>4} ends, the latest after {latest:.2f} s, {bad} failed")
    return 1 if failures else 0


def wrong(outcome: Outcome, limit: float) -> str | None:
    """What was wrong with an end; None when nothing was."""
    if outcome.fault is not None:
        return f"{outcome.fault} ({outcome.seconds:.2f} s)"
    return f"ended after {outcome.seconds:.2f} s" if outcome.seconds > limit else None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm")
    parser.add_argument("--ends", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="seconds to the end (2; 10 on a busy machine)"
    )
    parser.add_argument("--form", choices=FORMS)
    parser.add_argument("--stuck", choices=get_args(Stuck))
    parser.add_argument("--at-once", type=int, default=3)
    args = parser.parse_args()
    return storm(args.ends, args.seed, args.limit, args.form, args.stuck, args.at_once)


if __name__ == "__main__":
    sys.exit(main())
