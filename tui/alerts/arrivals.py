"""Events of viewers as they come: read, given a type, handed to the queue."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.alerts.alert import Alert
from tui.alerts.sources import Source, Unmapped
from tui.alerts.templates import field
from tui.channels import DecodeError, Message
from tui.text.formats import counted
from tui.text.secret_values import masked, masked_bytes, masked_value

if TYPE_CHECKING:
    from tui.alerts.service import AlertService

_NOTE_EVERY = 60.0
_EVENT_LIMIT = 100
_MOST_EARLY, _MOST_EARLY_BYTES = 10_000, 16 * 1024 * 1024
"""Events that wait for the store to tell what it knows; those beyond do not wait."""
_MOST_NOTED = 16 * 1024
"""Bytes kept of an event that cannot be read."""
_MOST_MASKED = 64 * 1024
_LONGEST_ID = 200
"""Characters of an event's id that are kept as they are."""


class Arrivals:
    """On the engine's loop."""

    def __init__(self, service: AlertService) -> None:
        self._service = service
        self._queue = service.queue
        self.unmapped = Unmapped()
        self.left = 0
        """Events that were left to another engine."""
        self._early: list[tuple[Source, Message]] = []
        self._early_bytes = 0
        self._rejections_untold = 0
        self._rejection_noted_at = -_NOTE_EVERY

    def go_on(self) -> None:
        """Take in what waited."""
        early, self._early = self._early, []
        for source, message in early:
            self.came(source, message)

    def came(self, source: Source, message: Message) -> None:
        if not self._service.has_begun and message.size <= source.most and self._has_room_for(message):
            # Which events are known already, the store knows.
            self._early.append((source, message))
            self._early_bytes += message.size
            return
        if self._service.stands_aside():
            self.left += 1
            return
        options = source.options
        try:
            payload = message.decode(Any, source.most)
        except DecodeError as error:
            self._reject(source, message, str(error))
            return
        if not isinstance(payload, Mapping):
            self._reject(source, message, "the event is no object")
            return
        name, type = source.types.find(message.event, payload)
        if type is None:
            self.unmapped.count(name)
            return
        number = field(payload, options.fields["id"]) if "id" in options.fields else None
        if len(message.raw) <= _MOST_MASKED and masked_bytes(message.raw) is not message.raw:
            # Here, since a template may set what was at a cut in the middle of a text.
            payload = masked_value(payload)
        who = options.fields.get("who")
        if who is not None and isinstance(name := field(payload, who), str):
            payload = {**payload, "user_name": name}
        known = isinstance(number, str | int) and not isinstance(number, bool)
        self._arrive(type, payload, source.name, _kept_id(str(number)) if known else None)

    def _has_room_for(self, early: Message) -> bool:
        is_room = self._early_bytes + early.size <= _MOST_EARLY_BYTES
        return is_room and len(self._early) < _MOST_EARLY

    def _arrive(self, type: str, payload: Mapping[str, Any], source: str, number: str | None) -> None:
        alert = self._queue.judge_arrival(type, payload, source=source, source_id=number)
        if alert is None:
            self._service.changed()
        else:
            # Accepted means committed.
            self._service.persistence.write([alert], lambda: self._admit(alert))

    def _admit(self, alert: Alert) -> None:
        self._queue.admit(alert)
        self._service.settle()

    def _reject(self, source: Source, message: Message, reason: str) -> None:
        """What cannot be read is kept with the reason, counted, and told at most once a minute."""
        event = masked(message.event[:_EVENT_LIMIT])
        text = message.raw[:_MOST_NOTED].decode(errors="replace")
        type = source.types.find(message.event, {})[1] or event
        self._queue.reject(type, text, f"{event}: {reason}", source.name)
        self._rejections_untold += 1
        now = self._service.clock.monotonic()
        if now >= self._rejection_noted_at + _NOTE_EVERY:
            count, self._rejections_untold, self._rejection_noted_at = self._rejections_untold, 0, now
            which = f"{counted(count, 'event')} of {source.name}"
            self._service.note(f"{which} could not be read, the last: {event}: {reason}", "warning", "drop")
        self._service.settle()


def _kept_id(id: str) -> str:
    if len(id) <= _LONGEST_ID and masked(id) == id:
        return id
    return hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()
