"""A command line as a table: what each command is called, who carries it out and what it takes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    # The type has no public name, and takes no parameter while the program runs.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

T = TypeVar("T", int, float)

Argument = Callable[[argparse.ArgumentParser], object]
"""Gives a parser one argument."""


def argument(*names: str, **options: Any) -> Argument:
    """What ``add_argument`` is given, for whichever parser takes it."""
    return lambda parser: parser.add_argument(*names, **options)


class Command(NamedTuple):
    name: str
    action: Callable[[argparse.Namespace], int]
    """Carries it out; the exit status."""
    help: str
    arguments: tuple[Argument, ...] = ()
    below: tuple[Command, ...] = ()
    """Commands of its own, none of which need be given."""
    more: Mapping[str, Any] = {}
    """What else ``argparse`` is told of it."""

    def add_to(self, commands: Commands, common: tuple[Argument, ...] = ()) -> argparse.ArgumentParser:
        """Its parser, which takes ``common`` arguments before its own, as do all below it."""
        parser = commands.add_parser(self.name, allow_abbrev=False, help=self.help, **self.more)
        for add in (*common, *self.arguments):
            add(parser)
        parser.set_defaults(action=self.action, verb=self.name, fail=parser.error)
        if self.below:
            below = parser.add_subparsers(metavar="COMMAND")
            for command in self.below:
                command.add_to(below, common)
        return parser


def number(kind: Callable[[str], T], least: float, most: float) -> Callable[[str], T]:
    """The type of an argument that is a number within bounds."""

    def parse(text: str) -> T:
        try:
            number = kind(text)
        except ValueError:
            number = kind("-1")
        if not math.isfinite(number) or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:.10g}")
        return number

    return parse
