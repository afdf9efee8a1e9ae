"""Keys as a user sets them: what is accepted, what is refused and with which words."""

from __future__ import annotations

import string
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.keys import Keys, _character_to_key

from tui.app.actions import ACTIONS, SCREENS
from tui.app.keymap import KeymapError, key_name, keymap, shown

SCOPES = {action.id: action.scope for action in ACTIONS}


def mistakes(overrides: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    with pytest.raises(KeymapError) as caught:
        keymap(overrides)
    return list(caught.value.mistakes)


def clashes(keys: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Keys that would do two things on one screen."""
    found = []
    for scopes in SCREENS:
        there = [key for action, own in keys.items() if SCOPES[action] in scopes for key in own]
        found += [key for key in there if there.count(key) > 1]
    return found


# What is accepted


def test_without_settings_every_action_has_its_own_keys() -> None:
    keys = keymap({})
    assert keys == {action.id: action.keys for action in ACTIONS}
    assert clashes(keys) == []


def test_a_key_takes_the_place_of_all_that_the_action_had() -> None:
    keys = keymap({"move.down": ("n", "ctrl+n"), "connection.push": ()})
    assert keys["move.down"] == ("n", "ctrl+n")
    assert keys["connection.push"] == ()
    assert keys["move.up"] == ("k", "up")


def test_two_actions_can_change_keys_with_each_other() -> None:
    keys = keymap({"connection.connect": ("r",), "connection.reconnect": ("c",)})
    assert (keys["connection.connect"], keys["connection.reconnect"]) == (("r",), ("c",))


def test_screens_that_are_never_seen_together_may_share_a_key() -> None:
    assert keymap({"inspector.freeze": ("o",)})["inspector.freeze"] == keymap({})["list.order"]


def test_the_same_key_twice_is_one() -> None:
    assert keymap({"help": ("?", "question_mark", "f1")})["help"] == ("question_mark", "f1")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("r", "r"),
        ("R", "R"),
        ("shift+r", "R"),
        ("é", "é"),
        ("7", "7"),
        ("?", "question_mark"),
        ("/", "slash"),
        ("+", "plus"),
        ("-", "minus"),
        (",", "comma"),
        (" ", "space"),
        ("€", "euro_sign"),
        ("slash", "slash"),
        ("space", "space"),
        ("F5", "f5"),
        ("ctrl+r", "ctrl+r"),
        ("Ctrl+R", "ctrl+r"),
        ("^r", "ctrl+r"),
        ("^R", "ctrl+r"),
        ("ctrl+\\", "ctrl+backslash"),
        ("ctrl+f5", "ctrl+f5"),
        ("shift+tab", "shift+tab"),
        ("shift+ctrl+left", "ctrl+shift+left"),
        ("alt+x", "alt+x"),
        ("alt+X", "alt+shift+x"),
        ("esc", "escape"),
        ("Return", "enter"),
        # As terminals have always sent them.
        ("ctrl+m", "enter"),
        ("ctrl+i", "tab"),
        ("ctrl+h", "backspace"),
        ("ctrl+[", "escape"),
    ],
)
def test_a_key_may_be_written_as_people_write_it(written: str, name: str) -> None:
    assert key_name(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        "rr",
        "f0",
        "f25",
        "ctrl",
        "ctrl+",
        "+r",
        "ctrl++r",
        "ctrl+ctrl+r",
        "strg+r",
        "super+r",
        "meta+r",
        "ctrl+?",
        "ctrl+space",
        "ctrl+tab",
        "ctrl+shift+r",
        "shift+enter",
        "shift+7",
        "shift+?",
        "alt+left",
        "alt+?",
        "r,s",
        " r",
        "\x1b",
        "\n",
        "\u202e",
        "\u200b",
        "x" * 100_000,
    ],
)
def test_what_no_terminal_sends_is_no_key(written: str) -> None:
    assert key_name(written) is None


@given(st.characters(exclude_categories=("C", "Z")))
@example("€")
@example("~")
def test_a_character_has_the_name_that_the_toolkit_gives_it(character: str) -> None:
    assert key_name(character) in (None, _character_to_key(character))


def test_every_sign_of_a_keyboard_has_the_name_that_the_toolkit_gives_it() -> None:
    for sign in string.printable[:95]:
        assert key_name(sign) == _character_to_key(sign)


MODIFIERS = ("", "ctrl+", "shift+", "alt+", "ctrl+shift+", "alt+shift+", "ctrl+alt+")
KEYS = sorted({str(key.value).split("+")[-1] for key in Keys} | set(string.ascii_letters))


def test_a_named_key_is_one_that_the_toolkit_reports() -> None:
    reported = {str(key.value) for key in Keys}
    for written in (f"{modifiers}{key}" for modifiers in MODIFIERS for key in KEYS):
        name = key_name(written)
        if name is not None and len(name) > 1 and not name.startswith("alt+"):
            assert name in reported or _is_sign(name), written


def _is_sign(name: str) -> bool:
    return name in {_character_to_key(sign) for sign in string.punctuation}


# What is refused


def test_an_unknown_action_is_told_with_the_nearest_known() -> None:
    assert mistakes({"connection.recconect": ("r",)}) == [
        ("connection.recconect", "unknown action; nearest known: connection.reconnect")
    ]
    assert mistakes({"x" * 100_000: ("r",)})[0][1].startswith("unknown action; nearest known: ")


def test_every_mistake_is_told() -> None:
    told = mistakes({"nonsense": ("r",), "help": ("hyper+h", "f1", "f99"), "quit": ()})
    assert [action for action, _ in told] == ["nonsense", "help", "help", "quit"]
    assert told[1][1] == 'expected a key such as "r", "?", "f5", "ctrl+r" or "shift+tab"'


def test_a_mistake_repeats_no_key_that_is_none() -> None:
    assert "hyper" not in str(mistakes({"help": ("hyper+h",)}))


def test_a_key_that_is_taken_says_by_whom_and_what_to_do() -> None:
    assert mistakes({"connection.push": ("r",)}) == [
        (
            "connection.push",
            '"r" is the key of connection.reconnect too; give connection.reconnect another one',
        )
    ]
    # The place of the mistake is the changed action's, whichever stands first in the registry.
    assert mistakes({"move.down": ("ctrl+p",)})[0][0] == "move.down"


def test_a_clash_that_a_terminal_makes_is_a_clash() -> None:
    assert mistakes({"connection.push": ("ctrl+m",)}) == [
        (
            "connection.push",
            '"enter" is the key of connection.details too; give connection.details another one',
        )
    ]


def test_a_clash_on_several_screens_is_told_once() -> None:
    assert len(mistakes({"help": ("j",)})) == 1


@pytest.mark.parametrize("action", ["quit", "back"])
def test_nobody_is_locked_in(action: str) -> None:
    [(told, words)] = mistakes({action: ()})
    assert told == action
    assert "needs a key" in words
    taken = keymap({})[action][0]
    assert mistakes({"connection.push": (taken,)}) == [
        ("connection.push", f'"{shown((taken,))}" is the key of {action} too; give {action} another one')
    ]


SOME_KEYS = st.sampled_from(
    [*"abcqrRjk?/", "ctrl+c", "ctrl+r", "ctrl+m", "f1", "escape", "enter", "tab", "hyper+x", ""]
)


@given(
    st.dictionaries(
        st.sampled_from([*SCOPES, "no.such.action"]), st.lists(SOME_KEYS, max_size=3).map(tuple), max_size=8
    )
)
@example({"quit": ("ctrl+r",), "connection.push": ("q",), "connection.reconnect": ("ctrl+c",)})
def test_whatever_is_accepted_leaves_one_meaning_to_each_key_and_a_way_out(
    overrides: dict[str, tuple[str, ...]],
) -> None:
    told: tuple[tuple[str, str], ...] = ()
    keys = {}
    try:
        keys = keymap(overrides)
    except KeymapError as error:
        told = error.mistakes
    if not keys:
        assert told
        assert {action for action, _ in told} <= set(overrides)
        return
    assert list(keys) == [action.id for action in ACTIONS]
    assert clashes(keys) == []
    assert keys["quit"]
    assert keys["back"]
    for action, written in overrides.items():
        assert set(keys[action]) == {key_name(key) for key in written}


# How help writes them


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("question_mark", "f1"), "? F1"),
        (("ctrl+p", "colon"), "^p :"),
        (("j", "down"), "j ↓"),
        (("pagedown",), "page ↓"),
        (("escape",), "esc"),
        (("ctrl+backslash",), "^\\"),
        (("ctrl+f12",), "^F12"),
        (("shift+tab",), "shift+tab"),
        (("ctrl+shift+left",), "ctrl+shift+←"),
        (("alt+shift+x",), "alt+shift+x"),
        (("space",), "space"),
        (("euro_sign",), "€"),
        (("a", "b", "c"), "a b"),
        ((), ""),
    ],
)
def test_keys_as_help_writes_them(keys: tuple[str, ...], text: str) -> None:
    assert shown(keys) == text
