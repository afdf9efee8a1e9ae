"""What goes over the wire when a connection is opened: TLS, proxies, parameters, headers, tokens."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import shutil
import socket
import ssl

import pytest
from real import Client, RawServer, eventually, options, read_request, until_gone

from tests.certificates import write_certificates
from tui.channels import Socket, Unavailable
from tui.channels.connection import open_link
from tui.demo.hub import Hub

# TLS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A certificate authority, and a server's certificate of it for 127.0.0.1 alone."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture
async def secure_hub(nothing_left, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with Hub(ssl=context) as hub:
        yield hub


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
        assert one.reasons[0].startswith(f"TLS with 127.0.0.1:{server.port} failed: ")
    other = client(hub.url.replace("ws://", "wss://"))  # which hangs up without a word
    await eventually(lambda: other.reasons)
    assert f"127.0.0.1:{hub.port}" in other.reasons[0]
    assert hub.connects == 0


async def test_ws_to_a_server_with_tls_is_no_connection(secure_hub, client):
    one = client(secure_hub.url.replace("wss://", "ws://"), open_timeout=1)
    await eventually(lambda: one.reasons)
    assert "connected" not in one.states


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
    await eventually(lambda: one.reasons or hub.upgrades)
    assert all("X-Injected" not in upgrade.headers for upgrade in hub.upgrades)


# Proxies


class Proxy(RawServer):
    """An HTTP proxy that knows CONNECT and nothing else."""

    def __init__(self, status="200 OK"):
        super().__init__(self._tunnel)
        self.status = status
        self.requests = []

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def _tunnel(self, reader, writer):
        line, headers = await read_request(reader)
        self.requests.append((line, headers))
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if not self.status.startswith("200"):
            await writer.drain()
            return
        host, _, port = line.split()[1].rpartition(":")
        there, back = await asyncio.open_connection(host.replace("hub.test", "127.0.0.1"), int(port))

        async def pump(source, sink):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            back.transport.abort()


async def test_a_proxy_is_gone_through(hub, client):
    async with Proxy() as proxy:
        one = client(hub.url, "echo:1", proxy=f"http://user:s3cret@{proxy.address}")
        await one.works(hub)
        line, headers = proxy.requests[0]
        assert line == f"CONNECT 127.0.0.1:{hub.port} HTTP/1.1"
        credentials = base64.b64encode(b"user:s3cret").decode()
        assert headers["proxy-authorization"] == [f"Basic {credentials}"]
        hub.faults.drop_all()
        await eventually(lambda: one.channels[0].joins == 2)
        await one.works(hub)
        assert len(proxy.requests) == 2
        await one.socket.disconnect()
        await eventually(lambda: proxy.open == 0)


async def test_tls_goes_through_a_proxy(secure_hub, client, certificates):
    async with Proxy() as proxy:
        one = client(
            secure_hub.url, "echo:1", ca_file=str(certificates / "ca.pem"), proxy=f"http://{proxy.address}"
        )
        await one.works(secure_hub)
        assert len(proxy.requests) == 1
        await one.socket.disconnect()


@pytest.fixture
def environment(monkeypatch):
    """Sets variables of proxies, of which there are no others."""
    for kind in ("no", "all", "socks", "https", "http", "ws", "wss"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)
    return monkeypatch.setenv


def elsewhere(hub):
    """An opener that finds the hub at an address that is no loopback to look at."""
    opener = functools.partial(open_link, look_up=lambda host, port: [(socket.AF_INET, ("127.0.0.1", port))])
    return hub.url.replace("127.0.0.1", "hub.test"), opener


async def test_the_environments_proxy_is_taken_unless_told_otherwise(hub, environment):
    url, opener = elsewhere(hub)
    async with Proxy() as proxy:

        async def asked(setting):
            before = len(proxy.requests)
            async with Socket(url, options(proxy=setting), opener=opener) as one:
                await one.connect()
            return len(proxy.requests) - before

        environment("http_proxy", f"http://{proxy.address}")
        assert await asked("environment") == 1
        assert await asked("none") == 0
        environment("no_proxy", "hub.test")
        assert await asked("environment") == 0
        assert await asked(f"http://{proxy.address}") == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy", "ws_proxy", "SOCKS_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "hub.localhost", "[::ffff:127.0.0.1]"])
async def test_a_loopback_address_goes_past_the_environments_proxy(hub, environment, variable, host):
    environment(variable, "http://127.0.0.1:1")
    url = hub.url.replace("127.0.0.1", host)
    opener = functools.partial(open_link, look_up=lambda host, port: [(socket.AF_INET, ("127.0.0.1", port))])
    async with Socket(url, options(proxy="environment"), opener=opener) as one:
        await one.connect()
    async with Proxy() as proxy, Socket(url, options(proxy=f"http://{proxy.address}")) as one:
        if host == "127.0.0.1":
            await one.connect()  # what the settings say holds
            assert len(proxy.requests) == 1


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_a_proxy_that_refuses_is_told_as_such(hub, client, status):
    async with Proxy(status) as proxy:
        one = client(hub.url, proxy=f"http://user:s3cret@{proxy.address}")
        await eventually(lambda: one.socket.details().failed_attempts >= 2)
        assert set(one.reasons) == {f"refused with {status} by the proxy {proxy.address}"}
        assert one.socket.details().refusal is None  # the server refused nothing
        assert hub.connects == 0


async def test_a_proxy_that_is_silent_or_away_holds_up_nothing(hub, client):
    async def silence(reader, writer):
        await until_gone(reader)

    async with RawServer(silence) as server:
        one = client(hub.url, proxy=f"http://127.0.0.1:{server.port}", open_timeout=0.2)
        await eventually(lambda: one.socket.details().failed_attempts >= 2)
        await one.socket.disconnect()
        await eventually(lambda: server.open == 0)
        port = server.port
    away = client(hub.url, proxy=f"http://127.0.0.1:{port}")
    await eventually(lambda: away.reasons)
    assert "connected" not in away.states


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:port"])
async def test_a_proxy_that_cannot_be_one_is_a_reason_not_a_crash(nothing_left, proxy):
    one = Socket("ws://127.0.0.1:1/socket", options(proxy=proxy))
    one.connect()
    await eventually(lambda: one.details().failed_attempts >= 2)
    assert one.details().reason
    await one.close()
