"""What the commands say alike, and the exit statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.system import output
from tui.system.output import PROGRAM, USAGE, complain

if TYPE_CHECKING:
    from tui.app.keymap import Keymap
    from tui.config.load import Settings, SettingsError

OK = 0

CHECK_UNUSABLE = 3
"""The status of ``check`` for a mistake in its usage or the settings, as monitoring plugins have it."""


def say_mistakes(error: SettingsError) -> int:
    """Say why the settings cannot be used; returns the exit status."""
    complain(PROGRAM, *error.lines)
    return USAGE


def say_nothing_to_run(settings: Settings) -> int:
    """Say how to begin; returns the exit status."""
    if settings.file is not None:
        complain(PROGRAM, f"{settings.file}: no connection; expected [connections.NAME] with a url")
        return USAGE
    output.say(
        "overlay-supervisor demo          see it work, on a hub of its own",
        "overlay-supervisor config init   write a settings file for your own hub",
        "overlay-supervisor --help        everything else",
    )
    return USAGE


def say_no_terminal(problem: str, instead: str = "--headless prints JSON lines instead") -> int:
    """Say why no screen can be shown, and what to do; returns the exit status."""
    complain(PROGRAM, f"{problem}; {instead}")
    return USAGE


def checked_keys(settings: Settings) -> Keymap:
    """The keys of every action.

    Raises:
        SettingsError: keys that cannot be used, with their places.
    """
    from tui.app.keymap import KeymapError, keymap
    from tui.config.load import SettingsError

    try:
        return keymap(settings.keys)
    except KeymapError as error:
        lines = (
            f"{settings.source_of(f'keys.{action}')}: keys.{action}: {words}"
            for action, words in error.mistakes
        )
        raise SettingsError(*lines) from None
