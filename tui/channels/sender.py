"""What a channel needs of its socket."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from tui.channels.handlers import Ledger
from tui.channels.options import Options
from tui.channels.replies import Replies

if TYPE_CHECKING:
    from tui.channels.open_channels import OpenChannels


class Sender(Protocol):
    """What a channel needs of its socket."""

    @property
    def wake(self) -> Callable[[], None]: ...
    @property
    def mistakes(self) -> Ledger: ...
    @property
    def options(self) -> Options: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def writable(self) -> bool: ...
    @property
    def chance(self) -> random.Random: ...
    @property
    def replies(self) -> Replies: ...
    @property
    def opened(self) -> OpenChannels: ...

    def now(self) -> float: ...
    def next_ref(self) -> str: ...
    def send(self, join_ref: str | None, ref: str, topic: str, event: str, payload: Any) -> None: ...
    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None: ...
