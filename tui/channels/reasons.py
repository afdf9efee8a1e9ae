"""Why a connection could not be opened, in words that are safe to show.

The library's messages may hold the URL or a header with its token, so none of them is used. What the words
begin with is what counts: the status, then who answered.
"""

from __future__ import annotations

import email.utils
import http
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC
from typing import Literal
from urllib.parse import urljoin, urlsplit

from websockets import exceptions

from tui.channels.answer_head import AnswerHead
from tui.channels.apart import Awaited
from tui.channels.errors import OpenError

MOST_RETRY_AFTER = 366 * 86_400
"""Seconds beyond which a ``Retry-After`` is nonsense."""

_MOST_NAME = 100  # letters of a host's name, which a redirect may bring from outside

NO_TLS = "no TLS is spoken there (ws:// or http://)"
_NO_TLS_THERE = (
    *("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"),
    "RECORD_LAYER_FAILURE",
)
_CERTIFICATE_WANTED = ("TLSV13_ALERT_CERTIFICATE_REQUIRED",)
_CERTIFICATE_PERHAPS = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_BAD_CERTIFICATE")


@dataclass(frozen=True, slots=True)
class Step:
    """What an attempt to open waits for, and of whom."""

    asks: Literal["name look-up", "TCP", "TLS", "upgrade", "answer"]
    of: str = ""
    """Host and port."""
    proxy: bool = False
    """It is the proxy that is asked."""
    head: AnswerHead | None = None
    """What has come of the answer."""
    plain: bool = False
    """It is asked without TLS."""

    @property
    def who(self) -> str:
        return f"the proxy {self.of}" if self.proxy else self.of


class AnswerError(Exception):
    """The answer is in the step's head, and it is no 101 or has a problem."""

    def __init__(self, problem: str | None = None) -> None:
        super().__init__()
        self.problem = problem
        """Beside the head's own, in words that are safe to show."""


def host_and_port(url: str) -> str:
    """``host:port`` of a URL; nothing else of it may be shown."""
    parts = urlsplit(url)
    port = parts.port or {"wss": 443, "https": 443}.get(parts.scheme, 80)
    host = parts.hostname or "?"
    return joined(host if len(host) <= _MOST_NAME else f"{host[:_MOST_NAME]}…", port)


def joined(host: str, port: int) -> str:
    """``host:port``, with brackets where they belong."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def describe_error(error: BaseException, step: Step, now: float) -> OpenError:
    """What became of an attempt that ended in ``step`` with ``error``.

    Args:
        now: epoch seconds, against which a ``Retry-After`` date is held.
    """
    if isinstance(error, OpenError):
        return error
    head = step.head
    if head is not None and head.status is not None:
        problem = error.problem if isinstance(error, AnswerError) else None
        return _answered(head, head.status, problem or head.problem, step, now)
    if isinstance(error, AnswerError) and head is not None and head.begun:
        kind = "proxy" if step.proxy else "WebSocket server" if step.asks == "upgrade" else "web server"
        return OpenError(f"{step.who} answered, but not as a {kind}: {head.problem}")
    return OpenError(_words(error, step))


def overdue(step: Step, awaited: Awaited, limit: float, now: float) -> OpenError:
    """What is to be said of an attempt that is in ``step`` still when its ``limit`` in seconds is over."""
    if awaited.what is not None:
        return OpenError(awaited.message(limit, ""))
    within = f"within {limit:g} s"
    head = step.head
    if head is not None and head.status is not None:
        return _answered(head, head.status, f"{head.unfinished} {within}", step, now)
    if step.asks == "TCP":
        return OpenError(f"no TCP connection to {step.who} {within}")
    asked = "to the upgrade" if step.asks == "upgrade" else f"from {step.who}"
    if step.asks == "TLS":
        asked = f"to the TLS handshake {asked}"
    whole = f", {head.unfinished}" if head is not None and head.begun else ""
    return OpenError(f"no answer {asked} {within}{whole}")


def _name(step: Step) -> str:
    return step.who.rpartition(":")[0]


def _words(error: BaseException, step: Step) -> str:
    who = step.who
    match error:
        case ConnectionRefusedError():
            return f"refused by {who}"
        case socket.gaierror():
            return f"name look-up of {_name(step)} failed: {error.strerror or 'no answer'}"
        case ssl.SSLCertVerificationError():
            return f"TLS: the certificate of {who} is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS with {who} failed: {_tls_words(error.reason)}"
        case exceptions.ProxyError():
            return f"refused by {who}, or it does not answer as a proxy"
        case exceptions.InvalidHeader():
            return f"headers.{error.name} holds what no header can"
        case exceptions.InvalidURI():
            return f"the address of {who} is no WebSocket URL"
        case AnswerError() | EOFError():
            # A TLS library drops whoever speaks HTTP to it without a word.
            perhaps = ", as a port for TLS does (wss://)" if step.asks == "upgrade" and step.plain else ""
            return f"connection to {who} closed without an answer{perhaps}"
        case ConnectionError():
            during = "in the TLS handshake" if step.asks == "TLS" else "while opening"
            return f"connection to {who} reset {during}"
        case OSError():
            return f"no connection to {who}: {error.strerror or type(error).__name__}"
    return f"no connection to {who}: {type(error).__name__}"


def _tls_words(reason: str | None) -> str:
    if reason in _NO_TLS_THERE:
        return NO_TLS
    if reason in _CERTIFICATE_WANTED:
        return "it wants a client certificate, which cannot be given"
    if reason in _CERTIFICATE_PERHAPS:
        return f"{reason}, perhaps it wants a client certificate, which cannot be given"
    return reason or "no TLS spoken there"


def _answered(head: AnswerHead, code: int, problem: str | None, step: Step, now: float) -> OpenError:
    verb = "refused with" if step.proxy and not 200 <= code < 300 else "answered"
    words = f"{verb} {_status(code)} by {step.who}"
    wait = retry_after(head.field("retry-after"), now) if code in (429, 503) else None
    if wait is not None:
        words += f", retry after {wait:.0f} s"
    meant = _consequence(head, code, step) if step.asks == "upgrade" else None
    if more := "; ".join(part for part in (meant, problem) if part is not None):
        words += f": {more}"
    return OpenError(words, refusal=code in (401, 403) and not step.proxy, retry_after=wait)


def _consequence(head: AnswerHead, code: int, step: Step) -> str | None:
    if code in (401, 403):
        return "token or parameters not accepted"
    if code == 404:
        return "no socket at this path"
    if 200 <= code < 300:
        return "no WebSocket there"
    location = head.field("location")
    if 300 <= code < 400 and location is not None:
        try:
            target = host_and_port(urljoin(f"http://{step.of}", location))
        except ValueError:
            target = "what is no address"
        return f"redirect to {target} not followed"
    return None


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code:03d}"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds asked for by a ``Retry-After`` header (RFC 9110, 10.2.3), None when there is no sense in it."""
    if value is None or len(value) > _MOST_NAME:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        wait = float(value)
    else:
        try:
            date = email.utils.parsedate_to_datetime(value)
            wait = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return max(0.0, wait) if wait <= MOST_RETRY_AFTER else None
