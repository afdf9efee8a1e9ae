"""The command palette: what can be done now, found by its name."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events, on
from textual.app import ComposeResult
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.markup import escape
from textual.style import Style
from textual.widgets import Input, LoadingIndicator

from tui.app.commands import EngineApp
from tui.app.palette_commands import PaletteCommand, palette_commands
from widgets.prompt import again, paste

_MOST_QUERY = 200
"""Characters; each is looked for in each command."""


class PaletteProvider(Provider):
    """Offers the app's commands in their own order, where Textual's would sort them by name.

    A title may hold text from outside, such as the type of an alert; Textual takes a plain text for markup.
    """

    def _commands(self) -> Iterable[PaletteCommand]:
        app = self.app
        return palette_commands(app, self.screen) if isinstance(app, EngineApp) else ()

    async def discover(self) -> Hits:
        """Everything, while nothing is typed."""
        for command in self._commands():
            yield DiscoveryHit(Content(command.title), command.run, command.title, escape(command.help))

    async def search(self, query: str) -> Hits:
        """What matches, the best first: the letters in their order, or every word somewhere."""
        fuzzy = FuzzySearch()
        style = self.match_style or Style(reverse=True)
        for command in self._commands():
            title = command.title
            whole = fuzzy.match(query, title)
            words = [fuzzy.match(word, title) for word in query.split()]
            found = [whole] if whole[0] > 0 or not all(score > 0 for score, _ in words) else words
            score = sum(score for score, _ in found) / max(1, len(found))
            if score > 0:
                offsets = {
                    offset for _, offsets in found for offset in offsets if not title[offset].isspace()
                }
                shown = Content(title)
                for offset in sorted(offsets):
                    shown = shown.stylize(style, offset, offset + 1)
                yield Hit(score, shown, command.run, title, escape(command.help))


class _Commands(CommandList):
    """The commands. Textual leaves reverse video out of the styles of options."""

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        if any(self.get_component_styles(name).text_style.reverse for name in component_classes):
            style += Style(reverse=True)
        return style


class _Query(CommandInput):
    """The line to type into."""

    def on_paste(self, event: events.Paste) -> None:
        """Take what there is room for."""
        event.stop()
        event.prevent_default()
        paste(self, event.text)


class Palette(CommandPalette):
    """Textual's palette, with a sign before its line that every terminal draws in as many columns."""

    def compose(self) -> ComposeResult:
        """The line to type into, the commands."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield _Query(
                    placeholder="Search for commands…", select_on_focus=False, max_length=_MOST_QUERY
                )
            with Vertical(id="--results"):
                yield _Commands()
                yield LoadingIndicator()

    def __init__(self) -> None:
        super().__init__(id="--command-palette")
        self._early: list[events.Key | events.Paste] = []
        self._had: events.Key | None = None

    def on_key(self, event: events.Key) -> None:
        """Note a key that came by here, and so not from the screen below."""
        self._had = event

    def has_had(self, event: events.Key) -> bool:
        """Whether the palette did nothing with this key, and so let it go on."""
        return event is self._had

    def on_mount(self) -> None:
        """Take the emoji away."""
        self.query_one(SearchIcon).icon = ">"
        self.query_one(CommandInput).focus()
        self._type_early()

    def take(self, event: events.Key | events.Paste) -> None:
        """Type a key, or paste a text, that came before this screen had the focus."""
        self._early.append(event)
        if self.is_mounted:
            self.query_one(CommandInput).focus()
            self._type_early()

    def _type_early(self) -> None:
        # Behind the focus, which the app sets by a message too.
        early, self._early = self._early, []
        for event in early:
            again(self.app, event)

    @on(Input.Submitted)
    async def search_first(self) -> None:
        """Let the search for what is typed end before enter takes the first hit.

        Textual takes it from the list as it stands, which is that of an earlier letter when one types
        fast or the machine is busy: another command than the one asked for. Its own handler comes after
        this one.
        """
        searches = [search for search in self.workers if search.node is self and not search.is_cancelled]
        # Textual takes no workers for all of the app's, most of which never end.
        if searches:
            await self.workers.wait_for_complete(searches)
