"""An embedded server that behaves like Phoenix 1.8.12 on Bandit, for demonstrations and for tests.

Your own channel code under test, in ten lines::

    class Room(Channel):
        async def handle_in(self, event, payload):
            return Reply("ok", {"you said": payload})

    async with Hub() as hub:
        hub.on("room:*", Room)
        ...  # connect a client to hub.url, join "room:1"
        await hub.broadcast("room:1", "news", {"n": 1})
        hub.faults.drop_all()
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as tls
import time
from collections import Counter, deque
from typing import Any, NamedTuple, Self

from websockets.frames import CloseCode
from websockets.http11 import Response

from .channel import Channel, Crash, Refuse, Reply, Stop
from .codec import Frame, NotEncodableError, Wire
from .connection import Connection
from .dialect import REAL, DialectName
from .faults import Faults
from .landale import TOPICS as LANDALE_TOPICS
from .landale import Landale
from .listening import Listener, SocketListener
from .presence import Presence
from .show import Clock, Show
from .topics import TOPICS
from .traffic import DEFAULT_RATE, Traffic
from .transport import Carrier
from .upgrade import Upgrade, decide, respond

__all__ = ["Channel", "Connection", "Crash", "Hub", "Received", "Refuse", "Reply", "Stop"]

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 0.6
"""Seconds that stop() gives to clients, and again to channel code, before it goes on without them."""


class Received(NamedTuple):
    connection: Connection
    frame: Frame


class Hub:
    """A Phoenix server in this process, on this event loop.

    Args:
        port: 0 takes a free one at the first start; later starts take the same one again.
        path: the socket's path as phoenix.js is given it; the wire adds ``/websocket``.
        idle_timeout: seconds without anything received after which a connection is closed with 1002.
        token: what the query's ``token`` or the auth-token subprotocol must hold, else 403; may be
            changed while the hub runs.
        max_channels: joined channels per connection; one more is refused.
        max_frame: bytes; a larger frame closes the connection with 1009.
        ssl: a server-side context makes ``url`` start with ``wss://``.
        seed: makes the traffic, and the choices of presence refs, the same each time.
        shows_alerts: puts what viewers do into a queue of its own; off where somebody else shows it.
        kept: how many upgrade requests and frames from clients are remembered. A frame holds its
            connection, so for a hub that nobody asks afterwards this is 0.
        dialect: see :mod:`.dialect`.
        passes_on: in a dialect of the real hub: everybody on the topic hears what a page says of an alert, as
            the polite one lets them.
        listener: takes the connections; None for one of sockets.
        clock: by which it ends what was forced, and stamps what it says.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/socket",
        idle_timeout: float = 60.0,
        token: str | None = None,
        max_channels: int = 100,
        max_frame: int = 8_000_000,
        ssl: tls.SSLContext | None = None,
        seed: int | None = None,
        shows_alerts: bool = True,
        kept: int = 1000,
        dialect: DialectName = "plain",
        passes_on: bool = False,
        listener: Listener | None = None,
        clock: Clock = time,
    ) -> None:
        self.host = host
        self.port = port
        self.path = path.rstrip("/")
        self.idle_timeout = idle_timeout
        self.token = token
        self.max_channels = max_channels
        self.max_frame = max_frame
        self.ssl = ssl
        self.seed = seed
        self.shows_alerts = shows_alerts
        self.dialect: DialectName = dialect
        self.faults = Faults(self)
        self.presence = Presence(self, random.Random(seed))
        self.connects = 0
        """Upgrade requests seen, refused ones too."""
        self.upgrades: deque[Upgrade] = deque(maxlen=kept)
        self.joins: Counter[str] = Counter()
        """Joins answered "ok", by topic."""
        self.join_attempts: Counter[str] = Counter()
        """Joins of a known topic, whatever became of them."""
        self.received: deque[Received] = deque(maxlen=kept)
        self.transports: dict[Carrier, None] = {}
        """Every TCP connection, those that are not upgraded yet included."""
        self._live: dict[Connection, None] = {}
        self._classes: dict[str, type[Channel]] = {}
        self._subscribers: dict[str, dict[Channel, None]] = {}
        self.listener = listener or SocketListener(self)
        self.running = False
        """Between start() and stop(); also true while the fault "refuse" is on."""
        self.stops = 0
        """How often stop() was called; a restart that waits gives up when it changes."""
        self._turn = asyncio.Lock()
        self.show = Show(seed, clock)
        self._traffic = Traffic(self)
        self.landale = None if dialect == "plain" else Landale(self, REAL[dialect], passes_on=passes_on)
        """What the real hub keeps; None for the polite one."""
        for pattern, channel_class in (*TOPICS, *(() if self.landale is None else LANDALE_TOPICS)):
            self.on(pattern, channel_class)

    # Start and stop

    @property
    def url(self) -> str:
        """What phoenix.js is given, such as ``ws://127.0.0.1:4000/socket``. Known after start()."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ws' if self.ssl is None else 'wss'}://{host}:{self.port}{self.path}"

    @property
    def listening(self) -> bool:
        return self.listener.is_open

    @property
    def connections(self) -> list[Connection]:
        """The live, upgraded connections, oldest first."""
        return list(self._live)

    async def start(self) -> None:
        """Listens. Raises: OSError when the port is taken; RuntimeError when already started."""
        async with self._turn:
            if self.running:
                raise RuntimeError("the hub is already started")
            await self.listener.open()
            self.running = True
            self._traffic.start()
            if self.landale is not None:
                self.landale.start()

    async def stop(self, *, graceful: bool = True) -> None:
        """Ends everything within about a second; a later start() takes the same port.

        Graceful, as on SIGTERM: 1012 to connections with a joined channel, 1000 to the others. Else,
        as on SIGKILL: every TCP connection is dropped without a close frame.
        """
        self.stops += 1
        async with self._turn:
            self.running = False
            self._traffic.stop()
            if self.landale is not None:
                self.landale.stop()
            self.listener.close()
            if graceful:
                for transport in list(self.transports):
                    connection = transport.connection
                    joined = connection is not None and bool(connection.channels)
                    transport.begin_close(CloseCode.SERVICE_RESTART if joined else CloseCode.NORMAL_CLOSURE)
                self.faults.thaw()  # what was frozen is dropped by now
                await self.listener.until_gone(STOP_TIMEOUT)
            for transport in list(self.transports):
                transport.abort()
            self.faults.thaw()
            await self.listener.until_gone(STOP_TIMEOUT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Channels

    def on(self, pattern: str, channel_class: type[Channel]) -> None:
        """Serves a topic, or every topic with a prefix (``"room:*"``), with a class of your own.

        An exact pattern comes before a prefix, a longer prefix before a shorter one, and what is
        registered later takes the place of the same pattern registered before.
        """
        self._classes[pattern] = channel_class

    def channel_class(self, topic: Any) -> type[Channel] | None:
        """The class that serves ``topic``, or None ("unmatched topic")."""
        if not isinstance(topic, str) or topic == "phoenix":
            return None
        if topic in self._classes:
            return self._classes[topic]
        fitting = [each for each in self._classes if each.endswith("*") and topic.startswith(each[:-1])]
        return self._classes[max(fitting, key=len)] if fitting else None

    def channels(self, topic: str) -> list[Channel]:
        return list(self._subscribers.get(topic, ()))

    def topics(self) -> list[str]:
        return list(self._subscribers)

    async def broadcast(self, topic: str, event: str, payload: Any, *, without: Channel | None = None) -> int:
        """Sends to everyone on ``topic``; bytes make a binary frame. Returns how many it was sent to.

        A version 1 connection is left out of a binary broadcast. Raises: codec.NotEncodableError.
        """
        sent = self.send_to_topic(topic, event, payload, without=without)
        # A loop of broadcasts lets the clients on this event loop read in between.
        await asyncio.sleep(0)
        return sent

    def send_to_topic(self, topic: str, event: str, payload: Any, *, without: Channel | None = None) -> int:
        """:meth:`broadcast` at once. Each message is encoded once for each protocol version."""
        encoded: dict[int, Wire] = {}
        sent = 0
        for channel in self.channels(topic):
            serializer = channel.connection.serializer
            if channel is without or (isinstance(payload, bytes) and serializer.version == 1):
                continue
            wire = encoded.get(serializer.version)
            if wire is None:
                wire = encoded[serializer.version] = serializer.broadcast(topic, event, payload)
            channel.connection.send(wire)
            sent += 1
        return sent

    def push(self, topic: str, event: str, payload: Any) -> int:
        """Pushes, with each channel's own join_ref, to every channel on ``topic``. Returns how many."""
        channels = self.channels(topic)
        for channel in channels:
            try:
                channel.push(event, payload)
            except NotEncodableError as error:
                logger.warning("%s on %s was not pushed: %s", event, topic, error)
        return len(channels)

    def disconnect(self, socket_id: str) -> int:
        """Closes every connection with this id with 1001, as Endpoint.broadcast(id, "disconnect")."""
        found = [connection for connection in self._live if connection.id == socket_id]
        for connection in found:
            connection.close(CloseCode.GOING_AWAY)
        return len(found)

    # Traffic

    @property
    def traffic(self) -> float:
        """Events a second that the domain's topics emit on their own; 0 is off, True is the default rate."""
        return self._traffic.rate

    @traffic.setter
    def traffic(self, rate: float) -> None:
        if rate < 0:
            raise ValueError("traffic: expected events a second, 0 or more")
        self._traffic.rate = DEFAULT_RATE if rate is True else float(rate)
        if self.running:
            self._traffic.start()

    def happen(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Lets a viewer do something now, such as ``hub.happen("raid", viewers=120)``; the event told."""
        happening = self.show.happening(kind, **fields)
        self._traffic.note(happening)
        return happening.payload

    # For the connections

    def subscribe(self, channel: Channel) -> None:
        self._subscribers.setdefault(channel.topic, {})[channel] = None
        self.joins[channel.topic] += 1

    def unsubscribe(self, channel: Channel) -> None:
        members = self._subscribers.get(channel.topic)
        if members is not None:
            members.pop(channel, None)
            if not members:
                del self._subscribers[channel.topic]

    def note_received(self, connection: Connection, frame: Frame) -> None:
        self.received.append(Received(connection, frame))

    async def ask(self, transport: Carrier, upgrade: Upgrade) -> Response | None:
        """What an upgrade request is answered with; None for 101, and the transport has its connection."""
        if upgrade.path == "/health":
            return respond(200, self.show.health(), json=True)
        self.connects += 1
        self.upgrades.append(upgrade)
        answer = await self.faults.opening(transport)
        if answer is not None:
            return answer
        decided = decide(upgrade, path=self.path, token=self.token)
        if isinstance(decided, Response):
            return decided
        transport.connection = Connection(self, transport, upgrade.query, upgrade.headers, decided)
        return None

    async def serve(self, transport: Carrier) -> None:
        connection = transport.connection
        assert connection is not None
        if self.faults.opened(transport):
            self._live[connection] = None
            try:
                await connection.run()
            finally:
                del self._live[connection]
        else:
            await transport.wait_closed()
