"""Files and folders of ours alone: nothing is opened through links, and nothing that others could have put
there. Imports nothing heavy."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_ROOT = 0


class NotOursError(OSError):
    """What is there is not ours alone; ``strerror`` says what is wrong with it, without its path.

    Attributes:
        is_file: it is about a file, and not the folder that should hold it.
    """

    def __init__(self, words: str, *, is_file: bool = True) -> None:
        super().__init__(errno.EPERM, words)
        self.is_file = is_file


def anything_goes() -> None:
    """For who keeps things in a folder that nobody else can have: what may be written is not asked."""


def private_folder(folder: Path, *, may_be_link: bool = False) -> None:
    """See that a folder is there and that nobody but ourselves can put anything into it; made with 0700.

    A group of our own may write: one that bears our number or our name, and has no other member.

    Args:
        may_be_link: for the one that a person named, which may lie elsewhere; the link must be ours, too.

    Raises:
        NotOursError: it is another's, others can write in it, or it is a link or no folder.
        OSError: it is not there and cannot be made.
    """
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        if not may_be_link:
            raise NotOursError("is a link, and nothing is opened through links", is_file=False)
        if found.st_uid not in (*_ourselves(), _ROOT):
            raise NotOursError(f"is a link of user {found.st_uid}", is_file=False)
        found = os.stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(folder))
    if found.st_uid not in _ourselves():
        raise NotOursError(f"belongs to user {found.st_uid}, and we are user {os.geteuid()}", is_file=False)
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}"
    if found.st_mode & stat.S_IWOTH:
        raise NotOursError(f"can be written by everybody ({mode})", is_file=False)
    if found.st_mode & stat.S_IWGRP and not _is_our_own_group(found.st_gid):
        raise NotOursError(
            f"can be written by group {found.st_gid}, which is not ours alone ({mode})", is_file=False
        )


def open_private(path: Path, flags: int) -> int:
    """Open a file of ours to write, made with 0600 where ``flags`` say so; its descriptor.

    Neither follows a link nor waits for anybody who reads a pipe.

    Raises:
        NotOursError: it is a link, another's, known by other names too, or no regular file.
        OSError: it cannot be opened.
    """
    try:
        descriptor = _open(path, flags)
        _check(os.fstat(descriptor), descriptor)
    except OSError as error:
        # ENXIO: a pipe that nobody reads, or a socket.
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            check_private(path)
        raise
    return descriptor


def check_private(path: Path) -> None:
    """See that what others will open is a file of ours, or not there.

    Raises:
        NotOursError: as of :func:`open_private`.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    _check(found)


def open_to_read(path: Path) -> int:
    """Open a regular file, whosever it is; its descriptor. Neither follows a link nor waits for a writer.

    Raises:
        NotOursError: it is a link or no regular file.
        OSError: it cannot be opened.
    """
    try:
        descriptor = _open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotOursError("is a link, and nothing is opened through links") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotOursError("is not a regular file")
    return descriptor


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def _check(found: os.stat_result, descriptor: int | None = None) -> None:
    words = None
    if stat.S_ISLNK(found.st_mode):
        words = "is a link, and nothing is opened through links"
    elif not stat.S_ISREG(found.st_mode):
        words = "is not a regular file"
    elif found.st_uid not in _ourselves():
        words = f"belongs to user {found.st_uid}, and we are user {os.geteuid()}"
    elif found.st_nlink > 1:
        words = "has another name, through which another file would be written"
    if words is not None:
        if descriptor is not None:
            os.close(descriptor)
        raise NotOursError(words)


def _ourselves() -> tuple[int, ...]:
    """Our user's number and, where that is root by sudo's leave, the number of who asked for it."""
    user = os.geteuid()
    asked = os.environ.get("SUDO_UID", "")
    return (user, int(asked)) if user == _ROOT and asked.isascii() and asked.isdigit() else (user,)


def _is_our_own_group(group: int) -> bool:
    import grp
    import pwd

    users = _ourselves()
    names = set()
    for user in users:
        try:
            names.add(pwd.getpwuid(user).pw_name)
        except KeyError:
            continue  # a container's user may have no name
    try:
        known = grp.getgrgid(group)
    except KeyError:
        return group in users
    return (group in users or known.gr_name in names) and names.issuperset(known.gr_mem)
