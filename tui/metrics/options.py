"""What the settings of the metrics page come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from tui.text.option_types import Check


def _check_host(host: str) -> str:
    if not host or not host.isprintable() or " " in host or "/" in host:
        raise ValueError
    return host


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsOptions:
    """The figures of everything over HTTP, for Prometheus: http://HOST:PORT/metrics. This needs the extra:
    pip install '.[metrics]'."""

    host: Annotated[
        str, Meta(description='a host\'s name or address such as "127.0.0.1"'), Check(_check_host)
    ] = "127.0.0.1"
    """The address to listen at. With any but this machine's own, such as "0.0.0.0", whoever reaches it can
    read names, addresses and figures."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """The port to listen at; 0 is off."""
