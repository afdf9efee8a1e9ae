"""What the screen says of a snapshot, and that it says nothing it does not know."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from tests.scripted_engine import ScriptedEngine, channel, connection, evening, hub_away
from tui.app.presenters import dashboard, list_filter, status
from tui.app.presenters.details import health, heartbeat, indented, state_details, traffic
from tui.app.screens.layout import Rows, share_rows
from tui.model.snapshot import (
    Availability,
    ConnectionHistory,
    ConnectionSnapshot,
    Snapshot,
    StateEntry,
    Trouble,
)
from tui.text import formats

NOW = float(int(time.time()))


def snapshot_of(*connections: ConnectionSnapshot, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {"sequence": 1, "taken_at": NOW, "started_at": NOW, "connections": connections}
    return Snapshot(**values | changes)


def bar(*connections: ConnectionSnapshot, **changes: Any) -> Any:
    return status.status_bar(snapshot_of(*connections, **changes), NOW)


# Row 1


def test_row_1_is_green_when_all_is_well() -> None:
    value = bar(connection("a"), connection("b"))
    assert (value.tone, value.message, value.subject, value.tally) == (
        "good",
        "● Connected",
        "all 2 connections",
        "2/2 up",
    )


def test_row_1_shows_the_worst_connection() -> None:
    snapshot = evening().snapshot()
    value = status.status_bar(snapshot, snapshot.taken_at)
    assert (value.tone, value.message, value.subject) == ("bad", "✗ Circuit Breaker Open", "phononmaser_in")
    assert value.tally == "6/9 up"
    assert "next try" in value.detail
    assert "refused by saya:8890" in value.detail


def state(name: str, connection_state: str, **metrics: Any) -> ConnectionSnapshot:
    return connection(name, metrics={"connection_state": connection_state, **metrics})


def test_the_order_is_worst_first_and_what_was_asked_for_hides_no_trouble() -> None:
    connections = [
        connection("well"),
        connection("unjoined", channels=(channel(state="errored"),)),
        connection("shaky", heartbeat_failed_since_stable=True),
        state("disconnected", "disconnected"),
        state("connecting", "connecting"),
        state("reconnecting", "reconnecting"),
        state("failed", "failed"),
        state("breaker", "failed", is_circuit_open=True),
    ]
    names = [each.name for each in status.in_order(connections, "worst")]
    assert names == [each.name for each in reversed(connections)]
    by_name = [each.name for each in status.in_order(connections, "name")]
    assert by_name == sorted(by_name)


@pytest.mark.parametrize("during", ["connecting", "reconnecting", "failed"])
def test_a_probe_does_not_hide_the_trouble_it_probes(during: str) -> None:
    """Row 1 and the list keep the words of the trouble; the pane and the metrics are exact."""
    probing = connection(
        "a",
        metrics={"connection_state": during, "is_circuit_open": False},
        trouble=Trouble(
            state="failed", circuit_open=True, message="refused", since=NOW - 95, state_since=NOW - 90
        ),
    )
    snapshot = snapshot_of(probing)
    assert bar(probing).message == "✗ Circuit Breaker Open"
    row = dashboard.connection_row(probing, snapshot, NOW)
    assert (row.state, row.tone) == ("Circuit Breaker Open", "bad")
    assert row.since == formats.time_of_day(NOW - 90, NOW)
    assert status.indicator(probing, snapshot, NOW).message != "Circuit Breaker Open"


def test_a_disconnect_ends_the_words_of_the_trouble() -> None:
    asked = state("a", "disconnected")
    asked = msgspec.structs.replace(
        asked, trouble=Trouble(state="failed", circuit_open=True, message="", since=NOW, state_since=NOW)
    )
    assert bar(asked).message == "○ Disconnected"


def test_a_channel_that_is_not_joined_is_told_on_row_1() -> None:
    assert bar(connection(channels=(channel(state="joining"),))).detail == "1 channel not joined"


def test_a_stopped_engine_is_unmistakable_and_nothing_is_known_any_more() -> None:
    snapshot = snapshot_of(connection(), stopped="OSError: disk")
    value = status.status_bar(snapshot, NOW)
    assert (value.tone, value.message, value.tally) == (
        "bad",
        "✗ engine stopped: OSError: disk",
        "was 1/1 up",
    )
    row = dashboard.connection_row(snapshot.connections[0], snapshot, NOW)
    assert (row.symbol, row.state, row.tone) == ("?", "was Connected", "dim")
    assert row.round_trip == row.rate_in == formats.NOTHING
    assert row.joined == ""
    (channel_row,) = dashboard.channel_rows(snapshot.connections[0], snapshot, NOW)
    assert (channel_row.symbol, channel_row.state) == ("?", "was joined")
    assert status.terminal_title(snapshot, NOW) == "sup engine stopped!"


def test_an_engine_that_fell_silent_is_not_taken_for_the_present() -> None:
    snapshot = snapshot_of(connection(), taken_at=NOW - 6)
    assert status.status_bar(snapshot, NOW).message.startswith("✗ engine silent since ")
    assert dashboard.connection_row(snapshot.connections[0], snapshot, NOW).state == "was Connected"


def test_no_connections() -> None:
    assert bar().message == "? no connections"
    assert status.terminal_title(snapshot_of(), NOW) == "sup 0/0 up"


def test_the_title_tells_how_many_are_not_up() -> None:
    snapshot = evening().snapshot()
    assert status.terminal_title(snapshot, snapshot.taken_at) == "sup 6/9 up 3!"


# Degraded operation, line by line


def test_hub_away_pushes_are_buffered() -> None:
    away = hub_away()
    first, second = dashboard.channel_rows(away, snapshot_of(away), NOW)
    assert (first.buffered, first.buffered_tone) == ("7/100", "busy")
    assert second.buffered == "0"


def test_hub_away_last_values_are_dimmed_with_their_age() -> None:
    away = connection(
        metrics={"connection_state": "reconnecting"}, channels=(channel(state="errored", last_at=NOW - 94),)
    )
    (row,) = dashboard.channel_rows(away, snapshot_of(away), NOW)
    assert row.last_tone == "dim"
    assert row.last.startswith("94 s ago stream_state ")
    up = connection(channels=(channel(last_at=NOW - 94),))
    (row,) = dashboard.channel_rows(up, snapshot_of(up), NOW)
    assert row.last_tone == "plain"
    assert row.last.startswith(formats.time_of_day(NOW - 94, NOW) + " stream_state")


def test_hub_away_no_figure_is_shown_as_of_now() -> None:
    away = hub_away()
    row = dashboard.connection_row(away, snapshot_of(away), NOW)
    assert row.round_trip == row.rate_in == row.rate_out == formats.NOTHING
    (facts,) = heartbeat(away, snapshot_of(away), NOW)
    assert {fact.label: fact.tone for fact in facts}["rtt"] == "dim"
    assert facts[-1].value.endswith(" ago")
    assert "/s" not in traffic(away, snapshot_of(away), NOW)[0][0].value


def test_hub_away_reason_next_try_and_last_close_are_told() -> None:
    away = hub_away()
    value = status.indicator(away, snapshot_of(away), NOW)
    assert value.message == "Reconnecting (3)"
    assert value.detail.startswith("next try ")
    assert value.detail.endswith("; refused by saya:7175")
    assert value.counts == ("reconnects 2", "failed reconnects 2")
    closed = f"1012 service restart, {formats.time_of_day(away.details.last_close_at, NOW)}"
    assert traffic(away, snapshot_of(away), NOW)[1][1].value == closed


def test_channels_that_are_not_joined_make_row_1_no_green() -> None:
    unjoined = connection("stage", channels=(channel(state="errored"),))
    bar = status.status_bar(snapshot_of(unjoined), NOW)
    assert (bar.tone, bar.message, bar.detail) == ("busy", "◐ Connected", "1 channel not joined")


def test_a_refusal_stays_visible_beside_the_latest_reason() -> None:
    refused = connection(
        metrics={"connection_state": "reconnecting"},
        details={"refusal": "401 Unauthorized", "reason": "refused by saya:7175"},
    )
    assert status.reason(refused) == "401 Unauthorized; refused by saya:7175"


def test_an_answer_that_is_overdue_tells_its_age_though_connected() -> None:
    late = connection(metrics={"last_heartbeat": NOW - 50})
    answered = heartbeat(late, snapshot_of(late), NOW)[0][-1]
    assert (answered.tone, answered.value[-9:]) == ("busy", " 50 s ago")


def test_what_was_never_measured_is_no_zero() -> None:
    new = connection(
        metrics={"connection_state": "connecting", "last_heartbeat": None},
        details={"round_trip_last": None, "round_trip_p50": None, "round_trip_p95": None, "since": 0.0},
        channels=(channel(last_event=None, last_at=None),),
    )
    snapshot = snapshot_of(new)
    (facts,) = heartbeat(new, snapshot, NOW)
    assert [fact.value for fact in facts if fact.label != "failed"] == [formats.NOTHING] * 4
    assert dashboard.connection_row(new, snapshot, NOW).since == formats.NOTHING
    assert dashboard.channel_rows(new, snapshot, NOW)[0].last == formats.NOTHING


# The panes


def test_the_health_pane_has_the_nine_metrics() -> None:
    snapshot = evening().snapshot()
    rows = health(snapshot.connections[3], snapshot, NOW)
    facts = {fact.label: fact.value for row in rows for fact in row}
    assert len(facts) == 9
    assert facts["circuit"] == "open"
    assert facts["attempts"] == "6"
    assert facts["failed reconnects"] == "9"


def facts_of(shown: ConnectionSnapshot, history: ConnectionHistory | None = None) -> dict[str, str]:
    return {fact.label: fact.value for fact in dashboard.facts(shown, history, snapshot_of(shown), NOW)}


def test_the_facts_of_the_selected_link_hold_the_nine_metrics() -> None:
    broken = evening().snapshot().connections[3]
    facts = facts_of(broken)
    assert facts["since"].startswith("failed ")
    assert facts["breaker"].startswith("open, 2 trips, next ")
    assert facts["heartbeat"].startswith("1 failed, last ok ")
    assert facts["reconnects"] == "11  failed 9"
    assert facts["attempts"] == "6  connects 12"
    assert facts["channels"] == "0/1  buffered 3  dropped 0"
    assert facts["lost"] == "2 pushes dropped"
    closed = formats.time_of_day(broken.details.last_close_at, NOW)
    assert facts["last close"] == f"1006 closed without a close frame, {closed}"


def test_probes_stand_beside_the_trips() -> None:
    tried = connection(metrics={"circuit_breaker_trips": 1}, details={"circuit_breaker_probes": 750})
    assert facts_of(tried)["breaker"] == "closed, 1 trip, 750 probes"
    found = {fact.label: fact.value for row in health(tried, snapshot_of(tried), NOW) for fact in row}
    assert found["trips"] == "1, 750 probes"


def test_a_trouble_tells_how_long_all_had_been_well_before_it() -> None:
    states = (
        StateEntry(timestamp=NOW - 9000, state="connected", before=0.3),
        StateEntry(timestamp=NOW - 95, state="reconnecting", before=8905.0),
        StateEntry(timestamp=NOW - 94, state="connecting", before=1.0),
        StateEntry(timestamp=NOW - 90, state="failed", before=0.0),
    )
    broken = connection(
        metrics={"connection_state": "failed"},
        details={"since": NOW - 20},
        trouble=Trouble(
            state="failed",
            circuit_open=True,
            message="refused",
            since=NOW - 95,
            state_since=NOW - 90,
            tries=7,
            last_try=NOW - 20,
            last_reason="reset",
        ),
        previous_state_seconds=0.0,
    )
    since, began, last = (formats.time_of_day(NOW - ago, NOW) for ago in (90, 95, 20))
    assert facts_of(broken)["since"] == f"failed {since}"
    told = facts_of(broken, ConnectionHistory(name="stage", states=states))
    assert told["since"] == f"failed {since}, after 2 h 28 min"
    assert facts_of(broken, ConnectionHistory(name="stage", states=states[2:]))["since"] == f"failed {since}"
    assert facts_of(connection(previous_state_seconds=4.0))["since"].endswith(", after 4 s")
    # The title and the details speak of the same time, the trouble and its last try of their own.
    rows = {fact.label: fact.value for row in state_details(broken, NOW) for fact in row}
    assert dashboard.title_note(broken, NOW).endswith(f"since {since}")
    assert (rows["since"], rows["last change"]) == (since, last)
    assert rows["trouble"] == f"refused, since {since}; 7 tries since {began}, the last {last}: reset"


def test_heartbeats_alone_change_no_fact() -> None:
    before = connection(details={"messages_in": 10, "messages_out": 10})
    after = connection(
        metrics={"last_heartbeat": NOW},
        details={
            "messages_in": 11,
            "messages_out": 11,
            "bytes_in": 99_999_999,
            "heartbeats_sent": 1,
            "heartbeats_answered": 1,
            "round_trip_last": 0.5,
            "since": before.details.since,
        },
    )
    assert facts_of(before) == facts_of(after)
    row = dashboard.connection_row(before, snapshot_of(before), NOW)
    assert dashboard.connection_row(after, snapshot_of(after), NOW) == row


def test_an_overdue_heartbeat_is_told_with_its_age() -> None:
    late = connection(details={"heartbeat_unanswered_since": NOW - 4})
    assert facts_of(late)["heartbeat"].startswith("4 s overdue, ok ")


def test_a_share_says_a_hundred_only_of_what_was_unbroken() -> None:
    history = ConnectionHistory(
        name="stage",
        last_5_minutes=Availability(share=1.0, observed=300),
        last_hour=Availability(share=0.999999, observed=3600),
        last_day=Availability(share=1.0, observed=12 * 3600 - 1),
        round_trips=(0.010, 0.020),
    )
    facts = facts_of(connection(), history)
    assert facts["connected"] == f"5m 100% 1h 99.9% 24h {formats.NOTHING}"
    assert facts["round trip"] == "11ms p95 34ms ▄▇"
    assert facts_of(connection())["connected"] == formats.NOTHING


def test_metrics_are_printed_under_their_old_names() -> None:
    shown = msgspec.json.decode(indented(connection().metrics.to_camel()))
    assert list(shown) == list(connection().metrics.to_camel())
    assert indented(connection().metrics.to_camel()).startswith('{\n  "connectionState": "connected",\n')


def test_the_filter_finds_names_topics_and_states() -> None:
    snapshot = evening().snapshot()

    def found(wanted: str) -> list[str]:
        return [each.name for each in snapshot.connections if list_filter.matches(each, wanted, snapshot)]

    assert found("SEED") == ["seed_events", "seed_words"]
    assert found("transcription") == ["phononmaser_in", "seed_words"]
    assert found("breaker") == ["phononmaser_in"]
    assert found("nothing such") == []


def test_the_log_keeps_times_subjects_and_severities() -> None:
    engine = ScriptedEngine()
    engine.write("failed: refused", "stage", "error", at=NOW)
    (entry,) = dashboard.log_entries(engine.lines, NOW)
    assert entry == (formats.time_of_day(NOW, NOW), "stage", "failed: refused", "bad")


@pytest.mark.parametrize("label", ["stage", "Stage pages"])
def test_the_details_tell_all(label: str) -> None:
    told = connection(
        label=label,
        trouble=Trouble(
            state="failed", circuit_open=True, message="x", since=NOW, state_since=NOW, tries=2, last_try=NOW
        ),
    )
    labels = {fact.label for row in state_details(told, NOW) for fact in row}
    assert {"since", "next try", "attempts begun", "aborted", "reason", "refusal", "trouble"} <= labels
    assert dashboard.title_note(told, NOW).startswith("saya" if label == "stage" else "Stage pages, saya")


# Formats


def test_times_of_day_and_ages() -> None:
    assert formats.time_of_day(None, NOW) == formats.NOTHING
    assert len(formats.time_of_day(NOW, NOW)) == 8
    # Ten minutes ago is ten minutes ago, midnight or not.
    assert formats.time_of_day(NOW - 600, NOW).count(":") == 2
    assert len(formats.time_of_day(NOW - 3 * 86_400, NOW)) == 8
    assert [formats.duration(s) for s in (0, 119, 120, 7199, 7200, 180_000)] == [
        "0 s",
        "119 s",
        "2 min",
        "119 min",
        "2 h 0 min",
        "2 d 2 h",
    ]
    assert formats.age(NOW + 5, NOW) == "0 s"


def test_amounts() -> None:
    assert [formats.round_trip(s) for s in (None, 0.0004, 0.0121, 0.9996, 12)] == [
        formats.NOTHING,
        "0.4ms",
        "12ms",
        "1.0s",
        "12.0s",
    ]
    assert [formats.size(n) for n in (0, 999, 1000, 99_900, 1_234_567, 10**16)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "99.9 kB",
        "1.2 MB",
        "10000 TB",
    ]
    assert [formats.rate(r) for r in (0, 0.24, 34.2, 2000)] == ["0", "0.2", "34.2", "2,000"]


# The rows of the screen


@pytest.mark.parametrize("height", range(0, 60))
@pytest.mark.parametrize("connections", [0, 1, 9, 200])
@pytest.mark.parametrize("panes", [0, 1, 11, 50])
def test_rows_are_shared_out_to_the_last(height: int, connections: int, panes: int) -> None:
    for indicator, channels in ((0, 0), (2, 0), (2, 5)):
        rows = share_rows(
            height,
            connections=connections,
            panes=panes,
            indicator=indicator,
            notice=True,
            on_air=channels > 0,
            channels=channels,
        )
        heights = (
            msgspec.structs.astuple(rows) if isinstance(rows, msgspec.Struct) else tuple(vars(rows).values())
        )
        assert min(heights) >= 0
        assert sum(heights) == max(0, height - 2)


def test_at_80x24_everything_has_a_place() -> None:
    rows = share_rows(24, connections=9, panes=11, indicator=2, notice=True)
    assert rows == Rows(
        notice=1, list_heading=1, connections=7, title=1, indicator=2, panes=7, log_title=1, log=2
    )


def test_at_60x15_the_failing_links_and_what_is_wrong_are_there() -> None:
    rows = share_rows(15, connections=9, panes=11, indicator=2, notice=False)
    assert rows.connections >= 5
    assert rows.indicator == 2
    rows = share_rows(15, connections=9, panes=11, indicator=2, notice=False, on_air=True, channels=5)
    assert (rows.on_air, rows.indicator, rows.channels) == (1, 2, 0)
    assert rows.connections >= 5
    rows = share_rows(15, connections=13, unwell=9, panes=11, indicator=2, notice=False, on_air=True)
    assert rows.connections >= 9
    assert rows.list_heading == 1


def test_at_120x40_the_alerts_leave_the_channels_a_place_and_the_log_some_lines() -> None:
    rows = share_rows(40, connections=9, panes=13, indicator=2, notice=True, on_air=True, channels=5)
    assert (rows.panes, rows.channels) == (13, 5)
    assert rows.log >= 2


def test_no_row_stays_empty_that_something_could_fill() -> None:
    rows = share_rows(
        50, connections=15, panes=11, indicator=2, notice=True, on_air=True, channels=3, log=3, more_panes=40
    )
    assert (rows.connections, rows.channels, rows.log) == (15, 3, 3)
    assert rows.panes > 11
    busy = share_rows(50, connections=15, panes=11, indicator=2, notice=True, channels=3, more_panes=40)
    assert (busy.panes, busy.log > 8) == (11, True)


def test_at_40x10_what_is_wrong_is_still_there() -> None:
    rows = share_rows(10, connections=9, panes=11, indicator=2, notice=False)
    assert rows.connections >= 3
    assert rows.indicator >= 1
