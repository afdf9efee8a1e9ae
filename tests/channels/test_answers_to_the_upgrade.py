"""What a server may answer to the upgrade: each answer's words, and what the client then does."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import http
import json
import re
import socket
import struct
import time
from dataclasses import dataclass

import pytest
from real import Client, RawServer, eventually, ok, read_frame, read_request, text_frame, until_gone
from websockets.utils import accept_key

BASE, LONGEST = 4.0, 60.0
"""Seconds of the first delay, half of which is left to chance, and of the longest."""

CLOSED = "connection to HOST closed without an answer, as a port for TLS does (wss://)"
NO_ANSWER = "no answer to the upgrade within 1 s"


@dataclass(frozen=True)
class Case:
    """One answer. ``ACCEPT`` in it becomes the key that is asked for, ``HOST`` in words the server's."""

    name: str
    answer: bytes
    message: str | None
    """None: it connects."""
    conduct: str = "backs off"
    """``backs off``, ``refused`` (and backs off), or ``waits N``."""
    then: str = "closes"
    """``closes``, ``stays``, ``resets``, ``goes on`` (with the same, for ever), ``runs on`` or ``drips``."""


def words_for(code: int, more: str = "") -> str:
    try:
        phrase = f" {http.HTTPStatus(code).phrase}"
    except ValueError:
        phrase = ""
    meant = {
        200: ": no WebSocket there",
        401: ": token or parameters not accepted",
        403: ": token or parameters not accepted",
        404: ": no socket at this path",
    }
    return f"answered {code}{phrase} by HOST{more}{meant.get(code, '')}"


def conduct_for(code: int) -> str:
    return "refused" if code in (401, 403) else "backs off"


CODES = (200, 304, 400, 401, 403, 404, 407, 408, 426, 429, 431, 500, 502, 503, 504, 999)
FIRST_LINES = {
    "plain": b"HTTP/1.1 %d Said So",
    "as HTTP/1.0": b"HTTP/1.0 %d Said So",
    "without a phrase": b"HTTP/1.1 %d",
}
ODD_FIRST_LINES = {
    "as HTTP/2": b"HTTP/2 %d",
    "with a space for a phrase": b"HTTP/1.1 %d ",
    "with a phrase that is no text": b"HTTP/1.1 %d \xff\x1b[31m",
}
RETRY_AFTER = {
    "seconds": ("7", 7),
    "a date": (email.utils.formatdate(time.time() + 30 * 86_400, usegmt=True), LONGEST),
    "a past date": ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    "hours": ("3600", LONGEST),
    "nonsense": ("soon", None),
    "a fraction": ("7.5", None),
    "a sign": ("-7", None),
    "400 digits": ("9" * 400, None),
    "a year of 20 digits": ("Sun, 06 Nov 19941994199419941994 08:49:37 GMT", None),
    "a month of 20 digits": ("06 99999999999999999999 1994 08:49:37 GMT", None),
    "an hour of 20 digits": ("Sun, 06 Nov 2030 99999999999999999999:49:37 GMT", None),
    "a zone of 20 digits": ("Sun, 06 Nov 2030 08:49:37 +99999999999999999999", None),
    "nothing": ("", None),
    "other digits": ("\u0667", None),
}
OWED = b"connection: close\r\n\r\n"


def statuses() -> list[Case]:
    cases = []
    for code in CODES:
        for name, line in (FIRST_LINES if code != 403 else FIRST_LINES | ODD_FIRST_LINES).items():
            answer = line % code + b"\r\n" + OWED
            cases.append(Case(f"{code} {name}", answer, words_for(code), conduct_for(code)))
    for code in (401, 429, 503):
        for name, (value, seconds) in RETRY_AFTER.items():
            heeded = seconds is not None and code != 401
            # A date is told as seconds from now, which the answer takes a moment to tell.
            told = r", retry after \d+ s" if heeded else ""
            answer = b"HTTP/1.0 %d\r\nRETRY-after:  %b\r\n" % (code, value.encode()) + OWED
            conduct = f"waits {seconds:g}" if heeded and seconds > BASE else conduct_for(code)
            cases.append(
                Case(f"{code} to be asked again after {name}", answer, words_for(code, told), conduct)
            )
    return cases


def head(code: int, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 %d Said So" % code, *lines, b"", b""])


UPGRADED = (b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-accept: ACCEPT")
TOO_MUCH = b"x" * 9000
SEVEN = (b"retry-after: 7",)
WAITS = words_for(503, ", retry after 7 s")

BODIES = {
    "too short": (b"content-length: 100", b"no more", "closes"),
    "too short, and nothing more": (b"content-length: 100", b"no more", "stays"),
    "too long": (b"content-length: 2", b"more than that", "closes"),
    "of 2 MB": (b"content-length: 2000000", b"x" * 2_000_000, "closes"),
    "of an odd length": (b"content-length: -1", b"", "closes"),
    "of two lengths": (b"content-length: 1\r\ncontent-length: 2", b"x", "closes"),
    "in chunks": (b"transfer-encoding: chunked", b"3\r\nbad\r\n0\r\n\r\n", "closes"),
    "in chunks that are none": (b"transfer-encoding: chunked", b"zzz\r\n", "stays"),
    "of an unknown coding": (b"transfer-encoding: br, chunked", b"\x00", "stays"),
    "in gzip": (b"content-encoding: gzip", gzip.compress(b"bad"), "closes"),
    "without end": (b"content-type: text/plain", b"for ever and ", "goes on"),
    "that breaks off": (b"content-length: 100", b"no", "resets"),
}
HEADS = {
    "with a header of 9 KB": (b"x-long: " + TOO_MUCH,),
    "with 200 headers": tuple(b"x-%d: y" % number for number in range(200)),
    "with lines that are no headers": (b"no header", b": nothing", b"\x00\x01: x", b" folded"),
    "with a value that is no text": (b"x: \x00\x07\xff",),
}

TABLE = [
    *statuses(),
    # Whatever is behind the first line, the status has its consequences.
    *(
        Case(f"503 with a body {name}", head(503, *SEVEN, line) + body, WAITS, "waits 7", then)
        for name, (line, body, then) in BODIES.items()
    ),
    *(
        Case(f"403 with a body {name}", head(403, line) + body, words_for(403), "refused", then)
        for name, (line, body, then) in BODIES.items()
    ),
    *(Case(f"503 {name}", head(503, *lines, *SEVEN), WAITS, "waits 7") for name, lines in HEADS.items()),
    *(Case(f"101 {name}", head(101, *lines, *UPGRADED), None) for name, lines in HEADS.items()),
    Case("503 with line feeds alone", head(503, *SEVEN).replace(b"\r", b""), WAITS, "waits 7"),
    Case("503 behind an empty line", b"\r\n" + head(503, *SEVEN), WAITS, "waits 7"),
    Case(
        "503 cut short in its headers",
        head(503, *SEVEN)[:-4] + b"\r\nx",
        WAITS + ": its headers have no end",
        "waits 7",
    ),
    Case(
        "503 that stops in its headers",
        head(503, *SEVEN)[:-4] + b"\r\nx",
        WAITS + ": its headers have no end within 1 s",
        "waits 7",
        "stays",
    ),
    Case(
        "401 whose headers have no end",
        b"HTTP/1.1 401\r\nx: y\r\n",
        words_for(401) + "; more than 1000 lines of headers",
        "refused",
        "goes on",
    ),
    Case(
        "401 with a line without end",
        b"HTTP/1.1 401\r\nx",
        words_for(401) + "; more than 64 KiB of headers",
        "refused",
        "runs on",
    ),
    Case("401 and a reset", b"HTTP/1.1 401 No\r\n\r\n", words_for(401), "refused", "resets"),
    Case(
        "403 a byte at a time",
        b"HTTP/1.1 403 No\r\n",
        words_for(403) + "; its headers have no end within 1 s",
        "refused",
        "drips",
    ),
    # Redirects carry tokens elsewhere.
    *(
        Case(
            f"{code} to another place",
            head(code, b"location: https://user:s3cret@elsewhere.test/?token=s3cret"),
            f"answered {code} {http.HTTPStatus(code).phrase} by HOST: "
            "redirect to elsewhere.test:443 not followed",
        )
        for code in (301, 302, 303, 307, 308)
    ),
    Case("302 without a place", head(302), "answered 302 Found by HOST"),
    Case(
        "302 to what is no place",
        head(302, b"location: http://[::1/"),
        "answered 302 Found by HOST: redirect to what is no address not followed",
    ),
    Case(
        "302 to a long place",
        head(302, b"location: //" + TOO_MUCH),
        f"answered 302 Found by HOST: redirect to {'x' * 100}…:80 not followed",
    ),
    # Interim answers.
    Case("100 before 101", head(100) + head(101, *UPGRADED), None),
    Case("103 before 101", head(103, b"link: </style.css>") + head(101, *UPGRADED), None),
    Case("102 three times before 503", head(102) * 3 + head(503, *SEVEN), WAITS, "waits 7"),
    Case("103 with a header of the end", head(103, *SEVEN) + head(503), words_for(503)),
    Case("103 for ever", head(103), words_for(103, ": more than 10 interim answers"), then="goes on"),
    Case(
        "103 alone",
        head(103),
        "HOST answered, but not as a WebSocket server: interim answers alone",
    ),
    Case("103 and nothing more", head(103), f"{NO_ANSWER}, interim answers alone", then="stays"),
    # 101.
    Case("101", head(101, *UPGRADED), None),
    Case("101 without a phrase", head(101, *UPGRADED).replace(b" Said So", b""), None),
    Case("101 with a space for a phrase", head(101, *UPGRADED).replace(b"Said So", b""), None),
    Case("101 as HTTP/1.0", head(101, *UPGRADED).replace(b"1.1", b"1.0"), None),
    Case("101 with line feeds alone", head(101, *UPGRADED).replace(b"\r", b""), None),
    Case("101 with a length", head(101, *UPGRADED, b"content-length: 100"), None),
    Case("101 in pieces", head(101, *UPGRADED), None, then="drips"),
    Case(
        "101 with a wrong accept key",
        head(101, *UPGRADED).replace(b"ACCEPT", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        words_for(101, ": its header Sec-WebSocket-Accept is missing or wrong"),
    ),
    Case(
        "101 with two accept keys",
        head(101, *UPGRADED, UPGRADED[2]),
        words_for(101, ": its header Sec-WebSocket-Accept is missing or wrong"),
    ),
    Case(
        "101 without an accept key",
        head(101, *UPGRADED[:2]),
        words_for(101, ": its header Sec-WebSocket-Accept is missing or wrong"),
    ),
    Case(
        "101 to something else",
        head(101, b"upgrade: h2c", *UPGRADED[1:]),
        words_for(101, ": its header Upgrade is missing or wrong"),
    ),
    Case("101 with nothing", head(101), words_for(101, ": its header Connection is missing or wrong")),
    Case(
        "101 with an empty subprotocol",
        head(101, *UPGRADED, b"sec-websocket-protocol:"),
        words_for(101, ": its header Sec-WebSocket-Protocol is missing or wrong"),
    ),
    Case(
        "101 with another subprotocol",
        head(101, *UPGRADED, b"sec-websocket-protocol: s3cret"),
        words_for(101, ": a subprotocol that was not offered"),
    ),
    Case(
        "101 with an extension",
        head(101, *UPGRADED, b"sec-websocket-extensions: permessage-deflate"),
        words_for(101, ": an extension that was not offered"),
    ),
    Case(
        "101 whose headers have no end",
        b"HTTP/1.1 101\r\nx: y\r\n",
        words_for(101, ": more than 1000 lines of headers"),
        then="goes on",
    ),
    # What is no HTTP.
    Case(
        "an SSH banner",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        "HOST answered, but not as a WebSocket server: it is an SSH server",
        then="stays",
    ),
    Case(
        "an alert of TLS",
        b"\x15\x03\x03\x00\x02\x02\x0a",
        "HOST answered, but not as a WebSocket server: it speaks TLS: wss:// or https://",
        then="stays",
    ),
    Case(
        "HTTP to a port for HTTPS",
        head(400) + b"<center>The plain HTTP request was sent to HTTPS port</center>",
        "answered 400 Bad Request by HOST: it speaks TLS: wss:// or https://",
    ),
    Case("zeros", b"\0" * 200, "HOST answered, but not as a WebSocket server: no HTTP answer"),
    Case(
        "a line without end",
        b"HTTP/1.1",
        "HOST answered, but not as a WebSocket server: more than 64 KiB of headers",
        then="goes on",
    ),
    *(
        Case(
            f"the first line {line!r}",
            line + b"\r\n\r\n",
            "HOST answered, but not as a WebSocket server: no HTTP answer",
        )
        for line in (b"HTTP/1.1", b"HTTP/1.1 abc", b"HTTP/1.1 1000", b"HTTP/1.1 -1", b"HTTP/x 503 x")
    ),
    Case(
        "a part of a first line",
        b"HTTP/1.1 50",
        "HOST answered, but not as a WebSocket server: no whole line of HTTP",
    ),
    Case(
        "a part of a first line and nothing more",
        b"HTTP/1.1 50",
        f"{NO_ANSWER}, no whole line of HTTP",
        then="stays",
    ),
    Case("nothing at all", b"", NO_ANSWER, then="stays"),
    Case("closed at once", b"", CLOSED),
    Case("a reset", b"", "connection to HOST reset while opening", then="resets"),
]


class Answering(RawServer):
    """Answers every upgrade the same way."""

    def __init__(self, case: Case) -> None:
        super().__init__(self._answer)
        self._case = case

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case = self._case
        _, headers = await read_request(reader)
        key = accept_key(headers["sec-websocket-key"][0]).encode()
        answer = case.answer.replace(b"ACCEPT", key)
        if case.then == "drips":
            for place in range(len(answer)):
                writer.write(answer[place : place + 1])
                await writer.drain()
        else:
            writer.write(answer)
        if case.message is None:
            _, data = await read_frame(reader)
            writer.write(text_frame(ok(json.loads(data))))
            await until_gone(reader)
        elif case.then == "stays":
            await until_gone(reader)
        elif case.then == "resets":
            await writer.drain()
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        while case.then in ("goes on", "runs on", "drips"):
            writer.write({"goes on": answer * 100, "runs on": b"x" * 10_000, "drips": b"x"}[case.then])
            await writer.drain()
            await asyncio.sleep(0.05 if case.then == "drips" else 0)
        await writer.drain()
        if case.then == "closes":
            # So that nothing unread makes a reset of the end.
            writer.write_eof()
            await until_gone(reader)


@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
async def test_an_answer_to_the_upgrade(nothing_left, caplog, case):
    late = case.message is not None and "within 1 s" in case.message
    async with Answering(case) as server:
        one = Client(
            server.url,
            reconnect_base_delay=BASE,
            reconnect_max_delay=LONGEST,
            open_timeout=1 if late else 15,
            auth_token="s3cret",
        )
        one.socket.connect()
        try:
            await eventually(lambda: one.reasons or one.socket.is_connected)
            if case.message is None:
                assert (one.reasons, one.states) == ([], ["connecting", "connected"])
                return
            expected = re.escape(case.message.replace("HOST", f"127.0.0.1:{server.port}"))
            assert re.fullmatch(expected.replace(r"\\d\+", r"\d+"), one.reasons[0]), one.reasons[0]
            details = one.socket.details()
            assert details.refusal == (one.reasons[0] if case.conduct == "refused" else None)
            assert details.next_try is not None
            delay = details.next_try - one.changes[-1].timestamp
            if case.conduct.startswith("waits"):
                assert delay == pytest.approx(float(case.conduct.split()[1]), abs=0.5)
            else:
                assert BASE / 2 - 0.1 <= delay <= BASE + 0.1
            metrics = one.socket.get_health_metrics()
            assert (details.failed_attempts, metrics.successful_connects) == (1, 0)
        finally:
            await one.socket.close()
    assert caplog.records == []


def test_every_answer_has_its_own_name():
    assert len({case.name for case in TABLE}) == len(TABLE)
