"""Answers to upgrade requests, as recorded."""

from __future__ import annotations

import asyncio
import base64

import pytest
from websockets.exceptions import InvalidStatus

from tui.demo.hub import Hub


async def request(hub: Hub, path: str, headers: str = "") -> tuple[int, dict[str, str], bytes]:
    """One HTTP request by hand: status, headers in lower case, body."""
    reader, writer = await asyncio.open_connection(hub.host, hub.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {hub.host}\r\n{headers}\r\n".encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    first, *rest = head.decode().split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split()[1]), found, body


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/socket/websocket?vsn=3.0.0", 403, b""),
        ("/socket/websocket?vsn=abc", 403, b""),
        ("/socket/websocket?vsn=2.0", 403, b""),
        ("/socket?vsn=2.0.0", 404, b'{"error":"not found"}'),
        ("/nosuch/websocket", 404, b'{"error":"not found"}'),
    ],
)
async def test_refused(hub, path, status, body):
    found = await request(hub, path, UPGRADE)
    assert (found[0], found[2]) == (status, body)
    assert found[1]["content-length"] == str(len(body))
    assert hub.connects == 1


async def test_plain_get(hub):
    status, _, body = await request(hub, "/socket/websocket?vsn=2.0.0")
    assert (status, body) == (400, b"'connection' header must contain 'upgrade', got []")


async def test_health(hub):
    status, headers, body = await request(hub, "/health")
    assert status == 200
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert b'"healthy"' in body
    assert hub.connects == 0


@pytest.mark.parametrize(("query", "version"), [("", 1), ("vsn=1.0.0", 1), ("vsn=2.0.0", 2)])
async def test_accepted(hub, client, query, version):
    """No subprotocol and no extension though compression was offered: Phoenix's default."""
    peer = await client(query, compression="deflate")
    headers = peer.websocket.response.headers
    assert "sec-websocket-protocol" not in headers
    assert "sec-websocket-extensions" not in headers
    assert headers["cache-control"] == "max-age=0, private, must-revalidate"
    assert hub.connections[0].serializer.version == version


async def test_what_the_hub_notes_of_a_request(hub, client):
    await client("vsn=2.0.0&name=a%20b&name=c&empty=", additional_headers={"X-Own": "yes"})
    path, query, headers = hub.upgrades[-1]
    assert (path, query) == ("/socket/websocket", {"vsn": "2.0.0", "name": "c", "empty": ""})
    assert headers["x-own"] == "yes"
    assert hub.connections[0].params == query


def bearer(token: str) -> list[str]:
    return [
        "phoenix",
        "base64url.bearer.phx." + base64.b64encode(token.encode()).decode().rstrip("="),
    ]


async def test_token(hub, client):
    hub.token = "s3cret ünder"
    peer = await client(subprotocols=bearer(hub.token))
    # Whoever offers "phoenix" beside the token is answered with it.
    assert peer.websocket.subprotocol == "phoenix"
    await peer.beat()
    await client("vsn=2.0.0&token=s3cret%20%C3%BCnder")
    for refused in ({}, {"subprotocols": bearer("other")}, {"subprotocols": ["base64url.bearer.phx.~"]}):
        with pytest.raises(InvalidStatus) as caught:
            await client(**refused)
        assert caught.value.response.status_code == 403
        assert caught.value.response.headers["content-length"] == "0"


async def test_a_path_of_ones_own(client):
    async with Hub(path="/live") as own:
        assert own.url == f"ws://127.0.0.1:{own.port}/live"
        await (await client(to=own)).beat()
