"""Who is on a topic: Phoenix presence, kept in step by its states and diffs."""

from __future__ import annotations

import copy
import functools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tui.channels.channel import Channel
from tui.channels.wire import Message

T = TypeVar("T")
Entry = dict[str, Any]
"""A presence: ``{"metas": [{"phx_ref": ..}, ...]}`` and whatever else the server adds."""
Entries = dict[str, Entry]

PENDING_DIFFS = 1_000
"""Diffs held for the state; the oldest go first, since a state that comes later says the same."""

Joined = Callable[[str, Entry | None, Entry], object]
"""Takes a key, its presence before (None if it is new) and the presence that joined."""
Left = Callable[[str, Entry, Entry], object]
"""Takes a key, what is left of its presence, and the presence that left."""


class Presence:
    """The presences of one channel.

    A diff that comes before the state is held until the state is there: on the joiner's own
    connection its first diff comes first. After a rejoin diffs are held again until the new
    state, which replaces the old one.

    Args:
        channel: joined or to be joined.
        state, diff: the names of the server's events.
    """

    def __init__(
        self, channel: Channel, *, state: str = "presence_state", diff: str = "presence_diff"
    ) -> None:
        self.entries: Entries = {}
        """By key; do not change it."""
        self._pending: deque[Mapping[str, Any]] = deque(maxlen=PENDING_DIFFS)
        self._synced = False
        self._on_join: Joined | None = None
        self._on_leave: Left | None = None
        self._on_sync: Callable[[], object] | None = None
        self._unsubscribe = (
            channel.on(state, self._state_received),
            channel.on(diff, self._diff_received),
            channel.on("phx_error", self._channel_lost),
        )

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

    def on_sync(self, callback: Callable[[], object]) -> None:
        """Call back whenever the presences are in step with the server again."""
        self._on_sync = callback

    def list(self, by: Callable[[str, Entry], T] | None = None) -> list[Any]:
        """The presences, or what ``by`` makes of each key and presence."""
        if by is None:
            return list(self.entries.values())
        return [by(key, entry) for key, entry in self.entries.items()]

    def stop(self) -> None:
        """Listen no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    def _channel_lost(self, message: Message) -> None:
        self._synced = False
        self._pending.clear()

    def _state_received(self, message: Message) -> None:
        later = _Later()
        join, leave = later.put_off(self._on_join), later.put_off(self._on_leave)
        self.entries = sync_state(self.entries, message.payload, join, leave)
        self._synced = True
        while self._pending:
            self.entries = sync_diff(self.entries, self._pending.popleft(), join, leave)
        later.call(self._on_sync)

    def _diff_received(self, message: Message) -> None:
        if not self._synced:
            self._pending.append(message.payload)
            return
        later = _Later()
        join, leave = later.put_off(self._on_join), later.put_off(self._on_leave)
        self.entries = sync_diff(self.entries, message.payload, join, leave)
        later.call(self._on_sync)


class _Later:
    """Callbacks put off until the presences are in step: they see them so, and none can prevent it."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []

    def put_off(self, callback: Callable[..., object] | None) -> Callable[..., object] | None:
        """What notes a call of ``callback`` instead of making it."""
        if callback is None:
            return None
        return lambda *arguments: self._calls.append(functools.partial(callback, *arguments))

    def call(self, last: Callable[[], object] | None) -> None:
        """Make the calls in their order, then ``last``; all of them, even if one raises."""
        errors: list[Exception] = []
        for call in (*self._calls, *([last] if last is not None else [])):
            try:
                call()
            except Exception as error:  # noqa: BLE001 (raised below, once all were called)
                errors.append(error)
        if errors:
            raise errors[0]


def sync_state(
    entries: Mapping[str, Entry],
    new: Mapping[str, Entry],
    on_join: Joined | None = None,
    on_leave: Left | None = None,
) -> Entries:
    """The presences after the server sent all of them; its arguments stay as they are."""
    joins: Entries = {}
    leaves = {key: entry for key, entry in entries.items() if key not in new}
    for key, entry in new.items():
        current = entries.get(key)
        if current is None:
            joins[key] = entry
            continue
        new_refs, current_refs = _refs(entry), _refs(current)
        joined = [meta for meta in entry["metas"] if meta.get("phx_ref") not in current_refs]
        left = [meta for meta in current["metas"] if meta.get("phx_ref") not in new_refs]
        if joined:
            joins[key] = {**entry, "metas": joined}
        if left:
            leaves[key] = {**current, "metas": left}
    return sync_diff(entries, {"joins": joins, "leaves": leaves}, on_join, on_leave)


def sync_diff(
    entries: Mapping[str, Entry],
    diff: Mapping[str, Any],
    on_join: Joined | None = None,
    on_leave: Left | None = None,
) -> Entries:
    """The presences after a diff; its arguments stay as they are.

    A key that joins and leaves in one diff is an update: one ``on_join`` with what was there.
    """
    after = copy.deepcopy(dict(entries))
    for key, joined in copy.deepcopy(dict(diff["joins"])).items():
        before = after.get(key)
        after[key] = {**joined, "metas": list(joined["metas"])}
        if before is not None:
            refs = _refs(joined)
            kept = [meta for meta in before["metas"] if meta.get("phx_ref") not in refs]
            after[key]["metas"] = kept + after[key]["metas"]
        if on_join is not None:
            on_join(key, before, joined)
    for key, gone in diff["leaves"].items():
        current = after.get(key)
        if current is None:
            continue
        refs = _refs(gone)
        current["metas"] = [meta for meta in current["metas"] if meta.get("phx_ref") not in refs]
        if on_leave is not None:
            on_leave(key, current, copy.deepcopy(gone))
        if not current["metas"]:
            del after[key]
    return after


def _refs(entry: Mapping[str, Any]) -> set[Any]:
    return {meta.get("phx_ref") for meta in entry["metas"]}
