"""The example settings hold every setting once, with the default that the program really has."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.config.example import EXAMPLE, example
from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.app.actions import ACTIONS
from tui.app.keymap import keymap
from tui.channels.options import OPTION_NAMES
from tui.config.load import AppSettings, load_settings
from tui.config.model import HEADINGS
from tui.config.resolver import BUILT_IN
from tui.incidents.options import SEVERITIES, IncidentsOptions, SilentTopicOptions
from tui.metrics.options import MetricsOptions
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions

KEYS = {heading.strip("[]"): keys for heading, keys in HEADINGS}
TEXT = EXAMPLE.read_text()
SETTING = re.compile(r"^#(?=[a-z_.]+ = |\"[a-z_.:]+\" = |\[)", re.MULTILINE)
NOT_SET_BY_DEFAULT = {"ca_file", "auth_token"}
EXPLAINED_TOGETHER = {
    "keys",
    "alerts.sources.events",
    "alerts.sources.fields",
    "alerts.delivery.payload",
    "alerts.delivery.payload.data",
    "incidents.severity",
}
HUB = '[connections.hub]\nurl = "ws://hub"\n'
TOPICS = 'topics = ["events:all", "stream:overlays", "stream:queue", "dashboard:main"]\n'
NEEDED = {
    "alerts.sources": ("[[alerts.sources]]", 'connection = "hub"', 'topic = "events:all"'),
    "alerts.delivery": ("[alerts.delivery]", 'connection = "hub"'),
    "services.reports": ("[[services.reports]]", 'connection = "hub"', 'topic = "dashboard:main"'),
    "services.endpoints.phononmaser": (
        "[services.endpoints.phononmaser]",
        'url = "http://localhost:8890/health"',
    ),
    "incidents.silent": ("[[incidents.silent]]", 'connection = "hub"', 'topic = "stream:queue"'),
}
"""What a table needs to stand alone."""
UNCOMMENTED = SETTING.sub("", TEXT)
# The text above the first table, then each table's name and text.
TOP, *TABLES = re.split(r"^\[{1,2}([a-z.]+)\]{1,2}$", UNCOMMENTED, flags=re.MULTILINE)
SECTIONS = {"": TOP, **dict(zip(TABLES[::2], TABLES[1::2], strict=True))}
LINES = [
    (table, line)
    for table, text in SECTIONS.items()
    for line in text.splitlines()
    if re.match(r'[a-z_.]+ = |"', line)
]
SOURCE = SourceOptions(connection="hub", topic="events:all")
DELIVERY = DeliveryOptions(connection="hub")
REPORTS = ReportsOptions(connection="hub", topic="dashboard:main", event="health_report")
ENDPOINT = EndpointOptions(name="phononmaser", url="http://localhost:8890/health")
SILENT = SilentTopicOptions(connection="hub", topic="stream:queue")
CERTIFICATE = (Path(__file__).parents[1] / "certificate.pem").read_text()


def test_the_example_is_what_the_options_say() -> None:
    assert example() == TEXT, "run: python -m tests.config.example"


def test_the_example_as_it_stands_is_one_live_connection() -> None:
    settings = load_settings(config=str(EXAMPLE), environ={})
    assert list(settings.connections) == ["hub"]
    options = settings.connections["hub"].options
    assert options.max_reconnect_attempts == "unlimited"
    assert options.reconnect_max_delay == 3


def test_every_option_of_the_client_is_a_setting() -> None:
    assert set(KEYS["defaults"]) == {*OPTION_NAMES, "preset"}
    assert set(KEYS["connections.NAME"]) == {*KEYS["defaults"], "url", "topics", "label"}


def test_every_setting_is_there_once() -> None:
    keys = {
        table: sorted(line.partition(" ")[0] for where, line in LINES if where == table) for table in SECTIONS
    }
    assert keys == {
        "": ["debug"],
        "defaults": sorted(KEYS["defaults"]),
        "connections.hub": ["label", "preset", "topics", "url"],
        "alerts": sorted({*KEYS["alerts"]} - {"sources", "delivery"}),
        "alerts.sources": sorted({*KEYS["alerts.sources"]} - {"events", "fields"}),
        "alerts.sources.events": sorted(
            json.dumps(event) if ":" in event else event for event in SOURCE.events
        ),
        "alerts.sources.fields": sorted(SOURCE.fields),
        "alerts.delivery": sorted({*KEYS["alerts.delivery"]} - {"payload"}),
        "alerts.delivery.payload": sorted({*DELIVERY.payload} - {"data"}),
        "alerts.delivery.payload.data": sorted(DELIVERY.payload["data"]),
        "services": ["most"],
        "services.reports": sorted(KEYS["services.reports"]),
        "services.endpoints.phononmaser": sorted(KEYS["services.endpoints.NAME"]),
        "incidents": sorted({*KEYS["incidents"]} - {"silent", "severity"}),
        "incidents.silent": sorted(KEYS["incidents.silent"]),
        "incidents.severity": sorted(SEVERITIES),
        "journal": sorted(KEYS["journal"]),
        "metrics": sorted(KEYS["metrics"]),
        "app": sorted(KEYS["app"]),
        "keys": sorted(action.id for action in ACTIONS),
    }


def test_every_setting_is_explained_on_the_line_above() -> None:
    for table in SECTIONS.keys() - EXPLAINED_TOGETHER:
        lines = SECTIONS[table].splitlines()
        for number, line in enumerate(lines):
            if re.match(r"[a-z_]+ = ", line):
                assert lines[number - 1].startswith("# "), line


def test_the_defaults_are_the_real_ones() -> None:
    tree = tomllib.loads(UNCOMMENTED)
    assert tree["debug"] is load_settings(config=str(EXAMPLE), environ={}).debug
    assert tree["defaults"].pop("preset") == "service"
    for name, value in tree["defaults"].items():
        if name not in NOT_SET_BY_DEFAULT:
            assert value == BUILT_IN[name], name
    assert all(BUILT_IN[name] is None for name in NOT_SET_BY_DEFAULT)
    assert tree["connections"]["hub"]["label"] == "hub"
    assert AppSettings().theme is None
    of_incidents = ("toast_from", "bell_from")
    face = {name: value for name, value in asdict(AppSettings()).items() if name not in of_incidents}
    assert tree["app"] == {**face, "theme": "dark"}


def _above(table: str, line: str) -> str:
    """What must stand above a line of a table for the two to be settings."""
    if not table.startswith(("alerts", "services", "incidents")):
        itself = {"": "", "connections.hub": "[connections.hub]\n" if line.startswith("url") else HUB}
        return itself.get(table, f"[{table}]\n")
    text = HUB + TOPICS
    for parent, lines in NEEDED.items():
        if table.startswith(parent):
            text += "".join(f"{each}\n" for each in lines if each != line)
    return text if table in NEEDED else f"{text}[{table}]\n"


@pytest.mark.parametrize(("table", "line"), LINES)
def test_each_line_works_when_its_sign_is_removed(table: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "hub_ca.pem").write_text(CERTIFICATE)
    path = tmp_path / "config.toml"
    path.write_text(f"{_above(table, line)}{line}")
    settings = load_settings(config=str(path), environ={})
    keymap(settings.keys)
    assert (settings.alerts is not None) == table.startswith("alerts")
    if table == "defaults":
        path.write_text(HUB + line)
        load_settings(config=str(path), environ={})


def test_all_lines_together_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "hub_ca.pem").write_text(CERTIFICATE)
    path = tmp_path / "config.toml"
    path.write_text(UNCOMMENTED.replace("topics = []\n", TOPICS))
    settings = load_settings(config=str(path), environ={})
    assert keymap(settings.keys) == keymap({})
    assert settings.app == AppSettings(theme="dark")
    assert settings.alerts == AlertOptions(
        sources=(SOURCE,),
        delivery=replace(DELIVERY, clear_topic="stream:queue"),
        rules=tmp_path / "alerts.toml",
    )
    authorities = str(tmp_path / "hub_ca.pem")
    assert settings.services == ServicesOptions(
        reports=(REPORTS,), endpoints=(replace(ENDPOINT, ca_file=authorities),)
    )
    assert ENDPOINT.ca_file is None
    assert settings.incidents == IncidentsOptions(silent=(SILENT,))
    assert settings.metrics == MetricsOptions()
    assert (AlertOptions().rules, DELIVERY.clear_topic) == (None, None)
