"""The ``check`` command: connects, joins and heartbeats each connection once, for a monitoring system."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterable
from typing import NamedTuple

from tui.alerts.options import AlertOptions
from tui.channels import Channel, ChannelsError, Socket
from tui.config.join_as import Naming
from tui.connections.settings import ConnectionSettings
from tui.model.known import not_present
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.system.output import PROGRAM, settled
from tui.text.formats import noted_state
from tui.text.printable import printable

OK, WARNING, CRITICAL = 0, 1, 2
"""Exit statuses, as Nagios plugins have them."""

MOST_LINE = 4000
"""Characters of a line: as much as monitoring systems take."""

_GAVE_UP = "gave up: "  # after one attempt by design: that it was the last is no news
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class Finding(NamedTuple):
    """What is known of one connection."""

    name: str
    status: int
    message: str

    def __str__(self) -> str:
        return f"{_WORDS[self.status]} {self.name}: {self.message}"


async def once(
    connections: Iterable[ConnectionSettings], limit: float, alerts: AlertOptions | None = None
) -> list[Finding]:
    """Connect and join each connection once, all at the same time.

    Args:
        limit: seconds for all of one connection; what has not come by then is not there.
        alerts: what is set up of them: as whom we join.
    """
    named = Naming().named(connections, alerts.delivery if alerts else None)
    return list(await asyncio.gather(*(_check(settings, limit) for settings in named)))


async def _check(settings: ConnectionSettings, limit: float) -> Finding:
    # One attempt: what a retry would hide is what is asked for.
    options = dataclasses.replace(settings.options, max_reconnect_attempts=0, revive_after="never")
    socket = Socket(settings.url, options)
    channels = [socket.channel(topic.topic, topic.params) for topic in settings.topics]
    begun = time.monotonic()
    try:
        async with asyncio.timeout(limit):
            await socket.connect()
            took = time.monotonic() - begun
            refusals = [words for words in await asyncio.gather(*map(_join, channels)) if words]
    except TimeoutError:
        return Finding(settings.name, CRITICAL, _too_late(socket, channels, limit))
    except ChannelsError as error:
        return Finding(settings.name, CRITICAL, str(error).removeprefix(_GAVE_UP))
    finally:
        await socket.close()
    joined = f"{len(channels) - len(refusals)}/{len(channels)} topics joined"
    if refusals:
        return Finding(settings.name, WARNING, f"connected, {joined}; {'; '.join(refusals)}")
    return Finding(settings.name, OK, f"heartbeat answered in {took * 1000:.0f} ms, {joined}")


async def _join(channel: Channel) -> str | None:
    try:
        await channel.join()
    except ChannelsError as error:
        return str(error)
    return None


def _too_late(socket: Socket, channels: list[Channel], limit: float) -> str:
    if not socket.is_connected:
        if socket.is_open:
            return f"no answer to the first heartbeat within {limit:g} s"
        reason = socket.details().reason
        return reason.removeprefix(_GAVE_UP) if reason else str(socket.gave_up_opening(limit))
    waiting = [channel.topic for channel in channels if channel.state != "joined"]
    return f"connected, but no answer to the join of {', '.join(waiting)} within {limit:g} s"


def running(snapshot: Snapshot, now: float) -> list[Finding]:
    """What a running engine knows of its connections, unless it knows nothing any more."""
    if (stale := not_present(snapshot, now)) is not None:
        return [Finding("engine", CRITICAL, stale.reason)]
    return [_finding(connection, now) for connection in snapshot.connections]


def _finding(connection: ConnectionSnapshot, now: float) -> Finding:
    state = connection.metrics.connection_state
    waiting = [channel for channel in connection.channels if channel.is_missed]
    trouble = connection.trouble
    if state != "connected":
        # Disconnected is what somebody asked for: worth a word, not an alarm.
        failed = state == "failed" or (trouble is not None and trouble.state == "failed")
        reason = trouble.message if trouble is not None else connection.details.reason
        words = f"{state}: {reason}" if reason else state
        return Finding(connection.name, CRITICAL if failed else WARNING, words)
    joined = f"{len(connection.channels) - len(waiting)}/{len(connection.channels)} topics joined"
    if waiting:
        joined += "".join(f"; {channel.topic}: {channel.reason or channel.state}" for channel in waiting)
    since = connection.details.heartbeats_unanswered_since
    is_well = not waiting and since is None
    return Finding(connection.name, OK if is_well else WARNING, f"{noted_state(state, since, now)}, {joined}")


def report(findings: list[Finding]) -> int:
    """Print a line each, the worst first; the exit status is the worst, printed or not."""
    worst = max((finding.status for finding in findings), default=OK)
    lines = [printable(str(each), MOST_LINE) for each in sorted(findings, key=lambda each: -each.status)]
    return settled(PROGRAM, worst, *lines)
