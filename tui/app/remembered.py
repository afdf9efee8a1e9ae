"""How the face was left, for its next start. Kept in the state folder; never a reason not to start."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec

from tui.system.private_files import open_private, open_to_read

log = logging.getLogger(__name__)

FILE_NAME = "face.json"
MAX_BYTES = 16 * 1024
"""A larger file is not ours."""

MAX_TEXT = 256
"""Characters of each text; longer ones are cut."""

_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The arrangement of the screen."""

    theme: _Text | None = None
    order: _Text | None = None
    filter: _Text | None = None
    selection: _Text | None = None
    """The connection chosen by hand; None follows the worst."""


_decode = msgspec.json.Decoder(Remembered).decode


def read(folder: Path) -> Remembered:
    """What was kept in ``folder``; nothing when there is no file or it cannot be used, which is logged."""
    path = folder / FILE_NAME
    try:
        with open(open_to_read(path), "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        return _decode(content)
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s is not used: %s", path, error)
        return Remembered()


def write(folder: Path, remembered: Remembered) -> None:
    """Keep ``remembered`` in ``folder``, whole or not at all; mode 0600.

    Raises:
        OSError: it could not be written.
    """
    cut = {
        name: value[:MAX_TEXT].encode(errors="replace").decode() if isinstance(value, str) else value
        for name, value in msgspec.structs.asdict(remembered).items()
    }
    # A name of its own for each process: several faces may be attached to one engine.
    temporary = folder / f".{FILE_NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(Remembered(**cut)))
        temporary.replace(folder / FILE_NAME)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
