"""Our own join on the topic of the overlays: a hub may take whoever joins there for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tui.alerts.options import DeliveryOptions
from tui.connections.settings import ConnectionSettings, Topic


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
        return tuple(
            replace(each, topics=tuple(self._joined(each.name, topic) for topic in each.topics))
            for each in connections
        )

    def _joined(self, connection: str, topic: Topic) -> Topic:
        params, join_as = topic.params, self._places.get((connection, topic.topic))
        if join_as:
            # Without any of the user's own nothing is to be asked for first, and the join keeps its turn.
            params = dict(join_as) if params is None else params.over(join_as)
        return replace(topic, params=params)
