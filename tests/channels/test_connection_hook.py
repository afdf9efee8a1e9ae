"""The few methods and attributes of the websockets library that the client stands on: do they still hold?

A failure here after an update of the library means that ``tui/channels/frame_reader.py`` has to follow.
"""

from __future__ import annotations

import asyncio
import inspect
import logging

import pytest
from real import FrameServer, RawServer, eventually, read_frame, text_frame, until_gone, upgrade
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.client import ClientProtocol
from websockets.protocol import Protocol
from websockets.uri import parse_uri

from tui.channels import NotConnectedError
from tui.channels.connection import open_link
from tui.channels.frame_reader import FrameReader
from tui.channels.link import LinkRequest
from tui.channels.reasons import AnswerError, describe_error


class Owner:
    """Notes what a link tells."""

    def __init__(self):
        self.heard = False
        self.frames = []
        self.lost = []
        self.writable = 0

    def frame_received(self, data, text):
        self.frames.append((data, text))

    def link_lost(self, code, words):
        self.lost.append((code, words))

    def link_writable(self):
        self.writable += 1


def request(server, **changes):
    return LinkRequest(url=f"{server.url}/websocket?vsn=2.0.0", proxy="none", **changes)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (ClientConnection, "process_event", ["self", "event"]),
        (Connection, "process_event", ["self", "event"]),
        (Connection, "send_data", ["self"]),
        (Connection, "data_received", ["self", "data"]),
        (Connection, "connection_lost", ["self", "exc"]),
        (Connection, "resume_writing", ["self"]),
        (Connection, "pause_writing", ["self"]),
        (ClientProtocol, "connect", ["self"]),
        (ClientProtocol, "send_request", ["self", "request"]),
        (Protocol, "send_text", ["self", "data", "fin"]),
        (Protocol, "send_binary", ["self", "data", "fin"]),
    ],
)
def test_the_methods_have_their_names_and_parameters(owner, name, parameters):
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


async def test_the_attributes_are_there_before_anything_happened():
    connection = ClientConnection(ClientProtocol(parse_uri("ws://localhost/")))
    assert connection.response is None
    assert connection.connection_exc is None
    assert connection.paused is False
    protocol = connection.protocol
    assert (protocol.close_rcvd, protocol.close_sent, protocol.handshake_exc) == (None, None, None)
    own = FrameReader(ClientProtocol(parse_uri("ws://localhost/")), owner=Owner())
    assert own.writable is True


async def test_frames_right_behind_the_answer_reach_the_owner_before_opening_returns(nothing_left):
    owner = Owner()

    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)  # written together with what follows
        writer.write(text_frame("one") + b"\x82\x03two" + text_frame("three"))
        await until_gone(reader)

    async with RawServer(serve) as server:
        link = await open_link(request(server), owner)
        assert owner.frames == [(b"one", True), (b"two", False), (b"three", True)]
        assert owner.heard
        link.abort()


async def test_nothing_passes_through_the_librarys_receive_queue(nothing_left):
    """A thousand frames that nobody receives: none waits, none holds up the reading."""
    owner = Owner()

    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)
        writer.write(text_frame("x") * 1000 + b"\x89\x01p")
        assert await read_frame(reader) == (0xA, b"p")  # the pong came: everything before it was read
        writer.write(text_frame("last"))
        await until_gone(reader)

    async with RawServer(serve) as server:
        link = await open_link(request(server), owner)
        await eventually(lambda: owner.frames[-1] == (b"last", True))
        assert len(owner.frames) == 1001
        assert len(link.recv_messages.frames) == 0
        assert link.transport.is_reading()
        link.abort()


async def test_fragments_are_joined_and_a_ping_between_is_answered(nothing_left):
    owner = Owner()

    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)
        writer.write(b"\x01\x03one" + b"\x89\x01p" + b"\x00\x03two" + b"\x80\x00")
        writer.write(b"\x02\x01\x00" + b"\x80\x01\xff")
        assert await read_frame(reader) == (0xA, b"p")
        writer.write(text_frame("answered"))
        await until_gone(reader)

    async with RawServer(serve) as server:
        link = await open_link(request(server), owner)
        await eventually(lambda: len(owner.frames) == 3)
        assert owner.frames == [(b"onetwo", True), (b"\x00\xff", False), (b"answered", True)]
        link.abort()


async def test_too_many_fragments_end_with_1009(nothing_left):
    owner = Owner()

    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)
        writer.write(b"\x01\x7dx" + b"x" * 124 + (b"\x00\x7d" + b"x" * 125) * 20)
        await until_gone(reader)

    async with RawServer(serve) as server:
        await open_link(request(server, max_message_size=1000), owner)
        await eventually(lambda: owner.lost)
        assert owner.lost[0][0] == 1009
        assert owner.frames == []
        await eventually(lambda: server.open == 0)


async def test_a_full_write_buffer_shows_and_its_end_is_told(nothing_left):
    owner = Owner()
    go_on = asyncio.Event()

    async def serve(reader, writer):
        await upgrade(reader, writer, answer=False)
        await go_on.wait()
        await until_gone(reader)

    async with RawServer(serve, limit=1024) as server:
        link = await open_link(request(server), owner)
        sent = 0
        while link.writable:
            link.send_frame(b"x" * 500_000, text=True)
            sent += 1
            assert sent < 200
            await asyncio.sleep(0)
        assert owner.writable == 0
        go_on.set()
        await eventually(lambda: owner.writable == 1)
        assert link.writable
        link.abort()


async def test_sending_on_a_closed_link_says_so(nothing_left):
    owner = Owner()
    async with FrameServer() as server:
        link = await open_link(request(server), owner)
        server.live[0].transport.abort()
        await eventually(lambda: owner.lost)
        with pytest.raises(NotConnectedError):
            link.send_frame(b"x", text=True)
        await link.shut()
        link.abort()
        assert owner.lost == [(1006, "connection dropped without a close frame")]


async def test_the_end_is_told_once_with_the_servers_code(nothing_left):
    owner = Owner()
    async with FrameServer() as server:
        link = await open_link(request(server), owner)
        await server.live[0].close(4002, "enough")
        await eventually(lambda: owner.lost)
        await eventually(lambda: server.live == [])
        assert owner.lost == [(4002, "4002: enough")]
        link.abort()


async def test_a_link_that_is_shut_or_aborted_tells_nothing(nothing_left):
    for graceful in (True, False):
        owner = Owner()
        async with FrameServer() as server:
            link = await open_link(request(server), owner)
            if graceful:
                await link.shut()
            else:
                link.abort()
            await eventually(lambda: server.live == [])
            assert server.close_codes == [1000 if graceful else None]
        assert owner.lost == []


async def test_an_opening_that_fails_tells_the_opener_alone(nothing_left):
    owner = Owner()

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    async with RawServer(refuse) as server:
        with pytest.raises(AnswerError) as raised:
            await open_link(request(server), owner)
        assert "403 Forbidden" in str(describe_error(raised.value, owner.step, 0.0))
    assert (owner.frames, owner.lost) == ([], [])


async def test_the_librarys_own_keep_alive_is_off(nothing_left):
    owner = Owner()
    async with FrameServer() as server:
        link = await open_link(request(server), owner)
        assert link.ping_interval is None
        assert link.keepalive_task is None
        assert link.protocol.extensions == []
        link.abort()


def test_the_librarys_debug_lines_are_off_even_where_everything_is_logged():
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        assert not logging.getLogger("tui.channels.websockets").isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger().setLevel(logging.WARNING)
