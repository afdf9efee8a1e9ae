"""What a supervised connection needs to know of the settings; no ``repr`` holds a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tui.channels import Options

Place = str | Callable[[], str]
"""Where a value stands, in words; or what finds out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A topic that a connection joins."""

    topic: str
    params: Any = field(default=None, repr=False)
    """The parameters of the join, as of :meth:`tui.channels.Socket.channel`."""


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
class EffectiveValue:
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
