"""Our own join on the topic of the overlays: a hub may take whoever joins there for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui.alerts.options import DeliveryOptions
from tui.channels import Options
from tui.engine.connection import ConnectionSettings, TopicSettings
from tui.settings.secret import SecretTable


@dataclass(frozen=True, slots=True)
class _Topic:
    topic: str
    params: SecretTable | None


@dataclass(frozen=True, slots=True)
class _Connection:
    name: str
    label: str
    url: str
    topics: Sequence[TopicSettings]
    options: Options


def naming_us(
    connections: Iterable[ConnectionSettings], delivery: DeliveryOptions | None
) -> tuple[ConnectionSettings, ...]:
    """The connections, the join on the delivery's topic with ``join_as``; what a user set there wins."""
    if delivery is None or not delivery.join_as:
        return tuple(connections)
    return tuple(_named(each, delivery) if each.name == delivery.connection else each for each in connections)


def _named(connection: ConnectionSettings, delivery: DeliveryOptions) -> ConnectionSettings:
    topics = tuple(
        _Topic(topic.topic, (topic.params or SecretTable({})).over(delivery.join_as))
        if topic.topic == delivery.topic
        else topic
        for topic in connection.topics
    )
    return _Connection(connection.name, connection.label, connection.url, topics, connection.options)
