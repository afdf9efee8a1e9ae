"""Shell commands for a running engine: ``overlay-supervisor ctl``, in short ``overlayctl``.

Imports neither the engine nor an event loop: tmux asks for a line every few seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tui.cli.arguments import Command, argument
from tui.cli.ctl.alerts import ALERTS
from tui.cli.ctl.services import INCIDENTS, SERVICES
from tui.cli.ctl.shell import COLUMNS, NO_ENGINE, OK, client, fail, folder, give, note_reply, require_present
from tui.cli.ctl.words import (
    incidents_line,
    joined,
    lasting,
    services_line,
    short_line,
    summary_json,
    what_is_off,
    why,
)
from tui.control.client import RefusedError
from tui.control.protocol import COMMAND_SECONDS, ControlError, EngineInfo, Missed, NoEngineError, StateEvent
from tui.model.alerts import AlertsSnapshot
from tui.model.known import is_present, is_up, worst_first
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.system.ending import carry_out
from tui.system.output import FAILED, Parser, flush, put, put_content, put_json, say, write_all
from tui.system.paths import SOCKET_VARIABLE, STATE_VARIABLE
from tui.text.formats import NOTHING, age, for_json, loop_late, noted_state, round_trip, time_of_day
from tui.text.printable import cut_to, padded, printable

_PROGRAM = "overlayctl"
_RELOAD_SECONDS = 60.0
_LINE_SECONDS = 2.0
_MAX_TAIL = 100_000

_EPILOG = """\
exit status: 0 done, 1 the engine said no or what came of it is not known, 2 usage,
3 no engine was reached, 130 ended by ^C
"""


# What there is ------------------------------------------------------------------------------------


def _status(args: argparse.Namespace) -> int:
    with client(args) as engine:
        info = engine.value("info", EngineInfo)
        snapshot = engine.value("snapshot", Snapshot)
        metrics = engine.value("metrics", dict[str, Any]) if args.json else {}
    now = time.time()
    if args.json:
        put_json(_status_json(info, snapshot, metrics))
        return OK
    which = f"engine {info.pid}, version {printable(info.version)}, running {age(info.started_at, now)}"
    put(f"{short_line(snapshot, now)}   {which}")
    if snapshot.notice is not None:
        put(printable(snapshot.notice))
    for trouble in snapshot.persistence.troubles:
        put(cut_to(printable(trouble), COLUMNS))
    live = is_present(snapshot, now)
    if live and (late := loop_late(snapshot.loop_delay_seconds)) is not None:
        put(late)
    off = {
        "alerts": snapshot.alerts and what_is_off(snapshot.alerts, now),
        "incidents": incidents_line(snapshot.incidents),
        "services": services_line(snapshot.services),
    }
    for heading, words in off.items():
        if live and words is not None:
            put(cut_to(f"{heading}: {words}", COLUMNS))
    width = max((len(connection.name) for connection in snapshot.connections), default=0)
    for connection in worst_first(snapshot.connections):
        put(_status_line(connection, now, width, live=live))
    return OK


def _status_line(connection: ConnectionSnapshot, now: float, width: int, *, live: bool) -> str:
    stands = lasting(connection, now)
    symbol, state = (stands.symbol, stands.message) if live else ("?", f"was {stands.message}")
    time_taken = round_trip(connection.details.round_trip_last) if live and is_up(connection) else NOTHING
    begin = (
        f"{symbol} {padded(printable(connection.name), width)}  {state:<14}  "
        f"{f'{joined(connection)}/{len(connection.channels)}':>5}  {time_taken:>7}"
    )
    reasons = [why(connection, now)]
    if is_up(connection):
        reasons += [
            printable(f"{channel.topic}: {channel.reason or channel.state}")
            for channel in connection.channels
            if channel.state != "joined"
        ]
    text = "; ".join(reason for reason in reasons if reason)
    return cut_to(f"{begin}  {text}".rstrip(), COLUMNS)


def _status_json(info: EngineInfo, snapshot: Snapshot, metrics: dict[str, Any]) -> dict[str, object]:
    return {
        "engine": {**for_json(info), "stopped": snapshot.stopped},
        "takenAt": snapshot.taken_at,
        "alerts": None if snapshot.alerts is None else _alerts_json(snapshot.alerts),
        **summary_json(snapshot.incidents, snapshot.services),
        "connections": [
            {
                "name": connection.name,
                "label": connection.label,
                "address": connection.address,
                "state": connection.metrics.connection_state,
                "reason": connection.details.reason,
                "refusal": connection.details.refusal,
                "since": connection.details.since,
                "nextTry": connection.details.next_try,
                "roundTrip": connection.details.round_trip_last,
                "heartbeatsUnansweredSince": connection.details.heartbeats_unanswered_since,
                "circuitBreakerProbes": connection.details.circuit_breaker_probes,
                "channels": {channel.topic: channel.state for channel in connection.channels},
                "metrics": metrics.get(connection.name),
            }
            for connection in snapshot.connections
        ],
    }


def _alerts_json(alerts: AlertsSnapshot) -> dict[str, object]:
    return {
        "mode": alerts.mode,
        "message": alerts.message,
        "heldUntil": alerts.held_until,
        "playing": None if alerts.playing is None else alerts.playing.id,
        "waiting": len(alerts.waiting),
        "unsaved": alerts.unsaved,
        "store": alerts.store,
        "rules": alerts.rules,
        "warning": alerts.warning,
    }


def _metrics(args: argparse.Namespace) -> int:
    if args.openmetrics:
        return _openmetrics(args)
    with client(args) as engine:
        metrics = engine.value("metrics", dict[str, dict[str, Any]], name=args.name)
        require_present(engine.value("snapshot", Snapshot))
    if args.json:
        put_json(metrics if args.name is None else metrics[args.name])
        return OK
    now = time.time()
    for number, (name, values) in enumerate(metrics.items()):
        if args.name is None:
            put(f"{chr(10) if number else ''}{printable(name)}")
        for key, value in values.items():
            put(f"  {key:<22}{_metric(key, value, now)}")
    return OK


def _openmetrics(args: argparse.Namespace) -> int:
    if args.name is not None or args.json:
        args.fail("--openmetrics prints all there is, and no JSON")
    try:
        from tui.metrics.exposition import exposition, why_not_up
    except ImportError as error:
        return fail(FAILED, str(error))

    with client(args) as engine:
        info = engine.value("info", EngineInfo)
        snapshot = engine.value("snapshot", Snapshot)
    now = time.time()
    put_content(exposition(snapshot, now, version=info.version))
    if (stale := why_not_up(snapshot, now)) is not None:
        # The page says so too: whoever keeps it must not keep an older one that says otherwise.
        return fail(FAILED, stale)
    return OK


def _metric(key: str, value: object, now: float) -> str:
    if key == "lastHeartbeat":
        return time_of_day(value / 1000 if isinstance(value, (int, float)) else None, now)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def _state(args: argparse.Namespace) -> int:
    with client(args) as engine:
        snapshot = engine.value("snapshot", Snapshot)
    states = {each.name: each.metrics.connection_state for each in snapshot.connections}
    now = time.time()
    words = {
        each.name: noted_state(states[each.name], each.details.heartbeats_unanswered_since, now)
        for each in snapshot.connections
    }
    if args.name is not None and args.name not in states:
        raise RefusedError(f"no connection {args.name}; there are: {', '.join(states) or 'none'}")
    require_present(snapshot)
    if args.json:
        put_json(states if args.name is None else states[args.name])
    elif args.name is not None:
        put(printable(words[args.name]))
    else:
        width = max(map(len, words), default=0)
        for name, state in words.items():
            put(f"{padded(printable(name), width)}  {printable(state)}")
    return OK


def _line(args: argparse.Namespace) -> int:
    status, words = OK, ""
    try:
        with client(args, _LINE_SECONDS) as engine:
            snapshot = engine.value("snapshot", Snapshot)
        words = short_line(snapshot, time.time())
        if not is_present(snapshot, time.time()):
            status = FAILED
    except NoEngineError as error:
        status, words = NO_ENGINE, "○ no engine" if error.absent else "? engine out of reach"
    except ControlError:
        status, words = FAILED, "? engine does not answer"
    if args.json:
        put_json({"line": words})
    else:
        put(words)
    return status


# What can be done ---------------------------------------------------------------------------------


def _for_one_or_all(args: argparse.Namespace) -> int:
    if (args.name is None) != args.all:
        args.fail("expected a NAME or --all")
    return give(args, args.verb, name=args.name)


def _push(args: argparse.Namespace) -> int:
    try:
        payload = msgspec.json.decode(args.payload)
    except (ValueError, RecursionError) as error:
        args.fail(f"the payload is not JSON: {error}")
    push = {"name": args.name, "topic": args.topic, "event": args.event, "payload": payload}
    with client(args) as engine:
        return note_reply(args, engine.command("push", COMMAND_SECONDS, **push))


def _reload(args: argparse.Namespace) -> int:
    return give(args, "reload", _RELOAD_SECONDS)


def _watch(args: argparse.Namespace) -> int:
    with client(args) as engine:
        engine.command("watch")
        if sys.stderr is not None and sys.stderr.isatty():
            say("changes of state follow; ^C ends")
        for event in engine.events():
            if args.json:
                put_json(_event_json(event))
            else:
                put(_event_line(event))
            flush()
    return OK


def _event_json(event: StateEvent | Missed) -> dict[str, object]:
    """The same object as in the lines of ``run --headless``."""
    if isinstance(event, Missed):
        return {"type": "missed", "count": event.count}
    return {
        "type": "state",
        "connection": event.connection,
        "oldState": event.old_state,
        "newState": event.new_state,
        "error": event.error,
        "timestamp": round(event.timestamp, 3),
    }


def _event_line(event: StateEvent | Missed) -> str:
    if isinstance(event, Missed):
        return f"{event.count} changes are missing here"
    moment = time_of_day(event.timestamp, time.time())
    words = f"{event.connection} {event.new_state}, was {event.old_state}"
    return f"{moment} " + printable(f"{words}: {event.error}" if event.error else words, 1000)


# The log ------------------------------------------------------------------------------------------


def _logs(args: argparse.Namespace) -> int:
    from tui.cli.ctl.log_tail import log_line, tail

    path = _log_path(args)
    if args.lines is None:
        put_json({"path": os.fspath(path)}) if args.json else put(str(path))
        return OK
    try:
        lines = tail(path, args.lines)
    except OSError as error:
        return fail(FAILED, f"{path}: {error.strerror or type(error).__name__}")
    now = time.time()
    for line in lines:
        put(line if args.json else log_line(line, now))
    return OK


def _log_path(args: argparse.Namespace) -> Path:
    from tui.store.log_file import FILE_NAME

    try:
        with client(args) as engine:
            info = engine.value("info", EngineInfo)
    except ControlError:
        # What happened before the engine ended is what the log is for.
        return folder(args) / FILE_NAME
    return Path(info.log_path) if info.log_path is not None else folder(args) / FILE_NAME


# The command line ---------------------------------------------------------------------------------


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= _MAX_TAIL:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MAX_TAIL}")
    return int(text)


# Before the command or after it, as it comes to mind.
_COMMON = (
    argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON, for scripts"),
    argument(
        "--state",
        metavar="FOLDER",
        default=argparse.SUPPRESS,
        help=f"the engine's state folder, else ${STATE_VARIABLE}",
    ),
    argument(
        "--socket",
        metavar="PATH",
        default=argparse.SUPPRESS,
        help=f"the engine's socket, else ${SOCKET_VARIABLE}, else the one in the state folder",
    ),
)
_NAME = argument("name", metavar="NAME", nargs="?")
_NAME_OR_ALL = (_NAME, argument("--all", action="store_true", help="every connection"))
_OPENMETRICS = argument("--openmetrics", action="store_true", help="all of them, for Prometheus")
_PUSH = (
    argument("name", metavar="NAME"),
    argument("topic", metavar="TOPIC"),
    argument("event", metavar="EVENT"),
    argument("payload", metavar="JSON", nargs="?", default="{}"),
)
_LINES = argument("-n", "--lines", metavar="N", type=_count, help="print the last N lines")
_COMMANDS = (
    Command("status", _status, "every connection, one line each"),
    Command("metrics", _metrics, "the nine health metrics of one or all", (_NAME, _OPENMETRICS)),
    Command("state", _state, "the connection state of one or all", (_NAME,)),
    Command("connect", _for_one_or_all, "connect now; a connected one stays as it is", _NAME_OR_ALL),
    Command("reconnect", _for_one_or_all, "replace the connection, or try at once", _NAME_OR_ALL),
    Command("disconnect", _for_one_or_all, "disconnect until it is connected again", _NAME_OR_ALL),
    Command("push", _push, "push on a joined topic and print the reply", _PUSH),
    ALERTS,
    INCIDENTS,
    SERVICES,
    Command("watch", _watch, "changes of state as they come, until ^C"),
    Command("reload", _reload, "read the settings anew"),
    Command("line", _line, "one short line, for tmux's status-right"),
    Command("logs", _logs, "where the log is, or its last lines; needs no running engine", (_LINES,)),
)


def main(argv: list[str] | None = None, prog: str = "overlayctl") -> int:
    """Run one command and return the exit status. Usage mistakes exit with status 2 by themselves."""
    parser: argparse.ArgumentParser = Parser(
        prog=prog,
        description="Ask or command a running engine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for add in _COMMON:
        add(parser)
    parser.set_defaults(json=False, state=None, socket=None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands, _COMMON)
    return write_all(_PROGRAM, lambda: _run(parser.parse_args(argv)))


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.action(args))
    except NoEngineError as error:
        return fail(NO_ENGINE, str(error))
    except ControlError as error:
        return fail(FAILED, str(error))


if __name__ == "__main__":
    carry_out(lambda end: main())
