"""The benchmark of the replay runs, in a size that means nothing."""

from __future__ import annotations

from tests.bench.figures import as_text
from tests.bench.replay import replay_opens


async def test_the_benchmark_of_the_replay_runs_and_is_shown() -> None:
    figures = await replay_opens(seconds=40.0, links=3, frames_per_second=4, repeats=2)
    assert [figure.name for figure in figures] == ["replay_opens", "replay_seeks", "replay_frames"]
    for figure in figures:
        assert figure.value > 0
        assert figure.what in as_text(figure)
