"""The example settings hold every setting once, with the default that the program really has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tui.channels.options import OPTION_NAMES
from tui.config import load_settings
from tui.settings.model import CONNECTION_KEYS, DEFAULTS_KEYS, DefaultsTable, SettingsTable
from tui.settings.resolver import BUILT_IN

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
TEXT = EXAMPLE.read_text()
SETTING = re.compile(r"^#(?=[a-z_]+ = |\[)", re.MULTILINE)
NOT_SET_BY_DEFAULT = {"ca_file", "auth_token"}
COMMENTED = [line[1:] for line in TEXT.splitlines() if SETTING.match(line) and not line.startswith("#[")]


def test_the_example_as_it_stands_is_one_live_connection() -> None:
    settings = load_settings(config=str(EXAMPLE), environ={})
    assert list(settings.connections) == ["hub"]
    options = settings.connections["hub"].options
    assert options.max_reconnect_attempts == "unlimited"
    assert options.reconnect_max_delay == 3


def test_every_option_of_the_client_is_a_setting() -> None:
    assert set(DEFAULTS_KEYS) == {*OPTION_NAMES, "preset"}
    assert set(CONNECTION_KEYS) == {*DEFAULTS_KEYS, "url", "topics", "label"}


def test_every_setting_is_there_once() -> None:
    keys = re.findall(r"^#?([a-z_]+) = ", TEXT, re.MULTILINE)
    expected = ["debug", *DEFAULTS_KEYS, "url", "topics", "preset", "label"]
    assert sorted(keys) == sorted(expected)


def test_every_setting_is_explained_on_the_line_above() -> None:
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"#?[a-z_]+ = ", line):
            assert lines[number - 1].startswith("# "), line


def test_the_defaults_are_the_real_ones() -> None:
    tree = tomllib.loads(SETTING.sub("", TEXT))
    assert tree["debug"] is SettingsTable.model_fields["debug"].default
    assert tree["defaults"].pop("preset") == "service"
    for name, value in tree["defaults"].items():
        if name not in NOT_SET_BY_DEFAULT:
            assert value == BUILT_IN[name], name
    assert all(BUILT_IN[name] is None for name in NOT_SET_BY_DEFAULT)
    assert tree["connections"]["hub"]["label"] == "hub"


@pytest.mark.parametrize("line", COMMENTED)
def test_each_line_works_when_its_sign_is_removed(line: str, tmp_path: Path) -> None:
    (tmp_path / "hub_ca.pem").touch()
    path = tmp_path / "config.toml"
    header = "" if line.startswith("debug") else "[connections.hub]\nurl = 'ws://hub'\n"
    path.write_text(header + line)
    load_settings(config=str(path), environ={})
    if line.partition(" ")[0] in DefaultsTable.model_fields:
        path.write_text("[defaults]\n" + line)
        load_settings(config=str(path), environ={})
