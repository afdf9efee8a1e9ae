"""A snapshot as the text that Prometheus and its like read: OpenMetrics, or the classic text format.

Names and units follow the conventions: base units, ``_total`` for what only grows, states as state sets.

What nobody observes any more is left out, so that an engine that stopped or hangs looks like one:
``overlay_supervisor_engine_up`` is 0 and little else is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar, get_args

from tui.channels.health import ConnectionState
from tui.metrics.families import AddFamily, Families, distinct, label
from tui.model.alerts import AlertMode, AlertsSnapshot
from tui.model.incidents import IncidentRule, IncidentSeverity, IncidentsSnapshot
from tui.model.known import not_present
from tui.model.services import ServiceSnapshot, ServicesSnapshot, ServiceState
from tui.model.snapshot import ConnectionSnapshot, Snapshot

MOST_CONNECTIONS = 500
MOST_TOPICS = 2000
MOST_SERVICES = 1000
MOST_PAGES = 200
MOST_TYPES = 250
"""Of alerts; the queue itself counts types beyond its first 200 as one."""

T = TypeVar("T")


def exposition(snapshot: Snapshot, now: float, *, version: str, classic: bool = False) -> bytes:
    """The whole text, in UTF-8; the classic format has neither units nor times of creation."""
    families = Families(created=None if classic else snapshot.started_at)
    families.info("build", "The program.", (), (((), {"version": label(version)}),))
    _figures(families.gauge, _ENGINE, (), [((), (snapshot, now))])
    if why_not_up(snapshot, now) is None:
        left_out = _connections(families, snapshot.connections)
        left_out |= _services(families, snapshot.services)
        left_out |= _incidents(families, snapshot.incidents)
        if snapshot.alerts is not None:
            left_out |= _alerts(families, snapshot.alerts)
        families.gauge(
            "left_out",
            "What is there but not told of here, beyond the bounds of the engine or of this page.",
            ("of",),
            (((kind,), number) for kind, number in left_out.items()),
        )
    return families.text(classic=classic)


def why_not_up(snapshot: Snapshot, now: float) -> str | None:
    """Why a snapshot does not tell the present, in words; None when it does."""
    if snapshot.waiting is None and snapshot.sequence == 0:
        return "the engine has not begun"
    stale = not_present(snapshot, now)
    return None if stale is None else stale.message


class _Figure(NamedTuple, Generic[T]):
    """One figure of a thing, and how it is read; one that reads as None is left out."""

    name: str
    message: str
    read: Callable[[T], float | None]
    unit: str = ""


_Labelled = Sequence[tuple[Sequence[str], T]]


def _figures(
    add: AddFamily, figures: Sequence[_Figure[T]], labels: Sequence[str], things: _Labelled[T]
) -> None:
    """A family for each figure, with a sample for each thing."""
    for figure in figures:
        add(
            figure.name, figure.message, labels, [(of, figure.read(each)) for of, each in things], figure.unit
        )


# The engine ---------------------------------------------------------------------------------------


# fmt: off
_ENGINE: tuple[_Figure[tuple[Snapshot, float]], ...] = (
    _Figure("engine_up", "1 while the engine runs and publishes; 0 when it stopped or hangs, and nothing more is told.", lambda at: int(why_not_up(*at) is None)),
    _Figure("snapshot_age", "How old what the engine last published is.", lambda at: max(0.0, at[1] - at[0].taken_at), "seconds"),
    _Figure("loop_delay", "How late the engine's own loop was at the most in the last minute.", lambda at: at[0].loop_delay_seconds if why_not_up(*at) is None else None, "seconds"),
    _Figure("engine_start_time", "When the engine started, in seconds since the epoch.", lambda at: at[0].started_at, "seconds"),
)
"""Of a snapshot, and of the time at which it is read."""
# fmt: on


# Our own links ------------------------------------------------------------------------------------

# Tables: one line for each figure, however long it is.
# fmt: off
_COUNTERS: tuple[_Figure[ConnectionSnapshot], ...] = (
    _Figure("reconnects", "Successful connects after the first.", lambda c: c.metrics.total_reconnects),
    _Figure("failed_reconnects", "Retries that never got a heartbeat answered.", lambda c: c.metrics.failed_reconnects),
    _Figure("successful_connects", "Connections whose first heartbeat was answered.", lambda c: c.metrics.successful_connects),
    _Figure("heartbeat_failures", "Connections dropped because nothing came after a heartbeat.", lambda c: c.metrics.heartbeat_failures),
    _Figure("circuit_breaker_trips", "Openings of the breaker after it had been closed.", lambda c: c.metrics.circuit_breaker_trips),
    _Figure("circuit_breaker_probes", "Single attempts that an open breaker let go.", lambda c: c.details.circuit_breaker_probes),
    _Figure("connect_attempts", "Attempts to connect that were begun.", lambda c: c.details.attempts_begun),
    _Figure("failed_connect_attempts", "Attempts that ended by themselves before a heartbeat was answered.", lambda c: c.details.failed_attempts),
    _Figure("aborted_connect_attempts", "Attempts that were ended by a command.", lambda c: c.details.attempts_aborted),
    _Figure("heartbeats_sent", "Heartbeats sent.", lambda c: c.details.heartbeats_sent),
    _Figure("heartbeats_answered", "Heartbeats answered.", lambda c: c.details.heartbeats_answered),
    _Figure("unjudged_round_trips", "Round trips of heartbeats in which the engine's own loop was late: they are in no quantile.", lambda c: c.details.round_trips_unjudged),
    _Figure("messages_received", "Frames received.", lambda c: c.details.messages_in),
    _Figure("messages_sent", "Frames sent.", lambda c: c.details.messages_out),
    _Figure("received", "Bytes of the frames received.", lambda c: c.details.bytes_in, "bytes"),
    _Figure("sent", "Bytes of the frames sent.", lambda c: c.details.bytes_out, "bytes"),
    _Figure("dropped_messages", "Frames dropped from full handler queues.", lambda c: c.details.dropped_messages),
    _Figure("dropped_pushes", "Pushes dropped from full buffers.", lambda c: c.details.dropped_pushes),
    _Figure("undecodable_messages", "Frames or payloads that did not decode.", lambda c: c.details.undecodable),
    _Figure("handler_errors", "Handlers that raised.", lambda c: c.details.handler_errors),
)

_GAUGES: tuple[_Figure[ConnectionSnapshot], ...] = (
    _Figure("reconnect_attempts", "Retries since the connection was last stable.", lambda c: c.metrics.reconnect_attempts),
    _Figure("circuit_breaker_open", "1 while the breaker is open; 0 from half-open on.", lambda c: int(c.metrics.is_circuit_open)),
    _Figure("last_heartbeat_timestamp", "When a heartbeat was last answered, in seconds since the epoch; absent before the first.", lambda c: c.metrics.last_heartbeat, "seconds"),
    _Figure("heartbeats_unanswered", "1 while two heartbeats in a row or more are not answered though data comes.", lambda c: int(c.details.heartbeats_unanswered_since is not None)),
    _Figure("connection_state_start_time", "When the present state began, in seconds since the epoch.", lambda c: c.details.since, "seconds"),
    _Figure("connection_stable", "1 when it has been connected for long enough.", lambda c: int(c.details.stable)),
    _Figure("connection_refused", "1 from a refusal of our token (401 or 403) to the next success.", lambda c: int(c.details.refusal is not None)),
    _Figure("channels", "Topics that are meant to be joined.", lambda c: len(c.channels)),
    _Figure("channels_joined", "Topics that are joined.", lambda c: sum(each.state == "joined" for each in c.channels)),
)
# fmt: on


def _connections(families: Families, connections: Sequence[ConnectionSnapshot]) -> dict[str, int]:
    named, without = distinct(connections, lambda each: (each.name,), MOST_CONNECTIONS)
    labels = ("connection",)
    families.info(
        "connection",
        "What a connection is called and where it goes.",
        labels,
        ((of, {"label": label(each.label), "address": label(each.address)}) for of, each in named),
    )
    families.states(
        "connection_state",
        "Connected means that a heartbeat was answered on this very connection.",
        labels,
        get_args(ConnectionState),
        ((of, each.metrics.connection_state) for of, each in named),
    )
    _figures(families.counter, _COUNTERS, labels, named)
    _figures(families.gauge, _GAUGES, labels, named)
    families.quantiles(
        "heartbeat_round_trip",
        "Of the last 100 answered heartbeats.",
        labels,
        ((of, {0.5: each.details.round_trip_p50, 0.95: each.details.round_trip_p95}) for of, each in named),
        "seconds",
    )
    channels, topics_without = distinct(
        [(each.name, channel) for _, each in named for channel in each.channels],
        lambda pair: (pair[0], pair[1].topic),
        MOST_TOPICS,
    )
    families.gauge(
        "channel_joined",
        "1 while the topic is joined.",
        ("connection", "topic"),
        ((of, int(channel.state == "joined")) for of, (_, channel) in channels),
    )
    return {"connections": without, "topics": topics_without}


# What others tell of themselves -------------------------------------------------------------------


# fmt: off
_SERVICE_GAUGES: tuple[_Figure[ServiceSnapshot], ...] = (
    _Figure("service_fresh", "1 while the newest word of a service is within its time.", lambda s: int(s.freshness == "fresh")),
    _Figure("service_last_report_timestamp", "When the newest word came, in seconds since the epoch; absent before the first.", lambda s: s.reported_at, "seconds"),
)
# fmt: on


def _services(families: Families, services: ServicesSnapshot) -> dict[str, int]:
    named, without = distinct(services.services, lambda each: (each.name, each.host), MOST_SERVICES)
    labels = ("service", "host")
    families.info(
        "service",
        "What else is known of a service.",
        labels,
        ((of, {"environment": label(each.environment)}) for of, each in named),
    )
    families.states(
        "service_state",
        "The worst of what is freshly said of a service; unknown when nothing is.",
        labels,
        get_args(ServiceState),
        ((of, each.state) for of, each in named),
    )
    _figures(families.gauge, _SERVICE_GAUGES, labels, named)
    words = "Reports that could not be read."
    families.counter("service_reports_rejected", words, (), [((), services.rejected)])
    return {"services": without + services.left_out}


# What is wrong ------------------------------------------------------------------------------------


def _incidents(families: Families, incidents: IncidentsSnapshot) -> dict[str, int]:
    # All of them, always: what is not there cannot be told from what is not wrong.
    kinds = ((rule, severity) for rule in get_args(IncidentRule) for severity in get_args(IncidentSeverity))
    open_ = dict.fromkeys(kinds, 0)
    waiting = dict(open_)
    other = 0
    for incident in incidents.open:
        kind = (incident.rule, incident.severity)
        if kind not in open_:
            other += 1
            continue
        open_[kind] += 1
        waiting[kind] += incident.acknowledged_at is None
    kinds_of = ("rule", "severity")
    families.gauge("incidents_open", "Incidents that are open.", kinds_of, open_.items())
    words = "Open incidents that nobody has acknowledged."
    families.gauge("incidents_unacknowledged", words, kinds_of, waiting.items())
    words = "1 while something is wrong with the command that is run for incidents."
    families.gauge("incident_command_failing", words, (), [((), int(incidents.command is not None))])
    words = "Runs of that command that its rate limit left out."
    families.counter("incident_commands_dropped", words, (), [((), incidents.commands_dropped)])
    return {"incidents": incidents.left_out + other}


# fmt: off
_ALERTS_GAUGES: tuple[_Figure[AlertsSnapshot], ...] = (
    _Figure("alerts_waiting", "Alerts that wait in the queue.", lambda a: len(a.waiting)),
    _Figure("alerts_waiting_limit", "How many may wait.", lambda a: a.most_waiting),
    _Figure("alerts_playing", "Alerts that play, beside the queue too.", lambda a: int(a.playing is not None) + len(a.beside)),
    _Figure("alerts_held_in_memory", "Alerts that the store has not answered for.", lambda a: a.unsaved),
    _Figure("alerts_store_failing", "1 while the store does not answer.", lambda a: int(a.store_fails)),
    _Figure("alerts_rules_failing", "1 while the rules' file is not used.", lambda a: int(a.rules is not None)),
    _Figure("alerts_sources_away", "Sources that are away: alerts in them are not seen.", lambda a: len(a.away)),
)
_ALERTS_COUNTERS: tuple[_Figure[AlertsSnapshot], ...] = (
    _Figure("alerts_accepted", "Alerts that became part of the queue.", lambda a: a.accepted),
    _Figure("alerts_restored", "Alerts of an earlier run that were taken up again.", lambda a: a.restored),
    _Figure("alerts_ignored", "Events that the rules ignore.", lambda a: a.ignored),
    _Figure("alerts_duplicates", "Events that had come before.", lambda a: a.duplicates),
    _Figure("alerts_unmapped", "Events that no source maps to a type.", lambda a: sum(a.unmapped.values())),
)
# fmt: on


def _alerts(families: Families, alerts: AlertsSnapshot) -> dict[str, int]:
    modes = get_args(AlertMode)
    families.states("alerts_mode", "What the alert queue does.", (), modes, (((), alerts.mode),))
    _figures(families.gauge, _ALERTS_GAUGES, (), [((), alerts)])
    _figures(families.counter, _ALERTS_COUNTERS, (), [((), alerts)])
    types, without_types = distinct(alerts.counts.items(), lambda pair: (pair[0],), MOST_TYPES)
    families.gauge(
        # No counter: to Prometheus each correction would be a restart from 0.
        "alerts_ended",
        "Alerts that ended since the start; less when one turned out otherwise or was shown once more.",
        ("type", "outcome"),
        (
            ((*of, label(outcome)), number)
            for of, (_, outcomes) in types
            for outcome, number in outcomes.items()
        ),
    )
    pages, without_pages = distinct(alerts.overlays, lambda each: (each.name,), MOST_PAGES)
    families.gauge(
        "overlay_page_connected",
        "1 while the hub says that the overlay page is connected.",
        ("page",),
        ((of, int(each.connected)) for of, each in pages),
    )
    return {"alert types": without_types, "overlay pages": without_pages}
