"""Who is on a topic: Phoenix presence, kept in step by its states and diffs.

What a diff costs is what it changes, whoever else is there. A presence is never changed once it is there,
since handlers hold it: another one takes its place.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from tui.channels.channel import Channel
from tui.channels.turns import in_turns
from tui.channels.wire import DecodeError, Message

T = TypeVar("T")
Entry = dict[str, Any]
"""A presence: ``{"metas": [{"phx_ref": ..}, ...]}`` and whatever else the server adds."""
Entries = dict[str, Entry]

PENDING_DIFFS, PENDING_BYTES = 1_000, 4 * 1024 * 1024
"""Diffs held for the state; the oldest go first, since a state that comes later says the same."""

MOST_BYTES = 16 * 1024 * 1024
"""Of the presences as JSON, about what a state can bring; what a diff brings beyond it is left out."""

MOST_ENTRY = 512 * 1024
"""Of one presence as JSON, which is dealt with in one go: thousands of tabs of one person."""

_AT_ONCE = 1_000
"""Presences that a diff changes in one go, and where they are; more are changed aside."""

Joined = Callable[[str, Entry | None, Entry], object]
"""Takes a key, its presence before (None if it is new) and the presence that joined."""
Left = Callable[[str, Entry, Entry], object]
"""Takes a key, what is left of its presence, and the presence that left."""

_Call = Callable[[], object]
_Calls = list[_Call]
_Raw = dict[str, msgspec.Raw]


class _Diff(msgspec.Struct, gc=False):
    joins: _Raw = {}
    leaves: _Raw = {}


_decode_entry = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode


class Presence:
    """The presences of one channel.

    A diff that comes before the state is held until the state is there: on the joiner's own
    connection its first diff comes first. After a rejoin diffs are held again until the new
    state, which replaces the old one. A presence without ``metas`` counts as undecodable and is
    left out. What takes long is done in turns of the loop; what comes on the channel waits for it.

    Args:
        channel: joined or to be joined.
        state, diff: the names of the server's events.
    """

    def __init__(
        self, channel: Channel, *, state: str = "presence_state", diff: str = "presence_diff"
    ) -> None:
        self.left_out = 0
        """Presences beyond :data:`MOST_BYTES` or :data:`MOST_ENTRY`, and diffs beyond those that are held."""
        self._channel = channel
        self._entries: Entries = {}
        self._is_given = False
        """Somebody may hold the entries."""
        self._bytes = 0
        self._pending: deque[tuple[_Diff, int]] = deque()
        self._pending_bytes = 0
        self._synced = False
        self._on_join: Joined | None = None
        self._on_leave: Left | None = None
        self._on_sync: _Call | None = None
        self._unsubscribe = (
            channel.on(state, self._state_received),
            channel.on(diff, self._diff_received),
            channel.on("phx_error", self._channel_lost),
        )

    @property
    def entries(self) -> Entries:
        """By key, as they are now: what comes later changes nothing in it. Do not change it."""
        self._is_given = True
        return self._entries

    @property
    def in_pending_sync_state(self) -> bool:
        """Diffs are held until the state comes."""
        return not self._synced

    def on_join(self, callback: Joined) -> None:
        """Call back for each new presence, or each new meta of one."""
        self._on_join = callback

    def on_leave(self, callback: Left) -> None:
        """Call back for each presence or meta that went."""
        self._on_leave = callback

    def on_sync(self, callback: _Call) -> None:
        """Call back whenever the presences are in step with the server again."""
        self._on_sync = callback

    def list(self, by: Callable[[str, Entry], T] | None = None) -> list[Any]:
        """The presences, or what ``by`` makes of each key and presence."""
        if by is None:
            return list(self._entries.values())
        return [by(key, entry) for key, entry in self._entries.items()]

    def stop(self) -> None:
        """Listen no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    def _channel_lost(self, message: Message) -> None:
        self._synced = False
        self._pending.clear()
        self._pending_bytes = 0

    def _state_received(self, message: Message) -> Awaitable[None] | None:
        return in_turns(self._take_state(message.decode(_Raw), message.event))

    def _diff_received(self, message: Message) -> Awaitable[None] | None:
        diff = message.decode(_Diff)
        if self._synced:
            return in_turns(self._take_diff(diff, message.event))
        self._pending.append((diff, message.size))
        self._pending_bytes += message.size
        while len(self._pending) > PENDING_DIFFS or self._pending_bytes > PENDING_BYTES:
            self._pending_bytes -= self._pending.popleft()[1]
            self.left_out += 1
        return None

    def _take_state(self, raw: _Raw, event: str) -> Iterator[None]:
        state: Entries = {}
        yield from self._read(raw, event, state)
        entries, calls = dict(self._entries), _Calls()
        joins: Entries = {}
        leaves = {key: entry for key, entry in entries.items() if key not in state}
        for key, entry in state.items():
            _compare(key, entries.get(key), entry, joins, leaves)
            yield
        # One message brought them all.
        yield from self._change(entries, joins, leaves, calls, math.inf)
        while self._pending:
            diff, size = self._pending.popleft()
            self._pending_bytes -= size
            yield from self._apply(entries, diff, event, calls)
        self._entries, self._is_given, self._synced = entries, False, True
        yield from self._make(calls)

    def _take_diff(self, diff: _Diff, event: str) -> Iterator[None]:
        calls = _Calls()
        is_small = len(diff.joins) + len(diff.leaves) <= _AT_ONCE
        entries = self._entries if is_small and not self._is_given else dict(self._entries)
        for step in self._apply(entries, diff, event, calls):
            if not is_small:
                yield step
        self._entries, self._is_given = entries, False
        yield from self._make(calls)

    def _apply(self, entries: Entries, diff: _Diff, event: str, calls: _Calls) -> Iterator[None]:
        joins: Entries = {}
        leaves: Entries = {}
        yield from self._read(diff.joins, event, joins)
        yield from self._read(diff.leaves, event, leaves)
        yield from self._change(entries, joins, leaves, calls, MOST_BYTES)

    def _read(self, raw: _Raw, event: str, into: Entries) -> Iterator[None]:
        for key, undecoded in raw.items():
            try:
                into[key] = _entry(undecoded)
            except DecodeError as error:
                self._channel.socket.mistakes.payload_undecodable(self._channel.topic, event, error)
            yield

    def _change(
        self, entries: Entries, joins: Entries, leaves: Entries, calls: _Calls, most: float
    ) -> Iterator[None]:
        """Bring ``entries`` up to a diff. A key that joins and leaves in one diff is an update: one join with
        what was there."""
        for key, joined in joins.items():
            before = entries.get(key)
            kept = [] if before is None else _without(before, joined)
            after = {**joined, "metas": [*kept, *joined["metas"]]} if kept else joined
            size = _size(key, after)
            grown = size - _size(key, before)
            if self._bytes + grown > most or size > MOST_ENTRY:
                self.left_out += 1
                continue
            self._bytes += grown
            entries[key] = after
            if self._on_join is not None:
                calls.append(partial(self._on_join, key, before, joined))
            yield
        for key, gone in leaves.items():
            current = entries.get(key)
            if current is None:
                continue
            left = {**current, "metas": _without(current, gone)}
            self._bytes -= _size(key, current)
            if left["metas"]:
                self._bytes += _size(key, left)
                entries[key] = left
            else:
                del entries[key]
            if self._on_leave is not None:
                calls.append(partial(self._on_leave, key, left, gone))
            yield

    def _make(self, calls: _Calls) -> Iterator[None]:
        """The calls in their order, then the one for being in step: put off until then, so that they see the
        presences so and none can prevent it. All of them, even if one raises."""
        errors: list[Exception] = []
        for call in (*calls, *([self._on_sync] if self._on_sync is not None else [])):
            try:
                call()
            except Exception as error:  # noqa: BLE001 (raised below, once all were called)
                errors.append(error)
            yield
        if errors:
            raise errors[0]


def _compare(key: str, current: Entry | None, new: Entry, joins: Entries, leaves: Entries) -> None:
    """What a state says of one that is there, as a diff."""
    if current is None:
        joins[key] = new
        return
    if joined := _without(new, current):
        joins[key] = {**new, "metas": joined}
    if left := _without(current, new):
        leaves[key] = {**current, "metas": left}


def _without(entry: Entry, other: Entry) -> list[Any]:
    """The metas of one that are none of the other's."""
    refs = {meta.get("phx_ref") for meta in other["metas"]}
    return [meta for meta in entry["metas"] if meta.get("phx_ref") not in refs]


def _size(key: str, entry: Mapping[str, Any] | None) -> int:
    return 0 if entry is None else len(key) + len(_encode(entry))


def _entry(undecoded: msgspec.Raw) -> Entry:
    if len(undecoded) > MOST_ENTRY:
        raise DecodeError(f"a presence of more than {MOST_ENTRY // 1024} KiB")
    try:
        entry: Entry = _decode_entry(undecoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("a presence that is no object") from None
    metas = entry.get("metas")
    if not isinstance(metas, list) or not all(map(_is_meta, metas)):
        raise DecodeError("a presence without metas")
    return entry


def _is_meta(meta: Any) -> bool:
    return isinstance(meta, dict) and not isinstance(meta.get("phx_ref"), (dict, list))
