"""Opens a link: name look-up, TCP, proxy, TLS and upgrade, each step told before it is waited for."""

from __future__ import annotations

import logging

from websockets.client import ClientProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tui.channels import dial
from tui.channels.frame_reader import FrameReader
from tui.channels.link import CLOSE_TIMEOUT, WRITE_LIMIT, Link, LinkOwner, LinkRequest
from tui.channels.proxy import Tunnel, open_socks, open_tunnel, proxy_for, reach
from tui.channels.reasons import Step, joined

# The library's debug lines hold the request with its headers and its query, so tokens too.
_library_log = logging.getLogger("tui.channels.websockets")
_library_log.setLevel(logging.INFO)


async def open_link(
    request: LinkRequest, owner: LinkOwner, resolve_name: dial.ResolveName = dial.resolve_name
) -> Link:
    """Open a WebSocket: name look-up, TCP, TLS, proxy and upgrade. Has no time limit of its own.

    Frames may reach ``owner`` before this returns. Cancelling it leaves nothing behind but, at
    worst, one daemon thread that looks a name up. Redirects are not followed: they would carry the
    token to another host.

    Raises:
        OpenError, OSError, AnswerError, websockets.exceptions.WebSocketException, ValueError: their
            messages may hold the address with its secrets; ``reasons.describe_error`` says them safely, with
            the step at which ``owner`` is.
    """

    def at(step: Step) -> None:
        owner.step = step

    address = parse_uri(request.url)
    protocol = ClientProtocol(
        address,
        subprotocols=[Subprotocol(name) for name in request.subprotocols] or None,
        max_size=request.max_message_size,
        logger=_library_log,
    )
    reader = FrameReader(
        protocol, owner=owner, ping_interval=None, close_timeout=CLOSE_TIMEOUT, write_limit=WRITE_LIMIT
    )
    proxy = proxy_for(address, request.proxy)
    context = await dial.tls_context(request.ca_file) if address.secure else None
    who = joined(address.host, address.port)
    ready = Step("upgrade", who, head=reader.head, plain=context is None)
    secured = Step("TLS", who)
    tunnel: Tunnel | None = None
    try:
        if proxy is None or proxy.scheme.startswith("socks"):
            if proxy is None:
                connected = await reach(address.host, address.port, resolve_name, at)
            else:
                connected = await open_socks(proxy, address, resolve_name, at)
            at(ready if context is None else secured)
            await dial.hand_to(reader, connected, context, address.host)
        else:
            to_proxy = await dial.tls_context(None) if proxy.scheme == "https" else None
            tunnel = await open_tunnel(proxy, address, to_proxy, resolve_name, at)
            if context is not None:
                at(secured)
                await tunnel.secured(context, address.host)
            tunnel.hand_over(reader)
        at(ready)
        await reader.upgrade(request.headers)
    except BaseException:
        reader.detach()
        if reader.is_made:
            reader.drop()
        elif tunnel is not None:
            tunnel.drop()
        raise
    return reader
