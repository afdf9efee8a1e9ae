"""What changed between two readings of the settings, and what of it only the next start takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tui.connections.settings import EffectiveValue
from tui.text.printable import cut_to

AT_THE_NEXT_START = (
    *("alerts.kept_count", "alerts.kept_days", "alerts.same_id_window"),
    # A screen has its settings from the start.
    *("app", "incidents.bell_from", "incidents.toast_from", "keys"),
)
"""Keys, and tables with all that is below them."""

MAX_NOTED = 12
"""Changes that are told by name; of the others the number is told."""
MAX_VALUE_COLUMNS = 40

_EMPTY = ("not set", "[]", "{}")


def changes(before: Iterable[EffectiveValue], after: Iterable[EffectiveValue]) -> list[str]:
    """What changed, in words for one line: what holds now, then what holds from the next start.

    Connections that came or went are left to whoever tells of them. A secret's value is in no text, so
    that its change is none.
    """
    old, new = ({each.key: each.text for each in settings} for settings in (before, after))
    noted = {
        key: f"{key} {cut_to(old[key], MAX_VALUE_COLUMNS)} -> {cut_to(text, MAX_VALUE_COLUMNS)}"
        for key, text in new.items()
        if old.get(key, text) != text
    }
    noted |= {table: f"{table} is new" for table in _tables(new, old)}
    noted |= {table: f"{table} is gone" for table in _tables(old, new)}
    later = {key for key in noted if any(f"{key}.".startswith(f"{each}.") for each in AT_THE_NEXT_START)}
    now = _listed([words for key, words in noted.items() if key not in later])
    then = _listed([words for key, words in noted.items() if key in later])
    return [*filter(None, (now, then and f"from the next start: {then}"))]


def _tables(settings: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    """The tables that only the first of two readings has, without those inside of one; keys one by one."""
    found = {
        key if key.startswith("keys.") else key.rpartition(".")[0]
        for key in settings.keys() - others.keys()
        if settings[key] not in _EMPTY
    }
    # That these came or went is told by those who run them.
    alone = [each for each in found if each != "alerts" and not each.startswith("connections.")]
    return sorted(each for each in alone if not any(each.startswith(f"{other}.") for other in found))


def _listed(words: Sequence[str]) -> str:
    more = [f"and {len(words) - MAX_NOTED} more"] if len(words) > MAX_NOTED else []
    return ", ".join([*words[:MAX_NOTED], *more])
