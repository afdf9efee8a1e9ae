"""What is read of reports, telemetry and health endpoints, and that nothing that anybody sends does harm."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.virtual import REPLAYED
from tui.channels import HealthMetrics
from tui.demo.hub import Hub
from tui.demo.topics import telemetry
from tui.services.figures import MOST_FIGURES, bare_url, moment
from tui.services.payloads import MOST_NAMED, Report, Telemetry, read_health, read_report, read_telemetry

NOW = 1_800_000_000.0
METRICS = HealthMetrics(
    connection_state="reconnecting",
    reconnect_attempts=3,
    total_reconnects=11,
    failed_reconnects=2,
    successful_connects=12,
    heartbeat_failures=1,
    circuit_breaker_trips=2,
    last_heartbeat=NOW - 94,
)
SNAKE = msgspec.to_builtins(METRICS)
CAMEL = METRICS.to_camel()


def told_by(payload: Any, now: float) -> Telemetry | None:
    """What a hub tells, all of it at once."""
    steps = read_telemetry(payload, now)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what the steps return


@pytest.mark.parametrize(
    "report",
    [
        {"service": "seed", **CAMEL},
        {"service": "seed", **SNAKE},
        {"name": "seed", "metrics": CAMEL},
        {"service": "seed", "metrics": SNAKE},
        {"data": {"service": "seed", "metrics": SNAKE}, "event": "x"},
        {"service": "seed", **SNAKE, "last_heartbeat": (NOW - 94) * 1000},
    ],
)
def test_the_nine_metrics_are_read_in_every_way_that_they_are_written(report: dict[str, Any]) -> None:
    told = read_report(report, NOW)
    assert told is not None
    assert (told.name, told.metrics) == ("seed", METRICS)
    assert (told.state, told.message, told.figures) == ("busy", "reconnecting (3)", {})


def test_a_report_says_where_it_is_from_and_what_is_wrong() -> None:
    report = {
        "service": "seed",
        "host": "Saya",
        "env": "production",
        "url": "ws://user:secret@saya:7175/socket/websocket?token=secret#x",
        "since": (NOW - 60) * 1000,
        "lastError": {"message": "refused\nby saya"},
        "closeCode": 1006,
        "timestamp": "whenever",
        "queueDepth": 4,
        "cpu": {"percent": 3.25, "per_core": [1, 2.5], "deep": {"a": 1}},
        "uptimeSeconds": 7300,
    }
    told = read_report(report, NOW)
    assert told == Report(
        name="seed",
        host="saya",
        environment="production",
        url="ws://saya:7175/socket/websocket",
        since=NOW - 60,
        last_error="refused by saya",
        close_code=1006,
        figures={
            "uptime": "2 h 1 min",
            "queue depth": "4",
            "cpu percent": "3.25",
            "cpu per core": "1; 2.5",
            "cpu deep": "1 entries",
        },
    )


def test_metrics_that_are_not_all_told_claim_nothing() -> None:
    told = read_report({"service": "seed", "connectionState": "connected", "heartbeatFailures": 2}, NOW)
    assert told is not None
    assert told.metrics is None
    assert (told.state, told.figures) == ("good", {"heartbeat failures": "2"})


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"connectionState": "connected"}, "good", "connected"),
        ({"connectionState": "connected", "status": "degraded"}, "busy", "degraded"),
        ({"connectionState": "failed", "isCircuitOpen": True}, "bad", "circuit breaker open"),
        ({"connectionState": "disconnected"}, "off", "disconnected"),
        ({"status": "purple"}, "unknown", "purple"),
        ({"state": "FAILED"}, "bad", "FAILED"),
        ({"connected": False}, "bad", "not connected"),
        ({"status": True}, "good", "ok"),
        ({}, "unknown", ""),
    ],
)
def test_the_state_is_the_worst_of_what_is_said(fields: dict[str, Any], state: str, words: str) -> None:
    told = read_report({"service": "seed", **fields}, NOW)
    assert told is not None
    assert (told.state, told.message) == (state, words)


@pytest.mark.parametrize("payload", [None, [], "seed", {}, {"service": " "}, {"service": 7}, {"data": {}}])
def test_a_report_without_a_name_is_none(payload: Any) -> None:
    assert read_report(payload, NOW) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (NOW, NOW),
        (NOW * 1000, NOW),
        (int(NOW), NOW),
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
        ("2027-01-15T08:00:00", NOW),
        (NOW + 3600, NOW + 3600),
        *(
            (value, None)
            for value in (0, -1, 94, NOW * 10, NOW * 1e6, 10**400, float("nan"), True, "x", None)
        ),
    ],
)
def test_times_are_told_apart_by_size_and_must_make_sense(value: Any, found: float | None) -> None:
    assert moment(value, NOW) == found


async def test_the_hubs_telemetry_has_the_pages_first() -> None:
    async with Hub(seed=1) as hub:
        report = telemetry(hub)
    report["services"]["seed"] = {"connected": False, "status": "down", "error": "no heartbeat for 94 s"}
    for payload in (report, {"success": True, "data": report, "meta": {}}):
        found = told_by(payload, NOW)
        assert found is not None
        told = {each.name: each for each in found.noted}
        names = list(told)
        assert names[0].startswith("page ")
        assert names[-4:] == ["obs", "twitch", "phononmaser", "seed"]
        assert (told["page omnibar"].state, told["page omnibar"].message) == ("bad", "not connected")
        assert told["page omnibar"].environment == "production"
        assert (told["obs"].state, told["obs"].message, told["obs"].figures) == (
            "good",
            "healthy",
            {"fps": "60"},
        )
        assert (told["seed"].state, told["seed"].last_error) == ("bad", "no heartbeat for 94 s")


def page(connected: Any, channel: str = "joined", environment: str = "production") -> dict[str, Any]:
    return {"name": "omnibar", "connected": connected, "channelState": channel, "environment": environment}


@pytest.mark.parametrize(
    ("pages", "state", "words"),
    [
        ([page(True)], "good", "connected"),
        ([page(True, "errored")], "busy", "connected, channel errored"),
        ([page(False, "closed")], "bad", "not connected"),
        ([page(None)], "unknown", ""),
        # A session of before, and the one of now.
        ([page(False), page(True)], "good", "connected"),
        ([page(None), page(False)], "bad", "not connected"),
        ([page(True), page(False, environment="test")], "bad", "not connected (test)"),
    ],
)
def test_a_page_is_what_the_hub_says_of_it(pages: list[Any], state: str, words: str) -> None:
    found = told_by({"overlays": [*pages, 7, {"name": ""}]}, NOW)
    assert found is not None
    assert [(each.name, each.state, each.message) for each in found.noted] == [("page omnibar", state, words)]


def test_a_hub_that_names_thousands_is_heard_out_of_some() -> None:
    pages = [{"name": f"p{number}", "connected": True} for number in range(5000)]
    found = told_by({"overlays": pages, "services": {"obs": True, "twitch": "degraded", "x": 1}}, NOW)
    assert found is not None
    assert len(found.noted) == MOST_NAMED + 2
    assert found.left_out == 5000 - MOST_NAMED
    assert [each.state for each in found.noted[-2:]] == ["good", "busy"]
    assert told_by({"something": "else"}, NOW) is None


PHONONMASER = {
    "status": "degraded",
    "service": "phononmaser",
    "timestamp": "2027-01-15T08:00:00Z",
    "uptime_seconds": 94.5,
    "websocket": {
        "connected": False,
        "state": "reconnecting",
        "reconnect_attempts": 4,
        "circuit_breaker_trips": 1,
    },
}


@pytest.mark.parametrize(
    ("code", "body", "state", "words"),
    [
        (200, PHONONMASER, "busy", "degraded"),
        (200, PHONONMASER | {"status": "healthy"}, "busy", "websocket reconnecting"),
        (503, PHONONMASER, "bad", "HTTP 503: degraded"),
        (200, {"status": "warning", "warnings": ["buffer full", "x"]}, "busy", "warning: buffer full"),
        (200, {"status": "healthy", "websocket": {"connected": True}}, "good", "healthy"),
        (200, {"status": "unhealthy"}, "bad", "unhealthy"),
        (200, {"status": "purple"}, "unknown", "purple"),
        (200, {"uptime": 5}, "good", "answers, no status"),
        (200, "ok", "good", "ok"),
        (200, 7, "good", "answers, no status"),
        (404, {"error": "not found"}, "bad", "HTTP 404"),
        (304, {}, "bad", "HTTP 304"),
    ],
)
def test_a_health_endpoint_is_read(code: int, body: Any, state: str, words: str) -> None:
    told = read_health(code, json.dumps(body).encode(), NOW)
    assert (told.state, told.message) == (state, words)


def test_the_figures_of_a_health_endpoint() -> None:
    told = read_health(200, json.dumps(PHONONMASER).encode(), NOW)
    assert told.figures == {
        "uptime": "94 s",
        "websocket connected": "no",
        "websocket state": "reconnecting",
        "websocket reconnect attempts": "4",
        "websocket circuit breaker trips": "1",
        "service": "phononmaser",
    }


def test_what_is_no_health_report_says_so() -> None:
    told = read_health(200, b"<html>", NOW)
    assert (told.state, told.message) == ("good", "answers, no JSON")
    told = read_health(200, b'{"status": "heal', NOW, unread="too long to be read")
    assert (told.state, told.message) == ("good", "answers, too long to be read")
    assert read_health(500, b"<html>", NOW).message == "HTTP 500"
    told = read_health(200, b"[" * 100_000, NOW)
    assert (told.state, told.message) == ("unknown", "answers, JSON that cannot be read")
    url = "http://saya:8891/health"
    told = read_health(302, b"", NOW, url=url, location="/login?token=secret")
    assert (told.state, told.message) == ("bad", "redirects to http://saya:8891/login, not followed")
    for location in ("javascript:alert(1)", "http://[::1", "//"):
        assert read_health(301, b"", NOW, url=url, location=location).message.startswith("redirects to ")
    assert bare_url("https://me:secret@[::1]:8891/a?b#c") == "https://[::1]:8891/a"


@pytest.mark.parametrize(
    ("body", "state", "words"),
    [
        # As Python's own library writes it.
        (b'{"status": "unhealthy", "load": NaN, "peak": Infinity}', "bad", "unhealthy"),
        (b'{"status": "unhealthy", "load": 1e400}', "bad", "unhealthy"),
        (b'{"status": "unhealthy", "note": "\\ud800"}', "bad", "unhealthy"),
        (b'{"status": "unhealthy", "note": "\xff"}', "bad", "unhealthy"),
        (b'\xef\xbb\xbf{"status": "unhealthy"}', "bad", "unhealthy"),
        (b'{"status": "unhealthy"', "unknown", "answers, JSON that cannot be read"),
        (b"unhealthy\n", "bad", "unhealthy"),
        (b"OK", "good", "OK"),
        (b'{"ok": false}', "bad", "not ok"),
        (b'{"healthy": true}', "good", "healthy"),
        (b'{"status": 500}', "bad", "status 500"),
        (b'{"status": 200}', "good", "status 200"),
        (b'{"status": {"state": "down"}}', "bad", "down"),
    ],
)
def test_a_sick_answer_is_not_called_well_for_its_form(body: bytes, state: str, words: str) -> None:
    told = read_health(200, body, NOW)
    assert (told.state, told.message) == (state, words)


def test_no_figure_and_no_words_hold_a_secret() -> None:
    told = read_report(
        {
            "service": "seed",
            "status": "down: ws://me:SECRET@saya/socket?token=SECRET#SECRET gone",
            "last_error": {"message": "cannot open wss://saya/socket?api_key=SECRET"},
            "access_token": "SECRET",
            "password": ["SECRET"],
            "credentials": {"user": "SECRET"},
            "websocket": {"url": "ws://saya/socket?token=SECRET", "streamKey": "SECRET"},
            "keyboard": "qwertz",
        },
        NOW,
    )
    assert told is not None
    assert "SECRET" not in repr(told)
    assert told.message == "down: ws://saya/socket gone"
    assert told.figures["access token"] == "***"
    assert told.figures["keyboard"] == "qwertz"
    assert told.figures["websocket url"] == "ws://saya/socket"


# Anything at all

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["connected", "failed", "ok", "2027-01-15T08:00:00Z", 10**400, -(2**70), "\ud800"])
)
NAMES = st.sampled_from(
    ["service", "name", "host", "metrics", "data", "status", "overlays", "services", "websocket", "warnings",
     "metadata", "since", "error", "url", "connected", "lastSeen", "uptime", *SNAKE, *CAMEL]
) | st.text(max_size=12)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=30,
)


@given(JSON)
@REPLAYED
def test_no_json_makes_a_reader_raise(payload: Any) -> None:
    for named in (
        payload,
        {"service": "seed", "metrics": payload},
        {"name": "x", **dict.fromkeys(CAMEL, payload)},
    ):
        found = read_report(named, NOW)
        if found is not None:
            assert_bounded(found)
    for named in (payload, {"overlays": payload, "services": payload}, {"data": {"overlays": [payload]}}):
        telling = told_by(named, NOW)
        for told in telling.noted if telling is not None else ():
            assert_bounded(told)


def assert_bounded(told: Report) -> None:
    assert len(msgspec.json.encode(told)) < 50_000
    texts = [told.name, told.host, told.environment, told.url, told.message, told.last_error or ""]
    for text in (*texts, *told.figures, *told.figures.values()):
        assert len(text) <= 220
        assert "\n" not in text
        assert "\x1b" not in text
    assert len(told.figures) <= MOST_FIGURES
    assert told.since is None or 0 < told.since < NOW + 90_000


SEEDS = (
    {"service": "seed", "host": "saya", **CAMEL, "warnings": ["a", "b"], "extra": {"deep": [1, 2, {"a": 1}]}},
    {"data": {"name": "seed", "metrics": SNAKE}},
    {
        "overlays": [{"name": "omnibar", "connected": True, "lastSeen": "2027-01-15T08:00:00Z"}],
        "services": {"obs": {"connected": True, "status": "healthy", "metadata": {"fps": 60.0}}},
    },
    PHONONMASER,
)
ODD = (
    *(None, True, -1, 0, 2**53, 2**70, 10**400, 1.5, 1e308, float("inf")),
    *("", "\x00\x1b[2J\n", "\ud800", "x" * 5000, "İ" * 300, "@", "2027-01-15T08:00:00Z"),
    *([], {}, [[[]]], {"status": "ok"}, [{"name": "x"}] * 300, {f"k{n}": n for n in range(300)}),
)


def mutated(value: Any, random_source: random.Random) -> Any:
    if random_source.random() < 0.12:
        return random_source.choice(ODD)
    if isinstance(value, dict):
        members = [(key, mutated(inner, random_source)) for key, inner in value.items()]
        if random_source.random() < 0.3:
            members.append(
                (
                    random_source.choice((*CAMEL, "service", "x" * 3000, "data", "\ud800")),
                    random_source.choice(ODD),
                )
            )
        return dict(members)
    return [mutated(inner, random_source) for inner in value] if isinstance(value, list) else value


def test_ten_thousand_mutated_reports_and_bodies() -> None:
    random_source = random.Random(6)
    read = 0
    for _ in range(10_000):
        payload = mutated(random_source.choice(SEEDS), random_source)
        report, telling = read_report(payload, NOW), told_by(payload, NOW)
        body = json.dumps(payload).encode()
        for _ in range(random_source.randrange(3)):
            place = random_source.randrange(len(body) + 1)
            body = (
                body[:place]
                + bytes([random_source.randrange(256)])
                + body[place + random_source.randrange(3) :]
            )
        health = read_health(
            random_source.choice((200, 200, 204, 301, 404, 503, 999)), body, NOW, location="/\x00?x"
        )
        found = [health, *((report,) if report else ()), *(telling or Telemetry((), 0, False, False)).noted]
        for told in found[:5]:
            assert_bounded(told)
        read += len(found)
    assert read > 15_000
