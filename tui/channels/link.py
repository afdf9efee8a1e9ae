"""What a link is: an open WebSocket, whoever is told of it, and how one is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from websockets.frames import CloseCode

from tui.channels.outflow import Outflow
from tui.channels.reasons import Step

CLOSE_TIMEOUT = 1.0
"""Seconds that a closing handshake may take before the TCP connection is aborted."""

WRITE_LIMIT = 1024 * 1024
"""Bytes that may wait for a slow server before pushes are held back in their channels."""

NO_CLOSE_FRAME = 1006  # RFC 6455, 7.1.5


class LinkOwner(Protocol):
    """Who is told what happens on a link. No method may raise."""

    heard: bool
    """Set to True whenever bytes of a data frame come."""

    pinged: bool
    """Set to True whenever a PING or PONG comes, which proves the next hop alone."""

    step: Step
    """Set by whoever opens, before each thing that has to be waited for."""

    def frame_received(self, data: bytes, text: bool) -> None:
        """A whole message came: UTF-8 text, not validated, or binary."""

    def link_lost(self, code: int, words: str) -> None:
        """The link ended or is about to; called once, and nothing is called after it."""

    def link_writable(self) -> None:
        """What waited for a slow server has gone out."""


class Link(Protocol):
    """An open WebSocket."""

    @property
    def writable(self) -> bool:
        """False while more than :data:`WRITE_LIMIT` bytes wait for the server."""

    @property
    def outflow(self) -> Outflow:
        """What became of all that was sent."""

    def send_frame(self, data: bytes, text: bool) -> None:
        """Send at once, without waiting.

        Raises:
            NotConnectedError: the link is closing or closed.
        """

    async def shut(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        """Close with a handshake; returns within about :data:`CLOSE_TIMEOUT` whatever the server does."""

    def abort(self) -> None:
        """Drop the TCP connection at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRequest:
    """Where and how to open a link. Holds secrets: its repr shows none."""

    url: str = field(repr=False)
    """With path, ``vsn`` and parameters."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: Sequence[str] = field(default=(), repr=False)
    max_message_size: int = 16 * 1024 * 1024
    ca_file: str | None = None
    proxy: str = field(default="environment", repr=False)


Opener = Callable[[LinkRequest, LinkOwner], Awaitable[Link]]
"""An async function that opens a link; what it raises is put into words by ``reasons.describe_error``."""
