"""Settings: from the command line, the environment and a TOML file, in this order of precedence.

For one option of one connection the order is: the connection's own key, the connection's preset, the
key in ``[defaults]``, the preset in ``[defaults]``, the built-in default. A preset says something about
each option that any preset changes, so ``preset = "service"`` undoes a ``live`` in ``[defaults]``. A
table or list that is set in two places is taken whole from the first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from tui.channels.apart import Awaited, answered_within
from tui.config.errors import lines_of
from tui.config.layers import CommandLineLayer, EnvironmentLayer, FileLayer, Layer, SettingsError
from tui.config.model import validate
from tui.config.needs import check_needs
from tui.config.resolver import resolve
from tui.config.secret import SecretError
from tui.config.values import AppSettings, CommandLine, Settings
from tui.system.paths import settings_file
from tui.text.toml_lines import KeyPath, Tree

SECRET_LIMIT = 2.0
"""Seconds for a secret, or the alerts' rules, to be read when the settings are checked."""

__all__ = [
    "SECRET_LIMIT",
    "AppOnly",
    "AppSettings",
    "CommandLine",
    "SecretError",
    "Settings",
    "SettingsError",
    "check_alert_rules",
    "check_needs",
    "connection_name",
    "face_settings",
    "load_settings",
    "settings_of",
    "unreadable_secrets",
    "warnings_of",
]


def load_settings(
    *,
    config: str | None = None,
    command_line: CommandLine | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force. Without a file and without variables they hold no connection.

    Args:
        config: the value of ``--config``; naming a file that is not there is an error.
        command_line: what else the command line sets.
        environ: in place of ``os.environ``.

    Raises:
        SettingsError: anything that is wrong, one line each; no line holds a value.
    """
    environ = os.environ if environ is None else environ
    command_line = command_line or CommandLine()
    place = settings_file(config, environ)
    is_there = place.is_there
    if place.named_by and not is_there:
        raise SettingsError(f"{place.path}: no such file ({place.named_by})")
    variables = EnvironmentLayer(environ)
    layers: list[Layer] = [_command_line_layer(command_line), variables]
    if is_there:
        layers.append(FileLayer(place.path))
    if command_line.url is not None:
        for layer in layers[1:]:
            _leave_to_url(layer.tree)
    try:
        tree = validate(*(layer.tree for layer in layers))
    except ValidationError as error:
        raise SettingsError(*variables.mistakes, *lines_of(error, layers)) from None
    if variables.mistakes:
        raise SettingsError(*variables.mistakes)
    return resolve(tree, layers, place.path if len(layers) > 2 else None)


class AppOnly(NamedTuple):
    """What a screen that runs no connections of its own takes from the settings."""

    app: AppSettings
    keys: Mapping[str, tuple[str, ...]]
    mistake: str | None
    """Why the file was left aside, to be told on the screen."""


def face_settings(
    command_line: CommandLine, *, config: str | None = None, environ: Mapping[str, str] | None = None
) -> AppOnly:
    """The settings of the app; those of a file that cannot be used are left aside and told.

    Raises:
        SettingsError: the command line is wrong.
    """
    try:
        settings = load_settings(config=config, command_line=command_line, environ=environ)
    except SettingsError as error:
        settings = settings_of(command_line)
        return AppOnly(settings.app, {}, f"settings not used: {error.lines[0]}")
    return AppOnly(settings.app, settings.keys, None)


def settings_of(command_line: CommandLine) -> Settings:
    """The settings that a command line alone makes, without file and environment."""
    layer = _command_line_layer(command_line)
    try:
        return resolve(validate(layer.tree), [layer], None)
    except ValidationError as error:
        raise SettingsError(*lines_of(error, [layer])) from None


async def unreadable_secrets(settings: Settings) -> list[str]:
    """One line for each secret that cannot be read now: its key and its place."""
    readers: dict[str, Any] = {}
    for name, connection in settings.connections.items():
        options, base = connection.options, f"connections.{name}"
        readers |= {f"{base}.auth_token": options.auth_token, f"{base}.proxy": options.proxy}
        for number, entry in enumerate(connection.topics):
            readers[f"{base}.topics[{number}]"] = entry.params
        for table in ("params", "headers"):
            readers |= {f"{base}.{table}.{key}": reader for key, reader in getattr(options, table).items()}
    for endpoint in settings.services.endpoints:
        base = f"services.endpoints.{endpoint.name}.headers"
        readers |= {f"{base}.{key}": reader for key, reader in endpoint.headers.items()}
    found = await asyncio.gather(*(_trouble_of(key, each) for key, each in readers.items() if callable(each)))
    return [line for line in found if line is not None]


async def _trouble_of(key: str, reader: Callable[[], Awaitable[object]]) -> str | None:
    awaited = Awaited()
    awaited.by_this_task()
    try:
        async with asyncio.timeout(SECRET_LIMIT):
            await reader()
    except SecretError as error:
        return f"{key}: {error}"
    except TimeoutError:
        return f"{key}: {awaited.message(SECRET_LIMIT, 'not read')}"
    return None


def warnings_of(settings: Settings) -> list[str]:
    """One line for each setting that can be used and may not do what was meant, with its place."""
    lines = []
    metrics = settings.metrics
    if metrics.port and not _is_loopback(metrics.host):
        place = f"{settings.source_of('metrics.host')}: metrics.host"
        lines.append(f"{place}: anybody who reaches it can read names, addresses and figures of everything")
    return lines


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_alert_rules(settings: Settings) -> list[str]:
    """Read the file of the alerts' rules, if one is set; blocks for :data:`SECRET_LIMIT` at most.

    Settings are valid without it: then the built-in rules hold until it can be used.

    Returns:
        A line for each field that a rule names and no hub is known to send, where the sources bring what
        hubs are known to send.

    Raises:
        SettingsError: it is not there, its first mistake with its line, or that its disk does not answer.
    """
    alerts = settings.alerts
    if alerts is None or alerts.rules is None:
        return []
    from tui.alerts.events import DOCUMENTED, EVENTS
    from tui.alerts.rules import GIVEN, Rules
    from tui.alerts.rules_file import RulesError, load
    from tui.text.nearest import nearest

    path = alerts.rules

    def read() -> Rules | None:
        return load(path, alerts.types) if os.path.lexists(path) else None

    place = f"{settings.source_of('alerts.rules')}: alerts.rules"
    try:
        found = answered_within(SECRET_LIMIT, ("rules", path), read, f"alerts.rules {path}")
    except RulesError as error:
        raise SettingsError(str(error)) from None
    except TimeoutError:
        raise SettingsError(f"{place}: did not answer for {SECRET_LIMIT:g} s") from None
    except OSError as error:
        raise SettingsError(f"{place}: {error.strerror}") from None
    if found is None:
        raise SettingsError(f"{place}: no such file")
    if any(source.events != EVENTS for source in alerts.sources):
        return []
    return [
        f"{path}: rule {number}: {key}: no {type} is known to have a field {field}; "
        f"nearest: {nearest(field, sorted({*DOCUMENTED[type], *(() if key == 'when' else GIVEN)}))}"
        for number, key, type, field in found.undocumented()
    ]


def connection_name(url: str) -> str:
    """A name for the connection to ``url``: its host's first part where that makes one, else ``server``."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    words = [word for word in host.split(".")[0].split("-") if word.isascii() and word.isalnum()]
    name = "_".join(words)
    return name if name[:1].isalpha() else "server"


def _command_line_layer(given: CommandLine) -> CommandLineLayer:
    tree: Tree = {"debug": True} if given.debug else {}
    options: dict[KeyPath, str] = {("debug",): "--debug"}
    app: Tree = {"theme": given.theme} if given.theme is not None else {}
    if given.no_mouse:
        app["mouse"] = False
    if app:
        tree["app"] = app
        options |= {("app", "theme"): "--theme", ("app", "mouse"): "--no-mouse"}
    if given.url is not None:
        path = ("connections", connection_name(given.url))
        table = {"url": given.url, "topics": list(given.topics), "preset": given.preset or "live"}
        tree["connections"] = {path[1]: table}
        options |= {path: "URL", (*path, "topics"): "--topic"}
        if given.preset is not None:
            options[(*path, "preset")] = "--preset"
    return CommandLineLayer(tree, options)


def _leave_to_url(tree: Tree) -> None:
    """Leave in a file's or environment's tree what is meant for a server named on the command line."""
    tree.pop("connections", None)
    # Alerts come from connections and go to them.
    tree.pop("alerts", None)
    for table, keys in (("services", ("reports", "endpoints")), ("incidents", ("silent",))):
        for key in keys if isinstance(tree.get(table), dict) else ():
            tree[table].pop(key, None)
    defaults = tree.get("defaults")
    if isinstance(defaults, dict):
        # They are for the servers that the settings name, not for one that was just typed.
        for name in ("params", "headers", "auth_token"):
            defaults.pop(name, None)
