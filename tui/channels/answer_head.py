"""The head of an HTTP answer, read as its bytes come: the first line decides, the rest can only add.

The parsers of the libraries are strict: to them a status without a phrase, an interim answer, a long header
or a line feed alone is no answer at all, and what it said is lost. So heads are read here, for the upgrade,
the proxy's tunnel and health endpoints alike, and a parser is given what :meth:`AnswerHead.cleaned` leaves.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MOST_BYTES = 64 * 1024
"""Bytes of a head, those of interim answers before it included."""

MOST_LINES = 1000
"""Lines of it."""

MOST_INTERIM = 10
"""Interim answers (RFC 9110, 15.2) that are skipped."""

_FIRST_LINE = re.compile(rb"HTTP/\d+(?:\.\d+)?[ \t]+(\d{3})(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TLS = "it speaks TLS: wss:// or https://"
_KNOWN_OTHERS = {
    b"SSH-": "it is an SSH server",
    b"\x15\x03": _TLS,  # a record of type alert (RFC 8446, 5.1), a handshake's
    b"\x16\x03": _TLS,
}
_SPEAKS_TLS = re.compile(rb"HTTPS|SSL-enabled", re.IGNORECASE)


class AnswerHead:
    """What has come of an answer's first line and headers."""

    __slots__ = ("_interim", "_line", "_lines", "_size", "ended", "fields", "problem", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        """Three digits, whatever they are; None until the first line has come."""
        self.fields: list[tuple[bytes, bytes]] = []
        """Headers, names in lower case; lines that are none are left out."""
        self.problem: str | None = None
        """What is wrong with it, in words without any of its own."""
        self.ended = False
        """Nothing more is taken: it is whole, or it has a problem."""
        self._line = bytearray()
        self._size = 0
        self._lines = 0
        self._interim = 0

    def feed(self, data: bytes) -> int:
        """Take what belongs to the head; returns how many bytes that was."""
        place = 0
        while place < len(data) and not self.ended:
            end = data.find(b"\n", place, place + MOST_BYTES)
            piece = data[place : end + 1 if end >= 0 else place + MOST_BYTES]
            place += len(piece)
            self._size += len(piece)
            self._line += piece
            self._lines += end >= 0
            if self._size > MOST_BYTES:
                self._end(f"more than {MOST_BYTES // 1024} KiB of headers")
            elif self._lines > MOST_LINES:
                self._end(f"more than {MOST_LINES} lines of headers")
            elif end >= 0:
                line = bytes(self._line.rstrip(b"\r\n"))
                self._line.clear()
                self._take(line)
            elif self.status is None:
                self._look_at_the_beginning()
        if self.status == 400 and self.ended and _SPEAKS_TLS.search(data, place):
            self.problem = _TLS  # as nginx, Apache, Go and others say in the body
        return place

    def cut(self) -> None:
        if not self.ended:
            self._end(self.unfinished)

    @property
    def begun(self) -> bool:
        """Something has come, interim answers or a part of a line perhaps."""
        return self._size > 0

    @property
    def unfinished(self) -> str:
        """What is wrong with it if nothing more comes."""
        if self.status is not None:
            return "its headers have no end"
        return "interim answers alone" if self._interim else "no whole line of HTTP"

    def field(self, name: str) -> str | None:
        """The first header of that name (in lower case), None where there is none."""
        wanted = name.encode()
        return next((value.decode("iso-8859-1") for key, value in self.fields if key == wanted), None)

    def cleaned(self, names: Collection[str]) -> bytes:
        """A head for a strict parser: this status, and the headers of ``names`` that one may have."""
        wanted = [(key, value) for key, value in self.fields if key.decode() in names]
        lines = [key + b": " + value for key, value in wanted if not _CONTROL.search(value)]
        return b"\r\n".join([b"HTTP/1.1 %03d -" % (self.status or 0), *lines, b"", b""])

    def _take(self, line: bytes) -> None:
        if self.status is None:
            if not line:
                return  # before a first line: RFC 9112, 2.2, has servers skip it, and so do clients
            found = _FIRST_LINE.fullmatch(line)
            if found is None:
                self._end(_no_http(line))
            else:
                self.status = int(found[1])
        elif not line:
            self._end_one()
        else:
            name, colon, value = line.partition(b":")
            if colon and _NAME.fullmatch(name):
                self.fields.append((name.lower(), value.strip(b" \t")))

    def _end_one(self) -> None:
        assert self.status is not None
        if not 100 <= self.status < 200 or self.status == 101:
            self.ended = True
        elif self._interim == MOST_INTERIM:
            self._end(f"more than {MOST_INTERIM} interim answers")
        else:
            self._interim += 1
            self.status = None
            self.fields.clear()

    def _look_at_the_beginning(self) -> None:
        # Who waits for the rest of what can be no HTTP may wait for ever.
        beginning = bytes(self._line[:16]).lstrip(b"\r")
        if len(beginning) >= 5 and beginning[:5].upper() != b"HTTP/":
            self._end(_no_http(beginning))

    def _end(self, problem: str) -> None:
        self.problem = problem
        self.ended = True


def _no_http(line: bytes) -> str:
    other = next((words for mark, words in _KNOWN_OTHERS.items() if line.startswith(mark)), None)
    return other or "no HTTP answer"
