"""Which table stands under which heading of the settings, where tables stand within tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tui.config.alert_tables import ALERT_TABLES
from tui.config.layers import KeyPath
from tui.config.table import Table
from tui.config.watch_tables import WATCH_TABLES

_TABLES: Mapping[str, type[Table]] = MappingProxyType({**ALERT_TABLES, **WATCH_TABLES})

NESTED = ("alerts", "services", "incidents", "metrics")
"""The tables at the top that this module knows."""

_NAMED = ("services", "endpoints")
"""The tables in this one are known by any name, ``NAME`` in the heading."""


def heading_of(table: KeyPath) -> str | None:
    """The heading that begins the table at a path; None where none is known."""
    # Its number in a list is left out.
    parts = [part for part in table if isinstance(part, str)]
    if tuple(parts[:2]) == _NAMED and len(parts) > 2:
        parts[2] = "NAME"
    title = ".".join(parts)
    return next((heading for heading in _TABLES if heading.strip("[]") == title), None)


def keys_of(table: KeyPath) -> dict[str, str | None]:
    """What each key of the table at a path takes, in words; no keys where none is known."""
    heading = heading_of(table)
    if heading is None:
        return {}
    return {name: field.description for name, field in _TABLES[heading].model_fields.items()}


def homes_of(key: str, top: str) -> list[str]:
    """The headings of the tables in ``top``, itself among them, that have this key."""
    return [
        heading
        for heading, table in _TABLES.items()
        if heading.strip("[]").split(".")[0] == top and key in table.model_fields
    ]
