"""Which rule counts, what the texts become, and that no file and no event is a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.alerts.alert import MOST_PAYLOAD, Alert, decode, encode, new_id, payload_text
from tui.alerts.events import EVENTS, TYPES, EventTypes, sample, viewer_of
from tui.alerts.rules import DEFAULT, Rules
from tui.alerts.rules_file import MAX_FILE_BYTES, RulesError, load

REPLAYED = settings(derandomize=True, database=None, deadline=None, max_examples=60)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts.toml"


def rules(file: Path, *tables: str) -> Rules:
    file.write_text("\n".join(f"[[rule]]\n{table}" for table in tables))
    return load(file)


# Which one counts

BY_SIZE = (
    'type = "cheer"\ntitle = "type"\nduration = 1',
    'type = "cheer"\nwhen = "bits >= 100"\ntitle = "range"',
    'type = "cheer"\nwhen = "bits >= 1000"\ntitle = "inside"',
    'type = "cheer"\nwhen = ["bits >= 100", "bits < 200"]\ntitle = "both"',
    'type = "cheer"\nwhen = "bits = 420"\ntitle = "equality"\npriority = 10',
    'type = "*"\ntitle = "other"\nmessage = "any"',
    'type = "*"\nwhen = "bits = 7"\ntitle = "any seven"',
)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("type", "bits", "title"),
    [
        ("cheer", 5, "type"),
        ("cheer", 250, "range"),
        ("cheer", 150, "both"),
        ("cheer", 5000, "inside"),
        ("cheer", 420, "equality"),
        ("cheer", 7, "any seven"),
        ("hype", 5, "other"),
        ("hype", 7, "any seven"),
    ],
)
def test_the_more_exact_rule_counts_wherever_it_stands(
    file: Path, order: int, type: str, bits: int, title: str
) -> None:
    assert rules(file, *BY_SIZE[::order]).judge(type, {"bits": bits}).title == title


def test_what_a_rule_leaves_out_comes_from_the_next_less_exact_one(file: Path) -> None:
    verdict = rules(file, *BY_SIZE).judge("cheer", {"bits": 420, "message": "hi"})
    assert (verdict.title, verdict.priority, verdict.duration) == ("equality", 10, 1.0)
    assert verdict.message == "hi", "the built-in rule of the type, before that of any type"


def test_of_two_equal_ones_the_first_counts_and_a_users_before_a_built_in(file: Path) -> None:
    both = rules(
        file,
        'type = "cheer"\nwhen = "bits >= 9"\nduration = 3',
        'type = "cheer"\nduration = 4',
        'type = "cheer"\nduration = 5',
        'type = "cheer"\nwhen = "level >= 1"\nduration = 9',
    )
    assert both.judge("cheer", {"bits": 1}).duration == 4
    assert both.judge("cheer", {"bits": 10, "level": 2}).duration == 3
    own = rules(file, 'type = "cheer"\nwhen = "bits >= 1000"\ntitle = "mine"')
    verdict = own.judge("cheer", {"bits": 1500})
    assert (verdict.title, verdict.duration, verdict.priority) == ("mine", 10, 8)


def test_a_gifted_sub_is_ignored_unless_a_rule_says_otherwise(file: Path) -> None:
    gifted = {"user_name": "mira", "is_gift": True}
    assert DEFAULT.judge("sub", gifted).ignore
    assert not DEFAULT.judge("sub", {"user_name": "mira", "is_gift": False}).ignore
    assert rules(file, 'type = "sub"\npriority = 9').judge("sub", gifted).ignore
    assert (
        not rules(file, 'type = "sub"\nwhen = "is_gift = true"\nignore = false').judge("sub", gifted).ignore
    )


@pytest.mark.parametrize(
    ("when", "payload", "holds"),
    [
        ("bits != 5", {"bits": 6}, True),
        ("bits != 5", {}, False),
        ("bits = 1", {"bits": True}, False),
        ("bits = true", {"bits": 1}, False),
        ("bits > 5", {"bits": 5}, False),
        ("bits <= 5.5", {"bits": 5.5}, True),
        ("bits < 5", {"bits": [1]}, False),
        ("bits < 5", {"bits": float("nan")}, False),
        ("bits > 5", {"bits": 10**400}, True),
        ("tier >= 2000", {"tier": "3000"}, True),
        ("tier >= 2000", {"tier": "3000x"}, False),
        ('tier = "1000"', {"tier": "1000"}, True),
        ("reward.title = 'hydrate'", {"reward": {"title": "hydrate"}}, True),
        ("reward.title = 'hydrate'", {"reward": "hydrate"}, False),
    ],
)
def test_conditions(file: Path, when: str, payload: dict[str, Any], holds: bool) -> None:
    verdict = rules(file, f'type = "x"\nwhen = """{when}"""\nignore = true').judge("x", payload)
    assert verdict.ignore is holds


def test_the_defaults_are_what_streamers_expect() -> None:
    judged = {type: DEFAULT.judge(type, sample(type, random.Random(3), 0.0)) for type in (*TYPES, "hype")}
    durations = {type: verdict.duration for type, verdict in judged.items()}
    assert durations == {
        "follow": 5, "sub": 8, "resub": 8, "gift": 10, "cheer": 6, "raid": 10, "redemption": 6, "hype": 6,
    }  # fmt: skip
    big = DEFAULT.judge("cheer", {"bits": 1000})
    assert (big.duration, big.priority > judged["cheer"].priority) == (10, True)
    assert max(judged.values(), key=lambda verdict: verdict.priority) is judged["raid"]
    assert min(judged.values(), key=lambda verdict: verdict.priority) is judged["follow"]
    assert {type for type, verdict in judged.items() if verdict.collapse} == {"follow", "sub", "resub"}
    assert not any("{" in verdict.title or not verdict.title for verdict in judged.values())


# Texts


def test_a_template_puts_in_fields_and_evaluates_nothing(file: Path) -> None:
    judge = rules(file, 'type = "x"\ntitle = "{who} {type} {count} {a.b} {n} {f} {t} {gone}{list}|{b}"').judge
    payload = {
        "user_name": "{n}\x1b[31m\n\u202eevil", "a": {"b": "deep"}, "n": 10**20, "f": 2.0, "t": True,
        "list": [1], "b": "\ud800",
    }  # fmt: skip
    assert judge("x", payload).title == "{n} [31m evil x 1 deep 100000000000000000000 2 yes |?"
    assert len(judge("x", {"a": {"b": "y" * 1_000_000}}).title) <= 200


TITLES = [
    ("follow", {}, 1, "mira followed"),
    ("follow", {}, 2, "mira and 1 other followed"),
    ("follow", {}, 12, "mira and 11 others followed"),
    ("sub", {}, 1, "mira subscribed"),
    ("sub", {}, 2, "sub train: 2 new subscribers"),
    ("resub", {}, 1, "mira subscribed"),
    ("resub", {"cumulative_months": None}, 1, "mira subscribed"),
    ("resub", {"cumulative_months": 1}, 1, "mira subscribed, month 1"),
    ("resub", {"cumulative_months": 14}, 1, "mira subscribed, month 14"),
    ("resub", {"cumulative_months": 14}, 2, "sub train: 2 resubscribed"),
    ("gift", {}, 1, "mira gifted subs"),
    ("gift", {"total": 1}, 1, "mira gifted 1 sub"),
    ("gift", {"data": {"total": 1}}, 1, "mira gifted 1 sub"),
    ("gift", {"total": 50}, 1, "mira gifted 50 subs"),
    ("cheer", {}, 1, "mira cheered"),
    ("cheer", {"bits": []}, 1, "mira cheered"),
    ("cheer", {"bits": 0}, 1, "mira cheered 0 bits"),
    ("cheer", {"bits": 1}, 1, "mira cheered 1 bit"),
    ("cheer", {"bits": 1.0}, 1, "mira cheered 1 bit"),
    ("cheer", {"bits": "1"}, 1, "mira cheered 1 bit"),
    ("cheer", {"bits": 10}, 1, "mira cheered 10 bits"),
    ("raid", {}, 1, "mira raids"),
    ("raid", {"viewers": 0}, 1, "mira raids with 0 viewers"),
    ("raid", {"viewers": 1}, 1, "mira raids with 1 viewer"),
    ("raid", {"viewers": 120}, 1, "mira raids with 120 viewers"),
    ("redemption", {}, 1, "mira redeemed a reward"),
    ("redemption", {"reward": {"title": ""}}, 1, "mira redeemed a reward"),
    ("redemption", {"reward": {"title": "1"}}, 1, "mira redeemed 1"),
    ("redemption", {"data": {"reward": {"title": "hydrate"}}}, 1, "mira redeemed hydrate"),
]


@pytest.mark.parametrize(("type", "payload", "count", "title"), TITLES)
def test_titles_are_english_for_none_one_and_many(
    type: str, payload: dict[str, Any], count: int, title: str
) -> None:
    assert DEFAULT.judge(type, {"user_name": "mira", **payload}, count).title == title


def test_a_place_has_words_for_one_for_many_and_for_none(file: Path) -> None:
    judge = rules(file, 'type = "x"\ntitle = "{n|one|# of #} {m||many|none} {s|just #} {g|a|b}."').judge
    assert judge("x", {"n": 1, "m": 1, "s": "{n}"}).title == "one just {n} ."
    assert judge("x", {"n": 7, "m": 2, "s": 1, "g": 3}).title == "7 of 7 many just 1 b."
    assert judge("x", {}).title == "none ."


@pytest.mark.parametrize("status", ["canceled", "cancelled", "refunded", "CANCELED"])
def test_a_redemption_that_was_taken_back_is_no_alert(file: Path, status: str) -> None:
    own = rules(file, "type = 'redemption'\nwhen = 'reward.title = \"hydrate\"'\ntitle = 'water!'")
    taken_back = {"id": "2", "status": status, "reward": {"title": "hydrate"}}
    for judge in (DEFAULT.judge, own.judge):
        assert judge("redemption", taken_back).ignore
        assert judge("redemption", {"type": "redemption", "data": taken_back}).ignore
        assert not judge("redemption", taken_back | {"status": "unfulfilled"}).ignore
        assert not judge("redemption", {"reward": {"title": "hydrate"}}).ignore
    asked_for = rules(file, f"type = 'redemption'\nwhen = 'status = \"{status}\"'\nignore = false")
    assert not asked_for.judge("redemption", taken_back).ignore


def test_a_grown_alert_has_the_title_for_many(file: Path) -> None:
    own = rules(file, 'type = "sub"\ntitle = "one"', 'type = "follow"\ntitle_many = "{count} of them"')
    assert own.judge("sub", {}, 3).title == "one"
    assert own.judge("follow", {"user_name": "zed"}, 3).title == "3 of them"
    assert own.judge("follow", {"user_name": "zed"}).title == "zed followed"
    broken = Alert(id="1", type="follow", accepted_at=0.0, title="kept", payload="[")
    assert own.render(broken, 2) == ("kept", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
BUILT_IN_TYPES = EventTypes(EVENTS, "type")
FIELDS = st.sampled_from(
    ["user_id", "data", "bits", "user_name", "reward", "is_gift", "cumulative_months", "total", "x"]
)


@REPLAYED
@given(type=st.sampled_from([*TYPES, "*", ""]) | st.text(), payload=st.dictionaries(FIELDS | st.text(), JSON))
def test_no_event_is_a_traceback(type: str, payload: dict[str, Any]) -> None:
    verdict = DEFAULT.judge(type, payload, count=2)
    viewer_of(payload)
    BUILT_IN_TYPES.find(type, payload)
    assert len(verdict.title) <= 200
    assert len(verdict.message) <= 500
    text, cut = payload_text(payload)
    assert isinstance(json.loads(text), dict)
    assert len(text.encode()) <= MOST_PAYLOAD
    if not cut:
        assert DEFAULT.judge(type, json.loads(text)).bypass is False


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "é" * 100_000, "bits": 5, "inf": float("inf")},
        {f"key{number}": "x" * 150 for number in range(1000)} | {"bits": 5},
        {"bits": 5, "bad": "\ud800", "huge": 10**5000, "object": object(), "nested": {"a": "x" * 20_000}},
    ],
    ids=["long text", "many keys", "no JSON"],
)
def test_a_payload_that_is_too_large_stays_json_and_says_so(payload: dict[str, Any]) -> None:
    text, cut = payload_text(payload)
    assert cut
    assert len(text.encode()) <= MOST_PAYLOAD
    assert set(json.loads(text)) <= set(payload)


def test_a_payload_nested_too_deeply_keeps_its_plain_values() -> None:
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    assert payload_text({"bits": 5, "deep": deep}) == ('{"bits":5}', True)


def test_an_alert_is_read_as_it_was_written_and_by_an_older_version() -> None:
    alert = Alert(
        id=new_id(5.0, random.Random(1)), type="raid", accepted_at=5.0, outcome="shown", state="ended"
    )
    assert decode(encode(alert)) == alert
    later = msgspec.json.decode(encode(alert)) | {"colour": "red"}
    assert decode(msgspec.json.encode(later)) == alert
    with pytest.raises(ValueError, match="outcome"):
        decode(msgspec.json.encode(later | {"outcome": "lost"}))
    assert new_id(1.0, random.Random(1)) < new_id(1.001, random.Random(2)) < new_id(9e9, random.Random(3))


# Files

GOOD = '[[rule]]\ntype = "cheer"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + GOOD + "prioritty = 3", ":5: rule 2: prioritty: unknown key; nearest known: priority"),
        (GOOD + "priority = 11", ":3: rule 1: priority: expected a whole number from 1 to 10"),
        (GOOD + "priority = true", ":3: rule 1: priority: expected a whole number from 1 to 10"),
        (GOOD + "duration = nan", ":3: rule 1: duration: expected seconds, from 0.5 to 600"),
        (GOOD + "# c\ncollapse = -1", ":4: rule 1: collapse: expected seconds, from 0 to 3600"),
        (GOOD + 'when = [\n"bits >= 1",\n"bits ~ 3"]', ":3: rule 1: when: expected a condition like bits"),
        (GOOD + "when = 'bits > \"3\"'", ":3: rule 1: when: expected a number after >"),
        (GOOD + "when = 5", ":3: rule 1: when: expected a condition"),
        (GOOD + 'title = "{user_name!r}"', ":3: rule 1: title: expected braces around the name of a field"),
        (GOOD + 'title = "{a.__class__:>9}"', ":3: rule 1: title: expected braces around"),
        (GOOD + 'bypass = "yes"', ":3: rule 1: bypass: expected true or false"),
        (GOOD + "[[rule]]\npriority = 1", ":3: rule 2: expected a type"),
        (GOOD + "[other]", ":3: other: expected [[rule]] tables only"),
        ('[rule]\ntype = "cheer"', ":1: expected [[rule]], in two pairs of brackets"),
        ("rule = [1]", ":1: rule 1: expected a table"),
        (GOOD * 501, ":1001: expected at most 500 rules"),
        (GOOD + "priority 3", ":3: not valid TOML: expected '=' after a key"),
        (GOOD + 'title = "', ":3: not valid TOML"),
        ("x = " + "[" * 100_000, ": nested too deeply"),
        (GOOD + "a" + ".a" * 100_000 + " = 1", ":3: a key of more than 100 parts"),
        ("x = " + "9" * 10_000, ": a number with too many digits"),
        ("#" * (MAX_FILE_BYTES + 1), ": larger than 256 KiB"),
    ],
    ids=lambda value: value[-40:] if value.startswith(":") else f"{len(value)} characters",
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(RulesError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}{words}")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_says_so(file: Path, tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="No such file"):
        load(file)
    with pytest.raises(RulesError, match="directory"):
        load(tmp_path)
    file.write_bytes(b'[[rule]]\ntype = "\xff"')
    with pytest.raises(RulesError, match=r":2: not UTF-8 text"):
        load(file)


@REPLAYED
@given(
    content=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: ("[[rule]]\n" + text).encode("utf-8", "replace"))
    | st.tuples(st.sampled_from(["type", "when", "title", "duration", "collapse", "x"]), JSON).map(
        lambda pair: f"[[rule]]\n{pair[0]} = {json.dumps(pair[1])}".encode()
    )
)
def test_no_file_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    try:
        load(file).judge("cheer", {"bits": 5})
    except RulesError as error:
        assert str(error).startswith(str(file))  # noqa: PT017 (most contents raise nothing)


def test_an_empty_file_and_windows_line_ends_are_fine(file: Path) -> None:
    file.write_bytes(b"")
    assert load(file).judge("raid", {}).duration == 10
    file.write_bytes(GOOD.replace("\n", "\r\n").encode() + b"duration = 3\r\n")
    assert load(file).judge("cheer", {}).duration == 3
