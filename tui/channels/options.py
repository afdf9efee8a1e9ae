"""Every option of the client: one frozen dataclass, in seconds, bytes and counts.

Settings files, the command line and code use these same names and units.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta

# The client would work with more; these keep a slip of the finger from meaning "never" or "all memory".
Seconds = Annotated[float, Meta(le=31_536_000)]
Count = Annotated[int, Meta(le=1_000_000_000)]
Bytes = Annotated[int, Meta(le=1_000_000_000, description="a whole number of bytes")]
Unlimited = Literal["unlimited"]
Never = Literal["never"]

Provider = Callable[[], Any | Awaitable[Any]]
"""A function that is called anew each time its value is needed; it may be async."""


class Unavailable(Exception):  # noqa: N818 (a fact about the value, not about the program)
    """Raised by a :data:`Provider` to say why it has no value, in words that are safe to show."""


class Plain:
    """A :data:`Provider` of this class gives what is no secret: it is not masked where it comes back."""

    __slots__ = ()


Text = str | Provider
"""A string, or a function that returns one."""

Texts = Mapping[str, Text] | Provider
"""Named strings (each may be a function), or one function that returns them all."""

PRESETS: Mapping[str, Mapping[str, float | str]] = MappingProxyType(
    {
        # The numbers that users of phoenix.js wrappers know.
        "service": MappingProxyType({}),
        "overlay": MappingProxyType({"reconnect_max_delay": 30.0}),
        # Back within seconds of a hub restart; a half-open link is seen within 8 s.
        "live": MappingProxyType(
            {
                "max_reconnect_attempts": "unlimited",
                "reconnect_base_delay": 0.5,
                "reconnect_max_delay": 3.0,
                "heartbeat_interval": 5.0,
                "heartbeat_timeout": 3.0,
                "circuit_breaker_timeout": 3.0,
            }
        ),
    }
)
"""What each preset changes; everything else keeps the default of :class:`Options`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of one socket. The defaults are the preset ``service``.

    Raises:
        ValueError: a value that cannot work; the message begins with the option's name.
    """

    max_reconnect_attempts: Count | Unlimited = 10
    """Retries after which a connection gives up, or ``"unlimited"``; 0 means no retry. Probes count."""

    reconnect_base_delay: Seconds = 1.0
    """Seconds before the first retry; doubled for each one after it."""

    reconnect_max_delay: Seconds = 60.0
    """Seconds; no delay is ever longer, ``Retry-After`` included."""

    reconnect_jitter: Annotated[float, Meta(description="a number from 0 to 1")] = 0.5
    """The part of a delay that is left to chance, from 0 (none) to 1 (all)."""

    heartbeat_interval: Seconds = 30.0
    """Seconds between heartbeats. Phoenix closes a connection that is silent for 60 s."""

    heartbeat_timeout: Seconds = 10.0
    """Seconds after a heartbeat within which something must prove life, or the link is dead: data that
    comes, or bytes that leave over a slow line. PING and PONG do not."""

    circuit_breaker_threshold: Count = 5
    """Consecutive failures that open the circuit breaker."""

    circuit_breaker_timeout: Seconds = 300.0
    """Seconds that an open circuit breaker waits before its one probe."""

    stable_after: Seconds = 5.0
    """Seconds that a connection must hold before it counts as a success."""

    open_timeout: Seconds = 10.0
    """Seconds for name look-up, TCP, TLS and the WebSocket upgrade together."""

    join_timeout: Seconds = 10.0
    """Seconds for the reply to a join; they start anew whenever another join is answered."""

    push_timeout: Seconds = 10.0
    """Seconds for the reply to a push, its time in the buffer included."""

    push_buffer: Count = 100
    """Pushes that a channel holds while it is not joined; beyond it the oldest is dropped."""

    handler_queue: Count = 10_000
    """Frames that wait for a channel's handlers; beyond it the oldest is dropped."""

    handler_queue_bytes: Bytes = 16 * 1024 * 1024
    """Bytes of frames that wait for a channel's handlers; beyond it the oldest is dropped."""

    max_message_size: Bytes = 16 * 1024 * 1024
    """Bytes; a larger message closes the connection with code 1009."""

    max_report_size: Bytes = 1024 * 1024
    """Bytes of what the supervisor alone reads: viewer events, telemetry, queue states, reports, and
    answers to what it pushes. What is larger is counted and not read."""

    ca_file: Annotated[str, Meta(min_length=1, description="the path of a PEM file")] | None = None
    """A PEM file of certificate authorities to trust instead of the system's."""

    proxy: Text = field(default="environment", repr=False)
    """``"environment"`` (HTTPS_PROXY and its like; loopback goes past it), ``"none"``, or a proxy's URL."""

    auth_token: Text | None = field(default=None, repr=False)
    """Sent as the Phoenix subprotocol ``base64url.bearer.phx.``; a function is asked at each attempt."""

    protocol_version: Literal[1, 2] = 2
    """Phoenix's serializer: 2 (arrays, binary frames), or 1 (objects) for older servers."""

    params: Texts = field(default_factory=dict, repr=False)
    """Query parameters of the connection; a function is asked at each attempt."""

    headers: Texts = field(default_factory=dict, repr=False)
    """Headers of the upgrade request; a function is asked at each attempt."""

    revive_after: Seconds | Never = "never"
    """Seconds between single attempts of a connection that gave up, or ``"never"``."""

    def __post_init__(self) -> None:
        limit = self.max_reconnect_attempts
        if limit != "unlimited" and (isinstance(limit, (bool, str)) or limit < 0):
            raise ValueError('max_reconnect_attempts must be 0 or more, or "unlimited"')
        if self.revive_after != "never":
            self._positive("revive_after", self.revive_after)
        for name in _POSITIVE:
            self._positive(name, getattr(self, name))
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")
        if not 0 <= self.reconnect_jitter <= 1:
            raise ValueError("reconnect_jitter must be from 0 to 1")
        if self.reconnect_max_delay < self.reconnect_base_delay:
            raise ValueError("reconnect_max_delay must not be less than reconnect_base_delay")
        if self.protocol_version not in (1, 2):
            raise ValueError("protocol_version must be 1 or 2")

    @staticmethod
    def _positive(name: str, value: float) -> None:
        if isinstance(value, str) or not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be more than 0 seconds")

    @classmethod
    def preset(cls, preset: str, /, **changes: Any) -> Options:
        """The options of ``preset`` (``service``, ``overlay``, ``live``), with ``changes`` on top.

        Raises:
            ValueError: no such preset, or a value that cannot work.
            TypeError: no such option.
        """
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}")
        return cls(**{**PRESETS[preset], **changes})


_POSITIVE = tuple(each.name for each in fields(Options) if each.type == "Seconds")
_COUNTS = tuple(each.name for each in fields(Options) if each.type in ("Count", "Bytes"))

OPTION_NAMES = tuple(option.name for option in fields(Options))
"""Every option, in the order in which the example settings show them."""
