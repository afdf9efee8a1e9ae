"""Which alert each event of a viewer is, in the words of every hub that there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.alerts.events import DOCUMENTED, EVENTS, NO_ALERTS, EventTypes, unknown_type, viewer_of, who_of
from tui.alerts.options import AlertOptions, SourceOptions
from tui.alerts.rules import DEFAULT
from tui.alerts.sources import MAX_NAME, MAX_NAMES, OTHERS, Unmapped
from tui.alerts.templates import field
from tui.demo.dialect import REAL
from tui.demo.show import Show

RECORDED = json.loads((Path(__file__).parent.parent / "demo" / "landale.json").read_text())["events"]
BUILT_IN = EventTypes(EVENTS, "type")
TYPES = {
    "follower": "follow",
    "subscription": "sub",
    "gift_subscription": "gift",
    "resubscription": "resub",
    "cheer": "cheer",
    "raid": "raid",
    "redemption": "redemption",
    "chat_message": None,
    "channel_update": None,
}
"""What the demo's hub calls what a viewer does, and the alert that it is."""


def events(dialect: str, kind: str, **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    happening = Show(7).happening(kind, user_name="mira", **fields)
    return [tuple(happening)] if dialect == "plain" else REAL[dialect].events(happening)


@pytest.mark.parametrize("dialect", ["plain", *REAL])
@pytest.mark.parametrize("kind", TYPES)
def test_every_event_of_a_viewer_is_its_alert_on_every_hub(dialect: str, kind: str) -> None:
    fields = {"cumulative_months": 1} if kind == "subscription" else {}
    for event, payload in events(dialect, kind, **fields):
        name, type = BUILT_IN.find(event, payload)
        assert type == TYPES[kind]
        if type is None:
            assert name in NO_ALERTS
        else:
            assert BUILT_IN.may_have(event)
            assert {*payload, *payload.get("data", ())} <= DOCUMENTED[type]
            assert who_of(payload) == "mira"
            assert "mira" in DEFAULT.judge(type, payload).title


def test_what_was_recorded_of_the_real_hub() -> None:
    found = [BUILT_IN.find(event, payload) for event, payload in RECORDED if event != "phx_reply"]
    assert {name for name, type in found if type is None} <= NO_ALERTS
    for event, payload in RECORDED:
        if (type := BUILT_IN.find(event, payload)[1]) is not None:
            assert payload.keys() <= DOCUMENTED[type]
    alerts = [
        (type, DEFAULT.judge(type, payload).title, field(payload, "id") is not None)
        for event, payload in RECORDED
        if event != "phx_reply" and (type := BUILT_IN.find(event, payload)[1]) is not None
    ]
    assert alerts == [
        ("follow", "Ana followed", True),
        ("sub", "Ed subscribed", True),
        ("gift", "Gi gifted 5 subs", True),
        ("cheer", "Bo cheered 420 bits", True),
        ("cheer", "anonymous cheered 100 bits", True),
        ("raid", "Cy raids with 50 viewers", True),
        ("resub", "Re subscribed, month 12", True),
        ("redemption", "Po redeemed hydrate", True),
    ]


def test_who_it_was_is_told_by_the_id_else_by_the_name() -> None:
    assert viewer_of({"user_id": "7", "user_name": "mira"}) == viewer_of({"user_id": 7, "user_name": "Zed"})
    assert viewer_of({"user_name": "mira"}) == viewer_of({"data": {"user_name": "MIRA"}})
    assert viewer_of({"user_name": "7"}) != viewer_of({"user_id": "7"})
    assert viewer_of({"from_broadcaster_user_id": "7"}) == viewer_of({"user_id": "7"})
    assert viewer_of({"user_id": 10**5000, "user_name": "mira"}) == viewer_of({"user_name": "mira"})
    for nobody in ({}, {"user_id": None, "user_name": ""}, {"is_anonymous": True, "user_id": "7"}):
        assert viewer_of(nobody) is None


@pytest.mark.parametrize(
    ("event", "payload", "type"),
    [
        ("subscription", {"cumulative_months": 3}, "resub"),
        ("subscription", {"cumulative_months": 3, "is_gift": True}, "sub"),
        ("subscription", {"data": {"cumulative_months": 3}}, "resub"),
        ("subscription", {"data": {"cumulative_months": 3, "is_gift": True}}, "sub"),
        ("twitch_event", {"type": "channel.hype_train.begin"}, None),
        ("event", {"type": "twitch", "data": {"type": "channel.hype_train.begin"}}, None),
        ("event", {"type": "channel.raid"}, "raid"),
        ("event", {"type": ["channel.raid"], "data": "channel.raid"}, None),
        ("hype_train", {}, None),
    ],
)
def test_what_tells_more_inside(event: str, payload: dict[str, Any], type: str | None) -> None:
    assert BUILT_IN.find(event, payload)[1] == type


def test_the_exact_name_goes_before_the_kind_and_both_before_any_other() -> None:
    own = EventTypes({"a": "exact", "a:x": "never", "b:x": "kind", "c:d:e": "colons", "*": "*"}, "what.kind")
    kind = {"what": {"kind": "x"}}
    assert own.find("a", kind) == ("a", "exact")
    assert own.find("b", kind) == ("b:x", "kind")
    assert own.find("b", {"what": {"kind": "y"}}) == ("b:y", "b")
    assert own.find("c:d:e", {}) == ("c:d:e", "colons")
    assert own.find("c", {"what": {"kind": "d:e"}}) == ("c:d:e", "colons")
    assert own.find("c:d", {"what": {"kind": "e"}}) == ("c:d", "c:d")
    assert own.find("z", {}) == ("z", "z")
    assert not EventTypes({"a": "a", "b:x": "b"}, "type").may_have("z")


def test_a_type_is_known_that_a_source_can_bring_or_a_rule_has() -> None:
    def types(*events: dict[str, str]) -> Any:
        sources = tuple(SourceOptions(connection="hub", topic="events", events=each) for each in events)
        return AlertOptions(sources=sources).types

    built_in = {"follow", "sub", "resub", "gift", "cheer", "raid", "redemption"}
    assert types() == types(EVENTS) == built_in
    assert types(EVENTS, {"train": "hype", "event:poll": "poll"}) == built_in | {"hype", "poll"}
    assert types({"train": "hype", "*": "other"}) == built_in | {"hype", "other"}
    assert types(EVENTS, {"*": "*"}) is None
    words = "no source or rule has type folow; nearest: follow"
    assert unknown_type("folow", built_in) == words
    assert unknown_type("follow", built_in) is None
    assert len(unknown_type("x" * 100_000, built_in) or "") < 150


def test_names_that_nobody_maps_are_counted_within_bounds() -> None:
    unmapped = Unmapped()
    unmapped.count("stream_event")
    for number in range(3 * MAX_NAMES):
        unmapped.count(f"{number % (2 * MAX_NAMES)}\x1b" + "x" * 1000)
    counts = unmapped.counts
    assert len(counts) == MAX_NAMES + 1
    assert max(map(len, counts)) == MAX_NAME
    assert not any("\x1b" in name for name in counts)
    assert (sum(counts.values()), next(iter(counts))) == (3 * MAX_NAMES, OTHERS)
