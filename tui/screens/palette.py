"""The command palette: what can be done now, found by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen


class PaletteCommand(NamedTuple):
    """One line of the palette."""

    title: str
    help: str
    run: Callable[[], Awaitable[None] | None]


class HasCommands(Protocol):
    """An app that says what can be done on a screen."""

    def palette_commands(self, screen: Screen[object]) -> Iterable[PaletteCommand]:
        """The commands in the order in which they are to be offered."""
        ...


class PaletteProvider(Provider):
    """Offers the app's commands in their own order, where Textual's would sort them by name."""

    def _commands(self) -> Iterable[PaletteCommand]:
        return cast("HasCommands", self.app).palette_commands(self.screen)

    async def discover(self) -> Hits:
        """Everything, while nothing is typed."""
        for command in self._commands():
            yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """What matches, the best first."""
        matcher = self.matcher(query)
        for command in self._commands():
            if (score := matcher.match(command.title)) > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=command.help)
