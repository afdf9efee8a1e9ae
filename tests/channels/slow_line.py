"""``python slow_line.py PORT RATE``: a line to PORT on loopback that takes RATE bytes a second, one way.

In a process of its own, so that both kernel buffers are those of two machines. Prints its port, and ends
with standard input.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time

ROOM = 16_384
"""Bytes of the receive buffer, before the system doubles it: most of what waits, waits at the sender."""

_CHUNKS_A_SECOND = 20


def carry(source: socket.socket, target: socket.socket, rate: float) -> None:
    """Pass everything on, at ``rate`` bytes a second."""
    try:
        while data := source.recv(max(1, int(rate / _CHUNKS_A_SECOND))):
            target.sendall(data)
            time.sleep(len(data) / rate)
    except OSError:
        pass  # the other side is gone
    finally:
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until standard input ends."""
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for ends in ((client, server, rate), (server, client, 1e9)):
                threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
