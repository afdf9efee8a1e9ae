"""The settings of services, incidents and metrics: what is in force, and what a mistake says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.config.conftest import Lines, Load
from tui.config.load import (
    CommandLine,
    Settings,
    SettingsError,
    check_needs,
    settings_of,
    unreadable_secrets,
    warnings_of,
)
from tui.incidents.options import SEVERITIES, IncidentsOptions, SilentTopicOptions
from tui.metrics.options import MetricsOptions
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions
from tui.services.payloads import MOST_NAME

VARIABLE = "OVERLAY_SUPERVISOR_"
SECRET = "s3cr3t-Value"
HUB = '[connections.hub]\nurl = "ws://hub"\ntopics = ["dashboard:main", "events:all"]\n'
REPORTS = '[[services.reports]]\nconnection = "hub"\ntopic = "dashboard:main"\n'
ENDPOINT = '[services.endpoints.seed]\nurl = "http://saya:8891/health"\n'
SILENT = '[[incidents.silent]]\nconnection = "hub"\ntopic = "events:all"\n'
CERTIFICATE = Path(__file__).parents[1] / "certificate.pem"


def effective(settings: Settings) -> dict[str, tuple[str, str]]:
    tops = ("services", "incidents", "metrics")
    return {each.key: (each.text, each.source) for each in settings.sources if each.key.split(".")[0] in tops}


# What is in force


def test_where_nothing_is_set_the_defaults_hold(load: Load) -> None:
    for settings in (load(HUB), load(""), settings_of(CommandLine())):
        assert settings.services == ServicesOptions()
        assert settings.incidents == IncidentsOptions()
        assert settings.incidents.severity == SEVERITIES
        assert settings.metrics == MetricsOptions()
        shown = effective(settings)
        assert {source for _, source in shown.values()} == {"default"}
        assert shown["services.reports"][0] == shown["incidents.silent"][0] == "[]"
        assert shown["services.endpoints"][0] == "{}"
        assert shown["incidents.bell_from"][0] == '"none"'
        assert shown["incidents.severity.failed"][0] == '"critical"'


def test_everything_of_the_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    settings = load(
        HUB
        + f"""
[services]
most = 1000
[[services.reports]]
connection = "hub"
topic = "dashboard:main"
stale_after = 86400
[[services.reports]]
connection = "hub"
topic = "dashboard:main"
kind = "hub"
[[services.reports]]
connection = "hub"
topic = "events:all"
event = "my_health"
[services.endpoints.seed]
url = "https://saya:8891/health"
interval = 1
timeout = 0.1
headers = {{ X-Key = "{SECRET}", Authorization = {{ file = "token" }}, Other = {{ env = "OTHER" }} }}
ca_file = "ca.pem"
[services.endpoints."the other one"]
url = "http://[::1]/"
[incidents]
flapping_reconnects = 1
flapping_minutes = 1440
slow_heartbeat = 0.001
quiet_for = 0
off = ["flapping", "undecodable"]
bell_from = "critical"
toast_from = "none"
command = ["bin/tell", "--key", "{SECRET}"]
command_from = "info"
command_timeout = 60
command_per_minute = 60
[[incidents.silent]]
connection = "hub"
topic = "events:all"
after = 1
[incidents.severity]
flapping = "info"
[metrics]
host = "0.0.0.0"
port = 9178
"""
    )
    seed, _ = settings.services.endpoints
    assert settings.services == ServicesOptions(
        most=1000,
        reports=(
            ReportsOptions(
                connection="hub", topic="dashboard:main", event="health_report", stale_after=86400.0
            ),
            ReportsOptions(connection="hub", topic="dashboard:main", event="telemetry_update", kind="hub"),
            ReportsOptions(connection="hub", topic="events:all", event="my_health"),
        ),
        endpoints=(
            EndpointOptions(
                name="seed",
                url="https://saya:8891/health",
                interval=1.0,
                timeout=0.1,
                headers=seed.headers,
                ca_file=str(tmp_path / "ca.pem"),
            ),
            EndpointOptions(name="the other one", url="http://[::1]/"),
        ),
    )
    assert settings.incidents == IncidentsOptions(
        flapping_reconnects=1,
        flapping_minutes=1440.0,
        slow_heartbeat=0.001,
        silent=(SilentTopicOptions(connection="hub", topic="events:all", after=1.0),),
        quiet_for=0.0,
        severity={**SEVERITIES, "flapping": "info"},
        off=("flapping", "undecodable"),
        bell_from="critical",
        toast_from=None,
        command=(str(tmp_path / "bin/tell"), "--key", SECRET),
        command_from="info",
        command_timeout=60.0,
        command_per_minute=60,
    )
    assert settings.metrics == MetricsOptions(host="0.0.0.0", port=9178)

    shown = {key: text for key, (text, _) in effective(settings).items()}
    assert shown["services.reports[1].event"] == '"telemetry_update"'
    assert shown["services.endpoints.seed.headers"] == (
        '{ X-Key = ***, Authorization = { file = "token" }, Other = { env = "OTHER" } }'
    )
    assert shown["services.endpoints.seed.ca_file"] == '"ca.pem"'
    assert shown["services.endpoints.the other one.interval"] == "10"
    assert shown["incidents.off"] == '["flapping", "undecodable"]'
    assert shown["incidents.toast_from"] == '"none"'
    assert shown["incidents.command"] == '["bin/tell", ***, ***]'
    assert shown["incidents.severity.flapping"] == '"info"'
    assert shown["metrics.port"] == "9178"
    assert SECRET not in repr(settings) + repr(settings.sources)


async def test_headers_are_read_anew_and_those_that_cannot_be_are_told(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = 'headers = { A = "a", B = { file = "token" }, C = { env = "SEED_KEY" } }\n'
    settings = load(HUB + ENDPOINT + headers)
    monkeypatch.delenv("SEED_KEY", raising=False)
    assert await unreadable_secrets(settings) == [
        f"services.endpoints.seed.headers.B: secret file {tmp_path}/token: No such file or directory",
        "services.endpoints.seed.headers.C: environment variable SEED_KEY is not set",
    ]
    monkeypatch.setenv("SEED_KEY", "c")
    for token in ("first", "second"):
        (tmp_path / "token").write_text(token)
        read = settings.services.endpoints[0].headers
        assert [await read[name]() for name in read] == ["a", token, "c"]


def test_everything_can_come_from_the_environment(load: Load, tmp_path: Path) -> None:
    place = f"environment variable {VARIABLE}"
    settings = load(
        HUB + REPORTS + ENDPOINT + "[incidents]\ncommand = ['tell']\nquiet_for = 3\n"
        "[incidents.severity]\nfailed = 'info'\n[metrics]\nport = 1\n",
        {
            f"{VARIABLE}SERVICES__MOST": "7",
            f"{VARIABLE}SERVICES__REPORTS": "[]",
            f"{VARIABLE}SERVICES__ENDPOINTS": '{"hub": {"url": "http://hub", "headers": {"A": "b"}}}',
            f"{VARIABLE}INCIDENTS__SEVERITY": '{"flapping": "critical"}',
            f"{VARIABLE}INCIDENTS__OFF": '["failed"]',
            f"{VARIABLE}INCIDENTS__BELL_FROM": "warning",
            f"{VARIABLE}INCIDENTS__COMMAND": '["./tell", "7"]',
            f"{VARIABLE}METRICS__HOST": "10",
            f"{VARIABLE}METRICS__PORT": "9178",
        },
    )
    # A list or table is taken whole from the first place.
    services, incidents = settings.services, settings.incidents
    assert (services.most, services.reports) == (7, ())
    assert [(each.name, each.url) for each in services.endpoints] == [("hub", "http://hub")]
    assert incidents.severity == {**SEVERITIES, "flapping": "critical"}
    assert (incidents.off, incidents.bell_from, incidents.quiet_for) == (("failed",), "warning", 3.0)
    assert incidents.command == (os.path.join(Path.cwd(), "./tell"), "7")
    assert settings.metrics == MetricsOptions(host="10", port=9178)
    shown = effective(settings)
    assert shown["services.endpoints.hub.url"] == ('"http://hub"', f"{place}SERVICES__ENDPOINTS")
    assert shown["incidents.severity.flapping"] == ('"critical"', f"{place}INCIDENTS__SEVERITY")
    assert shown["incidents.severity.failed"] == ('"critical"', "default")
    assert shown["incidents.quiet_for"] == ("3", f"{tmp_path}/config.toml:11")


def test_a_url_on_the_command_line_leaves_out_what_is_of_other_connections(load: Load) -> None:
    text = HUB + REPORTS + ENDPOINT + SILENT + "[incidents.severity]\nfailed = 'info'\n[metrics]\nport = 9\n"
    environ = {f"{VARIABLE}SERVICES__MOST": "9", f"{VARIABLE}SERVICES__ENDPOINTS": "{}"}
    settings = load(text, environ, url="ws://other")
    assert settings.services == ServicesOptions(most=9)
    assert settings.incidents == IncidentsOptions(severity={**SEVERITIES, "failed": "info"})
    assert settings.metrics.port == 9


def test_the_same_settings_read_twice_are_equal(load: Load) -> None:
    text = HUB + REPORTS + ENDPOINT + "headers = { A = 'a', B = { env = 'B' } }\n" + SILENT
    assert load(text) == load(text)
    assert load(text).services != load(text.replace("'a'", "'b'")).services


# Mistakes

# What stands in MISTAKES begins on line 4.
MISTAKES = [
    ("[services]\nmots = 1", "5: services.mots: unknown key; nearest known: most"),
    (
        "[services]\nurl = 'http://a'",
        "5: services.url: unknown key here; it belongs into [services.endpoints.NAME]",
    ),
    (REPORTS + "most = 1", "7: services.reports[0].most: unknown key here; it belongs into [services]"),
    (REPORTS + "stale = 1", "7: services.reports[0].stale: unknown key; nearest known: stale_after"),
    (ENDPOINT + "header = {}", "6: services.endpoints.seed.header: unknown key; nearest known: headers"),
    (
        "[incidents]\nfailed = 'info'",
        "5: incidents.failed: unknown key here; it belongs into [incidents.severity]",
    ),
    ("[metrics]\nprot = 1", "5: metrics.prot: unknown key; nearest known: port"),
    ("[services]\nmost = 1001", "5: services.most: must be at most 1000"),
    ("[services]\nmost = true", "5: services.most: expected a whole number from 1 to 1000"),
    (
        "[services.reports]\nconnection = 'hub'",
        "4: services.reports: expected a list of tables, each begun with [[services.reports]]",
    ),
    ("[services]\nreports = ['hub']", "5: services.reports[0]: expected a table"),
    (
        "[[services.reports]]\ntopic = 'events:all'",
        "4: services.reports[0]: connection is missing; expected the name of one of [connections]",
    ),
    (REPORTS + "kind = 'both'", '7: services.reports[0].kind: expected "report" or "hub"'),
    (REPORTS + "stale_after = 0.5", "7: services.reports[0].stale_after: must be at least 1"),
    (REPORTS + "event = ''", "7: services.reports[0].event: expected the name of an event, all printable"),
    (
        "[services]\nendpoints = ['http://a']",
        "5: services.endpoints: expected tables by name, each begun with [services.endpoints.NAME]",
    ),
    ("[services.endpoints]\nseed = 'http://a'", "5: services.endpoints.seed: expected a table"),
    (
        "[services.endpoints.seed]\ninterval = 1",
        "4: services.endpoints.seed: url is missing; expected a URL such as http://saya:8891/health",
    ),
    (
        '[services.endpoints."a\\u001b[31m"]\nurl = "http://a"',
        "4: services.endpoints.a\x1b[31m: not a name for a service; "
        f"expected a printable text, at most {MOST_NAME} characters",
    ),
    (
        ENDPOINT.replace("http", "ws"),
        "5: services.endpoints.seed.url: expected a URL that begins with http:// or https://",
    ),
    (
        ENDPOINT.replace("saya", "me:secret@saya"),
        "5: services.endpoints.seed.url: a URL must not hold a user or a password; put secrets into headers",
    ),
    (
        ENDPOINT.replace("health", "health?key=1"),
        "5: services.endpoints.seed.url: a URL must not hold a query; put secrets into headers",
    ),
    (
        ENDPOINT.replace(":8891", ":88910"),
        "5: services.endpoints.seed.url: expected a URL such as http://saya:8891/health",
    ),
    (ENDPOINT + "interval = 0", "6: services.endpoints.seed.interval: must be at least 1"),
    (ENDPOINT + "timeout = nan", "6: services.endpoints.seed.timeout: must be at most 60"),
    (
        ENDPOINT + "headers = { 'A:' = 'a' }",
        "6: services.endpoints.seed.headers: a header's name must be letters, digits and signs such as -",
    ),
    (
        ENDPOINT + "headers = { env = 'A' }",
        "6: services.endpoints.seed.headers: expected a table of texts; "
        "a reference stands for one text, not for the table",
    ),
    (ENDPOINT + "ca_file = 'none.pem'", "6: services.endpoints.seed.ca_file: no such file"),
    (
        ENDPOINT + "ca_file = 'config.toml'",
        "6: services.endpoints.seed.ca_file: not a PEM file of certificates",
    ),
    ("[incidents]\nflapping_minutes = 0", "5: incidents.flapping_minutes: must be at least 0.1"),
    ("[incidents]\ncommand_per_minute = 0", "5: incidents.command_per_minute: must be at least 1"),
    (
        "[incidents]\nbell_from = 'error'",
        '5: incidents.bell_from: expected "none", "info", "warning" or "critical"',
    ),
    (
        "[incidents]\ncommand_from = 'none'",
        '5: incidents.command_from: expected "info", "warning" or "critical"',
    ),
    (
        "[incidents]\noff = ['failed', 'flaping']",
        f"5: incidents.off[1]: expected the name of a rule: {', '.join(SEVERITIES)}",
    ),
    (
        "[incidents]\ncommand = 'tell me'",
        "5: incidents.command: expected a list of texts, the program first, such as "
        '["notify-send", "incident"]',
    ),
    ("[incidents]\ncommand = ['tell', 7]", "5: incidents.command[1]: expected a text"),
    (
        "[incidents]\ncommand = ['']",
        "5: incidents.command: expected the program's name or path as the first text",
    ),
    (
        "[incidents.severity]\nfailed = 'error'",
        '5: incidents.severity.failed: expected "info", "warning" or "critical"',
    ),
    (
        "[incidents.severity]\nfaild = 'info'",
        "5: incidents.severity.faild: unknown key; nearest known: failed",
    ),
    (SILENT + "after = 0", "7: incidents.silent[0].after: must be at least 1"),
    (
        "[metrics]\nhost = ''",
        '5: metrics.host: expected a host\'s name or address such as "127.0.0.1"',
    ),
    ("[metrics]\nport = 65536", "5: metrics.port: must be at most 65535"),
    # What does not go with the connections.
    (
        REPORTS.replace("hub", "hbu"),
        "5: services.reports[0].connection: no such connection; nearest known: hub",
    ),
    (
        REPORTS.replace("main", "mian"),
        "6: services.reports[0].topic: connections.hub does not join this topic; "
        "add it to connections.hub.topics",
    ),
    (
        REPORTS + REPORTS + "event = 'health_report'\nkind = 'hub'",
        "7: services.reports[1]: repeats the topic and the event of another one",
    ),
    (
        SILENT.replace("all", "al"),
        "6: incidents.silent[0].topic: connections.hub does not join this topic; "
        "add it to connections.hub.topics",
    ),
    (SILENT + SILENT + "after = 5", "7: incidents.silent[1]: repeats the topic of another one"),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_in_the_file_is_one_line_with_its_place(lines: Lines, text: str, line: str) -> None:
    assert lines(HUB + text) == [f"config.toml:{line}"]


@pytest.mark.parametrize(
    ("line", "top"), [("endpoints = {}", "services"), ("off = []", "incidents"), ("port = 1", "metrics")]
)
def test_a_key_above_all_tables(lines: Lines, line: str, top: str) -> None:
    key = line.split()[0]
    told = f"config.toml:1: {key}: unknown key here; it belongs into [{top}]"
    assert lines(f"{line}\n{HUB}") == [told]


VARIABLES = [
    ("SERVICES", SECRET, "expected a table in JSON"),
    ("METRICS__PORT", SECRET, "expected a whole number from 0 to 65535"),
    ("METRICS__PROT", "1", f"unknown variable; nearest known: {VARIABLE}METRICS__PORT"),
    (
        "SERVICES__ENDPOINTS__SEED",
        "{}",
        f"unknown variable; give the whole of {VARIABLE}SERVICES__ENDPOINTS in JSON",
    ),
    ("SERVICES__ENDPOINTS", f'{{"a": {{"url": "http://{SECRET}?a"}}}}', None),
    ("INCIDENTS__COMMAND", SECRET, None),
    ("INCIDENTS__SILENT", f'[{{"connection": "hub", "topic": "{SECRET}"}}]', None),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_a_mistake_in_the_environment_names_the_variable(
    lines: Lines, name: str, value: str, words: str | None
) -> None:
    (line,) = lines(HUB, {VARIABLE + name: value})
    assert line.startswith(f"{VARIABLE}{name}: ")
    assert words is None or line == f"{VARIABLE}{name}: {words}"
    assert SECRET not in line


MISPLACED = [
    *(f'[services]\n{key} = "{SECRET}"' for key in ("most", "reports", "endpoints")),
    *(f'{ENDPOINT}{key} = ["{SECRET}"]' for key in ("interval", "headers", "ca_file")),
    f'{ENDPOINT}headers = {{ A = ["{SECRET}"] }}',
    f'{ENDPOINT}headers = {{ A = "{SECRET}\\n" }}',
    f'{ENDPOINT}ca_file = "{SECRET}"',
    f'[services.endpoints.seed]\nurl = "http://{SECRET}@saya"',
    f'[services.endpoints.seed]\nurl = "http://saya/{SECRET} "',
    f'[[services.reports]]\nconnection = "{SECRET}"\ntopic = "{SECRET}"',
    f'{REPORTS}event = "{SECRET}\\n"',
    *(f'[incidents]\n{key} = "{SECRET}"' for key in ("off", "bell_from", "command", "severity", "quiet_for")),
    *(f'[incidents]\n{key} = [["{SECRET}"]]' for key in ("off", "command")),
    f'[metrics]\nhost = "{SECRET} {SECRET}"',
]


@pytest.mark.parametrize("text", MISPLACED)
def test_no_mistake_repeats_a_value(lines: Lines, text: str) -> None:
    told = lines(HUB + text)
    assert told
    assert SECRET not in "\n".join(told)


# What can be used and may not be meant


def test_a_warning_where_others_can_read_the_metrics(load: Load, tmp_path: Path) -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "LocalHost"):
        assert warnings_of(load(HUB + f"[metrics]\nport = 1\nhost = '{host}'\n")) == []
    assert warnings_of(load(HUB + "[metrics]\nhost = '0.0.0.0'\n")) == []
    for host in ("0.0.0.0", "::", "192.168.1.5", "saya"):
        assert warnings_of(load(HUB + f"[metrics]\nport = 1\nhost = '{host}'\n")) == [
            f"{tmp_path}/config.toml:6: metrics.host: anybody who reaches it can read names, addresses and "
            "figures of everything"
        ]


# What is needed of the machine


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0, "no such file"),
        ("folder", 0, "it is a directory, not a program"),
        ("#!/bin/sh\n", 0o600, "it may not be executed; chmod +x changes that"),
        ("#!/no/such/interpreter -x\n", 0o700, "its first line names an interpreter that is not there"),
        ("#!/bin/sh\r\n", 0o700, "its lines end as on Windows"),
    ],
)
def test_a_command_that_cannot_be_started_is_a_mistake(
    load: Load, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    program = tmp_path / "tell"
    if content == "folder":
        program.mkdir()
    elif content is not None:
        program.write_text(content)
        program.chmod(mode)
    settings = load(HUB + "[incidents]\ncommand = ['./tell']\n")
    with pytest.raises(SettingsError) as caught:
        check_needs(settings)
    assert caught.value.lines[0].startswith(f"{tmp_path}/config.toml:5: incidents.command: {words}")


def test_a_command_is_looked_for_as_it_would_be_started(load: Load, tmp_path: Path) -> None:
    (tmp_path / "tell").write_text("#!/bin/sh\n")
    (tmp_path / "tell").chmod(0o700)
    for command in ("sh", "./tell", str(tmp_path / "tell")):
        check_needs(load(HUB + f"[incidents]\ncommand = ['{command}', 'x']\n"))
    with pytest.raises(SettingsError, match=r"config\.toml:5: incidents\.command: no such program in the"):
        check_needs(load(HUB + "[incidents]\ncommand = ['no-such-program-here']\n"))


@pytest.mark.parametrize(
    ("text", "module", "place"),
    [
        (
            ENDPOINT,
            "httpx",
            "5: services.endpoints.seed.url",
        ),
        (
            ENDPOINT,
            "httpcore",
            "5: services.endpoints.seed.url",
        ),
        ("[metrics]\nport = 9\n", "prometheus_client", "5: metrics.port"),
        ("proxy = 'socks5h://user:pass@saya:1080'\n", "python_socks", "4: connections.hub.proxy"),
    ],
)
def test_a_missing_extra_is_a_mistake_with_the_command_that_mends_it(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, module: str, place: str
) -> None:
    settings = load(HUB + text)
    check_needs(settings)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as caught:
        check_needs(settings)
    (line,) = caught.value.lines
    assert line.startswith(f"{tmp_path}/config.toml:{place}: needs ")
    assert "; install with: " in line
    assert "pass" not in line


def test_a_socks_proxy_of_the_environment_needs_its_library_too(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("socks_proxy", "socks5://saya:1080")
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(SettingsError, match="needs python-socks"):
        check_needs(load(HUB))
    check_needs(load(HUB + "proxy = 'none'\n"))
