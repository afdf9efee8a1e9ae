"""What proves a link alive on real sockets: data and bytes that leave do, the next hop's PINGs do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
from pathlib import Path

import pytest
from real import LIMIT, Client, RawServer, eventually, ok, read_frame, running, text_frame, upgrade

from tui.channels.connection import open_link
from tui.channels.link import LinkOwner, LinkRequest
from tui.demo.hub import Hub

SLOW_LINE = Path(__file__).parent / "slow_line.py"
BEATS = {
    "heartbeat_interval": 0.3,
    "heartbeat_timeout": 0.4,
    "reconnect_base_delay": 5,
    "reconnect_max_delay": 5,
}

PING = b"\x89\x04ping"
PONG = b"\x8a\x00"


async def answer_joins(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            _, data = await read_frame(reader)
            if data[:1] == b"[" and json.loads(data)[3] == "phx_join":
                writer.write(text_frame(ok(json.loads(data))))


def saying(*pieces):
    """A server that answers the first heartbeat and the joins, then says these again and again."""

    async def serve(reader, writer):
        await upgrade(reader, writer)
        answering = asyncio.create_task(answer_joins(reader, writer))
        try:
            await asyncio.sleep(0.2)
            while True:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.05)
        finally:
            answering.cancel()

    return serve


@pytest.mark.parametrize(
    "pieces",
    [(PING,), (PONG,), (PING[:1], PING[1:3], PING[3:]), (b"\x89\x7d" + bytes(125),), (PING + PONG,)],
    ids=["PING", "PONG", "a PING in pieces", "the longest PING", "both in one"],
)
async def test_what_the_next_hop_says_by_itself_keeps_no_link(nothing_left, pieces):
    async with RawServer(saying(*pieces)) as server:
        one = Client(server.url, "echo:1", **BEATS)
        async with running(one):
            await eventually(lambda: one.all_joined)
            await eventually(lambda: one.socket.state == "reconnecting")
            assert one.socket.get_health_metrics().heartbeat_failures == 1
            assert one.socket.details().reason == "nothing but PINGs came within 0.4 s of a heartbeat"


BROADCAST = text_frame(json.dumps([None, None, "echo:1", "tick", {"x": "y" * 90}]))
LARGE = b"\x81\x7f" + (1_000_000).to_bytes(8, "big") + b'[null,null,"echo:1","tick",{}'


@pytest.mark.parametrize(
    "pieces",
    [
        (BROADCAST,),
        (BROADCAST[:2], BROADCAST[2:3], BROADCAST[3:]),
        (b"\x01\x01[", PING, b"\x00\x00", PING, b"\x80\x01]"),
        (b"\x02\x00", b"\x80\x00"),
        (LARGE, *[b" "] * 2_000),
    ],
    ids=["text", "a frame in pieces", "fragments around PINGs", "empty binary", "a large one under way"],
)
async def test_data_keeps_the_link_and_two_unanswered_heartbeats_are_told(nothing_left, pieces):
    async with RawServer(saying(*pieces)) as server:
        one = Client(server.url, "echo:1", **BEATS)
        async with running(one):
            await eventually(lambda: one.all_joined)
            await eventually(lambda: one.socket.details().heartbeats_unanswered_since is not None)
            await eventually(lambda: one.socket.details().heartbeats_sent >= 8)
            assert one.socket.is_connected
            assert server.accepted == 1
            assert one.socket.get_health_metrics().heartbeat_failures == 0
            assert one.socket.details().round_trip_last is None


@contextlib.asynccontextmanager
async def slow_line(port, rate):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        SLOW_LINE,
        str(port),
        str(rate),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield f"ws://127.0.0.1:{int(await process.stdout.readline())}/socket"
    finally:
        process.stdin.close()
        async with asyncio.timeout(LIMIT):
            await process.wait()


async def test_a_push_that_takes_many_heartbeats_to_leave_does_not_cut_the_link(hub: Hub, nothing_left):
    async with slow_line(hub.port, 150_000) as url:
        one = Client(
            url, "echo:1", heartbeat_interval=0.6, heartbeat_timeout=0.6, join_timeout=3, push_timeout=60
        )
        async with running(one):
            await eventually(lambda: one.all_joined)
            payload = {"x": "x" * 700_000}
            began = asyncio.get_running_loop().time()
            assert await one.channels[0].push("echo", payload) == payload
            assert asyncio.get_running_loop().time() - began > 3, "the line was not slow"
            assert one.socket.get_health_metrics().heartbeat_failures == 0
            assert len(hub.connections) == 1


class Nobody(LinkOwner):
    """Is told, and does nothing."""


@pytest.mark.parametrize("tls", [False, True])
async def test_all_that_waits_is_known_wherever_it_waits(nothing_left, certificates, tls):
    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)
        writer.transport.pause_reading()
        await asyncio.Event().wait()

    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with RawServer(serve, ssl=context) as server:
        for listening in server._server.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{server.port}/socket/websocket?vsn=2.0.0"
        request = LinkRequest(url=url, proxy="none", ca_file=str(certificates / "ca.pem"))
        link = await open_link(request, Nobody())
        link.send_frame(b"x" * 20_000_000, True)
        await eventually(lambda: link.outflow.left > 10_000)
        assert sum(link.outflow) > 20_000_000
        link.abort()
