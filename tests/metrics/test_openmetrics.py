"""What Prometheus gets to read: read back by its own parser, scraped over HTTP, and what abuse comes to."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as classic_families

from tests.control.conftest import ctl, environment, folder, serving  # noqa: F401 (a fixture)
from tests.engine.conftest import connection as connected_to
from tests.engine.conftest import running
from tests.pace import PATIENCE
from tests.scripted_engine import ScriptedEngine, channel, connection, evening_alerts, hub_away
from tui.channels.health import HealthMetrics
from tui.demo.hub import Channel, Hub
from tui.engine.supervisor import Supervisor
from tui.metrics.exposition import MOST_SERVICES, exposition, why_not_up
from tui.metrics.options import MetricsOptions
from tui.metrics.server import MOST_REQUEST, MetricsError, MetricsServer, wants_openmetrics
from tui.model.alerts import AlertsSnapshot
from tui.model.incidents import IncidentSnapshot, IncidentsSnapshot
from tui.model.services import ServiceSnapshot, ServicesSnapshot
from tui.model.snapshot import Snapshot
from tui.runtime.resources import flushed, metrics_server
from tui.system.installation import needs
from tui.text.formats import time_of_day

NOW = 1_790_000_000.0
PROMETHEUS = Path(__file__).parents[1] / "prometheus"
README = Path(__file__).parents[2] / "README.md"
PROMETHEUS_ACCEPTS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def evening(**changes: Any) -> Snapshot:
    """A snapshot in which there is some of everything."""
    incident = {"subject": "stage", "message": "w", "opened_at": NOW - 60, "updated_at": NOW}
    values: dict[str, Any] = {
        "sequence": 7,
        "taken_at": NOW - 0.2,
        "started_at": NOW - 3600,
        "connections": (connection("hub", at=NOW, channels=(channel(),)), hub_away("stage", at=NOW)),
        "alerts": evening_alerts(at=NOW),
        "services": ServicesSnapshot(
            services=(
                service("seed", host="saya", state="good", freshness="fresh", reported_at=NOW - 2),
                service("deepgram", host="zelan", freshness="stale", reported_at=NOW - 90),
            ),
            left_out=3,
            rejected=4,
        ),
        "incidents": IncidentsSnapshot(
            open=(
                IncidentSnapshot(id="1", rule="breaker_open", severity="critical", **incident),
                IncidentSnapshot(
                    id="2", rule="breaker_open", severity="critical", acknowledged_at=NOW, **incident
                ),
                IncidentSnapshot(id="3", rule="flapping", severity="warning", **incident),
            ),
            commands_dropped=2,
        ),
    }
    return Snapshot(**values | changes)


def service(name: str, **changes: Any) -> ServiceSnapshot:
    return ServiceSnapshot(key=f"{name} {changes.get('host', '')}", name=name, **changes)


class Read:
    """The series of a page, by name and labels."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self.families = {family.name: family for family in families}
        self.series = {
            (sample.name.removeprefix("overlay_supervisor_"), frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.series.get((name, frozenset(labels.items())))

    @property
    def names(self) -> set[str]:
        return {f"overlay_supervisor_{name}" for name, _ in self.series}


def page(snapshot: Snapshot, now: float = NOW) -> Read:
    return Read(openmetrics_families(exposition(snapshot, now, version="1.2.3").decode()))


# The text -----------------------------------------------------------------------------------------


def test_every_metric_of_a_connection_is_read_back() -> None:
    read = page(evening())
    away = hub_away("stage", at=NOW)
    nine = away.metrics
    assert {
        state: read.value("connection_state", connection="stage", overlay_supervisor_connection_state=state)
        for state in ("disconnected", "connecting", "connected", "reconnecting", "failed")
    } == {"disconnected": 0, "connecting": 0, "connected": 0, "reconnecting": 1, "failed": 0}
    values = {
        "reconnect_attempts": nine.reconnect_attempts,
        "reconnects_total": nine.total_reconnects,
        "failed_reconnects_total": nine.failed_reconnects,
        "successful_connects_total": nine.successful_connects,
        "heartbeat_failures_total": nine.heartbeat_failures,
        "circuit_breaker_trips_total": nine.circuit_breaker_trips,
        "last_heartbeat_timestamp_seconds": nine.last_heartbeat,
        "circuit_breaker_open": nine.is_circuit_open,
        "messages_received_total": away.details.messages_in,
        "messages_sent_total": away.details.messages_out,
        "received_bytes_total": away.details.bytes_in,
        "sent_bytes_total": away.details.bytes_out,
        "dropped_messages_total": away.details.dropped_messages,
        "dropped_pushes_total": away.details.dropped_pushes,
        "undecodable_messages_total": away.details.undecodable,
        "channels": len(away.channels),
        "channels_joined": 0,
        "reconnects_created": NOW - 3600,
    }
    assert {name: read.value(name, connection="stage") for name in values} == values
    assert len(values) + 1 >= len(HealthMetrics.__struct_fields__)
    round_trip = {
        part: read.value("heartbeat_round_trip_seconds", connection="hub", quantile=part)
        for part in ("0.5", "0.95")
    }
    assert round_trip == {"0.5": 0.011, "0.95": 0.034}
    assert read.value("channel_joined", connection="hub", topic="stream:overlays") == 1
    assert read.value("connection_info", connection="hub", label="hub", address="saya:7175") == 1


def test_the_rest_is_read_back_with_its_type_and_unit() -> None:
    read = page(evening())
    families = {name.removeprefix("overlay_supervisor_"): each for name, each in read.families.items()}
    assert families["connection_state"].type == families["service_state"].type == "stateset"
    assert families["reconnects"].type == "counter"
    assert families["heartbeat_round_trip_seconds"].type == "summary"
    assert (families["received_bytes"].type, families["received_bytes"].unit) == ("counter", "bytes")
    assert families["snapshot_age_seconds"].unit == "seconds"
    assert all(name.startswith("overlay_supervisor_") for name in read.families)
    assert all(each.documentation.endswith(".") for each in families.values())
    assert read.value("build_info", version="1.2.3") == 1
    assert read.value("engine_up") == 1
    assert read.value("snapshot_age_seconds") == pytest.approx(0.2)
    assert read.value("service_fresh", service="seed", host="saya") == 1
    assert read.value("service_fresh", service="deepgram", host="zelan") == 0
    state = {"overlay_supervisor_service_state": "unknown"}
    assert read.value("service_state", service="deepgram", host="zelan", **state) == 1
    assert read.value("service_reports_rejected_total") == 4
    assert read.value("left_out", of="services") == 3
    assert read.value("incidents_open", rule="breaker_open", severity="critical") == 2
    assert read.value("incidents_unacknowledged", rule="breaker_open", severity="critical") == 1
    assert read.value("incidents_open", rule="failed", severity="critical") == 0, "0 is told, not left out"
    assert read.value("incident_commands_dropped_total") == 2
    alerts = evening_alerts(at=NOW)
    assert read.value("alerts_waiting") == len(alerts.waiting) > 0
    assert read.value("alerts_playing") == 1
    unmapped = msgspec.structs.replace(alerts, unmapped={"hype_train": 3, "poll": 2})
    assert page(evening(alerts=unmapped)).value("alerts_unmapped_total") == 5
    assert read.value("alerts_mode", overlay_supervisor_alerts_mode="playing") == 1
    assert read.value("alerts_ended", type="follow", outcome="shown") == alerts.counts["follow"]["shown"]
    assert read.value("overlay_page_connected", page="omnibar") == 1
    assert not any("alerts" in name for name in page(evening(alerts=None)).names), "no queue, no figures"


def test_every_mode_of_the_queue_is_one_of_its_states() -> None:
    for mode in get_args(msgspec.structs.fields(AlertsSnapshot)[0].type):
        read = page(evening(alerts=AlertsSnapshot(mode=mode)))
        assert read.value("alerts_mode", overlay_supervisor_alerts_mode=mode) == 1


def test_the_classic_format_has_the_same_series_but_for_the_times_of_creation() -> None:
    text = exposition(evening(), NOW, version="1.2.3", classic=True).decode()
    classic, modern = Read(classic_families(text)).names, page(evening()).names
    assert modern - classic == {name for name in modern if name.endswith("_created")}
    assert classic <= modern


@pytest.mark.parametrize(
    ("changes", "now", "why"),
    [
        ({"stopped": "a mistake\x1b"}, NOW, "engine stopped: a mistake␛"),
        ({}, NOW + 60, f"engine silent since {time_of_day(NOW - 1, NOW)}"),
        ({}, NOW - 60, "engine silent since the clock was set back"),
        ({"waiting": "it went away"}, NOW, "waiting for the engine: it went away"),
        ({"sequence": 0}, NOW, "the engine has not begun"),
    ],
)
def test_an_engine_that_does_not_tell_the_present_does_not_look_alive(
    changes: dict[str, Any], now: float, why: str
) -> None:
    snapshot = evening(**changes)
    assert why_not_up(snapshot, now) == why
    read = page(snapshot, now)
    assert read.value("engine_up") == 0
    names = {name.removeprefix("overlay_supervisor_") for name in read.names}
    assert names == {
        "build_info",
        "engine_up",
        "engine_start_time_seconds",
        "snapshot_age_seconds",
    }


texts = st.text(st.characters(), max_size=150) | st.text('"\\\n\r\0{}#,=~\ud800 ', max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), max_size=8, unique_by=lambda each: each[:2]))
def test_whatever_a_service_or_topic_is_called_the_page_can_be_read(
    names: list[tuple[str, str, str]],
) -> None:
    services = tuple(service(name, host=host, environment=other) for name, host, other in names)
    links = (connection("hub", channels=tuple(channel(name) for name in {each[0] for each in names})),)
    alerts = AlertsSnapshot(counts={other: {"shown": 1} for _, _, other in names})
    snapshot = evening(
        services=ServicesSnapshot(services=services),
        connections=links,
        alerts=alerts,
        incidents=IncidentsSnapshot(),
    )
    text = exposition(snapshot, NOW, version="1").decode()
    read = Read(openmetrics_families(text))
    assert len(read.families["overlay_supervisor_service_fresh"].samples if names else []) == len(names)
    assert read.value("left_out", of="services") == 0
    # The parser of Python passes over a series that stands twice; Prometheus refuses the page.
    series = Counter(line.rpartition(" ")[0] for line in text.split("\n") if not line.startswith("#"))
    assert [name for name, times in series.items() if name and times > 1] == []
    assert max(map(len, text.split("\n"))) < 1200
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)
    Read(classic_families(exposition(snapshot, NOW, version="1", classic=True).decode()))


def test_however_many_services_there_are_the_page_is_bounded_and_says_so() -> None:
    services = tuple(service(f"s{n}") for n in range(MOST_SERVICES + 20))
    twice = ServicesSnapshot(services=(*services, service("s1")), left_out=5)
    read = page(evening(services=twice))
    assert len(read.families["overlay_supervisor_service_fresh"].samples) == MOST_SERVICES
    assert read.value("left_out", of="services") == 20 + 1 + 5


# Over HTTP ----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def metrics_of(engine: Any, **settings: Any) -> Iterator[tuple[MetricsServer, int]]:
    server = MetricsServer(engine, **settings)
    port = free_port()
    server.apply(MetricsOptions(port=port))
    try:
        yield server, port
    finally:
        assert server.close(5), "the metrics' thread did not end"


def scrape(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, content type and body; 0 when the connection was dropped."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return 0, "", ""


def until_scraped(port: int, limit: float = PATIENCE) -> Read:
    deadline = time.monotonic() + limit
    while True:
        status, _, text = scrape(port, Accept=PROMETHEUS_ACCEPTS)
        if status == 200:
            return Read(openmetrics_families(text))
        assert time.monotonic() < deadline, f"no answer within {limit:g} s"
        time.sleep(0.02)


async def test_a_scrape_of_a_real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.metrics.server.PAGE_SECONDS", 0.1)
    async with Hub() as hub:
        hub.on("room:*", Channel)
        with running(connected_to("hub", hub.url, "room:1")) as engine, metrics_of(engine) as (_, port):
            async with asyncio.timeout(15):
                while True:
                    status, kind, text = await asyncio.to_thread(scrape, port, Accept=PROMETHEUS_ACCEPTS)
                    assert status == 200
                    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
                    read = Read(openmetrics_families(text))
                    if read.value("channel_joined", connection="hub", topic="room:1"):
                        break
                    await asyncio.sleep(0.1)
            assert read.value("successful_connects_total", connection="hub") == 1
            assert (read.value("received_bytes_total", connection="hub") or 0) > 50
            engine.stop()
            async with asyncio.timeout(15):
                while (await asyncio.to_thread(until_scraped, port)).value("engine_up"):
                    await asyncio.sleep(0.1)


def test_nothing_but_a_get_of_the_metrics_is_answered() -> None:
    with metrics_of(ScriptedEngine([connection("hub")])) as (_, port):
        status, kind, text = scrape(port, "/metrics?now")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert Read(classic_families(text)).value("engine_up") == 1
        for path in ("/", "/metrics/", "/../etc/passwd"):
            assert scrape(port, path)[0] == 404
        for method in ("POST", "HEAD", "DELETE", "NONE"):
            assert scrape(port, method=method)[0] == 405
        for nonsense, status_line in (
            (b"\x16\x03\x01 \xff\r\n\r\n", b"HTTP/1.0 400 "),
            (b"GET /\n\n", b"HTTP/1.0 404 "),
        ):
            assert raw(port, nonsense).startswith(status_line)
        too_long = b"GET /metrics HTTP/1.1\r\nX: ".ljust(MOST_REQUEST, b"x")
        assert raw(port, too_long).startswith(b"HTTP/1.0 431 ")
        assert scrape(port)[0] == 200


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        received = b""
        with suppress(ConnectionError):
            client.sendall(request)
            while data := client.recv(65536):
                received += data
        return received


def test_who_asks_is_answered_beside_any_number_that_never_do(caplog: pytest.LogCaptureFixture) -> None:
    with metrics_of(ScriptedEngine([connection("hub")]), most=3) as (_, port):
        silent = []
        for _ in range(8):
            for _ in range(3):
                silent.append(socket.create_connection(("127.0.0.1", port), timeout=10))
                silent[-1].sendall(b"G")
            assert scrape(port)[0] == 200
        assert "no room" not in caplog.text
        for client in silent:
            client.close()


def test_a_byte_now_and_then_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.metrics.server.REQUEST_SECONDS", 0.6)
    with (
        metrics_of(ScriptedEngine([connection("hub")])) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=0.05) as slow,
    ):
        deadline = time.monotonic() + PATIENCE
        said = b""
        while not said:
            assert time.monotonic() < deadline
            with suppress(OSError):
                slow.sendall(b"G")
            with suppress(TimeoutError):
                said = slow.recv(100)
        assert said.startswith(b"HTTP/1.0 408 ")


def test_who_does_not_read_holds_nobody_up_and_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.metrics.server.ANSWER_SECONDS", 0.3)
    # More than a connection's buffers hold.
    many = [connection(f"{n:0>100}", channels=(channel(),)) for n in range(500)]
    with metrics_of(ScriptedEngine(many), most=2) as (_, port):
        stuck = []
        for _ in range(2):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            stuck.append(client)
        try:
            read = until_scraped(port)
            assert len(read.families["overlay_supervisor_channels"].samples) == 500
        finally:
            for client in stuck:
                client.close()


def test_a_page_that_cannot_be_made_is_an_error_to_the_scraper_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = ScriptedEngine([connection("hub")])
    with metrics_of(engine) as (_, port):
        kept, engine.connections = engine.connections, (None,)  # type: ignore[assignment]  # a snapshot that cannot be read
        assert scrape(port)[0] == 500
        assert "the page could not be made" in caplog.text
        engine.connections = kept
        assert scrape(port)[0] == 200


class MovedClock:
    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def test_a_flood_of_scrapes_makes_one_page_a_second() -> None:
    clock = MovedClock()
    engine = ScriptedEngine([connection("hub")], clock=clock.time)
    with metrics_of(engine, clock=clock) as (_, port):
        ages = []
        for seconds in (0.0, 0.9, 0.2):
            clock.now += seconds
            before = engine.snapshot().sequence
            assert scrape(port)[0] == 200
            ages.append(engine.snapshot().sequence - before - 1)
        assert ages == [1, 0, 1]


def test_a_port_that_is_taken_is_told_on_the_screen_too(capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor([])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with flushed(metrics_server(supervisor, MetricsOptions(port=port))):
            words = f"no metrics at 127.0.0.1:{port}: Address already in use; going on without"
            assert [line.text for line in supervisor.log().lines] == [words]
    assert words in capsys.readouterr().err


def test_the_address_follows_the_settings() -> None:
    server = MetricsServer(ScriptedEngine([connection("hub")]))
    first, second = free_port(), free_port()
    assert server.apply(MetricsOptions()) is None
    assert server.apply(MetricsOptions(port=first)) == f"metrics: at http://127.0.0.1:{first}/metrics"
    assert server.apply(MetricsOptions(port=first)) is None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MetricsError, match=rf"no metrics at 127\.0\.0\.1:{port}: Address already in use"):
            server.apply(MetricsOptions(port=port))
    assert scrape(first)[0] == 200, "what was served goes on"
    server.apply(MetricsOptions(port=second))
    assert (scrape(first)[0], scrape(second)[0]) == (0, 200)
    server.apply(MetricsOptions(host="localhost", port=second))
    assert scrape(second)[0] == 200
    assert server.apply(MetricsOptions()) == "metrics: served no more"
    assert scrape(second)[0] == 0
    assert server.close()


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], False),
        ([PROMETHEUS_ACCEPTS], True),
        (["text/html,*/*;q=0.8"], False),
        (["text/plain", "application/openmetrics-text"], True),
        (["text/plain, application/openmetrics-text;q=0.4"], False),
        (["application/openmetrics-text; version=2.0.0"], False),
        (["application/openmetrics-text;q=0"], False),
        (["application/openmetrics-text;q=x;;=,,;q"], False),
        (["Application/OpenMetrics-Text"], True),
    ],
)
def test_the_format_is_the_one_that_is_accepted(accept: list[str], wanted: bool) -> None:
    assert wants_openmetrics(accept) == wanted


# From a shell -------------------------------------------------------------------------------------


async def test_the_shell_command_prints_the_same(folder: Path) -> None:  # noqa: F811  # the fixture
    async with Hub() as hub:
        with serving(folder, connected_to("hub", hub.url)) as served:
            ran = await ctl(folder, "metrics", "--openmetrics")
            assert (ran.status, ran.err) == (0, "")
            read = Read(openmetrics_families(ran.out))
            assert read.value("engine_up") == 1
            assert read.value("connection_info", connection="hub", label="a label", address=address(hub)) == 1
            assert (await ctl(folder, "metrics", "hub", "--openmetrics")).status == 2
            served.engine.stop()
            assert await asyncio.to_thread(served.engine.ended.wait, 10)
            ran = await ctl(folder, "metrics", "--openmetrics")
            assert (ran.status, ran.err.startswith("overlayctl: engine stopped")) == (1, True)
            assert Read(openmetrics_families(ran.out)).value("engine_up") == 0


def address(hub: Hub) -> str:
    return hub.url.split("/")[2]


def test_without_the_extra_the_message_names_it(folder: Path) -> None:  # noqa: F811  # the fixture
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from tui.cli.ctl.main import main; status = main(['metrics', '--openmetrics'])\n"
        "from tests.scripted_engine import ScriptedEngine\n"
        "from tui.metrics.server import MOST_REQUEST, MetricsError, MetricsOptions, MetricsServer\n"
        "server = MetricsServer(ScriptedEngine())\n"
        "try: server.apply(MetricsOptions(port=1))\n"
        "except MetricsError as error: print(status, error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(folder), check=True
    )
    words = f"OpenMetrics {needs('metrics')}\n"
    assert (ran.stderr, ran.stdout) == (f"overlayctl: {words}", f"1 {words}")


# What Prometheus is told --------------------------------------------------------------------------


def test_the_alerting_rules_use_only_what_is_there() -> None:
    rules = [
        rule
        for group in yaml.safe_load((PROMETHEUS / "overlay-supervisor.rules.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) > 10
    assert len({rule["alert"] for rule in rules}) == len(rules)
    read = page(evening())
    known = read.names
    labels = {label for _, labels in read.series for label, _ in labels} | {"job", "instance"}
    for rule in rules:
        assert (
            {"alert", "expr", "annotations"}
            <= rule.keys()
            <= {"alert", "expr", "for", "labels", "annotations"}
        )
        assert set(re.findall(r"\boverlay_supervisor_\w+", rule["expr"])) <= known, rule["alert"]
        for used in re.findall(r"(\w+)(?:=~|!=|=)\"", rule["expr"]):
            assert used in labels, rule["alert"]
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels, rule["alert"]


def test_the_readme_shows_the_configuration_that_was_checked() -> None:
    checked = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    shown = re.search(r"^```yaml\n(.*?scrape_configs.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert yaml.safe_load(shown.group(1)) == checked
    (job,) = checked["scrape_configs"]
    assert f'up{{job="{job["job_name"]}"}}' in (PROMETHEUS / checked["rule_files"][0]).read_text()


def test_the_readme_names_every_metric_and_no_other() -> None:
    table = README.read_text().split("| `overlay_supervisor_...` | |")[1].split("\n\n")[0]
    cells = (line.split("|")[1] for line in table.splitlines()[2:])
    named = {f"overlay_supervisor_{name}" for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {name for name in page(evening()).names if not name.endswith("_created")}
