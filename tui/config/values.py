"""What settings come to: plain, frozen values, whose ``repr`` holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from tui.alerts.options import AlertOptions
from tui.connections.settings import ConnectionSettings, EffectiveValue
from tui.incidents.options import IncidentsOptions, SeverityOrNone
from tui.metrics.options import MetricsOptions
from tui.services.options import JournalOptions, ServicesOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    url: str | None = None
    """Run this connection alone, in place of those in the file and the environment."""
    topics: tuple[str, ...] = ()
    preset: str | None = None
    """For ``url``; None means ``live``."""
    debug: bool = False
    theme: str | None = None
    no_mouse: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AppSettings:
    """How the screen looks and behaves. Taken from here at the start of run, demo and attach."""

    theme: Literal["dark", "light", "ansi-dark", "ansi-light"] | None = None
    """The colours: "dark", "light", "ansi-dark" or "ansi-light"; the last two use those of the terminal. Not
    set by default: then it is the one that was chosen last, at first "dark". NO_COLOR in the environment
    means none."""
    mouse: bool = True
    """Take clicks and the wheel. With false, or --no-mouse, the mouse is left to the terminal and to tmux."""
    bell: bool = False
    """Ring the terminal's bell once when the worst state becomes worse."""
    on_hangup: Literal["quit", "keep"] = "quit"
    """When the terminal goes away: "quit" ends everything, "keep" keeps the connections without a screen."""
    refresh: Annotated[float, Meta(ge=0.25, le=60)] = 1.0
    """Time between repaints of what merely ticks. A change of state is shown at once."""
    toast_from: SeverityOrNone = "warning"
    """Of ``[incidents]``: which ones are told in the last row; None for none."""
    bell_from: SeverityOrNone = None
    """The same for the terminal's bell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    connections: Mapping[str, ConnectionSettings]
    debug: bool
    sources: tuple[EffectiveValue, ...] = field(repr=False)
    """Every value in force, in the order of the example settings."""
    file: Path | None
    """The file that was read; None when there was none."""
    app: AppSettings = AppSettings()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys by the id of the action that they are set for; checked by nobody yet."""

    alerts: AlertOptions | None = None
    """None where ``[alerts]`` says nothing, and there is no queue."""
    services: ServicesOptions = field(default_factory=ServicesOptions)
    incidents: IncidentsOptions = field(default_factory=IncidentsOptions)
    journal: JournalOptions = field(default_factory=JournalOptions)
    metrics: MetricsOptions = field(default_factory=MetricsOptions)

    def source_of(self, key: str) -> str:
        """The place of a value in force, such as ``keys.quit``."""
        return next((each.source for each in self.sources if each.key == key), "settings")
