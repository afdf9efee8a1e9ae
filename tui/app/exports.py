"""Files that a person asks for: pictures, frames, histories."""

from __future__ import annotations

import os
from pathlib import Path

from tui.system.private_files import open_private


def write_new(folder: Path | None, name: str, content: bytes) -> Path:
    """Write a new file, private to its owner, and return where it is.

    Args:
        folder: made if it is missing; None for the working directory.
        name: of the file; one that is there already is left alone, and a number added.

    Raises:
        OSError: it could not be written.
    """
    folder = folder or Path.cwd()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem, dot, ending = name.rpartition(".")
    for number in range(1, 1000):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{ending}")
        try:
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path
    raise FileExistsError(17, "a thousand files of that name", str(folder / name))
