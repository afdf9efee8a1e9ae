"""A resilient client for Phoenix Channels; knows nothing of the supervisor around it.

The names are imported when they are first asked for: who wants a metric's shape must not wait for the socket.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.channels.channel import Channel as Channel
    from tui.channels.errors import ChannelClosed as ChannelClosed
    from tui.channels.errors import ChannelsError as ChannelsError
    from tui.channels.errors import NotConnectedError as NotConnectedError
    from tui.channels.errors import PushDropped as PushDropped
    from tui.channels.errors import ReplyError as ReplyError
    from tui.channels.errors import ReplyTimeout as ReplyTimeout
    from tui.channels.health import ConnectionDetails as ConnectionDetails
    from tui.channels.health import ConnectionState as ConnectionState
    from tui.channels.health import HealthMetrics as HealthMetrics
    from tui.channels.health import StateChange as StateChange
    from tui.channels.options import PRESETS as PRESETS
    from tui.channels.options import Options as Options
    from tui.channels.options import Unavailable as Unavailable
    from tui.channels.presence import Presence as Presence
    from tui.channels.push import Push as Push
    from tui.channels.reporting import report_health as report_health
    from tui.channels.socket import Socket as Socket
    from tui.channels.wire import DecodeError as DecodeError
    from tui.channels.wire import Message as Message

_MODULES = {
    "channel": "Channel",
    "errors": "ChannelClosed ChannelsError NotConnectedError PushDropped ReplyError ReplyTimeout",
    "health": "ConnectionDetails ConnectionState HealthMetrics StateChange",
    "options": "PRESETS Options Unavailable",
    "presence": "Presence",
    "push": "Push",
    "reporting": "report_health",
    "socket": "Socket",
    "wire": "DecodeError Message",
}

__all__ = [name for names in _MODULES.values() for name in names.split()]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names.split():
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
