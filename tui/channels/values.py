"""Where a socket connects to, and with what: parameters, headers and tokens may be functions, which are asked
anew each time and never shown.

What a function gives for a parameter is a secret, and is masked from then on wherever it comes back. One that
raises, or gives what cannot be used, is an ``OpenError``, which names its place and no value.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from tui.channels.apart import Awaited, awaiting
from tui.channels.errors import OpenError, ReplyTimeout
from tui.channels.link import LinkRequest
from tui.channels.options import Options, Plain, Text, Texts, Unavailable
from tui.text import secret_values

_TOKEN_PREFIX = "base64url.bearer.phx."


def endpoint(url: str) -> str:
    """The WebSocket URL of a socket given as to phoenix.js.

    Raises:
        ValueError: not a ``ws``, ``wss``, ``http`` or ``https`` URL with a host; the message holds
            nothing of the URL, which may hold a token.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url is no URL: expected ws://host:port/socket") from None
    scheme = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not host:
        raise ValueError("url must be ws://host:port/path or wss://host:port/path")
    if parts.fragment:
        raise ValueError("url must not have a fragment (#)")
    path = parts.path.rstrip("/")
    if not path.endswith("/websocket"):
        path += "/websocket"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


async def link_request(url: str, options: Options) -> LinkRequest:
    """What to open an :func:`endpoint` with; every function in the options is asked anew."""
    parts = urlsplit(url)
    params = await texts(options.params, "params", are_secret=True)
    query = urlencode({**params, "vsn": f"{options.protocol_version}.0.0"})
    request = LinkRequest(
        url=urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query)),
        headers=await headers(options.headers, "headers"),
        max_message_size=options.max_message_size,
        ca_file=options.ca_file,
        proxy=await text(options.proxy, "proxy"),
    )
    if options.auth_token is None:
        return request
    token = await text(options.auth_token, "auth_token")
    secret_values.add(token)
    return replace(request, subprotocols=("phoenix", _bearer(token)))


def _bearer(token: str) -> str:
    # Standard base64, in spite of the prefix: it is what phoenix.js sends and Phoenix decodes.
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    if "/" in encoded:
        raise OpenError("auth_token has characters that no subprotocol can carry: use params")
    return f"{_TOKEN_PREFIX}{encoded}"


async def text(value: Text, place: str, *, is_secret: bool = False) -> str:
    """A string, or what a function gives for it, which ``is_secret`` has masked."""
    given = await _ask(value, place, is_secret)
    if not isinstance(given, str):
        raise OpenError(f"{place} must be a string, its function gave {type(given).__name__}")
    return given


async def texts(values: Texts, place: str, *, are_secret: bool = False) -> dict[str, str]:
    """Named strings, each of which may come from a function, or one function for all; as of :func:`text`."""
    given = await _ask(values, place, are_secret)
    if not isinstance(given, Mapping):
        raise OpenError(f"{place} must be a mapping, its function gave {type(given).__name__}")
    return {
        str(name): await text(value, f"{place}.{name}", is_secret=are_secret) for name, value in given.items()
    }


async def headers(values: Texts, place: str) -> dict[str, str]:
    """The same for headers, which are secrets as plain words too, save a few that never are."""
    given = await texts(values, place)
    for name, value in given.items():
        secret_values.add_header(name, value)
    return given


async def payload(value: Any, place: str) -> Any:
    """Join parameters: a value, a function for all of it, or functions for its members."""
    given = await _ask(value, place, True)
    if isinstance(given, Mapping):
        return {name: await payload(member, f"{place}.{name}") for name, member in given.items()}
    return given


async def payload_within(limit: float, value: Any, place: str) -> Any:
    """The same, within so many seconds; else it is a ``ReplyTimeout``, which says what was waited for."""
    awaited = Awaited()
    awaited.by_this_task()
    try:
        async with asyncio.timeout(limit):
            return await payload(value, place)
    except TimeoutError:
        raise ReplyTimeout(awaited.message(limit, f"{place}: not given")) from None


def is_plain(value: Any) -> bool:
    """True when ``value`` holds no function, so that it needs no asking."""
    if isinstance(value, Mapping):
        return all(is_plain(member) for member in value.values())
    return not callable(value)


async def _ask(value: Any, place: str, is_secret: bool) -> Any:
    if not callable(value):
        return value
    # Raised outside the handlers: what the function raised must not hang on the error either.
    try:
        with awaiting(place):
            given = value()
            if inspect.isawaitable(given):
                given = await given
    except Unavailable as error:
        words = f"{place}: {error}"
    except Exception as error:  # noqa: BLE001 (the user's own function; its words may hold a secret)
        words = f"{place}: its function raised {type(error).__name__}"
    else:
        if is_secret and not isinstance(value, Plain):
            secret_values.add_all(given)
        return given
    raise OpenError(words)
