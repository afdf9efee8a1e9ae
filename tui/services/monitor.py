"""Services that are not ours, in the engine: what they report, what hubs tell of them, how they answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from tui.channels.clock import Clock
from tui.connections.subscriptions import Connections, Listening, Wanted, channel_of, on
from tui.model.incidents import LineSeverity
from tui.model.services import ServicesSnapshot
from tui.services.figures import bare_url
from tui.services.http_checks import Checked, HealthChecker
from tui.services.options import EndpointOptions, ServicesOptions
from tui.services.payloads import PAGE, Report, Telemetry
from tui.services.registry import ObservationKey, ServiceObservation, ServiceRow, ServiceRows
from tui.services.sources import ReportSource, source_name
from tui.store.event_log import ChangeLog
from tui.text import formats
from tui.text.formats import counted

NOTE_AGAIN = 5.0
"""Seconds between two lines on one service; a change that is over by then has none."""
MOST_LINES = 20
"""Changes at one look that have a line each in the log; of more the log has one line, the journal all."""

_CHANGED_EVERY = 0.1
_HELD = 5.0
"""Seconds between two looks after which the process must have been held, or the machine asleep."""
_FORGET_EVERY = 60.0
_NOTE_REJECTED_EVERY = 60.0


class _News(NamedTuple):
    row: ServiceRow
    message: str
    severity: LineSeverity
    quiet: bool


class ServiceMonitor:
    """Keeps a row for every service that is told of, on the engine's loop; nothing in it waits.

    A service is known by its name and host; a sight without host joins the only service of that name (see
    :class:`tui.services.registry.ServiceRows`). An endpoint is such a sight, unless the settings name
    another of its name on another host.

    Args:
        connections: looked at anew each time, since a reload replaces them.
        changed: called, at most 10 times a second, when something is to be published soon.
        http: asks the endpoints; without it they are never seen.
    """

    def __init__(
        self,
        options: ServicesOptions,
        connections: Connections,
        changes: ChangeLog,
        clock: Clock,
        changed: Callable[[], None],
        http: HealthChecker | None = None,
    ) -> None:
        self._options = options
        self._connections = connections
        self._changes = changes
        self._clock = clock
        self._changed = changed
        self._http = http
        self._rows = ServiceRows(clock, options.most)
        self.our_names: frozenset[str] = frozenset()
        """What a hub may call our own join on the overlays' topic, which is no page."""
        self._sources: list[ReportSource] = []
        self._listening = Listening()
        self._several_hosts: set[str] = set()
        self._rejected_before = 0
        self._rejected_noted = 0
        self._rejected_noted_at = float("-inf")
        now = clock.monotonic()
        self._looked_at = now
        self._changed_at = now - _CHANGED_EVERY
        self._forget_at = now + _FORGET_EVERY

    # The engine's loop

    def start(self) -> None:
        self._looked_at = self._clock.monotonic()
        self.configure(self._options)

    def configure(self, options: ServicesOptions) -> None:
        """Take these settings from now on; services that they still watch are kept as they are."""
        self._options = options
        self._rows.most = options.most
        known = {source.name: source for source in self._sources}
        sources: dict[str, ReportSource] = {}
        for each in options.reports:
            name = source_name(each)
            source = known.pop(name, None) or sources.get(name)
            sources[name] = source or ReportSource(each, self._clock, self._heard, self._named)
            sources[name].options = each
        for source in known.values():
            source.stop()
            self._rejected_before += source.rejected
        self._sources = list(sources.values())
        self._several_hosts = _with_several_hosts(options.endpoints)
        self._rows.keep_sources({*sources, *map(self._endpoint_source, options.endpoints)})
        for endpoint in options.endpoints:
            self._observation_of(endpoint)
        if self._http is not None:
            self._http.watch(options.endpoints, self._checked)
        self.attach()
        self.poll()

    def asked_at(self, connection: str, topic: str) -> float | None:
        """When a hub was last asked there for reports, in monotonic seconds; None for never."""
        of = [each for each in self._sources if each.origin == f"{connection} {topic}"]
        return max((each.asked_at for each in of if each.asked_at is not None), default=None)

    def stop(self) -> None:
        self._listening.keep({})
        for source in self._sources:
            source.stop()
        if self._http is not None:
            self._http.stop()

    def attach(self) -> None:
        """Listen on the channels that there are now: at the start and after a reload."""
        wanted: Wanted = {}
        connections = self._connections()
        for source in self._sources:
            options = source.options
            channel = channel_of(connections, options.connection, options.topic)
            source.attach(channel)
            if channel is not None:
                wanted[(source.name, options.topic, options.event)] = on(channel, options.event, source.came)
        self._listening.keep(wanted)

    def poll(self) -> None:
        """Notice what became old, and write down what changed. Cheap; called at each publication."""
        now = self._clock.monotonic()
        was_held, self._looked_at = now - self._looked_at > _HELD, now
        for source in self._sources:
            source.poll(was_held=was_held)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._rows.forget()
        news = []
        for row in self._rows:
            row.poll()
            if row.state != row.noted_state and (line := self._news(row, now)) is not None:
                news.append(line)
        self._note(news)
        self._note_rejected(now)

    def snapshot(self) -> ServicesSnapshot:
        """The services as of the last look."""
        return ServicesSnapshot(
            services=tuple(row.snapshot for row in self._rows),
            left_out=self._rows.left_out + sum(source.left_out for source in self._sources),
            rejected=self._rejected,
        )

    @property
    def _rejected(self) -> int:
        return self._rejected_before + sum(source.rejected for source in self._sources)

    def _soon(self) -> None:
        now = self._clock.monotonic()
        if now - self._changed_at >= _CHANGED_EVERY:
            self._changed_at = now
            self._changed()

    # What is heard

    def _heard(self, source: ReportSource, noted: Report) -> None:
        if noted.name.startswith(PAGE) and noted.name.removeprefix(PAGE) in self.our_names:
            return
        row = self._rows.find(source.name, noted.name, noted.host)
        if row is None:
            return
        options, now = source.options, self._clock.monotonic()
        key = ObservationKey(source.name, bool(noted.host))
        seen = row.observations.get(key)
        if seen is None:
            seen = row.observations[key] = ServiceObservation(
                options.kind, source.origin, options.stale_after, source
            )
        seen.stale_after = options.stale_after
        is_news = seen.freshness(now) != "fresh" or _differ(seen.noted, noted)
        seen.hear(noted, now, self._clock.time())
        if is_news:
            self._soon()

    def _named(self, source: ReportSource, telemetry: Telemetry) -> None:
        """A hub told of all pages or services that it knows: of the others it knows nothing any more."""
        names = {noted.name for noted in telemetry.noted}
        for name, seen in self._rows.of_source(source.name):
            noted_of = telemetry.pages if name.startswith(PAGE) else telemetry.services
            if seen.is_named and noted_of and name not in names:
                seen.is_named = False
                self._soon()

    def _checked(self, endpoint: EndpointOptions, checked: Checked) -> None:
        seen = self._observation_of(endpoint)
        noted, outcome = checked
        wall = self._clock.time()
        is_news = _differ(seen.noted, noted)
        if outcome == "answered":
            seen.answered_at = wall
        elif seen.answered_at is not None:
            last = datetime.fromtimestamp(seen.answered_at).strftime("%Y-%m-%d %H:%M:%S")
            noted = msgspec.structs.replace(noted, figures={"last answered": last})
        if outcome == "answered" or (outcome == "failed" and seen.answered_at is not None):
            seen.hear(noted, self._clock.monotonic(), wall)
        else:
            # It was never seen; or nobody asked, so that what is known grows old.
            seen.noted = noted
        if is_news:
            self._soon()

    def _observation_of(self, endpoint: EndpointOptions) -> ServiceObservation:
        source, host = self._endpoint_source(endpoint), self._noted_host(endpoint)
        row = self._rows.find(source, endpoint.name, host, shown_host=_shown_host(endpoint), always=True)
        assert row is not None  # there is always room
        key = ObservationKey(source, bool(host))
        stale_after = 2 * endpoint.interval + endpoint.timeout
        if key not in row.observations:
            row.observations[key] = ServiceObservation("http", bare_url(endpoint.url), stale_after)
        row.observations[key].stale_after = stale_after
        return row.observations[key]

    def _noted_host(self, endpoint: EndpointOptions) -> str:
        return _host(endpoint) if endpoint.name in self._several_hosts else ""

    def _endpoint_source(self, endpoint: EndpointOptions) -> str:
        return f"http {endpoint.name}@{self._noted_host(endpoint)} {endpoint.url}"

    # What is written down

    def _news(self, row: ServiceRow, now: float) -> _News | None:
        """The line on a service that changed its state; None when it is none, or not yet."""
        first = row.noted_state is None
        if row.freshness == "never" or (row.state == "unknown" and (first or row.is_excused(now))):
            # Where it is our own link that went, the line on that says so.
            return None
        if not first and now - row.noted_at < NOTE_AGAIN:
            return None
        words = f"{row.label}: {row.message}"
        since = row.since
        if row.state == "unknown" and row.heard_at is not None and row.freshness != "fresh":
            words += f", last heard of {formats.duration(now - row.heard_at)} ago"
        elif row.noted_state in ("bad", "busy") and since is not None and row.noted_since is not None:
            words += f" after {formats.duration(max(0.0, since - row.noted_since))}"
        row.noted_state, row.noted_at, row.noted_since = row.state, now, since
        is_well = row.state in ("good", "off")
        # That services are there is no news on a screen that shows them.
        return _News(row, words, "info" if is_well else "warning", first and is_well)

    def _note(self, news: list[_News]) -> None:
        wall = self._clock.time()
        shown = [each for each in news if not each.quiet]
        in_one = len(shown) > MOST_LINES
        for each in news:
            quiet = each.quiet or in_one
            self._changes.add(
                wall, None, each.message, each.severity, "service", quiet=quiet, subject=each.row.key
            )
        if in_one:
            states = Counter(each.row.state for each in shown)
            states_noted = ", ".join(f"{number} {state}" for state, number in states.most_common())
            worst: LineSeverity = "info" if all(each.severity == "info" for each in shown) else "warning"
            self._changes.add(wall, None, f"{len(shown)} services changed: {states_noted}", worst, "service")

    def _note_rejected(self, now: float) -> None:
        count = self._rejected - self._rejected_noted
        if count and now >= self._rejected_noted_at + _NOTE_REJECTED_EVERY:
            self._rejected_noted, self._rejected_noted_at = self._rejected, now
            reports = counted(count, "service report")
            words = f"{reports} could not be read, or exceeded max_report_size"
            self._changes.add(self._clock.time(), None, words, "warning", "drop")


def _differ(one: Report, other: Report) -> bool:
    return one.state != other.state or one.message != other.message


def _host(endpoint: EndpointOptions) -> str:
    return (urlsplit(endpoint.url).hostname or "").replace("@", "_")


def _shown_host(endpoint: EndpointOptions) -> str:
    """The host that its address names; this machine's own is no name of one."""
    host = _host(endpoint)
    return "" if host in ("localhost", "::1") or host.startswith("127.") else host


def _with_several_hosts(endpoints: Iterable[EndpointOptions]) -> set[str]:
    hosts: dict[str, set[str]] = {}
    for endpoint in endpoints:
        hosts.setdefault(endpoint.name, set()).add(_host(endpoint))
    return {name for name, known in hosts.items() if len(known) > 1}
