"""Where a hub listens: a free port that stays free while the hub is down for a moment."""

from __future__ import annotations

import asyncio
import errno
import random
import socket

BACKLOG = 2048
"""Connections that may wait to be accepted: a thousand clients come back in the same instant."""

_FREE_PORTS = range(15_000, 32_000)
# Below the range that the kernel takes for outgoing connections. While a hub is down, one of those
# could otherwise take its port, or a client could even connect to itself on it.

_PATIENCE = 50
_PAUSE = 0.02


async def bind(host: str, port: int) -> socket.socket:
    """A listening socket on ``port``, or with 0 on a free port.

    A port that was just let go can be taken for a moment still, so this tries for one second.
    Raises: OSError, which names the address.
    """
    for attempt in range(1, _PATIENCE + 1):
        chosen = port or random.SystemRandom().choice(_FREE_PORTS)
        try:
            return _listen(host, chosen)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or attempt == _PATIENCE:
                message = f"cannot listen on {host} port {chosen}: {error.strerror or error}"
                raise OSError(error.errno, message) from error
        if port:
            await asyncio.sleep(_PAUSE)
    raise AssertionError("unreachable")


def _listen(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; else small replies wait 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Connections of the hub's earlier life may still be in TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
