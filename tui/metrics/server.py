"""The metrics over HTTP, for Prometheus: ``GET /metrics``, read by nobody's leave but within bounds.

It has threads of its own: the engine's loop neither knows of it nor waits for it, however slowly a page is
read. Each connection has a thread, a bounded number of them at a time, and asks once.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from socketserver import ThreadingTCPServer
from typing import Any, NamedTuple

from tui import __version__
from tui.channels.clock import Clock, SystemClock
from tui.metrics.options import MetricsOptions
from tui.model.engine import Engine
from tui.model.snapshot import Snapshot
from tui.system.exhausted import EXHAUSTED, Untaken

log = logging.getLogger("tui.metrics")

MOST_CONNECTIONS = 16
"""Connections that are answered at a time. For another one, the one that has asked nothing for longest gives
way; where all have asked, that other is turned away."""
MOST_REQUEST = 8 * 1024
"""Bytes of a request's line and headers."""
REQUEST_SECONDS = 5.0
"""Within which a request must be whole."""
ANSWER_SECONDS = 10.0
"""Within which an answer must be read."""
PAGE_SECONDS = 1.0
"""How long a page is given out before a new one is made, so that a flood costs no more than this."""

_START_SECONDS = 5.0
_POLL_SECONDS = 0.25
_BACKLOG = 32
_PLAIN = "text/plain; charset=utf-8"


class MetricsError(Exception):
    """The metrics cannot be served; the message is for a person."""


class MetricsServer:
    """Serves ``engine``'s metrics as the options say; nothing until :meth:`apply`.

    Args:
        clock: by which a snapshot is old; the time-outs are the sockets' own.
        most: connections that are answered at a time.
    """

    def __init__(self, engine: Engine, *, clock: Clock | None = None, most: int = MOST_CONNECTIONS) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._most = most
        self._options = MetricsOptions()
        self._listening: _Listening | None = None

    def apply(self, options: MetricsOptions) -> str | None:
        """Serve where ``options`` say, or nowhere for port 0; what was changed, in words.

        To be called by one thread at a time. Waits at most 5 s. What is served already goes on untouched.

        Raises:
            MetricsError: the extra is missing, or there can be no socket. What was served before still is,
                unless it was on the same port.
        """
        before = self._listening
        if options == self._options and (before is not None or options.port == 0):
            return None
        if options.port == 0:
            self.close()
            self._options = options
            return "metrics: served no more" if before is not None else None
        if before is not None and self._options.port == options.port:
            # Two sockets cannot listen on one port, though at other addresses of the machine.
            self.close()
            before = None
        where = _where(options)
        listening = _Listening(
            lambda: _Server(options, _Pages(self._engine.snapshot, self._clock), self._most)
        )
        listening.start(where)
        self._listening, self._options = listening, options
        if before is not None:
            before.close(2 * _POLL_SECONDS)
        log.info("metrics at http://%s/metrics", where)
        return f"metrics: at http://{where}/metrics"

    def close(self, timeout: float = 1.0) -> bool:
        """Serve no more; whether the listening thread ended within ``timeout`` seconds. Any number of times.

        Answers that are under way are left to their time-outs; they hold no interpreter up.
        """
        listening, self._listening = self._listening, None
        return listening is None or listening.close(timeout)


class _Listening:
    def __init__(self, make: Callable[[], _Server]) -> None:
        self._make = make
        self._server: _Server | None = None
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self, where: str) -> None:
        self._thread.start()
        try:
            self._started.result(_START_SECONDS)
        except ImportError as error:
            raise MetricsError(str(error)) from error
        except TimeoutError:
            if not self._started.cancel():
                self.close(0)
            raise MetricsError(f"no metrics at {where}: not within {_START_SECONDS:g} s") from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise MetricsError(f"no metrics at {where}: {why}") from error

    def close(self, timeout: float) -> bool:
        if self._server is not None:
            self._server.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            # Here, since an import and a name's look-up take their time.
            self._server = server = self._make()
        except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
            if self._started.set_running_or_notify_cancel():
                self._started.set_exception(error)
            return
        with server:
            if not self._started.set_running_or_notify_cancel():
                return
            self._started.set_result(None)
            try:
                server.serve_forever(_POLL_SECONDS)
            except Exception:
                # The connections go on; what is lost is a monitoring system's view.
                log.exception("the metrics' thread ended")


class _Page(NamedTuple):
    made_at: float
    text: bytes
    content_type: str


class _Pages:
    """The page as it stands, made anew at most once in :data:`PAGE_SECONDS` for each format."""

    def __init__(self, snapshot: Callable[[], Snapshot], clock: Clock) -> None:
        # Here, since the library's import takes its time, and it may not be installed.
        from tui.metrics import exposition, families

        self._snapshot = snapshot
        self._clock = clock
        self._exposition = exposition.exposition
        self._types = {True: families.CLASSIC_CONTENT_TYPE, False: families.CONTENT_TYPE}
        self._made: dict[bool, _Page] = {}
        self._turn = threading.Lock()

    def page(self, *, classic: bool) -> _Page:
        with self._turn:
            now = self._clock.monotonic()
            page = self._made.get(classic)
            if page is None or now - page.made_at >= PAGE_SECONDS:
                text = self._exposition(
                    self._snapshot(), self._clock.time(), version=__version__, classic=classic
                )
                page = self._made[classic] = _Page(now, text, self._types[classic])
            return page


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, options: MetricsOptions, pages: _Pages, most: int) -> None:
        found = socket.getaddrinfo(
            options.host or None, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        self.address_family, _, _, _, address = found[0]
        self.pages = pages
        self._most = most
        self._untaken = Untaken("metrics", log)
        self._slots = threading.Semaphore(most)
        # Connections that have not asked yet, the first to come in front.
        self._silent: dict[socket.socket, None] = {}
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        super().__init__(address[:2], _Request)  # type: ignore[arg-type]  # (it is of the found family)
        # Whoever was there when the selector looked may have gone: that must not stop the others.
        self.socket.settimeout(_POLL_SECONDS)

    def stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            # The way to end the loop waits for its end.
            threading.Thread(target=self.shutdown, name="metrics end", daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._untaken.say(error.strerror or "")
                # The next look would come at once, and for nothing.
                self._stopping.wait(_POLL_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False) and not self._room_of_a_silent_one():
            self._turn_away(request)
            return
        with self._turn:
            self._silent[request] = None
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # there can be no thread more
            self.has_asked(request)
            self._slots.release()
            raise

    def has_asked(self, request: socket.socket) -> None:
        """It is to be answered, or has gone, and need not give way."""
        with self._turn:
            self._silent.pop(request, None)

    def _room_of_a_silent_one(self) -> bool:
        with self._turn:
            silent = next(iter(self._silent), None)
            if silent is None:
                return False
            del self._silent[silent]
            log.debug("metrics: a client that asked nothing gave way to another")
            with contextlib.suppress(OSError):  # it may have gone by itself
                silent.shutdown(socket.SHUT_RDWR)
        return self._slots.acquire(timeout=_POLL_SECONDS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.has_asked(request)
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # The standard one prints on standard error, which may be a face's screen.
        log.exception("metrics: a connection failed")

    def _turn_away(self, request: socket.socket) -> None:
        log.warning("metrics: no room for another connection beside %d", self._most)
        with contextlib.suppress(OSError):  # whoever is turned away may have gone
            request.setblocking(False)
            request.send(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
        self.shutdown_request(request)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    connection: socket.socket
    default_request_version = "HTTP/1.0"

    def handle(self) -> None:
        self.requestline = self.command = ""
        self.request_version = self.default_request_version
        self.close_connection = True
        try:
            head = self._head()
            if head is None:
                return
            self.server.has_asked(self.connection)
            self.rfile.close()
            self.rfile = BytesIO(head)
            self.raw_requestline = self.rfile.readline()
            if self.parse_request():
                self._answer_it()
        except TimeoutError:
            log.debug("metrics: a client was too slow")
        except OSError as error:
            log.debug("metrics: a client went: %s", error)

    def _head(self) -> bytes | None:
        """The request's line and headers; None when nobody asks, or not within the bounds."""
        deadline = time.monotonic() + REQUEST_SECONDS
        data = bytearray()
        while b"\r\n\r\n" not in data and b"\n\n" not in data:
            if len(data) >= MOST_REQUEST:
                self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return None
            left = deadline - time.monotonic()
            try:
                # Of the whole, not of each byte: who sends one now and then is done with all the same.
                self.connection.settimeout(max(left, 0.001))
                received = self.connection.recv(MOST_REQUEST - len(data))
            except TimeoutError:
                self.send_error(HTTPStatus.REQUEST_TIMEOUT)
                return None
            if not received:
                return None
            data += received
        return bytes(data)

    def _answer_it(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.command != "GET":
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
        else:
            try:
                page = self.server.pages.page(
                    classic=not wants_openmetrics(self.headers.get_all("Accept", []))
                )
            except Exception:
                log.exception("metrics: the page could not be made")
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
                return
            self._send(HTTPStatus.OK, page.content_type, page.text)

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        # The time-out of a socket is one for all of a sending, however many pieces it takes.
        self.connection.settimeout(ANSWER_SECONDS)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say no in a few words of our own; the standard ones are a page that repeats the request."""
        status = HTTPStatus(code)
        self._send(status, _PLAIN, f"{status.value} {status.phrase}\n".encode())

    def version_string(self) -> str:
        return "overlay-supervisor"

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("metrics: " + format, *args)


def wants_openmetrics(accept: list[str]) -> bool:
    """Whether the ``Accept`` headers ask for OpenMetrics, of a version that we have, before plain text."""
    wishes = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for item in ",".join(accept).split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        values = dict(part.split("=", 1) for part in parameters if "=" in part)
        try:
            weight = float(values.get("q", "1"))
        except ValueError:
            continue
        ours = kind == "text/plain" or values.get("version", "1").split(".")[0] == "1"
        if kind in wishes and ours:
            wishes[kind] = max(wishes[kind], weight)
    return 0 < wishes["application/openmetrics-text"] >= wishes["text/plain"]


def _where(options: MetricsOptions) -> str:
    return f"[{options.host}]:{options.port}" if ":" in options.host else f"{options.host}:{options.port}"
