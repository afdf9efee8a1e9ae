"""One GET, as a health check wants it: a connection of its own, nothing followed, kept or unpacked.

Imported only where the extra ``http`` is installed: httpx, and httpcore, which it stands on. Connections are
made here, since the library's own name look-ups run in the event loop's pool of threads: a few names that
hang would hold up everything else that waits for that pool.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import httpcore
import httpx

from tui.channels import dial

USER_AGENT = "overlay-supervisor"

_READ_SIZE = 1024
"""Bytes that are parsed before others on the loop get their turn: they may be 170 chunks of one byte."""
_FRAMING = 64 * 1024
"""Bytes for an answer's head, and for what chunks take beside the body."""

# Their lines hold whole URLs and headers, at every request.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class NoHTTPError(Exception):
    """What was answered, or was to be asked, is no HTTP: in words that hold nothing of either."""


class Fetched(NamedTuple):
    """An answer."""

    code: int
    body: bytes
    """As it came over the wire."""
    cut: bool
    """There was more of it."""
    location: str | None


async def fetch(
    url: str,
    *,
    headers: Mapping[str, str],
    context: ssl.SSLContext | None,
    most: int,
    look_up: dial.LookUp = dial.look_up,
) -> Fetched:
    """Ask once. Has no time limit of its own; cancelling it leaves nothing behind but, at worst, one daemon
    thread that looks the name up.

    Args:
        context: must be given for ``https://``: the library's own would read the disk.
        most: bytes of the body after which reading ends.

    Raises:
        OSError: no connection, or it broke (``ssl.SSLError`` is one).
        NoHTTPError: the answer, the URL or a header is not as HTTP wants it.
    """
    asked = {"accept": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT}
    asked.update((name.lower(), value) for name, value in headers.items())
    try:
        request = httpx.Request("GET", url, headers=asked)
    except (httpx.InvalidURL, ValueError) as error:
        problem = f"cannot be asked for: {type(error).__name__}"
    else:
        pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_keepalive_connections=0,
            network_backend=_Network(look_up, most + _FRAMING),
        )
        try:
            async with pool:
                return await _ask(pool, request, most)
        except httpcore.RemoteProtocolError:
            problem = "no HTTP answer"
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol) as error:
            problem = f"cannot be asked for: {type(error).__name__}"
    # Outside the handlers: the library's messages may hold a header.
    raise NoHTTPError(problem)


async def _ask(pool: httpcore.AsyncConnectionPool, request: httpx.Request, most: int) -> Fetched:
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    # Without a client of httpx: it would keep cookies, unpack a few bytes to megabytes, and take a redirect's
    # odd address for a mistake.
    async with pool.stream(request.method, url, headers=request.headers.raw) as response:
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > most:
                break
        location = httpx.Headers(response.headers).get("location")
        return Fetched(response.status, bytes(body[:most]), len(body) > most, location)


class _Network(httpcore.AsyncNetworkBackend):
    """Connections as the WebSockets make theirs."""

    def __init__(self, look_up: dial.LookUp, most: int) -> None:
        self._look_up = look_up
        self._most = most

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await dial.resolve(host, port, self._look_up)
        connected = await dial.connect_tcp(found)
        try:
            return _Stream(*await asyncio.open_connection(sock=connected), self._most)
        except BaseException:
            connected.close()
            raise


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
        self._reader = reader
        self._writer = writer
        self._left = most

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 (httpcore's signature)
        await asyncio.sleep(0)
        data = await self._reader.read(min(max_bytes, _READ_SIZE))
        self._left -= len(data)
        if self._left < 0:
            raise NoHTTPError("no end of an HTTP answer")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 (httpcore's signature)
        self._writer.write(buffer)
        await self._writer.drain()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
    ) -> httpcore.AsyncNetworkStream:
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException:
            self._writer.transport.abort()
            raise
        return self

    async def aclose(self) -> None:
        # Not close: a peer that does not answer the end of TLS would keep it for half a minute.
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)
