"""What a hub sends that the engine alone reads: read up to its bound, counted beyond it, built for nobody."""

from __future__ import annotations

import time

from tests.engine.conftest import FAST, connection, eventually, running
from tui.alerts.options import AlertOptions, DeliveryOptions, SourceOptions
from tui.channels import Options
from tui.demo.hub import Hub
from tui.engine.supervisor import Supervisor
from tui.metrics.exposition import exposition
from tui.model.snapshot import CommandResult, ConnectionSnapshot, ExtraCommand
from tui.services.options import ReportsOptions, ServicesOptions

MOST = 20_000
LARGE = [1] * MOST
READ = Options(**{name: getattr(FAST, name) for name in FAST.__slots__} | {"max_report_size": MOST})
TOPICS = ("events:all", "stream:overlays", "stream:queue", "dashboard:main")
SERVICES = ServicesOptions(
    reports=(
        ReportsOptions(connection="hub", topic="events:all", event="health_report"),
        ReportsOptions(connection="hub", topic="dashboard:main", event="telemetry_update", kind="hub"),
    )
)
ALERTS = AlertOptions(
    sources=(SourceOptions(connection="hub", topic="events:all"),),
    delivery=DeliveryOptions(connection="hub", topic="stream:overlays"),
)


def only(engine: Supervisor) -> ConnectionSnapshot:
    (found,) = engine.snapshot().connections
    return found


def joined(engine: Supervisor) -> bool:
    return bool(engine.snapshot().connections) and all(
        each.state == "joined" for each in only(engine).channels
    )


async def test_what_is_larger_than_its_bound_is_counted_and_the_next_is_read(hub: Hub) -> None:
    with running(
        connection("hub", hub.url, *TOPICS, options=READ), alerts=ALERTS, services=SERVICES
    ) as engine:
        await eventually(lambda: joined(engine), "the joins")
        hub.send_to_topic("events:all", "follower", {"user_name": "large", "list": LARGE})
        hub.send_to_topic("events:all", "health_report", {"service": "large", "list": LARGE})
        # The first is for the overlays' hub and for the services, each of which counts what it does not read.
        hub.send_to_topic("dashboard:main", "telemetry_update", {"overlays": [], "list": LARGE})
        hub.send_to_topic("stream:queue", "queue_state", {"queue": LARGE})
        await eventually(lambda: engine.snapshot().services.rejected == 2, "the services' count")
        await eventually(lambda: only(engine).details.undecodable == 2, "the connection's count")
        alerts = engine.snapshot().alerts
        assert alerts is not None
        assert alerts.counts == {"follow": {"rejected": 1}}
        assert "larger than the 20000 bytes that are read" in alerts.recent[0].reason

        hub.send_to_topic("events:all", "health_report", {"service": "small", "state": "connected"})
        page = {"name": "omnibar", "connected": True, "environment": ["any", {"thing": 1}]}
        hub.send_to_topic("dashboard:main", "telemetry_update", {"overlays": [7, page]})
        hub.send_to_topic("stream:queue", "queue_state", {"queue": [7, {"data": {"id": "another's"}}]})
        await eventually(lambda: len(engine.snapshot().services.services) == 2, "the services")
        await eventually(lambda: engine.snapshot().alerts.overlays, "the page")  # type: ignore[union-attr]  # a queue is set up
        assert engine.snapshot().alerts.warning == "the hub runs a queue of its own (2 items)"  # type: ignore[union-attr]  # a queue is set up
        assert [one.name for one in engine.snapshot().alerts.overlays] == ["omnibar"]  # type: ignore[union-attr]  # a queue is set up
        assert joined(engine)
        assert only(engine).metrics.total_reconnects == 0


class Held:
    """Something beside the engine that holds its loop up once, when it is told to."""

    seconds = 0.0

    def commands(self) -> tuple[ExtraCommand, ...]:
        return ()

    async def run(self, command: str) -> CommandResult:
        return CommandResult(ok=False, message="")

    def notice(self) -> str | None:
        seconds, self.seconds = self.seconds, 0.0
        time.sleep(seconds)
        return None


async def test_a_loop_that_is_late_is_told_and_is_an_incident(hub: Hub) -> None:
    held = Held()
    with running(connection("hub", hub.url), plugin_commands=held) as engine:
        await eventually(lambda: joined(engine), "the first snapshot")
        held.seconds = 1.3
        await eventually(lambda: engine.snapshot().loop_delay_seconds > 1, "the delay")
        await eventually(lambda: engine.snapshot().incidents.open, "the incident")
        (found,) = engine.snapshot().incidents.open
        assert (found.rule, found.subject) == ("loop_late", "engine")
        assert found.message.startswith("our own loop was 1.")
        page = exposition(engine.snapshot(), time.time(), version="1").decode()
        late = engine.snapshot().loop_delay_seconds
        assert f"overlay_supervisor_loop_delay_seconds {late}" in page
        assert only(engine).metrics.heartbeat_failures == 0


async def test_a_wide_telemetry_is_read_in_turns(hub: Hub) -> None:
    figures = {f"figure {number}": "x y z " * 12 for number in range(40)}
    services = {f"service {number}": {"connected": True, **figures} for number in range(200)}
    watched = ServicesOptions(reports=SERVICES.reports[1:])
    with running(connection("hub", hub.url, *TOPICS), services=watched) as engine:
        await eventually(lambda: joined(engine), "the joins")
        for number in range(5):
            services["last"] = {"connected": number == 4}
            hub.send_to_topic("dashboard:main", "telemetry_update", {"services": services, "overlays": []})
        await eventually(lambda: len(engine.snapshot().services.services) == 200, "the services")
        assert engine.snapshot().services.left_out == 1
        assert engine.snapshot().services.rejected == 0
