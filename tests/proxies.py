"""``python -m tests.proxies``: the client through real proxies: nginx, haproxy, stunnel and squid.

Needs the four on this machine (Debian: nginx-light, haproxy, stunnel4, squid). Each runs on loopback, as a
child of this process, in front of the embedded hub. Exit status: 0 when every line held, else 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.certificates import write_certificates
from tui.channels import Options, Socket
from tui.demo.hub import Hub

LIMIT = 30.0
"""Seconds that any wait may take."""

_NGINX = """\
daemon off; master_process off; error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  limit_req_zone $server_name zone=slow:1m rate=1r/m;
  server {{
    listen 127.0.0.1:{port};
    location /socket/ {{
      proxy_pass http://127.0.0.1:{hub};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_read_timeout {read_timeout}s;
    }}
    location /plain/ {{ proxy_pass http://127.0.0.1:{hub}/socket/; }}
    location /limited/ {{ limit_req zone=slow; limit_req_status 429; return 429; }}
    location /moved/ {{ return 301 http://elsewhere.example/socket; }}
    location /closed/ {{ return 444; }}
  }}
}}
"""

_HAPROXY = """\
global
  maxconn 200
defaults
  mode http
  retries 0
  timeout connect 1s
  timeout client {read_timeout}s
  timeout server {read_timeout}s
  timeout tunnel {read_timeout}s
frontend all
  bind 127.0.0.1:{port}
  http-request deny deny_status 403 if {{ path_beg /denied }}
  http-request deny deny_status 429 if {{ path_beg /limited }}
  http-request return status 503 hdr Retry-After 1 if {{ path_beg /busy }}
  default_backend hub
backend hub
  server one 127.0.0.1:{hub}
"""

_STUNNEL = """\
foreground = yes
pid =
cert = {folder}/server.pem
key = {folder}/server.key
[hub]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{hub}
"""

_SQUID = """\
http_port 127.0.0.1:{port}
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log none
cache deny all
coredump_dir {folder}
visible_hostname proxy.test
shutdown_lifetime 0 seconds
acl barred dstdom_regex barred
http_access deny barred
http_access allow localhost
"""


class Proxy:
    """A proxy in a process of its own, in front of ``hub``."""

    def __init__(self, name: str, folder: Path, hub: Hub, read_timeout: int = 60) -> None:
        self.port = _free_port()
        values = {"folder": folder, "port": self.port, "hub": hub.port, "read_timeout": read_timeout}
        text = {"nginx": _NGINX, "haproxy": _HAPROXY, "stunnel4": _STUNNEL, "squid": _SQUID}[name]
        settings = folder / f"{name}.conf"
        settings.write_text(text.format(**values))
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, f"{name} is not installed"
        self._command = {
            "nginx": [program, "-c", str(settings), "-p", str(folder)],
            "haproxy": [program, "-db", "-f", str(settings)],
            "stunnel4": [program, str(settings)],
            "squid": [program, "-N", "-f", str(settings)],
        }[name]

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: ASYNC220 (it is not waited for here)
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await eventually(self._listens)

    def stop(self) -> None:
        """Kill it."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def freeze(self, still: bool) -> None:
        """Stop it, or let it go on."""
        self._process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"{self._command[0]} ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@dataclass
class Stage:
    """What a scene plays on."""

    hub: Hub
    proxy: Proxy
    folder: Path


Scene = Callable[[Stage], Awaitable[str]]
"""Plays one scene and returns what was said, in words."""

SCENES: list[tuple[str, Scene, dict[str, Any]]] = []


def scene(*proxies: str, **settings: Any) -> Callable[[Scene], Scene]:
    """Enter a scene for each of these proxies."""

    def enter(play: Scene) -> Scene:
        SCENES.extend((name, play, settings) for name in proxies)
        return play

    return enter


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until ``condition`` holds. Raises: TimeoutError."""
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def client(url: str, **changes: Any) -> AsyncIterator[Socket]:
    """A socket with the numbers of a live show, but quicker to lose patience."""
    settings: dict[str, Any] = {
        "max_reconnect_attempts": "unlimited",
        "reconnect_base_delay": 0.1,
        "reconnect_max_delay": 0.5,
        "heartbeat_interval": 1.0,
        "heartbeat_timeout": 1.0,
        "circuit_breaker_threshold": 1_000_000,
        "stable_after": 0.5,
        "open_timeout": 2.0,
        "proxy": "none",
    }
    one = Socket(url, Options(**{**settings, **changes}))
    one.connect()
    try:
        yield one
    finally:
        await one.close()


async def works(one: Socket) -> None:
    """Connected, joined, and a push is answered."""
    await eventually(lambda: one.is_connected)
    for channel in one.channels or (one.channel("echo:1"),):
        if channel.state == "closed":
            await channel.join()
        await eventually(lambda: channel.state == "joined")  # noqa: B023 (awaited at once)
        assert await channel.push("echo", {"n": 1}) == {"n": 1}


async def reason(one: Socket, *words: str) -> str:
    """Wait until the reason of a failed attempt holds all of ``words``, and return it."""
    said: set[str] = set()

    def told() -> bool:
        now = one.details().reason
        if now is not None:
            said.add(now)
        return now is not None and all(word in now for word in words)

    try:
        await eventually(told)
    except TimeoutError:
        raise AssertionError(f"expected a reason with {words}, was told {sorted(said)}") from None
    return str(one.details().reason)


def _through(stage: Stage, path: str = "socket") -> str:
    return f"ws://127.0.0.1:{stage.proxy.port}/{path}"


@scene("nginx", "haproxy", "stunnel4")
async def the_hub_goes_and_comes_back(stage: Stage) -> str:
    """Its restart costs what it lasts; joined topics are joined again."""
    tls = {"ca_file": str(stage.folder / "ca.pem")} if "stunnel" in stage.proxy._command[0] else {}
    async with client(_through(stage).replace("ws:", "wss:" if tls else "ws:"), **tls) as one:
        await works(one)
        await stage.hub.stop(graceful=False)
        # stunnel has no words of its own: it hangs up.
        words = await reason(
            one, *() if tls else (("502",) if "nginx" in stage.proxy._command[0] else ("503",))
        )
        await stage.hub.start()
        await works(one)
        return words


@scene("nginx", "haproxy", "stunnel4")
async def the_proxy_goes_and_comes_back(stage: Stage) -> str:
    """So does the proxy's own."""
    tls = {"ca_file": str(stage.folder / "ca.pem")} if "stunnel" in stage.proxy._command[0] else {}
    async with client(_through(stage).replace("ws:", "wss:" if tls else "ws:"), **tls) as one:
        await works(one)
        stage.proxy.stop()
        words = await reason(one, "refused", f"127.0.0.1:{stage.proxy.port}")
        await stage.proxy.start()
        await works(one)
        return words


@scene("nginx", "haproxy")
async def a_frozen_proxy_is_seen_by_its_silence(stage: Stage) -> str:
    """TCP stays up, nothing is answered."""
    async with client(_through(stage)) as one:
        await works(one)
        stage.proxy.freeze(True)
        await eventually(lambda: not one.is_connected)
        words = one.details().reason
        stage.proxy.freeze(False)
        await works(one)
        assert one.get_health_metrics().heartbeat_failures >= 1
        return str(words)


@scene("nginx", "haproxy", read_timeout=3)
async def heartbeats_keep_an_idle_tunnel_open(stage: Stage) -> str:
    """A proxy that cuts what is idle for 3 s."""
    async with client(_through(stage)) as one:
        await works(one)
        sent = one.details().heartbeats_answered
        await eventually(lambda: one.details().heartbeats_answered >= sent + 6)
        assert one.get_health_metrics().total_reconnects == 0
        return "6 heartbeats, no reconnect"


@scene("nginx", "haproxy", read_timeout=1)
async def a_tunnel_cut_for_being_idle_comes_back(stage: Stage) -> str:
    """A proxy that cuts what is idle for 1 s, under heartbeats that come more seldom."""
    async with client(_through(stage), heartbeat_interval=3.0) as one:
        await works(one)
        await eventually(lambda: one.get_health_metrics().total_reconnects >= 2)
        return str(one.details().last_close_reason)


@scene("nginx")
async def a_proxy_that_passes_no_upgrade_on(stage: Stage) -> str:
    """The default of every proxy: the hub answers a plain request."""
    async with client(_through(stage, "plain")) as one:
        return await reason(one, "400")


@scene("nginx", "haproxy")
async def too_many_requests(stage: Stage) -> str:
    """429 is told as such."""
    async with client(_through(stage, "limited")) as one:
        return await reason(one, "429")


@scene("haproxy")
async def busy(stage: Stage) -> str:
    """503 with Retry-After waits for it."""
    async with client(_through(stage, "busy"), reconnect_max_delay=5.0) as one:
        words = await reason(one, "503")
        begun = one.details().attempts_begun
        await asyncio.sleep(0.7)
        assert one.details().attempts_begun == begun, "Retry-After: 1 was not waited for"
        return words


@scene("haproxy")
async def denied(stage: Stage) -> str:
    """403 is a refusal that stays visible."""
    async with client(_through(stage, "denied")) as one:
        await reason(one, "403")
        await eventually(lambda: one.details().failed_attempts >= 3)
        assert "403" in str(one.details().refusal)
        return str(one.details().refusal)


@scene("nginx")
async def moved(stage: Stage) -> str:
    """A redirect is not followed."""
    async with client(_through(stage, "moved")) as one:
        return await reason(one, "301")


@scene("nginx")
async def closed_unanswered(stage: Stage) -> str:
    """The proxy hangs up in place of an answer."""
    async with client(_through(stage, "closed")) as one:
        return await reason(one, f"127.0.0.1:{stage.proxy.port}")


@scene("squid")
async def a_forward_proxy_connects(stage: Stage) -> str:
    """CONNECT through it, to a port that its rules allow."""
    async with client(stage.hub.url, proxy=f"http://127.0.0.1:{stage.proxy.port}") as one:
        await works(one)
        stage.proxy.stop()
        words = await reason(one, f"127.0.0.1:{stage.proxy.port}")
        await stage.proxy.start()
        await works(one)
        return words


@scene("squid")
async def a_forward_proxy_refuses(stage: Stage) -> str:
    """It is the proxy that is named."""
    async with client("ws://barred.test:80/socket", proxy=f"http://127.0.0.1:{stage.proxy.port}") as one:
        return await reason(one, "403", "proxy", f"127.0.0.1:{stage.proxy.port}")


@scene("squid")
async def a_forward_proxy_finds_no_hub(stage: Stage) -> str:
    """Nobody listens where it is sent."""
    target = f"ws://127.0.0.1:{_free_port()}/socket"
    async with client(target, proxy=f"http://127.0.0.1:{stage.proxy.port}") as one:
        return await reason(one, "503", "proxy", f"127.0.0.1:{stage.proxy.port}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _play(name: str, play: Scene, settings: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory(prefix="os-proxy-") as path:
        folder = Path(path)
        os.chmod(folder, 0o755)  # squid gives its rights up
        if name == "stunnel4":
            write_certificates(folder)
        async with Hub() as hub:
            proxy = Proxy(name, folder, hub, **settings)
            await proxy.start()
            try:
                return await play(Stage(hub, proxy, folder))
            finally:
                proxy.stop()


def main() -> int:
    """Play every scene."""
    failed = 0
    for name, play, settings in SCENES:
        try:
            words, mark = asyncio.run(_play(name, play, settings)), "ok    "
        except (AssertionError, TimeoutError) as error:
            words, mark = f"{type(error).__name__}: {error}", "FAILED"
            failed += 1
        print(f"{mark} {name:<9} {play.__name__.replace('_', ' ')}: {words}", flush=True)
    print(f"{len(SCENES) - failed} held, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
