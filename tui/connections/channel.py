"""One supervised channel: what is said of it in the log, and how it stands."""

from __future__ import annotations

from collections.abc import Callable

from tui.channels import Channel, Message
from tui.channels.channel import CLOSED_BY_SERVER, CRASHED
from tui.channels.clock import Clock
from tui.model.events import ChannelChanged
from tui.model.incidents import LineSeverity
from tui.model.snapshot import ChannelSnapshot
from tui.text.secret_values import masked, masked_bytes

_TEXT_LIMIT = 200
COMES_BACK_WITHIN = 5.0
"""Seconds in which a channel that crashed on the server is not missed: it is being joined again."""
_NOTE_CRASH_EVERY = 60.0
"""Seconds; a hub may crash a channel at each change of what it holds."""


class SupervisedChannel:
    """A channel that stays on the screen even when the server closes it."""

    def __init__(
        self, channel: Channel, clock: Clock, note: Callable[[ChannelChanged, str, LineSeverity, bool], None]
    ) -> None:
        self.channel = channel
        self._clock = clock
        self._note = note
        self._seen = 0
        self._last_at: float | None = None
        self._last_event: str | None = None
        self._last_text: str | None = None
        self._trouble: str | None = None
        self._crashed_at: float | None = None
        self._noted = ("", -_NOTE_CRASH_EVERY)
        self._is_old_news = False
        channel.on("phx_join", self._joined)
        channel.on("phx_error", self._errored)
        channel.on("phx_close", self._closed)

    def join(self) -> None:
        if self.channel.state == "closed":
            self.channel.join()

    def _joined(self, message: Message) -> None:
        # A join is news on a screen only when it did not go without saying.
        if self._trouble is not None or self.channel.joins == 1:
            is_old_news = self._trouble is None or self._is_old_news
            event = ChannelChanged(topic=self.channel.topic, state="joined")
            self._note(event, f"joined {self.channel.topic}", "info", is_old_news)
        self._trouble = self._crashed_at = None

    def _errored(self, message: Message) -> None:
        words = self.channel.reason or "error"
        self._crashed_at = self._clock.monotonic() if words == CRASHED else None
        # The connection's own line says that it went; and the same refusal again is no news.
        if words != "not connected" and words != self._trouble:
            before, noted_at = self._noted
            now = self._clock.monotonic()
            self._is_old_news = words == before and now - noted_at < _NOTE_CRASH_EVERY
            if not self._is_old_news:
                self._noted = words, now
            self._trouble = words
            event = ChannelChanged(topic=self.channel.topic, state="errored", reason=words)
            self._note(event, f"{self.channel.topic}: {words}", "warning", self._is_old_news)

    def _closed(self, message: Message) -> None:
        if self.channel.reason == CLOSED_BY_SERVER:
            self._trouble, self._is_old_news = self.channel.reason, False
            event = ChannelChanged(topic=self.channel.topic, state="closed", reason=self.channel.reason)
            self._note(event, f"{self.channel.topic}: {self.channel.reason}", "warning", False)

    def snapshot(self) -> ChannelSnapshot:
        channel = self.channel
        if channel.received != self._seen:
            self._seen = channel.received
            self._last_at = self._clock.time()
            last = channel.last
            self._last_event = None if last is None else masked(last.event[:_TEXT_LIMIT])
            self._last_text = None if last is None else _text(last, channel.last_size)
        return ChannelSnapshot(
            topic=channel.topic,
            state=channel.state,
            reason=channel.reason,
            joins=channel.joins,
            received=channel.received,
            buffered=channel.buffered,
            push_buffer=channel.socket.options.push_buffer,
            dropped=channel.dropped_messages + channel.dropped_pushes,
            last_event=self._last_event,
            last_text=self._last_text,
            last_at=self._last_at,
            is_coming_back=self._is_coming_back,
        )

    @property
    def _is_coming_back(self) -> bool:
        crashed_at = self._crashed_at
        return crashed_at is not None and self._clock.monotonic() - crashed_at < COMES_BACK_WITHIN


def _text(last: Message, size: int) -> str:
    head = masked_bytes(last.raw[: 4 * _TEXT_LIMIT])
    if last.binary:
        return f"{size} bytes: {head[:32].hex()}"
    return head.decode(errors="replace")[:_TEXT_LIMIT]
