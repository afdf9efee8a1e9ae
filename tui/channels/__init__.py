"""A resilient client for Phoenix Channels; knows nothing of the supervisor around it.

The names are imported when they are first asked for: who wants a metric's shape must not wait for the socket.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.channels.channel import Channel
    from tui.channels.errors import (
        ChannelClosed,
        ChannelsError,
        NotConnectedError,
        PushDropped,
        ReplyError,
        ReplyTimeout,
    )
    from tui.channels.health import ConnectionDetails, ConnectionState, HealthMetrics, StateChange
    from tui.channels.options import PRESETS, Options, Unavailable
    from tui.channels.presence import Presence
    from tui.channels.push import Push
    from tui.channels.reporting import report_health
    from tui.channels.socket import Socket
    from tui.channels.wire import DecodeError, Message

_MODULES = {
    "channel": ("Channel",),
    "errors": (
        "ChannelClosed",
        "ChannelsError",
        "NotConnectedError",
        "PushDropped",
        "ReplyError",
        "ReplyTimeout",
    ),
    "health": ("ConnectionDetails", "ConnectionState", "HealthMetrics", "StateChange"),
    "options": ("PRESETS", "Options", "Unavailable"),
    "presence": ("Presence",),
    "push": ("Push",),
    "reporting": ("report_health",),
    "socket": ("Socket",),
    "wire": ("DecodeError", "Message"),
}

__all__ = [
    "PRESETS",
    "Channel",
    "ChannelClosed",
    "ChannelsError",
    "ConnectionDetails",
    "ConnectionState",
    "DecodeError",
    "HealthMetrics",
    "Message",
    "NotConnectedError",
    "Options",
    "Presence",
    "Push",
    "PushDropped",
    "ReplyError",
    "ReplyTimeout",
    "Socket",
    "StateChange",
    "Unavailable",
    "report_health",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
