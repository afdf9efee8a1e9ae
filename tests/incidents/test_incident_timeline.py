"""What happened before and during an incident, on a real link with a real journal."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.conftest import FAST, connection
from tests.incidents.incident_watch import LIMIT, Watch, watching
from tui.channels.clock import SystemClock
from tui.demo.hub import Hub
from tui.incidents import timeline as incident_timeline
from tui.incidents.options import IncidentsOptions
from tui.incidents.rules import Finding
from tui.incidents.timeline import BEFORE, MOST_ENTRIES, Window
from tui.model.incidents import IncidentSnapshot, Timeline
from tui.model.snapshot import CommandResult, LineKind
from tui.store.journal import Entry, Gap, Journal, read

BRISK = replace(FAST, reconnect_base_delay=0.02, reconnect_max_delay=0.05, stable_after=0.1)


async def timeline(watch: Watch) -> Timeline:
    """Of the one incident that is open."""
    (opened,) = watch.component.snapshot().open
    found = await watch.component.timeline(opened.id)
    assert isinstance(found, Timeline)
    assert list(found.entries) == sorted(found.entries, key=lambda entry: entry.timestamp)
    return found


def told(found: Timeline) -> list[tuple[str, str, str]]:
    return [(each.kind, each.subject, each.text) for each in found.entries if each.kind != "frame"]


@pytest.mark.parametrize("has_journal", [True, False])
async def test_it_tells_states_closes_joins_and_frames_from_the_journal_or_from_memory(
    hub: Hub, tmp_path: Path, has_journal: bool
) -> None:
    journal = Journal(tmp_path)

    def read_journal(since: float, until: float) -> Iterator[Entry | Gap]:
        return read(tmp_path, since=since, until=until)

    def keep(entry: Entry) -> None:
        journal.add(entry)

    hub.faults.refuse_join("echo:2")
    others = {"read_journal": read_journal, "keep": keep} if has_journal else {}
    links = (
        connection("stage", hub.url, "echo:1", "echo:2", options=BRISK),
        connection("other", hub.url, options=BRISK),
    )
    async with watching(IncidentsOptions(), *links, clock=SystemClock(), **others) as watch:
        stage = watch.connections["stage"]
        await watch.until(lambda: "refused" in str(stage.channels[1].channel.reason), "the refusal")
        await watch.until(lambda: stage.snapshot().details.stable, "the link")
        stage.frames.page(0, 1000)  # somebody looks at its frames
        watch.connections["other"].disconnect()
        hub.push("echo:1", "news", {"text": "the last word"})
        await watch.until(lambda: stage.channels[0].channel.received == 1, "news")
        hub.faults.refuse()
        hub.faults.close_all(1012)
        opened = await watch.opens("breaker_open", "stage")
        found = await timeline(watch)
        assert (found.incident, found.left_out) == (opened, 0)
        lines = told(found)
        assert ("join", "stage", "echo:2: join refused: unauthorized") in lines
        assert ("join", "stage", "joined echo:1") in lines or not has_journal, "told quietly"
        (close,) = [text for kind, _, text in lines if kind == "close"]
        assert close.startswith("reconnecting: 1012")
        states = [text for kind, _, text in lines if kind in ("state", "close")]
        assert states[:2] == ["connecting", "connected"]
        assert any(text.startswith("failed: circuit breaker open") for text in states)
        assert ("incident", "stage", f"opened breaker_open of stage: {opened.message}") in lines
        # Each once, though memory and the journal both have it; and nothing of a link that is not concerned.
        assert max(Counter(lines_of_states(found)).values()) == 1
        assert {subject for _, subject, _ in lines} == {"stage"}
        frames = [each.text for each in found.entries if each.kind == "frame"]
        assert any(text.startswith('in echo:1 news {"text":"the last word"}') for text in frames)
        # What happened before it stands before it.
        before = [each.text for each in found.entries if each.timestamp < opened.opened_at]
        assert close in before
        unknown = await watch.component.timeline("x")
        assert unknown == CommandResult(ok=False, message="no incident x")
    assert journal.close(LIMIT)


def lines_of_states(found: Timeline) -> list[float]:
    return [each.timestamp for each in found.entries if each.kind in ("state", "close")]


FAILED = Finding("failed", "stage", "gone", ("stage",))


async def test_a_journal_that_hangs_or_cannot_be_read_leaves_what_memory_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incident_timeline, "READ_LIMIT", 0.05)
    disk = threading.Event()
    readings = []

    def read_journal(since: float, until: float) -> Iterator[Entry | Gap]:
        readings.append(threading.current_thread())
        disk.wait(LIMIT)
        yield Entry(timestamp=since + 1, kind="engine", text="started")
        raise PermissionError(13, "Permission denied")

    watch = Watch(IncidentsOptions(), read_journal=read_journal)
    watch.component.take([FAILED])
    try:
        first, second = await timeline(watch), await timeline(watch)
        words = "this is what memory holds"
        assert told(first) == [
            ("other", "", f"the journal has not answered within 0.05 s: {words}"),
            ("incident", "stage", "opened failed of stage: gone"),
        ]
        assert told(second)[0][2] == f"the journal still does not answer: {words}"
        assert len(readings) == 1, "a disk that does not answer holds one thread, not one for each question"
    finally:
        disk.set()
    await asyncio.to_thread(readings[0].join)
    monkeypatch.setattr(incident_timeline, "READ_LIMIT", LIMIT)
    third = await timeline(watch)
    assert told(third)[0][2] == f"the journal cannot be read (Permission denied): {words}"
    assert len(told(third)) == 2


async def test_a_timeline_is_bounded_and_keeps_what_is_nearest_to_the_opening() -> None:
    moments: list[float] = []

    def read_journal(since: float, until: float) -> Iterator[Entry | Gap]:
        assert until >= since + BEFORE
        yield Gap(since=since - 50, until=since + 1, because="killed")
        for number in range(3 * MOST_ENTRIES):
            moments.append(since + BEFORE * number / (2 * MOST_ENTRIES))
            yield Entry(timestamp=moments[-1], kind="join", text=str(number), connection="stage")
            yield Entry(timestamp=moments[-1], kind="join", text="another's", connection="other")

    watch = Watch(IncidentsOptions(), read_journal=read_journal)
    watch.component.take([FAILED])
    watch.clock.passed = BEFORE
    found = await timeline(watch)
    assert len(found.entries) == MOST_ENTRIES
    # The gap and the line of the incident itself are entries, too.
    assert found.left_out == 3 * MOST_ENTRIES + 2 - MOST_ENTRIES
    assert {each.subject for each in found.entries} == {"stage"}
    opened_at = found.incident.opened_at
    before = sum(each.timestamp < opened_at for each in found.entries)
    assert before == pytest.approx(MOST_ENTRIES / 2, abs=2)
    assert opened_at - found.entries[0].timestamp == pytest.approx(BEFORE / 4, rel=0.01)
    assert sum(found.incident.opened_at <= moment for moment in moments) == MOST_ENTRIES


@pytest.mark.parametrize(
    ("rule", "subject", "belongs", "does_not"),
    [
        ("failed", "stage", ("state", "stage", None), ("state", "other", None)),
        ("failed", "stage", ("incident", None, None), ("service", None, "stage")),
        ("failed", "stage", ("engine", None, None), ("alert", None, None)),
        ("report_stale", "seed@saya", ("service", None, "seed@saya"), ("service", None, "seeds")),
        ("endpoint_unhealthy", "hub", ("service", None, "hub"), ("alert", None, "hub")),
        ("queue_dropping", "alerts", ("alert", None, None), ("service", None, "seed")),
    ],
)
def test_what_belongs_to_an_incident(
    rule: str,
    subject: str,
    belongs: tuple[LineKind, str | None, str | None],
    does_not: tuple[LineKind, str | None, str | None],
) -> None:
    incident = IncidentSnapshot(
        id="1", rule=rule, subject=subject, severity="info", message="", opened_at=0.0, updated_at=0.0
    )
    window = Window(incident, ("stage",), 1.0)
    for is_concerned, (kind, name, about) in ((True, belongs), (False, does_not)):
        entry = Entry(timestamp=0.5, kind=kind, text="...", connection=name, subject=about)
        assert window.concerns(entry) is is_concerned
