"""What the tables ``[services]``, ``[incidents]`` and ``[metrics]`` come to, and whether it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from tui.config.certificates import complaint_about
from tui.config.layers import KeyPath
from tui.config.secret import shown_secrets
from tui.config.table_resolver import TableResolver, values_given
from tui.config.toml_text import toml_text
from tui.config.watch_tables import (
    ENDPOINT_KEYS,
    INCIDENTS_KEYS,
    JOURNAL_KEYS,
    METRICS_KEYS,
    NONE,
    REPORTS_KEYS,
    SILENT_KEYS,
    EndpointTable,
    IncidentsTable,
    JournalTable,
    MetricsTable,
    ReportsTable,
    ServicesTable,
    SeverityTable,
    SilentTable,
)
from tui.incidents.options import SEVERITIES, IncidentsOptions, SilentTopicOptions
from tui.metrics.options import MetricsOptions
from tui.model.incidents import IncidentRule, IncidentSeverity
from tui.services.options import EVENTS, EndpointOptions, JournalOptions, ReportsOptions, ServicesOptions
from tui.text.secret_values import MASK

_NONE_OR_SEVERITY = ("bell_from", "toast_from")


class WatchResolver(TableResolver):
    """Builds the options of services, incidents and metrics, each once."""

    def services(self, table: ServicesTable) -> ServicesOptions:
        """What ``[services]`` comes to."""
        given = values_given(table)
        reports, endpoints = given.pop("reports", []), given.pop("endpoints", {})
        options = ServicesOptions(**given)
        self._record(("services", "most"), toml_text(options.most))
        return replace(options, reports=self._reports(reports), endpoints=self._endpoints(endpoints))

    def _reports(self, tables: list[ReportsTable]) -> tuple[ReportsOptions, ...]:
        base: KeyPath = ("services", "reports")
        if not tables:
            self._record(base, "[]")
        found: list[ReportsOptions] = []
        for number, table in enumerate(tables):
            given = values_given(table)
            given.setdefault("event", EVENTS[given.get("kind", "report")])
            options = ReportsOptions(**given)
            self._record_each((*base, number), options, REPORTS_KEYS)
            self._check_joined((*base, number), options.connection, {"topic": options.topic})
            if _listening(options) in map(_listening, found):
                self._mistake((*base, number), "repeats the topic and the event of another one")
            found.append(options)
        return tuple(found)

    def _endpoints(self, tables: Mapping[str, EndpointTable]) -> tuple[EndpointOptions, ...]:
        base: KeyPath = ("services", "endpoints")
        if not tables:
            self._record(base, "{}")
        return tuple(self._endpoint((*base, name), name, table) for name, table in tables.items())

    def _endpoint(self, base: KeyPath, name: str, table: EndpointTable) -> EndpointOptions:
        given = values_given(table)
        headers = given.pop("headers", {})
        folder = self._folder((*base, "headers"))
        given["headers"] = MappingProxyType({key: secret.below(folder) for key, secret in headers.items()})
        if "ca_file" in given:
            path: KeyPath = (*base, "ca_file")
            given["ca_file"] = self._below_folder(path, given["ca_file"])
            if (complaint := complaint_about(given["ca_file"])) is not None:
                self._mistake(path, complaint)
        options = EndpointOptions(name=name, **given)
        for key in ENDPOINT_KEYS:
            # A file is shown as it was given.
            value = table.ca_file if key == "ca_file" else getattr(options, key)
            text = shown_secrets(headers) if key == "headers" else _shown(value)
            self._record((*base, key), text)
        return options

    def incidents(self, table: IncidentsTable) -> IncidentsOptions:
        """What ``[incidents]`` comes to."""
        base: KeyPath = ("incidents",)
        given = values_given(table)
        silent, severity = given.pop("silent", []), given.pop("severity", None)
        given |= {key: None for key in _NONE_OR_SEVERITY if given.get(key) == NONE}
        if "off" in given:
            given["off"] = frozenset(table.off)
        if "command" in given:
            given["command"] = (*map(self._program, table.command[:1]), *table.command[1:])
        options = IncidentsOptions(**given)
        shown = {
            # As they were given.
            "off": toml_text(table.off or []),
            "command": _shown_command(table.command or []),
            **{key: toml_text(NONE) for key in _NONE_OR_SEVERITY if getattr(options, key) is None},
        }
        for key in INCIDENTS_KEYS:
            if key not in ("silent", "severity"):
                self._record((*base, key), shown.get(key) or _shown(getattr(options, key)))
        return replace(options, silent=self._silent(silent), severity=self._severity(severity))

    def _program(self, program: str) -> str:
        """A path is one from anywhere; a mere name is looked for at each call, in the directories of PATH."""
        is_path = "/" in program or program.startswith("~")
        return self._below_folder(("incidents", "command"), program) if is_path else program

    def _severity(self, table: SeverityTable | None) -> Mapping[IncidentRule, IncidentSeverity]:
        given = cast("dict[IncidentRule, IncidentSeverity]", values_given(table) if table else {})
        severity = {**SEVERITIES, **given}
        for rule, words in severity.items():
            self._record(("incidents", "severity", rule), toml_text(words))
        return MappingProxyType(severity)

    def _silent(self, tables: list[SilentTable]) -> tuple[SilentTopicOptions, ...]:
        base: KeyPath = ("incidents", "silent")
        if not tables:
            self._record(base, "[]")
        found: list[SilentTopicOptions] = []
        for number, table in enumerate(tables):
            options = SilentTopicOptions(**values_given(table))
            self._record_each((*base, number), options, SILENT_KEYS)
            self._check_joined((*base, number), options.connection, {"topic": options.topic})
            if any((each.connection, each.topic) == (options.connection, options.topic) for each in found):
                self._mistake((*base, number), "repeats the topic of another one")
            found.append(options)
        return tuple(found)

    def metrics(self, table: MetricsTable) -> MetricsOptions:
        """What ``[metrics]`` comes to."""
        options = MetricsOptions(**values_given(table))
        self._record_each(("metrics",), options, METRICS_KEYS)
        return options

    def journal(self, table: JournalTable) -> JournalOptions:
        """What ``[journal]`` comes to."""
        options = JournalOptions(**values_given(table))
        self._record_each(("journal",), options, JOURNAL_KEYS)
        return options

    def _record_each(
        self,
        base: KeyPath,
        options: ReportsOptions | SilentTopicOptions | MetricsOptions | JournalOptions,
        keys: tuple[str, ...],
    ) -> None:
        for key in keys:
            self._record((*base, key), _shown(getattr(options, key)))


def _listening(options: ReportsOptions) -> tuple[str, str, str]:
    return options.connection, options.topic, options.event


def _shown(value: Any) -> str:
    return "not set" if value is None else toml_text(value)


def _shown_command(command: list[str]) -> str:
    """Its arguments may hold a secret, such as the key of whoever carries the message."""
    return f"[{', '.join([toml_text(command[0]), *(MASK for _ in command[1:])])}]" if command else "[]"
