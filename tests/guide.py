"""What the guide prints, as it stands there."""

from __future__ import annotations

import re
from importlib.resources import files

ALERTS = (files("tui") / "guide" / "alerts.md").read_text(encoding="utf-8")
HUB_URL = "ws://hub:7175/socket"
"""The hub of its examples."""


def block(language: str, holding: str, text: str = ALERTS) -> str:
    """The one example in ``language`` that holds these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found: list[str] = [each for each in blocks if holding in each]
    assert len(found) == 1, f"{len(found)} examples in {language} hold {holding!r}"
    return found[0]


def table(heading: str, text: str = ALERTS) -> list[list[str]]:
    """The cells of the first table under a heading, its own head first."""
    _, found, rest = text.partition(f"\n## {heading}\n")
    assert found, f"no heading {heading!r}"
    rows = re.findall(r"^\|(.*)\|$", rest.partition("\n## ")[0], re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]
