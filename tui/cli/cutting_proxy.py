"""A local CONNECT proxy that cuts, freezes and refuses, so that a live server can be tested unharmed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

_CHUNK = 64 * 1024
_HEADER_LIMIT = 10.0


class CuttingProxy:
    """An HTTP proxy on a free loopback port that understands CONNECT alone (RFC 9110, 9.3.6).

    TLS passes through it unopened, so that the server's own name and certificate are checked.
    """

    def __init__(self) -> None:
        self.refusing = False
        """Hang up on everyone who comes."""
        self.asked = 0
        """Connections that came, refused ones too."""
        self.failure: str | None = None
        """Why the last server could not be reached, in words."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        """What to give a client as its proxy."""
        assert self._server is not None, "the proxy is not started"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """Drop every connection at once, without a close frame."""
        for writer in self._writers:
            writer.transport.abort()
        self._flowing.set()

    def freeze(self) -> None:
        """Pass nothing on; TCP stays up. :meth:`cut` ends it."""
        self._flowing.clear()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        if self.refusing:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="proxied connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        self._writers.add(writer)
        try:
            # Whatever ends a proxied connection ends it for both sides; the client says what it saw.
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                async with asyncio.timeout(_HEADER_LIMIT):
                    request = await reader.readuntil(b"\r\n\r\n")
                    host, _, port = request.split(b" ")[1].decode().rpartition(":")
                    far_reader, far_writer = await self._reach(host, int(port))
                writers.append(far_writer)
                self._writers.add(far_writer)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                async with asyncio.TaskGroup() as pipes:
                    pipes.create_task(self._pipe(reader, far_writer, writers))
                    pipes.create_task(self._pipe(far_reader, writer, writers))
        finally:
            for each in writers:
                self._writers.discard(each)
                each.transport.abort()

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(host.strip("[]"), port)
        except OSError as error:
            self.failure = f"{host}:{port} cannot be reached: {error.strerror or type(error).__name__}"
            raise

    async def _pipe(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: list[asyncio.StreamWriter],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        for each in both:
            each.close()
