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
from tui.channels.answer_head import AnswerHead
from tui.channels.errors import OpenError
from tui.channels.proxy import At, reach
from tui.channels.reasons import AnswerError, Step, host_and_port

USER_AGENT = "overlay-supervisor"

_READ_SIZE = 1024
"""Bytes that are parsed before others on the loop get their turn: they may be 170 chunks of one byte."""
_FRAMING = 16 * 1024
"""Bytes for what chunks take beside the body."""
_MOST_DIGITS = 18  # of a length that there can be

# Their lines hold whole URLs and headers, at every request.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Fetched(NamedTuple):
    """An answer."""

    code: int
    body: bytes
    """As it came over the wire."""
    unread: str | None
    """Why that is not all of it."""
    location: str | None


TOO_LONG = "too long to be read"
NO_END = "its body has no end"


async def fetch(
    url: str,
    *,
    headers: Mapping[str, str],
    context: ssl.SSLContext | None,
    most: int,
    limit: asyncio.Timeout,
    at: At,
    resolve_name: dial.ResolveName = dial.resolve_name,
) -> Fetched:
    """Ask once; cancelling it leaves nothing behind but, at worst, one daemon thread that looks the name up.

    Args:
        context: must be given for ``https://``: the library's own would read the disk.
        most: bytes of the body after which reading ends.
        limit: what the caller waits under. Once the head has come it ends the body alone.
        at: is told each step before it is waited for.

    Raises:
        OSError, AnswerError: no connection, or it broke (``ssl.SSLError`` is one), or no HTTP answer: at the
            last step that ``at`` was told.
        OpenError: the URL or a header is not as HTTP wants it.
    """
    asked = {"accept": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT}
    asked.update((name.lower(), value) for name, value in headers.items())
    try:
        request = httpx.Request("GET", url, headers=asked)
    except (httpx.InvalidURL, ValueError) as error:
        problem = f"cannot be asked for: {type(error).__name__}"
    else:
        network = _Network(url, resolve_name, at, most + _FRAMING)
        pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=network
        )
        try:
            async with pool:
                return await _ask(pool, request, network.head, most, limit)
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol) as error:
            problem = f"cannot be asked for: {type(error).__name__}"
    # Outside the handlers: the library's messages may hold a header.
    raise OpenError(f"{host_and_port(url)}: {problem}")


async def _ask(
    pool: httpcore.AsyncConnectionPool,
    request: httpx.Request,
    head: AnswerHead,
    most: int,
    limit: asyncio.Timeout,
) -> Fetched:
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    # Without a client of httpx: it would keep cookies, unpack a few bytes to megabytes, and take a redirect's
    # odd address for a mistake.
    async with pool.stream(request.method, url, headers=request.headers.raw) as response:
        assert head.status is not None
        until = limit.when()
        limit.reschedule(None)  # the status is known, and nothing that follows may lose it
        body = bytearray()
        unread = None
        try:
            async with asyncio.timeout_at(until):
                async for chunk in response.aiter_stream():
                    body += chunk
                    if len(body) > most:
                        break
        except TimeoutError:
            unread = NO_END
        except (httpcore.RemoteProtocolError, OSError):
            unread = "its body is cut short"
        except _TooLongError:
            unread = TOO_LONG
        if len(body) > most:
            unread = TOO_LONG
        return Fetched(head.status, bytes(body[:most]), unread, head.field("location"))


class _TooLongError(Exception):
    pass


class _Network(httpcore.AsyncNetworkBackend):
    """Connections as the WebSockets make theirs."""

    def __init__(self, url: str, resolve_name: dial.ResolveName, at: At, most: int) -> None:
        self.head = AnswerHead()
        self.where = host_and_port(url)
        self._resolve_name = resolve_name
        self.at = at
        self.most = most

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        connected = await reach(host, port, self._resolve_name, self.at)
        self.at(Step("answer", self.where, head=self.head))
        try:
            return _Stream(self, *await asyncio.open_connection(sock=connected))
        except BaseException:
            connected.close()
            raise


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose answer's head is read here; the library gets one that it cannot refuse."""

    def __init__(self, network: _Network, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._network = network
        self._reader = reader
        self._writer = writer
        self._left = network.most

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 (httpcore's signature)
        head = self._network.head
        if not head.ended:
            return await self._read_head(head)
        await asyncio.sleep(0)
        data = await self._reader.read(min(max_bytes, _READ_SIZE))
        self._left -= len(data)
        if self._left < 0:
            raise _TooLongError
        return data

    async def _read_head(self, head: AnswerHead) -> bytes:
        rest = b""
        while not head.ended:
            await asyncio.sleep(0)
            data = await self._reader.read(_READ_SIZE)
            if data:
                rest = data[head.feed(data) :]
            else:
                head.cut()
        if head.status is None or head.problem is not None:
            raise AnswerError
        return _framing(head) + rest

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 (httpcore's signature)
        self._writer.write(buffer)
        await self._writer.drain()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
    ) -> httpcore.AsyncNetworkStream:
        network = self._network
        network.at(Step("TLS", network.where))
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException:
            self._writer.transport.abort()
            raise
        network.at(Step("answer", network.where, head=network.head))
        return self

    async def aclose(self) -> None:
        # Not close: a peer that does not answer the end of TLS would keep it for half a minute.
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)


def _framing(head: AnswerHead) -> bytes:
    """What the library has to know of a head: where the body ends. The status is ours."""
    status = 204 if head.status in (101, 204, 304) else 200
    length = head.field("content-length") or ""
    if (head.field("transfer-encoding") or "").lower() == "chunked":
        body = "transfer-encoding: chunked"
    elif length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS:
        body = f"content-length: {length}"
    else:
        body = "connection: close"
    return f"HTTP/1.1 {status} -\r\n{body}\r\n\r\n".encode()
