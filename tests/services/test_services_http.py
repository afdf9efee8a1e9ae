"""Health endpoints on real sockets: whatever a server does, the others and the loop go on."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import eventually
from tui.channels import dial
from tui.channels.clock import SystemClock
from tui.channels.reasons import AnswerError
from tui.config.secret import EnvironmentSecret, FileSecret
from tui.demo.hub import Hub
from tui.services import http_checks as http_health
from tui.services.http_checks import MOST_BODY, NEEDS_EXTRA, Checked, HealthChecker
from tui.services.options import EndpointOptions
from tui.services.payloads import read_health

HEALTHY = json.dumps({"status": "healthy", "service": "seed"}).encode()
PHONONMASER = {
    "status": "degraded",
    "service": "phononmaser",
    "uptime_seconds": 94,
    "websocket": {
        "connected": False,
        "state": "reconnecting",
        "reconnect_attempts": 4,
        "circuit_breaker_trips": 1,
    },
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_health, "START_WITHIN", 0.0)


def answer(body: bytes = HEALTHY, code: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code}", f"content-length: {len(body)}", "set-cookie: a=secret", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@functools.cache
def bomb() -> bytes:
    """50 MB in 50 KB; to make it takes half a second, in which no server answers."""
    return gzip.compress(b" " * 50_000_000)


class Server:
    """A real server: what it does is said by the path."""

    def __init__(self) -> None:
        self.heads: defaultdict[str, list[str]] = defaultdict(list)
        self.heard: Heard | None = None
        self.overtaken: list[str] = []
        """Paths that were asked for again before their last answer was heard."""
        self.began: list[float] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            self.began.append(asyncio.get_running_loop().time())
            self.heads[path].append(head)
            name = path[1:].partition("?")[0]
            if self.heard is not None and len(self.heads[path]) > len(self.heard.checked[name]) + 1:
                self.overtaken.append(path)
            await self._answer(path.partition("?")[0], writer)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client's end of the matter
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        write = writer.write
        match path:
            case "/health":
                write(answer())
            case "/degraded":
                write(answer(json.dumps(PHONONMASER).encode(), "503 Service Unavailable"))
            case "/text":
                write(answer(b"I am fine"))
            case "/redirect":
                write(answer(b"", "302 Found", "location: /login?token=secret"))
            case "/hangs" | "/held":
                pass
            case "/trickles":
                for number in range(10_000):
                    write(b"HTTP/1.1 200 OK\r\n" if not number else b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            case "/resets":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case "/ends":
                writer.write_eof()
            case "/garbage":
                write(bytes(range(256)) * 10)
            case "/huge":
                write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
                while True:
                    write(b"[" * 65536)
                    await writer.drain()
            case "/crumbs":
                write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while True:
                    write(b"1\r\n1\r\n" * 10_000)
                    await writer.drain()
            case "/headers":
                write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    write(b"x: " + b"y" * 65536 + b"\r\n")
                    await writer.drain()
            case "/continues":
                while True:
                    write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
                    await writer.drain()
            case "/short":
                write(b"HTTP/1.0 503\r\ncontent-length: 100\r\n\r\nnot so much")
                writer.write_eof()
            case "/endless":
                write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\nnot so much")
            case "/slow":
                write(b"HTTP/1.1 200 OK\r\n\r\n{")
            case "/odd":
                write(b"HTTP/1.1 103\n\nHTTP/2 503\ncontent-length: -1\ntransfer-encoding: gzip, chunked\n")
                write(b"no header\nx: \x00" + b"y" * 9000 + b"\n\n\x1f\x8b")
                writer.write_eof()
            case "/old":
                write(b"HTTP/1.0 200\n\n" + HEALTHY)
                writer.write_eof()
            case "/half":
                write(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{"status": ')
                writer.write_eof()
            case "/bomb":
                write(answer(bomb(), "200 OK", "content-encoding: gzip"))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    server.stop()


class Heard:
    """What a checker tells of each endpoint."""

    def __init__(self) -> None:
        self.checked: defaultdict[str, list[Checked]] = defaultdict(list)

    def __call__(self, options: EndpointOptions, checked: Checked) -> None:
        self.checked[options.name].append(checked)

    def message(self, name: str) -> str:
        return self.checked[name][-1].noted.message


class Checking:
    """A checker that asks, until the end of the test."""

    def __init__(
        self, *endpoints: EndpointOptions, resolve_name: dial.ResolveName = dial.resolve_name
    ) -> None:
        self.heard = Heard()
        self.checker = HealthChecker(SystemClock(), random.Random(1), resolve_name=resolve_name)
        self._endpoints = endpoints

    async def __aenter__(self) -> Heard:
        self.checker.watch(self._endpoints, self.heard)
        return self.heard

    async def __aexit__(self, *_: object) -> None:
        self.checker.stop()
        await eventually(
            lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("health of")],
            "the tasks have ended",
        )


def endpoint(name: str, url: str, **options: Any) -> EndpointOptions:
    return EndpointOptions(name=name, url=url, **{"interval": 0.1, "timeout": 5.0, **options})


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


_LATE = re.compile(r"(within|did not answer for) [0-9.]+ s")
"""What is said of what was not in time."""

EXPECTED = {
    "health": ("good", "healthy", "answered"),
    "degraded": ("bad", "HTTP 503: degraded", "answered"),
    "text": ("good", "answers, no JSON", "answered"),
    "redirect": ("bad", "redirects to http://127.0.0.1:PORT/login, not followed", "answered"),
    "hangs": ("bad", "no answer from 127.0.0.1:PORT within 0.3 s", "failed"),
    "resets": ("bad", "connection to 127.0.0.1:PORT reset while opening", "failed"),
    "ends": ("bad", "connection to 127.0.0.1:PORT closed without an answer", "failed"),
    "garbage": (
        "bad",
        "127.0.0.1:PORT answered, but not as a web server: no HTTP answer",
        "failed",
    ),
    # The status stands, whatever becomes of the rest.
    "short": ("bad", "HTTP 503", "answered"),
    "odd": ("bad", "HTTP 503", "answered"),
    "old": ("good", "healthy", "answered"),
    "half": ("good", "answers, its body is cut short", "answered"),
    "huge": ("good", "answers, too long to be read", "answered"),
    # Chunks of one byte each.
    "crumbs": ("good", "answers, too long to be read", "answered"),
    "headers": ("bad", "answered 200 OK by 127.0.0.1:PORT: more than 64 KiB of headers", "failed"),
    "continues": (
        "bad",
        "answered 100 Continue by 127.0.0.1:PORT: more than 10 interim answers",
        "failed",
    ),
    "bomb": ("good", "answers, no JSON", "answered"),
}


async def test_whatever_a_server_does_it_is_said_and_all_are_asked_again(server: Server) -> None:
    before = descriptors()
    bomb()
    url = f"http://127.0.0.1:{server.port}"
    limits = {"hangs": 0.3, "held": 600.0}  # seconds; of the others so many that a busy machine keeps them
    endpoints = [
        endpoint(path, f"{url}/{path}?key=secret", timeout=limits.get(path, 30.0))
        for path in (*EXPECTED, "held")
    ]
    expected = {
        path: (state, words.replace("PORT", str(server.port)), outcome)
        for path, (state, words, outcome) in EXPECTED.items()
    }

    def heard_of(path: str) -> list[tuple[str, str, str]]:
        return [(told.state, told.message, outcome) for told, outcome in heard.checked[path]]

    async with Checking(*endpoints) as heard:
        server.heard = heard
        await eventually(
            lambda: all(heard_of(path).count(wanted) >= 2 for path, wanted in expected.items()),
            "two of each",
            120,
        )
    assert server.overtaken == []
    for path, wanted in expected.items():
        # A busy machine may not come to it in time: it says so then, and nothing else.
        assert {each for each in heard_of(path) if not _LATE.search(each[1])} <= {wanted}
    # One that hangs holds up nobody.
    assert len(server.heads["/held?key=secret"]) == 1
    assert heard.checked["held"] == []
    assert any(told.figures.get("websocket state") == "reconnecting" for told, _ in heard.checked["degraded"])
    # Nothing of one answer goes into the next request.
    assert all("ookie" not in head for heads in server.heads.values() for head in heads)
    assert all(len(told.figures) == 0 for told, _ in heard.checked["bomb"])
    await eventually(lambda: descriptors() <= before + len(server._writers), "everything closed")


async def test_what_has_no_end_keeps_its_status(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}"
    endpoints = [endpoint(path, f"{url}/{path}", timeout=1.0) for path in ("trickles", "endless", "slow")]
    async with Checking(*endpoints) as heard:
        await eventually(lambda: len(heard.checked) == 3, "one of each")
    where = f"127.0.0.1:{server.port}"
    assert heard.message("trickles") == f"answered 200 OK by {where}: its headers have no end within 1 s"
    assert heard.message("endless") == "HTTP 503"
    assert heard.message("slow") == "answers, its body has no end within 1 s"


async def test_the_hub_has_a_health_endpoint() -> None:
    async with Hub() as hub:
        async with Checking(endpoint("hub", f"http://127.0.0.1:{hub.port}/health")) as heard:
            await eventually(lambda: heard.checked["hub"], "an answer")
            assert heard.checked["hub"][0].noted.state == "good"
        await hub.stop()
        async with Checking(endpoint("hub", f"http://127.0.0.1:{hub.port}/health")) as heard:
            await eventually(lambda: heard.checked["hub"], "a refusal")
            assert heard.message("hub") == f"refused by 127.0.0.1:{hub.port}"


async def test_headers_are_read_anew_and_never_shown(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    monkeypatch.setenv("HEALTH_KEY", "of the environment")
    headers = {"authorization": FileSecret(str(path)), "x-key": EnvironmentSecret("HEALTH_KEY")}
    one = endpoint("seed", f"http://127.0.0.1:{server.port}/health", headers=headers)
    async with Checking(one) as heard:
        await eventually(lambda: heard.checked["seed"], "an answer")
        assert "authorization: first\r\nx-key: of the environment\r\n" in server.heads["/health"][0]
        path.write_text("second")
        await eventually(
            lambda: "authorization: second" in server.heads["/health"][-1].lower(), "the new one"
        )
        path.unlink()
        await eventually(lambda: heard.checked["seed"][-1].outcome == "not asked", "not asked")
        words = f"headers.authorization: secret file {path}: No such file or directory"
        assert heard.message("seed") == words
        # What no header may hold is sent nowhere and shown nowhere.
        path.write_text("third\x0csecret")
        await eventually(lambda: heard.message("seed") != words, "refused by the client")
        assert heard.message("seed") == f"127.0.0.1:{server.port}: cannot be asked for: LocalProtocolError"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A server's certificate for 127.0.0.1, which is its own authority, and its key."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "server.pem", folder / "server.key"


async def test_tls_is_verified_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = Server()
    await server.start(context)
    url = f"https://127.0.0.1:{server.port}/health"
    (tmp_path / "empty.pem").write_text("nothing")
    names = {
        "trusting": {"ca_file": str(pem)},
        "distrusting": {},
        "without": {"ca_file": str(tmp_path / "none.pem")},
        "empty": {"ca_file": str(tmp_path / "empty.pem")},
    }
    endpoints = [endpoint(name, url, timeout=5.0, **options) for name, options in names.items()]
    # TLS is asked of one that does not speak it.
    plain = Server()
    await plain.start()
    endpoints.append(endpoint("plain", f"https://127.0.0.1:{plain.port}/garbage", timeout=0.5))
    where = f"127.0.0.1:{server.port}"
    expected = {
        "trusting": "healthy",
        "distrusting": f"TLS: the certificate of {where} is not trusted: self",
        "without": "ca_file cannot be read: No such file or directory",
        "empty": "ca_file holds no certificates",
        "plain": f"no answer to the TLS handshake from 127.0.0.1:{plain.port} within 0.5 s",
    }
    async with Checking(*endpoints) as heard:
        await eventually(
            lambda: all(
                any(told.message.startswith(words) for told, _ in heard.checked[name])
                for name, words in expected.items()
            ),
            "an answer of each",
            60,
        )
    server.stop()
    plain.stop()
    for name, words in expected.items():
        told = [told.message for told, _ in heard.checked[name]]
        assert all(each.startswith(words) or _LATE.search(each) for each in told), told
    assert {outcome for told, outcome in heard.checked["plain"] if told.message == expected["plain"]} == {
        "failed"
    }


async def test_names_that_are_not_found_hold_up_nobody(server: Server) -> None:
    gate = threading.Event()
    asked: Counter[str] = Counter()

    def resolve_name(host: str, port: int) -> Sequence[dial.Address]:
        asked[host] += 1
        if host.startswith("hangs"):
            gate.wait(20)
        elif host == "nowhere":
            raise OSError("no such name")
        return dial.resolve_name("127.0.0.1", port)

    hanging = [f"hangs{number}" for number in range(10)]
    urls = {name: f"http://{name}:{server.port}/health" for name in ("seed", "nowhere", *hanging)}
    try:
        limits = dict.fromkeys(hanging, 0.2)
        endpoints = (endpoint(name, url, timeout=limits.get(name, 5.0)) for name, url in urls.items())
        async with Checking(*endpoints, resolve_name=resolve_name) as heard:
            await eventually(lambda: all(len(heard.checked[name]) >= 2 for name in urls), "two of each")
            # The pool of threads, in which secrets are read, is as free as ever.
            assert await asyncio.wait_for(asyncio.to_thread(int, "7"), 5) == 7
            assert heard.message("seed") == "healthy"
            assert f"host: seed:{server.port}" in server.heads["/health"][0].lower()
            assert heard.message("nowhere").startswith(f"no connection to nowhere:{server.port}")
            assert {heard.message(name) for name in hanging} == {
                f"name look-up of {name} did not answer for 0.2 s" for name in hanging
            }
            assert all(asked[name] == 1 for name in hanging)
    finally:
        gate.set()


async def test_without_the_extra_each_endpoint_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tui.services.http_fetch", raising=False)
    monkeypatch.delattr("tui.services.http_fetch", raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    endpoints = [endpoint(name, "http://127.0.0.1:1/") for name in ("seed", "saya")]
    async with Checking(*endpoints) as heard:
        await eventually(lambda: len(heard.checked) == 2, "the words")
        assert heard.checked["seed"][0].noted.message == NEEDS_EXTRA == heard.message("saya")
        assert heard.checked["seed"][0].outcome == "not asked"


async def test_proxies_of_the_environment_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Checking(endpoint("seed", f"http://127.0.0.1:{server.port}/health")) as heard:
        await eventually(lambda: heard.checked["seed"], "an answer")
        assert heard.message("seed") == "healthy"


async def test_many_endpoints_do_not_begin_at_once_and_a_reload_keeps_those_that_stay(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_health, "START_WITHIN", 0.4)
    url = f"http://127.0.0.1:{server.port}/health"
    endpoints = [endpoint(f"s{number}", f"{url}?{number}", interval=3600.0) for number in range(30)]
    checking = Checking(*endpoints)
    async with checking as heard:
        await eventually(lambda: len(heard.checked) == 30, "all")
        assert max(server.began) - min(server.began) > 0.1
        checking.checker.watch([*endpoints[:10], endpoint("new", f"{url}?new")], heard)
        await eventually(lambda: heard.checked["new"], "the new one")
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert len([name for name in names if name.startswith("health of")]) == 11
        assert all(len(heads) == 1 for path, heads in server.heads.items() if path != "/health?new")


async def test_of_a_body_no_more_is_read_than_its_bound(server: Server) -> None:
    from tui.services.http_fetch import fetch

    url = f"http://127.0.0.1:{server.port}/huge"
    async with asyncio.timeout(10) as limit:
        fetched = await fetch(
            url, headers={}, context=None, most=MOST_BODY, limit=limit, at=lambda step: None
        )
    assert (len(fetched.body), fetched.unread) == (MOST_BODY, "too long to be read")


def mutated(answered: bytes, random_source: random.Random) -> bytes:
    data = bytearray(answered)
    odd = (b"\r\n", b"\0", b"x" * 3000, b"-1", b"9" * 20, b"\xff\xfe", b":")
    for _ in range(random_source.randrange(6)):
        place = random_source.randrange(len(data) + 1)
        data[place : place + random_source.randrange(8)] = random_source.choice(
            (*odd, data[place : place + 20], b"")
        )
    return bytes(data)


async def test_mutated_answers_are_answers_or_none(server: Server) -> None:
    from tui.services.http_fetch import fetch

    random_source = random.Random(6)
    chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
    kinds = (answer(), answer(b"", "302 Found", "location: http://x/y"), chunks)
    outcomes: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(mutated(random_source.choice(kinds), random_source))
        writer.close()

    mutating = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{mutating.sockets[0].getsockname()[1]}/"
    for _ in range(int(os.environ.get("FUZZED_ANSWERS", "200"))):
        try:
            async with asyncio.timeout(10) as limit:
                fetched = await fetch(
                    url, headers={}, context=None, most=MOST_BODY, limit=limit, at=lambda step: None
                )
        except (AnswerError, ConnectionError) as error:
            outcomes[type(error).__name__] += 1
        else:
            read_health(fetched.code, fetched.body, 0.0, url=url, location=fetched.location)
            outcomes["read"] += 1
    mutating.close()
    assert outcomes["read"] > 30
    assert outcomes["AnswerError"] > 30
