"""What a mistake in the settings says: its place, what is wrong, and never a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.config.conftest import Lines
from tui.config.load import SettingsError, load_settings

PREFIX = "OVERLAY_SUPERVISOR_"
SECRET = "s3cr3t-Value"
HUB = '[connections.hub]\nurl = "ws://hub:7175/socket"\n'


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
