"""What is shown of the services that others tell of: a row each, a pane, everything of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tui.app.presenters.status import TONES, Order, is_troubled
from tui.channels.health import HealthMetrics
from tui.model.known import SERVICE_SYMBOLS, Rank, is_present, rank, services_by_name, worst_services_first
from tui.model.services import Observation, ServiceSnapshot
from tui.model.snapshot import ConnectionSnapshot, Snapshot
from tui.text.formats import NOTHING, coarse_age, counted, time_of_day
from widgets.facts import GUTTER, Fact, fact_section, folded_fact
from widgets.hour_strip import MINUTES, strip_spans
from widgets.lines import Line, Span, Tone
from widgets.service_list import ServiceRow
from widgets.untrusted import cell_width, displayable, fitted

NOT_OURS = "is reported by others: not ours to command; enter shows what is known of it"

_LONGEST_LABEL = 24
_STRIP_FROM = 75
"""Columns from which a strip has a bar for each minute."""


def services_in_order(services: Sequence[ServiceSnapshot], order: Order) -> list[ServiceSnapshot]:
    return worst_services_first(services) if order == "worst" else services_by_name(services)


def worth_a_look(
    links: Sequence[ConnectionSnapshot], services: Sequence[ServiceSnapshot], order: Order
) -> ConnectionSnapshot | ServiceSnapshot | None:
    """What is selected while nobody has chosen: the worst of our own; where those are well, of the others."""
    if (
        order == "worst"
        and services
        and is_troubled(services[0])
        and all(rank(e) == Rank.WELL for e in links)
    ):
        return services[0]
    return links[0] if links else services[0] if services else None


def service_rows(services: Sequence[ServiceSnapshot], snapshot: Snapshot, now: float) -> list[ServiceRow]:
    """A row for each of ``services``; those of the same name tell their hosts."""
    names = Counter(service.name for service in snapshot.services.services)
    return [_row(service, names[service.name] > 1, snapshot, now) for service in services]


def _row(service: ServiceSnapshot, with_host: bool, snapshot: Snapshot, now: float) -> ServiceRow:
    live = is_present(snapshot, now) and service.freshness == "fresh"
    name = f"{service.name} on {service.host}" if with_host and service.host else service.name
    where = ", ".join(part for part in (service.host, service.environment) if part)
    return ServiceRow(
        key=service.key,
        name=name,
        symbol=SERVICE_SYMBOLS[service.state if live else "unknown"],
        state=_state_words(service, snapshot, now),
        tone=TONES[service.state] if live else "dim",
        stale=_stale_age(service.freshness, service.reported_at, now),
        via=_ways(service.observations),
        hour=service.hour,
        since=time_of_day(service.since, now),
        why="; ".join(part for part in (where, _last_error(service.observations)) if part),
        dimmed=not live,
    )


def _ways(observations: Sequence[Observation]) -> str:
    """The ways in which it is seen, in few columns where there are several."""
    ways = list(dict.fromkeys(seen.via for seen in observations))
    return ways[0] if len(ways) == 1 else "+".join("rep" if way == "report" else way for way in ways)


def _state_words(service: ServiceSnapshot, snapshot: Snapshot, now: float) -> str:
    words = service.message or service.state
    if is_present(snapshot, now) or service.freshness != "fresh":
        return words
    return f"was {words}"


def _stale_age(freshness: str, reported_at: float | None, now: float) -> str:
    if freshness not in ("stale", "missing") or reported_at is None:
        return ""
    return coarse_age(now - reported_at)


def _last_error(observations: Sequence[Observation]) -> str:
    for seen in observations:
        if seen.last_error or seen.close_code is not None:
            code = "" if seen.close_code is None else str(seen.close_code)
            error = seen.last_error or ""
            return error if error.startswith(code) and code else f"{code} {error}".strip()
    return ""


# The pane of the selected one -----------------------------------------------------------------------


def service_note(service: ServiceSnapshot, now: float) -> str:
    """Where a service runs and since when it is in its state."""
    since = f"since {time_of_day(service.since, now)}" if service.since else ""
    return ", ".join(part for part in (service.host, service.environment, since) if part)


def service_facts(service: ServiceSnapshot, snapshot: Snapshot, now: float) -> tuple[Fact, ...]:
    """The selected service in one column: its state, each sight with origin and age, the nine metrics."""
    observed = is_present(snapshot, now)
    live = observed and service.freshness == "fresh"
    rows = [Fact("state", _state_words(service, snapshot, now), TONES[service.state] if live else "dim")]
    for seen in service.observations:
        words, tone = _observation_words(seen, now)
        rows += (Fact(seen.via, words, tone), Fact("", seen.origin, "dim"))
    if error := _last_error(service.observations):
        rows.append(Fact("last error", error, "busy" if live and service.state != "good" else "plain"))
    noted = [seen for seen in service.observations if seen.metrics is not None]
    newest = max(noted, key=lambda seen: seen.reported_at or 0.0, default=None)
    if newest is not None and newest.metrics is not None:
        rows += _metric_facts(newest.metrics, now, fresh=newest.freshness == "fresh")
    if service.url:
        rows.append(Fact("address", service.url))
    return tuple(rows) if observed else tuple(fact._replace(tone="dim") for fact in rows)


def _observation_words(seen: Observation, now: float) -> tuple[str, Tone]:
    words = seen.message or seen.state
    if seen.freshness == "fresh":
        return f"{words}, fresh", TONES[seen.state]
    if seen.freshness == "never" or seen.reported_at is None:
        return f"never seen: {seen.message}" if seen.message else "never seen", "dim"
    was = words if words.startswith(("was ", "not ")) else f"was {words}"
    return f"{was}, {seen.freshness} {coarse_age(now - seen.reported_at)}", "busy"


def _metric_facts(metrics: HealthMetrics, now: float, *, fresh: bool) -> tuple[Fact, ...]:
    tone: Tone = "plain" if fresh else "dim"
    trips = metrics.circuit_breaker_trips
    state = "open" if metrics.is_circuit_open else "closed"
    last = time_of_day(metrics.last_heartbeat, now)
    return (
        Fact("its link", metrics.connection_state, tone),
        Fact("reconnects", f"{metrics.total_reconnects:,}  failed {metrics.failed_reconnects:,}", tone),
        Fact("attempts", f"{metrics.reconnect_attempts:,}  connects {metrics.successful_connects:,}", tone),
        Fact("heartbeat", f"{metrics.heartbeat_failures:,} failed, last ok {last}", tone),
        Fact(
            "breaker",
            f"{state}, {counted(trips, 'trip')}",
            "bad" if fresh and metrics.is_circuit_open else tone,
        ),
    )


def service_figures(service: ServiceSnapshot) -> list[Fact]:
    """What else its sights say, by name."""
    return [Fact(name, value) for seen in service.observations for name, value in seen.figures.items()]


def figure_list(service: ServiceSnapshot) -> list[Line]:
    """The same, their values under each other."""
    figures = service_figures(service)
    longest = max((len(displayable(fact.label, _LONGEST_LABEL)) for fact in figures), default=0)
    return [
        (
            Span(f" {fitted(displayable(fact.label, _LONGEST_LABEL), longest)}  ", "dim"),
            Span(displayable(fact.value, 300)),
        )
        for fact in figures
    ]


# Everything of one ----------------------------------------------------------------------------------


def service_lines(service: ServiceSnapshot, snapshot: Snapshot, now: float, width: int) -> list[Line]:
    """Everything known of a service, long values whole: itself, its last hour, each sight."""
    cells = MINUTES if width >= _STRIP_FROM else MINUTES // 4
    observed = is_present(snapshot, now)
    live = observed and service.freshness == "fresh"
    facts = (
        Fact("state", _state_words(service, snapshot, now), TONES[service.state] if live else "dim"),
        Fact("newest word", _age_words(service.freshness, service.reported_at, now)),
        Fact("since", time_of_day(service.since, now)),
        Fact("host", service.host or NOTHING),
        Fact("environment", service.environment or NOTHING),
        Fact("address", service.url or NOTHING),
    )
    lines = fact_section("SERVICE", facts, width)
    lines += [(Span(" LAST HOUR", "heading"),), (Span("  "), *strip_spans(service.hour, cells)), ()]
    for seen in service.observations:
        title = f"{seen.via.upper()}, {displayable(seen.origin, 200)}"
        lines += fact_section(title, _observation_facts(seen, now), width)[:-1]
        # Their names are longer than ours.
        figures = [Fact(displayable(name, _LONGEST_LABEL), value) for name, value in seen.figures.items()]
        gutter = max((GUTTER, *(cell_width(fact.label) for fact in figures)))
        lines += [line for fact in figures for line in folded_fact(fact, width, gutter)]
        lines.append(())
    return lines[:-1]


def _observation_facts(seen: Observation, now: float) -> tuple[Fact, ...]:
    fresh = seen.freshness == "fresh"
    return (
        Fact("says", seen.message or NOTHING, TONES[seen.state] if fresh else "dim"),
        Fact("word", _age_words(seen.freshness, seen.reported_at, now), "plain" if fresh else "busy"),
        Fact("stale after", f"{seen.stale_after:g} s"),
        Fact("last error", seen.last_error or NOTHING),
        Fact("close code", NOTHING if seen.close_code is None else str(seen.close_code)),
        *(() if seen.metrics is None else _metric_facts(seen.metrics, now, fresh=fresh)),
    )


def _age_words(freshness: str, reported_at: float | None, now: float) -> str:
    if reported_at is None:
        return "never seen" if freshness == "never" else freshness
    at = time_of_day(reported_at, now)
    return f"{freshness}, came {at}" + (
        "" if freshness == "fresh" else f", {coarse_age(now - reported_at)} old"
    )
