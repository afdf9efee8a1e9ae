"""Writes ``config.example.toml`` from the options, their docstrings and annotations.

``python -m tests.config.example``
"""

from __future__ import annotations

import ast
import inspect
import json
import string
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec import Meta

from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.app.actions import ACTIONS
from tui.app.keymap import key_name
from tui.channels.options import Options
from tui.config.model import SETTINGS
from tui.config.resolver import BUILT_IN
from tui.config.shape import inside, keys_of, notes
from tui.config.table_resolver import toml_text
from tui.config.values import AppSettings
from tui.incidents.options import IncidentsOptions, SilentTopicOptions
from tui.metrics.options import MetricsOptions
from tui.services.options import EndpointOptions, JournalOptions, ReportsOptions, ServicesOptions
from tui.text.option_types import NONE, OrNone
from tui.text.toml_lines import KeyPath

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"

HEAD = """\
# Settings of overlay-supervisor: every one, with its default.
#
# A line that begins with "# " explains; a line that begins with "#" and a key is a setting with its
# default: remove the "#" to change it. All times are in seconds.
#
# Copy this file to ~/.config/overlay-supervisor/config.toml, or let "overlay-supervisor config init"
# write a shorter one. "overlay-supervisor config check" says whether the settings can be used,
# "overlay-supervisor config show" what is in force and where it comes from.
#
# Every setting can come from the environment too, which stands above this file. Two underscores go
# one table down; lists and tables are written in JSON:
#   OVERLAY_SUPERVISOR_DEBUG=true
#   OVERLAY_SUPERVISOR_DEFAULTS__PRESET=live
#   OVERLAY_SUPERVISOR_APP__THEME=light
#   OVERLAY_SUPERVISOR_ALERTS__MOST_WAITING=100
#   OVERLAY_SUPERVISOR_INCIDENTS__OFF='["flapping"]'
#   OVERLAY_SUPERVISOR_CONNECTIONS__HUB__URL=ws://hub:4000/socket
#   OVERLAY_SUPERVISOR_CONNECTIONS__HUB__TOPICS='["room:1"]'
#
# The order for one option of one connection: its own key, its preset, the key in [defaults], the
# preset in [defaults], the default that is shown here.

# Show the indicator even when all is well.
#debug = false

# What every connection takes that does not say otherwise.
#[defaults]
"""

CONNECTION = """\
# One table for each connection. Its name: lower-case letters, digits and single underscores. Every
# key of [defaults] may stand here too.
[connections.hub]

# As given to phoenix.js: /websocket is added. It may hold no user, no password and no query.
url = "ws://localhost:4000/socket"

# What to join: "room:1", or { topic = "room:1", params = { seat = 7 } } with the join's parameters.
topics = []

# Back within seconds of a restart of the server.
preset = "live"

# What to call it on the screen; the name unless set.
#label = "hub"
"""

KEYS = """\
# The keys of what can be done: one, or a list of which help shows the first two; [] for none. A key
# takes the place of all that stood there. "r", "R", "?", "f5", "ctrl+r", "shift+tab", "alt+x" are keys;
# "config check" says which do not go together. In the environment: OVERLAY_SUPERVISOR_KEYS, in JSON.
#[keys]
"""

WRITTEN = {
    "preset": (
        'A set of options to start from: "service", "overlay" or "live". The defaults below are those of '
        '"service". "overlay" waits at most 30 between retries. "live" is back within seconds of a '
        "restart of the server: it never gives up, waits at most 3 between retries and before a probe, "
        "sends a heartbeat every 5 and waits 3 for its answer."
    ),
    "ca_file": (
        "A PEM file of certificate authorities to trust in place of the system's. Not set by default. A "
        "relative path starts at this file's folder."
    ),
    "auth_token": (
        "The token for Phoenix's auth_token. Not set by default. This one, proxy, and each text in "
        'params, headers and a topic\'s params may be { env = "NAME" } or { file = "path" }; they are '
        "read anew at each attempt and never shown."
    ),
    "params": 'Parameters of the connection, such as { token = { file = "hub_token.txt" } }.',
    "headers": 'Headers of the upgrade request, such as { X-Api-Key = { env = "HUB_KEY" } }.',
}
"""What is said of options of the client that settings write in another way, or that it has not."""

EXAMPLES = {
    "theme": '"dark"',
    "ca_file": '"hub_ca.pem"',
    "auth_token": '{ env = "HUB_TOKEN" }',
    "preset": '"service"',
    "rules": '"alerts.toml"',
    "clear_topic": '"stream:queue"',
}
"""A value of each setting that has none by default."""

TABLES: tuple[tuple[KeyPath, str, Any], ...] = (
    (("alerts",), "[alerts]", AlertOptions()),
    (
        ("alerts", "sources", 0),
        "[[alerts.sources]]",
        SourceOptions(connection="hub", topic="events:all"),
    ),
    (("alerts", "delivery"), "[alerts.delivery]", DeliveryOptions(connection="hub")),
    (("services",), "[services]", ServicesOptions()),
    (
        ("services", "reports", 0),
        "[[services.reports]]",
        ReportsOptions(connection="hub", topic="dashboard:main"),
    ),
    (
        ("services", "endpoints", "phononmaser"),
        "[services.endpoints.phononmaser]",
        EndpointOptions(name="phononmaser", url="http://localhost:8890/health"),
    ),
    (("incidents",), "[incidents]", IncidentsOptions()),
    (
        ("incidents", "silent", 0),
        "[[incidents.silent]]",
        SilentTopicOptions(connection="hub", topic="stream:queue"),
    ),
    (("journal",), "[journal]", JournalOptions()),
    (("metrics",), "[metrics]", MetricsOptions()),
    (("app",), "[app]", AppSettings()),
)
OWN_TABLES = ("events", "fields", "payload", "severity")
"""Keys that stand below the others, as tables."""
ELSEWHERE = ("sources", "delivery", "reports", "endpoints", "silent")
"""Keys that have entries of their own in :data:`TABLES`."""


def comment(text: str) -> str:
    """A docstring as the lines of a comment."""
    words = " ".join(text.replace("``", "").split())
    return "\n".join(
        textwrap.wrap(words, 108, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    )


def docstrings(options: type) -> dict[str, str]:
    """What stands below each field of a class, by the field's name."""
    (body,) = (each.body for each in ast.parse(inspect.getsource(options)).body if hasattr(each, "body"))
    return {
        field.target.id: below.value.value
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


def bounds(hint: Any) -> str:
    """The bounds of a key, as a sentence."""
    for note in notes(hint):
        if isinstance(note, Meta) and note.ge is not None and note.le is not None:
            return f" From {note.ge:.12g} to {note.le:.12g}."
    return ""


def setting(key: str, value: Any) -> str:
    """A key with its value, which counts once the sign is removed."""
    return f"#{toml_text({key: value})[2:-2]}"


def values_of(heading: str, values: dict[str, Any]) -> Iterator[str]:
    """A table of values, and below it the tables within."""
    yield "\n".join(
        [
            f"#[{heading}]",
            *(setting(key, value) for key, value in values.items() if not isinstance(value, dict)),
        ]
    )
    for key, value in values.items():
        if isinstance(value, dict):
            (inner,) = values_of(f"{heading}.{key}", value)
            yield f"# A table in it.\n{inner}"


def table(path: KeyPath, heading: str, options: Any) -> Iterator[str]:
    """A table of the settings: what it is, then each key with its default."""
    said, hint = docstrings(type(options)), inside(SETTINGS, path)
    yield f"{comment(inspect.getdoc(options) or '')}\n#{heading}"
    keys = [key for key in keys_of(hint) if key not in ELSEWHERE]
    for key in (each for each in keys if each not in OWN_TABLES):
        value, inner = getattr(options, key), inside(hint, (key,))
        if value is None and any(isinstance(note, OrNone) for note in notes(inner)):
            value = NONE
        line = f"#{key} = {EXAMPLES[key]}" if value is None else setting(key, value)
        yield f"{comment(said[key] + bounds(inner))}\n{line}"
    for key in (each for each in keys if each in OWN_TABLES):
        first, *others = values_of(f"{heading.strip('[]')}.{key}", dict(getattr(options, key)))
        yield f"{comment(said[key])}\n{first}"
        yield from others


def defaults() -> Iterator[str]:
    """The options of the client."""
    said = docstrings(Options) | WRITTEN
    for key in ("preset", *(each.name for each in fields(Options))):
        line = f"#{key} = {EXAMPLES[key]}" if key in EXAMPLES else setting(key, BUILT_IN[key])
        yield f"{comment(said[key])}\n{line}"


def keys() -> Iterator[str]:
    """Every action with its keys, as people write them, and what it does."""
    signs = {key_name(sign): sign for sign in string.punctuation}
    for action in ACTIONS:
        pressed = [signs.get(key, key) for key in action.keys]
        value = json.dumps(pressed[0] if len(pressed) == 1 else pressed)
        yield f"#{action.id} = {value}  # {action.help}"


def example() -> str:
    """The whole file."""
    parts = [HEAD.rstrip("\n"), *defaults(), CONNECTION.rstrip("\n")]
    for each in TABLES:
        parts += table(*each)
    return "\n\n".join([*parts, "\n".join([KEYS.rstrip("\n"), *keys()])]) + "\n"


if __name__ == "__main__":
    EXAMPLE.write_text(example())
