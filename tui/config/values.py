"""What settings come to: plain, frozen values, whose ``repr`` holds no secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tui.alerts.options import AlertOptions
from tui.channels.options import Options
from tui.config.secret import SecretTable
from tui.incidents.options import IncidentsOptions
from tui.metrics.options import MetricsOptions
from tui.model.incidents import IncidentSeverity
from tui.services.options import JournalOptions, ServicesOptions

Place = str | Callable[[], str]
"""Where a value stands, in words; or what finds out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """What a command line sets."""

    url: str | None = None
    """Run this connection alone, in place of those in the file and the environment."""
    topics: tuple[str, ...] = ()
    preset: str | None = None
    """For ``url``; None means ``live``."""
    debug: bool = False
    theme: str | None = None
    no_mouse: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A topic that a connection joins."""

    topic: str
    params: SecretTable | Mapping[str, Any] | None = field(default=None, repr=False)
    """The parameters of the join. A table reads them anew at each, and may raise ``SecretError``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionSettings:
    """One connection to keep alive."""

    name: str
    label: str
    """What to call it on a screen; the name unless set."""
    url: str
    """``ws://`` or ``wss://``, without ``/websocket``; holds no secret."""
    topics: tuple[Topic, ...]
    options: Options
    """Every secret in it is an async function that reads it anew and may raise ``SecretError``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppSettings:
    """How the screen looks and behaves."""

    theme: str | None = None
    """None for the one of the last run, else ``dark``."""
    mouse: bool = True
    bell: bool = False
    """Ring once when the worst state becomes worse."""
    on_hangup: Literal["quit", "keep"] = "quit"
    """What happens when the terminal goes away: everything ends, or the connections are kept."""
    refresh: float = 1.0
    """Seconds between repaints of what merely ticks."""
    toast_from: IncidentSeverity | None = "warning"
    """Of ``[incidents]``: which ones are told in the last row; None for none."""
    bell_from: IncidentSeverity | None = None
    """The same for the terminal's bell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """One value in force and the place that it comes from."""

    key: str
    """Such as ``connections.hub.url``."""
    text: str
    """The value as TOML, each secret masked as ``***``."""
    place: Place = field(repr=False, compare=False)

    @property
    def source(self) -> str:
        """Where it comes from, such as ``/etc/supervisor.toml:12``, ``preset live`` or ``default``.

        A line is looked for now, when it is to be shown: of a thousand settings, few ever are.
        """
        return self.place if isinstance(self.place, str) else self.place()


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Valid settings. Their ``repr`` holds no secret."""

    connections: Mapping[str, ConnectionSettings]
    debug: bool
    sources: tuple[InForce, ...] = field(repr=False)
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
