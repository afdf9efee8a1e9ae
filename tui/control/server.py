"""The control socket of a running engine, served by a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import logging
import os
import resource
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tui import __version__
from tui.channels.apart import apart
from tui.control.feed import StateFeed
from tui.control.protocol import ControlError, EngineInfo, Missed, Refusal, RefusalCode, encode_answer
from tui.control.publication import Publication
from tui.control.session import Conversation
from tui.control.socket_file import SocketFile, is_trusted, peer_user
from tui.model.engine import Engine
from tui.model.snapshot import CommandResult
from tui.system.exhausted import EXHAUSTED, Untaken

log = logging.getLogger(__name__)

MAX_CLIENTS = 32
"""Fewer where a process may have few files open: three quarters are for what the program is there for."""
LOOK_SECONDS = 1.0
"""Between two looks at the socket's file, which whoever cleans up may have deleted."""

_START_SECONDS = 5.0
_ACCEPT_AGAIN_SECONDS = 1.0
"""After the system had no connection to give: what is short now is short in the next millisecond too."""
_STREAM_LIMIT = 64 * 1024

Reload = Callable[[], CommandResult]
"""Reads the settings anew and says what it did; called in a thread of its own, never twice at once."""


class ControlServer:
    """Serves ``engine`` at ``path`` from :meth:`start` to :meth:`close`.

    The engine's loop never waits for a client or for this thread: snapshots are read as any face
    reads them, and commands are awaited here.

    Args:
        state_folder: told to clients, as is ``log_path``.
        feed: the engine's reporter, for ``watch``; without it ``watch`` is refused.
        reload: without it ``reload`` is answered with "cannot".
        note: called in the server's thread when the socket comes or goes.
    """

    def __init__(
        self,
        engine: Engine,
        path: Path,
        *,
        state_folder: Path,
        log_path: Path | None = None,
        feed: StateFeed | None = None,
        reload: Reload | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.engine = engine
        self.publication = Publication(engine)
        self.path = path
        self.info = EngineInfo(
            pid=os.getpid(),
            version=__version__,
            started_at=engine.snapshot().started_at,
            state_folder=os.fspath(state_folder),
            log_path=None if log_path is None else os.fspath(log_path),
        )
        self._feed = feed
        self._reload = reload
        self._note = note
        self._file = SocketFile(path)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._conversations: dict[asyncio.Task[None], Conversation] = {}
        self._watchers: set[Conversation] = set()
        self.trouble: str | None = None
        """Why there is no socket now, in words; None while there is."""
        self._reloading = asyncio.Lock()
        self._most_clients = _most_clients()
        self._untaken = Untaken("control", log)

    # Any thread

    def start(self) -> None:
        """Listen. Once only. What the system or a disk refuses is tried again, and told by :attr:`trouble`.

        Raises:
            ControlError: there can be no socket at the path; the message says why.
        """
        self._thread.start()
        try:
            self._started.result(_START_SECONDS)
        except concurrent.futures.TimeoutError:
            raise ControlError(f"no control socket at {self.path}: not within {_START_SECONDS:g} s") from None

    def close(self, timeout: float = 1.0) -> bool:
        """Dismiss every client and remove the socket; whether all was done within ``timeout`` seconds.

        If not, the thread is left behind; it holds no interpreter up.
        """
        self._soon(self._stop.set)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._conversations)

    def _soon(self, do: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(do)
            except RuntimeError:
                log.debug("the control loop had ended already")

    # The control thread

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            if self._started.done():
                # The connections go on; what is lost is the shell's and other terminals' reach.
                log.exception("the control socket's thread ended")
            else:
                self._started.set_exception(error)
        finally:
            self._loop = None

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        accepting: asyncio.Task[None] | None = None
        try:
            accepting = self._listen()
        except ControlError as error:
            cause = error.__cause__
            # A name does not become shorter.
            if not isinstance(cause, OSError) or cause.errno == errno.ENAMETOOLONG:
                raise
            self.trouble = str(error)
        self._started.set_result(None)
        try:
            while not await self._stopped_within(LOOK_SECONDS):
                if not self._file.is_ours():
                    accepting = self._listen_anew(accepting)
        finally:
            if self._feed is not None:
                self._feed.listen(None)
            if accepting is not None:
                accepting.cancel()
            try:
                self._file.remove()
            except OSError as error:
                log.warning("%s could not be removed: %s", self.path, error.strerror or error)
            if conversations := tuple(self._conversations):
                for task in conversations:
                    task.cancel()
                await asyncio.wait(conversations)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    def _listen(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._accept(self._file.listen()), name="control connections")

    def _listen_anew(self, accepting: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Make the socket again where it was deleted or replaced; those who are connected stay so."""
        try:
            anew = self._listen()
        except ControlError as error:
            if str(error) != self.trouble:
                self.trouble = str(error)
                self._say(f"the control socket is gone: {error}")
            return accepting
        if accepting is not None:
            accepting.cancel()
        self.trouble = None
        self._say(f"the control socket is there: {self.path}")
        return anew

    def _say(self, words: str) -> None:
        log.warning("%s", words)
        if self._note is not None:
            self._note(words)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listening)
                    await self._welcome(connection)
                except OSError as error:
                    if error.errno in EXHAUSTED:
                        self._untaken.say(error.strerror or "")
                        # Whoever is idle has what another needs.
                        has_room = self._dismiss_one()
                        await asyncio.sleep(0 if has_room else _ACCEPT_AGAIN_SECONDS)
                    else:
                        log.debug("control: a client went at once: %s", error)

    async def _welcome(self, connection: socket.socket) -> None:
        try:
            user = peer_user(connection)
            if not is_trusted(user):
                log.warning("control: a process of user %s was refused", user)
                _turn_away(connection, "forbidden", "this engine belongs to another user")
            elif len(self._conversations) >= self._most_clients and not self._dismiss_one():
                words = f"{self._most_clients} clients are connected and busy; there is no room for more"
                _turn_away(connection, "busy", words)
            else:
                await self._converse(connection)
        except BaseException:
            connection.close()
            raise

    def _dismiss_one(self) -> bool:
        """Make room by taking leave of the client that has been idle for longest; False where none is."""
        idle = [each for each in self._conversations.items() if each[1].is_idle]
        if not idle:
            return False
        task, conversation = min(idle, key=lambda each: each[1].idle_since)
        log.debug("control: a client that was idle gave way to another")
        conversation.give_way()
        self._forget(task)
        return True

    async def _converse(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_STREAM_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
        conversation = Conversation(self, reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        task = asyncio.create_task(conversation.run(), name="control client")
        self._conversations[task] = conversation
        task.add_done_callback(self._conversation_ended)

    def _conversation_ended(self, task: asyncio.Task[None]) -> None:
        self._forget(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("control: a client's connection failed", exc_info=error)

    def _forget(self, task: asyncio.Task[None]) -> None:
        conversation = self._conversations.pop(task, None)
        if conversation in self._watchers:
            self._watchers.remove(conversation)
            if self._feed is not None and not self._watchers:
                self._feed.listen(None)

    # What conversations ask

    async def reload(self) -> CommandResult:
        """Read the settings anew, one after the other, in a thread: a disk may be slow."""
        if self._reload is None:
            return CommandResult(ok=False, message="this engine has no settings that it could read anew")
        async with self._reloading:
            try:
                return await apart(self, self._reload, "control reload")
            except OSError as error:
                return CommandResult(ok=False, message=f"nothing was changed: {error}")

    def watch(self, conversation: Conversation) -> bool:
        """Send it every change from now on; False without a feed."""
        if self._feed is None:
            return False
        self._watchers.add(conversation)
        self._feed.listen(lambda: self._soon(self._note_watchers))
        return True

    # Changes of state

    def _note_watchers(self) -> None:
        if self._feed is None:
            return
        events, missed = self._feed.take()
        for watcher in tuple(self._watchers):
            if missed:
                watcher.send(Missed(count=missed))
            for event in events:
                watcher.send(event)


def _turn_away(connection: socket.socket, code: RefusalCode, words: str) -> None:
    with connection, contextlib.suppress(OSError):  # whoever is turned away may have gone
        connection.setblocking(False)
        connection.send(encode_answer(Refusal(id=None, code=code, message=words)))


def _most_clients() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CLIENTS if files == resource.RLIM_INFINITY else max(1, min(MAX_CLIENTS, files // 4))
