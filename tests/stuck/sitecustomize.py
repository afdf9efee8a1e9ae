"""Makes a part of the machine stuck for the program under test, whose PYTHONPATH begins with this folder.

``STUCK_DISK``: a folder on a disk that answers nothing any more, not even a stat, once the file beside it,
with ``.hung`` behind its name, is there. ``STUCK_NAMES``: every look-up of a name, at once.
"""

from __future__ import annotations

import builtins
import functools
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

_never = threading.Event()


def _hang_disk(folder: str) -> None:
    exists = os.path.exists
    flag = f"{folder}.hung"

    def is_there(place: Any) -> bool:
        if isinstance(place, int):
            try:
                place = os.readlink(f"/proc/self/fd/{place}")
            except OSError:
                return False
        return isinstance(place, str | bytes | os.PathLike) and os.fsdecode(place).startswith(folder + "/")

    def hanging(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(place: Any = None, *more: Any, **named: Any) -> Any:
            if place is not None and is_there(place) and exists(flag):
                _never.wait()
            return function(place, *more, **named)

        return call

    names = ("open", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "truncate", "replace", "rename")
    for name in (*names, "unlink", "rmdir", "mkdir", "lstat", "listdir", "scandir", "chmod"):
        setattr(os, name, hanging(getattr(os, name)))
    builtins.open = hanging(builtins.open)

    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            if exists(flag):
                _never.wait()
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            if exists(flag):
                _never.wait()
            return super().executemany(*arguments)

    def connect_there(place: Any, **named: Any) -> sqlite3.Connection:
        return connect(place, **named, **({"factory": Connection} if is_there(place) else {}))

    sqlite3.connect = hanging(connect_there)


def _hang_names() -> None:
    resolve_name = socket.getaddrinfo

    def hang(*arguments: Any, flags: int = 0, **more: Any) -> Any:
        if not flags & socket.AI_NUMERICHOST:
            _never.wait()
        return resolve_name(*arguments, flags=flags, **more)

    socket.getaddrinfo = hang


if "STUCK_DISK" in os.environ:
    _hang_disk(os.environ["STUCK_DISK"])
if "STUCK_NAMES" in os.environ:
    _hang_names()
