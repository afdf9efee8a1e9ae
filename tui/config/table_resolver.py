"""What all that comes of tables within tables has in common: what is in force of them, and what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.config.errors import layer_of, place_of
from tui.config.layers import KeyPath, Layer, dotted
from tui.config.model import ConnectionTable
from tui.config.table import Table
from tui.connections.settings import InForce
from tui.text.nearest import nearest


class TableResolver:
    """Notes what is in force of a table, and the mistakes in it.

    Attributes:
        in_force: in the order in which it was noted.
        mistakes: one line for each; what the table came to is not to be used after one.
    """

    def __init__(self, connections: Mapping[str, ConnectionTable], layers: list[Layer]) -> None:
        self._topics = {
            name: {entry.topic for entry in connection.topics} for name, connection in connections.items()
        }
        self._layers = layers
        self.in_force: list[InForce] = []
        self.mistakes: list[str] = []

    def _check_joined(self, base: KeyPath, connection: str, topics: Mapping[str, str]) -> None:
        """What is read or shown on a channel needs one that the supervisor keeps joined."""
        if connection not in self._topics:
            known = tuple(self._topics)
            words = (
                f"no such connection; nearest known: {nearest(connection[:100], known)}"
                if known
                else ("no such connection; expected [connections.NAME] with a url")
            )
            self._mistake((*base, "connection"), words)
            return
        for key, topic in topics.items():
            if topic not in self._topics[connection]:
                path: KeyPath = (*base, key)
                # Only our own default is named: what was given is no part of a message.
                name = f"this topic; add it to connections.{connection}.topics"
                if layer_of(path, self._layers) is None:
                    path, name = base, f'the topic "{topic}"; add it to connections.{connection}.topics'
                self._mistake(path, f"connections.{connection} does not join {name}")

    def _below_folder(self, path: KeyPath, file: str) -> str:
        """The path of a file that stands at ``path``; a relative one starts at the settings file's folder."""
        return os.path.join(self._folder(path), os.path.expanduser(file))

    def _folder(self, path: KeyPath) -> Path:
        """Where relative paths in the value at ``path`` start."""
        layer = layer_of(path, self._layers)
        return (layer.folder if layer else None) or Path.cwd()

    def _record(self, path: KeyPath, text: str) -> None:
        self.in_force.append(InForce(key=dotted(path), text=text, place=place_of(path, self._layers)))

    def _mistake(self, path: KeyPath, words: str) -> None:
        layer = layer_of(path, self._layers)
        self.mistakes.append(f"{layer.describe(path) if layer else dotted(path)}: {words}")


def values_given(table: Table) -> dict[str, Any]:
    """The values of a table that were given, by their keys."""
    return {name: getattr(table, name) for name in type(table).model_fields if name in table.model_fields_set}
