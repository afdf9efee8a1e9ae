"""Textual's bindings, made from the registry of actions."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui.app.actions import ACTIONS, Scope
from tui.app.keymap import textual_keys


def bindings(*scopes: Scope) -> list[BindingType]:
    """The key bindings of the actions in ``scopes``, to which the settings may give other keys."""
    return [
        Binding(
            textual_keys(number, action.keys),
            action.function,
            action.label,
            id=action.id,
            show=False,
        )
        for number, action in enumerate(ACTIONS)
        if action.scope in scopes
    ]
