"""Options: defaults, presets, what cannot work, and what must not be seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.virtual import World, virtual
from tui.channels import PRESETS, Options, Socket
from tui.channels.options import OPTION_NAMES
from tui.channels.values import endpoint

TABLE = {
    "service": ("10 1 60 0.5 30 10 5 300 5"),
    "overlay": ("10 1 30 0.5 30 10 5 300 5"),
    "live": ("unlimited 0.5 3 0.5 5 3 5 3 5"),
}
NAMES = (
    "max_reconnect_attempts",
    "reconnect_base_delay",
    "reconnect_max_delay",
    "reconnect_jitter",
    "heartbeat_interval",
    "heartbeat_timeout",
    "circuit_breaker_threshold",
    "circuit_breaker_timeout",
    "stable_after",
)


@pytest.mark.parametrize("preset", TABLE)
def test_presets_are_the_numbers_that_users_know(preset: str) -> None:
    options = Options.preset(preset)
    expected = [word if word == "unlimited" else float(word) for word in TABLE[preset].split()]
    assert [getattr(options, name) for name in NAMES] == expected
    assert set(PRESETS) == set(TABLE)


def test_the_other_defaults() -> None:
    options = Options()
    assert options == Options.preset("service")
    assert (options.open_timeout, options.join_timeout, options.push_timeout) == (10, 10, 10)
    assert (options.push_buffer, options.handler_queue) == (100, 10_000)
    assert options.handler_queue_bytes == options.max_message_size == 16 * 1024 * 1024
    assert (options.protocol_version, options.revive_after, options.auth_token) == (2, "never", None)
    assert (options.params, options.headers, options.proxy, options.ca_file) == ({}, {}, "environment", None)


@virtual
async def test_a_new_socket_has_the_defaults_and_nothing_else(world: World) -> None:
    """phoenix.js has tables of delays; here they follow from base, maximum and jitter."""
    socket = world.socket()
    assert socket.options == Options()
    assert (socket.state, socket.channels, socket.is_connected) == ("disconnected", (), False)
    assert world.server.attempts == []


def test_changes_go_on_top_of_a_preset() -> None:
    options = Options.preset("live", reconnect_max_delay=1.0)
    assert (options.reconnect_max_delay, options.reconnect_base_delay) == (1, 0.5)
    with pytest.raises(ValueError, match="preset must be one of service, overlay, live"):
        Options.preset("fast")
    with pytest.raises(TypeError):
        Options.preset("live", speed=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_reconnect_attempts": -1}, "max_reconnect_attempts must be 0 or more"),
        ({"max_reconnect_attempts": "many"}, "max_reconnect_attempts must be 0 or more"),
        ({"max_reconnect_attempts": True}, "max_reconnect_attempts must be 0 or more"),
        ({"reconnect_base_delay": 0.0}, "reconnect_base_delay must be more than 0 seconds"),
        ({"reconnect_max_delay": 0.5}, "reconnect_max_delay must not be less than reconnect_base_delay"),
        ({"reconnect_jitter": 1.1}, "reconnect_jitter must be from 0 to 1"),
        ({"reconnect_jitter": -0.1}, "reconnect_jitter must be from 0 to 1"),
        ({"reconnect_jitter": float("nan")}, "reconnect_jitter must be from 0 to 1"),
        ({"heartbeat_interval": 0}, "heartbeat_interval must be more than 0 seconds"),
        ({"heartbeat_timeout": -1}, "heartbeat_timeout must be more than 0 seconds"),
        ({"circuit_breaker_threshold": 0}, "circuit_breaker_threshold must be 1 or more"),
        ({"circuit_breaker_timeout": float("inf")}, "circuit_breaker_timeout must be more than 0"),
        ({"stable_after": float("nan")}, "stable_after must be more than 0 seconds"),
        ({"open_timeout": 0}, "open_timeout must be more than 0 seconds"),
        ({"join_timeout": 0}, "join_timeout must be more than 0 seconds"),
        ({"push_timeout": 0}, "push_timeout must be more than 0 seconds"),
        ({"push_buffer": 0}, "push_buffer must be 1 or more"),
        ({"handler_queue": 0}, "handler_queue must be 1 or more"),
        ({"handler_queue_bytes": 0}, "handler_queue_bytes must be 1 or more"),
        ({"max_message_size": 0}, "max_message_size must be 1 or more"),
        ({"protocol_version": 3}, "protocol_version must be 1 or 2"),
        ({"revive_after": 0}, "revive_after must be more than 0 seconds"),
        ({"revive_after": "soon"}, "revive_after must be more than 0 seconds"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_work_is_told_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Options(**changes)


def test_secrets_are_not_in_the_repr() -> None:
    options = Options(auth_token="s3cret", params={"t": "s3cret"}, headers={"h": "s3cret"})
    assert "s3cret" not in repr(options)


def test_the_names_are_those_of_the_fields() -> None:
    assert set(NAMES) < set(OPTION_NAMES)
    assert len(OPTION_NAMES) == len(set(OPTION_NAMES))


def test_options_cannot_be_given_twice() -> None:
    with pytest.raises(TypeError, match="not both"):
        Socket("ws://hub.test/socket", Options(), heartbeat_interval=3)
    with pytest.raises(TypeError):
        Socket("ws://hub.test/socket", speed=3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ws://hub:4000/socket", "ws://hub:4000/socket/websocket"),
        ("wss://hub/socket/", "wss://hub/socket/websocket"),
        ("http://hub/socket", "ws://hub/socket/websocket"),
        ("https://hub/socket/websocket", "wss://hub/socket/websocket"),
        ("ws://hub", "ws://hub/websocket"),
        ("ws://[::1]:4000/socket?a=b", "ws://[::1]:4000/socket/websocket?a=b"),
    ],
)
def test_the_endpoint_is_made_as_by_phoenix_js(given: str, expected: str) -> None:
    """Protocol-relative and path forms need a page's address, which is the browser's alone."""
    assert endpoint(given) == expected


@pytest.mark.parametrize(
    "given", ["", "hub:4000", "/socket", "//hub/socket", "ftp://hub/x", "ws://", "ws://h:x/s", "ws://h/s#x"]
)
def test_what_is_no_endpoint_is_told_without_the_url(given: str) -> None:
    with pytest.raises(ValueError, match=r"^url ") as raised:
        endpoint(given)
    if len(given) > 6:
        assert given not in str(raised.value)
