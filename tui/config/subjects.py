"""What the tables of the alerts, the services and the incidents come to, and whether connections carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from tui.alerts.options import FIELDS, AlertOptions, DeliveryOptions, SourceOptions
from tui.config.errors import layer_of
from tui.config.layers import Layer
from tui.config.needs import complaint_about
from tui.config.secret import Secret
from tui.config.table_resolver import TableResolver
from tui.incidents.options import SEVERITIES, IncidentsOptions, SilentTopicOptions
from tui.services.options import EndpointOptions, ReportsOptions, ServicesOptions
from tui.text.nearest import nearest
from tui.text.toml_lines import KeyPath, Tree


class SubjectsResolver(TableResolver):
    """Builds the options of alerts, services and incidents, each once, and notes them as they were set."""

    def __init__(self, connections: Mapping[str, Tree], layers: list[Layer]) -> None:
        super().__init__(layers)
        self._topics = {
            name: {entry.topic for entry in connection.get("topics", ())}
            for name, connection in connections.items()
        }

    def alerts(self, given: Tree) -> AlertOptions | None:
        """What ``[alerts]`` comes to; None where it says nothing."""
        base: KeyPath = ("alerts",)
        if not given or given == {"sources": ()}:
            self.record(base, None)
            return None
        sources = tuple(
            SourceOptions(**{**each, "fields": {**FIELDS, **each.get("fields", {})}})
            for each in given.get("sources", ())
        )
        delivery = DeliveryOptions(**given["delivery"]) if "delivery" in given else None
        options = AlertOptions(**{**given, "sources": sources, "delivery": delivery})
        self.record(base, options)
        once = "repeats the topic of a source; one source takes all its events"
        self._check_listening((*base, "sources"), sources, once, "connection", "topic")
        if delivery is not None:
            topics = {"topic": delivery.topic, "clear_topic": delivery.clear_topic}
            self._check_joined((*base, "delivery"), delivery.connection, topics)
        if "rules" not in given:
            return options
        return replace(options, rules=Path(self._below_folder((*base, "rules"), given["rules"])))

    def services(self, given: Tree) -> ServicesOptions:
        base: KeyPath = ("services",)
        reports = tuple(ReportsOptions(**each) for each in given.get("reports", ()))
        endpoints = tuple(
            EndpointOptions(name=name, **each) for name, each in given.get("endpoints", {}).items()
        )
        options = ServicesOptions(**{**given, "reports": reports, "endpoints": endpoints})
        self.record(base, options)
        once = "repeats the topic and the event of another one"
        self._check_listening((*base, "reports"), reports, once, "connection", "topic", "event")
        return replace(options, endpoints=tuple(map(self._endpoint, endpoints)))

    def _endpoint(self, options: EndpointOptions) -> EndpointOptions:
        base: KeyPath = ("services", "endpoints", options.name)
        folder = self._folder((*base, "headers"))
        headers = cast("Mapping[str, Secret]", options.headers)
        changes: dict[str, Any] = {"headers": {name: each.below(folder) for name, each in headers.items()}}
        if options.ca_file is not None:
            path: KeyPath = (*base, "ca_file")
            changes["ca_file"] = self._below_folder(path, options.ca_file)
            if (complaint := complaint_about(changes["ca_file"])) is not None:
                self._mistake(path, complaint)
        return replace(options, **changes)

    def incidents(self, given: Tree) -> IncidentsOptions:
        base: KeyPath = ("incidents",)
        silent = tuple(SilentTopicOptions(**each) for each in given.get("silent", ()))
        severity = {**SEVERITIES, **given.get("severity", {})}
        options = IncidentsOptions(**{**given, "silent": silent, "severity": severity})
        self.record(base, options)
        once = "repeats the topic of another one"
        self._check_listening((*base, "silent"), silent, once, "connection", "topic")
        return replace(options, command=(*map(self._program, options.command[:1]), *options.command[1:]))

    def _program(self, program: str) -> str:
        """A path is one from anywhere; a mere name is looked for at each call, in the directories of PATH."""
        is_path = "/" in program or program.startswith("~")
        return self._below_folder(("incidents", "command"), program) if is_path else program

    def _check_listening(self, base: KeyPath, found: tuple[Any, ...], once: str, *keys: str) -> None:
        """What is listened to must be joined, and no two may have the same values of ``keys``."""
        seen = set()
        for number, options in enumerate(found):
            self._check_joined((*base, number), options.connection, {"topic": options.topic})
            values = tuple(getattr(options, key) for key in keys)
            if values in seen:
                self._mistake((*base, number), once)
            seen.add(values)

    def _check_joined(self, base: KeyPath, connection: str, topics: Mapping[str, str | None]) -> None:
        """What is read or shown on a channel needs one that the supervisor keeps joined."""
        if connection not in self._topics:
            known = tuple(self._topics)
            message = (
                f"no such connection; nearest known: {nearest(connection[:100], known)}"
                if known
                else "no such connection; expected [connections.NAME] with a url"
            )
            self._mistake((*base, "connection"), message)
            return
        for key, topic in topics.items():
            if topic is not None and topic not in self._topics[connection]:
                path: KeyPath = (*base, key)
                # Only our own default is named: what was given is no part of a message.
                name = f"this topic; add it to connections.{connection}.topics"
                if layer_of(path, self._layers) is None:
                    path, name = base, f'the topic "{topic}"; add it to connections.{connection}.topics'
                self._mistake(path, f"connections.{connection} does not join {name}")
