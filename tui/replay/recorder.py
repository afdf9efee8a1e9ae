"""Records what a running engine shows: its snapshots, its log, its connections' pasts and their frames."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from tui import __version__
from tui.channels import StateChange
from tui.channels.inspector import InspectedFrame, without_secrets
from tui.engine.api import (
    CommandResult,
    ConnectionHistory,
    Engine,
    IncidentSnapshot,
    KeepingSnapshot,
    Snapshot,
)
from tui.replay.differences import difference
from tui.replay.records import (
    PAYLOAD_BYTES,
    Begun,
    Changed,
    IncidentBegan,
    Past,
    RecordedFrame,
    Told,
    Whole,
    encode,
)
from tui.secret_names import masked, masked_text
from tui.store.recording import Holds, Lost, Recording

log = logging.getLogger(__name__)

LOOK_EVERY = 0.25
"""Seconds between two looks at the engine."""
LOOK_SOON = 0.1
"""Seconds from a change of state to the look at what was published of it."""
SNAPSHOT_EVERY = 0.5
"""Seconds between two recorded snapshots in which figures changed and nothing else."""
UNCHANGED_EVERY = 1.0
"""Seconds between two lines that say that the engine still published, and nothing new."""
WHOLE_EVERY = 30.0
"""Seconds between two snapshots that need none before them."""
FRAMES_WAITING = 20_000
"""Frames that wait to be recorded; what comes when there are so many is dropped and counted."""
BYTES_WAITING = 16 * 1024 * 1024
"""Of their payloads, likewise."""
FRAMES_A_LOOK = 4_000
"""Frames recorded at once, so that a flood of them holds nothing else up."""

_LINES_AT_ONCE = 500
_PAST_SECONDS = 2.0
_SAME_BEGINNING = 0.05
"""Seconds by which two reckonings of one beginning may differ."""


class Recorder:
    """Implements :class:`tui.engine.reports.Reporter`. The engine is read as any face reads it, by a thread.

    Args:
        recording: where the lines go; closed with the recorder.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._engine: Engine | None = None
        self._soon = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._frames: deque[tuple[str, InspectedFrame]] = deque()
        # Each is changed by one thread alone, so that neither needs a lock.
        self._bytes_in = 0
        self._bytes_out = 0
        self._frames_lost = 0
        self._frames_told = 0
        self._changed_names: set[str] = set()
        self._last: Snapshot | None = None
        self._document: Any = None
        self._recorded_at = 0.0
        self._whole_at = 0.0
        self._number = 0
        self._losses = 0
        self._began: dict[str, float] = {}
        self._states: dict[str, tuple[str, float]] = {}
        self._log_cursor = 0
        self.broken: str | None = None
        """What ended the recording though nobody asked for it, in words; None while all is well."""

    # The engine's thread

    def state_changed(self, name: str, change: StateChange) -> None:
        """Look soon, so that the change is on record as it was shown."""
        self._soon.set()

    def report(self, snapshot: Snapshot) -> None:
        """Nothing: the recorder looks by itself."""

    def frame(self, name: str, frame: InspectedFrame) -> None:
        """Take one frame of the connection ``name``. Never waits."""
        size = len(frame.payload)
        waiting = self._bytes_in - self._bytes_out
        if len(self._frames) >= FRAMES_WAITING or waiting + size > BYTES_WAITING:
            self._frames_lost += 1
            return
        self._bytes_in += size
        self._frames.append((name, frame))

    # Any thread

    @property
    def trouble(self) -> str | None:
        """What is wrong with the recording, in words; None while nothing is."""
        if self.broken is not None:
            return self.broken
        error = self._recording.last_error
        return None if error is None else f"not written: {error.strerror}"

    @property
    def lost(self) -> int:
        """Frames and other lines that are not on record since the start."""
        return self._frames_lost + self._recording.dropped

    def start(self, engine: Engine) -> None:
        """Begin to record. Once only."""
        self._engine = engine
        self._thread.start()

    def close(self, timeout: float) -> bool:
        """Record what is left and wait at most ``timeout`` seconds for the disk; whether all was written.

        To be called when the engine has stopped, so that its end is on record.
        """
        deadline = time.monotonic() + timeout
        self._stop.set()
        self._soon.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return self._recording.close(max(0.0, deadline - time.monotonic()))

    # The recorder's thread

    def _run(self) -> None:
        engine = self._engine
        assert engine is not None
        try:
            self._add(time.time(), Begun(timestamp=time.time(), program=__version__), Holds.NOTHING)
            while not self._stop.is_set():
                if self._soon.wait(LOOK_EVERY):
                    self._stop.wait(LOOK_SOON)
                self._soon.clear()
                self.look(engine)
            while self._frames:
                self._take_frames()
            self.look(engine, last=True)
        except Exception as error:
            # Whatever it is, it must not take the engine with it, and nobody may think that all is on record.
            self.broken = f"the recording ended: {type(error).__name__}: {error}"
            log.exception("the recording ended")

    def look(self, engine: Engine, *, last: bool = False) -> None:
        """Record what is new; ``last``: whatever there is, however little time has passed."""
        self._take_frames()
        self._take_lines(engine)
        snapshot = engine.snapshot()
        if snapshot is self._last:
            # It publishes four times a second: that it did not is what the recording must show.
            return
        self._note_states(snapshot)
        told = bool(self._changed_names) or last
        if told or snapshot.taken_at - self._recorded_at >= SNAPSHOT_EVERY or self._is_back(snapshot):
            whole = self._take_snapshot(snapshot, last)
            if whole:
                self._changed_names.update(each.name for each in snapshot.connections)
            if self._changed_names and snapshot.stopped is None:
                self._take_pasts(engine, snapshot.taken_at)

    def _is_back(self, snapshot: Snapshot) -> bool:
        return snapshot.taken_at < self._recorded_at

    def _note_states(self, snapshot: Snapshot) -> None:
        states: dict[str, tuple[str, float]] = {
            each.name: (each.metrics.connection_state, each.details.since) for each in snapshot.connections
        }
        if states != self._states:
            self._changed_names.update(
                name for name, state in states.items() if self._states.get(name) != state
            )
            self._states = states

    def _take_snapshot(self, snapshot: Snapshot, last: bool) -> bool:
        """Record it, or what changed; whether it was recorded whole."""
        before, self._last = self._last, snapshot
        document = self._as_document(snapshot)
        at = snapshot.taken_at
        whole = (
            self._document is None
            or self._losses != self._recording.dropped
            or not 0 <= at - self._whole_at < WHOLE_EVERY
        )
        self._losses = self._recording.dropped
        if whole:
            line = encode(Whole(timestamp=at, number=self._number + 1, snapshot=_raw(document)))
            kinds = Holds.SNAPSHOT | Holds.BEGINNING
            self._whole_at = at
        else:
            changes = difference(self._document, document)
            if not changes and 0 <= at - self._recorded_at < UNCHANGED_EVERY and not last:
                return False
            line = encode(Changed(timestamp=at, number=self._number + 1, changes=_raw(changes)))
            kinds = Holds.SNAPSHOT
        self._number += 1
        self._document = document
        self._recorded_at = at
        self._recording.add(at, line, kinds)
        if before is not None:
            for began in _begun(before, snapshot):
                self._add(began.timestamp, began, Holds.INCIDENT)
        return whole

    def _as_document(self, snapshot: Snapshot) -> Any:
        document = msgspec.to_builtins(_of_all_times(snapshot))
        began: dict[str, float] = {}
        for connection in document["connections"]:
            details, name = connection["details"], connection["name"]
            moment = snapshot.taken_at - details["time_in_state"]
            known = self._began.get(name)
            if known is not None and abs(known - moment) < _SAME_BEGINNING:
                moment = known
            began[name] = details["time_in_state"] = moment
            for channel in connection["channels"]:
                if channel["last_text"]:
                    channel["last_text"] = _masked(channel["last_text"])
        self._began = began
        return document

    def _take_lines(self, engine: Engine) -> None:
        while True:
            page = engine.log(self._log_cursor, _LINES_AT_ONCE)
            if page.missed and page.lines:
                at = page.lines[0].timestamp
                self._add(at, Told(timestamp=at, text="", missed=page.missed), Holds.TOLD | Holds.LOSS)
            for line in page.lines:
                told = Told(
                    timestamp=line.timestamp,
                    text=line.text,
                    connection=line.connection,
                    severity=line.severity,
                )
                error = Holds.ERROR if line.severity == "error" else Holds.NOTHING
                self._add(line.timestamp, told, Holds.TOLD | error)
            self._log_cursor = page.next_cursor
            if len(page.lines) < _LINES_AT_ONCE:
                return

    def _take_frames(self) -> None:
        for _ in range(min(len(self._frames), FRAMES_A_LOOK)):
            name, frame = self._frames.popleft()
            self._bytes_out += len(frame.payload)
            self._add(frame.timestamp, _recorded(name, frame), Holds.FRAME)
        lost = self._frames_lost
        if lost != self._frames_told:
            now = time.time()
            count, self._frames_told = lost - self._frames_told, lost
            self._add(now, Lost(timestamp=now, lines=count, because="frames came too fast"), Holds.LOSS)

    def _take_pasts(self, engine: Engine, at: float) -> None:
        names, self._changed_names = self._changed_names, set()
        try:
            pasts = asyncio.run(_pasts(engine, names))
        except TimeoutError:
            # They are asked for again with the next whole snapshot.
            log.warning("the engine did not tell the past of its connections within %g s", _PAST_SECONDS)
            return
        for past in pasts:
            self._add(at, Past(timestamp=at, history=past), Holds.PAST)

    def _add(self, timestamp: float, record: msgspec.Struct, holds: Holds) -> None:
        self._recording.add(timestamp, encode(record), holds)


async def _pasts(engine: Engine, names: Iterable[str]) -> list[ConnectionHistory]:
    pasts: list[ConnectionHistory] = []
    async with asyncio.timeout(_PAST_SECONDS):
        for name in sorted(names):
            past = await engine.history(name)
            if not isinstance(past, CommandResult):
                pasts.append(past)
    return pasts


def _begun(before: Snapshot, snapshot: Snapshot) -> list[IncidentBegan]:
    """The incidents that opened, or opened again, between two snapshots."""
    if before.incidents is snapshot.incidents:
        return []
    known: dict[tuple[str, int], IncidentSnapshot] = {
        (each.id, each.times): each for each in (*before.incidents.open, *before.incidents.resolved)
    }
    return [
        IncidentBegan(
            timestamp=each.opened_at if each.times == 1 else each.updated_at,
            id=each.id,
            subject=each.subject,
            words=each.words,
        )
        # One may have come and gone between the two.
        for each in (*snapshot.incidents.open, *snapshot.incidents.resolved)
        if (each.id, each.times) not in known
    ]


def _recorded(name: str, frame: InspectedFrame) -> RecordedFrame:
    frame = without_secrets(frame, PAYLOAD_BYTES)
    payload = frame.payload
    text = payload.hex() if frame.binary else masked(payload).decode(errors="replace")
    return RecordedFrame(
        timestamp=frame.timestamp,
        connection=name,
        direction=frame.direction,
        topic=frame.topic,
        event=frame.event,
        ref=frame.ref,
        join_ref=frame.join_ref,
        size=frame.size,
        binary=frame.binary,
        payload=text,
        cut=frame.cut,
    )


def _of_all_times(snapshot: Snapshot) -> Snapshot:
    """Without what changes with each, and with what is no news to whoever looks at a recording."""
    return msgspec.structs.replace(snapshot, sequence=0, taken_at=0.0, keeping=KeepingSnapshot())


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(encode(value))


@lru_cache(maxsize=4096)
def _masked(text: str) -> str:
    return masked_text(text)
