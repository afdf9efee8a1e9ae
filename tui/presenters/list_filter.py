"""Which rows of the dashboard a filter leaves."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tui.engine.api import ConnectionSnapshot, ServiceSnapshot, Snapshot
from tui.presenters.status import steady_indicator


class ListFilter(NamedTuple):
    """Rows in which every part is found, whatever its case."""

    host: str = ""
    environment: str = ""
    terms: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def list_filter(text: str) -> ListFilter:
    """The filter that ``host:saya env:prod words`` asks for."""
    host = environment = ""
    words = []
    for part in text.casefold().split():
        if part.startswith("host:"):
            host = part.removeprefix("host:")
        elif part.startswith("env:"):
            environment = part.removeprefix("env:")
        else:
            words.append(part)
    return ListFilter(host, environment, tuple(words))


def matches(connection: ConnectionSnapshot, text: str, snapshot: Snapshot) -> bool:
    """Whether a connection's name, label, address, topics and state hold all that ``text`` asks for.

    No environment is known of our own connections.
    """
    wanted = list_filter(text)
    if wanted.environment or wanted.host not in connection.address.casefold():
        return False
    state = steady_indicator(connection, snapshot, 0).words
    topics = (channel.topic for channel in connection.channels)
    return _hold(wanted.terms, (connection.name, connection.label, connection.address, state, *topics))


def service_matches(service: ServiceSnapshot, text: str) -> bool:
    """Whether a service's name, host, environment, address, ways of being seen and state hold it all."""
    wanted = list_filter(text)
    host = f"{service.host} {service.url}".casefold()
    if wanted.host not in host or wanted.environment not in service.environment.casefold():
        return False
    ways = (part for sight in service.sights for part in (sight.via, sight.origin))
    texts = (service.name, service.host, service.environment, service.url, service.words, service.freshness)
    return _hold(wanted.terms, (*texts, *ways))


def _hold(words: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    folded = [text.casefold() for text in texts]
    return all(any(word in text for text in folded) for word in words)
