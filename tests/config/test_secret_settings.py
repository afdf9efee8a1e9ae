"""Secrets in the settings: read anew at each use, and never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.config.conftest import Lines, Load
from tui.config.load import SecretError, Settings, unreadable_secrets

PREFIX = "OVERLAY_SUPERVISOR_"
SECRET = "s3cr3t-Value"
HUB = '[connections.hub]\nurl = "ws://hub:7175/socket"\n'


def shown(settings: Settings, key: str) -> str:
    return next(value.text for value in settings.sources if value.key == key)


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
