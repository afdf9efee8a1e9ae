"""Whose process is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct

_CREDENTIALS = struct.Struct("3i")
ROOT = 0


def peer_user(connection: socket.socket) -> int | None:
    """The user id of the other end's process; None where the system does not tell (it is not Linux)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return int(user)


def is_trusted(user: int | None) -> bool:
    """Whether a process of that user may give orders: our own user's, and root's, who may anyhow.

    Where the system does not tell, the permissions of socket and folder must do.
    """
    return user is None or user in (ROOT, os.geteuid())
