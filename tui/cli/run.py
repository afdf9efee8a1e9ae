"""The commands that open a screen, or run without one: run, attach, replay, demo."""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.app import tty
from tui.cli.output import checked_keys, say_mistakes, say_no_terminal, say_nothing_to_run
from tui.system.output import FAILED, PROGRAM, USAGE, complain

if TYPE_CHECKING:
    from tui.app.keymap import Keymap
    from tui.config.load import AppSettings, Settings
    from tui.runtime.resources import RunPaths


def run(args: argparse.Namespace) -> int:
    """Keep the connections alive, with a screen or without."""
    from tui.config.load import CommandLine, SettingsError, check_needs, load_settings

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
        settings = load_settings(config=args.config, command_line=given)
        check_needs(settings)
        checked_keys(settings)
        return settings

    try:
        settings = read_settings()
    except SettingsError as error:
        return say_mistakes(error)
    if not settings.connections:
        return say_nothing_to_run(settings)
    if not args.headless and (problem := tty.problem(os.environ)):
        return say_no_terminal(problem)
    from tui.runtime import session
    from tui.runtime.resources import StartupError

    try:
        return session.run(
            read_settings,
            run_paths(args),
            None if args.headless else checked_keys(settings),
            args.end,
            report_interval=args.report_interval,
        )
    except StartupError as error:
        complain(PROGRAM, str(error))
        return error.status


def _face(args: argparse.Namespace) -> tuple[AppSettings, Keymap, str | None]:
    """Settings, keys and what is wrong with them, for a face that runs no connections of its own."""
    from tui.app.keymap import KeymapError, keymap
    from tui.config.load import CommandLine, face_settings

    given = CommandLine(theme=args.theme, no_mouse=args.no_mouse)
    face, keys, mistake = face_settings(given, config=args.config)
    try:
        return face, keymap(keys), mistake
    except KeymapError as error:
        return face, keymap({}), f"keys not used: {error}"


def run_paths(args: argparse.Namespace) -> RunPaths:
    """The state folder and the control socket that the arguments name.

    Raises:
        StartupError: the socket cannot be used.
    """
    from tui.control.protocol import ControlError, socket_path
    from tui.runtime.resources import RunPaths, StartupError
    from tui.system.paths import state_folder

    folder = state_folder(args.state, os.environ)
    try:
        socket = socket_path(args.socket, folder, os.environ)
    except ControlError as error:
        raise StartupError(str(error)) from None
    return RunPaths(folder, socket, getattr(args, "log_level", "info"))


def attach(args: argparse.Namespace) -> int:
    """A screen on an engine that runs already."""
    if problem := tty.problem(os.environ):
        return say_no_terminal(problem, "overlay-supervisor ctl status asks without a screen")
    from tui.runtime.resources import StartupError
    from tui.runtime.session import run_attached

    face, keys, mistake = _face(args)
    try:
        return run_attached(run_paths(args), face, keys, mistake, args.end)
    except StartupError as error:
        complain(PROGRAM, str(error))
        return FAILED


def replay(args: argparse.Namespace) -> int:
    """A screen on what was."""
    if problem := tty.problem(os.environ):
        return say_no_terminal(problem, "overlay-supervisor journal prints what happened without a screen")
    from tui.replay.engine import ReplayError
    from tui.runtime.session import run_replay
    from tui.store.journal import parse_since
    from tui.system.paths import state_folder

    folder = state_folder(args.state, os.environ)
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


def demo(args: argparse.Namespace) -> int:
    """The program on an embedded hub."""
    if not args.headless and (problem := tty.problem(os.environ)):
        return say_no_terminal(problem)
    from tui.runtime.resources import StartupError
    from tui.runtime.session import run_demo

    face, keys, _ = _face(args)
    state = args.state
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
    except StartupError as error:
        complain(PROGRAM, str(error))
        return error.status
