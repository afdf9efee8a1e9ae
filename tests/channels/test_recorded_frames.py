"""The client against a server that says word for word what a real Phoenix (1.8.12 on Bandit) said.

The recordings are those that the embedded hub is held against: one step a line, ``>`` to the server,
``<`` from it, ``hex`` for binary frames. A server here plays the server's lines, with the refs of this
conversation in the place of the recorded ones; the client is asked for what the recorded client did.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from real import eventually, options
from websockets.asyncio.server import serve

from tui.channels import ChannelClosed, ChannelsError, ReplyError, Socket
from tui.channels.wire import TextDecoder, decode_binary, decode_reply, encode

RECORDINGS: dict[str, list[str]] = json.loads(
    (Path(__file__).parent.parent / "demo" / "recordings.json").read_text(encoding="utf-8")
)
LINES = [(name, line) for name, lines in RECORDINGS.items() for line in lines]


def said(direction: str) -> list[tuple[str, str]]:
    """(conversation, frame) of one direction, closes left out."""
    return [(n, line[2:]) for n, line in LINES if line[0] == direction and not line[2:].startswith("close")]


def test_every_recorded_frame_of_a_server_decodes_to_what_it_says():
    checked = 0
    first, second = TextDecoder(1), TextDecoder(2)  # each sees frame after frame, as on a connection
    for name, frame in said("<") * 2:
        if frame.startswith("hex "):
            message = decode_binary(bytes.fromhex(frame[4:]))
            assert message.topic == "echo:b"
            assert isinstance(message.payload, bytes)
        elif name == "version 1":
            message, whole = first.decode(frame.encode()), json.loads(frame)
            fields = {"topic": message.topic, "event": message.event, "ref": message.ref}
            assert {**fields, "payload": message.payload} == whole
        elif name.startswith("odd frame") and name[-1] == "]":
            continue  # answers to refs and topics of types that no client here can send
        else:
            message = second.decode(frame.encode())
            fields = [message.join_ref, message.ref, message.topic, message.event, message.payload]
            assert fields == json.loads(frame)
        if message.event == "phx_reply":
            assert decode_reply(message).status in ("ok", "error", "pending")
        checked += 1
    assert checked > 120


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("010101060231326563686f3a626f6b090807", ("1", "2", "echo:b", "phx_reply", b"\x09\x08\x07")),
        ("0001060d316563686f3a627075736865645f62696e617279cafe",
         ("1", None, "echo:b", "pushed_binary", b"\xca\xfe")),
        ("02060c6563686f3a6273686f75745f62696e617279beef",
         (None, None, "echo:b", "shout_binary", b"\xbe\xef")),
    ],
)  # fmt: skip
def test_each_kind_of_binary_frame(frame, expected):
    assert ("binary", f"hex {frame}") in said("<")
    message = decode_binary(bytes.fromhex(frame))
    fields = (message.join_ref, message.ref, message.topic, message.event, message.payload)
    assert fields == expected


def test_what_the_client_sends_is_what_phoenix_was_sent():
    binary = encode("1", "2", "echo:b", "echo", b"\x09\x08\x07", 2)
    assert ("binary", f"hex {binary.hex()}") in said(">")
    heartbeat = encode(None, "2", "phoenix", "heartbeat", {}, 2).decode()
    assert ("join push reply", heartbeat) in said(">")
    join = encode("1", "1", "echo:1", "phx_join", {"a": 1}, 1).decode()
    sent = [json.loads(frame) for name, frame in said(">") if name == "version 1" and frame[0] == "{"]
    assert json.loads(join) == sent[0]


class Player:
    """Plays the server's side of one recorded conversation to whoever plays the client's."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._refs: dict[Any, Any] = {}
        self.done = asyncio.Event()

    def _ours(self, frame: list[Any]) -> str:
        join_ref, ref, *rest = frame
        return json.dumps([self._refs.get(join_ref, join_ref), self._refs.get(ref, ref), *rest])

    async def __call__(self, connection: Any) -> None:
        async def next_frame() -> list[Any]:
            while True:
                frame = json.loads(await connection.recv())
                if frame[3] == "heartbeat":  # the client's own, not of the recording
                    reply = {"response": {}, "status": "ok"}
                    await connection.send(json.dumps([None, frame[1], "phoenix", "phx_reply", reply]))
                else:
                    return frame

        for line in self._lines:
            frame = json.loads(line[2:])
            if line[0] == ">":
                got = await next_frame()
                assert got[2:4] == frame[2:4], f"expected {frame}, got {got}"
                self._refs[frame[0]], self._refs[frame[1]] = got[0], got[1]
            else:
                await connection.send(self._ours(frame))
        self.done.set()
        await next_frame()


async def play(lines: list[str], use: Any) -> Any:
    """Connect a socket to a player of ``lines`` and let ``use`` act as the recorded client."""
    player = Player(lines)
    async with serve(player, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Socket(f"ws://127.0.0.1:{port}/socket", options(reconnect_base_delay=0.1)) as socket:
            await socket.connect()
            result = await use(socket)
            await asyncio.wait_for(player.done.wait(), 5)
            assert socket.details().undecodable == socket.details().handler_errors == 0
            assert socket.get_health_metrics().successful_connects == 1
        return result


def conversation(name: str, first: str, last: str) -> list[str]:
    """The lines of one recording from the one that holds ``first`` to the one that holds ``last``."""
    lines = RECORDINGS[name]
    start = next(place for place, line in enumerate(lines) if first in line)
    end = next(place for place, line in enumerate(lines) if last in line and place >= start)
    return lines[start : end + 1]


async def test_joins_pushes_replies_and_broadcasts(nothing_left):
    lines = [
        line
        for line in conversation("join push reply", "phx_join", '"17","echo:1","phx_reply"')
        if "heartbeat" not in line
        and '"phoenix"' not in line
        and not any(odd in line for odd in ('"ref":null', '"jr":null', '"num":1', '"six":1'))
    ]

    async def use(socket):
        channel = socket.channel("echo:1", {"a": 1})
        heard = []
        for event in ("shout", "pushed"):
            channel.on(event, lambda message: heard.append((message.event, message.payload)))
        assert await channel.join() == {"params": {"a": 1}, "topic": "echo:1"}
        assert await channel.push("echo", {"hi": 1}) == {"hi": "there", "n": [1, 2.5, None]}
        with pytest.raises(ReplyError) as error:
            await channel.push("error")
        assert (error.value.status, error.value.response) == ("error", {"reason": "nope"})
        assert await channel.push("bare_ok") == {}
        with pytest.raises(ReplyError) as pending:
            await channel.push("custom_status")
        assert (pending.value.status, pending.value.response) == ("pending", {"a": 1})
        silent = channel.push("silent")
        channel.push("shout")
        assert await channel.push("shout_from") == {}
        channel.push("push")
        assert await channel.push("double") == {"n": 1}  # the second reply finds nobody
        strange = await channel.push("unicode")
        assert (strange["f"], strange["i"]) == (1.5e300, 2**53 + 1)
        assert strange["s"].startswith("héllo 🦊")
        for answer in ([1], "s", None):
            assert await channel.push("echo") == answer
        assert heard == [("shout", {"yell": 1}), ("pushed", {"p": 1})]
        assert not silent.done
        silent.end(ChannelClosed("enough"))

    await play(lines, use)


async def test_joins_that_are_refused(nothing_left):
    lines = RECORDINGS["unmatched refused crashing join"][:6]

    async def use(socket):
        for topic, reason in (
            ("nosuch:1", "unmatched topic"),
            ("private:x", "unauthorized"),
            ("joincrash:1", "join crashed"),
        ):
            channel = socket.channel(topic)
            with pytest.raises(ReplyError) as refused:
                await channel.join()
            assert refused.value.response == {"reason": reason}
            assert channel.reason == f"join refused: {reason}"
            await channel.leave()  # never joined: nothing to send

    # A channel that was never joined is left without a word, so that its rejoin is not played here.
    await play(lines, use)


async def test_a_leave_and_what_comes_behind_it(nothing_left):
    async def use(socket):
        channel = socket.channel("echo:l")
        closed = []
        channel.on("phx_close", lambda message: closed.append(message.payload))
        await channel.join()
        await channel.leave()
        assert (channel.state, channel.reason, len(closed)) == ("closed", "left", 1)

    await play(RECORDINGS["leave"][:5], use)


async def test_a_channel_that_the_server_closes(nothing_left):
    async def use(socket):
        channel = socket.channel("echo:s")
        await channel.join()
        channel.push("stop")
        await eventually(lambda: channel.state == "closed")
        assert channel.reason == "closed by the server"
        await channel.join()
        assert await channel.push("stop_reply") == {"bye": True}
        await eventually(lambda: channel.state == "closed")

    lines = [line for line in RECORDINGS["server closes the channel"][:13] if "after" not in line
             and "50b" not in line and "51b" not in line]  # fmt: skip
    await play(lines, use)


async def test_a_channel_that_crashes_joins_again_by_itself(nothing_left):
    async def use(socket):
        channel = socket.channel("echo:c")
        crashes = []
        channel.on("phx_error", lambda message: crashes.append(message.payload))
        await channel.join()
        for number, event in enumerate(("crash", "stop_error", "exit_shutdown", "no_such_event"), 1):
            with pytest.raises(ChannelsError):
                await channel.push(event)
            if number < 4:
                await eventually(lambda: channel.joins == number + 1)  # noqa: B023 (awaited at once)
        assert crashes == [{"reason": "channel_crash"}] * 4

    lines = RECORDINGS["channel crash"]
    await play(lines[: next(place for place, line in enumerate(lines) if "63b" in line)], use)


async def test_a_duplicate_join_closes_the_old_channel_alone(nothing_left):
    async def use(socket):
        old = socket.channel("echo:d", {"n": 1})
        await old.join()
        new = socket.channel("echo:d", {"n": 2})
        pushed = []
        new.on("pushed", lambda message: pushed.append(message.payload))
        assert await new.join() == {"params": {"n": 2}, "topic": "echo:d"}
        new.push("push")
        await eventually(lambda: pushed == [{"jr": "71"}])
        assert (old.state, new.state) == ("closed", "joined")  # the late phx_close was the old one's

    lines = [line for line in RECORDINGS["duplicate join"][:8] if '"72"' not in line]
    await play(lines, use)


async def test_leave_and_join_at_once_with_the_late_close(nothing_left):
    """The leave was never answered, and its close came behind the new join's reply."""

    async def use(socket):
        channel = socket.channel("echo:p")
        await channel.join()
        left = channel.leave()
        await channel.join()
        await left
        assert (channel.state, channel.joins) == ("joined", 2)

    await play(RECORDINGS["leave and rejoin in one"], use)


async def test_a_crash_and_a_leave_with_a_reply_pending(nothing_left):
    async def crash(socket):
        channel = socket.channel("echo:p")
        await channel.join()
        slow = channel.push("slow")
        with pytest.raises(ChannelsError):
            await channel.push("crash")
        with pytest.raises(ChannelsError):
            await slow

    await play(RECORDINGS["crash with a slow reply pending"], crash)

    async def leave(socket):
        channel = socket.channel("echo:p")
        await channel.join()
        slow = channel.push("slow")
        await channel.leave()
        with pytest.raises(ChannelClosed):
            await asyncio.wait_for(slow, 2)

    await play(RECORDINGS["leave with a slow reply pending"], leave)
