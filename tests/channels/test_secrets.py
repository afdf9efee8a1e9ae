"""No secret that is given to the client appears in anything that it says."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import traceback
from urllib.parse import quote

import pytest
from real import FrameServer, RawServer, eventually, options, until_gone

from tui.channels import ChannelsError, Options, Socket
from tui.demo.hub import Hub

SECRETS = ("tok3n-s3cret", "p4ram-s3cret", "h3ader-s3cret", "j0in-s3cret", "pr0xy-s3cret", "us3r-s3cret")
TOKEN, PARAM, HEADER, JOIN, PROXY, USER = SECRETS
ENCODED = tuple(base64.b64encode(secret.encode()).decode().rstrip("=") for secret in SECRETS)
COPIES = SECRETS + tuple(part[:-2] for part in ENCODED)  # the last characters depend on what follows


@pytest.fixture
def said(caplog):
    """Everything logged by anyone at DEBUG level, and everything else that a test adds."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "websockets", "websockets.client", "tui", "tui.channels"):
        caplog.set_level(logging.DEBUG, name)
    asked = []
    yield asked
    text = "\n".join(asked + [caplog.handler.format(record) for record in caplog.records])
    for record in caplog.records:
        text += f"\n{record.args!r}"
    found = [secret for secret in COPIES if secret in text]
    assert found == []


def secretive(url, said, **changes):
    given = {
        "auth_token": TOKEN,
        "params": {"token": PARAM},
        "headers": {"Authorization": HEADER},
        **changes,
    }
    socket = Socket(url, options(**given))
    socket.on_state_change(lambda change: said.append(repr(change)))

    def look():
        said.extend(map(repr, (socket, socket.options, socket.details(), socket.get_health_metrics())))
        said.extend(repr(task) for task in asyncio.all_tasks())
        said.extend(repr(channel) for channel in socket.channels)
        said.append(socket.address)

    socket.on_state_change(lambda change: look())
    return socket


async def some_failures(socket, count=2):
    socket.connect()
    await eventually(lambda: socket.details().failed_attempts >= count)


def note_error(said, error):
    said.append(repr(error))
    said.extend(traceback.format_exception(error))
    while error is not None:  # what hangs on it is not printed, but may be shown by others
        said.append(f"{error!r} {error.args!r}")
        error = error.__cause__ or error.__context__


async def test_the_repr_of_options_shows_none(said):
    said.append(repr(Options(auth_token=TOKEN, params={"t": PARAM}, headers={"h": HEADER})))
    assert "heartbeat_interval" in said[0]


@pytest.mark.parametrize(
    "proxy", [f"http://{USER}:{PROXY}@127.0.0.1:1", f"{PROXY}://{USER}", f"http://{PROXY}:x"]
)
async def test_a_proxys_address_is_shown_nowhere(nothing_left, said, proxy):
    socket = secretive("ws://127.0.0.1:1/socket", said, proxy=proxy)
    await some_failures(socket)
    await socket.close()


@pytest.mark.parametrize(
    "fault", ["refuse", "reset", "401", "403", "404", "503", "redirect", "silent", "close"]
)
async def test_no_fault_of_opening_says_one(hub, said, fault):
    match fault:
        case "refuse":
            hub.faults.refuse()
        case "reset":
            hub.faults.reset_opening()
        case "redirect":
            hub.faults.redirect(f"ws://elsewhere.test/{PARAM}?token={TOKEN}")
        case "silent":
            hub.faults.accept_silent()
        case "close":
            hub.faults.accept_and_close(1011)
        case status:
            hub.faults.http_status(int(status))
    socket = secretive(hub.url, said, heartbeat_timeout=0.1)
    await some_failures(socket)
    try:
        await asyncio.wait_for(socket.connect(), 0.05)
    except (TimeoutError, ChannelsError) as error:
        note_error(said, error)
    await socket.close()
    assert said


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 200 OK\r\nx: {TOKEN}\r\n\r\n",
        f"HTTP/1.1 403 {TOKEN}\r\n\r\n{PARAM}",
        f"HTTP/1.1 302 Found\r\nlocation: //{USER}:{TOKEN}@\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nlocation: ws://[{TOKEN}\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nlocation: ws://host:{TOKEN}/\r\n\r\n",
        f"HTTP/1.1 503 No\r\nretry-after: {TOKEN}\r\n\r\n",
        f"{TOKEN}\r\n\r\n",
        f"HTTP/1.1 101 Switching Protocols\r\nupgrade: {TOKEN}\r\n\r\n",
    ],
)
async def test_a_server_that_says_one_back_is_not_repeated(nothing_left, said, answer):
    async def echo(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await writer.drain()

    async with RawServer(echo) as server:
        socket = secretive(server.url, said, open_timeout=1)
        await some_failures(socket)
        assert f"127.0.0.1:{server.port}" in socket.details().reason
        await socket.close()


async def test_a_url_that_holds_one_is_not_shown(hub, said):
    socket = secretive(f"{hub.url}?token={PARAM}", said)
    await socket.connect()
    hub.faults.drop_all()
    await eventually(lambda: hub.connects == 2)
    hub.faults.refuse()
    hub.faults.drop_all()
    await some_failures(socket)
    await socket.close()
    for bad in (f"ftp://{PARAM}/socket", f"ws://host:{PARAM}/", f"ws://host/#{PARAM}", f"http://[{PARAM}"):
        with pytest.raises(ValueError, match="url") as refused:
            Socket(bad)
        said.append(str(refused.value))
        said.extend(traceback.format_exception(refused.value))


async def test_functions_that_raise_with_one_in_their_words_are_not_quoted(hub, said):
    def bad():
        raise RuntimeError(f"cannot use {TOKEN}")

    for changes in ({"auth_token": bad}, {"params": {"token": bad}}, {"headers": bad}):
        socket = secretive(hub.url, said, **changes)
        await some_failures(socket)
        await socket.close()


async def test_join_parameters_are_shown_nowhere(hub, said):
    socket = secretive(hub.url, said)

    def bad():
        raise RuntimeError(JOIN)

    good = socket.channel("echo:1", {"token": lambda: JOIN})
    unsayable = socket.channel("echo:2", {"token": JOIN, "object": object()})
    raising = socket.channel("echo:3", {"token": bad})
    hub.faults.refuse_join("echo:4")
    refused = socket.channel("echo:4", {"token": JOIN})
    await socket.connect()
    answers = [channel.join() for channel in (unsayable, raising, refused)]
    await good.join()
    for answer in answers:
        with pytest.raises(ChannelsError) as failed:
            await answer
        note_error(said, failed.value)
    said.extend(f"{channel!r} {channel.reason}" for channel in (good, unsayable, raising, refused))
    with pytest.raises(TypeError) as refused_push:
        good.push("echo", {"secret": object()})
    said.append(str(refused_push.value))
    await socket.close()


async def test_what_a_debugging_event_loop_says_holds_none(hub, said):
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0  # every callback is told of
    try:
        socket = secretive(hub.url, said)
        channel = socket.channel("echo:1", {"token": JOIN})
        channel.join()
        await socket.connect()
        await eventually(lambda: channel.state == "joined")
        await channel.push("echo", {"token": JOIN})
        hub.faults.refuse()
        hub.faults.drop_all()
        await some_failures(socket)
        await socket.close()
    finally:
        loop.set_debug(False)


async def test_garbage_that_holds_one_is_not_quoted(nothing_left, said):
    async def answer(connection, frame):
        await connection.send(f"[{TOKEN}")
        await connection.send(f'["{TOKEN}"]')
        await connection.send(f'{{"{TOKEN}": 1}}')
        await connection.send(b"\x07" + TOKEN.encode())
        await connection.send(f'[null,null,["{TOKEN}"],"e",{{}}]')
        return False

    async with FrameServer(answer) as server:
        socket = secretive(server.url, said)
        await socket.connect()
        await eventually(lambda: socket.details().undecodable >= 5)
        await socket.close()


async def test_tls_that_fails_says_none(nothing_left, said):
    async def plain(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await until_gone(reader)

    async with RawServer(plain) as server:
        socket = secretive(server.url.replace("ws:", "wss:"), said, ca_file=None)
        await some_failures(socket)
        missing = secretive(server.url.replace("ws:", "wss:"), said, ca_file="/nonexistent/ca.pem")
        await some_failures(missing)
        await missing.close()
        await socket.close()


async def test_no_token_reaches_the_host_that_a_redirect_names(hub, said):
    async with Hub() as elsewhere:
        hub.faults.redirect(f"{elsewhere.url}/websocket")
        socket = secretive(hub.url, said)
        await some_failures(socket, 3)
        await socket.close()
        assert (elsewhere.connects, len(elsewhere.transports)) == (0, 0)


@pytest.mark.parametrize("spelled", [str, quote, lambda secret: base64.b64encode(secret.encode()).decode()])
async def test_what_a_server_says_in_refusals_errors_and_its_close_is_said_without_them(
    nothing_left, said, spelled
):
    words = ", ".join(spelled(secret) for secret in (TOKEN, HEADER, JOIN))

    async def echo(connection, frame):
        join_ref, ref, topic, event, _ = frame
        if event == "close":
            await connection.close(4000, words)
            return True
        if topic == "echo:2" or event == "push":
            response = {"error": {"detail": [words], TOKEN: 1}}
            reply = {"status": "error", "response": response}
            await connection.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))
            return True
        await connection.send(json.dumps([None, None, topic, words, "no object" + words])[:-2])
        return False

    async with FrameServer(echo) as server:
        socket = secretive(server.url, said, params={"token": lambda: PARAM})
        good, refused = socket.channel("echo:1", {"token": lambda: JOIN}), socket.channel("echo:2")
        refused.on("phx_error", lambda message: said.append(refused.reason))
        with pytest.raises(ChannelsError) as failed:
            await asyncio.gather(socket.connect(), good.join(), refused.join())
        assert str(failed.value).endswith('{"error":{"detail":["***, ***, ***"],"***":1}}')
        note_error(said, failed.value)
        await eventually(lambda: good.state == "joined")
        with pytest.raises(ChannelsError, match=r"\*\*\*") as failed:
            await good.push("push")
        note_error(said, failed.value)
        good.push("close")
        await eventually(lambda: socket.details().last_close_reason)
        assert socket.details().last_close_reason == "4000: ***, ***, ***"
        await socket.close()
    assert 'join refused: {"error":{"detail":["***, ***, ***"],"***":1}}' in said
