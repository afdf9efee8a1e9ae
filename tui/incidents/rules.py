"""What counts as wrong: rules on a snapshot, and the little that has to be remembered between two of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tui.channels.channel import CLOSED_BY_SERVER
from tui.incidents.options import IncidentsOptions
from tui.model.alerts import AlertsSnapshot
from tui.model.incidents import IncidentRule
from tui.model.services import MISSING, NOT_REPORTED, Observation, ServiceSnapshot
from tui.model.snapshot import ChannelSnapshot, ConnectionSnapshot, Snapshot
from tui.text import formats
from tui.text.formats import counted

LEAST_ROUND_TRIPS = 5
"""Answered heartbeats from which their p95 says something."""

GROWN_FOR = 60.0
"""Seconds that a counter must stand still until its growth is over."""

AWAY_FOR = 60.0
"""Seconds after which a source of alerts that is away is one of the queue's troubles."""

HELD_AFTER = 5.0
"""Seconds between two looks after which the process must have been held, or the machine asleep: what was
not heard in that time says nothing."""

UNANSWERED_INTERVALS = 3
UNANSWERED_FOR = 30.0
"""Heartbeats without an answer must last for so many intervals and so many seconds."""

UNANSWERED = "data comes, but heartbeats are not answered"

JOIN_TIMEOUT = 10.0

LOOP_LATE = 1.0
"""Seconds by which the engine's own loop is too late."""

ENGINE = "engine"
"""The subject of what is wrong with the engine itself."""

ALERTS = "alerts"
"""The subject of the alert queue's troubles."""

_MOST_WORDS = 300
_MOST_RECONNECTS = 1000
_NOT_CONNECTED = "not connected"


class Finding(NamedTuple):
    """One thing that is wrong. The words may hold text from the network."""

    rule: IncidentRule
    subject: str
    """The connection, the connection and topic, the service's key, or :data:`ALERTS`."""
    message: str
    """At most 300 characters; they change when the trouble does, never with the time alone."""
    connections: tuple[str, ...] = ()
    """Whose past belongs to it."""
    is_certain: bool = True
    """False when nobody can tell now, such as while the link is away: keeps open what is, opens nothing."""


@dataclass(slots=True)
class _Growth:
    """What a counter grew by since it last stood still for :data:`GROWN_FOR`."""

    grown: int = 0
    _count: int = 0
    _grew_at: float = 0.0

    def poll(self, count: int, now: float) -> None:
        before = 0 if count < self._count else self._count  # a new connection counts from 0
        if count > before:
            self.grown += count - before
            self._grew_at = now
        elif self.grown and now - self._grew_at > GROWN_FOR:
            self.grown = 0
        self._count = count

    def settle(self, count: int) -> None:
        """All of it until now is of no account."""
        self.grown, self._count = 0, count


@dataclass(slots=True)
class _Channel:
    """What is remembered of one topic."""

    _received: int
    joined_since: float | None = None
    """Without a break; while nobody listened does not count."""
    heard_at: float = float("-inf")
    is_silent: bool = False
    """It was, and nothing has come since."""
    failure: str | None = None
    """Why it is not joined, since the link was connected."""
    message: str | None = None
    """The last words on that, until it is joined."""
    was_closed: bool = False
    """By the server, and it is neither joined nor refused since."""
    is_closed: bool = False
    _waits_since: float | None = None
    _joins: int = 0

    def poll(
        self, channel: ChannelSnapshot, now: float, *, connected: bool, was_held: bool, limit: float
    ) -> None:
        if channel.received > self._received:
            self.heard_at, self.is_silent = now, False
        self._received = channel.received
        if connected and channel.state == "joined":
            if self.joined_since is None or channel.joins != self._joins or was_held:
                self.joined_since, self._joins = now, channel.joins
            self.failure = self.message = self._waits_since = None
            self.was_closed = self.is_closed = False
            return
        self.joined_since = None
        self.is_closed = connected and channel.state == "closed" and channel.reason == CLOSED_BY_SERVER
        if self.is_closed:
            self.was_closed, self.failure, self.message, self._waits_since = True, None, None, None
            return
        if not connected:
            # Whether it still is refused, the next join will tell.
            self.failure = self._waits_since = None
            return
        if self._waits_since is None or was_held:
            self._waits_since = now
        if channel.state == "errored" and channel.reason not in (None, _NOT_CONNECTED):
            self.failure = channel.reason
        elif self.failure is None and now - self._waits_since > limit:
            why = "" if channel.reason in (None, channel.state) else f": {channel.reason}"
            self.failure = f"not joined for more than {limit:g} s{why}"
        self.message = self.failure or self.message
        self.was_closed = self.was_closed and self.failure is None

    def is_quiet(self, now: float, after: float) -> bool:
        """Nothing came for ``after`` seconds in which it was joined."""
        since = self.joined_since
        return since is not None and now - max(since, self.heard_at) >= after


class _Link:
    """What is remembered of one connection."""

    def __init__(self, total_reconnects: int) -> None:
        self.reconnects: deque[float] = deque(maxlen=_MOST_RECONNECTS)
        self.undecodable = _Growth()
        self.channels: dict[str, _Channel] = {}
        self._total = total_reconnects

    def poll(self, connection: ConnectionSnapshot, now: float, window: float) -> None:
        metrics = connection.metrics
        new = metrics.total_reconnects - (0 if metrics.total_reconnects < self._total else self._total)
        self._total = metrics.total_reconnects
        # A reconnect that a person asked for was no retry, and takes a while to be stable.
        was_asked_for = metrics.reconnect_attempts == 0 and not connection.details.stable
        if new and not was_asked_for:
            self.reconnects.extend([now] * min(new, _MOST_RECONNECTS))
        while self.reconnects and now - self.reconnects[0] > window:
            self.reconnects.popleft()
        self.undecodable.poll(connection.details.undecodable, now)

    def forget(self, connection: ConnectionSnapshot) -> None:
        """A person took it off: what was wrong with it is nobody's concern any more."""
        self.reconnects.clear()
        self.channels.clear()
        self.undecodable.settle(connection.details.undecodable)


class Memory:
    """What :func:`judge` has to know of the time before; of one engine, and used by nobody else.

    Args:
        join_timeout: the seconds that a join of a connection, given by its name, may take.
    """

    def __init__(self, join_timeout: Callable[[str], float] = lambda name: JOIN_TIMEOUT) -> None:
        self.join_timeout = join_timeout
        self.links: dict[str, _Link] = {}
        """Of the connections of the snapshot that was looked at last."""
        self.dropped = _Growth()
        """Alerts that the queue dropped."""
        self.failed = _Growth()
        """Alerts that could not be shown."""
        self._away: dict[str, float] = {}
        self._looked_at: float | None = None

    def poll(self, snapshot: Snapshot, now: float, options: IncidentsOptions) -> None:
        was_held = self._looked_at is not None and now - self._looked_at > HELD_AFTER
        self._looked_at = now
        before, self.links = self.links, {}
        for each in snapshot.connections:
            link = before.get(each.name) or _Link(each.metrics.total_reconnects)
            self.links[each.name] = link
            self._look_at_link(link, each, now, options, was_held=was_held)
        if snapshot.alerts is not None:
            self._look_at_alerts(snapshot.alerts, now, was_held=was_held)

    def _look_at_link(
        self,
        link: _Link,
        connection: ConnectionSnapshot,
        now: float,
        options: IncidentsOptions,
        *,
        was_held: bool,
    ) -> None:
        link.poll(connection, now, options.flapping_minutes * 60)
        if _is_off(connection):
            link.forget(connection)
            return
        connected = _is_connected(connection)
        limit = self.join_timeout(connection.name)
        before, link.channels = link.channels, {}
        for channel in connection.channels:
            known = before.get(channel.topic) or _Channel(channel.received)
            link.channels[channel.topic] = known
            known.poll(channel, now, connected=connected, was_held=was_held, limit=limit)

    def _look_at_alerts(self, alerts: AlertsSnapshot, now: float, *, was_held: bool) -> None:
        for growth, outcome in ((self.dropped, "dropped"), (self.failed, "failed")):
            growth.poll(sum(each.get(outcome, 0) for each in alerts.counts.values()), now)
        before = {} if was_held else self._away
        self._away = {each.source: before.get(each.source, now) for each in alerts.away}

    def channel(self, name: str, topic: str) -> _Channel | None:
        """Of a topic; None where there is none, or where a person took the link off."""
        link = self.links.get(name)
        return None if link is None else link.channels.get(topic)

    def away(self, now: float) -> list[str]:
        """The sources of alerts that have been away for :data:`AWAY_FOR`."""
        return [source for source, since in self._away.items() if now - since > AWAY_FOR]


def judge(snapshot: Snapshot, now: float, memory: Memory, options: IncidentsOptions) -> list[Finding]:
    """Everything that is wrong, each rule and subject once.

    Nothing is found of a connection that a person disconnected, nor by a rule that is off.

    Args:
        snapshot: the engine's, each in its turn.
        now: seconds by the monotonic clock.
        memory: of the snapshots before; is brought up to this one.
    """
    memory.poll(snapshot, now, options)
    connections = {each.name: each for each in snapshot.connections}
    found = [
        finding
        for connection in snapshot.connections
        if not _is_off(connection)
        for finding in _of_link(connection, snapshot.taken_at, memory, options)
    ]
    found += _silence(connections, now, memory, options)
    for service in snapshot.services.services:
        found += _of_service(service, connections, now, memory)
    if snapshot.alerts is not None:
        found += _of_alerts(snapshot.alerts, connections, now, memory)
    if snapshot.loop_delay_seconds > LOOP_LATE:
        words = f"our own loop was {snapshot.loop_delay_seconds:.1f} s late"
        found.append(Finding("loop_late", ENGINE, words))
    return [
        each._replace(message=each.message[:_MOST_WORDS]) for each in found if each.rule not in options.off
    ]


def _is_off(connection: ConnectionSnapshot) -> bool:
    return connection.metrics.connection_state == "disconnected"


def _is_connected(connection: ConnectionSnapshot) -> bool:
    return connection.metrics.connection_state == "connected"


# Our own links


def _of_link(
    connection: ConnectionSnapshot, taken_at: float, memory: Memory, options: IncidentsOptions
) -> Iterator[Finding]:
    name, details = connection.name, connection.details
    link, concerned = memory.links[name], (connection.name,)
    yield from _failure(connection)
    reconnects = len(link.reconnects)
    if reconnects >= options.flapping_reconnects:
        words = f"{reconnects} reconnects within {options.flapping_minutes:g} min"
        yield Finding("flapping", name, words, concerned)
    unanswered_since = details.heartbeats_unanswered_since
    if unanswered_since is not None or not _is_connected(connection):
        # Nobody can tell then how slow they are.
        yield Finding("slow_heartbeat", name, "", concerned, is_certain=False)
        lasts = 0.0 if unanswered_since is None else taken_at - unanswered_since
        is_certain = lasts >= max(UNANSWERED_INTERVALS * connection.heartbeat_interval, UNANSWERED_FOR)
        yield Finding("heartbeats_unanswered", name, UNANSWERED, concerned, is_certain)
    p95 = details.round_trip_p95
    slow = p95 is not None and p95 > options.slow_heartbeat
    judged = details.heartbeats_answered - details.round_trips_unjudged
    if slow and judged >= LEAST_ROUND_TRIPS and _is_connected(connection):
        words = f"p95 of the round trips {formats.round_trip(p95)}, the limit is "
        words += formats.round_trip(options.slow_heartbeat)
        yield Finding("slow_heartbeat", name, words, concerned)
    if link.undecodable.grown:
        words = f"{link.undecodable.grown} frames or payloads did not decode"
        yield Finding("undecodable", name, words, concerned)
    for topic, channel in link.channels.items():
        if channel.message is not None:
            is_certain = channel.failure is not None
            yield Finding("channel_refused", f"{name} {topic}", channel.message, concerned, is_certain)
        if channel.was_closed:
            yield Finding("topic_closed", f"{name} {topic}", CLOSED_BY_SERVER, concerned, channel.is_closed)


def _failure(connection: ConnectionSnapshot) -> Iterator[Finding]:
    """Failed, or failed with the breaker open; over when it has been connected for long enough to count."""
    metrics, trouble, name = connection.metrics, connection.trouble, connection.name
    words = (
        trouble.message if trouble is not None else connection.details.reason
    ) or metrics.connection_state
    has_failed = metrics.connection_state == "failed" or (trouble is not None and trouble.state == "failed")
    if has_failed or metrics.is_circuit_open:
        by_breaker = metrics.is_circuit_open or (trouble is not None and trouble.circuit_open)
        yield Finding("breaker_open" if by_breaker else "failed", name, words, (name,))
    elif not connection.details.stable:
        yield Finding("breaker_open", name, words, (name,), is_certain=False)
        yield Finding("failed", name, words, (name,), is_certain=False)


def _silence(
    connections: Mapping[str, ConnectionSnapshot], now: float, memory: Memory, options: IncidentsOptions
) -> Iterator[Finding]:
    for each in options.silent:
        channel = memory.channel(each.connection, each.topic)
        if channel is None or each.connection not in connections:
            continue
        is_certain = channel.is_quiet(now, each.after)
        channel.is_silent = channel.is_silent or is_certain
        if channel.is_silent:
            words = f"nothing came for {each.after:g} s"
            subject = f"{each.connection} {each.topic}"
            yield Finding("silent_topic", subject, words, (each.connection,), is_certain)


# Services of others


def _of_service(
    service: ServiceSnapshot, connections: Mapping[str, ConnectionSnapshot], now: float, memory: Memory
) -> Iterator[Finding]:
    noted = [seen for seen in service.observations if seen.via != "http" and seen.freshness != "never"]
    if noted and not any(seen.freshness == "fresh" for seen in noted):
        carriers = [_carrier(seen) for seen in noted]
        if not all(name in connections and _is_off(connections[name]) for name, _ in carriers):
            is_certain = not any(_is_excused(seen, now, memory) for seen in noted)
            words = "; ".join(_staleness(seen) for seen in noted)
            before = service.message.removeprefix(f"{NOT_REPORTED}, ")
            if service.freshness != "fresh" and before.startswith("was "):
                words += f"; it {before}"
            names = tuple(dict.fromkeys(name for name, _ in carriers))
            yield Finding("report_stale", service.key, words, names, is_certain)
    bad = [seen for seen in service.observations if seen.via == "http" and seen.state == "bad"]
    if bad:
        # One that never answered is as bad as one that does not any more; of one that nobody could ask since
        # then, nobody knows.
        is_certain = any(seen.freshness in ("fresh", "never") for seen in bad)
        words = "; ".join(dict.fromkeys(seen.message for seen in bad))
        yield Finding("endpoint_unhealthy", service.key, words, (), is_certain)


def _carrier(seen: Observation) -> tuple[str, str]:
    """The connection and topic that bring it."""
    name, _, topic = seen.origin.partition(" ")
    return name, topic


def _is_excused(seen: Observation, now: float, memory: Memory) -> bool:
    """It is our own link that is away, or was until just now; that has an incident of its own."""
    channel = memory.channel(*_carrier(seen))
    if channel is None or channel.joined_since is None:
        return True
    return seen.message != NOT_REPORTED and now - channel.joined_since <= seen.stale_after


def _staleness(seen: Observation) -> str:
    if seen.message == NOT_REPORTED:
        return f"{NOT_REPORTED} any more on {seen.origin}"
    times = MISSING if seen.freshness == "missing" else 1
    return f"no word for {formats.duration(times * seen.stale_after)} on {seen.origin}"


# The alert queue


def _of_alerts(
    alerts: AlertsSnapshot, connections: Mapping[str, ConnectionSnapshot], now: float, memory: Memory
) -> Iterator[Finding]:
    troubles: list[str] = []
    concerned: list[str] = []
    for count, what in ((memory.dropped.grown, "dropped"), (memory.failed.grown, "failed")):
        if count:
            troubles.append(f"{counted(count, 'alert')} {what}")
    if alerts.store_fails:
        # What was dropped changes all the time.
        troubles.append(f"the store: {(alerts.store or '').partition(';')[0]}")
    for source in memory.away(now):
        name = source.partition(" ")[0]
        if name in connections and _is_off(connections[name]):
            continue
        concerned.append(name)
        troubles.append(f"{source} is away: alerts in it are not seen")
    if troubles:
        if alerts.delivers_to is not None:
            concerned.append(alerts.delivers_to.partition(" ")[0])
        yield Finding("queue_dropping", ALERTS, "; ".join(troubles), tuple(dict.fromkeys(concerned)))
