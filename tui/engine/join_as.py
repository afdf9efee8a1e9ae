"""Our own join on the topic of the overlays: a hub may take whoever joins there for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.alerts.options import DeliveryOptions
from tui.channels import Options
from tui.engine.connection import ConnectionSettings, TopicSettings
from tui.settings.secret import SecretTable


@dataclass(frozen=True, slots=True)
class _Topic:
    topic: str
    params: SecretTable | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Connection:
    name: str
    label: str
    url: str
    topics: Sequence[TopicSettings]
    options: Options


class Naming:
    """Joins with ``join_as`` where alerts are delivered to; what a user set for a topic wins."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], Mapping[str, Any]] = {}

    def named(
        self, connections: Iterable[ConnectionSettings], delivery: DeliveryOptions | None
    ) -> tuple[ConnectionSettings, ...]:
        """The connections, to be joined so from now on.

        Where alerts were delivered to before, the name is kept: a join anew would cost what plays.
        """
        if delivery is not None:
            self._places[delivery.connection, delivery.topic] = delivery.join_as
        return tuple(map(self._named, connections))

    def _named(self, connection: ConnectionSettings) -> ConnectionSettings:
        topics = tuple(self._joined(connection.name, topic) for topic in connection.topics)
        return _Connection(connection.name, connection.label, connection.url, topics, connection.options)

    def _joined(self, connection: str, topic: TopicSettings) -> TopicSettings:
        join_as = self._places.get((connection, topic.topic))
        if not join_as:
            return topic
        # Without any of the user's own nothing is to be asked for first, and the join keeps its turn.
        return _Topic(topic.topic, dict(join_as) if topic.params is None else topic.params.over(join_as))
