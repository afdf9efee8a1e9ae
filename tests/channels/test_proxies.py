"""The way through a proxy: which one is asked, what it answers, in words, and what the client then does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import gc
import socket
import ssl
import struct
import sys

import pytest
from real import LIMIT, Client, RawServer, eventually, options, read_request, until_gone

from tui.channels import Socket, dial
from tui.channels.connection import open_link


async def pumped(reader, writer, host, port):
    """Bring everything from one side to the other, both ways, until one is gone."""
    there, back = await asyncio.open_connection(host, port)

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


class Proxy(RawServer):
    """An HTTP proxy that knows CONNECT: answers, and then ``opens`` a tunnel, ``closes``, ``resets`` or
    ``stays``."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\n\r\n", then="opens", **settings):
        super().__init__(self._tunnel, **settings)
        self.answer = answer
        self.then = then
        self.requests = []

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def _tunnel(self, reader, writer):
        line, headers = await read_request(reader)
        self.requests.append((line, headers))
        writer.write(self.answer)
        await writer.drain()
        if self.then == "opens":
            host, _, port = line.split()[1].rpartition(":")
            await pumped(reader, writer, host.replace("hub.test", "127.0.0.1"), int(port))
        elif self.then == "resets":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            if self.then == "closes":
                writer.write_eof()  # so that nothing unread makes a reset of the end
            await until_gone(reader)


@pytest.mark.parametrize("user", ["user:s3cret", "user:", "user"])
async def test_a_proxy_is_gone_through(hub, client, user):
    async with Proxy() as proxy:
        one = client(hub.url, "echo:1", proxy=f"http://{user}@{proxy.address}")
        await one.works(hub)
        line, headers = proxy.requests[0]
        assert line == f"CONNECT 127.0.0.1:{hub.port} HTTP/1.1"
        credentials = base64.b64encode(user.encode() if ":" in user else b"user:").decode()
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
    opener = functools.partial(
        open_link, resolve_name=lambda host, port: [(socket.AF_INET, ("127.0.0.1", port))]
    )
    return hub.url.replace("127.0.0.1", "hub.test"), opener


async def test_the_environments_proxy_is_taken_unless_told_otherwise(hub, environment):
    url, opener = elsewhere(hub)
    async with Proxy() as proxy:

        async def asked(setting):
            before = len(proxy.requests)
            async with Socket(url, options(proxy=setting), opener=opener) as one, asyncio.timeout(LIMIT):
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
    opener = functools.partial(
        open_link, resolve_name=lambda host, port: [(socket.AF_INET, ("127.0.0.1", port))]
    )
    async with Socket(url, options(proxy="environment"), opener=opener) as one, asyncio.timeout(LIMIT):
        await one.connect()
    async with Proxy() as proxy, Socket(url, options(proxy=f"http://{proxy.address}")) as one:
        if host == "127.0.0.1":
            await one.connect()  # what the settings say holds
            assert len(proxy.requests) == 1


async def test_a_proxy_of_the_environment_that_cannot_be_one_is_told_as_such(nothing_left, environment):
    environment("http_proxy", "http://user:s3cret@host:port")
    one = Socket("ws://hub.test:1/socket", options(proxy="environment"))
    one.connect()
    await eventually(lambda: one.details().failed_attempts >= 2)
    assert one.details().reason == "the proxy in the environment has no usable address"
    await one.close()


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:port"])
async def test_a_proxy_that_cannot_be_one_is_a_reason_not_a_crash(nothing_left, proxy):
    one = Socket("ws://127.0.0.1:1/socket", options(proxy=proxy))
    one.connect()
    await eventually(lambda: one.details().failed_attempts >= 2)
    assert one.details().reason == "the proxy in the settings has no usable address"
    await one.close()


HEAD = b"\r\nx-squid-error: ERR\r\n\r\n"
REFUSED = "refused with %s by the proxy PROXY"
AUTHENTICATE = REFUSED % "407 Proxy Authentication Required"

ANSWERS = {
    "200": (b"HTTP/1.1 200 OK\r\n\r\n", "opens", None),
    "200 as HTTP/1.0": (b"HTTP/1.0 200 Connection established\r\n\r\n", "opens", None),
    "200 without a phrase": (b"HTTP/1.1 200\r\n\r\n", "opens", None),
    "204": (b"HTTP/1.1 204\r\n\r\n", "opens", None),
    "200 with line feeds alone": (b"HTTP/1.1 200 OK\n\n", "opens", None),
    "200 with a header of 9 KB": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 9000 + b"\r\n\r\n", "opens", None),
    "200 with 200 headers": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", "opens", None),
    "100 before 200": (b"HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\n\r\n", "opens", None),
    "407": (b"HTTP/1.1 407 No" + HEAD, "closes", AUTHENTICATE),
    "407 as HTTP/1.0": (b"HTTP/1.0 407 No" + HEAD, "closes", AUTHENTICATE),
    "407 without a phrase": (b"HTTP/1.1 407" + HEAD, "closes", AUTHENTICATE),
    "407 and a reset": (b"HTTP/1.1 407" + HEAD, "resets", AUTHENTICATE),
    "407 with a body": (b"HTTP/1.1 407 No" + HEAD + b"x" * 100_000, "closes", AUTHENTICATE),
    "407 whose headers stop": (
        b"HTTP/1.1 407\r\nx",
        "stays",
        AUTHENTICATE + ": its headers have no end within 1 s",
    ),
    "401": (b"HTTP/1.1 401" + HEAD, "closes", REFUSED % "401 Unauthorized"),
    "403": (b"HTTP/1.1 403" + HEAD, "closes", REFUSED % "403 Forbidden"),
    "502": (b"HTTP/1.1 502" + HEAD, "closes", REFUSED % "502 Bad Gateway"),
    "302": (b"HTTP/1.1 302\r\nlocation: http://login.test/" + HEAD, "closes", REFUSED % "302 Found"),
    "503 to be asked again": (
        b"HTTP/1.1 503\r\nretry-after: 7" + HEAD,
        "closes",
        REFUSED % "503 Service Unavailable" + ", retry after 7 s",
    ),
    "an SSH banner": (
        b"SSH-2.0-OpenSSH_9.6\r\n",
        "stays",
        "the proxy PROXY answered, but not as a proxy: it is an SSH server",
    ),
    "an alert of TLS": (
        b"\x15\x03\x03\x00\x02\x02\x0a",
        "closes",
        "the proxy PROXY answered, but not as a proxy: it speaks TLS: wss:// or https://",
    ),
    "closed at once": (b"", "closes", "connection to the proxy PROXY closed without an answer"),
    "a reset": (b"", "resets", "connection to the proxy PROXY reset while opening"),
    "nothing at all": (b"", "stays", "no answer from the proxy PROXY within 1 s"),
}


@pytest.mark.parametrize("over_tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_whatever_a_proxy_answers_is_told_as_its_own(
    hub, secure_hub, certificates, caplog, name, over_tls
):
    answer, then, words = ANSWERS[name]
    to = secure_hub if over_tls else hub
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    async with Proxy(answer, then) as proxy:
        one = Client(
            to.url,
            ca_file=str(certificates / "ca.pem"),
            proxy=f"http://user:s3cret@{proxy.address}",
            reconnect_base_delay=4,
            reconnect_max_delay=60,
            open_timeout=1 if then == "stays" else 15,
        )
        one.socket.connect()
        await eventually(lambda: one.reasons or one.socket.is_connected)
        details = one.socket.details()
        if words is None:
            assert one.reasons == []
        else:
            assert one.reasons == [words.replace("PROXY", proxy.address)]
            assert details.refusal is None  # the server refused nothing
            delay = details.next_try - one.changes[-1].timestamp
            assert delay == pytest.approx(7, abs=0.5) if "retry" in words else delay <= 4.1
            assert to.connects == 0
        await one.socket.close()
    gc.collect()
    assert (caplog.records, failures) == ([], [])


async def test_what_comes_at_once_behind_the_tunnel_is_not_lost(client):
    """A server that speaks before it is asked, in the same piece as the proxy's answer."""
    early = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 403 No\r\n\r\n"
    async with Proxy(early, "stays") as proxy:
        one = client("ws://hub.test:1/socket", proxy=f"http://{proxy.address}")
        await eventually(lambda: one.reasons)
        told = "answered 403 Forbidden by hub.test:1: token or parameters not accepted"
        assert one.reasons[0] == told == one.socket.details().refusal
        other = client("wss://hub.test:1/socket", proxy=f"http://{proxy.address}")
        await eventually(lambda: other.reasons)
        told = "TLS with hub.test failed: no TLS is spoken there (ws:// or http://)"
        assert other.reasons[0] == told


async def test_who_answers_behind_a_proxy_is_told_as_the_server(hub, client):
    async with Proxy() as proxy:
        through = f"http://{proxy.address}"
        hub.faults.http_status(503, retry_after=7)
        one = client(hub.url, proxy=through)
        await eventually(lambda: one.reasons)
        where = f"127.0.0.1:{hub.port}"
        assert one.reasons[0] == f"answered 503 Service Unavailable by {where}, retry after 7 s"
        plain = client(hub.url.replace("ws:", "wss:"), proxy=through)
        await eventually(lambda: plain.reasons)
        assert where in plain.reasons[0]
        assert plain.reasons[0].endswith("in the TLS handshake")

        async def silence(reader, writer):
            await until_gone(reader)

        async with RawServer(silence) as mute:
            one = client(mute.url, proxy=through, open_timeout=1)
            await eventually(lambda: one.reasons)
            assert one.reasons[0] == "no answer to the upgrade within 1 s"
            one = client(mute.url.replace("ws:", "wss:"), proxy=through, open_timeout=1)
            await eventually(lambda: one.reasons)
            assert one.reasons[0] == (f"no answer to the TLS handshake from 127.0.0.1:{mute.port} within 1 s")
            await one.socket.disconnect()


async def test_a_proxy_that_is_not_there_is_named(nothing_left):
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    opener = functools.partial(open_link, resolve_name=unknown)
    for scheme in ("http", "https", "socks5h"):
        for where, words in {
            f"127.0.0.1:{port}": f"refused by the proxy 127.0.0.1:{port}",
            "nobody.test:3128": "name look-up of the proxy nobody.test failed: Name or service not known",
        }.items():
            one = Socket("wss://hub.test/socket", options(proxy=f"{scheme}://{where}"), opener=opener)
            one.connect()
            await eventually(lambda: one.details().failed_attempts)  # noqa: B023 (awaited at once)
            assert one.details().reason == words
            await one.close()


# A proxy behind TLS


async def test_a_proxy_behind_tls_is_gone_through(hub, secure_hub, certificates, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    async with Proxy(ssl=context) as proxy:
        distrusting = Client(hub.url, proxy=f"https://{proxy.address}")
        distrusting.socket.connect()
        await eventually(lambda: distrusting.reasons)
        untrusted = f"TLS: the certificate of the proxy {proxy.address} is not trusted: "
        assert distrusting.reasons[0].startswith(untrusted)
        await distrusting.socket.close()
        # The system's authorities are read once a process.
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
        monkeypatch.setattr(dial, "_of_the_system", None)
        for to in (hub, secure_hub):
            one = Client(to.url, "echo:1", proxy=f"https://{proxy.address}")
            one.socket.connect()
            await one.works(to)
            await one.socket.close()


# SOCKS


class SocksProxy(RawServer):
    """SOCKS5 (RFC 1928) without authentication; ``code`` is its answer to CONNECT."""

    def __init__(self, code=0):
        super().__init__(self._serve)
        self.code = code
        self.asked = []

    async def _serve(self, reader, writer):
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = 4 if kind == 1 else (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        name = socket.inet_ntoa(host) if kind == 1 else host.decode()
        self.asked.append((name, port))
        writer.write(bytes([5, self.code, 0, 1, 0, 0, 0, 0, 0, 0]))
        if not self.code:
            await pumped(reader, writer, "127.0.0.1", port)


@pytest.mark.parametrize(("scheme", "asked"), [("socks5h", "hub.test"), ("socks5", "127.0.0.1")])
async def test_a_socks_proxy_is_gone_through(hub, scheme, asked):
    pytest.importorskip("python_socks")
    url, opener = elsewhere(hub)
    async with (
        SocksProxy() as proxy,
        Socket(url, options(proxy=f"{scheme}://127.0.0.1:{proxy.port}"), opener=opener) as one,
    ):
        await one.connect()
        assert proxy.asked == [(asked, hub.port)]


async def test_a_socks_proxy_that_refuses_or_is_none_is_told(hub, client):
    pytest.importorskip("python_socks")

    async def hang_up(reader, writer):
        await reader.read(1)

    async with SocksProxy(code=5) as refusing, RawServer(hang_up) as closing:
        for server in (refusing, closing):
            one = client(hub.url, proxy=f"socks5h://127.0.0.1:{server.port}")
            await eventually(lambda: one.reasons)  # noqa: B023 (awaited at once)
            assert f"the proxy 127.0.0.1:{server.port}" in one.reasons[0]


async def test_a_socks_proxy_without_its_package_says_which(hub, client, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_socks", None)
    one = client(hub.url, proxy="socks5h://127.0.0.1:1")
    await eventually(lambda: one.reasons)
    assert one.reasons[0] == "the proxy 127.0.0.1:1 speaks SOCKS, which needs the package python-socks"
