"""The shape of the settings, made from the options' own annotations.

A table is a ``TypedDict`` that pydantic validates: it gives back a dictionary of the keys that were set.
What errors say a key takes, and under which heading it belongs, is read from the same annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from functools import reduce
from operator import or_
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

from msgspec import Meta
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Strict
from typing_extensions import TypedDict, is_typeddict

from tui.text.option_types import NONE, Check, OrNone
from tui.text.toml_lines import KeyPath

_CONFIG = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
_BOUNDS = ("ge", "le", "min_length", "max_length")
# mypy knows no TypedDict but those that are written out.
_typed_dict: Any = TypedDict


def table_of(options: type, /, **instead: Any) -> Any:
    """The table in which options are written: its keys are their fields, none required that has a default.

    Args:
        options: a dataclass.
        instead: types of keys that are written in another way than the options hold them, or that the
            options have not; None leaves a key out.
    """
    hints = get_type_hints(options, include_extras=True)
    own = {each.name: hints[each.name] for each in fields(options)}
    for each in fields(options):
        if each.default is MISSING is each.default_factory:
            own[each.name] = Required[own[each.name]]
    return table(options.__name__, own | instead)


def table(name: str, hints: Mapping[str, Any]) -> Any:
    """A table with these keys, of which those that are ``Required`` must be there."""
    keys = {key: _written(hint) for key, hint in hints.items() if hint is not None}
    made = _typed_dict(name, keys, total=False)
    made.__pydantic_config__ = _CONFIG
    return made


def tables_by(name: Any, each: Any) -> Any:
    return GenericAlias(dict, (name, each))


def _written(hint: Any) -> Any:
    """The type of an option as pydantic validates it: never null, since TOML has none."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Required:
        return Required[_written(args[0])]
    if origin is Annotated:
        inner, *notes = args
        if any(isinstance(note, OrNone) for note in notes):
            return Annotated[(inner, *notes, BeforeValidator(_none_of))]
        return Annotated[(_written(inner), *notes, *(more for note in notes for more in _rules(note)))]
    if hasattr(hint, "__dataclass_fields__"):
        return table_of(hint)
    if origin in (Union, UnionType):
        return reduce(or_, (_written(each) for each in args if each is not NoneType))
    if origin is tuple:
        # TOML has lists.
        return Annotated[(GenericAlias(tuple, (_written(args[0]), ...)), Strict(False))]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return tables_by(_written(args[0]), _written(args[1]))
    return hint


def _none_of(value: Any) -> Any:
    return None if value == NONE else value


def _rules(note: object) -> Iterator[Any]:
    """What stands beside a type, as pydantic knows it."""
    if isinstance(note, Check):
        yield AfterValidator(note.function)
    if isinstance(note, Meta):
        bounds = {name: getattr(note, name) for name in _BOUNDS}
        if set_bounds := {name: bound for name, bound in bounds.items() if bound is not None}:
            yield Field(**set_bounds)


def plain(hint: Any) -> Any:
    while get_origin(hint) in (Annotated, Required):
        hint = get_args(hint)[0]
    return hint


def notes(hint: Any) -> list[Any]:
    while get_origin(hint) is Required:
        hint = get_args(hint)[0]
    return list(get_args(hint)[1:]) if get_origin(hint) is Annotated else []


def keys_of(hint: Any) -> tuple[str, ...]:
    """The keys that a table can have; none where any is taken, or it is no table."""
    inner = plain(hint)
    if is_typeddict(inner):
        return tuple(inner.__annotations__)
    names = plain(get_args(inner)[0]) if get_origin(inner) is dict else None
    return get_args(names) if get_origin(names) is Literal else ()


def inside(hint: Any, path: KeyPath) -> Any:
    """The type at a path in a table of the type ``hint``; None where none is known."""
    for part in path:
        inner = plain(hint)
        if is_typeddict(inner):
            hint = inner.__annotations__.get(part)
        elif get_origin(inner) in (tuple, dict):
            hint = get_args(inner)[0 if isinstance(part, int) else 1]
        else:
            return None
    return hint


def is_text(hint: Any) -> bool:
    """Whether every value of a type is a text."""
    inner = plain(hint)
    if get_origin(inner) in (Union, UnionType):
        return all(is_text(each) for each in get_args(inner) if each is not NoneType)
    return inner is str or (
        get_origin(inner) is Literal and all(isinstance(each, str) for each in get_args(inner))
    )


def headings(hint: Any, title: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The heading that begins each table, such as ``[[alerts.sources]]``, and the table's keys."""
    inner, brackets = plain(hint), "[{}]"
    if get_origin(inner) is tuple:
        inner, brackets = plain(get_args(inner)[0]), "[[{}]]"
    elif get_origin(inner) is dict and is_typeddict(plain(get_args(inner)[1])):
        inner, title = plain(get_args(inner)[1]), f"{title}.NAME"
    if title and keys_of(inner):
        yield brackets.format(title), keys_of(inner)
    if is_typeddict(inner):
        for key, each in inner.__annotations__.items():
            yield from headings(each, f"{title}.{key}" if title else key)


def expected(hint: Any, path: KeyPath = ()) -> str:
    """What is taken, in words: from what the type says of itself, or from what it is and its bounds."""
    meta = next((note for note in notes(hint) if isinstance(note, Meta)), None)
    words = (meta.description if meta else None) or _words(plain(hint), path)
    if meta is None or meta.ge is None or meta.le is None:
        return words
    return f"{words} from {meta.ge:.12g} to {meta.le:.12g}"


def _words(inner: Any, path: KeyPath) -> str:
    origin, args = get_origin(inner), get_args(inner)
    if origin is Literal:
        return _listed([f'"{each}"' if isinstance(each, str) else str(each) for each in args])
    if origin in (Union, UnionType):
        return _listed([expected(each) for each in args])
    if origin in (tuple, dict) and is_typeddict(plain(args[-1 if origin is dict else 0])):
        ((heading, _), *_) = headings(inner, ".".join(str(part) for part in path))
        kind = "a list of tables" if origin is tuple else "tables by name"
        return f"{kind}, each begun with {heading}"
    known = {bool: "true or false", int: "a whole number", float: "a number of seconds", str: "a text"}
    return known.get(inner, "a table" if origin is dict or is_typeddict(inner) else "something else")


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
