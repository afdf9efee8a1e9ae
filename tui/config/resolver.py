"""Chooses the value of each key that is in force, and builds each connection's options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from tui.channels.options import OPTION_NAMES, PRESETS, Options
from tui.config.alerts import AlertsResolver
from tui.config.certificates import complaint_about
from tui.config.errors import layer_of, place_of
from tui.config.layers import KeyPath, Layer, SettingsError, dotted
from tui.config.model import (
    APP_KEYS,
    SECRET_OPTIONS,
    SECRET_TABLE_OPTIONS,
    ConnectionTable,
    DefaultsTable,
    SettingsTable,
)
from tui.config.secret import EnvironmentSecret, FileSecret, LiteralSecret, SecretTable, shown_secrets
from tui.config.toml_text import toml_text
from tui.config.values import AppSettings, Settings
from tui.config.watch import WatchResolver
from tui.connections.settings import ConnectionSettings, InForce, Place, Topic

BUILT_IN: Mapping[str, Any] = MappingProxyType(
    {
        **{name: getattr(Options(), name) for name in OPTION_NAMES},
        # A supervisor runs for weeks: what gave up is tried again now and then.
        "revive_after": 300.0,
    }
)
"""The defaults of a supervised connection's options: the client's, but for ``revive_after``."""

_PRESET_OPTIONS = frozenset(name for preset in PRESETS.values() for name in preset)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The value of one key that is in force."""

    value: Any
    source: Place
    path: KeyPath | None = None
    """Where it is set; None for a preset's value or a default."""


def resolve(table: SettingsTable, layers: list[Layer], file: Path | None) -> Settings:
    """The settings that valid tables come to.

    Raises:
        SettingsError: values that cannot work together, or a file that is not there.
    """
    resolver = _Resolver(table.defaults, layers)
    connections = {
        name: resolver.connection(name, connection) for name, connection in table.connections.items()
    }
    if not connections:
        resolver.check_defaults()
    alerts = AlertsResolver(table.alerts, table.connections, layers)
    options = alerts.options()
    watch = WatchResolver(table.connections, layers)
    services = watch.services(table.services)
    incidents = watch.incidents(table.incidents)
    journal = watch.journal(table.journal)
    metrics = watch.metrics(table.metrics)
    if mistakes := [*resolver.mistakes, *alerts.mistakes, *watch.mistakes]:
        raise SettingsError(*mistakes)
    debug = InForce(key="debug", text=toml_text(table.debug), place=resolver.source(("debug",)))
    return Settings(
        connections=MappingProxyType(cast("dict[str, ConnectionSettings]", connections)),
        debug=table.debug,
        sources=(debug, *resolver.app(table), *resolver.in_force, *alerts.in_force, *watch.in_force),
        file=file,
        app=AppSettings(
            **{name: getattr(table.app, name) for name in APP_KEYS},
            toast_from=incidents.toast_from,
            bell_from=incidents.bell_from,
        ),
        keys=MappingProxyType(table.keys),
        alerts=options,
        services=services,
        incidents=incidents,
        journal=journal,
        metrics=metrics,
    )


class _Resolver:
    """Chooses, for each connection, the value of each key and builds its options."""

    def __init__(self, defaults: DefaultsTable, layers: list[Layer]) -> None:
        self._defaults = defaults
        self._layers = layers
        self.in_force: list[InForce] = []
        self.mistakes: dict[str, None] = {}

    def source(self, path: KeyPath) -> Place:
        """The place of the value at ``path``, or ``default``."""
        return place_of(path, self._layers)

    def app(self, table: SettingsTable) -> list[InForce]:
        """What is in force of ``[app]`` and ``[keys]``."""
        values = {("app", name): getattr(table.app, name) for name in APP_KEYS}
        rows = [
            InForce(
                key=dotted(path),
                text="not set" if value is None else toml_text(value),
                place=self.source(path),
            )
            for path, value in values.items()
        ]
        for action, keys in table.keys.items():
            text = toml_text(keys[0]) if len(keys) == 1 else f"[{', '.join(map(toml_text, keys))}]"
            rows.append(InForce(key=f"keys.{action}", text=text, place=self.source(("keys", action))))
        return rows

    def connection(self, name: str, table: ConnectionTable) -> ConnectionSettings | None:
        """The settings of one connection; None after a mistake, which is kept in ``mistakes``."""
        base: KeyPath = ("connections", name)
        choices = {option: self._choose(option, base, table) for option in OPTION_NAMES}
        topics = tuple(
            _topic(entry.topic, entry.params, self._folder((*base, "topics"))) for entry in table.topics
        )
        label = table.label or name
        shown_topics = [_shown_topic(entry.topic, entry.params) for entry in table.topics]
        rows = {
            "url": (toml_text(table.url), (*base, "url")),
            "label": (toml_text(label), (*base, "label")),
            "topics": (f"[{', '.join(shown_topics)}]", (*base, "topics")),
        }
        for key, (text, path) in rows.items():
            self._record((*base, key), text, self.source(path))
        preset = table.preset or self._defaults.preset or "service"
        preset_path: KeyPath = (*base, "preset") if table.preset else ("defaults", "preset")
        self._record((*base, "preset"), toml_text(preset), self.source(preset_path))
        for option, choice in choices.items():
            self._record((*base, option), _shown_option(option, choice.value), choice.source)
        options = self._options(choices, base)
        if options is None:
            return None
        return ConnectionSettings(name=name, label=label, url=table.url, topics=topics, options=options)

    def check_defaults(self) -> None:
        """Find impossible values in ``[defaults]`` that no connection would show."""
        base: KeyPath = ("defaults",)
        self._options({option: self._choose(option, base, self._defaults) for option in OPTION_NAMES}, base)

    def _record(self, path: KeyPath, text: str, place: Place) -> None:
        self.in_force.append(InForce(key=dotted(path), text=text, place=place))

    def _choose(self, option: str, base: KeyPath, table: DefaultsTable) -> _Choice:
        for keys, path, preset_source in (
            (table, base, "preset {}"),
            (self._defaults, ("defaults",), "preset {} of [defaults]"),
        ):
            own = getattr(keys, option)
            if own is not None:
                return _Choice(own, self.source((*path, option)), (*path, option))
            if keys.preset is not None and option in _PRESET_OPTIONS:
                value = PRESETS[keys.preset].get(option, BUILT_IN[option])
                return _Choice(value, preset_source.format(keys.preset))
        return _Choice(BUILT_IN[option], "default")

    def _options(self, choices: Mapping[str, _Choice], base: KeyPath) -> Options | None:
        values = {option: self._value(option, choice) for option, choice in choices.items()}
        ca_file = choices["ca_file"]
        if ca_file.path and (complaint := complaint_about(values["ca_file"])):
            self._mistake(ca_file.path, complaint)
            return None
        try:
            return Options(**values)
        except ValueError as error:
            # The message names the options that it is about, the chief one first, and no value.
            message = str(error)
            named = [word for word in message.split() if word in choices]
            set_here = [choices[option].path for option in named if choices[option].path]
            path = set_here[0] if set_here else base
            self._mistake(path or base, message)
            return None

    def _mistake(self, path: KeyPath, message: str) -> None:
        layer = layer_of(path, self._layers)
        self.mistakes[f"{layer.describe(path) if layer else dotted(path)}: {message}"] = None

    def _value(self, option: str, choice: _Choice) -> Any:
        """What :class:`Options` takes: each secret as the function that reads it."""
        if choice.path is None:
            return choice.value
        folder = self._folder(choice.path)
        if option in SECRET_TABLE_OPTIONS:
            return {name: secret.below(folder) for name, secret in choice.value.items()}
        if option == "proxy" and isinstance(choice.value, LiteralSecret):
            word = next((word for word in ("environment", "none") if choice.value.is_one_of(word)), None)
            return word or choice.value
        if option in SECRET_OPTIONS:
            return choice.value.below(folder)
        if option == "ca_file":
            return os.path.join(folder, os.path.expanduser(choice.value))
        return choice.value

    def _folder(self, path: KeyPath) -> Path:
        """Where a relative path in the value at ``path`` starts: the settings file's folder."""
        layer = layer_of(path, self._layers)
        return (layer.folder if layer else None) or Path.cwd()


def _topic(topic: str, params: SecretTable | None, folder: Path) -> Topic:
    return Topic(topic=topic, params=params.below(folder) if params else None)


def _shown_topic(topic: str, params: SecretTable | None) -> str:
    return f"{{ topic = {toml_text(topic)}, params = {params.shown()} }}" if params else toml_text(topic)


def _shown_option(option: str, value: Any) -> str:
    if isinstance(value, EnvironmentSecret | FileSecret):
        return value.shown()
    if isinstance(value, LiteralSecret):
        plain = option == "proxy" and next((w for w in ("environment", "none") if value.is_one_of(w)), None)
        return toml_text(plain) if plain else value.shown()
    if option in SECRET_TABLE_OPTIONS:
        return shown_secrets(value)
    return "not set" if value is None else toml_text(value)
