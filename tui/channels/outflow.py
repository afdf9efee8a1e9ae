"""Whether what was sent leaves this machine: over a slow line nothing is answered while it does."""

from __future__ import annotations

import asyncio
import fcntl
import math
import socket
import struct
import sys
import termios
from typing import Any, NamedTuple

LOOK_EVERY = 1.0
"""Seconds between two looks, or a third of a shorter heartbeat's timeout. No system takes so long to
acknowledge what reached it: what has waited since the look before waits for the line."""

MUCH = 4096
"""Bytes; fewer leave at once, or not at all."""

_TCP_INFO_SIZE = 128
_BYTES_ACKED = 120  # offset of tcpi_bytes_acked in Linux's struct tcp_info, there since 4.1


class Outflow(NamedTuple):
    """What became of all that was sent on one connection, in bytes."""

    left: int
    """Acknowledged by the next hop; where no system tells, handed to the system."""
    waiting: int
    """Not so yet."""


def outflow(transport: asyncio.WriteTransport, written: int) -> Outflow:
    """How it stands with ``transport``, to which ``written`` bytes were written."""
    buffered = 0
    layer: Any = transport
    while layer is not None:
        buffered += layer.get_write_buffer_size()
        # asyncio's TLS counts nothing of what waits in the transport under it, and names that nowhere else.
        layer = getattr(getattr(layer, "_ssl_protocol", None), "_transport", None)
    connection = transport.get_extra_info("socket")
    if sys.platform == "linux" and connection is not None:
        try:
            known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
            queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            pass  # it has just gone, or is no TCP connection
        else:
            if len(known) == _TCP_INFO_SIZE:
                (left,) = struct.unpack_from("=Q", known, _BYTES_ACKED)
                return Outflow(left, buffered + int.from_bytes(queued, sys.byteorder))
    return Outflow(written - buffered, buffered)


class Drain:
    """Watches the outflow of one connection for as long as much waits.

    Args:
        timeout: seconds within which a look must have told something.
    """

    def __init__(self, timeout: float) -> None:
        self._every = min(LOOK_EVERY, timeout / 3)
        self._then = Outflow(0, 0)
        self.next_look = math.inf
        """On the clock of ``now``; infinite while not much waits."""

    def begin(self, now: float, then: Outflow) -> None:
        """Only what leaves from now on counts."""
        self._then = then
        self.next_look = now + self._every if then.waiting >= MUCH else math.inf

    def poll(self, now: float, found: Outflow) -> bool:
        """Whether bytes left since the look before while others that waited then wait still.

        A heartbeat alone, or any burst that leaves at once, shows no more than that the next hop's system
        runs.
        """
        then = self._then
        self.begin(now, found)
        return then.left < found.left < then.left + then.waiting
