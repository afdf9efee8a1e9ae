"""Why a connection could not be opened, in words that are safe to show.

The library's messages may hold the URL or a header with its token, so none of them is used.
"""

from __future__ import annotations

import email.utils
import http
import socket
import ssl
from urllib.parse import urljoin, urlsplit

from websockets import exceptions

from tui.channels.errors import OpenError


def host_and_port(url: str) -> str:
    """``host:port`` of a URL; nothing else of it may be shown."""
    parts = urlsplit(url)
    port = parts.port or {"wss": 443, "https": 443}.get(parts.scheme, 80)
    host = parts.hostname or "?"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def in_words(error: BaseException, url: str, now: float) -> OpenError:
    """``error`` of an attempt to open ``url`` as an :class:`OpenError`.

    Args:
        now: epoch seconds, against which a ``Retry-After`` date is held.
    """
    if isinstance(error, OpenError):
        return error
    where = host_and_port(url)
    if isinstance(error, exceptions.InvalidStatus):
        return _answer(error, url, now)
    return OpenError(_words(error, where))


def _words(error: BaseException, where: str) -> str:
    match error:
        case ConnectionRefusedError():
            return f"refused by {where}"
        case socket.gaierror():
            return f"name look-up of {where.rsplit(':', 1)[0]} failed: {error.strerror or 'no answer'}"
        case ssl.SSLCertVerificationError():
            return f"TLS: the certificate of {where} is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS with {where} failed: {error.reason or 'no TLS spoken there'}"
        case exceptions.InvalidProxyStatus():
            return f"the proxy answered {_status(error.response.status_code)}"
        case exceptions.InvalidProxy() | exceptions.ProxyError():
            return "the proxy's address is not usable, or it does not answer as a proxy"
        case exceptions.InvalidURI():
            return f"the address of {where} is no WebSocket URL"
        case exceptions.InvalidMessage() | EOFError() | ConnectionError():
            return f"connection to {where} reset while opening"
        case exceptions.InvalidHandshake():
            return f"{where} answered, but not as a WebSocket server"
        case exceptions.ConnectionClosed():
            return f"connection to {where} closed while opening"
        case FileNotFoundError() | PermissionError() | IsADirectoryError():
            return f"ca_file cannot be read: {error.strerror}"
        case OSError():
            return f"no connection to {where}: {error.strerror or type(error).__name__}"
    return f"no connection to {where}: {type(error).__name__}"


def _answer(error: exceptions.InvalidStatus, url: str, now: float) -> OpenError:
    response = error.response
    code = response.status_code
    words = f"{host_and_port(url)} answered {_status(code)}"
    if code in (401, 403):
        return OpenError(f"{words}: token or parameters not accepted", refusal=True)
    if code == 404:
        return OpenError(f"{words}: no socket at this path")
    if 300 <= code < 400:
        try:
            target = host_and_port(urljoin(url, response.headers.get("Location", "")))
        except ValueError:
            target = "what is no address"
        return OpenError(f"{words}: redirect to {target} not followed")
    if code in (429, 503):
        wait = retry_after(response.headers.get("Retry-After"), now)
        if wait is not None:
            return OpenError(f"{words}, retry after {wait:.0f} s", retry_after=wait)
    return OpenError(words)


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds asked for by a ``Retry-After`` header (RFC 9110, 10.2.3), None when there is no sense in it."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - now)
