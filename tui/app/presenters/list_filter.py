"""Which rows of the dashboard a filter leaves."""

from __future__ import annotations

from functools import lru_cache

from tui.app.presenters.status import steady_indicator
from tui.model.services import ServiceSnapshot
from tui.model.snapshot import ConnectionSnapshot, Snapshot

_PREFIXES = ("host:", "env:")


@lru_cache(maxsize=64)
def typed_filter(text: str, *prefixes: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What ``host:saya env:prod words`` says of each prefix, the last that stands there, and the rest."""
    parts = text.casefold().split()
    named = tuple(
        next((part.removeprefix(each) for part in reversed(parts) if part.startswith(each)), "")
        for each in prefixes
    )
    return (named, tuple(part for part in parts if not part.startswith(prefixes)))


def matches(connection: ConnectionSnapshot, text: str, snapshot: Snapshot) -> bool:
    """Whether a connection's name, label, address, topics and state hold all that ``text`` asks for.

    No environment is known of our own connections.
    """
    (host, environment), terms = typed_filter(text, *_PREFIXES)
    if environment or host not in connection.address.casefold():
        return False
    state = steady_indicator(connection, snapshot, 0).message
    topics = (channel.topic for channel in connection.channels)
    return _hold(terms, (connection.name, connection.label, connection.address, state, *topics))


def service_matches(service: ServiceSnapshot, text: str) -> bool:
    """Whether a service's name, host, environment, address, ways of being seen and state hold it all."""
    (host, environment), terms = typed_filter(text, *_PREFIXES)
    if (
        host not in f"{service.host} {service.url}".casefold()
        or environment not in service.environment.casefold()
    ):
        return False
    ways = (part for seen in service.observations for part in (seen.via, seen.origin))
    texts = (service.name, service.host, service.environment, service.url, service.message, service.freshness)
    return _hold(terms, (*texts, *ways))


def _hold(words: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    folded = [text.casefold() for text in texts]
    return all(any(word in text for text in folded) for word in words)
