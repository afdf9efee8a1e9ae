"""A resilient client for Phoenix Channels; knows nothing of the supervisor around it."""

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
