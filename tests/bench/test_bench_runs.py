"""Every benchmark runs, in sizes that mean nothing; what the figures are is no test's business."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from tests.bench import crowd, demo, face, recovery, throughput
from tests.bench.__main__ import BENCHMARKS
from tests.bench.face_cases import CASES
from tests.bench.face_pair import Scale
from tests.bench.face_screen import Screen
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


async def test_every_case_of_the_face_runs_and_is_shown() -> None:
    tiny = Scale(
        seconds=0.3,
        windows=1,
        settle=0.05,
        presses=4,
        gap=(0.0, 0.02),
        starts=1,
        minutes=0.005,
        repeats=1,
        sizes=((80, 24),),
        presets=("live",),
        many=12,
    )
    # An evening is measured as idle links are, and costs two more starts.
    found = await asyncio.gather(*(case(tiny) for name, case in CASES.items() if name != "traffic"))
    figures = {figure.name: figure for some in found for figure in some}
    table = face.as_markdown(list(figures.values()))
    for figure in figures.values():
        assert "never shown" not in figure.verdict
        assert figure.what in table
        assert figure.what in as_text(figure)
    for name in ("flood 80x24 keys", "many 80x24 held", "many 80x24 ends", "engine_delay", "start 80x24"):
        assert figures[name].value > 0
    assert 20 < figures["memory"].value < 500


def test_a_paint_that_changes_no_cell_is_told_from_one_that_does() -> None:
    screen = Screen(20, 3)
    line = "\x1b[2;1H\x1b[1;38;2;1;2;3m▸● link_007\x1b[0m 12 日本\x1b[0m".encode()
    pieces = [screen.feed(bytes((byte,))) for byte in line]
    assert set().union(*pieces) == {1}
    assert screen.text(1).rstrip() == "▸● link_007 12 日本"
    assert screen.selected == "link_007"
    assert screen.feed(line) == set()
    assert screen.feed(line.replace(b"[1;38", b"[38")) == {1}, "another style is a change"
    assert screen.feed(b"\x1b]2;title\x07\x1b[?25l\x1b[3;1H  ") == set()
    assert screen.feed(b"\x1b[2J") == {1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("warp",), "no benchmark warp; there are: throughput200"),
        (("face", "--only", "warp"), "engine_delay"),
    ],
)
def test_an_unknown_name_is_told_with_those_there_are(words: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr


def test_the_alert_queue_is_measured_and_every_event_accounted_for() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "alerts", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "alerts accounted for: 0 events" in done.stdout
    assert "alerts committed" in done.stdout


async def test_a_demonstration_is_watched_and_growth_is_told_from_noise() -> None:
    assert len(await demo.watch(0.5)) > 3
    # What was gained at first does not count, what goes up and down neither.
    flat = [(float(at), 80.0 + min(at, 900) / 100 + at % 2 / 10) for at in range(3600)]
    assert abs(demo.slope_of(flat)) < 0.01
    assert abs(demo.slope_of([(at, megabytes + at / 1200) for at, megabytes in flat]) - 0.5) < 0.01
