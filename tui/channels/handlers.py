"""Handlers of one channel: plain ones run in the reader, async ones from a bounded queue, in order."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from tui.channels.mistakes import Mistakes
from tui.channels.options import Options
from tui.channels.wire import DecodeError, Message

Handler = Callable[[Message], Any]
"""Takes a message; plain or async."""


class _Binding:
    """One subscription: the same handler may be added twice and removed singly."""

    __slots__ = ("handler", "is_async")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.is_async = _is_async(handler)


class Handlers:
    """The handlers of one channel and the queue of what waits for them.

    A plain handler is called at once while nothing waits. From the first async one on, what comes
    waits in its order, at most ``handler_queue`` messages or ``handler_queue_bytes`` of payload; beyond
    that the oldest is dropped and counted.
    """

    def __init__(self, topic: str, options: Options, mistakes: Mistakes) -> None:
        self._topic = topic
        self._limit = options.handler_queue
        self._limit_bytes = options.handler_queue_bytes
        self._mistakes = mistakes
        self._by_event: dict[str, tuple[_Binding, ...]] = {}
        self._of_all: tuple[_Binding, ...] = ()
        self._async_events: set[str] = set()
        self._waiting: deque[tuple[Message, Awaitable[Any] | None, int]] = deque()
        self._waiting_bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Messages in the queue, without the one that is being handled."""
        return len(self._waiting)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        binding = _Binding(handler)
        self._keep(event, (*self._by_event.get(event, ()), binding))
        return lambda: self._keep(
            event, tuple(other for other in self._by_event.get(event, ()) if other is not binding)
        )

    def on_message(self, handler: Callable[[Message], object]) -> Callable[[], None]:
        binding = _Binding(handler)
        self._of_all += (binding,)

        def unsubscribe() -> None:
            self._of_all = tuple(other for other in self._of_all if other is not binding)

        return unsubscribe

    def off(self, event: str, handler: Handler | None = None) -> None:
        bindings = self._by_event.get(event, ()) if handler is not None else ()
        self._keep(event, tuple(binding for binding in bindings if binding.handler != handler))

    def _keep(self, event: str, bindings: tuple[_Binding, ...]) -> None:
        self._by_event[event] = bindings
        if not bindings:
            del self._by_event[event]
        if any(binding.is_async for binding in bindings):
            self._async_events.add(event)
        else:
            self._async_events.discard(event)

    def dispatch(self, message: Message) -> None:
        event = message.event
        bindings = self._by_event.get(event, ()) + self._of_all
        if not bindings:
            return
        if self._worker is not None or event in self._async_events:
            self._enqueue(message, None)
            return
        for binding in bindings:
            try:
                result = binding.handler(message)
            except BaseException as error:  # noqa: BLE001 (told apart in _failed)
                self._failed(message, error)
                continue
            if result is not None and inspect.isawaitable(result):
                # A plain function that returns an awaitable: what comes next waits for it.
                self._enqueue(message, result)

    def _failed(self, message: Message, error: BaseException) -> None:
        if isinstance(error, DecodeError):
            self._mistakes.payload_undecodable(self._topic, message.event, error)
        elif isinstance(error, (Exception, asyncio.CancelledError)):
            self._mistakes.handler_raised(self._topic, message.event, error)
        else:
            raise error  # the program is to end

    def _enqueue(self, message: Message, begun: Awaitable[Any] | None) -> None:
        size = message.size
        self._waiting.append((message, begun, size))
        self._waiting_bytes += size
        while len(self._waiting) > self._limit or (
            self._waiting_bytes > self._limit_bytes and len(self._waiting) > 1
        ):
            _, dropped, dropped_size = self._waiting.popleft()
            self._waiting_bytes -= dropped_size
            self.dropped += 1
            if inspect.iscoroutine(dropped):
                dropped.close()
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(
                self._work(), name=f"handlers of {self._topic}"
            )

    async def _work(self) -> None:
        try:
            while self._waiting:
                message, begun, size = self._waiting.popleft()
                self._waiting_bytes -= size
                if begun is not None:
                    await self._finish(begun, message)
                    continue
                for binding in self._by_event.get(message.event, ()) + self._of_all:
                    try:
                        result = binding.handler(message)
                    except BaseException as error:  # noqa: BLE001 (told apart in _failed)
                        self._failed(message, error)
                        continue
                    if result is not None and inspect.isawaitable(result):
                        await self._finish(result, message)
        finally:
            self._worker = None

    async def _finish(self, result: Awaitable[Any], message: Message) -> None:
        try:
            await result
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            self._failed(message, error)

    def stop(self) -> asyncio.Task[None] | None:
        """Forget what waits and cancel what runs, unless it is what calls this; returns what to await."""
        for _, begun, _ in self._waiting:
            if inspect.iscoroutine(begun):
                begun.close()
        self._waiting.clear()
        self._waiting_bytes = 0
        worker = self._worker
        if worker is None or worker is asyncio.current_task():
            return None
        worker.cancel()
        return worker


def _is_async(handler: Handler) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 (an object with an async __call__)
    )
