"""The figures beside the alerts: how the queue stands, what is wrong, how many ended in which way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from tui.app.presenters.alerts import OUTCOME_TONES, mutes_of, state_words, troubles
from tui.model.engine import AlertsSnapshot
from tui.text.formats import time_of_day
from widgets.facts import GUTTER
from widgets.lines import Line, Span, Tone
from widgets.untrusted import ELLIPSIS, cell_width, cut_to, displayable, fitted

Counts = dict[str, dict[str, int]]
"""By type, then outcome."""

_UNMAPPED = 5
_LONG = 200
"""Characters of a figure; the rest is no figure any more."""


def totals(counts: Counts) -> dict[str, int]:
    """How many ended in each way, whatever their type."""
    found: dict[str, int] = {}
    for outcomes in counts.values():
        for outcome, number in outcomes.items():
            found[outcome] = found.get(outcome, 0) + number
    return found


def _count_words(outcomes: dict[str, int]) -> str:
    known_order = [outcome for outcome in OUTCOME_TONES if outcome in outcomes]
    others = sorted(outcomes.keys() - set(known_order))
    return ", ".join(f"{outcomes[each]:,} {each}" for each in (*known_order, *others)) or "nothing"


def summary_lines(alerts: AlertsSnapshot, day: Counts | None) -> list[Line]:
    """The session, and the day when it is known: a line each."""
    noted = [("session", alerts.counts), *([("24 hours", day)] if day is not None else [])]
    return [(Span(f" {label:<9} ", "dim"), Span(_count_words(totals(counts)))) for label, counts in noted]


def section(title: str, facts: Sequence[tuple[str, str, Tone]], width: int, most: int = 1000) -> list[Line]:
    """A heading over labels and values, ``most`` characters of each folded; nothing without facts."""
    if not facts:
        return []
    lines: list[Line] = [(Span(f" {title}", "heading"),)]
    for label, value, tone in facts:
        lines += labelled(label, value[:most], width, tone)
    return [*lines, ()]


_figures = partial(section, most=_LONG)


def figure_lines(alerts: AlertsSnapshot, day: Counts | None, held: str, now: float, width: int) -> list[Line]:
    """Everything beside the alerts themselves; ``held`` says how much of the history is shown."""
    again = f", {alerts.restored:,} taken up again" if alerts.restored else ""
    lines = _figures(
        "QUEUE",
        [
            ("state", state_words(alerts, now) or alerts.mode, "plain"),
            ("delivers to", alerts.delivers_to or "nowhere: it runs on its own clock", "plain"),
            ("take off", "possible" if alerts.can_clear else "not possible: what plays stays", "plain"),
            ("undo", "possible" if alerts.can_undo else "nothing to undo", "plain"),
            ("accepted", f"{alerts.accepted:,} since the start{again}", "plain"),
            ("left out", f"{alerts.ignored:,} by rules, {alerts.duplicates:,} duplicates", "plain"),
            ("history", held, "plain"),
        ],
        width,
    )
    noted = troubles(alerts, now)
    tones: dict[str, Tone] = {"store trouble": "bad", "source away": "bad"}
    lines += _figures(
        "WARNINGS",
        [("", long, tones.get(short, "busy")) for short, long in noted] or [("", "none", "plain")],
        width,
    )
    mutes: list[tuple[str, str, Tone]] = [
        (type, f"until {time_of_day(until, now)}", "busy") for type, until in mutes_of(alerts)
    ]
    lines += _figures("MUTED", mutes, width)
    pages: list[tuple[str, str, Tone]] = [
        (
            page.name,
            f"{'● connected' if page.connected else '○ away'}, told {time_of_day(page.reported_at, now)}",
            "good" if page.connected else "busy",
        )
        for page in alerts.overlays
    ]
    lines += _figures("OVERLAYS", pages or [("", "none reported", "plain")], width)
    unmapped = [f"{number:,} {name}" for name, number in alerts.unmapped.items()]
    more = [f"and {len(unmapped) - _UNMAPPED} more"] if len(unmapped) > _UNMAPPED else []
    lines += _figures("NOT MAPPED", [("", words, "busy") for words in (*unmapped[:_UNMAPPED], *more)], width)
    lines += _figures("SESSION", _by_type(alerts.counts), width)
    if day is not None:
        lines += _figures("24 HOURS", _by_type(day), width)
    return lines[:-1]


def _by_type(counts: Counts) -> list[tuple[str, str, Tone]]:
    return [(type, _count_words(outcomes), "plain") for type, outcomes in sorted(counts.items())] or [
        ("", "nothing ended", "plain")
    ]


def labelled(label: str, value: str, width: int, tone: Tone = "plain", *, gutter: int = GUTTER) -> list[Line]:
    """A label of ``gutter`` columns and the whole of its value, folded to ``width`` columns."""
    first = f"  {fitted(displayable(label, 40), gutter)} "
    room = max(10, width - len(first))
    lines: list[Line] = []
    for number, part in enumerate(folded(displayable(value, 1000), room)):
        lines.append((Span(first if number == 0 else " " * len(first), "dim"), Span(part, tone)))
    return lines


def folded(text: str, width: int) -> Iterable[str]:
    """A displayable text in lines of at most ``width`` columns, broken at spaces where there are some."""
    while cell_width(text) > width:
        kept = cut_to(text, width).removesuffix(ELLIPSIS) or text[0]
        space = kept.rfind(" ")
        if space > width // 2:
            kept = kept[:space]
        yield kept
        text = text[len(kept) :].lstrip()
    yield text
