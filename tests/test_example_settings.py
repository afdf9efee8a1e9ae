"""The example settings hold every setting once, with the default that the program really has."""

from __future__ import annotations

import json
import re
import string
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from tui.actions import ACTIONS
from tui.channels.options import OPTION_NAMES
from tui.config import FaceSettings, load_settings
from tui.keymap import key_name, keymap
from tui.settings.model import CONNECTION_KEYS, DEFAULTS_KEYS, FACE_KEYS, SettingsTable
from tui.settings.resolver import BUILT_IN

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
TEXT = EXAMPLE.read_text()
SETTING = re.compile(r"^#(?=[a-z_.]+ = |\[)", re.MULTILINE)
NOT_SET_BY_DEFAULT = {"ca_file", "auth_token"}
UNCOMMENTED = SETTING.sub("", TEXT)
# The text above the first table, then each table's name and text.
TOP, *TABLES = re.split(r"^\[([a-z.]+)\]$", UNCOMMENTED, flags=re.MULTILINE)
SECTIONS = {"": TOP, **dict(zip(TABLES[::2], TABLES[1::2], strict=True))}
LINES = [
    (table, line)
    for table, text in SECTIONS.items()
    for line in text.splitlines()
    if re.match(r"[a-z_.]+ = ", line)
]
SIGNS = {key_name(sign): sign for sign in string.punctuation}
CERTIFICATE = Path(__file__).with_name("certificate.pem").read_text()


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
    keys = {
        table: sorted(line.partition(" ")[0] for where, line in LINES if where == table) for table in SECTIONS
    }
    assert keys == {
        "": ["debug"],
        "defaults": sorted(DEFAULTS_KEYS),
        "connections.hub": ["label", "preset", "topics", "url"],
        "face": sorted(FACE_KEYS),
        "keys": sorted(action.id for action in ACTIONS),
    }


def test_every_setting_is_explained_on_the_line_above() -> None:
    for table in SECTIONS.keys() - {"keys"}:
        lines = SECTIONS[table].splitlines()
        for number, line in enumerate(lines):
            if re.match(r"[a-z_]+ = ", line):
                assert lines[number - 1].startswith("# "), line


def test_every_key_stands_there_as_people_write_it_with_what_it_does() -> None:
    expected = []
    for action in ACTIONS:
        keys = [SIGNS.get(key, key) for key in action.keys]
        value = json.dumps(keys[0] if len(keys) == 1 else keys)
        expected.append(f"{action.id} = {value}  # {action.help}")
    assert [line for table, line in LINES if table == "keys"] == expected


def test_the_defaults_are_the_real_ones() -> None:
    tree = tomllib.loads(UNCOMMENTED)
    assert tree["debug"] is SettingsTable.model_fields["debug"].default
    assert tree["defaults"].pop("preset") == "service"
    for name, value in tree["defaults"].items():
        if name not in NOT_SET_BY_DEFAULT:
            assert value == BUILT_IN[name], name
    assert all(BUILT_IN[name] is None for name in NOT_SET_BY_DEFAULT)
    assert tree["connections"]["hub"]["label"] == "hub"
    assert FaceSettings().theme is None
    assert tree["face"] == {**asdict(FaceSettings()), "theme": "dark"}


@pytest.mark.parametrize(("table", "line"), LINES)
def test_each_line_works_when_its_sign_is_removed(table: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "hub_ca.pem").write_text(CERTIFICATE)
    path = tmp_path / "config.toml"
    hub = "[connections.hub]\nurl = 'ws://hub'\n"
    headings = {"": "", "connections.hub": "[connections.hub]\n" if line.startswith("url") else hub}
    path.write_text(headings.get(table, f"[{table}]\n") + line)
    keymap(load_settings(config=str(path), environ={}).keys)
    if table == "defaults":
        path.write_text(hub + line)
        load_settings(config=str(path), environ={})


def test_all_lines_together_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "hub_ca.pem").write_text(CERTIFICATE)
    path = tmp_path / "config.toml"
    path.write_text(UNCOMMENTED)
    settings = load_settings(config=str(path), environ={})
    assert keymap(settings.keys) == keymap({})
    assert settings.face == FaceSettings(theme="dark")
