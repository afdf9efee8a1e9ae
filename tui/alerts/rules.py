"""What is to be done with an event: the built-in rules, a user's own over them, and which one counts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tui.alerts.alert import MOST_MESSAGE, MOST_TITLE, Alert
from tui.alerts.conditions import Condition, Region, parse
from tui.alerts.events import DOCUMENTED, who_of
from tui.alerts.templates import Template

OTHER = "*"
"""The type of a rule for every type that has no better one."""

GIVEN = ("who", "type", "count", "others")
"""What templates may name beside an event's fields."""

_log = logging.getLogger(__name__)
_read_payload = msgspec.json.Decoder(dict[str, Any]).decode


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of one event. ``ignore`` stands above everything else.

    ``duration``, ``time_to_live`` (None: without end) and ``collapse`` (0: never) are seconds; ``priority``
    is 1 to 10. ``who``, ``title`` and ``message`` are bounded texts of one line.
    """

    ignore: bool
    priority: int
    duration: float
    who: str
    title: str
    message: str
    bypass: bool
    time_to_live: float | None
    collapse: float


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; what it leaves out (None) is taken from the next less exact one that holds."""

    type: str
    when: tuple[Condition, ...] = ()
    priority: int | None = None
    duration: float | None = None
    title: Template | None = None
    title_many: Template | None = None
    """The title once the alert has grown; with a ``title`` and none of these that one is for both."""
    message: Template | None = None
    bypass: bool | None = None
    ignore: bool | None = None
    time_to_live: float | None = None
    """Seconds, or 0 for without end."""
    collapse: float | None = None


class Rules:
    """The user's rules, in the order of their file, over the built-in ones. Immutable.

    The more exact rule counts: one with more equalities, then with more other conditions, then the one
    whose ranges lie inside the other's, then a named type before ``*``, then a user's before a built-in
    one, then the first.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._own = own = tuple(rules)
        self._given = [(rule, Region(rule.when)) for rule in (*own, *BUILT_IN)]
        self._ordered: dict[str, tuple[Rule, ...]] = {}
        for name in {rule.type for rule, _ in self._given}:
            self._ordered[name] = self._order(name)

    @property
    def types(self) -> frozenset[str]:
        """The types that have rules of their own."""
        return frozenset(self._ordered) - {OTHER}

    def undocumented(self) -> Iterator[tuple[int, str, str, str]]:
        """What the user's rules name and no event of their type is known to have: the rule's number from 1,
        its key and type, and the field's path."""
        for number, rule in enumerate(self._own, 1):
            if (known := DOCUMENTED.get(rule.type)) is None:
                continue
            named = [("when", each.field) for each in rule.when]
            for key in ("title", "title_many", "message"):
                template = getattr(rule, key)
                named += [(key, path) for path in template.fields if path not in GIVEN] if template else []
            for key, path in named:
                if path.removeprefix("data.").partition(".")[0] not in known:
                    yield number, key, rule.type, path

    def judge(self, type: str, payload: Mapping[str, Any], count: int = 1) -> Verdict:
        """The verdict on an event of the alert type ``type``. Never raises, whatever the payload holds.

        Args:
            count: how many viewers the alert stands for, for its texts.
        """
        rules = [rule for rule in self._for(type) if all(one.holds(payload) for one in rule.when)]
        who = who_of(payload)
        given = dict(zip(GIVEN, (who, type, str(count), str(count - 1)), strict=True))
        title = _first(rules, "title")
        if count > 1:
            titled = next(rule for rule in rules if rule.title_many or rule.title)
            title = titled.title_many or titled.title
        time_to_live = _first(rules, "time_to_live")
        return Verdict(
            ignore=_first(rules, "ignore"),
            priority=_first(rules, "priority"),
            duration=_first(rules, "duration"),
            who=who,
            title=title.render(payload, given, MOST_TITLE),
            message=_first(rules, "message").render(payload, given, MOST_MESSAGE),
            bypass=_first(rules, "bypass"),
            time_to_live=time_to_live or None,
            collapse=_first(rules, "collapse"),
        )

    def render(self, alert: Alert, count: int) -> tuple[str, str]:
        """Title and message of an alert that has grown to ``count`` viewers."""
        try:
            payload = _read_payload(alert.payload)
        except (ValueError, RecursionError) as error:
            _log.warning("alert %s keeps its texts: its payload cannot be read: %s", alert.id, error)
            return alert.title, alert.message
        verdict = self.judge(alert.type, payload, count)
        return verdict.title, verdict.message

    def _for(self, type: str) -> tuple[Rule, ...]:
        return self._ordered.get(type) or self._ordered[OTHER]

    def _order(self, type: str) -> tuple[Rule, ...]:
        """The rules that may hold for ``type``, the most exact first."""
        groups: dict[tuple[int, int], list[tuple[Rule, Region]]] = {}
        for named in (True, False):
            for rule, region in self._given:
                if (rule.type == type) if named else (rule.type == OTHER != type):
                    group = groups.setdefault((region.equalities, region.ranges), [])
                    # In front of the first that it lies inside of: whatever lies inside of it is there
                    # already.
                    at = next(
                        (at for at, (_, other) in enumerate(group) if region.is_inside(other)), len(group)
                    )
                    group.insert(at, (rule, region))
        return tuple(rule for key in sorted(groups, reverse=True) for rule, _ in groups[key])


def _first(rules: list[Rule], name: str) -> Any:
    """What the first rule says that says anything; the last built-in one says everything."""
    return next(value for rule in rules if (value := getattr(rule, name)) is not None)


def _built_in(type: str, *when: str, **fields: Any) -> Rule:
    read: dict[str, Any] = {
        name: Template(value) if isinstance(value, str) else value for name, value in fields.items()
    }
    return Rule(type=type, when=tuple(map(parse, when)), **read)


_TAKEN_BACK = ("canceled", "cancelled", "refunded", "CANCELED", "CANCELLED", "REFUNDED")
"""Of a redemption: as EventSub writes it, as others do, and as Twitch's REST interface does."""

BUILT_IN = (
    _built_in("raid", title="{who} raids{viewers| with 1 viewer| with # viewers}", priority=9, duration=10.0),
    _built_in("gift", title="{who} gifted{total| 1 sub| # subs| subs}", priority=8, duration=10.0),
    _built_in(
        "sub", title="{who} subscribed", title_many="sub train: {count} new subscribers",
        priority=7, duration=8.0, collapse=30.0,
    ),
    # The gift bomb itself is one alert; each of its subscriptions arrives as an event too.
    _built_in("sub", "is_gift = true", ignore=True),
    _built_in(
        "resub", title="{who} subscribed{cumulative_months|, month #}",
        title_many="sub train: {count} resubscribed", message="{message}",
        priority=7, duration=8.0, collapse=30.0,
    ),
    _built_in(
        "cheer", title="{who} cheered{bits| 1 bit| # bits}", message="{message}", priority=6, duration=6.0,
    ),
    _built_in("cheer", "bits >= 1000", priority=8, duration=10.0),
    _built_in(
        "redemption", title="{who} redeemed {reward.title|#|#|a reward}", message="{user_input}",
        priority=5, duration=6.0,
    ),
    # What was taken back comes as an event of its own, under another id.
    *(_built_in("redemption", f'status = "{status}"', ignore=True) for status in _TAKEN_BACK),
    _built_in(
        "follow", title="{who} followed", title_many="{who} and {others|1 other|# others} followed",
        priority=2, duration=5.0, collapse=30.0,
    ),
    _built_in(
        OTHER, title="{type} {who}", message="{message}", priority=4, duration=6.0,
        bypass=False, ignore=False, time_to_live=0.0, collapse=0.0,
    ),
)  # fmt: skip
"""The rules under a user's own. The last one says everything, so that nothing is left unsaid."""

DEFAULT = Rules()
"""The built-in rules alone, which hold where a user's file cannot be used."""
