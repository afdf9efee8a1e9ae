"""Attacks on the port of the metrics, by whoever reaches it."""

from __future__ import annotations

import contextlib
import random
import socket
from collections import Counter, deque

_GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
_HELD = 40
"""Connections that ask slowly or read nothing; more than are answered at a time."""


def attack(port: int, requests: int, seed: int) -> Counter[str]:
    """Make so many requests in every bad way, and good ones between them; how many of each."""
    random_source = random.Random(seed)
    held: deque[socket.socket] = deque()
    done: Counter[str] = Counter()
    try:
        while done.total() < requests:
            way = random_source.choice((*_REQUESTS, "connect and close", "slow", "unread", "good"))
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            done[way] += 1
            with contextlib.suppress(OSError):
                match way:
                    case "slow":
                        connection.sendall(_GET[: random_source.randrange(1, 20)])
                        held.append(connection)
                    case "unread":
                        connection.sendall(_GET)
                        held.append(connection)
                    case "connect and close":
                        pass
                    case "good":
                        connection.sendall(_GET)
                        done["answered"] += connection.recv(100).startswith(b"HTTP/1.0 200")
                    case _:
                        connection.sendall(_REQUESTS[way])
                        while connection.recv(65536):
                            pass
            for each in list(held):
                with contextlib.suppress(OSError):
                    each.send(b"x")
            if len(held) > _HELD:
                held.popleft().close()
            if connection not in held:
                connection.close()
    finally:
        for each in held:
            each.close()
    return done


_REQUESTS = {
    "huge headers": b"GET /metrics HTTP/1.1\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 1_000 + b"\r\n",
    "pipelined": _GET * 100,
    "HTTP/0.9": b"GET /metrics\r\n\r\n",
    "wrong host": b"GET http://evil.example/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "no HTTP": bytes(range(256)) * 8 + b"\r\n\r\n",
    "a body": b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 50_000,
    "another version": b"GET /metrics HTTP/9.9\r\n\r\n",
    "no path": b"GET " + b"/" * 7_000 + b" HTTP/1.1\r\n\r\n",
}
