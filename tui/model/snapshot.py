"""The values that leave the engine. Immutable, small, the same in a thread and over a socket."""

from __future__ import annotations

from typing import Literal

import msgspec

from tui.channels.health import ChannelState, ConnectionDetails, ConnectionState, HealthMetrics
from tui.model.alerts import AlertsSnapshot
from tui.model.incidents import IncidentsSnapshot, LineSeverity
from tui.model.services import ServicesSnapshot

LineKind = Literal[
    "state", "join", "drop", "error", "engine", "alert", "service", "incident", "alive", "missing", "frame"
]


class ChannelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of one connection. Times are epoch seconds."""

    topic: str
    state: ChannelState = "closed"
    reason: str | None = None
    """Why it is not joined, in words."""
    joins: int = 0
    """Joins that the server answered with ok."""
    received: int = 0
    buffered: int = 0
    """Pushes that wait for the join."""
    push_buffer: int = 100
    """How many may wait."""
    dropped: int = 0
    """Frames dropped from a full handler queue, and pushes dropped from a full buffer."""
    last_event: str | None = None
    last_text: str | None = None
    """The last payload as text, cut to 200 characters. Text from the network: not to be trusted."""
    last_at: float | None = None
    is_coming_back: bool = False
    """It crashed on the server a moment ago, and is being joined again."""

    @property
    def is_missed(self) -> bool:
        """Whether it is worth a word that it is not joined."""
        return self.state != "joined" and not self.is_coming_back


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble from its first failure until the connection is connected again.

    A probe or a revival that fails belongs to the same trouble: it is counted here and changes
    neither ``state`` nor ``message``.
    """

    state: ConnectionState
    """The state to show while the trouble lasts: ``reconnecting`` or ``failed``."""
    circuit_open: bool
    """The breaker opened in this trouble."""
    message: str
    """Why it came to that state."""
    state_since: float
    """When it did."""
    since: float
    """When the first failure was, from which the tries are counted."""
    tries: int = 0
    last_try: float | None = None
    last_reason: str | None = None


class ConnectionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label: str
    address: str
    """``host:port``; never a query, since that may hold a token."""
    metrics: HealthMetrics
    details: ConnectionDetails
    max_reconnect_attempts: int | None = None
    """None for unlimited."""
    heartbeat_interval: float = 30.0
    heartbeat_timeout: float = 10.0
    trouble: Trouble | None = None
    previous_state_seconds: float | None = None
    """How long the state before the present one lasted."""
    heartbeat_failed_since_stable: bool = False
    """A heartbeat failed and the connection has not been stable since."""
    messages_per_second_in: float = 0.0
    messages_per_second_out: float = 0.0
    """Means of the last 5 s."""
    channels: tuple[ChannelSnapshot, ...] = ()
    hour: str = ""
    """The last hour, one character a minute of the wall clock, the present minute last, at most 60:
    ``0`` to ``8`` are the eighths of the minute in which it was connected, rounded down, so that ``8``
    is unbroken; ``o`` is disconnected as asked for all of it; ``?`` is a minute that nobody observed."""


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a time a connection was connected; what it spent disconnected as asked is left out."""

    share: float | None = None
    """From 0 to 1; None when nothing was observed."""
    observed: float = 0.0
    """Seconds of that time in which it was observed and meant to be connected."""


class StateEntry(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: float
    """Epoch seconds."""
    state: ConnectionState
    reason: str | None = None
    """May hold text from the network: not to be trusted."""
    before: float | None = None
    """Seconds that the state before this one lasted."""
    tries: int = 0
    """Attempts that failed after it, without making it worse or holding."""
    last_try: float | None = None
    """When the latest of them failed."""
    last_reason: str | None = None

    @property
    def message(self) -> str:
        """Why, and what of the tries; empty while all is well."""
        parts = [self.reason or ""]
        if self.tries:
            last = "" if self.last_reason in (None, self.reason) else f", last: {self.last_reason}"
            parts.append(f"{self.tries:,} more tr{'y' if self.tries == 1 else 'ies'}{last}")
        return "; ".join(part for part in parts if part)


class EffectiveSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a connection; secrets are masked."""

    key: str
    """Such as ``reconnect_max_delay``."""
    text: str
    source: str


class ConnectionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot would be too small for."""

    name: str
    last_5_minutes: Availability = Availability()
    last_hour: Availability = Availability()
    last_day: Availability = Availability()
    round_trips: tuple[float, ...] = ()
    """Seconds, of the last 100 answered heartbeats, oldest first."""
    states: tuple[StateEntry, ...] = ()
    """The last 100 changes of state, oldest first."""
    settings: tuple[EffectiveSetting, ...] = ()


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame of a connection, as the inspector holds it. All texts are from the network."""

    cursor: int
    timestamp: float
    """Epoch seconds, when it was read or handed to the network."""
    direction: Literal["in", "out"]
    topic: str
    event: str
    ref: str | None = None
    join_ref: str | None = None
    size: int = 0
    """Bytes on the wire."""
    binary: bool = False
    preview: str = ""
    """The beginning of the payload as text, at most 200 characters; of a binary one in hex."""


class FramePage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest frames after a cursor, oldest first."""

    frames: tuple[Frame, ...]
    next_cursor: int
    """Pass it as ``after`` to go on."""
    missed: int = 0
    """Frames after the cursor that are not in the page: no longer held, or beyond its limit."""


class FrameContent(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    payload: str
    """JSON as it came, or hex for a binary one."""
    cut: bool = False
    """Only the first 64 KiB were kept."""


class DiskHealthSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    troubles: tuple[str, ...] = ()
    """What is not written now, and why, in words."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a face shows, as it stood at one moment."""

    sequence: int
    """Grows by one with each publication."""
    taken_at: float
    """Epoch seconds."""
    started_at: float
    connections: tuple[ConnectionSnapshot, ...] = ()
    debug: bool = False
    """The indicator is shown though nothing is wrong."""
    notice: str | None = None
    """One line that must stay on the screen, such as that faults are staged."""
    stopped: str | None = None
    """Why the engine stopped, in words; None while it runs."""
    alerts: AlertsSnapshot | None = None
    """None when no alert queue is set up."""
    services: ServicesSnapshot = ServicesSnapshot()
    incidents: IncidentsSnapshot = IncidentsSnapshot()
    persistence: DiskHealthSnapshot = DiskHealthSnapshot()
    loop_delay_seconds: float = 0.0
    """How late the engine's own loop was at the most in the last minute; 0 below 50 ms."""
    waiting: str | None = None
    """Why no engine answers a face that is attached to one; the rest is what the last one said."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    cursor: int
    timestamp: float
    connection: str | None
    text: str
    """May hold text from the network: not to be trusted."""
    severity: LineSeverity = "info"
    kind: LineKind = "state"
    subject: str | None = None
    """The key of the service that it is about; of a connection's line ``connection`` says it."""


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines after a cursor, oldest first."""

    lines: tuple[LogLine, ...]
    next_cursor: int
    """Pass it as ``after`` to go on."""
    missed: int = 0
    """Lines after the cursor that are no longer held."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did, in words for the person who gave it."""

    ok: bool
    message: str
    reply: str | None = None
    """Of a push: the whole response, as JSON; bytes in hexadecimal digits. None where there was none, or
    one of more bytes than are passed on, which the message says."""


class ExtraCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A named command beside the interface's own, such as a fault of the demo."""

    id: str
    label: str
    help: str
