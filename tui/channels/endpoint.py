"""Where a socket connects to, and with what: the URL, the parameters, the token."""

from __future__ import annotations

import base64
from urllib.parse import urlencode, urlsplit, urlunsplit

from tui.channels import values
from tui.channels.errors import OpenError
from tui.channels.link import LinkRequest
from tui.channels.options import Options
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


def _with_params(url: str, params: dict[str, str], version: int) -> str:
    parts = urlsplit(url)
    query = urlencode({**params, "vsn": f"{version}.0.0"})
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


async def link_request(url: str, options: Options) -> LinkRequest:
    """What to open an :func:`endpoint` with; every function in the options is asked anew.

    Raises:
        OpenError: a function had no value, or a token cannot be carried.
    """
    params = await values.texts(options.params, "params", are_secret=True)
    headers = await values.headers(options.headers, "headers")
    proxy = await values.text(options.proxy, "proxy")
    token = None if options.auth_token is None else await values.text(options.auth_token, "auth_token")
    if token is not None:
        secret_values.add(token)
    return LinkRequest(
        url=_with_params(url, params, options.protocol_version),
        headers=headers,
        subprotocols=() if token is None else ("phoenix", _bearer(token)),
        max_message_size=options.max_message_size,
        ca_file=options.ca_file,
        proxy=proxy,
    )


def _bearer(token: str) -> str:
    # Standard base64, in spite of the prefix: it is what phoenix.js sends and Phoenix decodes.
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    if "/" in encoded:
        raise OpenError("auth_token has characters that no subprotocol can carry: use params")
    return f"{_TOKEN_PREFIX}{encoded}"
