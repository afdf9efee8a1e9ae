"""What a server can make a client keep: bounded in bytes, whatever the bytes are in."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from real import RawServer, eventually, read_frame, text_frame, until_gone, upgrade

from tests.channels.virtual import World, virtual
from tui.channels import ReplyError, Socket, wire
from tui.channels.connection import open_link
from tui.channels.frame_reader import READ_SIZE
from tui.channels.inspector import MAX_BYTES, MAX_FRAMES, Inspector
from tui.channels.link import WRITE_LIMIT, LinkRequest
from tui.channels.push import Push
from tui.channels.wire import DecodeError, Message, Reply, TextDecoder, decode_reply

MB = 1_000_000


@contextmanager
def kept() -> Iterator[Callable[[], int]]:
    """How many bytes more are held than at the start."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


# Headers


@pytest.mark.parametrize("where", ["topic", "event", "join_ref", "a ref that is no text"])
def test_headers_are_remembered_by_their_bytes(where: str) -> None:
    decode = TextDecoder(2).decode
    with kept() as held:
        for number in range(20):
            name = b"%d" % number + b"x" * MB
            data = {
                "topic": b'[null,null,"%b","e",{}]' % name,
                "event": b'[null,null,"t","%b",{}]' % name,
                "join_ref": b'["%b",null,"t","e",{}]' % name[:200],
                "a ref that is no text": b'[null,%d.5,"%b","e",{}]' % (number, name),
            }[where]
            decode(data)
            assert len(decode(data).payload) == 0, "the second time as the first"
        assert held() < 4 * MB


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("place", ["ref", "join_ref"])
def test_a_ref_that_nobody_sends_is_no_ref(version: int, place: str) -> None:
    """It would wait in a queue that is bounded by the bytes of its payloads."""
    long = b'"' + b"7" * 300 + b'"'
    ref, join_ref = (long, b"null") if place == "ref" else (b"null", long)
    if version == 2:
        data = b'[%b,%b,"t","e",{}]' % (join_ref, ref)
    else:
        data = b'{"topic":"t","event":"e","payload":{},"ref":%b}' % long
    with pytest.raises(DecodeError):
        TextDecoder(version).decode(data)


@pytest.mark.parametrize("join_ref", [b"null", b'"7"', b"7"])
@pytest.mark.parametrize("ref", [b"null", b'"8"', b"8"])
@pytest.mark.parametrize("topic", [b"t", rb"a\",\"b", rb"\",", b"\xc3\xa9" * 90])
def test_of_a_large_frame_the_header_alone_is_looked_at(join_ref: bytes, ref: bytes, topic: bytes) -> None:
    payload = b'["' + b"\xff" * MB + b'"]'  # no UTF-8: whoever looks at it is told
    small = TextDecoder(2).decode(b'[%b,%b,"%b","e",{}]' % (join_ref, ref, topic))
    large = TextDecoder(2).decode(b'[%b,%b,"%b","e",%b]' % (join_ref, ref, topic, payload))
    for name in ("join_ref", "ref", "topic", "event"):
        assert getattr(large, name) == getattr(small, name)
    assert large.raw == payload
    with pytest.raises(DecodeError, match="UTF-8"):
        large.payload  # noqa: B018 (decodes it)


PAD = "x" * 20_000
TRICKY: list[Any] = [
    PAD,
    [PAD],
    {"a": PAD, "b": {"ref": None, "topic": "inner"}},
    {"a": PAD, "ref": "7", "topic": "inner", "event": "inner"},
    {"payload": {"payload": PAD}, "response": [PAD], "status": "inner"},
    [PAD, {"status": "inner"}],
    [PAD, ',"topic":"inner"}', {"x": ',"'}, "},", ","],
    {"a": [PAD], ",": ",", "": ""},
    PAD + ',"ref":null,"topic":"inner"}',
]
PLACES = [*itertools.permutations(("topic", "event", "payload", "ref"))]


@pytest.mark.parametrize("payload", TRICKY, ids=range(len(TRICKY)))
@pytest.mark.parametrize(
    "more", [{}, {"x": 1}, {"x": {"y": [",", {"payload": 1}]}}, {"": ","}, {"x": "y" * 2000}]
)
def test_a_large_object_is_what_a_small_one_would_be(
    payload: Any, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"topic": "a,", "event": "b", "payload": payload, "ref": "8,", "join_ref": None}
    frames = [msgspec.json.encode({name: members[name] for name in order} | more) for order in PLACES] + [
        msgspec.json.encode(more | {name: members[name] for name in order}) for order in PLACES
    ]
    replies = [msgspec.json.encode({**more, "response": payload, "status": "a,", **more})]
    replies += [msgspec.json.encode({**more, "status": "a,", "response": payload})]
    spaced = [frame.replace(b'":', b'": ').replace(b',"', b', "') for frame in frames[:4]]
    twice = [frame[:-1] + b',"payload":[1]}' for frame in frames[:4]]

    def read() -> list[Any]:
        found: list[Any] = []
        for frame in (*frames, *spaced, *twice):
            message = TextDecoder(1).decode(frame)
            found.append((message.topic, message.event, message.ref, message.payload))
        for raw in replies:
            reply = decode_reply(Message(None, "1", "t", "phx_reply", raw))
            found.append((reply.status, reply.response))
        return found

    large = read()
    monkeypatch.setattr(wire, "_LARGE", 1 << 30)
    assert large == read()


HUGE = b"[" + b"0," * (MB + MB // 10) + b"0]"
ODD = {
    "space around it": (2, b' [null,null,"t","e",%b]\n'),
    "space in it": (2, b'[ null, "8" , "t" , "e" , %b ]'),
    "a long topic": (2, b'[null,null,"' + b"t" * 2000 + b'","e",%b]'),
    "an object with space": (1, b'{ "topic" : "t", "event" : "e", "payload" : %b , "ref" : null }\r\n'),
    "a longer topic": (2, b'[null,null,"' + b"t" * 5000 + b'","e",%b]'),
    "the payload as topic": (2, b'[null,null,%b,"e",{}]'),
    "no end": (2, b'[null,null,"t","e",%b,0'),
    "one element": (2, b"[%b]"),
    "a member of nobody": (1, b'{"x":%b,"topic":"t","event":"e","payload":{},"ref":null}'),
    "an answer with space": (0, b'{ "status" : "ok", "response" : %b }'),
    "an answer with more": (0, b'{"x":%b,"status":"ok","response":{}}'),
    "an answer whose status is none": (0, b'{"status":%b,"response":{}}'),
}


@pytest.mark.parametrize("shape", ODD)
def test_of_a_huge_frame_nobody_looks_through_all_of_it(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_most(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def decoded(data: bytes) -> Any:
            assert len(data) < 10_000, "one turn of the loop for it"
            return decode(data)

        return decoded

    for name in ("_decode_array", "_decode_object", "_decode_reply"):
        monkeypatch.setattr(wire, name, at_most(getattr(wire, name)))
    version, form = ODD[shape]
    data = form % HUGE
    readable = "space" in shape or shape == "a long topic"
    with nullcontext() if readable else pytest.raises(DecodeError, match="not at its ends"):
        if version:
            raw = TextDecoder(version).decode(data).raw
        else:
            raw = decode_reply(Message(None, "1", "t", "phx_reply", data)).raw
        assert raw.strip() == HUGE


# Answers


@pytest.mark.parametrize("status", ["ok", "error"])
async def test_an_answer_is_built_for_nobody_but_whoever_awaits_its_response(status: str) -> None:
    large = b'{"status":"%b","response":[%b1]}' % (status.encode(), b"{}," * 300_000)
    frame = b'[null,"5","t","phx_reply",%b]' % large
    push: Any = Push(Socket("ws://127.0.0.1:9/socket").channel("t"), "e", {}, 10.0)
    with kept() as held:
        push.replied(TextDecoder(2).decode(frame))
        assert tracemalloc.get_traced_memory()[1] < 4 * len(frame)
        assert held() < 2 * len(frame)
    with pytest.raises(ReplyError) if status == "error" else nullcontext() as raised:
        assert len(await push) == 300_001
    if raised is not None:
        assert str(raised.value).startswith("push of e on t: error: [{},{},")
        assert len(str(raised.value)) < 300
        assert len(raised.value.response) == 300_001


def test_a_status_in_words_is_bounded() -> None:
    refused = ReplyError("push", Reply("x" * MB, b'{"reason":"no"}'))
    assert str(refused) == f"push: {'x' * 100}: no"


# The last message of a channel, and pings


@virtual
async def test_of_the_last_message_as_much_is_kept_as_is_shown(world: World) -> None:
    client = world.socket()
    channel = client.channel("room:1")
    channel.on("e", lambda message: message.payload)
    channel.join()
    await world.connected(client)
    await world.settle()
    for event, payload in (("e", [{} for _ in range(MB)]), ("e" * MB, {}), ("e", "x" * MB)):
        raw = msgspec.json.encode(payload)
        data = b'[null,null,"room:1","%b",%b]' % (event.encode(), raw)
        with kept() as held:
            client.frame_received(data, True)
            assert held() < 100_000
            assert channel.last is not None
            assert event.startswith(channel.last.event)
            assert channel.last_size == len(raw)
            assert raw.startswith(channel.last.raw)


@virtual
async def test_pings_that_nobody_answers_are_forgotten(world: World) -> None:
    client = world.socket()
    await world.connected(client)
    world.server.frozen = True
    for _ in range(100):
        assert client.ping()
    assert len(client._lifecycle.heartbeat._sent) <= 8


def test_a_mistake_of_ours_at_each_frame_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    client = Socket("ws://hub.test/socket")

    def fail(data: bytes) -> Message:
        raise LookupError

    client._decode_text = fail
    for _ in range(100):
        client.frame_received(b"[]", True)
    assert len(caplog.records) == 1
    assert "could not be dealt with" in caplog.text
    assert client.details().handler_errors == 100


# The inspector


@pytest.mark.parametrize("where", ["topic", "event", "ref", "join_ref", "payload"])
def test_the_inspector_is_bounded_whatever_is_long(where: str) -> None:
    inspector = Inspector()
    with kept() as held:
        for number in range(MAX_FRAMES + 10):
            long = f"{number}" + "é" * 50_000
            header = {"join_ref": "1", "ref": "2", "topic": "t", "event": "e"}
            raw = long.encode() if where == "payload" else b"{}"
            if where != "payload":
                header[where] = long
            inspector.add("in", 1.0, Message(**header, raw=raw), b"x" * len(raw))
        assert held() < MAX_BYTES + 3 * MB
    frame = inspector.after(0, 1)[0]
    assert frame.topic.startswith("t" if where != "topic" else f"{number}é")


# The connection


class Owner:
    """Counts what a link tells."""

    def __init__(self) -> None:
        self.heard = False
        self.frames: list[int] = []
        self.lost: list[tuple[int, str]] = []

    def frame_received(self, data: bytes, text: bool) -> None:
        self.frames.append(len(data))

    def link_lost(self, code: int, words: str) -> None:
        self.lost.append((code, words))

    def link_writable(self) -> None:
        pass


def request(server: RawServer) -> LinkRequest:
    return LinkRequest(url=f"{server.url}/websocket?vsn=2.0.0", proxy="none")


@pytest.mark.parametrize("size", [0, 1])
async def test_fragments_take_the_room_of_their_bytes(nothing_left: None, size: int) -> None:
    owner = Owner()
    count = 60_000
    dealt_with = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer, answer=False)
        await go.wait()
        writer.write(b"\x01\x00" + bytes([0, size, *b"x" * size]) * count + b"\x89\x01p")
        await read_frame(reader)
        dealt_with.set()
        await until_gone(reader)

    async with RawServer(serve) as server:
        go = asyncio.Event()
        link = await open_link(request(server), owner)
        with kept() as held:
            go.set()
            await dealt_with.wait()
            assert held() < 250_000
        link.abort()


async def test_pings_of_a_server_that_reads_nothing_are_not_answered_without_end(nothing_left: None) -> None:
    owner = Owner()
    pings = 100_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer, answer=False)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio types it too wide
        for _ in range(100):
            writer.write((b"\x89\x7d" + b"p" * 125) * (pings // 100))
            await writer.drain()
        writer.write(text_frame("last"))
        await asyncio.Event().wait()

    async with RawServer(serve) as server:
        for listening in server._server.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link: Any = await open_link(request(server), owner)
        await eventually(lambda: owner.frames)
        assert link.transport.get_write_buffer_size() < WRITE_LIMIT + READ_SIZE + 1000
        assert not link.writable
        link.abort()


SMALLEST = [b"\x8a\x00", b"\x89\x00", b"\x81\x00", b"\x82\x00", b"\x01\x00" + b"\x00\x00" * 99 + b"\x80\x00"]


@pytest.mark.parametrize("behind_the_answer", [False, True])
@pytest.mark.parametrize("frames", SMALLEST, ids=["pong", "ping", "text", "binary", "fragments"])
async def test_the_smallest_frames_of_one_read_leave_the_loop_its_turns(
    nothing_left: None, frames: bytes, behind_the_answer: bool
) -> None:
    owner = Owner()
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # With a frame right behind the answer, every frame goes through the library's parser.
        await upgrade(reader, writer, answer=False)
        if behind_the_answer:
            writer.write(text_frame("first"))
        await go.wait()
        writer.write(text_frame("last") + b"\x88\x02\x03\xe8" + text_frame("void"))
        await until_gone(reader)

    async with RawServer(serve) as server:
        link: Any = await open_link(request(server), owner)
        if behind_the_answer:
            await eventually(lambda: owner.frames == [5])
        owner.frames.clear()
        link.data_received(frames * (READ_SIZE // len(frames)))
        go.set()
        turns = 0
        while not owner.frames or owner.frames[-1] != 4:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 3
        await eventually(lambda: owner.lost)
        assert owner.frames[-1] == 4, "the last one came, and before the end"
        assert len(owner.frames) == 1 + (READ_SIZE // len(frames) if frames[0] not in (0x8A, 0x89) else 0)
        assert owner.lost == [(1000, "1000 normal closure")]


async def test_what_came_before_a_reset_is_told_before_the_end(nothing_left: None) -> None:
    owner = Owner()
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer, answer=False)
        await go.wait()

    async with RawServer(serve) as server:
        link: Any = await open_link(request(server), owner)
        link.data_received(b"\x8a\x00" * 20_000 + text_frame("last"))
        assert not owner.frames, "its turn is still to come"
        link.transport._fatal_error(ConnectionResetError(), "reset")
        await eventually(lambda: owner.lost)
        assert owner.frames == [4]
        assert owner.lost == [(1006, "connection reset without a close frame")]


async def test_what_came_before_the_end_of_tls_is_told_before_it(
    nothing_left: None, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner()
    go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer, answer=False)
        await go.wait()
        # Bytes and the end of TLS in one read, which the client's TLS hands on without a pause.
        writer.write(b"\x89\x00" * 60_000 + text_frame("last") + b"\x88\x02\x03\xf4")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with RawServer(serve, ssl=context) as server:
        url = f"wss://127.0.0.1:{server.port}/socket/websocket?vsn=2.0.0"
        link = await open_link(
            LinkRequest(url=url, proxy="none", ca_file=str(certificates / "ca.pem")), owner
        )
        go.set()
        await eventually(lambda: owner.lost)
        assert owner.frames == [4]
        assert owner.lost == [(1012, "1012 service restart")]
        assert "SSL connection is closed" not in caplog.messages, "nothing is written to what is closing"
        link.abort()
