"""How bad things are with the services that others tell of, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tui.engine.api import ServiceSnapshot, ServiceState
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
_BAD, _MISSING, _STALE, _BUSY, _OFF, _NEVER, _WELL = range(7)
_TROUBLES: dict[int, tuple[BarTone, str, str]] = {
    _BAD: ("bad", "✗", "unhealthy"),
    _MISSING: ("busy", "◐", "missing"),
    _STALE: ("busy", "◐", "stale"),
    _BUSY: ("busy", "◐", "not well"),
}
_NAMES_WIDTH = 40


class ServiceTrouble(NamedTuple):
    """What row 1 says of services while our own links are well."""

    tone: BarTone
    words: str
    detail: str


def severity(service: ServiceSnapshot) -> int:
    """How bad a service's state is: 0 is the worst.

    What is off was asked to be; what was never seen may not have begun. Both hide no trouble.
    """
    match service.freshness:
        case "never":
            return _NEVER
        case "missing":
            return _MISSING
        case "stale":
            return _STALE
    match service.state:
        case "bad":
            return _BAD
        case "busy":
            return _BUSY
        case "off":
            return _OFF
        case "good":
            return _WELL
    return _NEVER


def is_troubled(service: ServiceSnapshot) -> bool:
    """Whether row 1 must say it."""
    return severity(service) in _TROUBLES


def worst_first(services: Iterable[ServiceSnapshot]) -> list[ServiceSnapshot]:
    """The services, the worst first, then by name and host."""
    return sorted(by_name(services), key=severity)


def by_name(services: Iterable[ServiceSnapshot]) -> list[ServiceSnapshot]:
    """The services by name and host."""
    return sorted(services, key=lambda service: (service.name, service.host))


def trouble(services: Sequence[ServiceSnapshot]) -> ServiceTrouble | None:
    """What is wrong with the worst services; None when nothing is."""
    troubled = [service for service in services if is_troubled(service)]
    if not troubled:
        return None
    first, *_ = ordered = worst_first(troubled)
    same = [service for service in ordered if severity(service) == severity(first)]
    tone, symbol, what = _TROUBLES[severity(first)]
    count = "1 service" if len(same) == 1 else f"{len(same)} services"
    names = cut_to(", ".join(displayable(service.name, 60) for service in same[:10]), _NAMES_WIDTH)
    others = len(troubled) - len(same)
    detail = first.words if len(same) == 1 and first.words != what else ""
    if others:
        detail = "; ".join(part for part in (detail, f"{others} more not well") if part)
    return ServiceTrouble(tone, f"{symbol} {count} {what}: {names}", detail)
