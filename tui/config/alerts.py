"""What the tables of ``[alerts]`` come to, and whether the connections carry what they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.config.alert_tables import (
    ALERT_KEYS,
    DELIVERY_KEYS,
    NONE,
    SOURCE_KEYS,
    AlertsTable,
    DeliveryTable,
    SourceTable,
)
from tui.config.layers import KeyPath, Layer
from tui.config.model import ConnectionTable
from tui.config.table_resolver import TableResolver, values_given
from tui.config.toml_text import toml_text

_EVENTS_OR_NONE = ("clear_event", "acknowledged_by")


class AlertsResolver(TableResolver):
    """Builds the alerts' options."""

    def __init__(
        self, table: AlertsTable, connections: Mapping[str, ConnectionTable], layers: list[Layer]
    ) -> None:
        super().__init__(connections, layers)
        self._table = table

    def options(self) -> AlertOptions | None:
        """The options; None where ``[alerts]`` says nothing."""
        base: KeyPath = ("alerts",)
        given = values_given(self._table)
        if not given or given == {"sources": []}:
            self._record(base, "not set")
            return None
        if "rules" in given:
            given["rules"] = Path(self._below_folder((*base, "rules"), given["rules"]))
        sources, delivery = given.pop("sources", []), given.pop("delivery", None)
        own = AlertOptions(**given)
        for key in ALERT_KEYS:
            if key not in ("sources", "delivery"):
                self._record((*base, key), _shown(key, getattr(self._table if key in given else own, key)))
        return AlertOptions(**given, sources=self._sources(sources), delivery=self._delivery(delivery))

    def _sources(self, tables: list[SourceTable]) -> tuple[SourceOptions, ...]:
        base: KeyPath = ("alerts", "sources")
        if not tables:
            self._record(base, "[]")
        seen = set()
        found = []
        for number, table in enumerate(tables):
            given = values_given(table)
            defaults = SourceOptions(connection=table.connection, topic=table.topic)
            if "events" in given:
                given["events"] = MappingProxyType(table.events)
            if "fields" in given:
                given["fields"] = MappingProxyType({**defaults.fields, **values_given(table.fields)})
            options = SourceOptions(**given)
            self._record_each((*base, number), options, SOURCE_KEYS)
            self._check_joined((*base, number), options.connection, {"topic": options.topic})
            if (table.connection, table.topic) in seen:
                self._mistake(
                    (*base, number), "repeats the topic of a source; one source takes all its events"
                )
            seen.add((table.connection, table.topic))
            found.append(options)
        return tuple(found)

    def _delivery(self, table: DeliveryTable | None) -> DeliveryOptions | None:
        base: KeyPath = ("alerts", "delivery")
        if table is None:
            self._record(base, "not set")
            return None
        given = values_given(table)
        given |= {key: MappingProxyType(value) for key, value in given.items() if isinstance(value, dict)}
        given |= {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
        options = DeliveryOptions(**given)
        self._record_each(base, options, DELIVERY_KEYS)
        topics = {"topic": options.topic}
        if options.clear_topic is not None:
            topics["clear_topic"] = options.clear_topic
        self._check_joined(base, options.connection, topics)
        return options

    def _record_each(
        self, base: KeyPath, options: SourceOptions | DeliveryOptions, keys: tuple[str, ...]
    ) -> None:
        for key in keys:
            self._record((*base, key), _shown(key, getattr(options, key)))


def _shown(key: str, value: Any) -> str:
    if value is None:
        return toml_text(NONE) if key in _EVENTS_OR_NONE else "not set"
    return toml_text(value)
