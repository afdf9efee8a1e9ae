"""Deliberate faults, each in a copy of the tree, so that a check shows that it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import tui

ROOT = Path(tui.__file__).parents[1]


class Bite(NamedTuple):
    """A fault, and what is to be found of it."""

    finding: str
    file: str
    old: str
    new: str


def bitten(bite: Bite, folder: Path, *arguments: str) -> str:
    """What ``python -m`` prints of a tree in which only that fault is ours.

    Args:
        folder: an empty one, for the tree.
    """
    source = (ROOT / bite.file).read_text()
    assert source.count(bite.old) == 1, f"{bite.file} does not hold once: {bite.old}"
    here, there = ROOT, folder
    for part in Path(bite.file).parts:
        for each in here.iterdir():
            if each.name != part:
                (there / each.name).symlink_to(each)
        here, there = here / part, there / part
        if here.is_dir():
            there.mkdir()
    there.write_text(source.replace(bite.old, bite.new))
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        # What is compiled is that of the whole tree.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.stdout + ended.stderr
