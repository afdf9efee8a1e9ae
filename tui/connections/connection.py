"""One supervised connection: a socket, its channels, and what a face is told of them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tui.channels import ChannelsError, ConnectionDetails, NotConnectedError, Socket, StateChange
from tui.channels.clock import Clock
from tui.channels.connection import open_link
from tui.channels.errors import ReplyError
from tui.channels.inspector import InspectedFrame
from tui.channels.link import Opener
from tui.channels.loop_delay import LoopDelay
from tui.channels.wire import Reply
from tui.connections.channel import SupervisedChannel
from tui.connections.frames import Frames
from tui.connections.history import History
from tui.connections.minutes import DAY, HOUR
from tui.connections.settings import ConnectionSettings, EffectiveValue, Topic
from tui.connections.trouble import TroubleTracker
from tui.model.events import ChannelChanged, StateChanged
from tui.model.incidents import LineSeverity
from tui.model.snapshot import CommandResult, ConnectionHistory, ConnectionSnapshot, EffectiveSetting
from tui.store.event_log import ChangeLog
from tui.text.json_text import json_text
from tui.text.secret_values import masked_bytes, masked_json

_RATE_WINDOW = 5.0
_REPLY_LIMIT = 64 * 1024
"""Characters of a reply in a message."""
MAX_REPLY = 1024 * 1024
"""Bytes of a reply that is passed on whole."""
_NOTE_LOSSES_EVERY = 60.0

_LOSSES = {
    "dropped_messages": "messages dropped (handler queue full)",
    "dropped_pushes": "pushes dropped (push buffer full)",
    "undecodable": "frames or payloads did not decode",
    "handler_errors": "handlers raised",
}
"""What may be lost, by its name in the details."""


def result_of(reply: Reply, error: ReplyError | None = None) -> CommandResult:
    """A reply in words and, where it is not too long, whole; of an ``error`` the words are its own."""
    size = len(reply.raw)
    # Cut before it is decoded: it may be 16 MiB.
    raw = reply.raw if size <= MAX_REPLY else reply.raw[:_REPLY_LIMIT]
    said = masked_bytes(raw).hex() if reply.binary else masked_json(raw.decode(errors="replace"))
    whole: str | None = json_text(said) if reply.binary else said
    message = said
    if size > MAX_REPLY:
        message = f"the reply has {size} bytes, more than {MAX_REPLY}; it begins: {said[:_REPLY_LIMIT]}"
        whole = None
    elif len(said) > _REPLY_LIMIT:
        message = f"{said[:_REPLY_LIMIT]}… (the first {_REPLY_LIMIT} of {len(said)} characters)"
    return CommandResult(ok=error is None, message=str(error or message), reply=whole)


class SupervisedConnection:
    """A socket with its topics, its troubles and its rates.

    Args:
        changed: called with each state change of the socket, exactly as it happened.
        past: of the connection that this one replaces.
        effective: its settings, secrets masked.
        record: told of every frame, by the connection's name; never blocks.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        log: ChangeLog,
        clock: Clock,
        random_source: random.Random,
        *,
        changed: Callable[[str, StateChange], None],
        stable: Callable[[SupervisedConnection], None],
        opener: Opener = open_link,
        past: History | None = None,
        effective: Sequence[EffectiveValue] = (),
        record: Callable[[str, InspectedFrame], object] | None = None,
        loop_delay: LoopDelay | None = None,
    ) -> None:
        self.name = settings.name
        self.label = settings.label
        self._settings = settings
        self._retired = False
        self._clock = clock
        self._log = log
        self._changed = changed
        self.socket = Socket(
            settings.url,
            settings.options,
            loop_delay=loop_delay,
            clock=clock,
            random_source=random_source,
            opener=opener,
        )
        self._troubles = TroubleTracker()
        self._state_began = clock.monotonic()
        self._previous_seconds: float | None = None
        self._heartbeat_failures_when_stable = 0
        self._samples: deque[tuple[float, int, int]] = deque()
        self.past = past or History(clock)
        self._effective = tuple(effective)
        self.frames = Frames(self.socket, clock, None if record is None else partial(record, self.name))
        self._losses_noted = dict.fromkeys(_LOSSES, 0)
        self._losses_noted_at: float | None = None
        self.channels = [self._new_channel(topic) for topic in settings.topics]
        self.socket.on_state_change(self._state_changed)
        self.socket.on_stable(self._became_stable)
        self.socket.on_stable(lambda: stable(self))

    def start(self) -> None:
        self.socket.connect()
        self._join_all()

    def reaches_as(self, settings: ConnectionSettings) -> bool:
        """Whether ``settings`` ask for the very connection that this one is."""
        return (settings.url, settings.options) == (self._settings.url, self._settings.options)

    def adopt(self, settings: ConnectionSettings, effective: Sequence[EffectiveValue] = ()) -> bool:
        """Leave and join topics, and take the label, as ``settings`` say; True when anything changed."""
        self._effective = tuple(effective)
        before, wanted = list(self._settings.topics), list(settings.topics)
        changed = settings.label != self.label or before != wanted
        self.label, self._settings = settings.label, settings
        if before == wanted:
            return changed
        kept: list[SupervisedChannel] = []
        for channel, topic in zip(self.channels, before, strict=True):
            if topic in wanted:
                kept.append(channel)
            else:
                channel.channel.leave()
        known = {channel.channel.topic: channel for channel in kept}
        self.channels = [known.get(topic.topic) or self._new_channel(topic) for topic in wanted]
        self._join_all()
        return changed

    async def retire(self) -> None:
        """Close for good; what the end of the connection says is no news any more."""
        self._retired = True
        await self.socket.close()

    def _new_channel(self, topic: Topic) -> SupervisedChannel:
        return SupervisedChannel(
            self.socket.channel(topic.topic, topic.params), self._clock, self._note_channel
        )

    def _join_all(self) -> None:
        for channel in self.channels:
            channel.join()

    def _note_channel(self, event: ChannelChanged, text: str, severity: LineSeverity, quiet: bool) -> None:
        self._log.add(self._clock.time(), self.name, text, severity, "join", quiet=quiet, event=event)

    def _state_changed(self, change: StateChange) -> None:
        goes_on = self._troubles.goes_on(change)
        before = self.past.changed(change, goes_on=goes_on)
        now = self._clock.monotonic()
        self._previous_seconds, self._state_began = now - self._state_began, now
        metrics = self.socket.get_health_metrics()
        line = self._troubles.changed(change, circuit_open=metrics.is_circuit_open)
        if not self._retired:
            severity: LineSeverity = "warning" if change.error else "info"
            if change.new_state == "failed":
                severity = "error"
            event = StateChanged(
                old=change.old_state,
                new=change.new_state,
                reason=change.error,
                before=before,
                goes_on=goes_on,
                circuit_open=metrics.is_circuit_open,
                trouble=self._troubles.trouble,
            )
            self._log.add(change.timestamp, self.name, line or "", severity, event=event)
        self._changed(self.name, change)

    def _became_stable(self) -> None:
        now = self._clock.time()
        line = self._troubles.settled(now)
        if line is not None and not self._retired:
            self._log.add(now, self.name, line)
        self._heartbeat_failures_when_stable = self.socket.get_health_metrics().heartbeat_failures

    # Commands

    def connect(self) -> CommandResult:
        """Connect; does nothing while connecting or connected, save joining closed channels."""
        state = self.socket.state
        if state in ("connecting", "connected"):
            self._join_all()
            return CommandResult(ok=True, message=f"{self.name} is {state} already")
        self._troubles.clear()
        self.socket.connect()
        self._join_all()
        return CommandResult(ok=True, message=f"{self.name}: connecting now")

    def reconnect(self) -> CommandResult:
        self._troubles.clear()
        self.socket.reconnect()
        self._join_all()
        return CommandResult(ok=True, message=f"{self.name}: reconnecting now")

    def disconnect(self) -> CommandResult:
        if self.socket.state == "disconnected":
            return CommandResult(ok=True, message=f"{self.name} is disconnected already")
        self.socket.disconnect()
        return CommandResult(ok=True, message=f"{self.name}: disconnected until you connect it")

    async def push(self, topic: str, event: str, payload: Any) -> CommandResult:
        """Push and report the reply; what cannot be sent now is refused, not buffered."""
        channel = next((each.channel for each in self.channels if each.channel.topic == topic), None)
        if channel is None:
            return CommandResult(ok=False, message=f"{self.name} has no topic {topic}")
        if not self.socket.is_connected:
            why = self.socket.details().reason or self.socket.state
            return CommandResult(ok=False, message=f"not connected: {self.name}: {why}")
        if channel.state != "joined":
            return CommandResult(ok=False, message=f"not joined: {topic}: {channel.reason or channel.state}")
        try:
            reply = await channel.push(event, payload).reply()
        except NotConnectedError as error:
            return CommandResult(ok=False, message=f"not connected: {error}")
        except ReplyError as error:
            return result_of(error.reply, error)
        except (ChannelsError, TypeError, ValueError) as error:
            return CommandResult(ok=False, message=str(error))
        return result_of(reply)

    # Publication

    def clock_was_set(self, step: float) -> None:
        self.socket.clock_was_set(step)
        self._troubles.clock_was_set(step)

    def snapshot(self) -> ConnectionSnapshot:
        socket = self.socket
        options = socket.options
        metrics = socket.get_health_metrics()
        details = socket.details()
        self._note_losses(details)
        self.frames.poll()
        # Heartbeats come though nothing happens: they are no traffic.
        rate_in, rate_out = self._rates(
            details.messages_in - details.heartbeats_answered, details.messages_out - details.heartbeats_sent
        )
        limit = options.max_reconnect_attempts
        return ConnectionSnapshot(
            name=self.name,
            label=self.label,
            address=socket.address,
            metrics=metrics,
            details=details,
            max_reconnect_attempts=None if limit == "unlimited" else limit,
            heartbeat_interval=options.heartbeat_interval,
            heartbeat_timeout=options.heartbeat_timeout,
            trouble=self._troubles.trouble,
            previous_state_seconds=self._previous_seconds,
            heartbeat_failed_since_stable=metrics.heartbeat_failures > self._heartbeat_failures_when_stable,
            messages_per_second_in=rate_in,
            messages_per_second_out=rate_out,
            channels=tuple(channel.snapshot() for channel in self.channels),
            hour=self.past.hour(),
        )

    def history(self) -> ConnectionHistory:
        return ConnectionHistory(
            name=self.name,
            last_5_minutes=self.past.availability(5),
            last_hour=self.past.availability(HOUR),
            last_day=self.past.availability(DAY),
            round_trips=self.socket.round_trips,
            states=self.past.states,
            settings=tuple(
                EffectiveSetting(key=each.key.split(".", 2)[-1], text=each.text, source=each.source)
                for each in self._effective
            ),
        )

    def _note_losses(self, details: ConnectionDetails) -> None:
        """Say what was lost since the last time, at most once a minute."""
        losses = {name: getattr(details, name) for name in _LOSSES}
        now = self._clock.monotonic()
        recently = self._losses_noted_at is not None and now < self._losses_noted_at + _NOTE_LOSSES_EVERY
        if losses == self._losses_noted or recently:
            return
        words = [
            f"{losses[name] - noted} {_LOSSES[name]}"
            for name, noted in self._losses_noted.items()
            if losses[name] > noted
        ]
        self._losses_noted, self._losses_noted_at = losses, now
        if words:
            self._log.add(self._clock.time(), self.name, ", ".join(words), "warning", "drop")

    def _rates(self, messages_in: int, messages_out: int) -> tuple[float, float]:
        now = self._clock.monotonic()
        samples = self._samples
        samples.append((now, messages_in, messages_out))
        while len(samples) > 2 and samples[1][0] <= now - _RATE_WINDOW:
            samples.popleft()
        then, first_in, first_out = samples[0]
        # The first seconds are averaged over the whole window: a burst at the start is no rate.
        seconds = max(now - then, _RATE_WINDOW)
        return (messages_in - first_in) / seconds, (messages_out - first_out) / seconds
