"""Where the settings file and the state folder are, by the XDG rules. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PROGRAM = "overlay-supervisor"
CONFIG_VARIABLE = "OVERLAY_SUPERVISOR_CONFIG"
STATE_VARIABLE = "OVERLAY_SUPERVISOR_STATE"
SOCKET_VARIABLE = "OVERLAY_SUPERVISOR_SOCKET"


class SettingsFile(NamedTuple):
    """The settings file that would be read."""

    path: Path
    named_by: str | None
    """``--config`` or the variable that names it; None for the XDG place, which may be absent."""

    @property
    def is_there(self) -> bool:
        """False where there is none; where that cannot be known, reading it tells why."""
        try:
            os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True


def settings_file(config: str | None, environ: Mapping[str, str]) -> SettingsFile:
    """The file of ``--config``, else of ``$OVERLAY_SUPERVISOR_CONFIG``, else the XDG place."""
    if config:
        return SettingsFile(_path(config), "--config")
    if named := environ.get(CONFIG_VARIABLE):
        return SettingsFile(_path(named), CONFIG_VARIABLE)
    return SettingsFile(_xdg("XDG_CONFIG_HOME", ".config", environ) / "config.toml", None)


def state_folder(state: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of ``--state``, else of ``$OVERLAY_SUPERVISOR_STATE``, else the XDG place."""
    if named := state or environ.get(STATE_VARIABLE):
        return _path(named)
    return _xdg("XDG_STATE_HOME", ".local/state", environ)


def _path(named: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(named)))


def _xdg(variable: str, below_home: str, environ: Mapping[str, str]) -> Path:
    base = environ.get(variable, "")
    # The XDG rules: a relative path is invalid and is ignored.
    if not os.path.isabs(base):
        home = environ.get("HOME") or os.path.expanduser("~")
        base = os.path.join(home, below_home)
    return Path(base) / PROGRAM
