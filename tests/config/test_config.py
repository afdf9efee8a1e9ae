"""Settings as a user gives them: what is in force, and in what time."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.config.conftest import Lines, Load
from tui.config.load import (
    AppSettings,
    CommandLine,
    Settings,
    SettingsError,
    check_alert_rules,
    check_needs,
    connection_name,
    face_settings,
    load_settings,
)

PREFIX = "OVERLAY_SUPERVISOR_"
SECRET = "s3cr3t-Value"
CERTIFICATE = (Path(__file__).parents[1] / "certificate.pem").read_text()
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


@pytest.mark.parametrize("word", ["true", "yes", "1"])
def test_a_word_of_a_variable_is_true_wherever_true_is_taken(load: Load, word: str) -> None:
    settings = load(HUB, {f"{PREFIX}JOURNAL__FRAMES": word, f"{PREFIX}APP__BELL": word})
    assert settings.journal.frames
    assert settings.app.bell


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
