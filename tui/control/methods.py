"""The methods that a control socket serves, made from the annotations of what carries them out.

A function's name, its parameters with their types, bounds and defaults, and what it returns are the whole of
a method: the request that the server reads, the call that it makes of it, and what the asker decodes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from tui.model.bounds import Cursor
from tui.model.engine import Engine
from tui.model.snapshot import CommandResult


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every request has; each method's own has its parameters beside."""

    id: Cursor
    """Chosen by the asker; the answer bears it. No parameter can be called so, nor ``type``, nor ``v``."""
    v: Literal[1] = 1


class Method(NamedTuple):
    name: str
    parameters: Mapping[str, Any]
    """The type of each, with its bounds."""
    value: Any
    """The type of what is asked for; None where a result is all that there is to answer."""
    request: type[Request]

    def arguments(self, request: Request) -> dict[str, Any]:
        return {name: getattr(request, name) for name in self.parameters}

    def fields(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a request says beside its heading; a number out of its bounds is taken for the bound."""
        return {
            name: _within(type, arguments[name])
            for name, type in self.parameters.items()
            if name in arguments
        }


def method_of(function: Callable[..., Any]) -> Method:
    """The method that ``function`` carries out; all of it but ``self`` must be annotated."""
    hints = get_type_hints(function, include_extras=True)
    returned = hints.pop("return")
    signature = inspect.signature(function).parameters
    # What has no default must be given, so that nothing is done to all by omission.
    fields = [
        (name, hint)
        if signature[name].default is inspect.Parameter.empty
        else (name, hint, signature[name].default)
        for name, hint in hints.items()
    ]
    request = msgspec.defstruct(
        function.__name__,
        fields,
        bases=(Request,),
        module=__name__,
        frozen=True,
        kw_only=True,
        tag=function.__name__,
    )
    kinds = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    value = next((kind for kind in kinds if kind is not CommandResult), None)
    return Method(function.__name__, hints, value, cast(type[Request], request))


def methods_of(functions: Iterable[Callable[..., Any]]) -> dict[str, Method]:
    return {function.__name__: method_of(function) for function in functions}


def _within(type: Any, value: Any) -> Any:
    for bounds in getattr(type, "__metadata__", ()):
        if isinstance(value, int) and isinstance(bounds, msgspec.Meta):
            value = value if bounds.ge is None else max(bounds.ge, value)
            value = value if bounds.le is None else min(bounds.le, value)
    return value


ENGINE_METHODS = methods_of(
    function
    for name, function in vars(Engine).items()
    if inspect.isfunction(function) and not name.startswith("_")
)
"""Those of :class:`tui.model.engine.Engine`, all of them."""
