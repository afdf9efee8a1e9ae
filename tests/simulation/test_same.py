"""An evening is the same whenever and wherever its seed is used."""

from __future__ import annotations

import os
import subprocess
import sys


def told(hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.simulation", "--evenings", "4", "--hours", "0.2", "--seed", "1"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    # Only the seconds of processor time may differ.
    return [
        ", ".join(part for part in line.split(", ") if not part.endswith(" s"))
        for line in ended.stdout.splitlines()
    ]


def test_the_same_seed_gives_the_same_trace_in_another_process_with_another_hash_seed() -> None:
    first = told("1")
    assert len(first) >= 4
    assert told("2") == first
