"""The shell commands for the alert queue: ``overlayctl alerts ...``."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar, get_args

import msgspec

from tui.cli.ctl.alert_words import (
    named,
    state_words,
    tally,
    unmapped_words,
    warnings,
    what_is_shown,
)
from tui.cli.ctl.choice import choose
from tui.cli.ctl.shell import (
    COLUMNS,
    COMMAND_SECONDS,
    OK,
    client,
    fail,
    give,
    note,
    wants_json,
)
from tui.control.client import ControlClient, RefusedError
from tui.model.bounds import DAY, MAX_ALERTS, MAX_POSITION, MAX_TEST_ALERTS
from tui.model.engine import (
    AlertContent,
    AlertOutcome,
    AlertPage,
    AlertsSnapshot,
    AlertSummary,
    Snapshot,
    SourceAway,
)
from tui.model.known import not_present, on_stage
from tui.system.output import FAILED, put, put_json
from tui.text.formats import NOTHING, for_json, time_of_day
from tui.text.json_text import json_text
from tui.text.printable import columns, cut_to, padded, printable

T = TypeVar("T", int, float)

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


def add_alerts(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """Add ``alerts`` and all that is below it."""
    alerts = commands.add_parser(
        "alerts",
        parents=[common],
        allow_abbrev=False,
        help="the alert queue: how it stands, its history, pause, skip, move ...",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    alerts.set_defaults(control=_list)
    below = alerts.add_subparsers(metavar="COMMAND")

    def add(name: str, action: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        command = below.add_parser(name, parents=[common], allow_abbrev=False, help=words)
        command.set_defaults(control=action, fail=command.error, verb=name)
        return command

    add("list", _list, "how the queue stands; the same as no command at all")
    history = add("history", _history, "what became of the last ones, the newest first")
    most = MAX_ALERTS
    history.add_argument("--limit", metavar="N", type=_number(int, 1, most), default=_DEFAULT_HISTORY)
    history.add_argument("--type", metavar="TYPE", help="of this type alone")
    outcomes = get_args(AlertOutcome)
    words = f"of this outcome alone: {', '.join(outcomes)}"
    history.add_argument("--outcome", metavar="OUTCOME", choices=outcomes, help=words)
    words = "with each of these words in who and what it was"
    history.add_argument("words", metavar="WORD", nargs="*", help=words)
    add("show", _show, "everything known of one alert").add_argument("id", metavar="ID")
    add("counts", _counts, "how many ended how, since the start and in the last 24 hours")
    for name, words in (
        ("pause", "show no further one; what plays ends as it would"),
        ("resume", "go on after pause, hold or panic"),
        ("skip", "end what plays"),
        ("panic", "take everything off the overlays and pause"),
        ("undo", "bring back what the last remove or clear took"),
    ):
        add(name, _plain, words)
    hold = add("hold", _plain, "pause for so many seconds")
    hold.add_argument("seconds", metavar="SECONDS", type=_number(float, 0, DAY))
    for name, words in (
        ("remove", "take one out that waits or plays"),
        ("requeue", "show one that has ended once more"),
    ):
        add(name, _with_one, words).add_argument("id", metavar="ID")
    move = add("move", _with_one, "move one that waits to a place, counted from 1")
    move.add_argument("id", metavar="ID")
    move.add_argument("position", metavar="POSITION", type=_number(int, 1, MAX_POSITION))
    clear = add("clear", _clear, "remove all that wait, or all of a type")
    clear.add_argument("type", metavar="TYPE", nargs="?")
    clear.add_argument("--all", action="store_true", help="of every type")
    mute = add("mute", _mute, "let none of a type in for so many minutes; 0 ends it")
    mute.add_argument("type", metavar="TYPE")
    mute.add_argument("minutes", metavar="MINUTES", type=_number(float, 0, DAY / 60))
    mute.add_argument("--force", action="store_true", help="of a type, too, that no source and no rule has")
    test = add("test", _plain, "make test alerts")
    test.add_argument("type", metavar="TYPE")
    most = MAX_TEST_ALERTS
    test.add_argument("--count", metavar="N", type=_number(int, 1, most), default=1)
    export = add("export", _export, "the whole history to standard output, the newest first")
    export.add_argument("--format", choices=("jsonl", "csv"), help="JSON lines unless told otherwise")
    export.add_argument("--limit", metavar="N", type=_number(int, 1, _MOST_EXPORTED))


def _number(kind: Callable[[str], T], least: float, most: float) -> Callable[[str], T]:
    def parse(text: str) -> T:
        try:
            number = kind(text)
        except ValueError:
            number = kind("-1")
        if not math.isfinite(number) or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:.10g}")
        return number

    return parse


# How it stands ------------------------------------------------------------------------------------


def _snapshot(engine: ControlClient) -> tuple[Snapshot, AlertsSnapshot]:
    snapshot = engine.value("snapshot", Snapshot)
    if (stale := not_present(snapshot, time.time())) is not None:
        # A queue that nobody observes any more must not be taken for the present one.
        raise RefusedError(stale.message)
    if snapshot.alerts is None:
        raise RefusedError("no alert queue is set up; [alerts] in the settings does that")
    return snapshot, snapshot.alerts


def _list(args: argparse.Namespace) -> int:
    with client(args) as engine:
        snapshot, alerts = _snapshot(engine)
    if wants_json(args):
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
    rows = [
        (cut_to(printable(alert.type), _TYPE_COLUMNS), cut_to(printable(alert.who), _WHO_COLUMNS))
        for alert in alerts
    ]
    types = max((columns(type) for type, _ in rows), default=0)
    names = max((columns(who) for _, who in rows), default=0)
    return [f"{padded(type, types)}  {padded(who, names)}" for type, who in rows]


def _counts(args: argparse.Namespace) -> int:
    with client(args) as engine:
        _, alerts = _snapshot(engine)
        day: dict[str, dict[str, int]] | None
        try:
            day, silent = engine.value("alert_history", AlertPage, limit=1).counts, ""
        except RefusedError as error:
            # What the store does not tell hides nothing of what the engine knows itself.
            day, silent = None, str(error)
    if wants_json(args):
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
    if wants_json(args):
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
        _, alerts = _snapshot(engine)
        ended = tuple(entry for entry in alerts.recent if isinstance(entry, AlertSummary))
        meant = choose(args.id, (*alerts.waiting, *on_stage(alerts), *ended), alerts.waiting)
        content = engine.value("alert", AlertContent, alert=meant.id)
    if wants_json(args):
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
    if as_csv and wants_json(args):
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
        _, alerts = _snapshot(engine)
        if args.verb == "requeue":
            ended = (entry for entry in alerts.recent if isinstance(entry, AlertSummary))
            meant = choose(args.id, ended)
        elif args.verb == "move":
            meant = choose(args.id, alerts.waiting, alerts.waiting)
        else:
            meant = choose(args.id, (*alerts.waiting, *on_stage(alerts)), alerts.waiting)
        command = {"verb": args.verb, "id": meant.id, "position": getattr(args, "position", None)}
        result = engine.command("alerts", COMMAND_SECONDS, command=command)
    if not wants_json(args) and meant.id != args.id and meant.alert is not None:
        words = f"{args.id} is {meant.id}, {named(meant.alert)}"
        put(printable(words)) if result.ok else fail(FAILED, words)
    return note(args, result, alert={"id": meant.id, "known": for_json(meant.alert)})
