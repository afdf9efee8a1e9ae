"""What the face waits for, beside everything else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode


def run_beside(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    name: str,
    group: str,
    exclusive: bool = False,
) -> None:
    """Run ``work`` as a worker of ``node``; its failure is told, and ends nothing.

    A function, not a coroutine: one of a worker that never began, as the app ended, would be left unawaited.
    """
    # Textual's types have such a function return Never.
    node.run_worker(work, name=name, group=group, exclusive=exclusive, exit_on_error=False)  # type: ignore[arg-type]
