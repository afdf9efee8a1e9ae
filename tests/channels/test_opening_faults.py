"""Faults of opening, on real sockets: each ends connected, joined again, with the right words and counts."""

from __future__ import annotations

import email.utils
import time

import pytest
from real import FrameServer, RawServer, eventually, until_gone

from tui.channels import NotConnectedError, Options, Socket
from tui.demo.hub import Hub

TOPICS = ("echo:1", "echo:2")


async def test_refused_then_back(hub, client):
    hub.faults.refuse()
    one = client(hub.url, *TOPICS)
    await eventually(lambda: one.socket.details().failed_attempts >= 3)
    assert one.socket.state in ("reconnecting", "connecting")
    assert set(one.reasons) == {f"refused by 127.0.0.1:{hub.port}"}
    assert one.socket.details().reason == one.reasons[0]
    assert hub.connects == 0

    await hub.faults.accept()
    await one.works(hub)
    metrics = one.socket.get_health_metrics()
    assert (metrics.successful_connects, metrics.total_reconnects) == (1, 0)
    assert metrics.failed_reconnects == one.socket.details().failed_attempts - 1  # the first was no retry
    assert one.socket.details().reason is None


async def test_reset_while_opening(hub, client):
    hub.faults.reset_opening(times=3)
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    assert one.reasons == [f"connection to 127.0.0.1:{hub.port} reset while opening"] * 3
    assert one.socket.details().failed_attempts == 3
    assert hub.connects == 4


async def test_closed_before_any_answer(client):
    async def hang_up(reader, writer):
        await reader.read(1)

    async with RawServer(hang_up) as server:
        one = client(server.url)
        await eventually(lambda: server.accepted >= 3)
        assert set(one.reasons) == {
            f"connection to 127.0.0.1:{server.port} closed without an answer, as a port for TLS does (wss://)"
        }


async def test_tcp_accepted_then_silence_ends_by_the_open_timeout(client):
    async def silence(reader, writer):
        await until_gone(reader)

    async with RawServer(silence) as server:
        one = client(server.url, open_timeout=0.2)
        await eventually(lambda: server.accepted >= 3)
        assert set(one.reasons) == {"no answer to the upgrade within 0.2 s"}
        assert one.socket.get_health_metrics().heartbeat_failures == 0
        assert "connected" not in one.states
        await one.socket.disconnect()
        await eventually(lambda: server.open == 0)


async def test_accepted_and_silent_was_never_connected(hub, client):
    hub.faults.accept_silent(times=2)
    one = client(hub.url, *TOPICS, heartbeat_timeout=0.3, join_timeout=30)
    await one.works(hub)
    # The joins that nobody answers give a silent server no more time: it never answered a heartbeat.
    assert one.reasons == ["nothing came within 0.3 s of a heartbeat"] * 2
    assert one.states == ["connecting", "reconnecting"] * 2 + ["connecting", "connected"]
    metrics = one.socket.get_health_metrics()
    assert (metrics.heartbeat_failures, metrics.successful_connects) == (2, 1)
    assert one.socket.details().failed_attempts == 2


@pytest.mark.parametrize("code", [1000, 1011])
async def test_accepted_and_closed_at_once_is_no_storm(hub, client, code):
    hub.faults.accept_and_close(code)
    one = client(hub.url, *TOPICS, reconnect_base_delay=0.1, reconnect_max_delay=0.4)
    began = time.monotonic()
    await eventually(lambda: hub.connects >= 6)
    # With jitter 0.5 the five delays before the sixth attempt are at least half of .1 .2 .4 .4 .4.
    assert time.monotonic() - began >= 0.74
    assert "connected" not in one.states
    hub.faults.accept_and_close(code, times=1)
    await one.works(hub)


async def test_ten_seconds_of_closing_at_once_cost_seven_attempts_on_the_live_preset(hub):
    hub.faults.accept_and_close(1011)
    async with Socket(hub.url, Options.preset("live")) as socket:
        channel = socket.channel("events:all")
        channel.join(timeout=30)
        began = time.monotonic()
        await eventually(lambda: time.monotonic() - began >= 10, limit=12)
        # Five failures with at least 0.25 + 0.5 + 1 + 1.5 s between them, then a probe every 3 s.
        assert 3 <= hub.connects <= 7
        assert socket.get_health_metrics().circuit_breaker_trips >= 1
        assert socket.get_health_metrics().successful_connects == 0
        await hub.faults.clear()
        cleared = time.monotonic()
        await eventually(lambda: channel.state == "joined")
        took = time.monotonic() - cleared
        print(f"  closed at once for 10 s: {hub.connects} connects, joined {took:.2f} s after")


async def test_closed_after_the_first_answer_is_no_storm_either(client):
    """Connected for a moment is not stable: the back-off grows as if the attempt had failed."""

    async def answer_and_close(connection, frame):
        await connection.send(f'[null,"{frame[1]}","phoenix","phx_reply",{{"response":{{}},"status":"ok"}}]')
        await connection.close(1011)
        return True

    async with FrameServer(answer_and_close) as server:
        began = time.monotonic()
        one = client(server.url, "echo:1", reconnect_base_delay=0.1, reconnect_max_delay=0.4, stable_after=5)
        await eventually(lambda: server.connects >= 6)
        assert time.monotonic() - began >= 0.74
        metrics = one.socket.get_health_metrics()
        assert metrics.successful_connects >= 5
        assert metrics.total_reconnects == metrics.successful_connects - 1
        assert metrics.failed_reconnects == 0
        assert metrics.reconnect_attempts >= 5


async def test_closing_at_once_opens_the_breaker(hub, client):
    hub.faults.accept_and_close(1011)
    one = client(hub.url, *TOPICS, circuit_breaker_threshold=3, circuit_breaker_timeout=60)
    await eventually(lambda: one.socket.state == "failed")
    assert hub.connects == 3
    assert one.changes[-1].error == "circuit breaker open after 3 failures: 1011 server error"
    metrics = one.socket.get_health_metrics()
    assert (metrics.circuit_breaker_trips, metrics.is_circuit_open) == (1, True)
    await hub.faults.clear()
    await one.socket.connect()  # a person: at once, with the breaker closed
    await one.works(hub)
    assert one.socket.get_health_metrics().is_circuit_open is False


@pytest.mark.parametrize(("status", "name"), [(401, "Unauthorized"), (403, "Forbidden")])
async def test_a_refusal_has_its_own_reason_which_stays_until_success(hub, client, status, name):
    hub.faults.http_status(status)
    one = client(hub.url, *TOPICS)
    refusal = f"answered {status} {name} by 127.0.0.1:{hub.port}: token or parameters not accepted"
    await eventually(lambda: one.socket.details().failed_attempts >= 2)
    assert set(one.reasons) == {refusal}
    assert one.socket.details().refusal == refusal
    hub.faults.refuse()
    await eventually(lambda: f"refused by 127.0.0.1:{hub.port}" in one.reasons)
    assert one.socket.details().refusal == refusal
    await hub.faults.clear()
    await one.works(hub)
    assert one.socket.details().refusal is None


async def test_404_says_that_there_is_no_socket_at_this_path(hub, client):
    one = client(hub.url.replace("/socket", "/sokcet"))
    await eventually(lambda: one.reasons)
    assert one.reasons[0] == f"answered 404 Not Found by 127.0.0.1:{hub.port}: no socket at this path"
    assert one.socket.details().refusal is None


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_503_is_not_asked_again_before_it_said(hub, client, kind):
    asked = 7
    said = asked if kind == "seconds" else email.utils.formatdate(time.time() + asked + 1, usegmt=True)
    hub.faults.http_status(503, retry_after=said)
    one = client(hub.url, *TOPICS, reconnect_max_delay=60)
    await eventually(lambda: one.socket.state == "reconnecting")
    next_try = one.socket.details().next_try
    assert next_try is not None
    assert asked - 1 < next_try - one.changes[-1].timestamp < asked + 2
    told = f"answered 503 Service Unavailable by 127.0.0.1:{hub.port}, retry after "
    assert one.reasons[0].startswith(told)
    await hub.faults.clear()
    one.socket.reconnect()
    await one.works(hub)
    assert hub.connects == 2


async def test_503_waits_no_longer_than_the_greatest_delay(hub, client):
    hub.faults.http_status(503, retry_after=3600, times=2)
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    assert hub.connects == 3


async def test_503_with_a_senseless_retry_after_waits_as_usual(hub, client):
    hub.faults.http_status(503, retry_after="soon", times=1)
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    assert one.reasons == [f"answered 503 Service Unavailable by 127.0.0.1:{hub.port}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_told_and_not_followed(hub, client, status):
    async with Hub() as elsewhere:
        hub.faults.redirect(f"{elsewhere.url}/websocket?token=s3cret", status=status, times=2)
        one = client(hub.url, *TOPICS, auth_token="s3cret")
        await one.works(hub)
        told = f": redirect to 127.0.0.1:{elsewhere.port} not followed"
        assert [reason.endswith(told) for reason in one.reasons] == [True] * 2
        assert "s3cret" not in str(one.changes)
        assert elsewhere.connects == 0


async def test_a_redirect_to_the_same_host_is_not_followed_either(hub, client):
    hub.faults.redirect("/other/websocket", times=1)
    one = client(hub.url, *TOPICS)
    await one.works(hub)
    assert f"redirect to 127.0.0.1:{hub.port} not followed" in one.reasons[0]
    assert {upgrade.path for upgrade in hub.upgrades} == {"/socket/websocket"}


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 200],
    ids=["200", "another protocol", "zeros"],
)
async def test_whoever_is_no_websocket_server_is_told_as_such(client, answer):
    async def say(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with RawServer(say) as server:
        one = client(server.url, open_timeout=2)
        await eventually(lambda: server.accepted >= 3)
        assert "connected" not in one.states
        assert all(f"127.0.0.1:{server.port}" in reason for reason in one.reasons)


async def test_a_wrong_accept_key_is_no_connection(client):
    async def lie(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
        )
        await until_gone(reader)

    async with RawServer(lie) as server:
        one = client(server.url)
        await eventually(lambda: server.accepted >= 2)
        told = f"answered 101 Switching Protocols by 127.0.0.1:{server.port}: "
        assert set(one.reasons) == {f"{told}its header Sec-WebSocket-Accept is missing or wrong"}
        assert server.open <= 1


async def test_attempts_used_up_gives_up_until_somebody_asks(hub, client):
    hub.faults.refuse()
    one = client(hub.url, *TOPICS, max_reconnect_attempts=2)
    with pytest.raises(NotConnectedError, match="gave up after 2 attempts"):
        await one.socket.connect()
    assert one.socket.state == "failed"
    assert one.socket.details().next_try is None
    assert one.socket.get_health_metrics().circuit_breaker_trips == 0
    await hub.faults.accept()
    await one.socket.connect()
    await one.works(hub)


async def test_twenty_sockets_that_lose_one_server_all_come_back(hub, client):
    many = [client(hub.url, f"echo:{number}") for number in range(20)]
    await eventually(lambda: all(one.all_joined for one in many))
    await hub.faults.restart(0.1)
    await eventually(lambda: all(one.all_joined for one in many))
    assert len(hub.connections) == 20
