"""The command line. Only what a command needs is imported, so that ``--help`` comes at once."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import NoReturn

from tui import __version__
from tui.cli import config as cli_config
from tui.cli import run as cli_run
from tui.cli.arguments import Command, argument
from tui.cli.output import CHECK_UNUSABLE, say_mistakes, say_nothing_to_run
from tui.system import output
from tui.system.ending import End, carry_out
from tui.system.output import PROGRAM, complain
from tui.text.printable import printable

_DIALECTS = ("plain", "old", "telemetry", "new")
_COMMANDS = ("run", "attach", "replay", "ctl", "config", "demo", "selftest", "check", "journal")
_MAX_SECONDS = 86_400.0

_EPILOG = """\
Without a command: run. Settings: --config, else $OVERLAY_SUPERVISOR_CONFIG, else
$XDG_CONFIG_HOME/overlay-supervisor/config.toml; variables such as
OVERLAY_SUPERVISOR_CONNECTIONS__HUB__URL stand above the file.

exit status: 0 ok, 1 failed, 2 usage or settings, 128+n ended by signal n (0 with --headless);
of check: 0 ok, 1 warning, 2 critical, 3 usage or settings
"""


def main(argv: list[str] | None = None, end: End | None = None) -> int:
    """Run one command and return the exit status. Usage mistakes exit with status 2 by themselves.

    Args:
        end: what ends it; without, it ends by itself alone.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["ctl"]:
        from tui.cli.ctl import main as ctl

        return ctl.main(arguments[1:], prog="overlay-supervisor ctl")
    return output.write_all(PROGRAM, lambda: _main(arguments, end or End()))


def _main(arguments: list[str], end: End) -> int:
    parser = _parser()
    if not arguments or (arguments[0].startswith("-") and not _names_a_command(arguments)):
        arguments = ["run", *arguments]
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Of the command that need not be named, and of those that say more of a mistake.
        fail = args.fail if args.verb in ("run", "check", "ctl") else parser.error
        fail(f"unrecognized arguments: {' '.join(unknown)}")
    args.end = end
    return int(args.action(args))


def _names_a_command(arguments: list[str]) -> bool:
    return any(word in (*_COMMANDS, "-h", "--help", "--version") for word in arguments)


def _selftest(args: argparse.Namespace) -> int:
    from tui.cli.selftest import main as check

    if args.url is not None:
        from tui.config.load import CommandLine, SettingsError, settings_of

        try:
            settings_of(CommandLine(url=args.url, topics=(args.topic,) if args.topic else ()))
        except SettingsError as error:
            return say_mistakes(error)
    return check(args.url, args.topic, args.json)


def _check(args: argparse.Namespace) -> int:
    import asyncio

    from tui.cli import check
    from tui.config.load import SettingsError, load_settings

    if args.running:
        # What it was started with is its own affair: no settings are needed to ask it.
        return _check_running(args)
    try:
        settings = load_settings(config=args.config)
    except SettingsError as error:
        say_mistakes(error)
        return CHECK_UNUSABLE
    if not settings.connections:
        say_nothing_to_run(settings)
        return CHECK_UNUSABLE
    findings = asyncio.run(check.once(settings.connections.values(), args.timeout, settings.alerts))
    return check.report(findings)


def _check_running(args: argparse.Namespace) -> int:
    from tui.cli import check
    from tui.control.client import ControlClient
    from tui.control.protocol import ControlError
    from tui.model.snapshot import Snapshot
    from tui.runtime.resources import StartupError

    try:
        with ControlClient(cli_run.run_paths(args).socket, args.timeout) as engine:
            snapshot = engine.value("snapshot", Snapshot)
    except StartupError as error:
        complain(PROGRAM, str(error))
        return CHECK_UNUSABLE
    except ControlError as error:
        return check.report([check.Finding("engine", check.CRITICAL, str(error))])
    return check.report(check.running(snapshot, time.time()))


def _journal(args: argparse.Namespace) -> int:
    from tui.cli import journal as journal_view
    from tui.system.paths import state_folder

    folder = state_folder(args.state, os.environ)
    return journal_view.main(folder, since=args.since, connection=args.connection, as_json=args.json)


# The command line ---------------------------------------------------------------------------------


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, at most {_MAX_SECONDS:g}")
    return seconds


# Before the command or after it, as it comes to mind.
_STATE = argument(
    "--state",
    metavar="FOLDER",
    default=argparse.SUPPRESS,
    help="folder of the log, else $OVERLAY_SUPERVISOR_STATE, else $XDG_STATE_HOME/overlay-supervisor",
)
_CONFIG = argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="settings file")
_SOCKET = argument(
    "--socket",
    metavar="PATH",
    help="control socket, else $OVERLAY_SUPERVISOR_SOCKET, else one in the state folder",
)
_LOG_LEVEL = argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
_HEADLESS = (
    argument("--headless", action="store_true", help="no screen: JSON lines on standard output"),
    argument(
        "--report-interval",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="time between two metrics lines of --headless (10)",
    ),
)
_SCREEN = (
    argument("--theme", choices=("dark", "light", "ansi-dark", "ansi-light"), help="of the screen"),
    argument("--no-mouse", action="store_true", help="leave the mouse to the terminal and tmux"),
)
_URL = argument("url", metavar="URL", nargs="?", help="such as ws://hub:4000/socket")
_TOPICS = argument(
    "-t", "--topic", metavar="TOPIC", dest="topics", action="append", default=[], help="join it"
)
_RUN = Command(
    "run",
    cli_run.run,
    "keep the connections alive and show them",
    (
        *(_CONFIG, *_HEADLESS, _LOG_LEVEL, _STATE, _SOCKET, *_SCREEN, _URL, _TOPICS),
        argument("--preset", choices=("service", "overlay", "live"), help="for URL (live)"),
        argument("--debug", action="store_true", help="show the indicator even when all is well"),
    ),
    more={"description": "With a URL, that connection alone is run, in place of those in the settings."},
)
_ATTACH = Command(
    "attach",
    cli_run.attach,
    "a screen on an engine that runs already",
    (_CONFIG, _STATE, _SOCKET, *_SCREEN),
)
_REPLAY = Command(
    "replay",
    cli_run.replay,
    "what was on the screen, last night for instance",
    (
        *(_CONFIG, _STATE, *_SCREEN),
        argument("file", metavar="FILE", nargs="?", help="a state folder, or its journal (the own one)"),
        argument(
            "--at",
            metavar="TIME",
            help="30m, 2h, 21:14, 2026-11-22T21:14; an hour before the end unless given",
        ),
    ),
    more={"description": "A screen on the journal. Connects nothing."},
)
_DEMO = Command(
    "demo",
    cli_run.demo,
    "the program on an embedded hub with staged faults",
    (
        *(_CONFIG, *_HEADLESS, _LOG_LEVEL, *_SCREEN),
        argument(
            "--state",
            metavar="FOLDER",
            default=argparse.SUPPRESS,
            help="keep its alerts there for the next time; a folder for the demo alone",
        ),
        argument("--duration", metavar="SECONDS", type=_seconds, help="end by itself after so long"),
        argument("--calm", action="store_true", help="no faults but those that you fire from the palette"),
        argument(
            "--dialect",
            choices=_DIALECTS,
            default="telemetry",
            help="which hub: a polite one, or the real one at three moments (%(default)s)",
        ),
    ),
)
_SELFTEST = Command(
    "selftest",
    _selftest,
    "check connecting, reconnecting, the circuit breaker and the metrics",
    (
        argument("--url", help="a live server, such as ws://hub:4000/socket; else an embedded hub"),
        argument("--topic", help="a topic to join there"),
        argument("--json", action="store_true", help="the result as JSON"),
    ),
)
_CHECK = Command(
    "check",
    _check,
    "connect, join and heartbeat each connection once, for a monitoring system",
    (
        *(_CONFIG, _STATE, _SOCKET),
        argument(
            "--timeout", metavar="SECONDS", type=_seconds, default=10.0, help="for each connection (10)"
        ),
        argument("--running", action="store_true", help="ask the running engine instead"),
    ),
)
_JOURNAL = Command(
    "journal",
    _journal,
    "what happened, last night for instance",
    (
        _STATE,
        argument("--since", metavar="TIME", help="30m, 2h, 3d, 21:14, 2026-11-22 or 2026-11-22T21:14"),
        argument("--connection", metavar="NAME", help="of this connection alone"),
        argument("--json", action="store_true", help="one JSON object a line"),
    ),
)
_OF_CONFIG = (
    Command("init", cli_config.init, "write a first settings file", (_CONFIG, _URL, _TOPICS)),
    Command("check", cli_config.check, "say whether the settings can be used", (_CONFIG, _STATE)),
    Command(
        "show",
        cli_config.show,
        "the values in force and where each comes from; secrets are masked",
        (_CONFIG, _STATE),
    ),
    Command("path", cli_config.path, "where the settings file is", (_CONFIG, _STATE)),
)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = output.Parser(
        prog=PROGRAM,
        description="Keeps Phoenix Channels connections alive and shows the health of each one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"overlay-supervisor {__version__}")
    _STATE(parser)
    _CONFIG(parser)
    parser.set_defaults(state=None, config=None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (_RUN, _ATTACH, _REPLAY):
        command.add_to(commands)
    # Parsed by tui.cli.ctl.main, the same as overlayctl; here for the help alone.
    ctl = commands.add_parser("ctl", add_help=False, help="ask or command a running engine: ctl --help")

    def misplaced(_: object) -> NoReturn:
        parser.error("options of ctl stand after it")

    ctl.set_defaults(action=misplaced, verb="ctl", fail=misplaced)
    config = commands.add_parser("config", allow_abbrev=False, help="write, check or show the settings")
    actions = config.add_subparsers(metavar="ACTION", required=True)
    for command in _OF_CONFIG:
        command.add_to(actions)
    _DEMO.add_to(commands)
    _SELFTEST.add_to(commands)
    check = _CHECK.add_to(commands)
    _JOURNAL.add_to(commands)

    def unusable(message: str) -> NoReturn:
        check.print_usage(sys.stderr)
        check.exit(CHECK_UNUSABLE, f"{check.prog}: error: {printable(message, 2000)}\n")

    check.error = unusable  # type: ignore[method-assign]  # monitoring systems take 2 for "critical"
    check.set_defaults(fail=unusable)
    return parser


if __name__ == "__main__":
    carry_out(lambda end: main(end=end))
