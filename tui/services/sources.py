"""One topic on which services report, or on which a hub tells of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

from tui.channels import (
    Channel,
    ChannelsError,
    DecodeError,
    Message,
    NotConnectedError,
    ReplyError,
    ReplyTimeout,
)
from tui.channels.clock import Clock
from tui.channels.turns import in_turns
from tui.channels.wire import Reply
from tui.services.options import ReportsOptions
from tui.services.payloads import Report, Telemetry, read_report, read_telemetry

log = logging.getLogger("tui.services.monitor")

ASK_EVENT = "get_telemetry"
"""What a hub is asked that has not told of its services for half their time."""

READ_HUB_EVERY = 0.2
"""Seconds; of what a hub tells more often the newest is read."""

_ASK_AFTER_JOIN = 1.0
"""Seconds that a hub has to begin by itself."""
_SHORTEST_ASK = 2.0
_FIRST_PUT_OFF, _LONGEST_ASK = 10.0, 600.0
"""Seconds until a hub that had no answer is asked again; doubled each time."""


class ReportSource:
    """Reads what comes on one topic. Handlers and :meth:`poll` run on the engine's loop.

    Args:
        heard: takes each word.
        named: takes all that a hub told at once, after each word of it was heard.
    """

    def __init__(
        self,
        options: ReportsOptions,
        clock: Clock,
        heard: Callable[[ReportSource, Report], None],
        named: Callable[[ReportSource, Telemetry], None],
    ) -> None:
        self.options = options
        """Only what is not part of :func:`source_name` may be changed."""
        self.name = source_name(options)
        self.origin = f"{options.connection} {options.topic}"
        self._clock = clock
        self._heard = heard
        self._named = named
        self._channel: Channel | None = None
        self._joins = 0
        self.joined_since: float | None = None
        """Since when its channel has been joined without a break, monotonic; None while it is away."""
        self.heeded_since: float | None = None
        """The same, or since when this program has run again after it was held."""
        self.rejected = 0
        """Reports that could not be read."""
        self.left_out = 0
        """Services beyond what is read of one report, in the hub's last one."""
        self._waiting: Message | None = None
        self._read_at = clock.monotonic() - READ_HUB_EVERY
        self._ask_at = 0.0
        self.asked_at: float | None = None
        """When the hub was last asked, in monotonic seconds."""
        self._asking: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ask_pause = _FIRST_PUT_OFF
        self._refuses = False
        """There are servers whose channel crashes when it is asked what it does not understand."""

    def attach(self, channel: Channel | None) -> None:
        """This is its channel from now on; None while there is none."""
        if channel is not self._channel:
            self._channel, self._joins, self._refuses = channel, 0, False
            self.joined_since = self.heeded_since = None
        self._notice()

    def stop(self) -> None:
        """Hear and ask no more."""
        self.attach(None)
        for task in (self._asking, self._reading):
            if task is not None:
                task.cancel()

    def poll(self, *, was_held: bool) -> None:
        """Notice whether the channel is there; read what waits; ask a hub that is silent.

        Args:
            was_held: nobody listened for a while before this.
        """
        self._notice()
        now = self._clock.monotonic()
        if was_held and self.heeded_since is not None:
            self.heeded_since = now
        if self._waiting is not None and self._may_read(now):
            self._read_telemetry(self._waiting)
        channel = self._channel
        if (
            self.options.kind == "hub"
            and channel is not None
            and self.joined_since is not None
            and now >= self._ask_at
            and not self.is_asking
            and not self._refuses
            and channel.can_push
        ):
            self._plan_to_ask(now)
            self._asking = self._begin(self._ask(channel))

    @property
    def is_asking(self) -> bool:
        """A hub has not answered yet."""
        return _is_under_way(self._asking)

    def _notice(self) -> None:
        channel = self._channel
        if channel is None or channel.state != "joined":
            self.joined_since = self.heeded_since = None
        elif self.joined_since is None or channel.joins != self._joins:
            # It may have gone and come back between two looks.
            self._joins = channel.joins
            now = self._clock.monotonic()
            self.joined_since = self.heeded_since = now
            self._ask_at = now + _ASK_AFTER_JOIN
            self._ask_pause = _FIRST_PUT_OFF

    def came(self, message: Message) -> None:
        self._notice()
        if message.size > self._most:
            self.rejected += 1
        elif self.options.kind == "report":
            self._read_report(message)
        elif self._may_read(self._clock.monotonic()):
            self._read_telemetry(message)
        else:
            self._waiting = message

    def _may_read(self, now: float) -> bool:
        return not _is_under_way(self._reading) and now >= self._read_at + READ_HUB_EVERY

    @property
    def _most(self) -> int:
        return 0 if self._channel is None else self._channel.socket.options.max_report_size

    def _payload(self, message: Message | Reply) -> Any:
        try:
            return message.decode(Any, self._most)
        except DecodeError:
            # Counted by whoever finds no report in it.
            return None

    def _read_report(self, message: Message) -> None:
        noted = read_report(self._payload(message), self._clock.time())
        if noted is None:
            self.rejected += 1
        else:
            self._heard(self, noted)

    def _read_telemetry(self, message: Message) -> None:
        self._waiting = None
        self._read_at = self._clock.monotonic()
        rest = in_turns(self._take_message(message))
        if rest is not None:
            self._reading = self._begin(rest)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"telemetry of {self.origin}")
        task.add_done_callback(log_failure)
        return task

    def _take_message(self, message: Message) -> Iterator[None]:
        if not (yield from self._take(self._payload(message))):
            self.rejected += 1

    def _take(self, payload: Any) -> Generator[None, None, bool]:
        telemetry = yield from read_telemetry(payload, self._clock.time())
        if telemetry is None:
            return False
        self.left_out = telemetry.left_out
        self._plan_to_ask(self._clock.monotonic())
        self._ask_pause = _FIRST_PUT_OFF
        for noted in telemetry.noted:
            yield
            self._heard(self, noted)
        self._named(self, telemetry)
        return True

    def _plan_to_ask(self, now: float) -> None:
        self._ask_at = now + max(_SHORTEST_ASK, self.options.stale_after / 2)

    async def _ask(self, channel: Channel) -> None:
        self.asked_at = self._clock.monotonic()
        try:
            reply = await channel.push(ASK_EVENT, {}).reply()
        except ReplyError as error:
            self._put_off(str(error))
            return
        except ChannelsError as error:
            # While the link is up, pushes end without an answer when the channel crashes.
            went = isinstance(error, NotConnectedError) and not channel.socket.is_open
            self._refuses = not went and not isinstance(error, ReplyTimeout)
            log.info("%s: %s: %s", self.origin, ASK_EVENT, error)
            return
        self._notice()
        rest = in_turns(self._take_reply(reply))
        if rest is not None:
            await rest

    def _take_reply(self, reply: Reply) -> Iterator[None]:
        if not (yield from self._take(self._payload(reply))):
            self._put_off("the answer tells of no services")

    def _put_off(self, why: str) -> None:
        """It may only be starting: ask again, later each time."""
        self._ask_at = self._clock.monotonic() + self._ask_pause
        log.info("%s: %s: %s; asked again in %g s", self.origin, ASK_EVENT, why, self._ask_pause)
        self._ask_pause = min(2 * self._ask_pause, _LONGEST_ASK)


def _is_under_way(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


def log_failure(task: asyncio.Task[None]) -> None:
    """For a task that nobody awaits."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed", task.get_name(), exc_info=error)


def source_name(options: ReportsOptions) -> str:
    """What makes it another source when it changes."""
    return f"{options.kind} {options.connection} {options.topic} {options.event}"
