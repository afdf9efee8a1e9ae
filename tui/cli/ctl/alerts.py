"""The shell commands for the alert queue: ``overlayctl alerts ...``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import get_args

import msgspec

from tui.cli.arguments import Command, argument, number
from tui.cli.ctl.choice import choose_alert, note_meant
from tui.cli.ctl.shell import COLUMNS, OK, aligned, client, give, require_present
from tui.cli.ctl.words import state_words, tally, unmapped_words, warnings, what_is_shown
from tui.control.client import ControlClient, RefusedError
from tui.control.protocol import COMMAND_SECONDS
from tui.model.alerts import AlertContent, AlertOutcome, AlertPage, AlertsSnapshot, AlertSummary, SourceAway
from tui.model.bounds import DAY, MAX_ALERTS, MAX_POSITION, MAX_TEST_ALERTS
from tui.model.known import on_stage
from tui.model.snapshot import Snapshot
from tui.system.output import put, put_json
from tui.text.formats import NOTHING, for_json, time_of_day
from tui.text.json_text import json_text
from tui.text.printable import cut_to, padded, printable

_PAGE = 500
"""Alerts of an export that are asked for at once."""
_DEFAULT_HISTORY = 20
_MOST_EXPORTED = 1_000_000
_MOST_PAYLOAD = 20_000
"""Characters of a payload line; the engine keeps 16 KiB of one."""
_TYPE_COLUMNS = 12
_WHO_COLUMNS = 20
_OUTCOME_COLUMNS = 11

_EPILOG = """\
ID is an alert's id or its beginning; for one that waits also its place in the queue, as `alerts` shows it.
The answer says which alert was meant.
"""


# How it stands ------------------------------------------------------------------------------------


def _alerts(engine: ControlClient) -> tuple[Snapshot, AlertsSnapshot]:
    snapshot = require_present(engine.value("snapshot", Snapshot))
    if snapshot.alerts is None:
        raise RefusedError("no alert queue is set up; [alerts] in the settings does that")
    return snapshot, snapshot.alerts


def _list(args: argparse.Namespace) -> int:
    with client(args) as engine:
        snapshot, alerts = _alerts(engine)
    if args.json:
        put_json({"takenAt": snapshot.taken_at, **for_json(alerts)})
        return OK
    now = time.time()
    target = "shown nowhere: no delivery is set up"
    if alerts.delivers_to is not None:
        target = f"to {printable(alerts.delivers_to)}"
    waiting = f"{len(alerts.waiting)} of {alerts.most_waiting} waiting"
    put(cut_to(f"{state_words(alerts, now)}   {waiting}   {_accepted(alerts)}   {target}", COLUMNS))
    rows = [("playing" if alert is alerts.playing else "beside", alert) for alert in on_stage(alerts)]
    rows += [(str(place), alert) for place, alert in enumerate(alerts.waiting, 1)]
    cells = _cells(alert for _, alert in rows)
    for (heading, alert), cell in zip(rows, cells, strict=True):
        put(_alert_line(heading, alert, cell, now))
    for heading, words in _notes(alerts, now):
        # What is wrong is told whole.
        put(f"{heading:>8}  {words if heading == 'warning' else cut_to(words, COLUMNS - 10)}")
    return OK


def _accepted(alerts: AlertsSnapshot) -> str:
    restored = f", {alerts.restored} taken up again" if alerts.restored else ""
    return f"{alerts.accepted} accepted{restored}"


def _alert_line(heading: str, alert: AlertSummary, cells: str, now: float) -> str:
    words = [
        "" if alert.state == "waiting" else _on_stage(alert, now),
        "in memory alone" if alert.held else "",
        what_is_shown(alert),
    ]
    begin = f"{heading:>8}  {f'p{alert.priority}':<3}  {cells}"
    return cut_to(f"{begin}  {'; '.join(filter(None, words))}", COLUMNS)


def _on_stage(alert: AlertSummary, now: float) -> str:
    if alert.phase != "on air":
        return printable(alert.phase)
    until = "" if alert.ends_at is None else f" until {time_of_day(alert.ends_at, now)}"
    return f"on air{until}, {'seen by an overlay' if alert.confirmed else 'unconfirmed'}"


def _notes(alerts: AlertsSnapshot, now: float) -> Iterator[tuple[str, str]]:
    if alerts.mutes:
        mutes = sorted(alerts.mutes.items())
        yield "muted", printable(", ".join(f"{type} until {time_of_day(end, now)}" for type, end in mutes))
    if alerts.overlays:
        pages = (f"{page.name} {'connected' if page.connected else 'away'}" for page in alerts.overlays)
        noted = time_of_day(max(page.reported_at for page in alerts.overlays), now)
        yield "overlays", printable(f"{', '.join(pages)}; the hub said so at {noted}")
    for away in alerts.away:
        since = time_of_day(away.since, now)
        yield "away", printable(f"{away.source} since {since}: alerts in it are not seen")
    if alerts.unmapped:
        yield "unmapped", unmapped_words(alerts)
    for words in warnings(alerts):
        yield "warning", words


def _cells(alerts: Iterable[AlertSummary]) -> list[str]:
    """Type and who of each alert, as wide as the widest of them needs, within bounds."""
    return aligned(
        [
            (cut_to(printable(alert.type), _TYPE_COLUMNS), cut_to(printable(alert.who), _WHO_COLUMNS))
            for alert in alerts
        ]
    )


def _counts(args: argparse.Namespace) -> int:
    with client(args) as engine:
        _, alerts = _alerts(engine)
        day: dict[str, dict[str, int]] | None
        try:
            day, silent = engine.value("alert_history", AlertPage, limit=1).counts, ""
        except RefusedError as error:
            # What the store does not tell hides nothing of what the engine knows itself.
            day, silent = None, str(error)
    if args.json:
        sums = {
            "accepted": alerts.accepted,
            "restored": alerts.restored,
            "waiting": len(alerts.waiting),
            "playing": len(on_stage(alerts)),
            "ignored": alerts.ignored,
            "duplicates": alerts.duplicates,
            "unmapped": alerts.unmapped,
        }
        put_json({**sums, "sinceStart": alerts.counts, "last24Hours": day, "whyNot": silent or None})
        return OK
    put(
        f"since the start: {_accepted(alerts)}, {len(alerts.waiting)} waiting, "
        f"{len(on_stage(alerts))} playing; {alerts.ignored} ignored, {alerts.duplicates} duplicates"
    )
    _print_counts(alerts.counts)
    if alerts.unmapped:
        put(f"no source maps: {unmapped_words(alerts)}")
    put(printable(f"last 24 hours: {silent}" if day is None else "last 24 hours:"))
    _print_counts(day or {})
    return OK


def _print_counts(counts: dict[str, dict[str, int]]) -> None:
    for type, outcomes in sorted(counts.items()):
        cell = padded(cut_to(printable(type), _TYPE_COLUMNS), _TYPE_COLUMNS)
        row = f"  {cell}  {sum(outcomes.values()):>6}  {tally(outcomes)}"
        put(cut_to(row, COLUMNS))


# What has been ------------------------------------------------------------------------------------


def _history(args: argparse.Namespace) -> int:
    wanted = {"limit": args.limit, "alert_type": args.type, "outcome": args.outcome, "words": args.words}
    with client(args) as engine:
        page = engine.value("alert_history", AlertPage, **wanted)
    if args.json:
        put_json(for_json(page.alerts))
        return OK
    now = time.time()
    cells = iter(_cells(entry for entry in page.alerts if isinstance(entry, AlertSummary)))
    for entry in page.alerts:
        if isinstance(entry, AlertSummary):
            line = _ended_line(entry, next(cells), now)
        else:
            until = time_of_day(entry.until, now)
            line = (
                f"{time_of_day(entry.since, now):<8}  {printable(entry.source)} was away until {until}: "
                "alerts in it not seen"
            )
        put(cut_to(line, COLUMNS))
    return OK


def _ended_line(alert: AlertSummary, cells: str, now: float) -> str:
    begin = f"{time_of_day(alert.ended_at, now):<8}  {printable(alert.id)}  "
    outcome = padded(printable(alert.outcome or ""), _OUTCOME_COLUMNS)
    # The reason first: that is what the outcome alone does not tell.
    words = "; ".join(filter(None, (printable(alert.reason or ""), what_is_shown(alert))))
    return f"{begin}{outcome}  {cells}  {words}"


def _show(args: argparse.Namespace) -> int:
    with client(args) as engine:
        _, alerts = _alerts(engine)
        ended = tuple(entry for entry in alerts.recent if isinstance(entry, AlertSummary))
        meant = choose_alert(args.id, (*alerts.waiting, *on_stage(alerts), *ended), alerts.waiting)
        content = engine.value("alert", AlertContent, alert=meant.id)
    if args.json:
        put_json(for_json(content))
        return OK
    now = time.time()
    for name, value in _facts(content, now):
        if value:
            put(f"  {name:<14}{printable(value, 1000)}")
    put(f"  {'payload':<14}{'the beginning alone, the rest was not kept' if content.cut else ''}".rstrip())
    for line in _payload_lines(content.payload):
        put(f"    {printable(line, _MOST_PAYLOAD)}")
    return OK


def _facts(content: AlertContent, now: float) -> Iterator[tuple[str, str]]:
    alert = content.alert
    yield "id", alert.id
    yield "type", alert.type
    yield "who", alert.who
    yield "title", alert.title
    yield "message", alert.message
    yield "viewers", str(alert.count)
    yield "priority", str(alert.priority)
    yield "duration", f"{alert.duration:g} s"
    yield "source", f"{alert.source}, {content.source_id}" if content.source_id else alert.source
    yield "accepted", time_of_day(alert.accepted_at, now)
    yield "sent", time_of_day(alert.sent_at, now) if alert.sent_at is not None else NOTHING
    yield "confirmed", "yes, by an overlay" if alert.confirmed else "no"
    yield "state", _on_stage(alert, now) if alert.state == "playing" else alert.state
    if alert.state == "ended":
        yield "ended", time_of_day(alert.ended_at, now)
    yield "outcome", ": ".join(filter(None, (alert.outcome, alert.reason)))
    yield "collapsed into", content.into or ""
    yield "requeued from", content.requeued_from or ""
    yield "stored", "not yet: it is in memory alone" if alert.held else ""


def _payload_lines(payload: str) -> list[str]:
    try:
        # Laid out and not read: every number stays as it came.
        return msgspec.json.format(payload, indent=2).split("\n")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return [payload]


def _export(args: argparse.Namespace) -> int:
    as_csv = args.format == "csv"
    if as_csv and args.json:
        args.fail("--json and --format csv contradict each other")
    left = args.limit or _MOST_EXPORTED
    with client(args) as engine:
        # Asked before anything is written: a refusal leaves no heading behind.
        pages = _pages(engine, left)
        entries = map(for_json, chain(next(pages, ()), chain.from_iterable(pages)))
        if as_csv:
            from tui.text.alert_export import csv_rows

            rows = csv_rows(entries)
        else:
            rows = map(json_text, entries)
        for row in rows:
            put(row)
    return OK


def _pages(engine: ControlClient, most: int) -> Iterator[tuple[AlertSummary | SourceAway, ...]]:
    before: str | None = None
    while most > 0:
        page = engine.value("alert_history", AlertPage, before=before, limit=min(most, _PAGE))
        yield page.alerts
        if page.next_before is None:
            return
        if page.next_before == before:
            raise RefusedError("the engine's history does not go on; the export is not whole")
        before, most = page.next_before, most - len(page.alerts)


# What can be done ---------------------------------------------------------------------------------


def _plain(args: argparse.Namespace) -> int:
    command = {key: getattr(args, key) for key in ("verb", "type", "seconds", "count") if hasattr(args, key)}
    return give(args, "alerts", command=command)


def _clear(args: argparse.Namespace) -> int:
    if (args.type is None) != args.all:
        args.fail("expected a TYPE or --all")
    return give(args, "alerts", command={"verb": "clear", "type": args.type})


def _mute(args: argparse.Namespace) -> int:
    seconds = args.minutes * 60
    command = {"verb": "mute", "type": args.type, "seconds": seconds, "force": args.force}
    return give(args, "alerts", command=command)


def _with_one(args: argparse.Namespace) -> int:
    with client(args) as engine:
        _, alerts = _alerts(engine)
        if args.verb == "requeue":
            ended = (entry for entry in alerts.recent if isinstance(entry, AlertSummary))
            meant = choose_alert(args.id, ended)
        elif args.verb == "move":
            meant = choose_alert(args.id, alerts.waiting, alerts.waiting)
        else:
            meant = choose_alert(args.id, (*alerts.waiting, *on_stage(alerts)), alerts.waiting)
        command = {"verb": args.verb, "id": meant.id, "position": getattr(args, "position", None)}
        result = engine.command("alerts", COMMAND_SECONDS, command=command)
    return note_meant(args, result, meant, "alert")


# The command line ---------------------------------------------------------------------------------

_ID = argument("id", metavar="ID")
_TYPE = argument("type", metavar="TYPE")
_OUTCOMES = get_args(AlertOutcome)
_HISTORY = (
    argument("--limit", metavar="N", type=number(int, 1, MAX_ALERTS), default=_DEFAULT_HISTORY),
    argument("--type", metavar="TYPE", help="of this type alone"),
    argument(
        "--outcome",
        metavar="OUTCOME",
        choices=_OUTCOMES,
        help=f"of this outcome alone: {', '.join(_OUTCOMES)}",
    ),
    argument("words", metavar="WORD", nargs="*", help="with each of these words in who and what it was"),
)
_SECONDS = argument("seconds", metavar="SECONDS", type=number(float, 0, DAY))
_POSITION = argument("position", metavar="POSITION", type=number(int, 1, MAX_POSITION))
_CLEAR = (
    argument("type", metavar="TYPE", nargs="?"),
    argument("--all", action="store_true", help="of every type"),
)
_MUTE = (
    _TYPE,
    argument("minutes", metavar="MINUTES", type=number(float, 0, DAY / 60)),
    argument("--force", action="store_true", help="of a type, too, that no source and no rule has"),
)
_COUNT = argument("--count", metavar="N", type=number(int, 1, MAX_TEST_ALERTS), default=1)
_EXPORT = (
    argument("--format", choices=("jsonl", "csv"), help="JSON lines unless told otherwise"),
    argument("--limit", metavar="N", type=number(int, 1, _MOST_EXPORTED)),
)

ALERTS = Command(
    "alerts",
    _list,
    "the alert queue: how it stands, its history, pause, skip, move ...",
    more={"epilog": _EPILOG, "formatter_class": argparse.RawDescriptionHelpFormatter},
    below=(
        Command("list", _list, "how the queue stands; the same as no command at all"),
        Command("history", _history, "what became of the last ones, the newest first", _HISTORY),
        Command("show", _show, "everything known of one alert", (_ID,)),
        Command("counts", _counts, "how many ended how, since the start and in the last 24 hours"),
        Command("pause", _plain, "show no further one; what plays ends as it would"),
        Command("resume", _plain, "go on after pause, hold or panic"),
        Command("skip", _plain, "end what plays"),
        Command("panic", _plain, "take everything off the overlays and pause"),
        Command("undo", _plain, "bring back what the last remove or clear took"),
        Command("hold", _plain, "pause for so many seconds", (_SECONDS,)),
        Command("remove", _with_one, "take one out that waits or plays", (_ID,)),
        Command("requeue", _with_one, "show one that has ended once more", (_ID,)),
        Command("move", _with_one, "move one that waits to a place, counted from 1", (_ID, _POSITION)),
        Command("clear", _clear, "remove all that wait, or all of a type", _CLEAR),
        Command("mute", _mute, "let none of a type in for so many minutes; 0 ends it", _MUTE),
        Command("test", _plain, "make test alerts", (_TYPE, _COUNT)),
        Command("export", _export, "the whole history to standard output, the newest first", _EXPORT),
    ),
)
