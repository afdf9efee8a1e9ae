"""The settings of the alert queue: what is in force, and what a mistake says."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tests.config.conftest import Lines, Load
from tui.alerts.options import EVENTS, PAYLOAD, AlertOptions, DeliveryOptions, SourceOptions
from tui.config.load import Settings, SettingsError, check_alert_rules

VARIABLE = "OVERLAY_SUPERVISOR_ALERTS"
SECRET = "s3cr3t-Value"
HUB = '[connections.hub]\nurl = "ws://hub"\ntopics = ["events:all", "stream:overlays", "queue"]\n'
SOURCE = '[[alerts.sources]]\nconnection = "hub"\ntopic = "events:all"\n'
DELIVERY = '[alerts.delivery]\nconnection = "hub"\n'


def effective(settings: Settings) -> dict[str, tuple[str, str]]:
    return {
        each.key: (each.text, each.source) for each in settings.sources if each.key.split(".")[0] == "alerts"
    }


# What is in force


@pytest.mark.parametrize("text", ["", "[alerts]\n", "[alerts]\nsources = []\n"])
def test_where_nothing_is_set_there_is_no_queue(load: Load, text: str) -> None:
    settings = load(HUB + text)
    assert settings.alerts is None
    assert effective(settings)["alerts"][0] == "not set"


def test_one_key_makes_a_queue_with_the_defaults(load: Load, tmp_path: Path) -> None:
    settings = load(HUB + "[alerts]\ngap = 1\n")
    assert settings.alerts == AlertOptions(gap=1.0)
    shown = effective(settings)
    assert shown["alerts.gap"] == ("1", f"{tmp_path}/config.toml:5")
    assert shown["alerts.kept_count"] == ("10000", "default")
    assert shown["alerts.rules"] == shown["alerts.delivery"] == ("not set", "default")
    assert shown["alerts.sources"] == ("[]", "default")


def test_everything_of_the_file(load: Load, tmp_path: Path) -> None:
    settings = load(
        HUB
        + """
[alerts]
rules = "rules.toml"
most_waiting = 1000
gap = 0
same_id_window = 86400
on_uncertain = "leave"
kept_days = 0.01
kept_count = 100
[[alerts.sources]]
connection = "hub"
topic = "events:all"
events = { "*" = "*", follower = "new" }
fields = { who = "user.name" }
[[alerts.sources]]
connection = "hub"
topic = "queue"
[alerts.delivery]
connection = "hub"
topic = "queue"
join_as = { role = "control" }
event = "show"
payload = { at = 2026-01-02, "a key" = [1, { deep = "{payload.bits}" }], on = true, part = 0.5 }
clear_event = "none"
clear_payload = { id = "{reply_id}" }
clear_topic = "stream:overlays"
reply_id = "id"
acknowledged_by = "none"
acknowledged_id = "data.id"
overlays = ["omnibar", "takeover"]
wait_for_page = true
timeout = 1
"""
    )
    assert settings.alerts == AlertOptions(
        rules=tmp_path / "rules.toml",
        most_waiting=1000,
        gap=0.0,
        same_id_window=86400.0,
        on_uncertain="leave",
        kept_days=0.01,
        kept_count=100,
        sources=(
            SourceOptions(
                connection="hub",
                topic="events:all",
                events={"*": "*", "follower": "new"},
                fields={"id": "id", "who": "user.name"},
            ),
            SourceOptions(connection="hub", topic="queue", events=EVENTS),
        ),
        delivery=DeliveryOptions(
            connection="hub",
            topic="queue",
            join_as={"role": "control"},
            event="show",
            payload={
                "at": datetime.date(2026, 1, 2),
                "a key": [1, {"deep": "{payload.bits}"}],
                "on": True,
                "part": 0.5,
            },
            clear_event=None,
            clear_payload={"id": "{reply_id}"},
            clear_topic="stream:overlays",
            reply_id="id",
            acknowledged_by=None,
            acknowledged_id="data.id",
            overlays=("omnibar", "takeover"),
            wait_for_page=True,
            timeout=1.0,
        ),
    )
    shown = {key: text for key, (text, _) in effective(settings).items()}
    assert shown["alerts.rules"] == '"rules.toml"'
    assert shown["alerts.sources[0].events"] == '{ "*" = "*", follower = "new" }'
    assert shown["alerts.sources[0].fields"] == '{ id = "id", who = "user.name" }'
    assert shown["alerts.delivery.payload"] == (
        '{ at = 2026-01-02, "a key" = [1, { deep = "{payload.bits}" }], on = true, part = 0.5 }'
    )
    assert shown["alerts.delivery.clear_event"] == '"none"'
    assert shown["alerts.delivery.overlays"] == '["omnibar", "takeover"]'


def test_everything_can_come_from_the_environment(load: Load, tmp_path: Path) -> None:
    environ = {
        f"{VARIABLE}__MOST_WAITING": "20",
        f"{VARIABLE}__RULES": "12",
        f"{VARIABLE}__ON_UNCERTAIN": "leave",
        f"{VARIABLE}__SOURCES": '[{"connection": "hub", "topic": "events:all"}]',
        f"{VARIABLE}__DELIVERY": '{"connection": "hub", "clear_payload": {"id": null}}',
    }
    settings = load(HUB + "[alerts]\ngap = 3\n" + SOURCE + SOURCE + DELIVERY + "timeout = 3\n", environ)
    alerts = settings.alerts
    assert alerts is not None
    assert (alerts.most_waiting, alerts.rules, alerts.gap) == (20, Path.cwd() / "12", 3.0)
    # A list or table is taken whole from the first place.
    assert len(alerts.sources) == 1
    assert alerts.delivery == DeliveryOptions(connection="hub", payload=PAYLOAD, clear_payload={"id": None})
    shown = effective(settings)
    place = f"environment variable {VARIABLE}__DELIVERY"
    assert shown["alerts.delivery.connection"] == ('"hub"', place)
    assert shown["alerts.delivery.clear_payload"] == ("{ id = null }", place)
    assert shown["alerts.delivery.timeout"] == ("5", "default")
    assert shown["alerts.gap"] == ("3", f"{tmp_path}/config.toml:5")


def test_a_url_on_the_command_line_runs_without_alerts(load: Load) -> None:
    settings = load(HUB + SOURCE + DELIVERY, {f"{VARIABLE}__GAP": "2"}, url="ws://other")
    assert settings.alerts is None


def test_the_same_settings_read_twice_are_equal(load: Load) -> None:
    text = HUB + SOURCE + "events = { a = 'b' }\n" + DELIVERY + "payload = { a = [1] }\n"
    assert load(text).alerts == load(text).alerts
    assert load(text).alerts != load(text.replace("[1]", "[2]")).alerts


# Mistakes

# What stands in MISTAKES begins on line 4.
MISTAKES = [
    ("[alerts]\nmostwaiting = 1", "5: alerts.mostwaiting: unknown key; nearest known: most_waiting"),
    (
        "[alerts]\ntopic = 'a'",
        "5: alerts.topic: unknown key here; it belongs into [[alerts.sources]] or [alerts.delivery]",
    ),
    (SOURCE + "gap = 1", "7: alerts.sources[0].gap: unknown key here; it belongs into [alerts]"),
    (SOURCE + "event = {}", "7: alerts.sources[0].event: unknown key; nearest known: events"),
    (
        SOURCE + "[alerts.sources.fields]\nwo = 'a'",
        "8: alerts.sources[0].fields.wo: unknown key; nearest known: who",
    ),
    (DELIVERY + "playload = {}", "6: alerts.delivery.playload: unknown key; nearest known: payload"),
    ("[alerts]\nmost_waiting = 0", "5: alerts.most_waiting: must be at least 1"),
    ("[alerts]\nmost_waiting = true", "5: alerts.most_waiting: expected a whole number from 1 to 1000"),
    ("[alerts]\ngap = nan", "5: alerts.gap: must be at most 60"),
    ("[alerts]\ngap = '1'", "5: alerts.gap: expected a number of seconds from 0 to 60"),
    ("[alerts]\nkept_count = 1000001", "5: alerts.kept_count: must be at most 1000000"),
    ("[alerts]\non_uncertain = 'no'", '5: alerts.on_uncertain: expected "again" or "leave"'),
    ('[alerts]\nrules = "a\\u0000"', "5: alerts.rules: expected the path of a TOML file"),
    ("[alerts]\nrules = ''", "5: alerts.rules: expected the path of a TOML file"),
    (
        "[alerts.sources]\ntopic = 'a'",
        "4: alerts.sources: expected a list of tables, each begun with [[alerts.sources]]",
    ),
    ("[alerts]\nsources = ['hub']", "5: alerts.sources[0]: expected a table"),
    (
        SOURCE + "[[alerts.sources]]\ntopic = 'queue'",
        "7: alerts.sources[1]: connection is missing; expected the name of one of [connections]",
    ),
    (
        SOURCE + "[alerts.sources.events]\ncheer = 'cheer'\nraid = 5",
        '9: alerts.sources[0].events.raid: expected a type of alert such as "follow", at most 40 characters',
    ),
    (
        SOURCE + "events = { raid = '*' }",
        '7: alerts.sources[0].events: raid: "*" is no type of alert but for the event "*"',
    ),
    (
        SOURCE + "events = {}",
        '7: alerts.sources[0].events: expected at least one event, such as follower = "follow"',
    ),
    (
        DELIVERY + "payload = { data = { token = { env = 'TOKEN' } } }",
        '6: alerts.delivery.payload: expected no { env = "NAME" } or { file = "path" }: '
        "this is no place for secrets",
    ),
    (
        DELIVERY + "join_as = { token = { file = 'token.txt' } }",
        '6: alerts.delivery.join_as: expected no { env = "NAME" } or { file = "path" }: '
        "this is no place for secrets",
    ),
    (
        DELIVERY + "join_as = 'control'",
        "6: alerts.delivery.join_as: expected a table",
    ),
    (
        DELIVERY + "payload = { x = inf }",
        "6: alerts.delivery.payload: expected neither inf nor nan: JSON has no such numbers",
    ),
    (
        DELIVERY + "clear_event = false",
        '6: alerts.delivery.clear_event: expected the name of an event, or "none"',
    ),
    (
        DELIVERY + "overlays = ['a', '']",
        "6: alerts.delivery.overlays[1]: expected a printable text of at least one character",
    ),
    (DELIVERY + "timeout = 0", "6: alerts.delivery.timeout: must be at least 0.1"),
    # What does not go with the connections.
    (
        SOURCE.replace("hub", "hbu"),
        "5: alerts.sources[0].connection: no such connection; nearest known: hub",
    ),
    (
        SOURCE.replace("events:all", "events:al"),
        "6: alerts.sources[0].topic: connections.hub does not join this topic; "
        "add it to connections.hub.topics",
    ),
    (
        SOURCE + SOURCE,
        "7: alerts.sources[1]: repeats the topic of a source; one source takes all its events",
    ),
    (
        DELIVERY + "topic = 'a'",
        "6: alerts.delivery.topic: connections.hub does not join this topic; "
        "add it to connections.hub.topics",
    ),
    (
        DELIVERY + "clear_topic = 'a'",
        "6: alerts.delivery.clear_topic: connections.hub does not join this topic; "
        "add it to connections.hub.topics",
    ),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_in_the_file_is_one_line_with_its_place(lines: Lines, text: str, line: str) -> None:
    assert lines(HUB + text) == [f"config.toml:{line}"]


def test_a_default_topic_that_is_not_joined_is_named(lines: Lines) -> None:
    assert lines(HUB.replace('"stream:overlays", ', "") + DELIVERY) == [
        "config.toml:4: alerts.delivery: connections.hub does not join the topic "
        '"stream:overlays"; add it to connections.hub.topics'
    ]


def test_tables_nested_without_end_are_no_traceback(lines: Lines) -> None:
    deep = ".".join("a" * 80)
    assert lines(HUB + DELIVERY + f"payload.{deep} = 1") == [
        "config.toml:6: alerts.delivery.payload: expected at most 20 tables and lists within each other"
    ]
    (line,) = lines(HUB + DELIVERY + f"{deep} = 1")
    assert line.startswith("config.toml:6: alerts.delivery.a: unknown key")


def test_alerts_need_a_connection(lines: Lines) -> None:
    assert lines(DELIVERY) == [
        "config.toml:2: alerts.delivery.connection: no such connection; "
        "expected [connections.NAME] with a url"
    ]


@pytest.mark.parametrize("text", ["gap = 1\n", "alerts = 5\n"])
def test_a_mistake_above_all_tables(lines: Lines, text: str) -> None:
    words = {"gap": "unknown key here; it belongs into [alerts]", "alerts": "expected a table"}
    key = text.split()[0]
    assert lines(text + HUB) == [f"config.toml:1: {key}: {words[key]}"]


VARIABLES = [
    ("", SECRET, "expected a table in JSON"),
    ("__GAP", SECRET, "expected a number of seconds from 0 to 60"),
    ("__GAPP", "1", f"unknown variable; nearest known: {VARIABLE}__GAP"),
    ("__DELIVERY__TOPIC", "a", f"unknown variable; give the whole of {VARIABLE}__DELIVERY in JSON"),
    ("__DELIVERY", SECRET, "expected a table"),
    ("__DELIVERY", '{"topic": "queue"}', "connection is missing; expected the name of one of [connections]"),
    ("__SOURCES", SECRET, "expected a list of tables, each begun with [[alerts.sources]]"),
    (
        "__SOURCES",
        f'[{{"connection": "hub", "topic": "{SECRET}"}}]',
        "[0].topic: connections.hub does not join this topic; add it to connections.hub.topics",
    ),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_a_mistake_in_the_environment_names_the_variable(
    lines: Lines, name: str, value: str, words: str
) -> None:
    assert lines(HUB + SOURCE + DELIVERY, {VARIABLE + name: value}) == [f"{VARIABLE}{name}: {words}"]


MISPLACED = [
    *(f'[alerts]\n{key} = ["{SECRET}"]' for key in ("rules", "gap", "on_uncertain", "sources", "delivery")),
    *(f'{SOURCE}{key} = {{ x = ["{SECRET}"] }}' for key in ("events", "fields")),
    *(
        f'{DELIVERY}{key} = [["{SECRET}"]]'
        for key in ("topic", "event", "payload", "clear_event", "overlays", "timeout", "acknowledged_by")
    ),
    f'{DELIVERY}payload = {{ a = {{ file = "{SECRET}" }} }}',
    f'{DELIVERY}topic = "{SECRET}"',
    f'{DELIVERY}event = "{SECRET}\\n"',
    f'[alerts.delivery]\nconnection = "{SECRET}"',
    f'[[alerts.sources]]\nconnection = "{SECRET}"\ntopic = "{SECRET}"',
]


@pytest.mark.parametrize("text", MISPLACED)
def test_no_mistake_repeats_a_value(lines: Lines, text: str) -> None:
    told = lines(HUB + text)
    assert told
    assert SECRET not in "\n".join(told)


# The file of rules


def test_rules_are_looked_at_when_asked_and_not_before(load: Load, tmp_path: Path) -> None:
    check_alert_rules(load(HUB))
    check_alert_rules(load(HUB + "[alerts]\ngap = 1\n"))
    settings = load(HUB + "[alerts]\nrules = 'rules.toml'\n")
    with pytest.raises(SettingsError) as caught:
        check_alert_rules(settings)
    assert caught.value.lines == (f"{tmp_path}/config.toml:5: alerts.rules: no such file",)
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\ntype = "cheer"\npriority = 3\n')
    check_alert_rules(settings)
    path.write_text('[[rule]]\ntype = "cheer"\npriority = 11\n')
    with pytest.raises(SettingsError) as caught:
        check_alert_rules(settings)
    assert caught.value.lines == (f"{path}:3: rule 1: priority: expected a whole number from 1 to 10",)


def test_a_field_that_no_hub_is_known_to_send_is_told(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        """
[[rule]]
type = "cheer"
when = ["bitz >= 100", "bits < 1000", "data.user_id != 5"]
title = "{who} {count} {nosuch|1|2} {user_name} {data.message}"
message = "{reward.title}"
[[rule]]
type = "redemption"
title = "{reward.title} {reward.cost} {others}"
title_many = "{usr_input}"
[[rule]]
type = "*"
title = "{whatever}"
"""
    )
    text = HUB + "[alerts]\nrules = 'rules.toml'\n" + SOURCE
    assert check_alert_rules(load(text)) == [
        f"{path}: rule 1: when: no cheer is known to have a field bitz; nearest: bits",
        f"{path}: rule 1: title: no cheer is known to have a field nosuch; nearest: source",
        f"{path}: rule 1: message: no cheer is known to have a field reward.title; nearest: correlation_id",
        f"{path}: rule 2: title_many: no redemption is known to have a field usr_input; nearest: user_input",
    ]
    # What another hub calls a cheer may have any field.
    assert check_alert_rules(load(text + "events = { tip = 'cheer' }\n")) == []


@pytest.mark.parametrize(
    ("type", "sources", "words"),
    [
        ("follow", SOURCE, None),
        ("follower", SOURCE, None),
        ("*", SOURCE, None),
        ("hype", SOURCE + "events = { train = 'hype' }\n", None),
        ("folow", SOURCE + "events = { '*' = '*' }\n", None),
        ("folow", SOURCE, "no source or rule has type folow; nearest: follow"),
        ("hyp", SOURCE + "events = { train = 'hype' }\n", "no source or rule has type hyp; nearest: hype"),
    ],
)
def test_a_rule_for_a_type_that_none_can_have_is_a_mistake(
    load: Load, tmp_path: Path, type: str, sources: str, words: str | None
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f'[[rule]]\ntype = "raid"\n[[rule]]\npriority = 9\ntype = "{type}"\n')
    settings = load(HUB + "[alerts]\nrules = 'rules.toml'\n" + sources)
    if words is None:
        check_alert_rules(settings)
        return
    with pytest.raises(SettingsError) as caught:
        check_alert_rules(settings)
    assert caught.value.lines == (f"{path}:5: rule 2: type: {words}",)
