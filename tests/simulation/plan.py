"""What happens in an evening, drawn from a seed: viewers, a person, faults. Plain data, to be cut."""

from __future__ import annotations

import random
from typing import Any, Literal, NamedTuple

from tui.alerts.store import KEPT_DAYS
from tui.demo.dialect import DialectName

DIALECTS: tuple[DialectName, ...] = ("plain", "old", "telemetry", "new")

Part = Literal["viewer", "person", "fault"]


class Act(NamedTuple):
    """Something that happens once."""

    at: float
    """Seconds after the evening's beginning."""
    part: Part
    what: str
    how: dict[str, Any]

    def __str__(self) -> str:
        told = " ".join(f"{key}={value}" for key, value in self.how.items())
        return f"{self.at:8.1f} {self.part} {self.what} {told}".rstrip()


class Plan(NamedTuple):
    """One evening.

    Attributes:
        acts: by numbers, in the order of time.
        page: how its page is: what it joins with, what it reads, whether it acknowledges.
    """

    seed: int
    dialect: DialectName
    seconds: float
    acts: dict[int, Act]
    params: dict[str, Any]
    reads: Literal["state", "content"]
    acknowledges: bool
    other: dict[str, Any] | None
    """With what another page joins, which the settings do not list; None for none."""
    waits: bool
    """``wait_for_page``."""
    most_waiting: int = 50
    kept_days: float = KEPT_DAYS

    @property
    def is_vouched_for(self) -> bool:
        """Whether anybody can tell that the page has something on."""
        return self.acknowledges or (self.dialect in ("plain", "telemetry") and self.is_listed)

    @property
    def is_listed(self) -> bool:
        """Whether the settings list the page: one that comes late and reads content alone shows nothing,
        though a hub names it as connected."""
        return bool(self.params) and self.reads == "state"

    def only(self, numbers: set[int]) -> Plan:
        """The same with these of its acts alone; it is over soon after the last of them."""
        acts = {number: act for number, act in self.acts.items() if number in numbers}
        return self._replace(acts=acts, seconds=max((act.at for act in acts.values()), default=0.0))

    def early(self) -> Plan:
        """The same without the time before the first of its acts."""
        first = min((act.at for act in self.acts.values()), default=0.0) - START
        acts = {number: act._replace(at=act.at - first) for number, act in self.acts.items()}
        return self._replace(acts=acts, seconds=self.seconds - first)


START = 15.0
"""Seconds before anything happens."""

FAULTS = {
    "drop": 6, "silence": 3, "mute": 2, "freeze": 3, "restart": 3, "refuse": 2, "forbid": 1, "slow joins": 2,
    "crash": 6, "page away": 4, "page reload": 3, "reload": 1, "clock": 1, "sleep": 1, "kill": 2,
    "stall": 2, "full": 1,
}  # fmt: skip
"""How often each happens beside the others."""

PERSON = {
    "skip": 8, "pause": 3, "resume": 5, "hold": 2, "remove": 2, "move": 1, "requeue": 3, "clear": 1,
    "mute": 1, "panic": 3, "undo": 2, "test": 4, "connect": 1, "reconnect": 1, "disconnect": 1,
}  # fmt: skip

VIEWERS = {"follower": 10, "subscription": 8, "cheer": 8, "redemption": 6, "raid": 2, "resubscription": 3}
TYPES = ("follow", "sub", "resub", "gift", "cheer", "raid", "redemption")


def plan(seed: int, hours: float, dialect: DialectName | None = None) -> Plan:
    """The evening of a seed."""
    random_source = random.Random(f"plan {seed}")
    dialect = dialect or DIALECTS[seed % len(DIALECTS)]
    seconds = hours * 3600
    acts = [
        *_viewers(random_source, seconds),
        *_person(random_source, seconds),
        *_faults(random_source, seconds),
    ]
    acts.sort(key=lambda act: act.at)
    numbered = [*enumerate(acts), *enumerate(_beside(seed, seconds), len(acts))]
    is_plain = dialect == "plain"
    return Plan(
        seed,
        dialect,
        seconds,
        dict(sorted(numbered, key=lambda each: each[1].at)),
        params={"overlay_type": "takeover"} if random_source.random() < 0.8 else {},
        reads="content" if is_plain and random_source.random() < 0.5 else "state",
        acknowledges=is_plain and random_source.random() < 0.7,
        other=random_source.choice((None, None, {}, {"overlay_type": "omnibar", "overlay": "omnibar"})),
        waits=random_source.random() < 0.5,
        most_waiting=3 if seed % 3 == 0 else 50,
    )


def _chosen(random_source: random.Random, weights: dict[str, int]) -> str:
    (chosen,) = random_source.choices(list(weights), weights=list(weights.values()))
    return chosen


def _times(random_source: random.Random, seconds: float, every: float) -> list[float]:
    times, at = list[float](), START
    while (at := at + random_source.expovariate(1 / every)) < seconds:
        times.append(at)
    return times


def _viewers(random_source: random.Random, seconds: float) -> list[Act]:
    number = 0
    acts = list[Act]()

    def add(at: float, kind: str, **fields: Any) -> None:
        nonlocal number
        number += 1
        acts.append(Act(at, "viewer", kind, {"user_name": f"viewer{number}", **fields}))

    for at in _times(random_source, seconds, 12.0):
        add(at, _chosen(random_source, VIEWERS))
    for at in _times(random_source, seconds, 600.0):
        match random_source.choice(("bots", "bomb", "train")):
            case "bots":
                for _ in range(random_source.randint(5, 60)):
                    at += random_source.expovariate(20)
                    add(at, "follower")
            case "bomb":
                total = random_source.choice((5, 20, 50))
                add(at, "gift_subscription", total=total)
                for _ in range(total):
                    add(at, "subscription", is_gift=True)
            case "train":
                for _ in range(random_source.randint(3, 12)):
                    at += random_source.expovariate(1 / 6)
                    add(at, "subscription")
    return acts


def _person(random_source: random.Random, seconds: float) -> list[Act]:
    acts = []
    for at in _times(random_source, seconds, 90.0):
        verb = _chosen(random_source, PERSON)
        how: dict[str, Any] = {}
        if verb == "hold":
            how = {"seconds": random_source.choice((5.0, 30.0, 120.0))}
        elif verb == "mute":
            how = {"type": random_source.choice(TYPES), "seconds": random_source.choice((0.0, 60.0, 300.0))}
        elif verb == "test":
            how = {"type": random_source.choice(TYPES), "count": random_source.choice((1, 1, 1, 3))}
        elif verb == "clear":
            how = {"type": random_source.choice((None, *TYPES))}
        elif verb in ("remove", "move", "requeue"):
            how = {"which": random_source.randrange(5), "position": random_source.randint(1, 3)}
        acts.append(Act(at, "person", verb, how))
        if verb in ("pause", "panic"):
            acts.append(Act(at + random_source.uniform(2, 60), "person", "resume", {}))
        if verb == "disconnect":
            acts.append(Act(at + random_source.uniform(2, 60), "person", "connect", {}))
    return acts


def _beside(seed: int, seconds: float) -> list[Act]:
    """A source may bring an event twice, and somebody try what might grow with what viewers do."""
    random_source = random.Random(f"beside {seed}")
    acts = [Act(at, "viewer", "repeat", {}) for at in _times(random_source, seconds, 200.0)]
    for at in _times(random_source, seconds, 200.0):
        acts.append(Act(at, "person", "test", {"type": random_source.choice(("follow", "sub")), "count": 1}))
    return acts


def _faults(random_source: random.Random, seconds: float) -> list[Act]:
    acts = []
    for at in _times(random_source, seconds, 120.0):
        fault = _chosen(random_source, FAULTS)
        how: dict[str, Any] = {}
        match fault:
            case "page away":
                how = {"seconds": round(random_source.uniform(2, 180), 1)}
            case "mute" | "silence" | "stall" | "full":
                how = {"seconds": round(random_source.uniform(2, 60), 1)}
            case "sleep":
                how = {
                    "seconds": round(2 * 1800 ** random_source.random(), 1),
                    "counted": random_source.random() < 0.3,
                }
            case "freeze" | "slow joins" | "refuse" | "forbid":
                how = {"seconds": round(random_source.uniform(1, 20), 1)}
            case "restart":
                how = {
                    "seconds": round(2 * 60 ** random_source.random(), 1),
                    "graceful": random_source.random() < 0.5,
                }
            case "crash":
                how = {"topic": random_source.choice(("stream:overlays", "stream:overlays", "*"))}
            case "kill":
                how = {"seconds": round(random_source.uniform(0.5, 30), 1)}
            case "clock":
                how = {"seconds": random_source.choice((-7200.0, -90.0, 90.0, 7200.0))}
            case "reload":
                how = {
                    "most_waiting": random_source.choice((5, 50)),
                    "gap": random_source.choice((0.25, 1.0)),
                }
            case "drop":
                how = {"who": random_source.choice(("engine", "all", "page"))}
        acts.append(Act(at, "fault", fault, how))
    return acts
