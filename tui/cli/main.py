"""The command line. Only what a command needs is imported, so that ``--help`` comes at once."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from tui import __version__
from tui.cli import config as cli_config
from tui.cli import run as cli_run
from tui.cli.output import CHECK_UNUSABLE, config_of, say_mistakes, say_nothing_to_run, state_of
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
        fail = getattr(args, "fail", parser.error)
        fail(f"unrecognized arguments: {' '.join(unknown)}")
    args.end = end
    return int(args.command(args))


def _names_a_command(arguments: list[str]) -> bool:
    return any(word in (*_COMMANDS, "-h", "--help", "--version") for word in arguments)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = output.Parser(
        prog=PROGRAM,
        description="Keeps Phoenix Channels connections alive and shows the health of each one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"overlay-supervisor {__version__}")
    state = argparse.ArgumentParser(add_help=False)
    for place in (parser, state):
        place.add_argument(
            "--state",
            metavar="FOLDER",
            default=argparse.SUPPRESS,
            help="folder of the log, else $OVERLAY_SUPERVISOR_STATE, else $XDG_STATE_HOME/overlay-supervisor",
        )
    config = argparse.ArgumentParser(add_help=False)
    for place in (parser, config):
        place.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="settings file")
    log = argparse.ArgumentParser(add_help=False)
    log.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    headless = argparse.ArgumentParser(add_help=False)
    headless.add_argument("--headless", action="store_true", help="no screen: JSON lines on standard output")
    headless.add_argument(
        "--report-interval",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="time between two metrics lines of --headless (10)",
    )

    face = argparse.ArgumentParser(add_help=False)
    face.add_argument("--theme", choices=("dark", "light", "ansi-dark", "ansi-light"), help="of the screen")
    face.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal and tmux")

    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    socket = argparse.ArgumentParser(add_help=False)
    socket.add_argument(
        "--socket",
        metavar="PATH",
        help="control socket, else $OVERLAY_SUPERVISOR_SOCKET, else one in the state folder",
    )
    _add_run(commands, [config, headless, log, state, socket, face])
    attach = commands.add_parser(
        "attach",
        parents=[config, state, socket, face],
        allow_abbrev=False,
        help="a screen on an engine that runs already",
    )
    attach.set_defaults(command=cli_run.attach)
    replay = commands.add_parser(
        "replay",
        parents=[config, state, face],
        allow_abbrev=False,
        help="what was on the screen, last night for instance",
        description="A screen on the journal. Connects nothing.",
    )
    replay.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a state folder, or its journal (the own one)",
    )
    replay.add_argument(
        "--at", metavar="TIME", help="30m, 2h, 21:14, 2026-11-22T21:14; an hour before the end unless given"
    )
    replay.set_defaults(command=cli_run.replay)
    # Parsed by tui.cli.ctl.main, the same as overlayctl; here for the help alone.
    ctl = commands.add_parser("ctl", add_help=False, help="ask or command a running engine: ctl --help")

    def misplaced(_: object) -> NoReturn:
        parser.error("options of ctl stand after it")

    ctl.set_defaults(command=misplaced, fail=misplaced)
    _add_config(commands, config, state)
    demo = commands.add_parser(
        "demo",
        parents=[config, headless, log, face],
        allow_abbrev=False,
        help="the program on an embedded hub with staged faults",
    )
    demo.add_argument(
        "--state",
        metavar="FOLDER",
        default=argparse.SUPPRESS,
        help="keep its alerts there for the next time; a folder for the demo alone",
    )
    demo.add_argument("--duration", metavar="SECONDS", type=_seconds, help="end by itself after so long")
    demo.add_argument(
        "--calm", action="store_true", help="no faults but those that you fire from the palette"
    )
    demo.add_argument(
        "--dialect",
        choices=_DIALECTS,
        default="telemetry",
        help="which hub: a polite one, or the real one at three moments (%(default)s)",
    )
    demo.set_defaults(command=cli_run.demo)
    selftest = commands.add_parser(
        "selftest",
        allow_abbrev=False,
        help="check connecting, reconnecting, the circuit breaker and the metrics",
    )
    selftest.add_argument("--url", help="a live server, such as ws://hub:4000/socket; else an embedded hub")
    selftest.add_argument("--topic", help="a topic to join there")
    selftest.add_argument("--json", action="store_true", help="the result as JSON")
    selftest.set_defaults(command=_selftest)
    _add_check(commands, [config, state, socket])
    journal = commands.add_parser(
        "journal", parents=[state], allow_abbrev=False, help="what happened, last night for instance"
    )
    journal.add_argument("--since", metavar="TIME", help="30m, 2h, 3d, 21:14, 2026-11-22 or 2026-11-22T21:14")
    journal.add_argument("--connection", metavar="NAME", help="of this connection alone")
    journal.add_argument("--json", action="store_true", help="one JSON object a line")
    journal.set_defaults(command=_journal)
    return parser


if TYPE_CHECKING:
    # The type has no public name, and takes no parameter while the program runs.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def _add_run(commands: Commands, parents: list[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        parents=parents,
        allow_abbrev=False,
        help="keep the connections alive and show them",
        description="With a URL, that connection alone is run, in place of those in the settings.",
    )
    run.add_argument("url", metavar="URL", nargs="?", help="such as ws://hub:4000/socket")
    run.add_argument(
        "-t", "--topic", metavar="TOPIC", dest="topics", action="append", default=[], help="join it"
    )
    run.add_argument("--preset", choices=("service", "overlay", "live"), help="for URL (live)")
    run.add_argument("--debug", action="store_true", help="show the indicator even when all is well")
    run.set_defaults(command=cli_run.run, fail=run.error)


def _add_config(
    commands: Commands,
    config: argparse.ArgumentParser,
    state: argparse.ArgumentParser,
) -> None:
    group = commands.add_parser("config", allow_abbrev=False, help="write, check or show the settings")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser(
        "init", parents=[config], allow_abbrev=False, help="write a first settings file"
    )
    init.add_argument("url", metavar="URL", nargs="?", help="such as ws://hub:4000/socket")
    init.add_argument(
        "-t", "--topic", metavar="TOPIC", dest="topics", action="append", default=[], help="join it"
    )
    init.set_defaults(command=cli_config.init)
    for name, command, words in (
        ("check", cli_config.check, "say whether the settings can be used"),
        ("show", cli_config.show, "the values in force and where each comes from; secrets are masked"),
        ("path", cli_config.path, "where the settings file is"),
    ):
        action = actions.add_parser(name, parents=[config, state], allow_abbrev=False, help=words)
        action.set_defaults(command=command)


def _add_check(commands: Commands, parents: list[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        parents=parents,
        allow_abbrev=False,
        help="connect, join and heartbeat each connection once, for a monitoring system",
    )
    check.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=10.0, help="for each connection (10)"
    )
    check.add_argument("--running", action="store_true", help="ask the running engine instead")

    def unusable(message: str) -> NoReturn:
        check.print_usage(sys.stderr)
        check.exit(CHECK_UNUSABLE, f"{check.prog}: error: {printable(message, 2000)}\n")

    check.error = unusable  # type: ignore[method-assign]  # monitoring systems take 2 for "critical"
    check.set_defaults(command=_check, fail=unusable)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, at most {_MAX_SECONDS:g}")
    return seconds


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
        settings = load_settings(config=config_of(args))
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
    from tui.control.remote import RemoteEngine
    from tui.runtime.resources import Unstartable

    try:
        engine = RemoteEngine(cli_run.run_paths(args).socket)
    except Unstartable as error:
        complain(PROGRAM, str(error))
        return CHECK_UNUSABLE
    engine.start(wait=args.timeout)
    try:
        snapshot = engine.snapshot()
    finally:
        engine.close()
    return check.report(check.running(snapshot, time.time()))


def _journal(args: argparse.Namespace) -> int:
    from tui.cli import journal as journal_view
    from tui.system.paths import state_folder

    folder = state_folder(state_of(args), os.environ)
    return journal_view.main(folder, since=args.since, connection=args.connection, as_json=args.json)


if __name__ == "__main__":
    carry_out(lambda end: main(end=end))
