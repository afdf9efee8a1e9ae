"""Presence: states, diffs, and what stays true when they come in the wrong order."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.channels.virtual import World, details, virtual
from tui.channels import Channel, Presence, Socket
from tui.channels import presence as presence_module
from tui.channels.presence import MOST_ENTRY, PENDING_BYTES, PENDING_DIFFS
from tui.channels.wire import DecodeError, Message


def metas(*refs: str, **more: Any) -> dict[str, Any]:
    return {"metas": [{"phx_ref": ref, **more} for ref in refs]}


def refs(entries: dict[str, Any]) -> dict[str, list[str]]:
    return {key: [meta["phx_ref"] for meta in entry["metas"]] for key, entry in entries.items()}


class Calls:
    """Callbacks that remember what they were called with."""

    def __init__(self) -> None:
        self.joins: list[tuple[str, Any, Any]] = []
        self.leaves: list[tuple[str, Any, Any]] = []

    def on_join(self, key: str, before: Any, joined: Any) -> None:
        self.joins.append((key, copy.deepcopy(before), copy.deepcopy(joined)))

    def on_leave(self, key: str, left: Any, gone: Any) -> None:
        self.leaves.append((key, copy.deepcopy(left), copy.deepcopy(gone)))


class Room:
    """A channel as far as a presence knows of it."""

    topic = "room:1"

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Message], Any]] = {}
        self.undecodable: list[str] = []
        self.socket = self.mistakes = self
        self.presence = Presence(self)  # type: ignore[arg-type]  # what it needs

    def on(self, event: str, handler: Callable[[Message], Any]) -> Callable[[], None]:
        self.handlers[event] = handler
        return lambda: None

    def payload_undecodable(self, topic: str, event: str, error: DecodeError) -> None:
        self.undecodable.append(str(error))

    def note(self, event: str, payload: Any) -> None:
        """Have it come, and wait for what is made of it: that may take a slow machine more than a turn."""
        exhaust(self.begin(event, payload))

    def begin(self, event: str, payload: Any) -> Any:
        """Have it come; what takes the rest of its turns, if there are more."""
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        return self.handlers[event](Message(None, None, self.topic, event, raw))

    def change(self, event: str, payload: Any, calls: Calls | None) -> dict[str, Any]:
        if calls is not None:
            self.presence.on_join(calls.on_join)
            self.presence.on_leave(calls.on_leave)
        assert self.note(event, payload) is None
        return self.presence.entries


def sync_state(entries: dict[str, Any], new: dict[str, Any], calls: Calls | None = None) -> dict[str, Any]:
    """The presences after a state, where ``entries`` were there."""
    room = Room()
    room.note("presence_state", entries)
    return room.change("presence_state", new, calls)


def sync_diff(entries: dict[str, Any], diff: dict[str, Any], calls: Calls | None = None) -> dict[str, Any]:
    """The presences after a diff, where ``entries`` were there."""
    room = Room()
    room.note("presence_state", entries)
    return room.change("presence_diff", diff, calls)


# States and diffs


def test_sync_state_tells_new_keys_and_gone_ones_whose_metas_are_gone_already() -> None:
    calls = Calls()
    after = sync_state({"u1": metas("1")}, {"u2": metas("2")}, calls)
    assert refs(after) == {"u2": ["2"]}
    assert calls.joins == [("u2", None, metas("2"))]
    assert calls.leaves == [("u1", {"metas": []}, metas("1"))]


def test_sync_state_tells_only_the_new_metas_of_a_known_key() -> None:
    calls = Calls()
    after = sync_state({"u1": metas("1")}, {"u1": metas("1", "2")}, calls)
    assert refs(after) == {"u1": ["1", "2"]}
    assert calls.joins == [("u1", metas("1"), metas("2"))]
    assert calls.leaves == []


def test_sync_state_tells_the_lost_metas_of_a_known_key() -> None:
    calls = Calls()
    after = sync_state({"u1": metas("1", "2")}, {"u1": metas("2")}, calls)
    assert refs(after) == {"u1": ["2"]}
    assert calls.joins == []
    assert calls.leaves == [("u1", metas("2"), metas("1"))]


def test_sync_diff_from_nothing() -> None:
    assert sync_diff({}, {"joins": {"u1": metas("1")}, "leaves": {}}) == {"u1": metas("1")}


def test_a_key_goes_when_its_last_meta_leaves_and_stays_while_others_are_there() -> None:
    entries = {"u1": metas("1", "2")}
    after = sync_diff(entries, {"joins": {}, "leaves": {"u1": metas("1")}})
    assert refs(after) == {"u1": ["2"]}
    assert sync_diff(after, {"joins": {}, "leaves": {"u1": metas("2")}}) == {}


def test_a_new_meta_comes_after_those_that_are_there() -> None:
    after = sync_diff({"u1": metas("1", "2")}, {"joins": {"u1": metas("3")}, "leaves": {}})
    assert refs(after) == {"u1": ["1", "2", "3"]}


def test_a_meta_that_joins_twice_is_there_once() -> None:
    after = sync_diff({"u1": metas("1")}, {"joins": {"u1": metas("1")}, "leaves": {}})
    assert refs(after) == {"u1": ["1"]}


def test_the_leave_of_an_unknown_key_is_nothing() -> None:
    calls = Calls()
    assert sync_diff({}, {"joins": {}, "leaves": {"u1": metas("1")}}, calls) == {}
    assert calls.leaves == []


def test_a_join_and_a_leave_of_one_key_are_an_update_told_with_what_was_there() -> None:
    calls = Calls()
    diff = {"joins": {"u1": metas("2", phx_ref_prev="1")}, "leaves": {"u1": metas("1")}}
    after = sync_diff({"u1": metas("1")}, diff, calls)
    assert refs(after) == {"u1": ["2"]}
    assert calls.joins == [("u1", metas("1"), metas("2", phx_ref_prev="1"))]
    assert [key for key, _, _ in calls.leaves] == ["u1"]


@pytest.mark.parametrize("key", ["__proto__", "constructor", "hasOwnProperty", "__class__", ""])
def test_odd_keys_are_ordinary_keys(key: str) -> None:
    entries = sync_state({}, {key: metas("1")})
    entries = sync_diff(entries, {"joins": {key: metas("2")}, "leaves": {}})
    assert refs(entries) == {key: ["1", "2"]}


def test_what_the_server_adds_to_a_presence_is_kept() -> None:
    joined = {**metas("1"), "user": {"name": "x"}}
    entries = sync_diff({}, {"joins": {"u1": joined}, "leaves": {}})
    assert entries["u1"]["user"] == {"name": "x"}


# On a channel


async def present(world: World, **names: str) -> tuple[Socket, Channel, Presence]:
    socket = world.socket(reconnect_jitter=0.0)
    channel = socket.channel("room:1")
    presence = Presence(channel, **names)
    channel.join()
    await world.connected(socket)
    await world.settle()
    return socket, channel, presence


async def send(world: World, event: str, payload: Any) -> None:
    world.server.broadcast("room:1", event, payload)
    await world.settle()


def diff(joins: dict[str, Any] | None = None, leaves: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"joins": joins or {}, "leaves": leaves or {}}


@virtual
async def test_a_state_then_diffs(world: World) -> None:
    _, _, presence = await present(world)
    assert presence.in_pending_sync_state
    await send(world, "presence_state", {"u1": metas("1")})
    await send(world, "presence_diff", diff({"u2": metas("2")}, {"u1": metas("1")}))
    assert not presence.in_pending_sync_state
    assert refs(presence.entries) == {"u2": ["2"]}


@virtual
async def test_a_diff_before_the_state_is_held_and_applied_after_it(world: World) -> None:
    _, _, presence = await present(world)
    calls = Calls()
    presence.on_join(calls.on_join)
    presence.on_leave(calls.on_leave)
    await send(world, "presence_diff", diff({}, {"u2": metas("2")}))
    assert presence.list() == []
    await send(world, "presence_state", {"u1": metas("1"), "u2": metas("2")})
    assert refs(presence.entries) == {"u1": ["1"]}
    assert [key for key, _, _ in calls.joins] == ["u1", "u2"]
    assert calls.leaves == [("u2", {"metas": []}, metas("2"))]


@virtual
@pytest.mark.parametrize("loss", ["crash", "drop"])
async def test_after_a_rejoin_diffs_are_held_until_the_new_state_which_replaces_the_old(
    world: World, loss: str
) -> None:
    _, channel, presence = await present(world)
    await send(world, "presence_state", {"u1": metas("1"), "u2": metas("2")})
    calls = Calls()
    presence.on_join(calls.on_join)
    presence.on_leave(calls.on_leave)
    if loss == "crash":
        world.server.crash("room:1")
    else:
        world.server.drop()
    await world.settle()
    await world.until(lambda: channel.state == "joined")
    await send(world, "presence_diff", diff({"u3": metas("3")}))
    assert refs(presence.entries) == {"u1": ["1"], "u2": ["2"]}, "the last known until then"
    await send(world, "presence_state", {"u1": metas("1"), "u4": metas("4")})
    assert refs(presence.entries) == {"u1": ["1"], "u3": ["3"], "u4": ["4"]}
    assert [key for key, _, _ in calls.joins] == ["u4", "u3"]
    assert [key for key, _, _ in calls.leaves] == ["u2"]


@virtual
async def test_held_diffs_are_bounded(world: World) -> None:
    _, _, presence = await present(world)
    for number in range(PENDING_DIFFS + 5):
        world.server.link.arrive(
            None, None, "room:1", "presence_diff", diff({f"u{number}": metas(str(number))})
        )
    await send(world, "presence_state", {})
    assert len(presence.entries) == PENDING_DIFFS
    assert "u4" not in presence.entries, "the oldest went first"


@virtual
async def test_list_gives_whole_presences_or_what_a_function_makes_of_them(world: World) -> None:
    _, _, presence = await present(world)
    await send(world, "presence_state", {"u1": metas("1"), "u2": metas("2")})
    assert presence.list() == [metas("1"), metas("2")]
    assert presence.list(lambda key, entry: (key, entry["metas"][0]["phx_ref"])) == [("u1", "1"), ("u2", "2")]


@virtual
async def test_the_names_of_the_events_may_be_others(world: World) -> None:
    _, _, presence = await present(world, state="who_is_here", diff="who_moved")
    await send(world, "presence_state", {"u9": metas("9")})
    await send(world, "who_is_here", {"u1": metas("1")})
    await send(world, "who_moved", diff({"u2": metas("2")}))
    assert refs(presence.entries) == {"u1": ["1"], "u2": ["2"]}


@virtual
async def test_on_sync_is_called_whenever_it_is_in_step_again(world: World) -> None:
    _, _, presence = await present(world)
    synced: list[int] = []
    presence.on_sync(lambda: synced.append(len(presence.entries)))
    await send(world, "presence_diff", diff({"u2": metas("2")}))
    assert synced == []
    await send(world, "presence_state", {"u1": metas("1")})
    await send(world, "presence_diff", diff({}, {"u1": metas("1")}))
    assert synced == [2, 1]


@virtual
async def test_stop_listens_no_more(world: World) -> None:
    _, _, presence = await present(world)
    presence.stop()
    await send(world, "presence_state", {"u1": metas("1")})
    assert presence.entries == {}


def _raise(*_: object) -> None:
    raise LookupError


@virtual
@pytest.mark.parametrize("which", ["on_join", "on_leave", "on_sync"])
async def test_a_callback_that_raises_costs_no_presence_and_no_other_callback(
    world: World, which: str
) -> None:
    socket, _, presence = await present(world)
    called: list[str] = []

    def note(name: str) -> Callable[..., None]:
        return lambda *_: called.append(name)

    for name in ("on_join", "on_leave", "on_sync"):
        getattr(presence, name)(_raise if name == which else note(name))
    await send(world, "presence_state", {"u1": metas("1"), "u2": metas("2")})
    await send(world, "presence_diff", diff({"u3": metas("3")}, {"u1": metas("1")}))
    assert refs(presence.entries) == {"u2": ["2"], "u3": ["3"]}
    assert details(socket).handler_errors >= 1
    expected = {"on_join": 3, "on_leave": 1, "on_sync": 2}
    del expected[which]
    assert {name: called.count(name) for name in expected} == expected


@virtual
async def test_a_callback_sees_the_presences_as_they_are_now(world: World) -> None:
    _, _, presence = await present(world)
    seen: list[list[str]] = []
    presence.on_join(lambda *_: seen.append(sorted(presence.entries)))
    await send(world, "presence_state", {"u1": metas("1"), "u2": metas("2")})
    assert seen == [["u1", "u2"]] * 2


@virtual
@pytest.mark.parametrize("payload", [None, [], {"u1": {}}, {"u1": {"metas": [7]}}, {"u1": 1}, 7])
async def test_a_malformed_state_is_counted_and_the_next_one_counts(world: World, payload: Any) -> None:
    socket, channel, presence = await present(world)
    world.server.broadcast("room:1", "presence_state", payload)
    await send(world, "presence_diff", {"joins": 3})
    assert details(socket).undecodable == 2
    await send(world, "presence_state", {"u1": metas("1")})
    await send(world, "presence_state", {"u1": metas("1")})
    assert refs(presence.entries) == {"u1": ["1"]}
    assert channel.state == "joined"


# What it costs


BAD = [{}, {"metas": 3}, {"metas": [3]}, {"metas": [{"phx_ref": []}]}, 7, None]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("place", ["joins", "leaves"])
def test_a_presence_without_metas_is_counted_and_left_out_and_leaves_no_ghosts(
    bad: Any, held: bool, place: str
) -> None:
    room = Room()
    if not held:
        room.note("presence_state", {"u0": metas("0")})
    room.note("presence_diff", diff({"u1": metas("1")}))
    changed = diff({"u2": metas("2")}, {"u1": metas("1")})
    changed[place]["bad"] = bad
    room.note("presence_diff", changed)
    room.note("presence_diff", diff({"u3": metas("3")}, {"u2": metas("2")}))
    if held:
        room.note("presence_state", {"u0": metas("0")})
    assert refs(room.presence.entries) == {"u0": ["0"], "u3": ["3"]}
    assert len(room.undecodable) == 1
    room.note("presence_diff", diff({}, {"u3": metas("3")}))
    room.note("presence_state", {"u0": metas("0")})
    assert refs(room.presence.entries) == {"u0": ["0"]}, "nobody who left is there again"


def test_what_was_given_never_changes() -> None:
    room = Room()
    given: list[tuple[Any, Any]] = []

    def keep(*values: Any) -> None:
        for value in (*values, room.presence.entries, room.presence.list()):
            given.append((value, copy.deepcopy(value)))

    room.presence.on_join(keep)
    room.presence.on_leave(keep)
    room.note("presence_state", {"u1": metas("1", "2"), "u2": metas("3")})
    for number in range(20):
        room.note("presence_diff", diff({"u1": metas(f"a{number}")}, {"u1": metas(f"a{number - 1}")}))
        room.note("presence_diff", diff({"u2": metas("3", more=number), f"v{number}": metas("1")}))
    room.note("presence_state", {"u1": metas("2")})
    assert len(given) > 200
    assert all(value == before for value, before in given)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_diff_costs_what_it_changes_whoever_is_there(is_read: bool) -> None:
    def steps(there: int) -> float:
        room = Room()
        crowd = {f"u{n}": metas(f"r{n}", name="x") for n in range(there)}
        assert exhaust(room.begin("presence_state", crowd))
        best = 1e9
        for turn in range(5):
            begun = time.thread_time()
            for number in range(40):
                room.note("presence_diff", diff({f"n{number}": metas(f"{turn}")}, {f"n{number}": metas("0")}))
                if is_read:
                    room.presence.list(lambda key, entry: None) if number == 39 else room.presence.entries
            best = min(best, time.thread_time() - begun)
        return best

    # Where somebody holds them the dictionary is copied, one pointer a presence: 0.1 ms for 3,000.
    assert steps(3000) < 4 * steps(30) + (0.04 if is_read else 0.0)


def exhaust(rest: Any) -> int:
    """Do what does not fit into one turn; how many turns it took."""
    turns = 1
    while rest is not None:
        try:
            rest.send(None)
        except StopIteration:
            break
        turns += 1
    return turns


def test_a_crowd_is_dealt_with_in_turns_and_seen_all_at_once() -> None:
    room = Room()
    calls: list[str] = []
    room.presence.on_join(lambda key, before, joined: calls.append(key))
    crowd = {f"u{number}": metas(f"r{number}", name="somebody") for number in range(20_000)}
    rest = room.begin("presence_state", crowd)
    seen = set()
    turns = 0
    while rest is not None:
        seen.add(len(room.presence.entries))
        try:
            rest.send(None)
        except StopIteration:
            break
        turns += 1
    assert turns > 5, "the loop had its turns"
    assert seen <= {0, 20_000}
    assert calls == list(crowd)
    assert room.presence.entries == crowd
    rest = room.begin("presence_diff", diff({}, crowd))
    before = room.presence.entries
    exhaust(rest)
    assert (room.presence.entries, len(before)) == ({}, 20_000)


@virtual
async def test_what_comes_while_a_crowd_is_dealt_with_waits_for_it(world: World) -> None:
    _, channel, presence = await present(world)
    heard: list[int] = []
    channel.on("news", lambda message: heard.append(len(presence.entries)))
    crowd = {f"u{number}": metas(f"r{number}") for number in range(20_000)}
    world.server.broadcast("room:1", "presence_state", crowd)
    world.server.broadcast("room:1", "presence_diff", diff({"late": metas("1")}, {"u0": metas("r0")}))
    world.server.broadcast("room:1", "news", {})
    await world.until(lambda: heard)
    assert heard == [20_000]
    assert "late" in presence.entries


def test_presences_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_module, "MOST_BYTES", 2_000)
    room = Room()
    room.note("presence_state", {"u0": metas("0")})
    for number in range(100):
        room.note("presence_diff", diff({f"n{number}": metas("1", name="x" * 50)}))
    there = len(room.presence.entries)
    assert 10 < there < 30
    assert room.presence.left_out == 101 - there
    for number in range(100):
        # The same one comes and goes, and another page of it, which makes no more of them.
        room.note("presence_diff", diff({"u0": metas(f"b{number}")}, {"u0": metas(f"b{number - 1}")}))
    for number in range(100):
        room.note("presence_diff", diff({}, {f"n{number}": metas("1")}))
    room.note("presence_diff", diff({"again": metas("1", name="x" * 1_500)}))
    assert set(room.presence.entries) == {"u0", "again"}


def test_one_presence_is_bounded_however_it_grows() -> None:
    room = Room()
    crowd = metas(*map(str, range(MOST_ENTRY // 10)))
    exhaust(room.begin("presence_state", {"a": crowd, "b": metas("1")}))
    assert set(room.presence.entries) == {"b"}
    assert room.undecodable == ["a presence of more than 512 KiB"]
    for number in range(30):
        room.note("presence_diff", diff({"b": metas(f"n{number}", name="x" * (MOST_ENTRY // 10))}))
    assert len(room.presence.entries["b"]["metas"]) == 10
    assert room.presence.left_out == 21


def test_diffs_that_are_held_are_bounded_by_their_bytes() -> None:
    room = Room()
    large = metas("1", name="x" * (PENDING_BYTES // 10))
    for number in range(30):
        room.note("presence_diff", diff({f"n{number}": large}))
    exhaust(room.begin("presence_state", {}))
    assert len(room.presence.entries) == 9
    assert room.presence.left_out == 21
    assert "n29" in room.presence.entries, "the oldest went first"
