"""The conversations recorded from Phoenix 1.8.12 on Bandit, replayed against the hub.

``recordings.json`` holds them by name, one step a line: ``>`` to the server, ``<`` from it; text as it
was, ``hex`` for binary frames, ``close`` for a close code.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

RECORDINGS: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "recordings.json").read_text(encoding="utf-8")
)


def stable(frame: Any) -> Any:
    """The frame without what differs at each run."""
    if isinstance(frame, dict):
        changing = {"phx_ref": "*", "phx_ref_prev": "*", "online_at": 0}
        return {key: changing.get(key, stable(value)) for key, value in frame.items()}
    return [stable(item) for item in frame] if isinstance(frame, list) else frame


@pytest.mark.parametrize("name", RECORDINGS)
async def test_replay(name, client):
    query = "" if name == "version 1" else "vsn=2.0.0&id=user:w1"
    peer = await client(query)
    closed = False
    for number, step in enumerate(RECORDINGS[name]):
        direction, said = step[0], step[2:]
        if direction == ">":
            await peer.websocket.send(bytes.fromhex(said[4:]) if said.startswith("hex ") else said)
        elif said.startswith("close "):
            assert await peer.closed() == int(said[6:]), f"step {number}"
            closed = True
        elif said.startswith("hex "):
            assert (await peer.receive()).hex() == said[4:], f"step {number}"
        else:
            assert stable(await peer.receive()) == stable(json.loads(said)), f"step {number}: {step}"
    if not closed:
        # Nothing more was on its way than what was recorded.
        if query:
            await peer.beat()
        else:
            await peer.websocket.close()


async def test_presence(client):
    """Joiner's own diff before its state; an update is one diff; a drop is a leave."""
    alice, bob = await client(), await client()
    assert await alice.join("presence:r", {"user": "alice", "meta": {"device": "pc"}}) == {}
    alice_meta = {"phx_ref": "*", "device": "pc", "online_at": 0}
    bob_meta = {"phx_ref": "*", "online_at": 0}
    diff = {"joins": {"alice": {"metas": [alice_meta]}}, "leaves": {}}
    assert stable(await alice.receive()) == [None, None, "presence:r", "presence_diff", diff]
    state = {"alice": {"metas": [alice_meta]}}
    assert stable(await alice.receive()) == ["1", None, "presence:r", "presence_state", state]

    assert await bob.join("presence:r", {"user": "bob"}) == {}
    diff = {"joins": {"bob": {"metas": [bob_meta]}}, "leaves": {}}
    for peer in (bob, alice):
        assert stable(await peer.receive()) == [None, None, "presence:r", "presence_diff", diff]
    state["bob"] = {"metas": [bob_meta]}
    assert stable(await bob.receive()) == ["1", None, "presence:r", "presence_state", state]

    reply = await bob.ask("1", "2", "presence:r", "update", {"away": True})
    assert stable(reply) == [
        "1", "2", "presence:r", "phx_reply", {"response": {"phx_ref": "*"}, "status": "ok"},
    ]  # fmt: skip
    updated = {"phx_ref": "*", "phx_ref_prev": "*", "away": True, "online_at": 0}
    diff = {"joins": {"bob": {"metas": [updated]}}, "leaves": {"bob": {"metas": [bob_meta]}}}
    for peer in (bob, alice):
        assert stable(await peer.receive()) == [None, None, "presence:r", "presence_diff", diff]

    bob.websocket.transport.abort()
    diff = {"joins": {}, "leaves": {"bob": {"metas": [updated]}}}
    assert stable(await alice.receive()) == [None, None, "presence:r", "presence_diff", diff]


async def test_a_slow_join_holds_up_the_whole_connection(client):
    peer = await client()
    began = asyncio.get_running_loop().time()
    await peer.send("80", "80", "slowjoin:1", "phx_join", {"ms": 300})
    await peer.send(None, "81", "phoenix", "heartbeat", {})
    reply = {"response": {"topic": "slowjoin:1"}, "status": "ok"}
    assert await peer.receive() == ["80", "80", "slowjoin:1", "phx_reply", reply]
    assert asyncio.get_running_loop().time() - began >= 0.29
    assert (await peer.receive())[1] == "81"

    # The same join sent twice while the first still runs.
    await peer.send("82", "82", "slowjoin:2", "phx_join", {"ms": 50})
    await peer.send("83", "83", "slowjoin:2", "phx_join", {"ms": 50})
    assert [(await peer.receive())[:4] for _ in range(3)] == [
        ["82", "82", "slowjoin:2", "phx_reply"],
        ["83", "83", "slowjoin:2", "phx_reply"],
        ["82", "82", "slowjoin:2", "phx_close"],
    ]
    # A leave while the join still runs.
    await peer.send("84", "84", "slowjoin:3", "phx_join", {"ms": 50})
    await peer.send("84", "85", "slowjoin:3", "phx_leave", {})
    assert [(await peer.receive())[:4] for _ in range(3)] == [
        ["84", "84", "slowjoin:3", "phx_reply"],
        ["84", "85", "slowjoin:3", "phx_reply"],
        ["84", "84", "slowjoin:3", "phx_close"],
    ]


async def test_a_blocked_handler_holds_up_its_channel_alone(client):
    peer = await client()
    await peer.join("echo:d", ref="75")
    await peer.send("75", "86", "echo:d", "block", {"ms": 100})
    await peer.send("75", "87", "echo:d", "echo", {})
    await peer.send(None, "88", "phoenix", "heartbeat", {})
    assert [(await peer.receive())[1] for _ in range(3)] == ["88", "86", "87"]


async def test_the_channel_after_the_hundredth_is_refused(client):
    peer = await client()
    for number in range(1, 101):
        await peer.join(f"echo:{number}", ref=str(number))
    refused = {"response": {"reason": "too many channels joined"}, "status": "error"}
    assert await peer.ask("101", "101", "echo:101", "phx_join", {}) == [
        "101", "101", "echo:101", "phx_reply", refused,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "event", "payload"),
    [("crash_channel", "phx_error", {"reason": "channel_crash"}), ("stop_channel", "phx_close", {})],
)
async def test_the_server_ends_a_channel_by_itself(hub, client, how, event, payload):
    peer = await client()
    await peer.join("echo:k", ref="20")
    assert getattr(hub.faults, how)("echo:k") == 1
    assert await peer.receive() == ["20", "20", "echo:k", event, payload]
    await peer.join("echo:k", ref="21")
