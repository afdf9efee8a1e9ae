"""The command line. Only what a command needs is imported, so that ``--help`` comes at once."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tui import __version__, output, tty
from tui.ending import End, carry_out
from tui.output import FAILED, PROGRAM, USAGE, complain, put
from tui.text.printable import printable

if TYPE_CHECKING:
    from tui.config import FaceSettings, Settings, SettingsError
    from tui.keymap import Keymap
    from tui.resources import Place

OK = 0

CHECK_UNUSABLE = 3
"""The status of ``check`` for a mistake in its usage or the settings, as monitoring plugins have it."""

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
        from tui import ctl

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
    attach.set_defaults(command=_attach)
    replay = commands.add_parser(
        "replay",
        parents=[config, state, face],
        allow_abbrev=False,
        help="what was on the screen, last night for instance",
        description="A screen on a recording or, where there is none, on the journal. Connects nothing.",
    )
    replay.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a recording, a folder of them or a state folder (the own one)",
    )
    replay.add_argument(
        "--at", metavar="TIME", help="30m, 2h, 21:14, 2026-11-22T21:14; an hour before the end unless given"
    )
    replay.set_defaults(command=_replay)
    # Parsed by tui.ctl, the same as overlayctl; here for the help alone.
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
    demo.set_defaults(command=_demo)
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
    run.add_argument(
        "--record",
        action="store_true",
        help="keep what is on the screen and every frame, for replay; at most 1 GB in the state folder",
    )
    run.set_defaults(command=_run, fail=run.error)


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
    init.set_defaults(command=_config_init)
    for name, command, words in (
        ("check", _config_check, "say whether the settings can be used"),
        ("show", _config_show, "the values in force and where each comes from; secrets are masked"),
        ("path", _config_path, "where the settings file is"),
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


def _say_mistakes(error: SettingsError) -> int:
    complain(PROGRAM, *error.lines)
    return USAGE


def _say_nothing_to_run(settings: Settings) -> int:
    if settings.file is not None:
        complain(PROGRAM, f"{settings.file}: no connection; expected [connections.NAME] with a url")
        return USAGE
    output.say(
        "overlay-supervisor demo          see it work, on a hub of its own",
        "overlay-supervisor config init   write a settings file for your own hub",
        "overlay-supervisor --help        everything else",
    )
    return USAGE


def _run(args: argparse.Namespace) -> int:
    from tui.config import CommandLine, SettingsError, check_needs, load_settings

    if args.url is None and (args.topics or args.preset):
        args.fail("--topic and --preset go with a URL; for settings they stand in the file")
    given = CommandLine(
        url=args.url,
        topics=tuple(args.topics),
        preset=args.preset,
        debug=args.debug,
        theme=args.theme,
        no_mouse=args.no_mouse,
    )

    def read_settings() -> Settings:
        settings = load_settings(config=_config(args), command_line=given)
        check_needs(settings)
        _keys(settings)
        return settings

    try:
        settings = read_settings()
    except SettingsError as error:
        return _say_mistakes(error)
    if not settings.connections:
        return _say_nothing_to_run(settings)
    try:
        keys = _keys(settings)
    except SettingsError as error:
        return _say_mistakes(error)
    if not args.headless and (problem := tty.problem(os.environ)):
        return _say_no_terminal(problem)
    from tui.resources import Unstartable
    from tui.session import run_face, run_headless

    try:
        if args.headless:
            return run_headless(
                read_settings, _place(args), args.report_interval, args.end, record=args.record
            )
        return run_face(read_settings, _place(args), keys, args.end, record=args.record)
    except Unstartable as error:
        complain(PROGRAM, str(error))
        return error.status


def _keys(settings: Settings) -> Keymap:
    """The keys of every action.

    Raises:
        SettingsError: keys that cannot be used, with their places.
    """
    from tui.config import SettingsError
    from tui.keymap import KeymapError, keymap

    try:
        return keymap(settings.keys)
    except KeymapError as error:
        lines = (
            f"{settings.source_of(f'keys.{action}')}: keys.{action}: {words}"
            for action, words in error.mistakes
        )
        raise SettingsError(*lines) from None


def _face(args: argparse.Namespace) -> tuple[FaceSettings, Keymap, str | None]:
    """Settings, keys and what is wrong with them, for a face that runs no connections of its own."""
    from tui.config import CommandLine, face_settings
    from tui.keymap import KeymapError, keymap

    given = CommandLine(theme=args.theme, no_mouse=args.no_mouse)
    face, keys, mistake = face_settings(given, config=_config(args))
    try:
        return face, keymap(keys), mistake
    except KeymapError as error:
        return face, keymap({}), f"keys not used: {error}"


def _place(args: argparse.Namespace) -> Place:
    from tui.control.protocol import ControlError, socket_path
    from tui.places import state_folder
    from tui.resources import Place, Unstartable

    folder = state_folder(_state(args), os.environ)
    try:
        socket = socket_path(args.socket, folder, os.environ)
    except ControlError as error:
        raise Unstartable(str(error)) from None
    return Place(folder, socket, getattr(args, "log_level", "info"))


def _attach(args: argparse.Namespace) -> int:
    if problem := tty.problem(os.environ):
        return _say_no_terminal(problem, "overlay-supervisor ctl status asks without a screen")
    from tui.resources import Unstartable
    from tui.session import run_attached

    face, keys, mistake = _face(args)
    try:
        return run_attached(_place(args), face, keys, mistake, args.end)
    except Unstartable as error:
        complain(PROGRAM, str(error))
        return FAILED


def _replay(args: argparse.Namespace) -> int:
    if problem := tty.problem(os.environ):
        return _say_no_terminal(problem, "overlay-supervisor journal prints what happened without a screen")
    from tui.places import state_folder
    from tui.replay.opening import ReplayError
    from tui.session import run_replay
    from tui.store.journal import parse_since

    folder = state_folder(_state(args), os.environ)
    try:
        when = None
        if args.at is not None:
            now = time.time()
            parse_since(args.at, now)
            when = partial(parse_since, args.at, now)
    except ValueError as error:
        complain(PROGRAM, f"--at: {error}")
        return USAGE
    face, keys, mistake = _face(args)
    try:
        path = Path(args.file).expanduser() if args.file else folder
        return run_replay(path, when, folder, face, keys, mistake, args.end)
    except ReplayError as error:
        complain(PROGRAM, str(error))
        return FAILED


def _demo(args: argparse.Namespace) -> int:
    if not args.headless and (problem := tty.problem(os.environ)):
        return _say_no_terminal(problem)
    from tui.resources import Unstartable
    from tui.session import run_demo

    face, keys, _ = _face(args)
    state = _state(args)
    try:
        return run_demo(
            headless=args.headless,
            duration=args.duration,
            log_level=args.log_level,
            report_interval=args.report_interval,
            settings=face,
            keys=keys,
            end=args.end,
            state_folder=None if state is None else Path(state).expanduser(),
            staged=not args.calm,
            dialect=args.dialect,
        )
    except Unstartable as error:
        complain(PROGRAM, str(error))
        return error.status


def _selftest(args: argparse.Namespace) -> int:
    from tui.selftest import main as check

    if args.url is not None:
        from tui.config import CommandLine, SettingsError, settings_of

        try:
            settings_of(CommandLine(url=args.url, topics=(args.topic,) if args.topic else ()))
        except SettingsError as error:
            return _say_mistakes(error)
    return check(args.url, args.topic, args.json)


def _check(args: argparse.Namespace) -> int:
    import asyncio

    from tui import check
    from tui.config import SettingsError, load_settings

    if args.running:
        # What it was started with is its own affair: no settings are needed to ask it.
        return _check_running(args)
    try:
        settings = load_settings(config=_config(args))
    except SettingsError as error:
        _say_mistakes(error)
        return CHECK_UNUSABLE
    if not settings.connections:
        _say_nothing_to_run(settings)
        return CHECK_UNUSABLE
    findings = asyncio.run(check.once(settings.connections.values(), args.timeout, settings.alerts))
    return check.report(findings)


def _check_running(args: argparse.Namespace) -> int:
    from tui import check
    from tui.control.remote import RemoteEngine
    from tui.resources import Unstartable

    try:
        engine = RemoteEngine(_place(args).socket)
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
    from tui import journal_view
    from tui.places import state_folder

    folder = state_folder(_state(args), os.environ)
    return journal_view.main(folder, since=args.since, connection=args.connection, as_json=args.json)


def _say_no_terminal(problem: str, instead: str = "--headless prints JSON lines instead") -> int:
    complain(PROGRAM, f"{problem}; {instead}")
    return USAGE


def _state(args: argparse.Namespace) -> str | None:
    state: str | None = getattr(args, "state", None)
    return state


def _config(args: argparse.Namespace) -> str | None:
    config: str | None = getattr(args, "config", None)
    return config


_FIRST_SETTINGS = """\
# Settings of overlay-supervisor. "overlay-supervisor config show" prints every setting that is in
# force and where it comes from, "overlay-supervisor config check" says whether they can be used.

[connections.{name}]
# As given to phoenix.js: /websocket is added. It may hold no secret.
url = {url}
topics = [{topics}]
# Back within seconds of a restart of the server. The others: "service", "overlay".
preset = "live"

# A token never has to stand here:
# auth_token = {{ env = "HUB_TOKEN" }}
# params = {{ token = {{ file = "hub_token.txt" }} }}

# What viewers do can be shown on the overlays, one alert at a time: [alerts] in config.example.toml.
"""


def _config_init(args: argparse.Namespace) -> int:
    import json

    from tui.config import CommandLine, SettingsError, connection_name, settings_of
    from tui.places import settings_file

    url = args.url or "ws://localhost:4000/socket"
    try:
        settings_of(CommandLine(url=url, topics=tuple(args.topics)))
    except SettingsError as error:
        return _say_mistakes(error)
    path = settings_file(_config(args), os.environ).path
    text = _FIRST_SETTINGS.format(
        name=connection_name(url) if args.url else "hub",
        url=json.dumps(url, ensure_ascii=False),
        topics=", ".join(json.dumps(topic, ensure_ascii=False) for topic in args.topics),
    )
    try:
        if os.path.lexists(path):
            complain(PROGRAM, f"{path}: already there, left as it is")
            return USAGE
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        complain(PROGRAM, f"{path}: {error.strerror or type(error).__name__}")
        return FAILED
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    put(f"wrote {path}")
    return _config_check(argparse.Namespace(config=str(path)))


def _config_check(args: argparse.Namespace) -> int:
    import asyncio

    from tui.config import (
        SettingsError,
        check_alert_rules,
        check_needs,
        load_settings,
        unreadable_secrets,
        warnings_of,
    )

    try:
        settings = load_settings(config=_config(args))
    except SettingsError as error:
        return _say_mistakes(error)
    if not settings.connections:
        return _say_nothing_to_run(settings)
    try:
        _keys(settings)
        doubts = check_alert_rules(settings)
        check_needs(settings)
    except SettingsError as error:
        return _say_mistakes(error)
    for line in (*warnings_of(settings), *doubts, *asyncio.run(unreadable_secrets(settings))):
        complain(PROGRAM, f"warning: {line}")
    place = settings.file or "environment"
    put(f"{place}: ok, {len(settings.connections)} connection(s): {', '.join(settings.connections)}")
    return OK


def _config_show(args: argparse.Namespace) -> int:
    from tui.config import SettingsError, load_settings

    try:
        settings = load_settings(config=_config(args))
    except SettingsError as error:
        return _say_mistakes(error)
    for value in settings.sources:
        put(f"{value.key} = {value.text}  # {value.source}")
    if not settings.connections:
        output.say("no connection is set")
    return OK


def _config_path(args: argparse.Namespace) -> int:
    from tui.places import settings_file

    found = settings_file(_config(args), os.environ)
    put(str(found.path))
    if not found.is_there:
        output.say("(it is not there yet)")
    return OK


if __name__ == "__main__":
    carry_out(lambda end: main(end=end))
