"""What goes over the wire when a connection is opened: TLS, parameters, headers, tokens."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import socket
import ssl
import threading

import pytest
from real import Client, RawServer, eventually, until_gone

from tui.channels import Unavailable

# TLS


async def test_tls_with_an_authority_of_ones_own_works_and_comes_back(secure_hub, client, certificates):
    assert secure_hub.url.startswith("wss://")
    one = client(secure_hub.url, "echo:1", "echo:2", ca_file=str(certificates / "ca.pem"))
    await one.works(secure_hub)
    secure_hub.faults.drop_all()
    await eventually(lambda: one.channels[0].joins == 2)
    await one.works(secure_hub)
    secure_hub.faults.close_all(1012)
    await eventually(lambda: one.channels[0].joins == 3)
    await one.works(secure_hub)


async def test_a_large_flood_over_tls_arrives_whole(secure_hub, client, certificates):
    one = client(secure_hub.url, "echo:1", ca_file=str(certificates / "ca.pem"))
    heard = []
    one.channels[0].on("flood", lambda message: heard.append(message.payload["n"]))
    await one.works(secure_hub)
    secure_hub.faults.flood("echo:1", 5_000, 200)
    await eventually(lambda: len(heard) == 5_000)
    assert heard == list(range(5_000))


async def test_a_certificate_that_is_not_trusted_is_told_as_such(secure_hub, client):
    one = client(secure_hub.url)
    await eventually(lambda: one.socket.details().failed_attempts >= 2)
    where = f"127.0.0.1:{secure_hub.port}"
    assert one.reasons[0].startswith(f"TLS: the certificate of {where} is not trusted: ")
    assert "connected" not in one.states
    assert secure_hub.connects == 0  # nothing, no token either, was sent


async def test_a_certificate_of_another_host_is_told_as_such(secure_hub, client, certificates):
    url = secure_hub.url.replace("127.0.0.1", "localhost")
    one = client(url, ca_file=str(certificates / "ca.pem"))
    await eventually(lambda: one.reasons)
    assert f"the certificate of localhost:{secure_hub.port} is not trusted: " in one.reasons[0]
    assert secure_hub.connects == 0


async def test_wss_to_a_server_without_tls_is_told_as_such(hub, client):
    async def plain(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await until_gone(reader)

    async with RawServer(plain) as server:
        one = client(server.url.replace("ws://", "wss://"))
        await eventually(lambda: one.socket.details().failed_attempts >= 2)
        told = f"TLS with 127.0.0.1:{server.port} failed: no TLS is spoken there (ws:// or http://)"
        assert one.reasons[0] == told
    other = client(hub.url.replace("ws://", "wss://"))  # which hangs up without a word
    await eventually(lambda: other.reasons)
    assert other.reasons[0] == f"connection to 127.0.0.1:{hub.port} reset in the TLS handshake"
    assert hub.connects == 0


async def test_ws_to_a_server_with_tls_is_no_connection(secure_hub, client):
    one = client(secure_hub.url.replace("wss://", "ws://"))
    await eventually(lambda: one.reasons)
    where = f"127.0.0.1:{secure_hub.port}"
    told = f"connection to {where} closed without an answer, as a port for TLS does (wss://)"
    assert one.reasons[0] == told


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_a_clients_certificate_is_told_as_such(
    nothing_left, client, certificates, version
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version

    def serve_once():
        # asyncio's own server drops the connection without sending the alert.
        connection, _ = listening.accept()
        with connection, contextlib.suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True).recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve_once)
        thread.start()
        where = f"127.0.0.1:{listening.getsockname()[1]}"
        one = client(f"wss://{where}/socket", ca_file=str(certificates / "ca.pem"), reconnect_base_delay=0.1)
        await eventually(lambda: one.reasons)
        thread.join()
    assert one.reasons[0].startswith(f"TLS with {where} failed: ")
    assert "wants a client certificate, which cannot be given" in one.reasons[0]


async def test_an_authority_that_cannot_be_read_is_told(secure_hub, client, certificates, tmp_path):
    missing = tmp_path / "ca.pem"
    one = client(secure_hub.url, "echo:1", ca_file=str(missing))
    await eventually(lambda: one.reasons)
    assert one.reasons[0] == "ca_file cannot be read: No such file or directory"
    missing.write_text("no certificate")
    await eventually(lambda: "ca_file holds no certificates" in one.reasons)
    shutil.copy(certificates / "ca.pem", missing)
    await one.works(secure_hub)


async def test_a_tls_handshake_that_hangs_ends_by_the_open_timeout(client):
    async def silence(reader, writer):
        await until_gone(reader)

    async with RawServer(silence) as server:
        one = client(server.url.replace("ws:", "wss:"), open_timeout=0.2)
        await eventually(lambda: one.socket.details().failed_attempts >= 2)
        where = f"127.0.0.1:{server.port}"
        assert one.reasons[0] == f"no answer to the TLS handshake from {where} within 0.2 s"
        await one.socket.disconnect()
        await eventually(lambda: server.open == 0)


async def test_disconnect_at_every_turn_of_tls_leaves_nothing(secure_hub, certificates):
    one = Client(secure_hub.url, ca_file=str(certificates / "ca.pem"))
    for turns in (*range(40), 80, 160, 320, 640):
        one.socket.connect()
        for _ in range(turns):
            await asyncio.sleep(0)
        await one.socket.disconnect()
    await eventually(lambda: not secure_hub.transports)
    await one.socket.close()


# The request


async def test_parameters_headers_and_version_are_in_the_request(hub, client):
    one = client(
        hub.url + "?fixed=1",
        params={"user": "mira & kaelan", "room": lambda: "ö"},
        headers={"X-One": "1", "X-Two": lambda: "two"},
    )
    await one.socket.connect()
    path, query, headers = hub.upgrades[-1]
    assert path == "/socket/websocket"
    assert query == {"fixed": "1", "user": "mira & kaelan", "room": "ö", "vsn": "2.0.0"}
    assert (headers["X-One"], headers["X-Two"]) == ("1", "two")
    assert "Sec-WebSocket-Protocol" not in headers
    assert "Sec-WebSocket-Extensions" not in headers
    assert "Origin" not in headers


async def test_version_1_is_asked_for_and_spoken(hub, client):
    one = client(hub.url, "echo:1", "echo:2", protocol_version=1)
    await one.works(hub)
    assert hub.upgrades[-1].query["vsn"] == "1.0.0"
    hub.faults.crash_channel("echo:1")
    await eventually(lambda: one.channels[0].joins == 2)
    hub.faults.drop_all()
    await eventually(lambda: one.channels[0].joins == 3)
    await one.works(hub)


async def test_the_token_goes_as_phoenixs_subprotocol_in_the_standard_alphabet(hub, client):
    token = "a~~?>>ÿ"
    hub.token = token
    one = client(hub.url, "echo:1", auth_token=token)
    await one.works(hub)
    offered = hub.upgrades[-1].headers["Sec-WebSocket-Protocol"]
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    assert offered == f"phoenix, base64url.bearer.phx.{encoded}"
    assert "+" in encoded  # or else the alphabets would not differ here


async def test_functions_are_asked_anew_at_each_attempt(hub, client):
    tokens = (f"token-{number}" for number in range(1, 100))
    nonces = (str(number) for number in range(1, 100))

    async def token():
        await asyncio.sleep(0)
        return next(tokens)

    one = client(hub.url, "echo:1", auth_token=token, params=lambda: {"nonce": next(nonces)})
    for number in range(1, 4):
        await eventually(lambda: one.channels[0].joins == number)  # noqa: B023 (awaited at once)
        await one.works(hub)
        hub.faults.drop_all()
    await eventually(lambda: len(hub.upgrades) == 4)
    offered = [upgrade.headers["Sec-WebSocket-Protocol"].rpartition(".")[2] for upgrade in hub.upgrades]
    sent = [base64.b64decode(encoded + "==") for encoded in offered]
    assert sent == [b"token-1", b"token-2", b"token-3", b"token-4"]
    assert [upgrade.query["nonce"] for upgrade in hub.upgrades] == ["1", "2", "3", "4"]


async def test_a_token_that_becomes_good_gets_in(hub, client):
    hub.token = "good"
    given = ["bad"]
    one = client(hub.url, "echo:1", auth_token=lambda: given[0])
    await eventually(lambda: one.socket.details().refusal is not None)
    given[0] = "good"
    await one.works(hub)
    assert one.socket.details().refusal is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"auth_token": lambda: 1 / 0}, "auth_token: its function raised ZeroDivisionError"),
        ({"auth_token": lambda: None}, "auth_token must be a string, its function gave NoneType"),
        ({"params": lambda: [1]}, "params must be a mapping, its function gave list"),
        ({"headers": {"X": lambda: b"x"}}, "headers.X must be a string, its function gave bytes"),
    ],
)
async def test_a_function_that_fails_is_a_reason_and_tried_again(hub, client, changes, reason):
    one = client(hub.url, **changes)
    await eventually(lambda: one.socket.details().failed_attempts >= 2)
    assert set(one.reasons) == {reason}
    assert hub.connects == 0


async def test_a_function_may_say_why_it_has_no_value(hub, client):
    ready = []

    def token():
        if not ready:
            raise Unavailable("the file is not there yet")
        return "t"

    one = client(hub.url, "echo:1", auth_token=token)
    await eventually(lambda: one.reasons)
    assert one.reasons[0] == "auth_token: the file is not there yet"
    ready.append(True)
    await one.works(hub)


async def test_a_function_that_never_returns_ends_by_the_open_timeout(hub, client):
    one = client(hub.url, auth_token=lambda: asyncio.Event().wait(), open_timeout=0.1)
    await eventually(lambda: one.socket.details().failed_attempts >= 2)
    assert one.reasons[0] == "auth_token did not answer for 0.1 s"


@pytest.mark.parametrize("header", ["a\r\nX-Injected: 1", "a\nb", "\x00"])
async def test_a_header_cannot_bring_another_one_with_it(hub, client, header):
    one = client(hub.url, headers={"X-One": header}, open_timeout=1)
    await eventually(lambda: one.reasons)
    assert one.reasons[0] == "headers.X-One holds what no header can"
    assert all("X-Injected" not in upgrade.headers for upgrade in hub.upgrades)
