"""Answers to upgrade requests: who is let in, and what the others are told (Phoenix on Bandit)."""

from __future__ import annotations

import base64
import binascii
import email.utils
import http
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Response

from .codec import Serializer, serializer_for

TOKEN_PREFIX = "base64url.bearer.phx."
"""The subprotocol that carries an auth token, as phoenix.js offers it."""


class Upgrade(NamedTuple):
    """One upgrade request: the path without its query, the query, the headers."""

    path: str
    query: dict[str, str]
    headers: Headers


def read_request(url: str, headers: Headers) -> Upgrade:
    """Takes a request apart. Of a query name given twice the last value counts, as in Plug."""
    parts = urlsplit(url)
    return Upgrade(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)


def decide(upgrade: Upgrade, *, path: str, token: str | None) -> Serializer | Response:
    """How messages are written, where Phoenix accepts it. Else its answer: 404 elsewhere, 403 for a wrong
    token or version, 400 without an upgrade.
    """
    if upgrade.path != f"{path}/websocket":
        return respond(404, b'{"error":"not found"}', json=True)
    if token is not None and token not in (upgrade.query.get("token"), _bearer(upgrade.headers)):
        # The reason for a refusal never reaches the client.
        return respond(403)
    serializer = serializer_for(upgrade.query.get("vsn"))
    if serializer is None:
        return respond(403)
    options = [name.strip().lower() for name in ",".join(upgrade.headers.get_all("Connection")).split(",")]
    if "upgrade" not in options:
        found = ", ".join(f'"{name}"' for name in options if name)
        return respond(400, f"'connection' header must contain 'upgrade', got [{found}]".encode())
    return serializer


def respond(
    status: int, body: bytes = b"", *, json: bool = False, extra: dict[str, str] | None = None
) -> Response:
    """An answer with Phoenix's headers. The library closes the connection after it, and so it says."""
    headers = Headers(
        {
            "date": email.utils.formatdate(usegmt=True),
            "content-length": str(len(body)),
            "vary": "accept-encoding",
            "cache-control": "max-age=0, private, must-revalidate",
            "connection": "close",
            **(extra or {}),
        }
    )
    if json:
        headers["content-type"] = "application/json; charset=utf-8"
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"  # a number of one's own is allowed by RFC 9110, section 15
    return Response(status, phrase, headers, body)


def _bearer(headers: Headers) -> str | None:
    for offered in ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(","):
        name = offered.strip()
        if name.startswith(TOKEN_PREFIX):
            encoded = name.removeprefix(TOKEN_PREFIX)
            try:
                padding = "=" * (-len(encoded) % 4)
                # Despite its name: phoenix.js encodes with btoa, and Phoenix decodes the standard alphabet.
                return base64.b64decode(encoded + padding, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None
