"""Every benchmark runs, in sizes that mean nothing; what the figures are is no test's business."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

from tests.bench import crowd, recovery, throughput
from tests.bench.__main__ import BENCHMARKS
from tests.bench.figures import Figure, as_markdown, as_text
from tests.bench.processes import ROOT


async def test_every_benchmark_runs_and_is_shown() -> None:
    tiny = {
        "throughput200": throughput.throughput200(messages=1000, repeats=1),
        "roundtrip": throughput.roundtrip(requests=20, repeats=1),
        "memory": crowd.memory(connections=5, settle=0.1, repeats=1),
        "connect1000": crowd.connect1000(connections=5, repeats=1),
        "restart_spread": crowd.restart_spread(clients=5, down=0.1, stable_after=0.1, repeats=1),
        "rejoin": recovery.rejoin(outages=((0.1, 2.0),), sockets=2, stable_after=0.1),
        "joins50": recovery.joins50(topics=3, join_delay=0.01, repeats=1),
        "half_open": recovery.half_open(
            presets=(("live", 8.0),), sockets=2, changes={"heartbeat_interval": 0.2, "heartbeat_timeout": 0.2}
        ),
    }
    # The same code as for small messages.
    assert tiny.keys() == BENCHMARKS.keys() - {"throughput2k"}
    # All at once: the machine's cores are not what this is about.
    found: list[list[Figure]] = await asyncio.gather(*tiny.values())
    figures = [figure for some in found for figure in some]
    table = as_markdown(figures)
    for figure in figures:
        assert figure.void is None
        assert figure.value > 0
        assert figure.what in table
        assert figure.what in as_text(figure)
        assert json.loads(json.dumps(figure.to_json()))["verdict"] in ("holds", "falls short")


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "warp"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "no benchmark warp; there are: throughput200" in done.stderr
