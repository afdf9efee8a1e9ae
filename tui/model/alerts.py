"""What leaves the engine of its alert queue, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from tui.model.bounds import DAY, MAX_POSITION, MAX_TEST_ALERTS, Id, Name

AlertOutcome = Literal[
    "shown", "unconfirmed", "skipped", "removed", "expired", "dropped", "muted", "collapsed", "failed",
    "rejected",
]  # fmt: skip

AlertVerb = Literal[
    "pause", "resume", "hold", "skip", "remove", "move", "requeue", "clear", "mute", "panic", "undo", "test",
]  # fmt: skip

AlertMode = Literal["idle", "playing", "paused", "held", "waiting for overlays"]
"""Held is a pause that ends by itself."""


class AlertSummary(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="alert"
):
    """One alert without its payload. All texts are from the network. Times are epoch seconds."""

    id: str
    type: str
    who: str = ""
    title: str = ""
    message: str = ""
    priority: int = 5
    """1 to 10; 10 goes first."""
    count: int = 1
    """How many viewers it stands for."""
    duration: float = 0.0
    source: str = ""
    accepted_at: float = 0.0
    state: Literal["waiting", "playing", "ended"] = "waiting"
    phase: Literal["", "sending", "retrying", "on air"] = ""
    """Of a playing one: on air once the hub answered."""
    sent_at: float | None = None
    ends_at: float | None = None
    """Of one that is on air."""
    confirmed: bool = False
    """An overlay is known to show it, or to have shown it."""
    outcome: AlertOutcome | None = None
    reason: str | None = None
    ended_at: float | None = None
    held: bool = False
    """In memory only: the store has not answered yet."""


class SourceAway(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="away"):
    """A time in which a source was away: alerts in it were not seen. Times are epoch seconds."""

    source: str
    since: float
    until: float | None = None
    """None while it lasts."""


class OverlayPage(msgspec.Struct, frozen=True, kw_only=True):
    """As the hub last reported it."""

    name: str
    connected: bool
    reported_at: float


class AlertsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    mode: AlertMode = "idle"
    message: str = ""
    """Why it waits, in words; may hold text from the network."""
    held_until: float | None = None
    """Epoch seconds; of mode ``held``."""
    playing: AlertSummary | None = None
    beside: tuple[AlertSummary, ...] = ()
    """Shown beside the queue, by a rule's bypass."""
    waiting: tuple[AlertSummary, ...] = ()
    """In the order in which they will be shown."""
    most_waiting: int = 50
    recent: tuple[AlertSummary | SourceAway, ...] = ()
    """What ended last and when sources were away, the newest first, at most 50."""
    accepted: int = 0
    """Since the start; with those restored the sum of what waits, plays, is beside, and of all outcomes."""
    restored: int = 0
    """Taken up again from an earlier run."""
    counts: dict[str, dict[str, int]] = {}
    """How many ended since the start: by type, then outcome."""
    ignored: int = 0
    duplicates: int = 0
    unmapped: dict[str, int] = {}
    """How often what came that no source maps to a type: by event, or ``EVENT:KIND``, the most frequent
    first; at most 100, and ``(others)``. Text from the network."""
    mutes: dict[str, float] = {}
    """Epoch seconds until which a type is muted."""
    away: tuple[SourceAway, ...] = ()
    overlays: tuple[OverlayPage, ...] = ()
    delivers_to: str | None = None
    """Such as ``stage stream:overlays``; None when no delivery is set up."""
    can_clear: bool = False
    """What plays can be taken off the overlays."""
    can_undo: bool = False
    unsaved: int = 0
    """Alerts that the store has not answered for."""
    store: str | None = None
    """What is to be said of the store; None while it answers and lost nothing."""
    store_fails: bool = False
    """It does not answer, or cannot write."""
    rules: str | None = None
    """What is wrong with the rules' file; None while it is used, or none is set."""
    warning: str | None = None
    """What else a person must know, such as that the hub runs a queue of its own."""


_NEEDED: Mapping[AlertVerb, tuple[str, ...]] = {
    "hold": ("seconds",),
    "remove": ("id",),
    "move": ("id", "position"),
    "requeue": ("id",),
    "mute": ("type", "seconds"),
    "test": ("type",),
}


class AlertCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something to be done with the queue; a ValueError where the verb has not what it needs."""

    verb: AlertVerb
    id: Id | None = None
    type: Name | msgspec.UnsetType | None = msgspec.UNSET
    """None is all types; a ``clear`` must say it, so that nothing is done to all by omission."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=DAY)] | None = None
    """Of ``mute``, 0 ends it."""
    position: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_TEST_ALERTS)] = 1
    """Of ``test``."""
    force: bool = False
    """Of ``mute``: of a type, too, that no source and no rule has."""

    def __post_init__(self) -> None:
        for field in _NEEDED.get(self.verb, ()):
            if getattr(self, field) in (None, msgspec.UNSET):
                raise ValueError(f"`{self.verb}` needs `{field}`")
        if self.verb == "clear" and self.type is msgspec.UNSET:
            raise ValueError("`clear` needs `type`, null for all")


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """Ended alerts from the store, the newest first."""

    alerts: tuple[AlertSummary | SourceAway, ...]
    next_before: str | None = None
    """Pass it as ``before`` to go on; None at the end."""
    counts: dict[str, dict[str, int]] = {}
    """Of the last 24 hours: by type, then outcome."""


class AlertContent(msgspec.Struct, frozen=True, kw_only=True):
    alert: AlertSummary
    payload: str
    """The event's JSON as it came. Text from the network."""
    cut: bool = False
    """Only the first 16 KiB were kept."""
    into: str | None = None
    """The alert into which it was collapsed."""
    requeued_from: str | None = None
    source_id: str | None = None


TEST_SOURCE = "test"
"""The source of alerts that somebody made to try them out: they make room for all others."""
TESTS = "(test)"
"""As what they are counted, whatever their type; no type begins with a bracket."""
