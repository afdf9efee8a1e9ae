"""The topics of the server that was recorded, so that its conversations can be replayed against the hub."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tui.demo.channel import Channel, Crash, Refuse, Reply, Stop
from tui.demo.hub import Hub
from tui.demo.topics import Echo


class RecordedEcho(Echo):
    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        match event:
            case "bare_ok":
                return Reply()
            case "custom_status":
                return Reply("pending", {"a": 1})
            case "double":
                self.reply("ok", {"n": 1})
                return Reply("ok", {"n": 2})
            case "unicode":
                text = 'héllo 🦊 \u2028 " \\ / \x01'
                return Reply("ok", {"f": 1.5e300, "i": 2**53 + 1, "n": None, "s": text})
            case "whoami":
                about = {"id": self.connection.id, "join_ref": self.join_ref}
                return Reply("ok", {**about, "params": self.connection.params})
            case "stop_reply":
                return Stop(Reply("ok", {"bye": True}))
            case "stop_shutdown":
                return Stop()
            case "stop_error" | "exit_shutdown":
                raise Crash(event)
            case "binary":
                return Reply("ok", bytes([0, 1, 2, 253, 254, 255]))
            case "binary_error":
                return Reply("error", bytes([0, 1, 2, 253, 254, 255]))
            case "push_binary":
                self.push("pushed_binary", bytes.fromhex(payload["hex"]))
                return None
            case "shout_binary":
                await self.broadcast("shout_binary", bytes.fromhex(payload["hex"]))
                return None
            case "slow":
                self.spawn(self._reply_later(self.ref, payload["ms"]))
                return None
            case "block":
                await asyncio.sleep(payload["ms"] / 1000)
                return Reply("ok", payload)
        return await super().handle_in(event, payload)

    async def _reply_later(self, ref: Any, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)
        self.reply("ok", {"ms": milliseconds}, ref=ref)


class Private(Channel):
    async def join(self, params: Any) -> Any:
        raise Refuse


class JoinCrash(Channel):
    async def join(self, params: Any) -> Any:
        raise Crash("a join that crashes")


class SlowJoin(Channel):
    async def join(self, params: Any) -> Any:
        await asyncio.sleep(params["ms"] / 1000)
        return {"topic": self.topic}


class Room(Channel):
    """Presence as Phoenix's guide has it: track after the join, then push the list."""

    async def join(self, params: Any) -> Any:
        self.user = params["user"]
        self.meta = {**params.get("meta", {}), "online_at": int(time.time())}
        return {}

    async def after_join(self) -> None:
        self.track(self.user, self.meta)
        self.push("presence_state", self.presences())

    async def handle_in(self, event: Any, payload: Any) -> Reply | Stop | None:
        if event == "update":
            self.meta = {**self.meta, **payload}
            return Reply("ok", {"phx_ref": self.update_presence(self.user, self.meta)})
        return await super().handle_in(event, payload)


def register(hub: Hub) -> None:
    """Serves them all on ``hub``."""
    hub.on("echo:*", RecordedEcho)
    hub.on("private:*", Private)
    hub.on("joincrash:*", JoinCrash)
    hub.on("slowjoin:*", SlowJoin)
    hub.on("presence:*", Room)
