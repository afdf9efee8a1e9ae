"""Types of options: what a value must be beside its type, said once, where the option is.

An annotation holds all that is known of an option: its type, its bounds and what it takes in words
(``msgspec.Meta``), and a :class:`Check` for what neither can say. :mod:`tui.config.shape` reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta


@dataclass(frozen=True, slots=True)
class Check:
    """What a value must be that has the right type and stands within its bounds."""

    function: Callable[[Any], Any]
    """Gives the value, or what it stands for. Raises ValueError, whose message holds no value; without a
    message, what the option takes is the message."""


@dataclass(frozen=True, slots=True)
class OrNone:
    """Beside a type that may be None: settings write it as a word, :data:`NONE`."""


NONE = "none"


def check_printable(text: str) -> str:
    """A text of at least one character, all printable."""
    if not text or not text.isprintable():
        raise ValueError
    return text


def check_no_nul(text: str) -> str:
    """A text that can be a path, or an argument of a program."""
    if "\0" in text:
        raise ValueError
    return text


def check_topic(topic: str) -> str:
    """A topic that can be joined."""
    if not topic or not topic.isprintable():
        raise ValueError("expected a topic of at least one character, all printable")
    if topic == "phoenix":
        raise ValueError("the topic phoenix is the heartbeat's own")
    return topic


def split_url(url: str, *, schemes: tuple[str, ...], example: str, user: str, query: str) -> SplitResult:
    """The parts of a URL that holds no secret, since it is shown as it is.

    Args:
        user: what to do with the name and password that it must not hold.
        query: what to do with the query that it must not hold.

    Raises:
        ValueError: it cannot be used; no message holds any of it.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(f"expected a URL such as {example}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"expected a URL that begins with {schemes[0]}:// or {schemes[1]}://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError(f"a URL must not hold a user or a password; {user}")
    if "?" in url:
        raise ValueError(f"a URL must not hold a query; {query}")
    if "#" in url:
        raise ValueError("a URL must not hold a fragment (#)")
    if not parts.hostname or not port_is_valid or not url.isprintable() or " " in url:
        raise ValueError(f"expected a URL such as {example}")
    return parts


def is_reference(value: object) -> bool:
    """Whether a value of the settings is a table that names a secret's place."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("env", "file")


ConnectionName = Annotated[str, Meta(min_length=1, description="the name of one of [connections]")]
Topic = Annotated[str, Meta(description='a topic such as "stream:overlays"'), Check(check_topic)]
Name = Annotated[str, Meta(description="a printable text of at least one character"), Check(check_printable)]
EventName = Annotated[str, Meta(description="the name of an event, all printable"), Check(check_printable)]
PemFile = Annotated[str, Meta(min_length=1, description="the path of a PEM file")]
