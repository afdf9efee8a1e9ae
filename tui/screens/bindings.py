"""Textual's bindings, made from the registry of actions."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui.actions import ACTIONS, Scope


def bindings(*scopes: Scope) -> list[BindingType]:
    """The key bindings of the actions in ``scopes``.

    An action without a key has one that nobody can press, so that the settings can give it another.
    """
    return [
        Binding(
            ",".join(action.keys) or f"no-key-{number}",
            action.function,
            action.label,
            id=action.id,
            show=False,
        )
        for number, action in enumerate(ACTIONS)
        if action.scope in scopes
    ]
