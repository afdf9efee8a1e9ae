"""The past of the alert queue: what a filter leaves of it, one alert in full, and files of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args

from tui.alerts.events import TYPES
from tui.app.presenters.alerts import Counts
from tui.app.presenters.frames import milliseconds, pretty
from tui.model.alerts import AlertContent, AlertOutcome, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.bounds import MAX_NAME, MAX_SEARCH_WORDS
from tui.text.alert_export import csv_rows
from tui.text.formats import NOTHING, counted, for_json, time_of_day
from tui.text.json_text import json_text
from widgets.facts import Fact, fact_section, folded_text
from widgets.lines import Line, Span
from widgets.untrusted import displayable

OUTCOMES: tuple[AlertOutcome, ...] = get_args(AlertOutcome)

_MOST_SHOWN = 16 * 1024


class AlertFilter(NamedTuple):
    """Which alerts are meant: of one type, of one outcome, with each word in their type or outcome, or in
    who and what it was."""

    type: str | None = None
    outcome: AlertOutcome | None = None
    terms: tuple[str, ...] = ()

    def passes(self, entry: AlertSummary | SourceAway) -> bool:
        """Whether ``entry`` is meant; an absence is, unless something else is."""
        if isinstance(entry, SourceAway):
            narrow = self.type is not None or self.outcome is not None
            return not narrow and all(word in "away" for word in self.terms)
        said = f"{entry.who} {entry.title} {entry.message}".casefold()
        texts = (entry.type.casefold(), entry.outcome or entry.state, said)
        return (
            self.type in (None, entry.type)
            and self.outcome in (None, entry.outcome)
            and all(any(word in text for text in texts) for word in self.terms)
        )

    def shows(self, entry: AlertSummary | SourceAway) -> bool:
        """Whether it has a row: what grew another one is told by its count, unless it is asked for."""
        asked_for = self.outcome == "collapsed" or any(word in "collapsed" for word in self.terms)
        hidden = isinstance(entry, AlertSummary) and entry.outcome == "collapsed" and not asked_for
        return self.passes(entry) and not hidden


def alert_filter(text: str, types: Iterable[str]) -> AlertFilter:
    """Read a filter as it is typed; ``types`` are those that there are.

    A word that is the beginning of one type or outcome alone means it; any other is looked for in all that
    is told of an alert.
    """
    known = {each.casefold(): each for each in types}
    type: str | None = None
    outcome: AlertOutcome | None = None
    words = []
    for word in text.casefold().split():
        kinds = [word] if word in known else [each for each in known if each.startswith(word)]
        outcomes = [each for each in OUTCOMES if each.startswith(word)]
        if type is None and len(kinds) == 1 and (word in known or not outcomes):
            type = known[kinds[0]]
        elif outcome is None and len(outcomes) == 1 and not kinds:
            outcome = outcomes[0]
        else:
            words.append(word)
    return AlertFilter(type, outcome, tuple(word[:MAX_NAME] for word in words[:MAX_SEARCH_WORDS]))


def types_of(alerts: AlertsSnapshot | None, *more: Counts) -> list[str]:
    """The types that always are, then all others that were seen."""
    seen: set[str] = set()
    if alerts is not None:
        seen = {*alerts.counts, *(alert.type for alert in alerts.waiting), *alerts.mutes}
    for counts in more:
        seen |= counts.keys()
    return [*TYPES, *sorted(seen - set(TYPES))]


# One alert in full ----------------------------------------------------------------------------------


def content_lines(content: AlertContent, now: float, width: int) -> list[Line]:
    """Everything known of one alert: its fields, then its event as it came."""
    alert = content.alert

    def moment(value: float | None) -> str:
        return NOTHING if value is None else f"{milliseconds(value)} ({time_of_day(value, now)})"

    state = alert.outcome or alert.phase or alert.state
    fields = (
        ("id", alert.id),
        ("type", alert.type),
        ("who", alert.who),
        ("title", alert.title),
        ("message", alert.message),
        ("state", f"{alert.state}, {state}" if state != alert.state else state),
        ("reason", alert.reason or ""),
        ("confirmed", "an overlay is known to show or to have shown it" if alert.confirmed else "no"),
        ("priority", f"{alert.priority} of 10"),
        ("duration", f"{alert.duration:g} s"),
        ("stands for", counted(alert.count, "viewer")),
        ("accepted", moment(alert.accepted_at or None)),
        ("sent", moment(alert.sent_at)),
        ("ends", moment(alert.ends_at)),
        ("ended", moment(alert.ended_at)),
        ("source", alert.source),
        ("source id", content.source_id or ""),
        ("went into", content.into or ""),
        ("again from", content.requeued_from or ""),
        ("stored", "not yet: in memory only" if alert.held else "yes"),
    )
    lines = fact_section("ALERT", [Fact(label, value or NOTHING) for label, value in fields], width)
    title = "PAYLOAD" + (", its first 16 KiB" if content.cut else "")
    lines.append((Span(f" {title}", "heading"),))
    for line in pretty(content.payload):
        parts = folded_text(displayable(line, _MOST_SHOWN), max(10, width - 3))
        lines += [(Span(f"  {part}"),) for part in parts]
    return lines


# Files ----------------------------------------------------------------------------------------------


def json_lines(entries: Iterable[AlertSummary | SourceAway]) -> bytes:
    """One JSON object a line, in ASCII, as ``overlayctl alerts export`` writes them."""
    return "".join(json_text(for_json(entry)) + "\n" for entry in entries).encode()


def csv_lines(entries: Iterable[AlertSummary | SourceAway]) -> bytes:
    """A table with a heading, as ``overlayctl alerts export --format csv`` writes it."""
    return "".join(f"{row}\n" for row in csv_rows(map(for_json, entries))).encode()
