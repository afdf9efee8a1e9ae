"""What a server may still say of a join that does not count any more."""

from __future__ import annotations

from collections.abc import Callable

from tui.channels.wire import Message


class EarlierJoins:
    """Of one channel. Version 2 names the join in all that it says; in version 1 it can only be told by
    counting: a ``phx_close`` has no ref, and the one that ends a join that was left may come after the next
    one's reply."""

    def __init__(self, forget_reply: Callable[[str], None], *, is_version_1: bool) -> None:
        self._forget_reply = forget_reply
        self._is_version_1 = is_version_1
        self._unanswered: str | None = None  # the latest join, also when it is awaited no more
        self._late: str | None = None
        self._closes_due = 0

    def sent(self, join_ref: str) -> None:
        self._unanswered = join_ref

    def answered(self, join_ref: str) -> None:
        if join_ref == self._unanswered:
            self._unanswered = None

    def forget(self) -> None:
        """Await no answer to a join that has none: what it would say is not about the next one.

        Save, in version 1, that the end of that join will come too; so the latest is awaited on.
        """
        forgotten, self._unanswered = self._unanswered, None
        if self._is_version_1:
            forgotten, self._late = self._late, forgotten
        if forgotten is not None:
            self._forget_reply(forgotten)

    def expect_close(self) -> None:
        self._closes_due += self._is_version_1

    def connection_lost(self) -> None:
        self._unanswered = self._late = None
        self._closes_due = 0

    def is_about(self, message: Message, join_ref: str | None, *, is_member: bool) -> bool:
        """Whether an ending that names no join, as version 1 has them, ends the one that stands, of
        ``join_ref``; ``is_member`` where that was answered with ok, and not left since."""
        if message.ref is not None:
            return message.ref == join_ref
        if message.event == "phx_close" and self._closes_due:
            self._closes_due -= 1
            return False
        # A join is answered before anything else is said of it.
        return is_member
