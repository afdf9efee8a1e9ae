"""The settings: written, checked, shown."""

from __future__ import annotations

import argparse
import os

from tui.cli.output import OK, checked_keys, say_mistakes, say_nothing_to_run
from tui.system import output
from tui.system.output import FAILED, PROGRAM, USAGE, complain, put

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


def init(args: argparse.Namespace) -> int:
    """Write a first settings file, unless there is one."""
    import json

    from tui.config.load import CommandLine, SettingsError, connection_name, settings_of
    from tui.system.paths import settings_file

    url = args.url or "ws://localhost:4000/socket"
    try:
        settings_of(CommandLine(url=url, topics=tuple(args.topics)))
    except SettingsError as error:
        return say_mistakes(error)
    path = settings_file(args.config, os.environ).path
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
    return check(argparse.Namespace(config=str(path)))


def check(args: argparse.Namespace) -> int:
    """Say whether the settings can be used."""
    import asyncio

    from tui.config.load import (
        SettingsError,
        check_alert_rules,
        check_needs,
        load_settings,
        unreadable_secrets,
        warnings_of,
    )

    try:
        settings = load_settings(config=args.config)
    except SettingsError as error:
        return say_mistakes(error)
    if not settings.connections:
        return say_nothing_to_run(settings)
    try:
        checked_keys(settings)
        doubts = check_alert_rules(settings)
        check_needs(settings)
    except SettingsError as error:
        return say_mistakes(error)
    for line in (*warnings_of(settings), *doubts, *asyncio.run(unreadable_secrets(settings))):
        complain(PROGRAM, f"warning: {line}")
    place = settings.file or "environment"
    put(f"{place}: ok, {len(settings.connections)} connection(s): {', '.join(settings.connections)}")
    return OK


def show(args: argparse.Namespace) -> int:
    """The values in force, and where each comes from."""
    from tui.config.load import SettingsError, load_settings

    try:
        settings = load_settings(config=args.config)
    except SettingsError as error:
        return say_mistakes(error)
    for value in settings.sources:
        put(f"{value.key} = {value.text}  # {value.source}")
    if not settings.connections:
        output.say("no connection is set")
    return OK


def path(args: argparse.Namespace) -> int:
    """Where the settings file is."""
    from tui.system.paths import settings_file

    found = settings_file(args.config, os.environ)
    put(str(found.path))
    if not found.is_there:
        output.say("(it is not there yet)")
    return OK
