"""Whole lines at the end of a private file, whatever room the disk has."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from tui.system.private_files import anything_goes, open_private


class AppendedFile:
    """A file of mode 0600, closed by whatever goes wrong: the next line opens it anew.

    ``require`` raises OSError while nothing may be written.
    """

    def __init__(self, require: Callable[[], None] = anything_goes) -> None:
        self._require = require
        self._descriptor: int | None = None

    @property
    def size(self) -> int | None:
        """Bytes; None while it is closed, or deleted: what is written to a file without a name is lost."""
        if self._descriptor is None:
            return None
        status = os.fstat(self._descriptor)
        return status.st_size if status.st_nlink else None

    def check(self) -> None:
        """Raise OSError while nothing may be written."""
        try:
            self._require()
        except OSError:
            self.close()
            raise

    def open(self, path: Path) -> None:
        """Open or create it; OSError when that cannot be done."""
        self.close()
        self._descriptor = open_private(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def append(self, data: bytes) -> None:
        """Append all of ``data``, or raise OSError: what a full disk took of it is taken back."""
        assert self._descriptor is not None
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
