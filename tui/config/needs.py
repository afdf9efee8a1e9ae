"""What settings need of the machine: packages of extras, and a program that can be run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from tui.channels.apart import answered_within
from tui.config.certificates import ANSWER_LIMIT
from tui.config.secret import LiteralSecret
from tui.config.values import Settings
from tui.connections.settings import ConnectionSettings
from tui.system.installation import Extra, is_installed, needs

_SOCKS = ("socks4", "socks5")
_MOST_FIRST_LINE = 256


def unmet_needs(settings: Settings) -> list[str]:
    """One line, with its place, for each setting that cannot work here. Looks into the file system."""
    missing = [(key, extra) for key, extra in _extras(settings) if not is_installed(extra)]
    # One command for all: the next one would take off what the one before has brought.
    extras = [extra for _, extra in missing]
    lines = [f"{settings.source_of(key)}: {key}: {needs(extra, *extras)}" for key, extra in missing]
    command = settings.incidents.command
    if command and (complaint := complaint_about_program(command[0])) is not None:
        place = settings.source_of("incidents.command")
        lines.append(f"{place}: incidents.command: {complaint}")
    return lines


def _extras(settings: Settings) -> Iterator[tuple[str, Extra]]:
    """The first setting that needs each extra."""
    if settings.services.endpoints:
        yield f"services.endpoints.{settings.services.endpoints[0].name}.url", "http"
    if settings.metrics.port:
        yield "metrics.port", "metrics"
    socks = (name for name, connection in settings.connections.items() if _goes_through_socks(connection))
    if (name := next(socks, None)) is not None:
        yield f"connections.{name}.proxy", "socks"


def _goes_through_socks(connection: ConnectionSettings) -> bool:
    """Whether its proxy speaks SOCKS; one that stands in a file or variable of its own is not read."""
    proxy = connection.options.proxy
    if isinstance(proxy, LiteralSecret):
        return proxy.begins_with(*_SOCKS)
    if proxy != "environment":
        return False
    from websockets.exceptions import InvalidProxy
    from websockets.uri import parse_uri

    from tui.channels.proxy import proxy_for

    try:
        found = proxy_for(parse_uri(connection.url), "environment")
    except (InvalidProxy, ValueError):
        # Told when it is connected, in words of its own.
        return False
    return found is not None and found.scheme.startswith(_SOCKS)


def complaint_about_program(program: str) -> str | None:
    """Why a program cannot be started; None when it can, as far as is seen, or its disk does not answer."""
    thing = ("program", program)
    try:
        return answered_within(ANSWER_LIMIT, thing, lambda: _complaint(program), f"program {program}")
    except TimeoutError:
        # For each call of it to tell.
        return None
    except OSError as error:
        return error.strerror


def _complaint(program: str) -> str | None:
    if "/" not in program:
        path = shutil.which(program)
        if path is None:
            return "no such program in the directories of PATH, or none that can be run"
        program = path
    if os.path.isdir(program):
        return "it is a directory, not a program"
    if os.path.exists(program) and not os.path.isfile(program):
        return "it is no file that can be run"
    if not os.path.exists(program):
        return "no such file"
    if not os.access(program, os.X_OK):
        return "it may not be executed; chmod +x changes that"
    try:
        with open(program, "rb") as file:
            begin = file.readline(_MOST_FIRST_LINE)
    except OSError:
        # One that may be run and not read.
        return None
    interpreter = begin[2:].split()[:1] if begin.startswith(b"#!") else []
    if interpreter and not os.path.exists(interpreter[0]):
        return "its first line names an interpreter that is not there"
    if begin.startswith(b"#!") and begin.rstrip(b"\n").endswith(b"\r"):
        return "its lines end as on Windows: its interpreter would be looked for under a name that ends so"
    return None
