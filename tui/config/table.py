"""What the tables of the settings have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True, slots=True)
class Whole:
    """A table that one place of settings replaces as a whole: never merged key by key with another."""

    value: Mapping[str, Any] = field(repr=False)


class Table(BaseModel):
    """A table of the settings: knows its keys, takes no value for another type's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _open(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: dict(value.value) if isinstance(value, Whole) else value for key, value in data.items()}


def given(expected: str) -> Any:
    """A key that may be left out; ``expected`` says in an error what it takes."""
    return Field(default=None, description=expected)


def check_topic(topic: str) -> str:
    """A topic that can be joined.

    Raises:
        ValueError: it cannot; the message holds no value.
    """
    if not topic or not topic.isprintable():
        raise ValueError("expected a topic of at least one character, all printable")
    if topic == "phoenix":
        raise ValueError("the topic phoenix is the heartbeat's own")
    return topic
