"""Only changed lines are painted; the fixed parts fit every width."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App, ComposeResult

from widgets.alert_list import AlertPane, AlertRow
from widgets.connection_list import ConnectionRow, heading_line, row_line
from widgets.facts import Fact, fact_lines
from widgets.frame_list import FrameList, FrameRow, frame_line
from widgets.hint_line import Hint, hints_line
from widgets.lines import Line, LineView, Span
from widgets.service_list import ServiceRow
from widgets.status_bar import StatusBarValue, bar_text
from widgets.untrusted import cell_width
from widgets.watch_list import WatchList


class LinesApp(App[None]):
    """One view of ten rows that records what it paints."""

    def __init__(self) -> None:
        super().__init__()
        self.view = RecordingView()

    def compose(self) -> ComposeResult:
        yield self.view


class RecordingView(LineView):
    """Records the lines it is asked to paint."""

    DEFAULT_CSS = "RecordingView { height: 10; }"

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[int] = []

    def render_line(self, y: int) -> Any:
        self.painted.append(y)
        return super().render_line(y)


def text_of(line: Line) -> str:
    return "".join(span.text for span in line)


def lines_of(*texts: str) -> list[Line]:
    return [(Span(text),) for text in texts]


async def test_only_changed_lines_are_painted() -> None:
    app = LinesApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.view.set_lines(lines_of("a", "b", "c"))
        await pilot.pause()
        app.view.painted.clear()
        app.view.set_lines(lines_of("a", "B", "c"))
        await pilot.pause()
        assert app.view.painted == [1]
        app.view.painted.clear()
        app.view.set_lines(lines_of("a", "B", "c"))
        await pilot.pause()
        assert app.view.painted == []


async def test_hostile_text_is_painted_harmlessly() -> None:
    app = LinesApp()
    async with app.run_test(size=(40, 12)):
        app.view.set_lines(lines_of("[/bad] \x1b[31m \u202e", "日本" * 40, "x" * 1_000_000))
        first, second, third = (app.view.render_line(y) for y in range(3))
        assert first.text.startswith("[/bad] ␛[31m \N{REPLACEMENT CHARACTER}")
        assert {first.cell_length, second.cell_length, third.cell_length} == {40}
        assert "\x1b" not in first.text


async def test_the_cursor_stays_on_its_connection_when_rows_move() -> None:
    class ListApp(App[None]):
        def compose(self) -> ComposeResult:
            yield WatchList(lambda key: None)

    app = ListApp()
    async with app.run_test(size=(80, 12)):
        view = app.query_one(WatchList)
        view.show([row("a"), row("b"), row("c")], "b")
        assert view.cursor == 1
        view.show([row("b"), row("a"), row("c")], "b")
        assert view.cursor == 0
        assert view.render_line(0).text.startswith("▸● b ")


def row(name: str) -> ConnectionRow:
    return ConnectionRow(
        name=name,
        symbol="●",
        state="Connected",
        tone="good",
        round_trip="12ms",
        rate_in="1.0",
        rate_out="0",
        joined="1/1",
        hour="8" * 60,
        since="21:09:02",
    )


def test_the_columns_stand_under_their_names() -> None:
    heading, line = text_of(heading_line(80)), text_of(row_line(row("stage"), 80, False))
    assert heading.index("STATE") == line.index("Connected")
    assert heading.index("RTT") + 3 == line.index("12ms") + 4
    assert heading.index("LAST HOUR") == line.index("▇")
    assert heading.index("RECONNECTS") + 10 == len(line.rstrip())
    wide = row_line(row("\u202e日本" * 9), 80, True)
    assert cell_width(text_of(wide)) == cell_width(line)


@pytest.mark.parametrize("screen", range(60, 201))
def test_no_figure_is_cut_or_touches_the_scrollbar(screen: int) -> None:
    width = screen - WatchList.SPARE
    shown = replace(row("stage"), reconnects="1,234")
    text, heading = text_of(row_line(shown, width, False)), text_of(heading_line(width))
    assert cell_width(text) <= width
    assert cell_width(heading) <= width
    assert ("1,234" in text) == ("RECONNECTS" in heading) == (screen >= 78)
    frame = FrameRow(1, "21:09:02.123", False, "t" * 40, "e" * 40, "41", "999 kB", "")
    assert text_of(frame_line(frame, screen - FrameList.SPARE, False)).rstrip().endswith("999 kB")


@pytest.mark.parametrize("width", [1, 2, 10, 40, 80, 200])
def test_row_1_takes_its_width(width: int) -> None:
    value = StatusBarValue(
        "bad", "✗ Circuit Breaker Open", "phononmaser_in", "refused by saya:8890", "7/9 up"
    )
    text = bar_text(value, width)
    assert cell_width(text) == max(width, 1)
    if width >= 40:
        assert "Circuit Breaker Open" in text
        assert text.endswith(" 7/9 up ")


def test_facts_line_up_when_asked() -> None:
    rows = [[Fact("state", "failed"), Fact("a", "1")], [Fact("connects", "12"), Fact("bb", "2")]]
    first, second = (text_of(line) for line in fact_lines("HEALTH", (20, 10), rows, aligned=True))
    assert first.index("failed") == second.index("12")
    assert first.startswith(" HEALTH")


def test_the_last_hint_is_never_cut() -> None:
    hints = [Hint("r", "reconnect"), Hint("enter", "details"), Hint("?", "help")]
    assert text_of(hints_line(hints, 80)).strip().endswith("help")
    assert text_of(hints_line(hints, 24)) == " r reconnect   ? help  "
    assert text_of(hints_line(hints, 10)) == " ? help  "


@pytest.mark.parametrize("width", range(2, 14))
async def test_a_line_that_is_cut_keeps_its_columns_whatever_is_cut_in_two(width: int) -> None:
    app = LinesApp()
    async with app.run_test(size=(width, 12)):
        app.view.set_lines([(Span("ab日本"), Span("", "dim"), Span("c日", "good"), Span("defgh"))])
        strip = app.view.render_line(0)
        assert cell_width(strip.text) == strip.cell_length == width
        assert strip.text.endswith("…") == (width < len("ab") + 4 + len("c") + 2 + len("defgh"))


async def test_nothing_is_kept_of_rows_that_are_not_shown_any_more() -> None:
    """In a list that runs for weeks each second brings figures that were never there before."""

    class ListApp(App[None]):
        def compose(self) -> ComposeResult:
            yield WatchList(lambda key: None)
            yield AlertPane()

    def paint(second: int) -> None:
        figures, state = f"{second:x}", f"for {second:x} s"
        links.show(
            [replace(row(name), rate_in=figures) for name in "abcde"],
            "a",
            [ServiceRow(name, name, "●", state, "good") for name in "fgh"],
        )
        alerts.show([AlertRow(at, figures, "cheer", f"{state}, {'日本' * 60}") for at in range(5)])
        for view in (links, alerts):
            for y in range(view.size.height):
                view.render_line(y)

    app = ListApp()
    async with app.run_test(size=(80, 24)):
        links, alerts = app.query_one(WatchList), app.query_one(AlertPane)
        for second in range(20):
            paint(second)
        gc.collect()
        before = len(gc.get_objects())
        tracemalloc.start()
        try:
            for second in range(20, 520):
                paint(second)
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(gc.get_objects()) - before < 300
        # Of the last rows alone; of all of them it would be megabytes.
        assert kept < 100_000
