"""Deliberate faults, each in a copy of the tree, so that a check shows that it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tui

ROOT = Path(tui.__file__).parents[1]
EVERY = 8
"""Of so many faults one is tried where not all are."""


class Bite(NamedTuple):
    """A fault, and what is to be found of it."""

    finding: str
    file: str
    old: str
    new: str


def chosen(bites: Sequence[Bite]) -> Sequence[Bite]:
    """Those to be tried: each costs a process, so that a few stand for all unless ``BITES`` is set."""
    return bites if "BITES" in os.environ else bites[::EVERY]


def still_fit(bites: Sequence[Bite]) -> bool:
    """Whether each fault is one of the code as it is now; fails for the first that is not.

    Raises:
        AssertionError: what it is put in the place of is not there, or more than once.
    """
    for bite in bites:
        found = (ROOT / bite.file).read_text().count(bite.old)
        assert found == 1, f"{bite.file} does not hold once, but {found} times: {bite.old}"
    return True


def bitten(bite: Bite, folder: Path, *arguments: str) -> str:
    """What ``python -m`` prints of a tree in which only that fault is ours.

    Args:
        folder: an empty one, for the tree.
    """
    source = (ROOT / bite.file).read_text()
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
