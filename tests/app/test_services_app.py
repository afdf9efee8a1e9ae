"""Services that others tell of, and incidents: what a person sees of them, what keys do, what it costs."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from tests.app.seen import SIZE, screen_lines, screen_text, until, until_seen
from tests.scripted_engine import (
    ScriptedEngine,
    connection,
    evening_services,
    hub_away,
    incident,
    quiet_evening,
    service,
    sight,
    stale_service,
    watched_evening,
)
from tui.app.app import AppOptions, OverlaySupervisorApp
from tui.app.presenters import list_filter, status
from tui.app.presenters.incidents import NEWS_SECONDS, IncidentNews, incidents_note
from tui.app.presenters.services import service_facts, service_rows, services_in_order
from tui.app.remembered import Remembered
from tui.app.screens.dashboard import DashboardScreen
from tui.app.screens.details import ServiceScreen
from tui.app.screens.incidents import IncidentsScreen, TimelineScreen
from tui.model.incidents import IncidentsSnapshot, TimelineEntry
from tui.model.known import rule_words
from tui.model.services import ServiceSnapshot, ServicesSnapshot
from tui.model.snapshot import CommandResult, ConnectionSnapshot, Snapshot
from tui.text import formats
from widgets.connection_list import heading_line
from widgets.service_list import service_heading, service_line
from widgets.untrusted import cell_width

NOW = float(int(time.time()))
HOSTILE = "[/bad] \x1b[2J\u202e日本\ud800 " + "x" * 2000


def snapshot_of(
    *services: ServiceSnapshot, links: tuple[ConnectionSnapshot, ...] = (), **changes: Any
) -> Snapshot:
    values: dict[str, Any] = {
        "sequence": 1,
        "taken_at": NOW,
        "started_at": NOW - 3600,
        "connections": links or (connection("stage"),),
        "services": ServicesSnapshot(services=services),
    }
    return Snapshot(**values | changes)


def row_1(*services: ServiceSnapshot, **changes: Any) -> Any:
    return status.status_bar(snapshot_of(*services, **changes), NOW)


BAD = service("seed", state="bad", message="unhealthy: no answer")
BUSY = service("phononmaser", state="busy", message="degraded")
STALE = stale_service("page takeover", at=NOW)
MISSING = stale_service("page omnibar", 400, at=NOW, freshness="missing")
NEVER = service("ironmon", state="unknown", message="never seen", freshness="never", reported_at=None)
OFF = service("omnibar", state="off", message="disconnected")


# Row 1


@pytest.mark.parametrize(
    ("services", "tone", "words"),
    [
        ((STALE,), "busy", "◐ 1 service stale: page takeover"),
        ((STALE, msgspec.structs.replace(STALE, name="b")), "busy", "◐ 2 services stale: b, page takeover"),
        ((MISSING, STALE), "busy", "◐ 1 service missing: page omnibar"),
        ((BUSY,), "busy", "◐ 1 service not well: phononmaser"),
        ((BUSY, STALE, BAD), "bad", "✗ 1 service unhealthy: seed"),
        # Asked for, or not begun: no trouble.
        ((NEVER, OFF, service("well")), "good", "● Connected"),
        ((), "good", "● Connected"),
    ],
)
def test_row_1_tells_of_services_while_our_links_are_well(
    services: tuple[ServiceSnapshot, ...], tone: str, words: str
) -> None:
    value = row_1(*services)
    assert (value.tone, value.message, value.tally) == (tone, words, "1/1 up")


def test_our_own_links_come_first_and_what_is_not_known_is_not_told() -> None:
    assert row_1(BAD, links=(connection("stage"), hub_away("events"))).message == "◐ Reconnecting (3)"
    assert row_1(BAD, stopped="it broke").message == "✗ engine stopped: it broke"
    assert row_1(BAD, taken_at=NOW - 9).message.startswith("✗ engine silent")
    hostile = row_1(msgspec.structs.replace(BAD, name=HOSTILE))
    assert cell_width(hostile.message) < 80


def test_what_must_be_seen_at_once_is_urgent_and_ages_are_not() -> None:
    def urgent(services: tuple[ServiceSnapshot, ...], incidents: IncidentsSnapshot) -> tuple[object, ...]:
        return status.urgent(snapshot_of(*services, links=(LINK,), incidents=incidents))

    one = incident("i-1", at=NOW)
    before = urgent((STALE,), IncidentsSnapshot(open=(one,)))
    ticking = msgspec.structs.replace(STALE, reported_at=NOW - 300, hour="?" * 60, observations=())
    later = msgspec.structs.replace(one, updated_at=NOW, times=4, message="more of it")
    assert urgent((ticking,), IncidentsSnapshot(open=(later,))) == before
    for changes in ({"state": "good"}, {"message": "not reported"}, {"freshness": "missing"}):
        changed = msgspec.structs.replace(STALE, **changes)
        assert urgent((changed,), IncidentsSnapshot(open=(one,))) != before
    seen = msgspec.structs.replace(one, acknowledged_at=NOW)
    assert urgent((STALE,), IncidentsSnapshot(open=(seen,))) != before
    assert urgent((STALE,), IncidentsSnapshot()) != before


LINK = connection("stage", at=NOW)


# The rows


def row_text(shown: ServiceSnapshot, width: int = 78, **changes: Any) -> str:
    snapshot = snapshot_of(shown, **changes)
    (row,) = service_rows([shown], snapshot, NOW)
    return "".join(span.text for span in service_line(row, width, False))


def test_a_row_says_where_its_words_come_from_and_how_old_they_are() -> None:
    assert row_text(STALE).split()[:6] == ["?", "page", "takeover", "was", "connected", "90s"]
    assert row_text(STALE).rstrip().endswith(" hub")
    assert row_text(NEVER).split()[:4] == ["?", "ironmon", "never", "seen"]
    both = msgspec.structs.replace(BAD, observations=(sight("report"), sight("http")))
    assert row_text(both).rstrip().endswith("rep+http")
    assert row_text(BAD, stopped="x").split()[:4] == ["?", "seed", "was", "unhealthy:"]
    # An age moves once in ten seconds at most.
    ages = {formats.coarse_age(90 + second) for second in range(10)}
    assert ages == {"90s"}
    assert max(len(formats.coarse_age(10.0**power)) for power in range(12)) == 4


def test_services_of_the_same_name_tell_their_hosts() -> None:
    twins = (service("seed"), service("seed", host="zelan"))
    rows = service_rows(twins, snapshot_of(*twins), NOW)
    assert [row.name for row in rows] == ["seed on saya", "seed on zelan"]


@pytest.mark.parametrize("width", [40, 58, 76, 77, 78, 84, 85, 118, 168, 200])
def test_the_strips_of_both_groups_stand_under_each_other(width: int) -> None:
    ours, theirs = heading_line(width)[0].text, service_heading(width)[0].text
    assert ours.index("STATE") == theirs.index("STATE")
    assert ours.find("LAST HOUR") == theirs.find("LAST HOUR")
    assert theirs.index("STALE") + 5 <= (theirs.index("LAST HOUR") if "LAST HOUR" in theirs else width)
    row = row_text(STALE, width)
    if "LAST HOUR" in theirs:
        assert row.index("▇") == theirs.index("LAST HOUR")
    assert row.index("90s") + 3 == theirs.index("STALE") + 5


def test_the_order_is_worst_first_and_by_name() -> None:
    services = [service("well"), NEVER, OFF, BUSY, STALE, MISSING, BAD]
    assert services_in_order(services, "worst") == [
        BAD,
        MISSING,
        STALE,
        BUSY,
        OFF,
        NEVER,
        services[0],
    ]
    names = [each.name for each in services_in_order(services, "name")]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("text", "links", "services"),
    [
        ("host:saya", 2, 2),
        ("host:zelan", 0, 1),
        ("env:test", 0, 1),
        ("env:live takeover", 0, 1),
        ("HUB", 0, 1),
        ("connected", 1, 1),
        ("nothing such", 0, 0),
    ],
)
def test_the_filter_leaves_both_groups_what_it_says(text: str, links: int, services: int) -> None:
    told = (
        stale_service("page takeover", at=NOW),
        service("seed", host="zelan", environment="test", observations=(sight("http"),), message="healthy"),
        service("events", message="healthy", observations=(sight("report"),)),
    )
    snapshot = snapshot_of(*told, links=(connection("stage"), hub_away("events")))
    assert sum(list_filter.matches(each, text, snapshot) for each in snapshot.connections) == links
    assert sum(list_filter.service_matches(each, text) for each in told) == services


def test_the_pane_has_each_sight_with_its_age_and_the_nine_metrics() -> None:
    seed = next(each for each in evening_services(NOW).services if each.name == "seed")
    old = sight("hub", at=NOW, freshness="stale", reported_at=NOW - 94)
    seed = msgspec.structs.replace(seed, observations=(*seed.observations, old))
    facts = [(fact.label, fact.value) for fact in service_facts(seed, snapshot_of(seed), NOW)]
    told = dict(facts)
    assert told["report"] == "connected, fresh"
    assert told["http"] == "healthy, fresh"
    assert told["hub"] == "was connected, stale 90s"
    origins = [value for label, value in facts if not label]
    assert origins == ["stage health:reports", "http://saya:8891/health", "dashboard dashboard:main"]
    assert told["its link"] == "connected"
    assert told["reconnects"] == "2  failed 0"
    assert told["attempts"] == "0  connects 3"
    assert told["heartbeat"] == f"1 failed, last ok {formats.time_of_day(NOW - 11, NOW)}"
    assert told["breaker"] == "closed, 0 trips"
    shown = service_facts(seed, snapshot_of(seed, stopped="x"), NOW)
    assert {fact.tone for fact in shown} == {"dim"}


# The dashboard


async def test_both_groups_stand_in_one_list_and_the_cursor_passes_over_the_heading() -> None:
    engine = quiet_evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸✗ phononmaser ")
        lines = screen_lines(app)
        assert lines[0].startswith(" ✗ 1 service unhealthy: phononmaser")
        assert lines[0].rstrip().endswith("3/3 up")
        assert lines[5].startswith(" REPORTED ")
        assert all(line[-1] == " " for line in lines[1:11])
        await pilot.press("k")
        await until_seen(pilot, "▸● stage")
        await pilot.press("j", "j")
        await until_seen(pilot, "▸? page takeover   was connected                90s  ▇")
        await until_seen(pilot, "hub        was connected, stale 90s")
        await pilot.press("o")
        await until(pilot, lambda: screen_lines(app)[6].startswith(" ? ironmon"))
        await pilot.press("slash", *"host:zelan", "enter")
        await until_seen(pilot, "only 'host:zelan': 1 of 8, esc shows all")
        assert screen_lines(app)[2].startswith(" REPORTED")
        await pilot.press("escape")
        engine.services = ServicesSnapshot()
        await until(pilot, lambda: "REPORTED" not in screen_text(app))


async def test_the_heading_above_is_that_of_the_rows_that_are_seen() -> None:
    engine = ScriptedEngine([connection(f"link-{n:02}") for n in range(20)])
    engine.services = ServicesSnapshot(services=tuple(service(f"page-{n:02}") for n in range(14)))
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸● link-00")
        assert screen_lines(app)[1].startswith(" LINKS")
        await pilot.press("G")
        await until_seen(pilot, "▸● page-13")
        await until(pilot, lambda: screen_lines(app)[1].startswith(" REPORTED"))
        for _ in range(13):
            app.simulate_key("k")
        # The heading right above the first of a group comes into view with it.
        await until(pilot, lambda: screen_lines(app)[2].startswith(" REPORTED"))
        await pilot.press("g")
        await until(pilot, lambda: screen_lines(app)[1].startswith(" LINKS"))


async def test_a_service_is_not_ours_to_command_and_is_remembered() -> None:
    kept: list[Remembered] = []
    engine = quiet_evening()
    app = OverlaySupervisorApp(engine, options=AppOptions(remember=kept.append))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸✗ phononmaser ")
        for key in ("r", "c", "D", "m", "y", "p", "i"):
            await pilot.press(key)
            await until(
                pilot,
                lambda: screen_lines(app)[-1].startswith(" phononmaser is reported by others: not ours"),
            )
            assert isinstance(app.screen, DashboardScreen)
            app.screen.note("")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ServiceScreen))
        await pilot.press("r")
        await until(pilot, lambda: "not ours to command" in screen_lines(app)[-1])
        await until(pilot, lambda: bool(kept))
        assert engine.asked == []
    again = OverlaySupervisorApp(
        quiet_evening(),
        options=AppOptions(remembered=Remembered(selection=kept[-1].selection, order="name")),
    )
    async with again.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸✗ phononmaser ")


async def test_hostile_services_and_incidents_change_nothing_else() -> None:
    bad = sight(
        origin=HOSTILE, message=HOSTILE, last_error=HOSTILE, close_code=4000, figures={HOSTILE: HOSTILE}
    )
    engine = quiet_evening()
    engine.services = ServicesSnapshot(
        services=(
            ServiceSnapshot(
                key=HOSTILE,
                name=HOSTILE,
                host=HOSTILE,
                environment=HOSTILE,
                url=HOSTILE,
                state="bad",
                message=HOSTILE,
                freshness="fresh",
                observations=(bad,),
                hour=HOSTILE[:60],
            ),
        )
    )
    wrong = incident("i", rule=HOSTILE, subject=HOSTILE, message=HOSTILE)
    engine.incidents = IncidentsSnapshot(open=(wrong,), command=HOSTILE)
    engine.timelines["i"] = (TimelineEntry(timestamp=NOW, kind="frame", subject=f"{HOSTILE}!", text=HOSTILE),)
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "▸✗ [/bad] ␛[2J")
        for keys, seen in (
            ((), "FIGURES"),
            (("enter",), "newest word fresh"),
            (("G",), "close code  4000"),
            (("exclamation_mark",), "▸✗ critical"),
            (("enter",), " OPENED "),
        ):
            await pilot.press(*keys)
            await until_seen(pilot, seen)
            for line in screen_lines(app):
                assert not {"\x1b", "\u202e", "\ud800"} & set(line)
                assert cell_width(line) == 80


# What it costs


async def test_an_unchanged_evening_of_many_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at = NOW - NOW % 60 + 5
    clock = [at]
    engine = ScriptedEngine([connection(f"link-{n}", at=at) for n in range(200)], clock=lambda: clock[0])
    engine.services = ServicesSnapshot(
        services=tuple(
            stale_service(f"page-{n:02}", 94, at=at) if n % 3 else service(f"page-{n:02}", at=at)
            for n in range(30)
        )
    )
    engine.incidents = watched_evening(at).incidents
    app = OverlaySupervisorApp(engine, clock=lambda: clock[0])
    async with app.run_test(size=(120, 40)) as pilot:
        for keys, seen in (
            ((), "▸? page-01"),
            (("enter",), "stale after"),
            (("exclamation_mark",), "RESOLVED"),
        ):
            await pilot.press(*keys)
            await until_seen(pilot, seen)
            await pilot.pause(0.15)
            painted: list[object] = []
            with monkeypatch.context() as patch:
                patch.setattr(app, "_display", lambda screen, renderable, to=painted: to.append(renderable))
                for step in (1, 1, 1, -3):
                    clock[0] += step
                    app.show_now()
                    await pilot.pause(0.02)
            assert [each for each in painted if each is not None] == [], seen


async def test_every_size_holds() -> None:
    app = OverlaySupervisorApp(watched_evening())
    async with app.run_test(size=SIZE) as pilot:
        for keys in ("G", "enter", "exclamation_mark", "enter"):
            await pilot.press(keys)
            for size in ((200, 50), (1, 1)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert len(screen_lines(app)) == size[1]


# Incidents


async def test_the_screen_tells_what_is_wrong_and_what_was_and_acknowledges() -> None:
    engine = watched_evening()
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_seen(pilot, "─ changes ─ 2 incidents, ! shows them ─")
        await pilot.press("exclamation_mark")
        await until_seen(pilot, "─ incidents ─ 3 open, 2 not acknowledged ─")
        opened = formats.time_of_day(engine.incidents.open[0].opened_at, NOW)
        rows = screen_lines(app)
        assert rows[3].split()[:4] == ["▸✗", "critical", opened, "open"]
        assert "breaker open       refused by saya:8890" in rows[3]
        assert rows[4].split()[3] == "acknowledged"
        assert rows[6].startswith(" RESOLVED")
        assert "2 min" in rows[7]
        await pilot.press("j", "A")
        await until(pilot, lambda: "it is acknowledged already" in screen_lines(app)[-1])
        await pilot.press("j", "A")
        await until(pilot, lambda: engine.asked == [("acknowledge", "i-8")])
        await until_seen(pilot, "3 open, 1 not acknowledged")
        # Over the heading to the first resolved one.
        await pilot.press("j", "A")
        await until(pilot, lambda: "it is resolved already" in screen_lines(app)[-1])
        await until_seen(pilot, "resolved ")
        await pilot.press("g", "enter")
        await until_seen(pilot, "BEFORE IT")
        assert isinstance(app.screen, TimelineScreen)
        text = screen_text(app)
        assert text.index("1006 closed without") < text.index(" OPENED ") < text.index("probe: refused")
        await pilot.press("A")
        await until(pilot, lambda: len(engine.asked) == 2)
        await pilot.press("question_mark", "exclamation_mark")
        await until(pilot, lambda: isinstance(app.screen, IncidentsScreen))
        assert sum(isinstance(screen, IncidentsScreen) for screen in app.screen_stack) == 1
        await pilot.press("escape")
        await until(pilot, lambda: "incidents, !" not in screen_text(app) and "changes" in screen_text(app))


async def test_a_long_timeline_opens_at_the_moment_it_began_and_a_refusal_is_told() -> None:
    engine = watched_evening()
    first = engine.incidents.open[0]
    engine.timelines[first.id] = tuple(
        TimelineEntry(timestamp=first.opened_at - 300 + n, kind="frame", subject="stage", text=f"frame {n}")
        for n in range(600)
    )
    app = OverlaySupervisorApp(engine)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("exclamation_mark", "enter")
        await until(pilot, lambda: any(" OPENED " in line for line in screen_lines(app)[8:16]))
        app.pop_screen()
        engine.incidents = IncidentsSnapshot(resolved=(first,))
        engine.answer = CommandResult(ok=False, message="no incident i-7")
        await until_seen(pilot, "nothing is wrong now")
        engine.incidents = IncidentsSnapshot()
        app.open_screen(TimelineScreen("i-7"))
        await until_seen(pilot, "✗ no incident i-7")


def test_nothing_open_is_no_note() -> None:
    assert incidents_note(IncidentsSnapshot(), "!") is None
    seen = incident("a", acknowledged_at=NOW)
    assert incidents_note(IncidentsSnapshot(open=(seen,)), "!") is None
    note = incidents_note(IncidentsSnapshot(open=(incident("b"), seen)), "!")
    assert note == ("1 incident, ! shows it", "bad")
    assert rule_words("a_rule_of_tomorrow") == "a rule of tomorrow"


# Told as they open


def opened(*ids: str, severity: Any = "warning", **changes: Any) -> Snapshot:
    told = tuple(incident(each, at=NOW, severity=severity, message=each, **changes) for each in ids)
    return snapshot_of(incidents=IncidentsSnapshot(open=told))


def look(news: IncidentNews, snapshot: Snapshot, now: float, **options: Any) -> Any:
    return news.poll(msgspec.structs.replace(snapshot, taken_at=now), now, **options)


def test_each_is_told_once_and_never_what_was_there_or_was_acknowledged() -> None:
    news = IncidentNews("warning", None)
    assert look(news, opened("old"), NOW) is None
    told = look(news, opened("old", "new"), NOW)
    assert told is not None
    assert (told.text, told.tone, told.ring) == ("◐ phononmaser_in: breaker open: new", "busy", False)
    for later in range(60):
        assert look(news, opened("old", "new"), NOW + later) is None
    assert look(news, opened("seen", acknowledged_at=NOW), NOW + 61) is None
    assert look(news, opened("small", severity="info"), NOW + 62) is None
    # Another engine: what is open there is no news either.
    assert look(news, msgspec.structs.replace(opened("other"), started_at=NOW), NOW + 63) is None


def test_what_opens_together_is_told_together_and_not_too_often() -> None:
    news = IncidentNews("warning", "critical")
    look(news, opened(), NOW)
    first = look(news, opened("a", "b"), NOW)
    assert first is not None
    assert first.text.startswith("2 incidents: ◐ phononmaser_in: breaker open: a")
    assert not first.ring
    assert look(news, opened("a", "b", "c", severity="critical"), NOW + 1) is None
    assert look(news, opened("a", "b", "c", "d", severity="critical"), NOW + NEWS_SECONDS - 1) is None
    # Gone again before it could be told.
    second = look(news, opened("a", "b", "c", severity="critical"), NOW + NEWS_SECONDS)
    assert second == ("✗ phononmaser_in: breaker open: c", "bad", True)
    # While a question is open nothing takes its place, and nothing is lost.
    assert look(news, opened("e"), NOW + 99, may_note=lambda: False) is None
    assert look(news, opened("e"), NOW + 100) is not None


async def test_it_is_told_in_the_last_row_and_rung_but_not_over_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.app.presenters.incidents.NEWS_SECONDS", 0.0)
    engine = watched_evening()
    app = OverlaySupervisorApp(engine, options=AppOptions(bell_from="critical"))
    rung: list[int] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append(1))
    async with app.run_test(size=SIZE) as pilot:
        await until_seen(pilot, "LAST HOUR")
        await pilot.pause(0.4)
        assert "breaker open:" not in screen_lines(app)[-1]
        engine.open_incident(incident("i-9", rule="slow_heartbeat", severity="warning", message="p95 1.4 s"))
        await until_last_row(pilot, app, " ◐ phononmaser_in: slow heartbeat: p95 1.4 s")
        assert rung == []
        await pilot.press("D")
        await until_last_row(pilot, app, " disconnect phononmaser_in?")
        engine.open_incident(incident("i-10", rule="failed", message="gave up"))
        await pilot.pause(0.3)
        assert screen_lines(app)[-1].startswith(" disconnect phononmaser_in?")
        await pilot.press("escape")
        await until_last_row(pilot, app, " ✗ phononmaser_in: link failed: gave up")
        assert (rung, engine.asked) == ([1], [])


async def until_last_row(pilot: Pilot[int], app: OverlaySupervisorApp, words: str) -> None:
    await until(pilot, lambda: screen_lines(app)[-1].startswith(words))
