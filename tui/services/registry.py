"""Services and the sights of them: who is who, how old the words are, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tui.channels.clock import Clock
from tui.connections.minutes import HOUR, Minutes
from tui.model.history import Spent
from tui.model.services import (
    MISSING,
    NOT_REPORTED,
    Freshness,
    Observation,
    ServiceSnapshot,
    ServiceState,
    Via,
)
from tui.services.figures import MOST_WORDS
from tui.services.payloads import RANK, Report
from tui.services.sources import ReportSource

FORGOTTEN_AFTER = 86_400.0
"""Seconds after its last word that a service which no settings name is forgotten."""


MOST_LEFT_OUT = 1000
"""Left out services that are told apart; beyond it they are not counted any more."""

NEVER_SEEN = "never seen"

_FRESHEST: dict[Freshness, int] = {"fresh": 0, "stale": 1, "missing": 2, "never": 3}
_FIRST: dict[Via, int] = {"report": 0, "http": 1, "hub": 2}
_SPENT: dict[ServiceState, Spent] = {"good": "well", "off": "asked", "unknown": "unknown"}


class ObservationKey(NamedTuple):
    """One way in which a service is seen."""

    source: str
    """Unique to each topic and event, and to each endpoint."""
    with_host: bool
    """The words name a host. One that names none may come from another reporter than one that does."""


@dataclass(eq=False, slots=True)
class ServiceObservation:
    """One sight of one service.

    Attributes:
        carrier: brings its words, None where nothing of ours does. While it is away, and until the next word,
            what a hub said of others is not fresh; a service's own report is good for its time all the same.
    """

    via: Via
    origin: str
    stale_after: float
    carrier: ReportSource | None = None
    noted: Report = field(default_factory=Report)
    heard_at: float | None = None
    """When the newest word came, by the monotonic clock; None before the first."""
    reported_at: float | None = None
    """The same in epoch seconds."""
    answered_at: float | None = None
    """When an endpoint last gave an answer, in epoch seconds."""
    is_named: bool = True
    """False when its hub reports, and does not name it any more."""
    _snapshot: Observation | None = None
    _snapshot_of: tuple[object, ...] = ()

    def hear(self, noted: Report, now: float, wall: float) -> None:
        self.noted, self.heard_at, self.reported_at, self.is_named = noted, now, wall, True

    def freshness(self, now: float) -> Freshness:
        if self.heard_at is None:
            return "never"
        age = now - self.heard_at
        if age > MISSING * self.stale_after:
            return "missing"
        if age > self.stale_after or not self.is_named or self._is_cut_off():
            return "stale"
        return "fresh"

    def _is_cut_off(self) -> bool:
        """Its carrier is away, or was since the word came."""
        if self.via != "hub" or self.carrier is None or self.heard_at is None:
            return False
        since = self.carrier.joined_since
        return since is None or self.heard_at < since

    def is_excused(self, now: float) -> bool:
        """Its silence is our own link's, or has not lasted its time since that came back."""
        if self.carrier is None or not self.is_named:
            return False
        since = self.carrier.heeded_since
        return since is None or now - since <= self.stale_after

    def snapshot(self, freshness: Freshness) -> Observation:
        """As it stands; the same object as long as it is the same."""
        key = (self.noted, freshness, self.reported_at, self.is_named, self.stale_after)
        if self._snapshot is None or key != self._snapshot_of:
            noted, named = self.noted, self.is_named
            self._snapshot_of = key
            self._snapshot = Observation(
                via=self.via,
                origin=self.origin,
                message=noted.message if named else NOT_REPORTED,
                state=noted.state if named else "unknown",
                freshness=freshness,
                reported_at=self.reported_at,
                stale_after=self.stale_after,
                metrics=noted.metrics,
                last_error=noted.last_error,
                close_code=noted.close_code,
                figures=noted.figures,
            )
        return self._snapshot


class ServiceRow:
    """One service.

    Args:
        shown_host: what to show as its host while no word names one.
    """

    def __init__(self, clock: Clock, name: str, host: str, *, shown_host: str = "") -> None:
        self.name = name
        self.host = host
        self.shown_host = shown_host
        self.observations: dict[ObservationKey, ServiceObservation] = {}
        self.state: ServiceState = "unknown"
        self.message = NEVER_SEEN
        self.freshness: Freshness = "never"
        self.since: float | None = None
        self.noted_state: ServiceState | None = None
        """The last state that was written down, by whoever does."""
        self.noted_at = 0.0
        self.noted_since: float | None = None
        self._clock = clock
        self._minutes = Minutes(clock, HOUR)
        self._last_words = ""
        self._environment = ""
        self._url = ""
        self._snapshot: ServiceSnapshot | None = None

    @property
    def key(self) -> str:
        """``name@host``, or the name alone; unique, since a host holds no ``@``."""
        return f"{self.name}@{self.host}" if self.host or "@" in self.name else self.name

    @property
    def is_configured(self) -> bool:
        """The settings name it; it is never forgotten."""
        return any(seen.via == "http" for seen in self.observations.values())

    @property
    def label(self) -> str:
        host = self.host or self.shown_host
        return f"{self.name} on {host}" if host else self.name

    def poll(self) -> None:
        """Come to the state that the sights say now, and put down how the time until now was spent."""
        now = self._clock.monotonic()
        self._minutes.spent(_SPENT.get(self.state, "otherwise"))
        observations = sorted(self.observations.values(), key=lambda seen: _FIRST[seen.via])
        ages = [seen.freshness(now) for seen in observations]
        self.freshness = min(ages, key=_FRESHEST.__getitem__, default="never")
        fresh = [seen for seen, age in zip(observations, ages, strict=True) if age == "fresh"]
        worst = max(fresh, key=lambda seen: RANK[seen.noted.state], default=None)
        if worst is not None:
            self._become(worst.noted.state, worst.noted.since)
            self.message = self._last_words = worst.noted.message or "no state given"
        else:
            self._become("unknown", None)
            self.message = self._absence(observations)
        for seen in observations:
            self._environment = seen.noted.environment or self._environment
            self._url = seen.noted.url or self._url or (seen.origin if seen.via == "http" else "")
        found = tuple(seen.snapshot(age) for seen, age in zip(observations, ages, strict=True))
        self._publish(found)

    def _become(self, state: ServiceState, reported: float | None) -> None:
        if state == self.state and self.since is not None:
            return
        wall = self._clock.time()
        if self.freshness == "never":
            since = None
        elif self.state == "unknown" and reported is not None:
            # Nothing that we saw contradicts what it says of the time before.
            since = min(reported, wall)
        else:
            since = wall
        self.state, self.since = state, since

    def _absence(self, observations: list[ServiceObservation]) -> str:
        if self.freshness == "never":
            reason = next((seen.noted.message for seen in observations if seen.noted.message), "")
            words = f"{NEVER_SEEN}: {reason}" if reason else NEVER_SEEN
        else:
            words = f"was {self._last_words}" if self._last_words else "not known"
            if any(not seen.is_named for seen in observations):
                words = f"{NOT_REPORTED}, {words}"
        return words[:MOST_WORDS]

    def _publish(self, observations: tuple[Observation, ...]) -> None:
        hour, last = self._minutes.hour(), self._snapshot
        if (
            last is not None
            and last.hour is hour
            and last.state == self.state
            and last.message == self.message
            and last.freshness == self.freshness
            and len(last.observations) == len(observations)
            and all(one is other for one, other in zip(last.observations, observations, strict=True))
            and last.key == self.key
        ):
            return
        reported = [seen.reported_at for seen in observations if seen.reported_at is not None]
        self._snapshot = ServiceSnapshot(
            key=self.key,
            name=self.name,
            host=self.host or self.shown_host,
            environment=self._environment,
            url=self._url,
            state=self.state,
            message=self.message,
            freshness=self.freshness,
            reported_at=max(reported, default=None),
            since=self.since,
            observations=observations,
            hour=hour,
        )

    @property
    def snapshot(self) -> ServiceSnapshot:
        """As of the last look; the same object as long as it is the same."""
        if self._snapshot is None:
            self.poll()
        assert self._snapshot is not None
        return self._snapshot

    def is_excused(self, now: float) -> bool:
        """It is our own link that is away, or was until just now."""
        return any(seen.is_excused(now) for seen in self.observations.values())

    @property
    def heard_at(self) -> float | None:
        return max((s.heard_at for s in self.observations.values() if s.heard_at is not None), default=None)


class ServiceRows:
    """All services, each once.

    A service is known by its name and its host. A sight without host belongs to the only service of its name;
    where there is none, or several, it has a row of its own. So the row of a name that nobody gave a host yet
    takes the first host that is told for it, and a sight without host leaves the row of the first when a
    second host turns up.

    Args:
        most: services that are held; one that the settings name always is.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self.most = most
        self._clock = clock
        self._by_name: dict[str, dict[str, ServiceRow]] = {}
        self._count = 0
        self._places: dict[tuple[str, str, str], ServiceRow] = {}
        """Where the words of a source on a name and a host went last."""
        self._left_out: dict[tuple[str, str], float] = {}

    def __iter__(self) -> Iterator[ServiceRow]:
        for family in self._by_name.values():
            yield from family.values()

    def __len__(self) -> int:
        return self._count

    @property
    def left_out(self) -> int:
        """Services beyond the bound that were heard of within a day, at most :data:`MOST_LEFT_OUT`."""
        return len(self._left_out)

    def find(
        self, source: str, name: str, host: str, *, shown_host: str = "", always: bool = False
    ) -> ServiceRow | None:
        """The row of a service, made if need be; None when there is no room.

        Args:
            source: whose words on it are asked for; a sight of it that is elsewhere is taken away there.
            host: empty when it is not told.
            shown_host: the host that the settings have for it.
            always: whether there is room or not.
        """
        row = self._row(name, host, shown_host)
        if row is None:
            if self._count >= self.most and not always:
                if len(self._left_out) < MOST_LEFT_OUT or (name, host) in self._left_out:
                    self._left_out[(name, host)] = self._clock.monotonic()
                return None
            row = ServiceRow(self._clock, name, host)
            self._by_name.setdefault(name, {})[host] = row
            self._count += 1
            self._left_out.pop((name, host), None)
        row.shown_host = shown_host or row.shown_host
        place = (source, name, host)
        before = self._places.get(place)
        if before is not row:
            if before is not None:
                self._take_away(before, ObservationKey(source, bool(host)))
            self._places[place] = row
        return row

    def _row(self, name: str, host: str, shown_host: str) -> ServiceRow | None:
        family = self._by_name.get(name)
        if family is None:
            return None
        if not host:
            hosts = [known for known in family if known]
            if len(hosts) == 1:
                return family[hosts[0]]
            # Of several it may be the one whose host the settings say without calling it by its name.
            return family.get(shown_host) if shown_host in hosts else family.get("")
        if host not in family and len(family) == 1 and "" in family:
            row = family.pop("")
            row.host = host
            family[host] = row
        return family.get(host)

    def _take_away(self, row: ServiceRow, key: ObservationKey) -> None:
        row.observations.pop(key, None)
        if not row.observations:
            self._remove(row)

    def _remove(self, row: ServiceRow) -> None:
        family = self._by_name.get(row.name, {})
        if family.get(row.host) is not row:
            return
        del family[row.host]
        if not family:
            del self._by_name[row.name]
        self._count -= 1
        for place in [place for place, there in self._places.items() if there is row]:
            del self._places[place]

    def of_source(self, source: str) -> Iterator[tuple[str, ServiceObservation]]:
        """The sights of one source, each with the name that it is known by."""
        for (known, name, host), row in self._places.items():
            if (
                known == source
                and (seen := row.observations.get(ObservationKey(source, bool(host)))) is not None
            ):
                yield name, seen

    def keep_sources(self, sources: set[str]) -> None:
        """Drop the sights of every other source, and the services that were seen in no other way."""
        for source, name, host in [place for place in self._places if place[0] not in sources]:
            row = self._places.pop((source, name, host), None)
            if row is not None:
                self._take_away(row, ObservationKey(source, bool(host)))

    def forget(self) -> None:
        """Remove what has not been heard of for a day, or for twice the time after which it is stale, save
        what the settings name."""
        now = self._clock.monotonic()
        for row in [row for row in self if not row.is_configured]:
            stale_after = max((seen.stale_after for seen in row.observations.values()), default=0.0)
            heard_at = row.heard_at
            if heard_at is not None and now - heard_at >= max(FORGOTTEN_AFTER, 2 * stale_after):
                self._remove(row)
        oldest = now - FORGOTTEN_AFTER
        self._left_out = {key: at for key, at in self._left_out.items() if at > oldest}
