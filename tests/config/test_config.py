"""Settings as a user gives them: what is in force, and what a mistake says."""

from __future__ import annotations

import gc
import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tui.config.load import (
    AppSettings,
    CommandLine,
    SecretError,
    Settings,
    SettingsError,
    check_alert_rules,
    check_needs,
    connection_name,
    face_settings,
    load_settings,
    unreadable_secrets,
)

PREFIX = "OVERLAY_SUPERVISOR_"
SECRET = "s3cr3t-Value"
CERTIFICATE = (Path(__file__).parents[1] / "certificate.pem").read_text()

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads ``text`` as the settings file, with ``environ`` and command line beside it."""

    def load(text: str | None = None, environ: dict[str, str] | None = None, **given: Any) -> Settings:
        path = tmp_path / "config.toml"
        if text is not None:
            path.write_text(text)
        return load_settings(
            config=str(path) if text is not None else None,
            command_line=CommandLine(**given),
            environ={"HOME": str(tmp_path), **(environ or {})},
        )

    return load


@pytest.fixture
def lines(load: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """The lines of the error that loading ends in, without the folder of the file."""

    def lines(*args: Any, **kwargs: Any) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(*args, **kwargs)
        assert str(caught.value) == "\n".join(caught.value.lines)
        return [line.replace(f"{tmp_path}/", "") for line in caught.value.lines]

    return lines


Lines = Callable[..., list[str]]
HUB = '[connections.hub]\nurl = "ws://hub:7175/socket"\n'


def source(settings: Settings, key: str) -> str:
    return next(value.source for value in settings.sources if value.key == key)


def shown(settings: Settings, key: str) -> str:
    return next(value.text for value in settings.sources if value.key == key)


# What is in force


def test_a_connection_needs_nothing_but_a_url(load: Load) -> None:
    hub = load(HUB).connections["hub"]
    assert (hub.name, hub.label, hub.url, hub.topics) == ("hub", "hub", "ws://hub:7175/socket", ())
    assert hub.options.heartbeat_interval == 30
    assert hub.options.revive_after == 300


def test_without_file_and_variables_there_is_no_connection(load: Load) -> None:
    settings = load()
    assert settings.connections == {}
    assert settings.file is None


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://hub:4000/socket", "ws://hub:4000/socket"),
        ("https://hub/socket/", "wss://hub/socket"),
        ("ws://[::1]:4000/socket", "ws://[::1]:4000/socket"),
        ("wss://hub", "wss://hub"),
    ],
)
def test_urls_as_given_to_phoenix_js(load: Load, given: str, used: str) -> None:
    assert load(f'[connections.hub]\nurl = "{given}"').connections["hub"].url == used


async def test_topics_are_texts_or_tables_with_join_parameters(load: Load) -> None:
    text = HUB + 'topics = ["a:b", { topic = "c:d", params = { seat = 7, deep = { list = [1, true] } } }]'
    plain, table = load(text).connections["hub"].topics
    assert (plain.topic, plain.params) == ("a:b", None)
    assert table.topic == "c:d"
    assert table.params is not None
    assert await table.params() == {"seat": 7, "deep": {"list": [1, True]}}


def test_command_line_beats_environment_beats_file_beats_default(load: Load) -> None:
    text = HUB + "push_timeout = 1\njoin_timeout = 1\n"
    environ = {f"{PREFIX}CONNECTIONS__HUB__PUSH_TIMEOUT": "2", f"{PREFIX}DEBUG": "no"}
    settings = load(text, environ, debug=True)
    options = settings.connections["hub"].options
    assert (options.push_timeout, options.join_timeout, options.open_timeout) == (2, 1, 10)
    assert settings.debug is True
    assert source(settings, "debug") == "command line, --debug"
    variable = f"environment variable {PREFIX}CONNECTIONS__HUB__PUSH_TIMEOUT"
    assert source(settings, "connections.hub.push_timeout") == variable
    assert source(settings, "connections.hub.join_timeout").endswith("config.toml:4")
    assert source(settings, "connections.hub.open_timeout") == "default"


def test_key_beats_preset_beats_defaults_key_beats_defaults_preset(load: Load) -> None:
    text = """
[defaults]
preset = "live"
heartbeat_interval = 7
push_timeout = 8

[connections.follows]
url = "ws://hub"

[connections.own]
url = "ws://hub"
preset = "overlay"
heartbeat_timeout = 9
"""
    settings = load(text)
    follows, own = settings.connections["follows"].options, settings.connections["own"].options
    assert (follows.heartbeat_interval, follows.heartbeat_timeout, follows.push_timeout) == (7, 3, 8)
    # "overlay" says nothing of heartbeats itself, but undoes what "live" said of them.
    assert (own.heartbeat_interval, own.heartbeat_timeout, own.push_timeout) == (30, 9, 8)
    assert own.max_reconnect_attempts == 10
    assert source(settings, "connections.follows.heartbeat_timeout") == "preset live of [defaults]"
    assert source(settings, "connections.own.heartbeat_interval") == "preset overlay"


def test_everything_can_come_from_the_environment(load: Load) -> None:
    environ = {
        f"{PREFIX}CONNECTIONS__MY_HUB__URL": "ws://hub:1/socket",
        f"{PREFIX}CONNECTIONS__MY_HUB__TOPICS": '["a", {"topic": "b", "params": {"n": 1}}]',
        f"{PREFIX}CONNECTIONS__MY_HUB__LABEL": "12",
        f"{PREFIX}CONNECTIONS__MY_HUB__AUTH_TOKEN": "12345",
        f"{PREFIX}CONNECTIONS__MY_HUB__MAX_RECONNECT_ATTEMPTS": "unlimited",
        f"{PREFIX}CONNECTIONS__MY_HUB__PROTOCOL_VERSION": "1",
        f"{PREFIX}DEFAULTS__PRESET": "live",
        f"{PREFIX}DEFAULTS__REVIVE_AFTER": "never",
        f"{PREFIX}DEBUG": "1",
        f"{PREFIX}CONFIG": "",
        f"{PREFIX}STATE": "/somewhere",
    }
    settings = load(None, environ)
    hub = settings.connections["my_hub"]
    assert [topic.topic for topic in hub.topics] == ["a", "b"]
    assert hub.label == "12"
    assert hub.options.protocol_version == 1
    assert hub.options.revive_after == "never"
    assert hub.options.heartbeat_interval == 5
    assert settings.debug is True


def test_whole_tables_in_json_give_way_to_exact_variables(load: Load) -> None:
    environ = {
        f"{PREFIX}CONNECTIONS": '{"hub": {"url": "ws://a", "push_timeout": 1}}',
        f"{PREFIX}CONNECTIONS__HUB__URL": "ws://b",
    }
    hub = load(None, environ).connections["hub"]
    assert (hub.url, hub.options.push_timeout) == ("ws://b", 1)


def test_an_empty_variable_is_not_set(load: Load) -> None:
    assert load(HUB, {f"{PREFIX}CONNECTIONS__HUB__URL": ""}).connections["hub"].url == "ws://hub:7175/socket"


async def test_a_table_is_taken_whole_from_the_first_place(load: Load) -> None:
    text = HUB + 'params = { a = "1", b = "2" }\nauth_token = { env = "TOKEN" }\n'
    environ = {
        f"{PREFIX}CONNECTIONS__HUB__PARAMS": '{"c": "3"}',
        f"{PREFIX}CONNECTIONS__HUB__AUTH_TOKEN": '{"file": "token.txt"}',
    }
    settings = load(text, environ)
    params: Any = settings.connections["hub"].options.params
    assert list(params) == ["c"]
    assert shown(settings, "connections.hub.auth_token") == '{ file = "token.txt" }'


def test_a_url_on_the_command_line_runs_alone_with_live(load: Load) -> None:
    text = HUB + f'[defaults]\npush_timeout = 3\nauth_token = "{SECRET}"\nparams = {{ token = "{SECRET}" }}'
    settings = load(text, url="ws://other-box.lan:1/socket", topics=("a:b",))
    assert list(settings.connections) == ["other_box"]
    options = settings.connections["other_box"].options
    assert (options.heartbeat_interval, options.push_timeout) == (5, 3)
    # What [defaults] would send belongs to the servers that the settings name.
    assert (options.auth_token, options.params) == (None, {})
    assert source(settings, "connections.other_box.topics") == "command line, --topic"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ws://hub/x", "hub"),
        ("ws://10.0.0.1", "server"),
        ("ws://[::1]:4", "server"),
        ("ws://Big-Box.lan", "big_box"),
        ("ws://[", "server"),
    ],
)
def test_a_connection_is_named_after_its_host(url: str, name: str) -> None:
    assert connection_name(url) == name


# The face


def test_the_face_has_defaults(load: Load) -> None:
    settings = load(HUB)
    assert settings.app == AppSettings(theme=None, mouse=True, bell=False, on_hangup="quit", refresh=1.0)
    assert settings.keys == {}
    assert (shown(settings, "app.theme"), shown(settings, "app.refresh")) == ("not set", "1")
    assert source(settings, "app.mouse") == "default"


def test_the_face_is_set_from_everywhere(load: Load) -> None:
    text = "[app]\ntheme = 'light'\nbell = true\nmouse = true\nrefresh = 5\non_hangup = 'keep'\n" + HUB
    environ = {f"{PREFIX}APP__THEME": "ansi-dark", f"{PREFIX}APP__REFRESH": "0.5"}
    settings = load(text, environ, no_mouse=True)
    assert settings.app == AppSettings(
        theme="ansi-dark", mouse=False, bell=True, on_hangup="keep", refresh=0.5
    )
    assert source(settings, "app.mouse") == "command line, --no-mouse"
    assert source(settings, "app.theme") == f"environment variable {PREFIX}APP__THEME"
    assert source(settings, "app.bell").endswith("config.toml:3")
    assert load(text, environ, theme="dark").app.theme == "dark"
    assert load(text, {f"{PREFIX}APP__BELL": "off"}).app.bell is False


@pytest.mark.parametrize(
    "text",
    [
        "[keys]\n'connection.reconnect' = 'ctrl+r'\nquit = ['q', 'ctrl+c']\n",
        "[keys]\nconnection.reconnect = 'ctrl+r'\nquit = ['q', 'ctrl+c']\n",
        "[keys.connection]\nreconnect = 'ctrl+r'\n[keys]\nquit = ['q', 'ctrl+c']\n",
        "keys = { connection = { reconnect = 'ctrl+r' }, quit = ['q', 'ctrl+c'] }\n",
    ],
)
def test_keys_in_every_way_of_writing_toml(load: Load, text: str) -> None:
    settings = load(text + HUB)
    assert settings.keys == {"connection.reconnect": ("ctrl+r",), "quit": ("q", "ctrl+c")}
    assert shown(settings, "keys.connection.reconnect") == '"ctrl+r"'
    assert shown(settings, "keys.quit") == '["q", "ctrl+c"]'
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "ctrl+r" in line)
    assert settings.source_of("keys.connection.reconnect").endswith(f"config.toml:{line}")


def test_keys_of_the_environment_stand_above_those_of_the_file_however_both_are_written(load: Load) -> None:
    text = "[keys]\nconnection.reconnect = 'a'\nconnection.push = 'b'\n" + HUB
    for keys in ('{"connection.reconnect": "c"}', '{"connection": {"reconnect": "c"}}'):
        settings = load(text, {f"{PREFIX}KEYS": keys})
        assert settings.keys == {"connection.reconnect": ("c",), "connection.push": ("b",)}
        assert settings.source_of("keys.connection.reconnect") == f"environment variable {PREFIX}KEYS"
        assert settings.source_of("keys.connection.push").endswith("config.toml:3")


def test_keys_nested_without_end_are_no_traceback(load: Load, lines: Lines) -> None:
    deep = ".".join("a" * 99)
    assert list(load(f"[keys]\n{deep} = 'x'").keys) == [deep]
    assert lines(f"[keys]\n{deep}.a.a = 'x'") == ["config.toml:2: a key of more than 100 parts"]
    assert lines(None, {f"{PREFIX}KEYS": '{"a":' * 100_000}) == [f"{PREFIX}KEYS: not valid JSON"]


@pytest.mark.parametrize("levels", [101, 150])
def test_join_parameters_nested_without_end_are_no_traceback(lines: Lines, levels: int) -> None:
    deep = "{ a = " * levels + "1" + " }" * levels
    expected = "config.toml:3: connections.hub.topics[0]: params: expected no more than 100 levels"
    (line,) = lines(HUB + f"topics = [{{ topic = 'a:b', params = {{ a = {deep} }} }}]")
    assert line.startswith(expected)


def test_a_face_alone_takes_what_can_be_used_and_says_what_cannot(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    environ = {"HOME": str(tmp_path)}
    assert face_settings(CommandLine(), environ=environ) == (AppSettings(), {}, None)
    path.write_text("[app]\ntheme = 'light'\n[keys]\nquit = 'Q'\n")
    given = CommandLine(no_mouse=True)
    assert face_settings(given, config=str(path), environ=environ) == (
        AppSettings(theme="light", mouse=False),
        {"quit": ("Q",)},
        None,
    )
    path.write_text("[app]\ntheme = 'light'\n" + HUB + "pushtimeout = 1\n")
    face, keys, mistake = face_settings(given, config=str(path), environ=environ)
    assert (face, keys) == (AppSettings(mouse=False), {})
    assert mistake == (
        f"settings not used: {path}:5: connections.hub.pushtimeout: unknown key; nearest known: push_timeout"
    )
    path.unlink()
    assert "no such file" in str(face_settings(given, config=str(path), environ=environ).mistake)


# Where the file is


def test_the_file_of_the_option_beats_the_variable_beats_the_xdg_place(tmp_path: Path) -> None:
    files = {}
    for number, name in enumerate(("option", "variable", "xdg/overlay-supervisor/config", "home"), 1):
        path = tmp_path / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'[connections.hub_{number}]\nurl = "ws://hub"')
        files[number] = str(path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)}
    named = {**environ, f"{PREFIX}CONFIG": files[2]}
    assert list(load_settings(config=files[1], environ=named).connections) == ["hub_1"]
    assert list(load_settings(environ=named).connections) == ["hub_2"]
    assert list(load_settings(environ=environ).connections) == ["hub_3"]
    assert list(load_settings(environ={**environ, "XDG_CONFIG_HOME": "relative"}).connections) == []


def test_naming_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for given in ({"config": "/no/file"}, {"environ": {f"{PREFIX}CONFIG": "/no/file"}}):
        with pytest.raises(SettingsError, match=r"^/no/file: no such file \("):
            load_settings(**{"environ": {}, **given})  # type: ignore[arg-type]  # mistakes of a caller too


# Mistakes

MISTAKES = [
    ("debgu = true\n" + HUB, "config.toml:1: debgu: unknown key; nearest known: debug"),
    (
        HUB + "heartbeat_intervall = 5",
        "config.toml:3: connections.hub.heartbeat_intervall: unknown key; nearest known: heartbeat_interval",
    ),
    (
        "push_timeout = 5\n" + HUB,
        "config.toml:1: push_timeout: unknown key here; it belongs into [defaults] or [connections.NAME]",
    ),
    (
        '[defaults]\nurl = "ws://hub"',
        "config.toml:2: defaults.url: unknown key here; it belongs into [connections.NAME]",
    ),
    (
        HUB + 'heartbeat_interval = "30"',
        "config.toml:3: connections.hub.heartbeat_interval: expected a number of seconds",
    ),
    (HUB + "push_buffer = true", "config.toml:3: connections.hub.push_buffer: expected a whole number"),
    (HUB + "push_buffer = 1.5", "config.toml:3: connections.hub.push_buffer: expected a whole number"),
    (HUB + "protocol_version = true", "config.toml:3: connections.hub.protocol_version: expected 1 or 2"),
    (HUB + "protocol_version = 3", "config.toml:3: connections.hub.protocol_version: expected 1 or 2"),
    (
        HUB + 'max_reconnect_attempts = "many"',
        'config.toml:3: connections.hub.max_reconnect_attempts: expected a whole number or "unlimited"',
    ),
    (
        HUB + 'preset = "fast"',
        'config.toml:3: connections.hub.preset: expected "service", "overlay" or "live"',
    ),
    (
        HUB + "heartbeat_interval = 0",
        "config.toml:3: connections.hub.heartbeat_interval: heartbeat_interval must be more than 0 seconds",
    ),
    (
        HUB + "push_timeout = 1e99",
        "config.toml:3: connections.hub.push_timeout: must be at most 31536000",
    ),
    (
        "[defaults]\nreconnect_jitter = nan",
        "config.toml:2: defaults.reconnect_jitter: reconnect_jitter must be from 0 to 1",
    ),
    (
        '[defaults]\npreset = "live"\n\n# too long for live\nreconnect_base_delay = 5\n' + HUB,
        "config.toml:5: defaults.reconnect_base_delay: "
        "reconnect_max_delay must not be less than reconnect_base_delay",
    ),
    (HUB + 'ca_file = "missing.pem"', "config.toml:3: connections.hub.ca_file: no such file"),
    (
        HUB + 'ca_file = "config.toml"',
        "config.toml:3: connections.hub.ca_file: not a PEM file of certificates",
    ),
    (
        "[connections.Hub]\nurl = 'ws://hub'",
        "config.toml:1: connections.Hub: not a name for a connection; expected lower-case letters, digits "
        "and single underscores, beginning with a letter, such as hub_2",
    ),
    (
        "[connections.hub]\ntopics = []",
        "config.toml:1: connections.hub: url is missing; expected a URL such as ws://hub:4000/socket",
    ),
    (
        "connections = 5",
        "config.toml:1: connections: expected tables by name, each begun with [connections.NAME]",
    ),
    ("[connections]\nhub = 'ws://hub'", "config.toml:2: connections.hub: expected a table"),
    ('debug = "yes"', "config.toml:1: debug: expected true or false"),
    (
        HUB + "topics = 'a:b'",
        'config.toml:3: connections.hub.topics: expected a list of topics such as ["room:1"]',
    ),
    (
        HUB + "topics = [\n  'a',\n  'a',\n]",
        "config.toml:3: connections.hub.topics: entry 2 repeats a topic; a connection joins each once",
    ),
    (
        HUB + "[[connections.hub.topics]]\ntopic = 'a'\n[[connections.hub.topics]]\ntopic = 'b'\nparms = {}",
        "config.toml:5: connections.hub.topics[1]: unknown key; nearest known: params",
    ),
    (
        HUB + "topics = ['phoenix']",
        "config.toml:3: connections.hub.topics[0]: the topic phoenix is the heartbeat's own",
    ),
    (HUB + "label = ''", "config.toml:3: connections.hub.label: expected a printable text of one line"),
    (
        HUB + "auth_token = { env = 'not a name' }",
        "config.toml:3: connections.hub.auth_token: expected the name of an environment variable after env",
    ),
    (
        HUB + "params = { env = 'TOKEN' }",
        "config.toml:3: connections.hub.params: expected a table of texts; a reference stands for one text, "
        "not for the table",
    ),
    (
        HUB + "proxy = 'hub:3128'",
        'config.toml:3: connections.hub.proxy: expected "environment", "none" or a URL such as http://, '
        "https:// or socks5://",
    ),
    (
        HUB + "headers = { 'X Key' = 'a' }",
        "config.toml:3: connections.hub.headers: a header's name must be letters, digits and signs such as -",
    ),
    ("theme = 'dark'\n" + HUB, "config.toml:1: theme: unknown key here; it belongs into [app]"),
    ("[app]\nthemes = 'dark'", "config.toml:2: app.themes: unknown key; nearest known: theme"),
    (
        "[app]\n\ntheme = 'solarized'",
        'config.toml:3: app.theme: expected "dark", "light", "ansi-dark" or "ansi-light"',
    ),
    ("[app]\nmouse = 'no'", "config.toml:2: app.mouse: expected true or false"),
    ("[app]\nbell = 1", "config.toml:2: app.bell: expected true or false"),
    ("[app]\non_hangup = 'stay'", 'config.toml:2: app.on_hangup: expected "quit" or "keep"'),
    ("[app]\nrefresh = 0.2", "config.toml:2: app.refresh: must be at least 0.25"),
    ("[app]\nrefresh = 61", "config.toml:2: app.refresh: must be at most 60"),
    ("[app]\nrefresh = nan", "config.toml:2: app.refresh: must be at most 60"),
    ("[app]\nrefresh = '1'", "config.toml:2: app.refresh: expected a number of seconds from 0.25 to 60"),
    ("app = 5", "config.toml:1: app: expected a table"),
    ("keys = 'r'", "config.toml:1: keys: expected a table of keys by action"),
    (
        "[keys]\nquit = 'Q'\n\nlist.order = 5",
        'config.toml:4: keys.list.order: expected a key such as "r", or a list of keys',
    ),
    (
        "[keys]\n'list.order' = ['o', 5]",
        'config.toml:2: keys.list.order: expected a key such as "r", or a list of keys',
    ),
    ("[keys]\n'list.order' = 'o'\nlist.order = 'p'", "config.toml:3: keys.list.order: set twice"),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_in_the_file_is_one_line_with_its_place(lines: Lines, text: str, line: str) -> None:
    assert lines(text) == [line]


URLS = [
    ("ftp://hub", "expected a URL that begins with ws:// or wss://"),
    ("hub:4000/socket", "expected a URL that begins with ws:// or wss://"),
    ("ws://", "expected a URL such as ws://hub:4000/socket"),
    ("ws://hub:99999", "expected a URL such as ws://hub:4000/socket"),
    ("ws://hub:port", "expected a URL such as ws://hub:4000/socket"),
    ("ws://[::1", "expected a URL such as ws://hub:4000/socket"),
    ("ws://hub/so cket", "expected a URL such as ws://hub:4000/socket"),
    (
        f"ws://me:{SECRET}@hub",
        "a URL must not hold a user or a password; put secrets into params or auth_token",
    ),
    (f"ws://hub/socket?token={SECRET}", "a URL must not hold a query; put what it says into params"),
    (f"ws://hub/socket#{SECRET}", "a URL must not hold a fragment (#)"),
    ("ws://hub/socket/websocket", "leave /websocket out of the URL, it is added"),
]


@pytest.mark.parametrize(("url", "words"), URLS)
def test_a_url_that_cannot_be_used(lines: Lines, url: str, words: str) -> None:
    assert lines(f'[connections.hub]\nurl = "{url}"') == [f"config.toml:2: connections.hub.url: {words}"]
    variable = f"{PREFIX}CONNECTIONS__HUB__URL"
    assert lines(None, {variable: url}) == [f"{variable}: {words}"]
    assert lines(None, url=url) == [f"command line, URL: {words}"]


VARIABLES = [
    (
        "CONECTIONS__HUB__URL",
        "x",
        "unknown variable; nearest known: OVERLAY_SUPERVISOR_CONNECTIONS__NAME__URL",
    ),
    (
        "CONNECTIONS__HUB__URLL",
        "x",
        "unknown variable; nearest known: OVERLAY_SUPERVISOR_CONNECTIONS__HUB__URL",
    ),
    ("DEFAULTS__PRESETS", "live", "unknown variable; nearest known: OVERLAY_SUPERVISOR_DEFAULTS__PRESET"),
    ("CONFIGG", "x", "unknown variable; nearest known: OVERLAY_SUPERVISOR_CONFIG"),
    ("DEBUG__X", "x", "unknown variable; nearest known: OVERLAY_SUPERVISOR_DEBUG"),
    (
        "CONNECTIONS__HUB__PARAMS__TOKEN",
        SECRET,
        "unknown variable; give the whole of OVERLAY_SUPERVISOR_CONNECTIONS__HUB__PARAMS in JSON",
    ),
    ("CONNECTIONS__HUB__TOPICS", '["a"', "not valid JSON"),
    ("CONNECTIONS__HUB__PARAMS", f'{{"token": "{SECRET}"', "not valid JSON"),
    ("CONNECTIONS__HUB", SECRET, "expected a table in JSON"),
    ("CONNECTIONS__HUB__TOPICS", "a:b", 'expected a list of topics such as ["room:1"]'),
    ("CONNECTIONS__HUB__PUSH_TIMEOUT", SECRET, "expected a number of seconds"),
    ("CONNECTIONS__HUB__PARAMS", SECRET, "expected a table of texts"),
    ("CONNECTIONS__HUB__HEADERS", f'["{SECRET}"]', "expected a table of texts"),
    ("DEBUG", SECRET, "expected true or false"),
    ("DEFAULTS__PUSH_BUFFER", "0", "push_buffer must be 1 or more"),
    ("APP__THEM", "dark", "unknown variable; nearest known: OVERLAY_SUPERVISOR_APP__THEME"),
    ("APP__THEME", "green", 'expected "dark", "light", "ansi-dark" or "ansi-light"'),
    ("APP__REFRESH", "soon", "expected a number of seconds from 0.25 to 60"),
    ("APP", "dark", "expected a table in JSON"),
    ("KEYS", "q", "expected a table in JSON"),
    ("KEYS", '{"quit": "q"', "not valid JSON"),
    ("KEYS", '{"quit": 5}', 'quit: expected a key such as "r", or a list of keys'),
    ("KEYS__QUIT", "q", "unknown variable; give the whole of OVERLAY_SUPERVISOR_KEYS in JSON"),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_a_mistake_in_the_environment_names_the_variable(
    lines: Lines, name: str, value: str, words: str
) -> None:
    assert lines(HUB, {PREFIX + name: value}) == [f"{PREFIX}{name}: {words}"]


def test_a_bad_name_in_the_environment(lines: Lines) -> None:
    (line,) = lines(None, {f"{PREFIX}CONNECTIONS___HUB__URL": "ws://hub"})
    assert "not a name for a connection" in line


SYNTAX = [
    ("a = ", "config.toml:1: not valid TOML: invalid value"),
    (f"token = {SECRET}", "config.toml:1: not valid TOML: invalid value, column 9"),
    (f'\ntoken = "{SECRET}', "config.toml:2: not valid TOML: "),
    (f'token = "{SECRET}\\q"', "config.toml:1: not valid TOML: unescaped in a string"),
    (f"[{SECRET}]\n[{SECRET}]", "config.toml:2: not valid TOML: cannot declare a table twice"),
    (f"{SECRET} {SECRET}", "config.toml:1: not valid TOML: expected '=' after a key"),
    ("a = " + "[" * 5000, "config.toml: nested too deeply"),
    ("a = " + "1" * 5000, "config.toml: a number with too many digits"),
    ("x = 1\ny = '\udcff'", "config.toml:2: not UTF-8 text"),
]


@pytest.mark.parametrize(("text", "beginning"), SYNTAX, ids=[line for _, line in SYNTAX])
def test_what_is_no_toml(tmp_path: Path, text: str, beginning: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as caught:
        load_settings(config=str(path), environ={})
    (line,) = caught.value.lines
    assert line.replace(f"{tmp_path}/", "").startswith(beginning)
    assert SECRET not in line


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Is a directory$"):
        load_settings(config=str(tmp_path), environ={})
    for given in ({"config": "a" * 300}, {"environ": {"HOME": "/" + "a" * 300}}):
        with pytest.raises(SettingsError, match=r"File name too long$"):
            load_settings(**{"environ": {}, **given})  # type: ignore[arg-type]  # mistakes of a caller too


def test_several_mistakes_are_told_in_the_order_of_the_file_at_most_five(lines: Lines) -> None:
    text = HUB + "".join(f"wrong_{number} = 1\n" for number in range(8)) + "push_timeout = 'x'\n"
    told = lines("debug = 1\n" + text)
    assert [line.partition(": ")[0] for line in told[:5]] == [f"config.toml:{n}" for n in (1, 4, 5, 6, 7)]
    assert told[5:] == ["and 5 more"]


# Secrets

MISPLACED = [
    'auth_token = ["{}"]',
    'auth_token = {{ evn = "{}" }}',
    'auth_token = {{ env = "{} x" }}',
    'auth_token = {{ file = ["{}"] }}',
    'auth_token = "{}\\n"',
    'params = "{}"',
    'params = ["{}"]',
    'params = {{ token = ["{}"] }}',
    'params = {{ token = {{ env = "{} x" }} }}',
    'headers = "X-Key: {}"',
    'headers = {{ X-Key = {{ secret = "{}" }} }}',
    'headers = {{ X-Key = "{}\\r\\n" }}',
    'proxy = "{}"',
    'proxy = ["http://me:{}@proxy"]',
    'push_timeout = "{}"',
    'push_buffer = ["{}"]',
    'preset = "{}"',
    'label = ["{}"]',
    'ca_file = "{}"',
    'topics = "{}"',
    'topics = [{{ topic = "a", params = "{}" }}]',
    'topics = [{{ topic = "a", params = {{ token = {{ env = "{} x" }} }} }}]',
    'topics = [{{ topic = ["{}"] }}]',
    'protocol_version = "{}"',
    'url = ["ws://hub?token={}"]',
    'max_reconnect_attempts = "{}"',
]


@pytest.mark.parametrize("template", MISPLACED)
@pytest.mark.parametrize("table", ["connections.hub", "defaults"])
def test_no_mistake_repeats_a_secret_in_the_file(lines: Lines, template: str, table: str) -> None:
    url = "" if template.startswith("url") or table == "defaults" else 'url = "ws://hub"\n'
    told = lines(f"[{table}]\n{url}{template.format(SECRET)}")
    assert told
    assert SECRET not in "\n".join(told)


IN_JSON = [
    (key, value)
    for key in (
        "AUTH_TOKEN",
        "PARAMS",
        "HEADERS",
        "PROXY",
        "TOPICS",
        "PUSH_TIMEOUT",
        "PRESET",
        "CA_FILE",
        "URL",
    )
    for value in ('{"env": ["%s"]}', '["%s"]', '{"a": ["%s"]', '{"a": {"b": {"c": "%s"}}}')
    # These two are a valid token and a valid topic.
    if (key, value) not in (("AUTH_TOKEN", '["%s"]'), ("TOPICS", '["%s"]'))
]


@pytest.mark.parametrize(("key", "value"), IN_JSON)
def test_no_mistake_repeats_a_secret_in_the_environment(lines: Lines, key: str, value: str) -> None:
    told = lines(HUB, {f"{PREFIX}CONNECTIONS__HUB__{key}": value % SECRET})
    assert SECRET not in "\n".join(told)


LITERALS = f"""
[connections.hub]
url = "ws://hub"
auth_token = "{SECRET}"
proxy = "http://me:{SECRET}@proxy:3128"
params = {{ token = "{SECRET}" }}
headers = {{ X-Key = "{SECRET}" }}
topics = [{{ topic = "a", params = {{ token = "{SECRET}", deep = ["{SECRET}"] }} }}]
"""


async def test_literal_secrets_are_used_and_never_shown(load: Load) -> None:
    settings = load(LITERALS)
    hub = settings.connections["hub"]
    options: Any = hub.options
    assert await options.auth_token() == SECRET
    assert await options.proxy() == f"http://me:{SECRET}@proxy:3128"
    assert await options.params["token"]() == SECRET
    assert await options.headers["X-Key"]() == SECRET
    assert hub.topics[0].params is not None
    assert await hub.topics[0].params() == {"token": SECRET, "deep": [SECRET]}
    everything = repr(settings) + repr(hub) + repr(options.params) + "".join(map(repr, settings.sources))
    everything += repr(hub.topics[0].params)
    assert SECRET not in everything
    assert shown(settings, "connections.hub.params") == "{ token = *** }"
    assert shown(settings, "connections.hub.auth_token") == "***"
    assert (
        shown(settings, "connections.hub.topics") == '[{ topic = "a", params = { token = ***, deep = *** } }]'
    )


def test_words_for_the_proxy_are_no_secret(load: Load) -> None:
    settings = load(HUB + 'proxy = "none"')
    assert settings.connections["hub"].options.proxy == "none"
    assert shown(settings, "connections.hub.proxy") == '"none"'


async def test_a_variable_is_read_anew_each_time(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    token: Any = load(HUB + 'auth_token = { env = "HUB_TOKEN" }').connections["hub"].options.auth_token
    monkeypatch.setenv("HUB_TOKEN", "one")
    assert await token() == "one"
    monkeypatch.setenv("HUB_TOKEN", "two")
    assert await token() == "two"
    monkeypatch.setenv("HUB_TOKEN", "")
    with pytest.raises(SecretError, match=r"^environment variable HUB_TOKEN is empty$"):
        await token()
    monkeypatch.delenv("HUB_TOKEN")
    with pytest.raises(SecretError, match=r"^environment variable HUB_TOKEN is not set$"):
        await token()


async def test_a_file_is_read_anew_beside_the_settings_file(load: Load, tmp_path: Path) -> None:
    token: Any = load(HUB + 'auth_token = { file = "token.txt" }').connections["hub"].options.auth_token
    path = tmp_path / "token.txt"
    path.write_text("one\n")
    assert await token() == "one"
    path.write_text("  two  ")
    assert await token() == "two"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"x" * 65_537, "is larger than 64 KiB"),
        (b"\xff" + SECRET.encode(), "is not UTF-8"),
        (f"{SECRET}\n{SECRET}".encode(), "holds a line break"),
    ],
    ids=["empty", "large", "binary", "lines"],
)
async def test_a_secret_file_that_cannot_be_used(
    load: Load, tmp_path: Path, content: bytes, words: str
) -> None:
    settings = load(HUB + 'auth_token = { file = "token.txt" }')
    path = tmp_path / "token.txt"
    path.write_bytes(content)
    told = await unreadable_secrets(settings)
    assert told == [f"connections.hub.auth_token: secret file {path} {words}"]


async def test_secrets_that_cannot_be_read_now_are_listed_by_key(load: Load, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = (
        HUB
        + """
params = { a = { file = "gone" }, b = "literal" }
headers = { X-Key = { file = "pipe" } }
topics = [{ topic = "t", params = { x = { env = "NOT_THERE" } } }]
"""
    )
    assert await unreadable_secrets(load(text)) == [
        "connections.hub.topics[0]: environment variable NOT_THERE is not set",
        f"connections.hub.params.a: secret file {tmp_path}/gone: No such file or directory",
        f"connections.hub.headers.X-Key: secret file {tmp_path}/pipe is not a regular file",
    ]


def test_lines_are_found_in_any_way_of_writing_toml(lines: Lines) -> None:
    text = (
        "# a comment\n"
        "title = '''\n[connections.hub]\n'''\n"
        "connections.hub.url = 'ws://hub'\n"
        "connections.hub.topics = [\n  'a', # ]\n  5,\n]\n"
        "\n"
        "# another\n"
        'connections."hub".params = { a = 1 }\n'
    )
    assert [line.split(": ")[0] for line in lines(text)] == [
        "config.toml:2",
        "config.toml:8",
        "config.toml:12",
    ]


def test_a_long_file_is_searched_quickly(lines: Lines) -> None:
    tables = "".join(f"[connections.c{n}]\nurl = 'ws://hub'\ntopics = [\n'a',\n]\n" for n in range(500))
    assert lines(tables + "x = 1\n") == [
        "config.toml:2501: connections.c499.x: unknown key; nearest known: "
        + lines(tables + "x = 1\n")[0].split()[-1]
    ]


def test_json_of_any_shape_never_ends_in_a_traceback(lines: Lines) -> None:
    deep = "[" * 100_000
    assert lines(HUB, {f"{PREFIX}CONNECTIONS__HUB__TOPICS": deep}) == [
        f"{PREFIX}CONNECTIONS__HUB__TOPICS: not valid JSON"
    ]
    number = json.dumps({"hub": {"url": 5}})
    assert lines(None, {f"{PREFIX}CONNECTIONS": number}) == [
        f"{PREFIX}CONNECTIONS: hub.url: expected a URL such as ws://hub:4000/socket"
    ]


def test_the_same_settings_read_twice_are_equal_and_changed_secrets_are_not(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = """
[connections.hub]
url = "ws://hub:7175/socket"
topics = ["a:b", { topic = "c:d", params = { token = { env = "TOKEN" } } }]
auth_token = "one"
params = { key = { file = "key.txt" } }
"""
    file.write_text(text)
    first = load_settings(config=str(file), environ={}).connections["hub"]
    again = load_settings(config=str(file), environ={}).connections["hub"]
    assert (first.options, first.topics) == (again.options, again.topics)
    file.write_text(text.replace('"one"', '"two"'))
    changed = load_settings(config=str(file), environ={}).connections["hub"]
    assert changed.options != first.options
    assert changed.topics == first.topics


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not a PEM file of certificates"),
        (CERTIFICATE.replace("MII", "???", 1), "not a PEM file of certificates"),
        (CERTIFICATE[:300], "not a PEM file of certificates"),
    ],
    ids=["empty", "garbled", "cut"],
)
def test_a_ca_file_is_opened_before_a_connection_needs_it(
    load: Load, lines: Lines, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(CERTIFICATE)
    assert load(HUB + 'ca_file = "ca.pem"').connections["hub"].options.ca_file == str(path)
    path.write_text(content)
    assert lines(HUB + 'ca_file = "ca.pem"') == [f"config.toml:3: connections.hub.ca_file: {words}"]


def test_a_thousand_connections_are_read_in_time_and_every_line_is_right(load: Load) -> None:
    def measured(count: int) -> tuple[Settings, float]:
        text = "".join(
            f'[connections.c{n}]\nurl = "ws://hub:{n + 1}"\ntopics = ["room:{n}"]\n' for n in range(count)
        )
        seconds = []
        for _ in range(3):
            begun = time.process_time()
            settings = load(text)
            seconds.append(time.process_time() - begun)
        return settings, min(seconds)

    _, few = measured(200)
    settings, many = measured(1000)
    assert few < 0.2
    assert many < 1
    lines = {each.key: each.source for each in settings.sources}
    for number in range(1000):
        assert lines[f"connections.c{number}.url"].endswith(f":{3 * number + 2}")
        assert lines[f"connections.c{number}.topics"].endswith(f":{3 * number + 3}")


def test_settings_keep_little_more_than_their_values(load: Load) -> None:
    text = "".join(f"[connections.c{n}]\nurl = 'ws://hub:{n + 1}'\n" for n in range(200))
    load(text)
    tracemalloc.start()
    try:
        settings = load(text)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(settings.connections) == 200
    assert kept < 4_000_000


ODD = (
    ("# a\r\n\r\n[connections.hub]\r\nurl = 'ws://hub'\r\n\tlabel\t=\t5\r\n", 5),
    ("\ufeff[connections.hub]\nurl = 'ws://hub'\nlabel = 5\n", 3),
    ("[connections.'hub']\n\"url\" = 'ws://hub'\n\"la\\u0062el\" = 5\n", 3),
    ("connections = { hub = { url = 'ws://hub', label = 5 } }\n", 1),
    ("[connections]\nhub.url = 'ws://hub'\n# label = 5\nhub.label = 5\n", 4),
    ("debug = true\n[connections.hub]\nurl = 'ws://h'\nparams.a = '''\n[x]\nlabel = 5\n'''\nlabel = 5", 8),
    ('[connections.hub]\nurl = "ws://hub"\nparams.a = """\n\\"""\n"""\nlabel = 5\n', 6),
    ("[connections.hub]\nurl = 'ws://hub'\nparams.'é' = \"日本語\" # '''\nlabel = 5\n", 4),
    ('[connections.hub]\nurl = \'ws://hub\'\nparams = { a = """x\ny""", b = \'[\' }\nlabel = 5 # ]\n', 5),
    ("[ connections . hub ]\n\n  url = 'ws://hub'\n  label = 5", 4),
    ("[connections.hub]\nurl = 'ws://hub'\ntopics = [\n\n # [\n 'a',\n]\nlabel = 5", 8),
)


@pytest.mark.parametrize(("text", "line"), ODD, ids=range(len(ODD)))
def test_a_line_is_right_in_files_of_any_make(lines: Lines, text: str, line: int) -> None:
    # A text of several lines is a mistake of its own.
    assert lines(text)[-1] == f"config.toml:{line}: connections.hub.label: expected a text"


def test_lines_in_lists_are_those_of_their_parts(lines: Lines) -> None:
    topics = "topics = [\n  'a',\n\n  { topic = 'b', params = [\n 1 ] },\n]\n"
    assert [each.split(": ")[0] for each in lines(HUB + topics)] == ["config.toml:6"]
    silent = "\n[[incidents.silent]]\nconnection = 'hub'\ntopic = 'a'\n"
    text = HUB + "topics = ['a', 'b']\n" + silent + silent.replace("'a'", "'b'") + "after = 0\n"
    assert [each.split(": ")[0] for each in lines(text)] == ["config.toml:12"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_told_as_what_they_are(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("[app]\r\n".encode(codec))
    with pytest.raises(SettingsError) as caught:
        load_settings(config=str(path), environ={})
    assert caught.value.lines == (f"{path}: written as UTF-16; save it as UTF-8",)


def test_a_key_of_endless_parts_costs_no_time(lines: Lines) -> None:
    begun = time.process_time()
    for text in ("a." * 500_000, '"\\"' * 300_000, "'''" + "'" * 500_000, "[[" * 400_000):
        assert lines(text)
    assert time.process_time() - begun < 10


async def test_a_secret_file_and_a_rules_file_may_begin_with_a_byte_order_mark(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "token.txt").write_bytes(b"\xef\xbb\xbf" + SECRET.encode() + b"\r\n")
    (tmp_path / "rules.toml").write_bytes(b'\xef\xbb\xbf[[rule]]\r\ntype = "cheer"\r\npriority = 3\r\n')
    text = HUB + "auth_token = { file = 'token.txt' }\n[alerts]\nrules = 'rules.toml'\n"
    settings = load(text)
    token = settings.connections["hub"].options.auth_token
    assert callable(token)
    assert await token() == SECRET
    check_alert_rules(settings)
    (tmp_path / "rules.toml").write_bytes('[[rule]]\ntype = "cheer"\n'.encode("utf-16"))
    with pytest.raises(SettingsError, match=r"rules\.toml: written as UTF-16; save it as UTF-8$"):
        check_alert_rules(settings)


def test_rules_and_programs_that_never_answer_hold_up_no_check(load: Load, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rules.toml")
    os.mkfifo(tmp_path / "tell", 0o700)
    settings = load(HUB + "[alerts]\nrules = 'rules.toml'\n[incidents]\ncommand = ['./tell']\n")
    begun = time.monotonic()
    with pytest.raises(SettingsError, match=r"config.toml:\d+: alerts.rules: did not answer for 2 s$"):
        check_alert_rules(settings)
    with pytest.raises(SettingsError, match=r"incidents.command: it is no file that can be run$"):
        check_needs(settings)
    assert time.monotonic() - begun < 10
