"""What can be known of the screen from the journal alone: states, reasons, strips, incidents, outcomes."""

from __future__ import annotations

import bisect
import re
from pathlib import Path
from typing import cast, get_args

from tui.engine.api import (
    AlertOutcome,
    AlertsSnapshot,
    AlertSummary,
    CommandResult,
    ConnectionHistory,
    FrameContent,
    FramePage,
    LogLine,
    Snapshot,
)
from tui.replay.controls import Mark, MarkKind
from tui.replay.journal_incidents import Incidents
from tui.replay.journal_links import Links, Run
from tui.replay.source import LINES_HELD, Event, Shown, SourceKind, moment, thinned
from tui.store.journal import STARTED, STOPPED, Entry, Gap, read

_OUTCOME = re.compile(rf"(\S+) (.*?): ({'|'.join(get_args(AlertOutcome))})(?:: (.*))?\Z", re.DOTALL)
_OUTCOMES = re.compile(rf": (?:{'|'.join(get_args(AlertOutcome))})(?=:|\Z)")
_RECENT = 50

_WHY = {
    "stopped": "it had been stopped",
    "killed": "it was killed, or the machine went",
    "stood still": "it stood still: asleep, held, or its disk did not answer",
}


class JournalSource:
    """Implements :class:`tui.replay.source.Source`. The journal is read once, at the start.

    Args:
        folder: the state folder.
        now: the present, in epoch seconds.

    Raises:
        FileNotFoundError: there is no journal.
        OSError: it cannot be read.
    """

    kind: SourceKind = "journal"

    def __init__(self, folder: Path, now: float) -> None:
        self._entries: list[Entry] = []
        self._times: list[float] = []
        self._gaps: list[Gap] = []
        self._links = Links()
        self._outcomes: list[AlertSummary] = []
        self._incidents = Incidents()
        self._lines: tuple[LogLine, ...] = ()
        self._lines_end = -1
        last = 0.0
        for each in read(folder, now=now):
            if isinstance(each, Gap):
                self._gaps.append(each)
                self._links.take_gap(each)
            else:
                # A line that cannot be read has the time of its file. A clock that was set back must not put
                # what came later before what came earlier.
                if each.kind != "missing":
                    last = max(last, each.timestamp)
                self._take(each, last or each.timestamp)
        if not self._entries:
            raise FileNotFoundError(2, "there is no journal, or it is empty", str(folder))
        gap = self._gaps[-1] if self._gaps else None
        self._end = gap.since if gap is not None and gap.lasts else now

    # Reading

    def _take(self, entry: Entry, at: float) -> None:
        self._entries.append(entry)
        self._times.append(at)
        self._links.take(entry, at)
        if entry.kind == "alert":
            self._take_alert(entry, at)
        elif entry.kind == "incident":
            self._incidents.take(entry, at)
        elif entry.kind == "engine" and entry.text in (STARTED, STOPPED):
            self._incidents.run_ended(at)

    def _take_alert(self, entry: Entry, at: float) -> None:
        match = _OUTCOME.match(entry.text)
        # A viewer's name may itself read like an outcome: what can be read in two ways is not taken.
        if match is None or len(_OUTCOMES.findall(entry.text)) != 1 or entry.text.startswith("alerts: "):
            return
        self._outcomes.append(
            AlertSummary(
                id=f"journal {len(self._outcomes) + 1}",
                type=match[1],
                who=match[2],
                state="ended",
                outcome=cast("AlertOutcome", match[3]),
                reason=match[4],
                ended_at=at,
            )
        )

    # What was shown

    @property
    def spoilt(self) -> str | None:
        """None: a line that cannot be read stands among those of the log."""
        return None

    def bounds(self) -> tuple[float, float]:
        """As of :class:`tui.replay.source.Source`."""
        return self._times[0], max(self._end, self._times[-1])

    def first_shown(self) -> float:
        """As of :class:`tui.replay.source.Source`."""
        return self.bounds()[0]

    def shown(self, at: float) -> Shown:
        """As of :class:`tui.replay.source.Source`."""
        end = bisect.bisect_right(self._times, at)
        if end != self._lines_end:
            self._lines, self._lines_end = self._lines_before(end), end
        begin, last = self.bounds()
        if at < begin:
            return Shown(None, f"the journal holds nothing before {moment(begin)}")
        run = self._links.run_at(at) or Run(begin)
        snapshot = Snapshot(
            sequence=0,
            taken_at=at,
            started_at=run.begin,
            connections=self._links.at(at),
            alerts=self._alerts(at, run.begin),
            incidents=self._incidents.at(at),
        )
        return Shown(snapshot, self._missing(at, run, last))

    def _missing(self, at: float, run: Run, end: float) -> str | None:
        for gap in reversed(self._gaps):
            if gap.since <= at < gap.until and (gap.since < at or gap.because == "stopped"):
                until = "" if gap.lasts else f" to {moment(gap.until)}"
                return f"not running from {moment(gap.since)}{until}: {_WHY[gap.because]}"
        if at > end:
            return f"the journal holds nothing after {moment(end)}"
        stopped = run.stopped_at
        return None if stopped is None else f"not running since {moment(stopped)}: {_WHY['stopped']}"

    def _lines_before(self, end: int) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        for place in range(end - 1, -1, -1):
            if len(lines) == LINES_HELD:
                break
            entry = self._entries[place]
            if _is_told(entry):
                lines.append(
                    LogLine(
                        cursor=place + 1,
                        timestamp=self._times[place],
                        connection=entry.connection,
                        text=entry.text,
                        severity=entry.severity,
                    )
                )
        return tuple(reversed(lines))

    def lines(self) -> tuple[LogLine, ...]:
        """As of :class:`tui.replay.source.Source`; also of what was told to the journal alone."""
        return self._lines

    def _alerts(self, at: float, since: float) -> AlertsSnapshot | None:
        end = bisect.bisect_right(self._outcomes, at, key=lambda alert: alert.ended_at or 0.0)
        if not end:
            return None
        counts: dict[str, dict[str, int]] = {}
        for alert in self._outcomes[:end]:
            if (alert.ended_at or 0.0) >= since and alert.outcome is not None:
                of_type = counts.setdefault(alert.type, {})
                of_type[alert.outcome] = of_type.get(alert.outcome, 0) + 1
        return AlertsSnapshot(
            words="the journal holds outcomes alone",
            recent=tuple(reversed(self._outcomes[max(0, end - _RECENT) : end])),
            counts=counts,
        )

    def frames(self, name: str, after: int, limit: int, at: float) -> FramePage | CommandResult:
        """As of :class:`tui.replay.source.Source`: there are none."""
        return CommandResult(ok=False, message="the journal holds no frames; run with --record to have them")

    def frame(self, name: str, cursor: int) -> FrameContent | CommandResult:
        """As of :class:`tui.replay.source.Source`: there are none."""
        return CommandResult(ok=False, message="the journal holds no frames; run with --record to have them")

    def history(self, name: str, at: float) -> ConnectionHistory | CommandResult:
        """As of :class:`tui.replay.source.Source`."""
        found = self._links.history(name, at)
        return found or CommandResult(ok=False, message=f"the journal holds nothing of {name}")

    # The time line

    def event(self, at: float, beyond: int | None, *, forward: bool, incidents: bool) -> Event | None:
        """As of :class:`tui.replay.source.Source`."""
        if beyond is not None:
            place = beyond + 1 if forward else beyond - 1
        elif forward:
            place = bisect.bisect_right(self._times, at)
        else:
            place = bisect.bisect_left(self._times, at) - 1
        while 0 <= place < len(self._entries):
            entry = self._entries[place]
            began = self._incidents.begins(entry)
            if began if incidents else _is_told(entry):
                words = f"{entry.connection} {entry.text}" if entry.connection else entry.text
                timestamp = self._times[place]
                return Event(timestamp, words, place, timestamp, began)
            place += 1 if forward else -1
        return None

    def marks(self, begin: float, end: float, most: int) -> tuple[Mark, ...]:
        """As of :class:`tui.replay.source.Source`."""
        found = [
            Mark(gap.since, gap.until, "gap") for gap in self._gaps if gap.since < end and gap.until > begin
        ]
        for place in range(bisect.bisect_left(self._times, begin), bisect.bisect_right(self._times, end)):
            entry, timestamp = self._entries[place], self._times[place]
            kind: MarkKind | None = None
            if self._incidents.begins(entry):
                kind = "incident"
            elif entry.severity == "error":
                kind = "error"
            elif entry.kind == "missing":
                kind = "loss"
            if kind is not None:
                found.append(Mark(timestamp, timestamp, kind))
        found.sort()
        return thinned(found, end - begin, most)

    def resumes(self, at: float) -> float | None:
        """As of :class:`tui.replay.source.Source`."""
        place = bisect.bisect_right(self._times, at)
        return self._times[place] if place < len(self._times) else None


def _is_told(entry: Entry) -> bool:
    """Whether it is a line of the log: what became of alerts has a place of its own."""
    return entry.kind not in ("alert", "alive")
