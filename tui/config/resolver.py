"""Chooses the value of each key that is in force, and builds each connection's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from tui.channels.options import OPTION_NAMES, PRESETS, Options
from tui.config.errors import place_of
from tui.config.layers import Layer, SettingsError
from tui.config.model import SECRET_OPTIONS, SECRET_TABLE_OPTIONS, WrittenTopic
from tui.config.needs import complaint_about
from tui.config.subjects import SubjectsResolver
from tui.config.table_resolver import TableResolver, toml_text
from tui.config.values import AppSettings, Settings
from tui.connections.settings import ConnectionSettings, Place, Topic
from tui.metrics.options import MetricsOptions
from tui.services.options import JournalOptions
from tui.text.toml_lines import KeyPath, Tree

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
    value: Any
    source: Place
    path: KeyPath | None = None
    """Where it is set; None for a preset's value or a default."""


def resolve(tree: Tree, layers: list[Layer], file: Path | None) -> Settings:
    """The settings that a valid tree comes to, unless its values cannot work together."""
    written: Mapping[str, Tree] = tree.get("connections", {})
    each = _ConnectionResolver(tree.get("defaults", {}), layers)
    debug, keys = tree.get("debug", False), tree.get("keys", {})
    app = AppSettings(**tree.get("app", {}))
    for key, value in (("debug", debug), ("app", app), ("keys", keys)):
        each.record((key,), value)
    connections = {name: each.connection(name, table) for name, table in written.items()}
    if not connections:
        each.check_defaults()
    subjects = SubjectsResolver(written, layers)
    alerts = subjects.alerts(tree.get("alerts", {}))
    services = subjects.services(tree.get("services", {}))
    incidents = subjects.incidents(tree.get("incidents", {}))
    journal = JournalOptions(**tree.get("journal", {}))
    metrics = MetricsOptions(**tree.get("metrics", {}))
    subjects.record(("journal",), journal)
    subjects.record(("metrics",), metrics)
    if mistakes := [*each.mistakes, *subjects.mistakes]:
        raise SettingsError(*mistakes)
    return Settings(
        connections=MappingProxyType(cast("dict[str, ConnectionSettings]", connections)),
        debug=debug,
        sources=(*each.effective, *subjects.effective),
        file=file,
        app=replace(app, toast_from=incidents.toast_from, bell_from=incidents.bell_from),
        keys=MappingProxyType(keys),
        alerts=alerts,
        services=services,
        incidents=incidents,
        journal=journal,
        metrics=metrics,
    )


class _ConnectionResolver(TableResolver):
    def __init__(self, defaults: Tree, layers: list[Layer]) -> None:
        super().__init__(layers)
        self._defaults = defaults

    def connection(self, name: str, given: Tree) -> ConnectionSettings | None:
        """The settings of one connection; None after a mistake, which is kept in ``mistakes``."""
        base: KeyPath = ("connections", name)
        written: tuple[WrittenTopic, ...] = given.get("topics", ())
        label = given.get("label", name)
        preset = given.get("preset") or self._defaults.get("preset", "service")
        preset_path: KeyPath = (*base, "preset") if "preset" in given else ("defaults", "preset")
        self.record((*base, "url"), given["url"])
        self.record((*base, "label"), label)
        topics_path: KeyPath = (*base, "topics")
        self._note(topics_path, f"[{', '.join(map(_shown_topic, written))}]", self._place(topics_path))
        self._note((*base, "preset"), toml_text(preset), self._place(preset_path))
        choices = {option: self._choose(option, base, given) for option in OPTION_NAMES}
        for option, choice in choices.items():
            text = "not set" if choice.value is None else toml_text(choice.value)
            self._note((*base, option), text, choice.source)
        options = self._options(choices, base)
        if options is None:
            return None
        folder = self._folder(topics_path)
        topics = tuple(
            Topic(topic=entry.topic, params=entry.params.below(folder) if entry.params else None)
            for entry in written
        )
        return ConnectionSettings(name=name, label=label, url=given["url"], topics=topics, options=options)

    def check_defaults(self) -> None:
        """Find impossible values in ``[defaults]`` that no connection would show."""
        base: KeyPath = ("defaults",)
        self._options({option: self._choose(option, base, self._defaults) for option in OPTION_NAMES}, base)

    def _place(self, path: KeyPath) -> Place:
        return place_of(path, self._layers)

    def _choose(self, option: str, base: KeyPath, given: Tree) -> _Choice:
        for keys, path, preset_source in (
            (given, base, "preset {}"),
            (self._defaults, ("defaults",), "preset {} of [defaults]"),
        ):
            if option in keys:
                return _Choice(keys[option], self._place((*path, option)), (*path, option))
            if "preset" in keys and option in _PRESET_OPTIONS:
                value = PRESETS[keys["preset"]].get(option, BUILT_IN[option])
                return _Choice(value, preset_source.format(keys["preset"]))
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
            set_here = [path for option in named if (path := choices[option].path)]
            self._mistake(set_here[0] if set_here else base, message)
            return None

    def _value(self, option: str, choice: _Choice) -> Any:
        """What :class:`Options` takes: each secret as the function that reads it."""
        if choice.path is None:
            return choice.value
        folder = self._folder(choice.path)
        if option in SECRET_TABLE_OPTIONS:
            return {name: secret.below(folder) for name, secret in choice.value.items()}
        # The words that the proxy may be are no secret.
        if option in SECRET_OPTIONS and not isinstance(choice.value, str):
            return choice.value.below(folder)
        return self._below_folder(choice.path, choice.value) if option == "ca_file" else choice.value


def _shown_topic(entry: WrittenTopic) -> str:
    topic = toml_text(entry.topic)
    return f"{{ topic = {topic}, params = {entry.params.shown()} }}" if entry.params else topic
