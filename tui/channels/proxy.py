"""The way to a hub through a proxy: which one, and a tunnel through it.

The tunnel's answer is read here, since the library loses the status of a proxy that says more or less than
it expects, and leaves an exception that nobody asks for where one closes unanswered. Whatever fails raises an
``OSError``, an ``AnswerError`` or an ``OpenError``, at the last step that ``at`` was told.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from urllib.parse import urlsplit

from websockets import exceptions
from websockets.http11 import USER_AGENT
from websockets.proxy import Proxy, get_proxy, parse_proxy
from websockets.uri import WebSocketURI

from tui.channels import dial
from tui.channels.answer_head import AnswerHead
from tui.channels.apart import awaiting
from tui.channels.errors import OpenError
from tui.channels.reasons import NO_TLS, AnswerError, Step, joined
from tui.text import secret_values

At = Callable[[Step], None]
"""Is told each step before it is waited for."""

_READ_SIZE = 4096


def proxy_for(address: WebSocketURI, setting: str) -> Proxy | None:
    """The proxy through which to reach ``address``; None for none.

    The environment's is never asked for what is on this machine: it could not get there.

    Args:
        setting: ``"environment"``, ``"none"`` or a URL.

    Raises:
        OpenError: the proxy's address cannot be one.
    """
    if setting == "environment":
        found, place = None if dial.is_loopback(address.host) else get_proxy(address), "environment"
    else:
        found, place = None if setting == "none" else setting, "settings"
    if found is None:
        return None
    secret_values.add_proxy(found)
    try:
        return parse_proxy(_with_password(found))
    except (exceptions.InvalidProxy, ValueError):
        words = f"the proxy in the {place} has no usable address"
    raise OpenError(words)  # outside the handler: the library's error holds the address


def _with_password(proxy: str) -> str:
    """The library wants one beside a user; as for curl, one that is not there is empty."""
    parts = urlsplit(proxy)
    if parts.username is None or parts.password is not None:
        return proxy
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:@{host}").geturl()


async def reach(
    host: str, port: int, resolve_name: dial.ResolveName, at: At, *, proxy: bool = False
) -> socket.socket:
    """A connected socket to a hub, or to a ``proxy``."""
    found = await _resolve(host, port, resolve_name, at, proxy=proxy)
    at(Step("TCP", joined(host, port), proxy))
    return await dial.connect_tcp(found)


async def _resolve(
    host: str, port: int, resolve_name: dial.ResolveName, at: At, *, proxy: bool = False
) -> Sequence[dial.Address]:
    at(Step("name look-up", joined(host, port), proxy))
    with awaiting("proxy") if proxy else nullcontext():
        return await dial.resolve(host, port, resolve_name)


class Tunnel(asyncio.Protocol):
    """A transport through a proxy, and what has come over it until a connection takes it over."""

    def __init__(self) -> None:
        self.head = AnswerHead()
        self.transport: asyncio.Transport | None = None
        self._rest = b""
        self._lost: list[Exception | None] = []
        self._settled = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_SIZE

    def data_received(self, data: bytes) -> None:
        self._rest += data[self.head.feed(data) :]
        if self.head.ended and not self._settled.done():
            assert self.transport is not None
            self.transport.pause_reading()
            self._settled.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.append(exc)
        self.head.cut()
        if not self._settled.done():
            self._settled.set_result(None)

    async def ask(self, request: bytes) -> None:
        assert self.transport is not None
        self.transport.write(request)
        await self._settled
        if self.head.status is None and self._lost and self._lost[0] is not None:
            raise self._lost[0]
        if self.head.status is None or not 200 <= self.head.status < 300 or self.head.problem is not None:
            raise AnswerError

    async def secured(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS with ``host``, which is behind the proxy."""
        assert self.transport is not None
        if self._rest:
            raise OpenError(f"TLS with {host} failed: {NO_TLS}")
        secure = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_hostname=host
        )
        assert secure is not None
        self.transport = secure

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def hand_over(self, connection: asyncio.Protocol) -> None:
        """From now on ``connection`` has the transport, and what has come already."""
        assert self.transport is not None
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        if not self.transport.is_closing():
            self.transport.resume_reading()
        if self._rest:
            connection.data_received(self._rest)
        if self._lost:
            connection.connection_lost(self._lost[0])


async def open_tunnel(
    proxy: Proxy,
    address: WebSocketURI,
    context: ssl.SSLContext | None,
    resolve_name: dial.ResolveName,
    at: At,
) -> Tunnel:
    """A tunnel through an HTTP proxy (RFC 9110, 9.3.6); ``context`` is for an ``https://`` one."""
    who = joined(proxy.host, proxy.port)
    connected = await reach(proxy.host, proxy.port, resolve_name, at, proxy=True)
    at(Step("answer" if context is None else "TLS", who, proxy=True))
    tunnel = Tunnel()
    try:
        await dial.hand_to(tunnel, connected, context, proxy.host)
        at(Step("answer", who, True, tunnel.head))
        target = joined(address.host, address.port)
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {USER_AGENT}"]
        if proxy.user_info is not None:
            credentials = base64.b64encode(":".join(proxy.user_info).encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {credentials}")
        await tunnel.ask("\r\n".join([*lines, "", ""]).encode())
    except BaseException:
        tunnel.drop()
        raise
    return tunnel


async def open_socks(
    proxy: Proxy, address: WebSocketURI, resolve_name: dial.ResolveName, at: At
) -> socket.socket:
    """A socket connected through a SOCKS proxy. The names that we look up are looked up as all others are."""
    who = joined(proxy.host, proxy.port)
    try:
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
        from python_socks.async_.asyncio import Proxy as SocksProxy
    except ImportError:
        raise OpenError(f"the proxy {who} speaks SOCKS, which needs the package python-socks") from None
    host = address.host
    if proxy.scheme in ("socks5", "socks4"):
        host = (await _resolve(host, address.port, resolve_name, at))[0][1][0]
    found = await _resolve(proxy.host, proxy.port, resolve_name, at, proxy=True)
    at(Step("answer", who, proxy=True))
    kind = ProxyType.SOCKS5 if proxy.scheme.startswith("socks5") else ProxyType.SOCKS4
    asked = SocksProxy(kind, found[0][1][0], proxy.port, proxy.username, proxy.password, rdns=True)
    try:
        return await asked.connect(host, address.port)
    except ProxyConnectionError as error:
        number = error.errno
    except (ProxyError, ProxyTimeoutError):
        raise exceptions.ProxyError from None
    raise OSError(number, os.strerror(number or 0))
