"""Incidents from their beginning to their end, whatever is found and whatever clocks do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tests.incidents.incident_watch import Watch
from tui.incidents.options import SEVERITIES, IncidentsOptions
from tui.incidents.rules import Finding
from tui.incidents.tracker import MOST_LINES, MOST_OPEN
from tui.model.events import IncidentChanged
from tui.model.incidents import MOST_RESOLVED
from tui.replay.from_journal import Incidents


def finding(subject: str = "stage", words: str = "gone", rule: Any = "failed", **others: Any) -> Finding:
    return Finding(rule, subject, words, **others)


def spend(watch: Watch, seconds: float, *findings: Finding) -> None:
    """Let time pass in which exactly these are found."""
    for _ in range(round(seconds * 4)):
        watch.clock.passed += 0.25
        watch.component.take(findings)


def test_an_incident_that_came_back_lasted_as_long_as_it_was_wrong() -> None:
    watch = Watch(IncidentsOptions(quiet_for=60.0))
    for _ in range(25):
        spend(watch, 5, finding())
        spend(watch, 25)
    (ended,) = watch.component.snapshot().resolved
    assert (ended.times, round(ended.lasted)) == (25, 125)
    assert watch.lines[-1] == "resolved failed of stage: 25 times, 2 min in all"


def test_a_trouble_that_comes_back_within_the_quiet_time_is_the_same_incident() -> None:
    watch = Watch(IncidentsOptions(quiet_for=60.0))
    spend(watch, 10, finding())
    (opened,) = watch.component.snapshot().open
    assert watch.component.acknowledge(opened.id).ok
    # A flicker is no end.
    for _ in range(5):
        spend(watch, 1.75)
        spend(watch, 0.25, finding())
    assert watch.component.snapshot().open[0].resolved_at is None
    spend(watch, 50)
    (ended,) = watch.component.snapshot().resolved
    assert ended.resolved_at == pytest.approx(opened.opened_at + 20)
    spend(watch, 1, finding(words="gone again"))
    (again,) = watch.component.snapshot().open
    assert (again.id, again.times, again.message, again.resolved_at) == (opened.id, 2, "gone again", None)
    assert again.acknowledged_at is not None, "whoever has seen it is not to be told again"
    assert watch.component.snapshot().resolved == ()
    spend(watch, 64)
    spend(watch, 1, finding())
    (other,) = watch.component.snapshot().open
    assert (other.times, other.acknowledged_at) == (1, None)
    assert other.id != opened.id
    assert watch.lines == [
        "opened failed of stage: gone",
        "acknowledged failed of stage",
        "resolved failed of stage: lasted 20 s",
        "opened again failed of stage: gone again",
        "resolved failed of stage: 2 times, 21 s in all",
        "opened failed of stage: gone",
    ]
    assert [entry.severity for entry in watch.kept] == ["error", "info", "info", "error", "info", "error"]


def test_what_nobody_can_tell_keeps_open_what_is_and_opens_nothing() -> None:
    watch = Watch(IncidentsOptions())
    spend(watch, 100, finding(is_certain=False))
    assert watch.component.snapshot().open == ()
    spend(watch, 1, finding())
    spend(watch, 100, finding(words="who knows", is_certain=False))
    assert watch.component.snapshot().open[0].message == "gone"
    refused = finding(rule="channel_refused", subject="stage echo:1")
    for certain in (True, False, True):
        # Doubt in between begins its time anew.
        spend(watch, 4, refused._replace(is_certain=certain))
    assert [each.rule for each in watch.component.snapshot().open] == []
    spend(watch, 2, refused)
    assert [each.rule for each in watch.component.snapshot().open] == ["channel_refused"]


def test_a_machine_that_slept_neither_opens_nor_ends_anything_by_that() -> None:
    watch = Watch(IncidentsOptions())
    refused = finding(rule="channel_refused", subject="stage echo:1")
    spend(watch, 1, finding(), refused)
    spend(watch, 1, refused)
    watch.clock.passed += 3600
    watch.component.take([refused])
    assert [each.rule for each in watch.component.snapshot().open] == ["failed"]
    spend(watch, 1.75, refused)
    assert [each.rule for each in watch.component.snapshot().open] == ["failed"]


def test_an_unchanged_snapshot_is_the_same_object_and_words_that_change_are_no_new_line() -> None:
    watch = Watch(IncidentsOptions())
    spend(watch, 1, finding())
    before = watch.component.snapshot()
    spend(watch, 10, finding())
    assert watch.component.snapshot() is before
    spend(watch, 1, finding(words="3 tries"))
    (changed,) = watch.component.snapshot().open
    assert changed.message == "3 tries"
    assert changed.updated_at > before.open[0].updated_at
    assert len(watch.lines) == 1


def test_beyond_the_bound_incidents_are_counted_and_many_at_once_make_one_line_on_the_screen() -> None:
    watch = Watch(IncidentsOptions())
    many = [finding(f"link {number}", rule="flapping") for number in range(MOST_OPEN + 50)]
    spend(watch, 1, *many, finding())
    found = watch.component.snapshot()
    assert (len(found.open), found.left_out) == (MOST_OPEN, 51)
    # The most severe comes first, and has room before all others.
    assert (found.open[0].rule, found.open[0].severity) == ("failed", "critical")
    shown = [line.text for line in watch.changes.page(0, 1000).lines]
    assert shown == [
        "500 incidents opened and 0 resolved at once",
        "500 incidents are open; what else is wrong is counted alone",
    ]
    assert len(watch.lines) == MOST_OPEN, "the journal has them all"
    spend(watch, 3, *many[-60:])
    found = watch.component.snapshot()
    assert (len(found.open), found.left_out, len(found.resolved)) == (60, 0, MOST_RESOLVED)
    # More are known than are shown: what comes back is the same.
    spend(watch, 1, *many)
    assert {each.times for each in watch.component.snapshot().open if each.subject == "link 1"} == {2}
    assert MOST_LINES < MOST_OPEN


def test_a_wall_clock_that_is_set_back_makes_no_duration_negative() -> None:
    watch = Watch(IncidentsOptions())
    spend(watch, 10, finding())
    watch.clock.wall_offset = -7200
    spend(watch, 10)
    (ended,) = watch.component.snapshot().resolved
    assert ended.resolved_at == ended.opened_at
    assert watch.lines[-1] == "resolved failed of stage: lasted 10 s"


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_an_incident_lasts_as_long_though_the_clock_is_set(step: float) -> None:
    watch = Watch(IncidentsOptions())
    spend(watch, 10, finding())
    watch.clock.wall_offset = step
    watch.component.clock_was_set(step)
    (lasting,) = watch.component.snapshot().open
    assert watch.clock.time() - lasting.opened_at == pytest.approx(10, abs=2)
    spend(watch, 10)
    (ended,) = watch.component.snapshot().resolved
    assert ended.resolved_at is not None
    assert ended.resolved_at - ended.opened_at == pytest.approx(10, abs=2)


def test_settings_decide_how_severe_and_what_is_off() -> None:
    watch = Watch(IncidentsOptions())
    spend(watch, 1, finding())
    watch.component.configure(IncidentsOptions(severity={**SEVERITIES, "failed": "info"}))
    assert watch.component.snapshot().open[0].severity == "info"


def test_only_an_open_incident_can_be_acknowledged() -> None:
    watch = Watch(IncidentsOptions())
    assert watch.component.acknowledge("x").message == "no incident x"
    spend(watch, 1, finding())
    (opened,) = watch.component.snapshot().open
    assert watch.component.acknowledge(opened.id).ok
    seen = watch.component.snapshot().open[0].acknowledged_at
    assert watch.component.acknowledge(opened.id).message == "failed of stage is acknowledged already"
    assert watch.component.snapshot().open[0].acknowledged_at == seen
    spend(watch, 5)
    assert not watch.component.acknowledge(opened.id).ok


RULES = st.sampled_from(["failed", "channel_refused", "report_stale"])
FOUND = st.builds(
    Finding,
    RULES,
    st.sampled_from(["stage", "a: b", "x\ny"]),
    st.text(max_size=5),
    st.just(("stage",)),
    st.booleans(),
)
STEPS = st.lists(
    st.tuples(
        st.lists(FOUND, max_size=6, unique_by=lambda each: each[:2]),
        st.sampled_from([0.0, 0.25, 2.0, 4.0, 90.0]),
        st.integers(-9000, 9000),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([0.0, 3.0, 60.0]))
@REPLAYED
def test_there_is_one_open_incident_of_each_trouble_and_the_journal_tells_the_same(
    steps: list[tuple[list[Finding], float, int]], quiet_for: float
) -> None:
    watch = Watch(IncidentsOptions(quiet_for=quiet_for))
    known: dict[str, int] = {}
    for findings, seconds, wall in steps:
        watch.clock.passed += seconds
        watch.clock.wall_offset = wall
        watch.component.take(findings)
        found = watch.component.snapshot()
        keys = [(each.rule, each.subject) for each in found.open]
        assert len(set(keys)) == len(keys)
        ids = [each.id for each in (*found.open, *found.resolved)]
        assert len(set(ids)) == len(ids)
        assert all(each.resolved_at is None for each in found.open)
        for each in found.resolved:
            assert each.resolved_at is not None
            assert each.resolved_at >= each.opened_at
        for each in (*found.open, *found.resolved):
            assert known.get(each.id, 1) <= each.times, "it is never less"
            known[each.id] = each.times
        at_once = {(each.rule, each.subject) for each in findings if each.is_certain}
        assert {key for key in at_once if key[0] != "channel_refused"} <= set(keys)
    told = Incidents()
    for number, entry in enumerate(watch.kept):
        if isinstance(entry.event, IncidentChanged):
            told.take(entry.event, float(number))
    read, found = told.at(len(watch.kept)), watch.component.snapshot()

    def table(incidents: Any) -> list[Any]:
        return sorted((each.rule, each.subject, each.severity) for each in incidents)

    assert table(read.open) == table(found.open)
