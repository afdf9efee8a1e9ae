"""Name look-up, certificate authorities and TCP, in ways that nothing has to wait for.

The event loop's own look-up would run in its pool of threads: see :mod:`tui.channels.apart`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tui.channels.apart import apart
from tui.channels.errors import OpenError

Address = tuple[int, Any]
"""An address family and a socket address of it."""

ResolveName = Callable[[str, int], Sequence[Address]]
"""A blocking look-up of host and port."""

_of_the_system: ssl.SSLContext | None = None

_ATTEMPT_DELAY = 0.25  # RFC 8305, section 5: the recommended Connection Attempt Delay


def resolve_name(host: str, port: int) -> Sequence[Address]:
    """The addresses of ``host``, in the system's order, families interleaved. Blocks.

    Raises:
        OSError: the name has no address, or nobody could be asked.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[Address]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    # RFC 8305, section 4: one family must not hold up the other.
    rows = itertools.zip_longest(*families.values())
    return [address for row in rows for address in row if address is not None]


def is_loopback(host: str) -> bool:
    """``host``, a name or an address in any of its spellings, is this machine; asks nobody."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    found = _numeric(host, 0)
    if not found:
        return False
    address = ipaddress.ip_address(found[0][1][0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _numeric(host: str, port: int) -> Sequence[Address]:
    """The address that ``host`` is; none where it is a name, which has to be looked up."""
    if ":" in host:
        host = host.replace("%25", "%", 1)  # RFC 6874, 2: a zone as URLs write it
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (socket.gaierror, UnicodeError):
        return []
    return [(family, address) for family, _, _, _, address in found]


async def resolve(host: str, port: int, resolve_name: ResolveName = resolve_name) -> Sequence[Address]:
    """The addresses of ``host``; cancelling it leaves at most one daemon thread for that name.

    Raises:
        OSError: as of ``resolve_name``.
    """
    if found := _numeric(host, port):
        return found
    try:
        return await apart(
            (resolve_name, host, port), lambda: resolve_name(host, port), f"name look-up of {host}"
        )
    except UnicodeError:
        raise OSError("not a host name") from None


async def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A client's context that trusts a file of authorities, or the system's for None.

    A named file may be renewed: it is read each time. The system's, about 20 ms, are read once.

    Raises:
        OpenError: the file cannot be read or holds no certificates.
    """
    global _of_the_system
    if ca_file is None and _of_the_system is not None:
        return _of_the_system
    what = "the system's certificate authorities" if ca_file is None else f"ca_file {ca_file}"
    try:
        context = await apart(
            ("authorities", ca_file), partial(ssl.create_default_context, cafile=ca_file), what
        )
    except ssl.SSLError:
        words = "ca_file holds no certificates"
    except OSError as error:
        words = f"ca_file cannot be read: {error.strerror or type(error).__name__}"
    else:
        if ca_file is None:
            _of_the_system = context
        return context
    raise OpenError(words)


async def connect_tcp(addresses: Sequence[Address]) -> socket.socket:
    """A connected, non-blocking socket to the first address that answers (RFC 8305).

    Attempts start 250 ms apart, or as soon as the one before has failed.

    Raises:
        OSError: no address answered; the error of the first one.
    """
    waiting = list(addresses)
    attempts: dict[asyncio.Task[socket.socket], None] = {}
    errors: list[OSError] = []
    winner: socket.socket | None = None
    try:
        while winner is None and (waiting or attempts):
            if waiting:
                attempts[asyncio.ensure_future(_connect_one(*waiting.pop(0)))] = None
            done, _ = await asyncio.wait(
                attempts,
                timeout=_ATTEMPT_DELAY if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                error = attempt.exception()
                if error is None and winner is None:
                    winner = attempt.result()
                    del attempts[attempt]
                elif isinstance(error, OSError):
                    errors.append(error)
                    del attempts[attempt]
                elif error is not None:
                    raise error
        if winner is None:
            raise errors[0] if errors else OSError("the name has no address")
        return winner
    finally:
        # Also on cancellation: whoever connects after this is closed again.
        for attempt in attempts:
            attempt.add_done_callback(_close_late)
            attempt.cancel()


async def hand_to(
    protocol: asyncio.Protocol, connected: socket.socket, context: ssl.SSLContext | None, host: str
) -> None:
    """Have ``protocol`` speak over a connected socket, in TLS with ``host`` where there is a context."""
    await asyncio.get_running_loop().create_connection(
        lambda: protocol,
        sock=connected,
        ssl=context,
        server_hostname=None if context is None else host,
    )


async def _connect_one(family: int, address: Any) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; else it delays pushes by 40 ms.
    connection = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _close_late(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
