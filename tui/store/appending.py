"""Whole lines at the end of a file, whatever room the disk has."""

from __future__ import annotations

import errno
import os


def append_whole(descriptor: int, data: bytes) -> None:
    """Append ``data``, or nothing of it: what a full disk took of it is taken back.

    Raises:
        OSError: it is not written.
    """
    written = os.write(descriptor, data)
    if written < len(data):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
