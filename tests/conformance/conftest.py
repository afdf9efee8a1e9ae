"""Lets the checks use the recorded topics of tests/demo, and the engine of tests/engine."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "demo"), str(TESTS.parent)]
