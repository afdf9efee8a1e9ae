"""No value stands twice under ``tui``: of no two structs one's fields all stand in the other, or nearly."""

from __future__ import annotations

import importlib
import itertools
import pkgutil

import msgspec

import tui

_SHARE = 0.8
_FEWEST = 3
"""Fields of its own below which a struct has no more in common with another than a name and a time."""

_ALIKE = {
    ("alerts.alert.Alert", "alerts.rules.Verdict"): "what a rule decides is written into the alert",
    ("alerts.alert.Alert", "model.alerts.AlertSummary"): "as it is stored, and without its payload",
    ("alerts.rules.Rule", "alerts.rules.Verdict"): "a rule says what is decided, for what it matches",
    ("channels.health.StateChange", "control.protocol.StateEvent"): "on the wire, with whose it is",
    ("channels.wire.Message", "channels.wire.Reply"): "a message, and the payload of one kind of it",
    ("channels.wire.Message", "channels.wire._ArrayFrame"): "a message, and its form on the wire",
    ("channels.wire._ArrayFrame", "channels.wire._ObjectFrame"): "the two forms of one message on the wire",
    ("channels.wire._ArrayFrame", "model.snapshot.Frame"): "the wire's form, and what is shown of it",
    (
        "control.protocol.Result",
        "model.snapshot.CommandResult",
    ): "over the socket it names its request",
    (
        "model.incidents.TimelineEntry",
        "model.snapshot.LogLine",
    ): "a line that concerns an incident",
    ("model.incidents.TimelineEntry", "store.journal.Entry"): "a line that concerns an incident",
    ("model.events.ChannelChanged", "model.snapshot.ChannelSnapshot"): "how it stands, and that it changed",
    (
        "model.snapshot.LogLine",
        "store.journal.Entry",
    ): "in memory with a cursor, in a file with its event",
}
"""Pairs that may be so, by the names of both, each with its reason."""


def structs() -> dict[str, set[str]]:
    """The fields that each struct adds to its bases, by module and name; of ``tui.replay`` none.

    What a replay reads back has the fields of what was written.
    """
    found: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.endswith("__main__") or module.name.startswith("tui.replay"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, msgspec.Struct):
                name = f"{value.__module__}.{value.__name__}".removeprefix("tui.")
                found[name] = set(value.__annotations__) & set(value.__struct_fields__)
    return {name: fields for name, fields in found.items() if len(fields) >= _FEWEST}


def test_no_value_stands_twice() -> None:
    found = structs()
    assert len(found) > 30
    twice = {
        (one, other)
        for (one, ours), (other, theirs) in itertools.combinations(sorted(found.items()), 2)
        if len(ours & theirs) >= _SHARE * min(len(ours), len(theirs))
    }
    assert sorted(twice - _ALIKE.keys()) == []
