"""Where a hub listens: a free port that stays free while the hub is down for a moment."""

from __future__ import annotations

import asyncio
import errno
import functools
import random
import socket
from typing import TYPE_CHECKING, Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from .transport import Transport, wire_logger
from .upgrade import read_request

if TYPE_CHECKING:
    from .hub import Hub

BACKLOG = 2048
"""Connections that may wait to be accepted: a thousand clients come back in the same instant."""

_FREE_PORTS = range(15_000, 32_000)
# Below the range that the kernel takes for outgoing connections. While a hub is down, one of those
# could otherwise take its port, or a client could even connect to itself on it.


class Listener(Protocol):
    """Takes connections for a hub: asks it about each, then has it serve it."""

    @property
    def is_open(self) -> bool:
        """Whether new connections are taken."""

    async def open(self) -> None:
        """Take them. Raises: OSError."""

    def close(self) -> None:
        """Refuse them; those that there are live on."""

    async def until_gone(self, limit: float) -> None:
        """Wait until those of earlier lives have ended, at most ``limit`` seconds."""


_PATIENCE = 50
_PAUSE = 0.02


class SocketListener:
    """On a port, for WebSockets of the library."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._server: Server | None = None
        self._closed_servers: list[Server] = []

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        if self._server is not None:
            return
        hub = self._hub
        sock = await bind(hub.host, hub.port)
        hub.port = sock.getsockname()[1]
        try:
            self._server = await serve(
                self._serve,
                sock=sock,
                # The event loop accepts so many at once, and with no file to spare plans as many new
                # beginnings, each of which does the same a second later.
                backlog=1,
                ssl=hub.ssl,
                compression=None,  # Phoenix's default is compress: false
                process_request=self._process_request,
                process_response=self._process_response,
                server_header=None,
                open_timeout=None,  # the idle time-out covers the opening too
                ping_interval=None,  # Phoenix sends no pings
                close_timeout=0.5,
                max_size=hub.max_frame,
                write_limit=2**30,  # the transport has a bound of its own
                logger=wire_logger,
                # Called as the class would be, which alone the library's types allow.
                create_connection=functools.partial(Transport, hub=hub),  # type: ignore[arg-type]
            )
            # It has told the system the same number.
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        if self._server is not None:
            # The library closes the socket in a task of its own; here the next connect is refused.
            self._server.server.close()
            self._server.close(close_connections=False)
            self._closed_servers = [*self._still_closing(), self._server]
            self._server = None

    async def until_gone(self, limit: float) -> None:
        if not self._closed_servers:
            return
        waiting = [asyncio.ensure_future(server.wait_closed()) for server in self._closed_servers]
        _, late = await asyncio.wait(waiting, timeout=limit)
        for task in late:
            task.cancel()
        self._closed_servers = self._still_closing()

    def _still_closing(self) -> list[Server]:
        return [
            server
            for server in self._closed_servers
            if server.close_task is None or not server.close_task.done()
        ]

    async def _process_request(self, transport: ServerConnection, request: Request) -> Response | None:
        assert isinstance(transport, Transport)
        return await self._hub.ask(transport, read_request(request.path, request.headers))

    def _process_response(
        self, transport: ServerConnection, request: Request, response: Response
    ) -> Response:
        if response.status_code == 101:
            response.headers["cache-control"] = "max-age=0, private, must-revalidate"
        return response

    async def _serve(self, transport: ServerConnection) -> None:
        assert isinstance(transport, Transport)
        await self._hub.serve(transport)


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
