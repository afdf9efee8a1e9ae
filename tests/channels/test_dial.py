"""Name look-up and TCP: a name that hangs holds up nothing, and the first address that answers is taken."""

from __future__ import annotations

import asyncio
import functools
import socket
import subprocess
import sys
import threading
import time

import pytest
from real import Client, RawServer, descriptors, eventually, options, tasks_of, until_gone

from tests.pace import Stopwatch
from tui.channels import Socket, dial
from tui.channels.connection import open_link


class HangingLookUp:
    """Hangs for ``stuck.test``, finds loopback for every other name."""

    def __init__(self):
        self.release = threading.Event()
        self.asked = []

    def __call__(self, host, port):
        self.asked.append(host)
        if host == "stuck.test":
            self.release.wait(60)
        return [(socket.AF_INET, ("127.0.0.1", port))]


@pytest.fixture
def hanging():
    resolve_name = HangingLookUp()
    yield resolve_name
    resolve_name.release.set()


def opener(resolve_name):
    return functools.partial(open_link, resolve_name=resolve_name)


async def test_a_look_up_that_hangs_does_not_hold_up_disconnect(nothing_left, hanging):
    stuck = Socket("ws://stuck.test:4000/socket", options(), opener=opener(hanging))
    stuck.connect()
    await eventually(lambda: hanging.asked == ["stuck.test"])
    watch = Stopwatch()
    await stuck.disconnect()
    assert watch.seconds < 1
    assert stuck.state == "disconnected"
    assert stuck.details().attempts_aborted == 1
    assert tasks_of(stuck) == set()


async def test_a_look_up_that_hangs_ends_by_the_open_timeout_and_is_asked_once(nothing_left, hanging):
    stuck = Socket("ws://stuck.test:4000/socket", options(open_timeout=0.1), opener=opener(hanging))
    stuck.connect()
    await eventually(lambda: stuck.details().failed_attempts >= 4)
    assert stuck.details().reason == "name look-up of stuck.test did not answer for 0.1 s"
    assert hanging.asked == ["stuck.test"]  # one thread for the name, shared by all attempts
    await stuck.close()


async def test_twenty_names_that_hang_do_not_hold_up_another(hub, hanging):
    names = [f"ws://stuck.test:{port}/socket" for port in range(5000, 5020)]
    stuck = [Socket(name, options(), opener=opener(hanging)) for name in names]
    for one in stuck:
        one.connect()
    await eventually(lambda: len(hanging.asked) == 20)
    free = Socket(f"ws://hub.test:{hub.port}/socket", options(), opener=opener(hanging))
    async with asyncio.timeout(5):
        await free.connect()
    # And the loop's own pool of threads, which others use, is as free as before.
    assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 5) == 7
    await asyncio.gather(free.close(), *(one.close() for one in stuck))


async def test_a_look_up_that_comes_back_late_connects_nobody_who_left(hub, hanging):
    one = Socket(f"ws://stuck.test:{hub.port}/socket", options(), opener=opener(hanging))
    one.connect()
    await eventually(lambda: hanging.asked == ["stuck.test"])
    await one.disconnect()
    hanging.release.set()
    await eventually(lambda: not any(t.name == "look-up stuck.test" for t in threading.enumerate()))
    assert (one.state, hub.connects) == ("disconnected", 0)
    await one.connect()
    assert hub.connects == 1
    await one.close()


def test_a_process_with_a_look_up_that_hangs_ends(tmp_path):
    script = """
import asyncio, socket, sys, time
found = socket.getaddrinfo
def hang(host, *rest, **more):
    if host == "stuck.test" and not more.get("flags"):
        time.sleep(60)
    return found(host, *rest, **more)
socket.getaddrinfo = hang
from tui.channels import Socket
async def main():
    async with Socket("ws://stuck.test:4000/socket", proxy="none") as one:
        await asyncio.sleep(0.2)
        print(one.state)
asyncio.run(main())
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("connecting\n", "", 0)
    assert time.monotonic() - began < 15


async def test_a_name_that_is_not_known_is_told(nothing_left):
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    one = Socket("ws://nobody.test/socket?token=s3cret", options(), opener=opener(unknown))
    one.connect()
    await eventually(lambda: one.details().failed_attempts >= 2)
    assert one.details().reason == "name look-up of nobody.test failed: Name or service not known"
    await one.close()


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "xn--\u2028.test", "bad..name"])
async def test_a_name_that_cannot_be_one_is_a_reason_not_a_crash(nothing_left, host):
    one = Socket(f"ws://{host}:1/socket", options(proxy="none"))
    one.connect()
    await eventually(lambda: one.details().failed_attempts >= 2, 30)
    assert one.details().reason
    await one.close()


async def test_an_address_needs_no_look_up(hub, hanging):
    one = Socket(hub.url, options(), opener=opener(hanging))
    await one.connect()
    assert hanging.asked == []
    await one.close()


async def test_localhost_is_found_whichever_family_listens(hub):
    one = Client(hub.url.replace("127.0.0.1", "localhost"), "echo:1")
    one.socket.connect()
    await one.works(hub)
    await one.socket.close()


@pytest.fixture
def black_hole():
    """An address that takes no connection and refuses none: a full backlog."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield listener.getsockname()
        for filler in fillers:
            filler.close()


async def accept(reader, writer):
    await until_gone(reader)


async def test_the_next_address_is_tried_when_one_refuses_or_hangs(nothing_left, black_hole):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        async with RawServer(accept) as server:
            good = ("127.0.0.1", server.port)
            for first in (nobody.getsockname(), black_hole):
                before = descriptors()
                watch = Stopwatch()
                async with asyncio.timeout(5):
                    addresses = [(socket.AF_INET, address) for address in (first, good)]
                    connected = await dial.connect_tcp(addresses)
                assert connected.getpeername() == good
                assert watch.seconds < 2
                connected.close()
                await eventually(lambda: len(descriptors() - before) <= 1)  # noqa: B023 (awaited at once)
            await eventually(lambda: server.open == 0)


async def test_when_every_address_refuses_the_first_error_is_told(nothing_left):
    with socket.socket() as one, socket.socket() as two:
        for nobody in (one, two):
            nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await dial.connect_tcp([(socket.AF_INET, nobody.getsockname()) for nobody in (one, two)])
    with pytest.raises(OSError, match="no address"):
        await dial.connect_tcp([])


async def test_cancelled_at_every_turn_a_dial_leaves_no_descriptor(nothing_left, black_hole):
    async with RawServer(accept) as server:
        for turns in range(40):
            addresses = [(socket.AF_INET, black_hole), (socket.AF_INET, ("127.0.0.1", server.port))]
            task = asyncio.create_task(dial.connect_tcp(addresses if turns % 2 else addresses[1:]))
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.done():
                task.result().close()
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result().close()
        await eventually(lambda: server.open == 0)


async def test_small_frames_are_not_held_back_by_nagles_algorithm(nothing_left):
    async with RawServer(accept) as server:
        connected = await dial.connect_tcp([(socket.AF_INET, ("127.0.0.1", server.port))])
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=connected)
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        transport.abort()
        await eventually(lambda: server.open == 0)


@pytest.mark.skipif("lo" not in dict(map(reversed, socket.if_nameindex())), reason="no interface named lo")
@pytest.mark.parametrize("zone", ["%lo", "%25lo"])
async def test_an_address_with_a_zone_is_looked_up_by_nobody(zone):
    def nobody(host, port):
        raise AssertionError(host)

    scope = socket.if_nametoindex("lo")
    found = await dial.resolve(f"fe80::1{zone}", 4000, nobody)
    assert found == [(socket.AF_INET6, ("fe80::1", 4000, 0, scope))]
