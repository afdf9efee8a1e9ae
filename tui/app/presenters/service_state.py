"""How bad things are with the services that others tell of, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui.model.engine import ServiceSnapshot, ServiceState
from tui.model.known import SERVICE_TROUBLES, ServiceRank, service_rank, worst_services_first
from widgets.lines import Tone
from widgets.status_bar import BarTone
from widgets.untrusted import cut_to, displayable

SYMBOLS: dict[ServiceState, str] = {"good": "●", "busy": "◐", "bad": "✗", "off": "○", "unknown": "?"}
TONES: dict[ServiceState, Tone] = {
    "good": "good",
    "busy": "busy",
    "bad": "bad",
    "off": "dim",
    "unknown": "dim",
}
_NAMES_WIDTH = 40


class ServiceTrouble(NamedTuple):
    """What row 1 says of services while our own links are well."""

    tone: BarTone
    message: str
    detail: str


def is_troubled(service: ServiceSnapshot) -> bool:
    """Whether row 1 must say it."""
    return service_rank(service) in SERVICE_TROUBLES


def trouble(services: Sequence[ServiceSnapshot]) -> ServiceTrouble | None:
    """What is wrong with the worst services; None when nothing is."""
    troubled = [service for service in services if is_troubled(service)]
    if not troubled:
        return None
    first, *_ = ordered = worst_services_first(troubled)
    stands = service_rank(first)
    same = [service for service in ordered if service_rank(service) == stands]
    what = SERVICE_TROUBLES[stands]
    tone: BarTone = "busy"
    symbol = "◐"
    if stands is ServiceRank.UNHEALTHY:
        tone, symbol = "bad", "✗"
    count = "1 service" if len(same) == 1 else f"{len(same)} services"
    names = cut_to(", ".join(displayable(service.name, 60) for service in same[:10]), _NAMES_WIDTH)
    others = len(troubled) - len(same)
    detail = first.message if len(same) == 1 and first.message != what else ""
    if others:
        detail = "; ".join(part for part in (detail, f"{others} more not well") if part)
    return ServiceTrouble(tone, f"{symbol} {count} {what}: {names}", detail)
