"""The two clients that stand side by side, each as small as its library lets it be."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tui.channels import Channel, Options, Socket


class BareFrame(msgspec.Struct, array_like=True):
    """What a bare loop decodes each message to."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: dict[str, Any]


decode = msgspec.json.Decoder(BareFrame).decode
encode = msgspec.json.Encoder().encode


async def open_bare(url: str, topic: str) -> ClientConnection:
    """A connection of the library with its own keep-alive and compression off, joined to ``topic``."""
    connection = await connect(
        f"{url}/websocket?vsn=2.0.0",
        compression=None,
        ping_interval=None,
        open_timeout=None,
        proxy=None,
    )
    await connection.send(encode(["1", "1", topic, "phx_join", {}]), text=True)
    reply = decode(await connection.recv(decode=False))
    if reply.payload["status"] != "ok":
        raise RuntimeError(f"join refused: {reply.payload}")
    return connection


def options(preset: str = "service", **changes: Any) -> Options:
    """A preset with its default bounds; the environment's proxy is no part of a benchmark."""
    return Options.preset(preset, proxy="none", **changes)


async def open_ours(url: str, topic: str) -> tuple[Socket, Channel]:
    """A socket of this project, connected (a heartbeat was answered) and joined."""
    socket = Socket(url, options())
    channel = socket.channel(topic)
    joined = channel.join(timeout=60)
    await asyncio.gather(socket.connect(), joined)
    return socket, channel
