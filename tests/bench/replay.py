"""How long a recorded hour takes to open, and what recording costs: ``python -m tests.bench.replay``."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.figures import Aim, Figure, as_text, sample
from tests.scripted_engine import ScriptedEngine, connection, watched_evening
from tui.channels import StateChange
from tui.channels.inspector import InspectedFrame
from tui.engine.api import CommandResult, FramePage
from tui.replay.opening import open_replay
from tui.replay.recorder import Recorder
from tui.store.recording import FOLDER_NAME, Holds, Recording, RecordingFiles, pack

BEGIN = 1_800_000_000.0
BLOCK_SECONDS = 0.5
WORDS = ("raid", "stream", "quiet", "shiny", "hydrate", "lantern", "overlay", "cheers", "follow", "tonight")


class SimulatedRecording(Recording):
    """Blocks as they come of half a second each, by the time of the lines instead of the clock's."""

    def __init__(self, files: RecordingFiles) -> None:
        self.files = files
        self.dropped = 0
        self.taken: list[tuple[float, bytes, Holds]] = []
        self.raw = 0
        self.written = 0

    def add(self, timestamp: float, line: bytes, holds: Holds) -> bool:
        if self.taken and (holds & Holds.BEGINNING or timestamp - self.taken[0][0] >= BLOCK_SECONDS):
            self.flush()
        self.taken.append((timestamp, line, holds))
        return True

    def flush(self) -> None:
        if not self.taken:
            return
        times = [timestamp for timestamp, _, _ in self.taken]
        kinds = Holds.NOTHING
        for _, _, holds in self.taken:
            kinds |= holds
        lines = [line for _, line, _ in self.taken]
        block = pack(lines, min(times), max(times), kinds)
        self.files.write(block, beginning=bool(self.taken[0][2] & Holds.BEGINNING))
        self.raw += sum(map(len, lines))
        self.written += len(block)
        self.taken.clear()


class Evening:
    """A time in which links carry chat, change a little all the while, and now and then break."""

    def __init__(self, links: int, frames_per_second: int, begin: float) -> None:
        self.chance = random.Random(links)
        self.now = begin
        self.frames_per_second = frames_per_second
        self.names = [f"link_{number:03}" for number in range(links)]
        watched = watched_evening(begin)
        self.engine = ScriptedEngine(
            [connection(name, at=begin) for name in self.names], clock=lambda: self.now
        )
        self.engine.alerts_value = watched.alerts_value
        self.engine.services = watched.services
        self._cursor = 0

    def go_on(self, seconds: float, recorder: Recorder) -> None:
        """Let ``seconds`` pass and be recorded."""
        self.now += seconds
        for name in self.names:
            before = next(each for each in self.engine.connections if each.name == name)
            received = self.chance.randrange(40)
            details = msgspec.structs.replace(
                before.details,
                time_in_state=self.now - before.details.since,
                messages_in=before.details.messages_in + received,
                bytes_in=before.details.bytes_in + received * 300,
            )
            self.engine.replace(name, details=details, messages_per_second_in=received / 0.5)
        if self.chance.random() < 0.05:
            name = self.chance.choice(self.names)
            self.engine.write(f"reconnecting: {self._text(4)}", name, at=self.now)
            change = StateChange(
                old_state="connected", new_state="reconnecting", error=None, timestamp=self.now
            )
            recorder.state_changed(name, change)
        for _ in range(round(self.frames_per_second * seconds)):
            recorder.frame(self.chance.choice(self.names), self._frame())
        recorder.look(self.engine)

    def _text(self, words: int) -> str:
        return " ".join(self.chance.choice(WORDS) for _ in range(words))

    def _frame(self) -> InspectedFrame:
        self._cursor += 1
        payload = json.dumps(
            {
                "id": f"{self.chance.getrandbits(64):x}",
                "correlation_id": f"{self.chance.getrandbits(96):x}",
                "user_name": self._text(1),
                "message": self._text(self.chance.randrange(2, 25)),
                "timestamp": self.now,
            }
        ).encode()
        return InspectedFrame(
            cursor=self._cursor,
            timestamp=self.now,
            direction="in",
            topic="events:chat",
            event="chat_message",
            ref=None,
            join_ref=None,
            size=len(payload) + 60,
            binary=False,
            payload=payload,
            cut=False,
        )


def record(folder: Path, *, seconds: float, links: int, frames_per_second: int) -> dict[str, float]:
    """Record so many seconds, and what that cost: processor seconds, bytes before and after compression."""
    evening = Evening(links, frames_per_second, BEGIN)
    files = RecordingFiles(folder / FOLDER_NAME, now=lambda: evening.now, sync=lambda descriptor: None)
    recording = SimulatedRecording(files)
    recorder = Recorder(recording)
    began = time.process_time()
    while evening.now < BEGIN + seconds:
        evening.go_on(0.5, recorder)
    recording.flush()
    files.close()
    return {
        "processor": time.process_time() - began,
        "raw": float(recording.raw),
        "written": float(recording.written),
    }


async def replay_opens(
    *, seconds: float = 3600.0, links: int = 10, frames_per_second: int = 50, repeats: int = 5
) -> list[Figure]:
    """From naming a recorded hour until its middle, its end and the frames there are on the screen."""
    opened: list[float] = []
    sought: list[float] = []
    frames: list[float] = []
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        told = await asyncio.to_thread(
            record, Path(folder), seconds=seconds, links=links, frames_per_second=frames_per_second
        )
        for _ in range(repeats):
            began = time.perf_counter()
            replay = open_replay(Path(folder), BEGIN + seconds * chance.random())
            shown = replay.snapshot()
            opened.append(time.perf_counter() - began)
            if len(shown.connections) != links or shown.waiting is not None:
                raise RuntimeError(f"it does not show what was recorded: {shown.waiting}")
            began = time.perf_counter()
            await replay.seek(BEGIN + seconds * chance.random())
            sought.append(time.perf_counter() - began)
            began = time.perf_counter()
            page: FramePage | CommandResult = await replay.frames(shown.connections[0].name)
            frames.append(time.perf_counter() - began)
            if isinstance(page, CommandResult) or not page.frames:
                raise RuntimeError("there are no frames")
    what = f"{seconds:g} s of {links} links and {frames_per_second} frames/s"
    more: dict[str, Any] = {
        "MB": told["written"] / 1e6,
        "times smaller than its lines": told["raw"] / told["written"],
        "made in processor s": told["processor"],
    }
    return [
        Figure(
            name=name,
            what=f"{words}: {what}",
            value=sample(values).median * 1000,
            value_unit="ms",
            aim=Aim(limit=limit),
            unit="ms",
            ours=sample([value * 1000 for value in values]),
            more=more,
        )
        for name, words, values, limit in (
            ("replay_opens", "To open a recording at any moment", opened, 2000.0),
            ("replay_seeks", "To go to any other moment", sought, 500.0),
            ("replay_frames", "To show the last 200 frames of a link", frames, 500.0),
        )
    ]


if __name__ == "__main__":
    for figure in asyncio.run(replay_opens()):
        print(as_text(figure))
