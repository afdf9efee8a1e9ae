"""Attacks on the control socket, by processes of one's own user, which alone can reach it."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections import Counter, deque
from pathlib import Path

from tui.control.protocol import MAX_REQUEST, SOCKET_NAME

_INFO = b'{"v":1,"id":1,"type":"info"}\n'
_HELD = 100
"""Connections that are left open, idle, half asked or unread."""


def attack(state: Path, requests: int, seed: int) -> Counter[str]:
    """Make so many requests in every bad way; how many of each."""
    random_source = random.Random(seed)
    held: deque[socket.socket] = deque()
    done: Counter[str] = Counter()
    try:
        while done.total() < requests:
            way = random_source.choice(_WAYS)
            connection = _connected(state / SOCKET_NAME)
            with contextlib.suppress(OSError):
                _do(way, connection, random_source)
            done[way] += 1
            if way in ("idle", "half a line", "unread"):
                held.append(connection)
                if len(held) > _HELD:
                    held.popleft().close()
            else:
                connection.close()
    finally:
        for each in held:
            each.close()
    return done


_WAYS = (
    *("garbage", "huge line", "half a line", "small ones", "unread"),
    *("idle", "connect and close", "wrong version"),
)


def _connected(path: Path) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(5)
            connection.connect(str(path))
        except BlockingIOError:
            connection.close()
            assert time.monotonic() < deadline, "nobody gets in any more"
            time.sleep(0.001)
        else:
            return connection


def _do(way: str, connection: socket.socket, random_source: random.Random) -> None:
    match way:
        case "garbage":
            connection.sendall(random_source.randbytes(random_source.randrange(1, 2000)) + b"\n")
            connection.recv(4096)
        case "huge line":
            connection.sendall(b"[" * (MAX_REQUEST + random_source.randrange(MAX_REQUEST)))
            connection.recv(4096)
        case "half a line":
            connection.sendall(_INFO[: random_source.randrange(1, len(_INFO) - 1)])
        case "small ones":
            connection.sendall(_INFO * random_source.randrange(1, 200))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        case "unread":
            connection.settimeout(0.05)
            connection.sendall(b'{"v":1,"id":1,"type":"subscribe","log_after":0}\n' + _INFO * 100)
        case "wrong version":
            version = random_source.choice((0, 2, -1, 99, 10**30, "1", None))
            connection.sendall(json.dumps({"v": version, "id": 1, "type": "info"}).encode() + b"\n")
            connection.recv(4096)
