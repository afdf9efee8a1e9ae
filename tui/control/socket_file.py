"""A Unix socket in the file system: made private, known again, replaced when stale, removed when ours.

And whose process is at the other end of one.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import sys
from pathlib import Path

from tui.control.protocol import ControlError, check_length

_BACKLOG = 64
_PROBE_SECONDS = 1.0
_CREDENTIALS = struct.Struct("3i")
_ROOT = 0


class SocketFile:
    """A listening Unix socket at ``path``, mode 0600, in a folder of mode 0700 where it has to be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None

    def listen(self) -> socket.socket:
        """Bind and listen; a socket that a dead engine left behind is replaced, nothing else.

        Raises:
            ControlError: that cannot be done; the message says why.
        """
        check_length(self.path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._clear()
            if sys.platform == "linux":
                # The file is made with the mode of the socket, so that at no time it is open to others.
                os.fchmod(listening.fileno(), 0o600)
            listening.bind(os.fspath(self.path))
            os.chmod(self.path, 0o600)
            self._identity = self._found()
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except OSError as error:
            listening.close()
            reason = error.strerror or type(error).__name__
            raise ControlError(f"no control socket at {self.path}: {reason}") from error
        except ControlError:
            listening.close()
            raise
        return listening

    def is_ours(self) -> bool:
        """Whether the file at the path is the one that :meth:`listen` made.

        While the socket is open the file system gives its number to no other file.
        """
        try:
            return self._identity is not None and self._found() == self._identity
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the file, if it is still ours."""
        if self.is_ours():
            self.path.unlink(missing_ok=True)
        self._identity = None

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _clear(self) -> None:
        """Make room at the path, by removing nothing but a socket that nobody listens on."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise ControlError(f"no control socket at {self.path}: something that is no socket is there")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_SECONDS)
            try:
                probe.connect(os.fspath(self.path))
            except ConnectionRefusedError:
                self.path.unlink(missing_ok=True)
                return
            except FileNotFoundError:
                return
            except (BlockingIOError, TimeoutError):
                pass  # somebody listens, and is busy
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:
                    raise ControlError(
                        f"no control socket at {self.path}: a socket of another kind is there"
                    ) from error
                raise
        raise ControlError(f"another engine answers at {self.path}\nsee it with: overlay-supervisor attach")


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
    return user is None or user in (_ROOT, os.geteuid())
