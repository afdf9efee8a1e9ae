"""A hub that says the tokens that it was given, wherever it can say anything and however it can spell them:
none is in anything that the program prints, shows, keeps or hands out."""

from __future__ import annotations

import asyncio
import base64
import gzip
import html
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.channels.real import eventually
from tui.control.remote import RemoteEngine
from tui.model.snapshot import CommandResult

TOKEN = 't0k/3n+of "the" hub!é'  # what each spelling has to spell differently
PARAM = "p4ram-0f-the-3nv1r0nm3nt"
ROOM = "r00m-k3y-of-4-f1l3"
KEY = "h3ader-in-pl41n-w0rds"
BEARER = "B3arer-Cr3d3nt14ls"
SECRETS = (TOKEN, PARAM, ROOM, KEY, BEARER)
PLAIN = "plain-words-of-params"
AGENT = "an-agent-in-the-environment"
PIECE = 12
"""Characters of the pieces that the hub cuts."""


def escaped(text: str) -> str:
    units = text.encode("utf-16-be").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def spellings(secret: str) -> list[str]:
    """How a hub, a proxy or a log in front of it may bring a value back."""
    data = secret.encode()
    half = quote(secret[: len(secret) // 2], safe="") + secret[len(secret) // 2 :]
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        half,
        quote(quote(secret, safe=""), safe=""),
        "".join(f"%{byte:02x}" for byte in data),
        base64.b64encode(data).decode(),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(b"user:" + data + b"!").decode(),
        escaped(secret),
        html.escape(secret),
        "".join(f"&#{ord(letter)};" for letter in secret),
        f"http://{quote(secret, safe='').lower()}.test/",
        json.dumps(secret),
        json.dumps({"inner": json.dumps({"token": secret})}),
        secret.replace("/", "\\/"),
        f"invalid token '{secret[:PIECE]}",
        f"invalid token {secret[:PIECE]}...",
        f"{secret[-PIECE:]} is no token",
    ]


ALL_SPELLINGS = [spelling for secret in SECRETS for spelling in spellings(secret)]


def unspelled(text: str) -> Iterator[str]:
    """A text as it is, and what those who read it closely can make of it."""
    for _ in range(5):
        yield text
        for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", text):
            for shift in range(4):
                piece = run[shift:].replace("-", "+").replace("_", "/")
                yield base64.b64decode(piece[: len(piece) // 4 * 4]).decode(errors="replace")
        text = unquote_plus(text, errors="replace")
        text = re.sub(r"(?:\\u[0-9a-fA-F]{4})+", _units, text)
        text = html.unescape(re.sub(r"\\(.)", r"\1", text))


def _units(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "replace")


def betrayed(text: str) -> set[str]:
    """Where a text holds secrets or pieces of them."""
    written = [each for secret in SECRETS for each in (secret, secret.lower())]
    pieces = {piece for secret in written for piece in (secret[:PIECE], secret[-PIECE:])}
    return {
        view[max(0, place - 60) : place + 60]
        for view in unspelled(text)
        for piece in pieces
        if (place := view.find(piece)) >= 0
    }


class EchoingHub:
    """Says every spelling everywhere: one after the other, some at each connection."""

    def __init__(self) -> None:
        self.port = 0
        self.opened = 0
        self.said = itertools.count()
        self.refusals = iter(ALL_SPELLINGS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[EchoingHub]:
        server: Server
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._answer, select_subprotocol=_first
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/health"):
            said = {"status": f"down: {TOKEN}", "service": KEY, BEARER: BEARER, "last_error": quote(KEY)}
            return Response(200, "OK", Headers({"Content-Type": "application/json"}), _encoded(said))
        if self.opened < 2:
            self.opened += 1
            words = f"{TOKEN} {quote(PARAM)}"
            return Response(
                HTTPStatus.FORBIDDEN,
                f"Forbidden {quote(BEARER)}",
                Headers({"Content-Type": "text/plain", "X-Token": KEY, "Location": f"http://x/{PARAM}"}),
                words.encode(),
            )
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            async for data in connection:
                join_ref, ref, topic, event, _ = json.loads(data)
                await self._reply(connection, join_ref, ref, topic, event)
        except ConnectionClosed:
            pass

    async def _reply(self, to: ServerConnection, join_ref: Any, ref: Any, topic: str, event: str) -> None:
        spelling = ALL_SPELLINGS[next(self.said) % len(ALL_SPELLINGS)]
        answer: dict[str, Any] = {"status": "ok", "response": {}}
        if event == "spell":
            answer = {"status": "error", "response": {"why": [spelling]}}
        elif topic == "room:refused":
            answer = {"status": "error", "response": {"reason": next(self.refusals, TOKEN)}}
        elif event == "say":
            answer["response"] = {"said": ALL_SPELLINGS}
        await to.send(json.dumps([join_ref, ref, topic, "phx_reply", answer]))
        if event == "phx_join" and topic == "room:1":
            for each in ALL_SPELLINGS:
                await self._say(to, join_ref, each)
            await to.send(json.dumps([None, None, f"room:{TOKEN}", BEARER, {}]))
            await to.send(json.dumps([None, TOKEN, "room:1", "x", {}]))
            await to.send(b"\x02\x06\x01room:1x" + KEY.encode())
            await to.send("[" + TOKEN)
            await to.send(json.dumps([None, None, "room:1", "news", {"no_secrets": [PLAIN, AGENT]}]))
        if event == "leave_us":
            reason = spelling.encode()[:120].decode(errors="ignore")
            await to.close(4000, reason)

    async def _say(self, to: ServerConnection, join_ref: Any, spelling: str) -> None:
        for event, payload in (
            ("follower", {"id": spelling, "user_name": spelling, "message": spelling, spelling: [spelling]}),
            (spelling, {"user_name": spelling}),
            ("status_report", {"service": spelling, "status": f"failed {spelling}", "last_error": spelling,
                               "host": spelling, "url": f"http://h/{spelling}", spelling: spelling}),
            ("presence_state", {spelling: {"metas": [{"phx_ref": spelling}]}}),
            ("telemetry_update", {"overlays": [{"name": spelling, "connected": 1, "environment": spelling}],
                                  "services": {spelling: {"connected": False, "error": spelling}}}),
            ("news", {"half": spelling[:PIECE], "other": spelling[PIECE:]}),
        ):  # fmt: skip
            await to.send(json.dumps([None, None, "room:1", event, payload]))


def _first(connection: ServerConnection, offered: Any) -> Any:
    return offered[0] if offered else None


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


SETTINGS = """
[journal]
frames = true
[connections.hub]
url = "ws://127.0.0.1:PORT/socket"
preset = "live"
auth_token = { file = "token" }
params = { key = { env = "PARAM_OF_HUB" }, plain = "PLAIN" }
headers = { X-Key = "KEY", Authorization = "Bearer BEARER", User-Agent = { env = "AGENT" } }
reconnect_base_delay = 0.1
circuit_breaker_threshold = 1000
topics = [
    { topic = "room:1", params = { room = { file = "room" } } },
    "room:refused",
]

[[alerts.sources]]
connection = "hub"
topic = "room:1"
events = { follower = "follow", "*" = "*" }

[alerts.delivery]
connection = "hub"
topic = "room:1"
event = "spell"

[[services.reports]]
connection = "hub"
topic = "room:1"
event = "status_report"

[[services.reports]]
connection = "hub"
topic = "room:1"
kind = "hub"

[services.endpoints.endpoint]
url = "http://127.0.0.1:PORT/health"
interval = 1.0
headers = { X-Key = "KEY" }
"""


def environment(folder: Path) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("OVERLAY_SUPERVISOR")}
    root = str(Path(__file__).parent.parent)
    return {**found, "PARAM_OF_HUB": PARAM, "AGENT": AGENT, "PYTHONPATH": root, "HOME": str(folder)}


async def test_no_output_holds_a_secret_that_a_hub_says(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "room").write_text(ROOM)
    state = tmp_path / "s"
    heard: list[str] = []

    async with EchoingHub().running() as hub:
        settings = SETTINGS.replace("PORT", str(hub.port)).replace("PLAIN", PLAIN)
        (tmp_path / "settings.toml").write_text(settings.replace("KEY", KEY).replace("BEARER", BEARER))
        options = ["--config", str(tmp_path / "settings.toml"), "--state", str(state)]
        program = [sys.executable, "-m", "tui.cli.main", *options]
        run = await asyncio.create_subprocess_exec(
            *program, "run", "--headless", "--report-interval", "0.5", "--log-level", "debug",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(tmp_path), limit=2**24,
        )  # fmt: skip
        assert run.stdout is not None
        reading = asyncio.create_task(run.stdout.read())
        engine = RemoteEngine(state / "control.sock")
        try:
            await eventually((state / "control.sock").exists)
            engine.start(wait=5)

            def one() -> Any:
                return next(iter(engine.snapshot().connections), None)

            await eventually(lambda: one() is not None and one().metrics.connection_state == "connected")
            for _ in range(4):
                await eventually(lambda: one().channels[0].state == "joined")
                page = await engine.frames("hub", 0, 1000)
                assert not isinstance(page, CommandResult)
                heard.append(repr(page))
                for frame in page.frames[-60:]:
                    heard.append(repr(await engine.frame("hub", frame.cursor)))
                heard.append(repr(await engine.push("hub", "room:1", "say", {})))
                heard.append(repr(await engine.push("hub", "room:1", "spell", {})))
                heard.append(repr(engine.snapshot()))
                closed = one().metrics.successful_connects
                await engine.push("hub", "room:1", "leave_us", {})
                await eventually(lambda closed=closed: one().metrics.successful_connects > closed)
            for incident in (*engine.snapshot().incidents.open, *engine.snapshot().incidents.resolved):
                heard.append(repr(await engine.timeline(incident.id)))
            heard += [repr(engine.snapshot()), repr(engine.log(0, 1000)), repr(await engine.history("hub"))]
            for command in (["status"], ["--json", "status"], ["metrics"], ["--json", "services"],
                            ["--json", "alerts"], ["--json", "alerts", "history"], ["alerts", "export"],
                            ["--json", "incidents"], ["--json", "logs", "-n", "500"]):  # fmt: skip
                ctl = await asyncio.create_subprocess_exec(
                    *program, "ctl", *command, stdout=subprocess.PIPE, env=environment(tmp_path)
                )
                heard.append((await ctl.communicate())[0].decode())
        finally:
            engine.close()
            if run.returncode is None:
                run.send_signal(signal.SIGTERM)
            heard.append((await reading).decode())
            await run.wait()
    everything = "\n".join(heard)
    # What is no secret, and what proves that all of it was there to be betrayed.
    for words in (
        PLAIN,
        AGENT,
        "403",
        "join refused",
        "follow",
        "4000",
        "***",
        "page ***",
        "phx_reply",
        "endpoint",
    ):
        assert words in everything, words
    kept = {path.name: contents(path) for path in state.rglob("*") if path.is_file()}
    assert {"overlay-supervisor.log", "alerts.sqlite"} <= kept.keys()
    for name, text in {"outputs": everything, **kept}.items():
        assert betrayed(text) == set(), name


def contents(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return data.decode(errors="replace")


@pytest.mark.parametrize("spelling", ALL_SPELLINGS)
def test_the_test_itself_finds_every_spelling(spelling: str) -> None:
    assert betrayed(f"words {spelling} words")
