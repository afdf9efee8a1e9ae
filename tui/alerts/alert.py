"""One alert: what happened, how it is to be shown, and what became of it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tui.model.alerts import TEST_SOURCE, TESTS, AlertOutcome
from tui.text.fitted import fitted
from tui.text.secret_values import masked_json, masked_value

State = Literal["waiting", "playing", "ended"]


MOST_TITLE = 200
"""Characters of ``who`` and of ``title``."""
MOST_MESSAGE = 500
"""Characters of ``message`` and of ``reason``."""
MOST_TYPE = 40
"""Characters of ``type``."""
MOST_PAYLOAD = 16 * 1024
"""Bytes of ``payload``."""
MAX_VIEWERS = 200
MOST_ITEM = 200
"""Characters of an item's id; a longer one is not kept."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_KEPT_VALUE = 200


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert as it is stored. All texts are from the network: bounded, of one line, never markup.

    Attributes:
        id: unique for ever; that of an event which tells its time is the same in every engine.
        type: ``follow``, ``sub``, ``gift``, ``resub``, ``cheer``, ``raid``, ``redemption`` or any other word.
        payload: the event as JSON text; ``payload_cut`` says that parts of it were left out.
        priority: 1 to 10; 10 is shown first.
        duration: seconds on the overlay.
        time_to_live: seconds that it may wait; None is without end.
        bypass: shown at once, beside the queue.
        collapse: seconds after its last growth in which another of its type makes it grow; 0 is never.
        source_id: the event's own id at its source.
        accepted_at: epoch seconds, like the other times.
        count: how many viewers it stands for; one who did it twice is one, and whoever is not named is one
            each time.
        viewers: marks of those who are named, at most :data:`MAX_VIEWERS`; further ones are not recognised.
        grown_at: when it last grew by collapsing.
        place: the order within a priority; lower is earlier.
        outcome: None while it is open. ``shown`` means that an overlay confirmed it.
        reason: the outcome in words, where there is more to say.
        sent_at: when the hub answered that it took it; None before, and again while it is offered anew.
        confirmed: an overlay showed that it has it.
        seen: one did so when it played before; now it is offered anew.
        into: the id of the alert that it was collapsed into.
        requeued_from: the id of the ended alert that it repeats.
        tries: how often it was pushed.
    """

    id: str
    type: str
    accepted_at: float
    who: str = ""
    title: str = ""
    message: str = ""
    payload: str = "{}"
    payload_cut: bool = False
    priority: int = 5
    duration: float = 6.0
    time_to_live: float | None = None
    bypass: bool = False
    collapse: float = 0.0
    source: str = ""
    source_id: str | None = None
    count: int = 1
    viewers: tuple[str, ...] = ()
    grown_at: float | None = None
    place: float = 0.0
    state: State = "waiting"
    outcome: AlertOutcome | None = None
    reason: str = ""
    sent_at: float | None = None
    confirmed: bool = False
    seen: bool = False
    ended_at: float | None = None
    into: str | None = None
    requeued_from: str | None = None
    tries: int = 0


encode = msgspec.json.Encoder().encode
"""The stored form of an alert."""

_decode = msgspec.json.Decoder(Alert).decode


def decode(data: bytes) -> Alert:
    """The alert that :func:`encode` wrote; fields that a later version added are left out.

    Raises:
        ValueError: this is no alert.
    """
    return _decode(data)


def new_id(now: float, random_source: random.Random) -> str:
    """20 characters: 10 of the time (epoch seconds, to the millisecond), 10 of chance."""
    return _spelled((max(0, int(now * 1000)) % (1 << 50)) << 50 | random_source.getrandbits(50))


def id_of_event(*noted: str) -> str:
    """20 characters, the same wherever the same is told of an event."""
    digest = hashlib.blake2b(msgspec.json.encode(noted), digest_size=13).digest()
    return _spelled(int.from_bytes(digest) >> 4)


def _spelled(number: int) -> str:
    return "".join(_DIGITS[number >> shift & 31] for shift in range(95, -1, -5))


def counted_as(alert: Alert) -> str:
    return TESTS if alert.source == TEST_SOURCE else alert.type


def name_of(alert: Alert) -> str:
    """What a person calls it, in a line of others."""
    test = "test " if alert.source == TEST_SOURCE else ""
    return f"{test}{alert.type} of {alert.who}" if alert.who else f"{test}{alert.type}"


def payload_text(payload: Mapping[str, Any]) -> tuple[str, bool]:
    """The payload as JSON of at most :data:`MOST_PAYLOAD` bytes, and whether something was left out.

    What is too large keeps the plain values of its first level, each text cut, as far as they fit.
    """
    try:
        whole = msgspec.json.encode(payload)
        if len(whole) <= MOST_PAYLOAD:
            return masked_json(whole.decode()), False
    except (TypeError, ValueError, RecursionError):
        pass  # Not what a JSON decoder makes; its plain values are kept all the same.
    size, parts = 2, []
    for key, value in payload.items():
        if isinstance(value, str):
            value = fitted(value, _KEPT_VALUE)
        elif not (value is None or isinstance(value, bool | float) or _is_small(value)):
            continue
        else:
            value = masked_value(value)
        part = f"{_json(fitted(str(key), _KEPT_VALUE))}:{_json(value)}"
        size += len(part) + 1
        if size > MOST_PAYLOAD:
            break
        parts.append(part)
    return "{" + ",".join(parts) + "}", True


def _is_small(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 1 << 63


def _json(value: object) -> str:
    # Infinity is no JSON.
    if isinstance(value, float) and value - value != 0:
        return "null"
    return json.dumps(value)
