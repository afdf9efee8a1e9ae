"""What settings need of the machine: packages of extras, certificates, and a program that can be run."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Iterator

from tui.channels.apart import answered_within, is_under_way
from tui.config.layers import SettingsError
from tui.config.secret import LiteralSecret
from tui.config.values import Settings
from tui.connections.settings import ConnectionSettings
from tui.system.installation import Extra, is_installed, needs

ANSWER_LIMIT = 1.0
"""Seconds for a file to answer."""
_SOCKS = ("socks4", "socks5")
_MOST_FIRST_LINE = 256


def check_needs(settings: Settings) -> None:
    """Look for what the settings need of this machine.

    Raises:
        SettingsError: a package of an extra is missing, or the incidents' command cannot be started.
    """
    missing = [(key, extra) for key, extra in _extras(settings) if not is_installed(extra)]
    # One command for all: the next one would take off what the one before has brought.
    extras = [extra for _, extra in missing]
    lines = [f"{settings.source_of(key)}: {key}: {needs(extra, *extras)}" for key, extra in missing]
    command = settings.incidents.command
    if command and (complaint := _complaint("program", command[0], _wrong_program)) is not None:
        place = settings.source_of("incidents.command")
        lines.append(f"{place}: incidents.command: {complaint}")
    if lines:
        raise SettingsError(*lines)


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


def complaint_about(ca_file: str) -> str | None:
    """What is wrong with a file of certificate authorities; None when it can be used, or does not answer."""
    return None if is_under_way(("ca_file", ca_file)) else _complaint("ca_file", ca_file, _wrong_certificates)


def _complaint(kind: str, path: str, look: Callable[[str], str | None]) -> str | None:
    """What a look finds wrong; nothing where the disk does not answer, which is for each use to tell."""
    try:
        return answered_within(ANSWER_LIMIT, (kind, path), lambda: look(path), f"{kind} {path}")
    except TimeoutError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _wrong_certificates(path: str) -> str | None:
    if not os.path.isfile(path):
        return "no such file"
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "not a PEM file of certificates"
    return None


def _wrong_program(program: str) -> str | None:
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
