"""The shell commands for incidents and services: ``overlayctl incidents ...``, ``overlayctl services``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

from tui.cli.arguments import Command, argument
from tui.cli.ctl.choice import choose_incident, note_meant
from tui.cli.ctl.shell import COLUMNS, OK, aligned, client, require_present
from tui.cli.ctl.words import how_old, incident_symbol, service_json, service_symbol, ways
from tui.control.client import ControlClient
from tui.control.protocol import COMMAND_SECONDS
from tui.model.incidents import IncidentSnapshot, IncidentsSnapshot, Timeline, TimelineEntry
from tui.model.known import lasted_words, open_words, rule_words, worst_services_first
from tui.model.services import ServicesSnapshot
from tui.model.snapshot import Snapshot
from tui.system.output import put, put_json
from tui.text.formats import age, for_json, time_of_day
from tui.text.printable import cut_to, printable

_MOST_RESOLVED = 10
"""Resolved incidents that are listed; all of those that the engine shows are in the JSON."""
_RULE_COLUMNS = 18
_SUBJECT_COLUMNS = 24
_SERVICE_COLUMNS = (20, 16, 28, 16, 15, 12)
"""Name, host, state, age, ways and environment."""
_ENTRY_COLUMNS = (8, 28)
"""Kind and subject."""

_EPILOG = """\
ID is an incident's id or its beginning, as `incidents` shows it.
"""


def _snapshot(engine: ControlClient) -> Snapshot:
    return require_present(engine.value("snapshot", Snapshot))


# Incidents ----------------------------------------------------------------------------------------


def _incidents(args: argparse.Namespace) -> int:
    with client(args) as engine:
        snapshot = _snapshot(engine)
    incidents, now = snapshot.incidents, time.time()
    if args.json:
        put_json({"takenAt": snapshot.taken_at, **for_json(incidents)})
        return OK
    put(open_words(incidents) or "no incident is open")
    for line in _rows([_cells(incident, now) for incident in incidents.open]):
        put(line)
    if resolved := incidents.resolved[:_MOST_RESOLVED]:
        put("resolved, the newest first:")
        for line in _rows([_cells(incident, now) for incident in resolved]):
            put(line)
    if (more := len(incidents.resolved) - len(resolved)) > 0:
        put(f"{more} resolved ones more; --json has them")
    for words in _incident_notes(incidents):
        put(cut_to(words, COLUMNS))
    return OK


def _cells(incident: IncidentSnapshot, now: float) -> list[str]:
    notes = [
        lasted_words(incident) if incident.resolved_at is not None else "",
        "acknowledged" if incident.acknowledged_at is not None else "",
        f"{incident.times} times" if incident.times > 1 and incident.resolved_at is None else "",
        printable(incident.message),
    ]
    return [
        f"{incident_symbol(incident)} {printable(incident.severity)}",
        time_of_day(incident.opened_at, now),
        printable(incident.id),
        cut_to(rule_words(incident.rule), _RULE_COLUMNS),
        cut_to(printable(incident.subject), _SUBJECT_COLUMNS),
        "; ".join(filter(None, notes)),
    ]


def _incident_notes(incidents: IncidentsSnapshot) -> Iterator[str]:
    if incidents.left_out:
        yield f"{incidents.left_out} more are open, of which nothing is held"
    if incidents.command is not None:
        yield f"the command: {printable(incidents.command)}"
    if incidents.commands_dropped:
        yield f"the command: {incidents.commands_dropped} calls left out, too many within a minute"


def _show(args: argparse.Namespace) -> int:
    with client(args) as engine:
        incidents = _snapshot(engine).incidents
        meant = choose_incident(args.id, (*incidents.open, *incidents.resolved))
        timeline = engine.value("timeline", Timeline, incident=meant.id)
    if args.json:
        put_json(for_json(timeline))
        return OK
    incident, now = timeline.incident, time.time()
    for name, value in _facts(incident, now):
        put(f"  {name:<14}{printable(value, 1000)}")
    before = [entry for entry in timeline.entries if entry.timestamp < incident.opened_at]
    since = timeline.entries[len(before) :]
    for heading, entries in (("before it", before), ("since it opened", since)):
        put(f"{heading}:{'' if entries else ' nothing was noted'}")
        for line in _entries(entries, now):
            put(line)
    if timeline.left_out:
        put(f"{timeline.left_out} entries more are not here")
    return OK


def _facts(incident: IncidentSnapshot, now: float) -> Iterator[tuple[str, str]]:
    yield "id", incident.id
    yield "severity", incident.severity
    yield "rule", rule_words(incident.rule)
    yield "subject", incident.subject
    yield "words", incident.message
    yield "opened", time_of_day(incident.opened_at, now)
    if incident.resolved_at is None:
        yield "state", f"open for {age(incident.opened_at, now)}"
    else:
        yield "resolved", f"{time_of_day(incident.resolved_at, now)}, {lasted_words(incident)}"
    seen = incident.acknowledged_at
    yield "acknowledged", "no" if seen is None else time_of_day(seen, now)
    if incident.times > 1:
        yield "times", str(incident.times)


def _entries(entries: Sequence[TimelineEntry], now: float) -> list[str]:
    kind, subject = _ENTRY_COLUMNS
    return _rows(
        [
            [
                f"  {time_of_day(entry.timestamp, now)}",
                cut_to(printable(entry.kind), kind),
                cut_to(printable(entry.subject), subject),
                printable(entry.text),
            ]
            for entry in entries
        ]
    )


def _acknowledge(args: argparse.Namespace) -> int:
    with client(args) as engine:
        meant = choose_incident(args.id, _snapshot(engine).incidents.open)
        result = engine.command("acknowledge", COMMAND_SECONDS, incident=meant.id)
    return note_meant(args, result, meant, "incident")


# Services -----------------------------------------------------------------------------------------


def _services(args: argparse.Namespace) -> int:
    with client(args) as engine:
        snapshot = _snapshot(engine)
    services, now = snapshot.services, time.time()
    ordered = worst_services_first(services.services)
    if args.json:
        noted = [service_json(service) for service in ordered]
        put_json(
            {
                "takenAt": snapshot.taken_at,
                "services": noted,
                "leftOut": services.left_out,
                "rejected": services.rejected,
            }
        )
        return OK
    if not ordered:
        put("no services are known; [services] in the settings says where they report")
    rows = []
    for service in ordered:
        words = printable(service.message or service.state)
        texts = (
            *(printable(service.name), printable(service.host), words),
            *(how_old(service, now), ways(service), printable(service.environment)),
        )
        cells = [cut_to(text, width) for text, width in zip(texts, _SERVICE_COLUMNS, strict=True)]
        rows.append([f"{service_symbol(service)} {cells[0]}", *cells[1:]])
    for line in _rows(rows):
        put(line)
    for words in _service_notes(services):
        put(words)
    return OK


def _service_notes(services: ServicesSnapshot) -> Iterator[str]:
    if services.left_out:
        yield f"{services.left_out} more services, of which nothing is held"
    if services.rejected:
        yield f"{services.rejected} reports could not be read"


def _rows(rows: Sequence[Sequence[str]]) -> list[str]:
    return [cut_to(row.rstrip(), COLUMNS) for row in aligned(rows)]


# The command line ---------------------------------------------------------------------------------

_ID = argument("id", metavar="ID")

INCIDENTS = Command(
    "incidents",
    _incidents,
    "what is wrong now, since when, and what happened before it",
    more={"epilog": _EPILOG, "formatter_class": argparse.RawDescriptionHelpFormatter},
    below=(
        Command(
            "list", _incidents, "the open ones and the last resolved ones; the same as no command at all"
        ),
        Command("show", _show, "one with its timeline, from 5 minutes before it", (_ID,)),
        Command("ack", _acknowledge, "say that you have seen an open one", (_ID,)),
    ),
)
SERVICES = Command(
    "services", _services, "the services that tell of themselves or are told of, the worst first"
)
