"""Services that tell their health: our client with one line, an overlay page with the README's JavaScript."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from guide_page import HERE, NODE, needs_the_client

from tests.engine.conftest import connection, eventually, running
from tui.channels import Channel, Socket, report_health
from tui.demo.hub import Hub
from tui.engine.supervisor import Supervisor
from tui.model.services import ServiceSnapshot
from tui.services.options import ReportsOptions, ServicesOptions

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WATCHED = ServicesOptions(
    reports=(ReportsOptions(connection="hub", topic="health:services", event="health_report"),)
)


def service(engine: Supervisor, name: str) -> ServiceSnapshot | None:
    return next((each for each in engine.snapshot().services.services if each.name == name), None)


@needs_the_client
async def test_an_overlay_page_tells_its_health_with_what_the_readme_shows(tmp_path: Path) -> None:
    [recipe] = [
        block for block in re.findall(r"^```js\n(.*?)^```", README, re.M | re.S) if "report()" in block
    ]
    assert len(recipe.strip().splitlines()) <= 10
    async with Hub() as hub:
        script = HERE / f"page-{tmp_path.name}.mjs"
        script.write_text(
            'import { Socket } from "phoenix"\nimport WebSocket from "ws"\n'
            f'const socket = new Socket("{hub.url}", {{ transport: WebSocket }})\n'
            f"{recipe}\nsocket.connect()\n"
        )
        with running(connection("hub", hub.url, "health:services"), services=WATCHED) as engine:
            await eventually(lambda: hub.joins["health:services"] == 1, "we watch")
            process = await asyncio.create_subprocess_exec(str(NODE), str(script))
            try:
                await eventually(lambda: service(engine, "page takeover"), "the page is a row")
            finally:
                process.kill()
                await process.wait()
                script.unlink()
            row = service(engine, "page takeover")
            assert row is not None
            assert (row.host, row.state, row.message, row.freshness) == ("obs", "good", "connected", "fresh")


async def _joined(socket: Socket) -> Channel:
    channel = socket.channel("health:services")
    await channel.join()
    return channel


async def test_a_service_on_our_client_tells_all_nine_with_one_line() -> None:
    async with Hub() as hub:
        with running(connection("hub", hub.url, "health:services"), services=WATCHED) as engine:
            await eventually(lambda: hub.joins["health:services"] == 1, "we watch")
            async with Socket(hub.url) as socket:
                stop = report_health(socket, await _joined(socket), service="phononmaser", host="saya")
                await eventually(lambda: service(engine, "phononmaser"), "the service is a row")
                row = service(engine, "phononmaser")
                assert row is not None
                [sight] = row.observations
                assert sight.metrics is not None
                assert sight.metrics.successful_connects == 1
                assert (row.key, row.message) == ("phononmaser@saya", "connected")

                # After a loss it tells again by itself, what it lived through included.
                hub.faults.drop_all()
                await eventually(lambda: _reconnects(engine) == 1, "told again", 15.0)
                stop()


def _reconnects(engine: Supervisor) -> int:
    row = service(engine, "phononmaser")
    metrics = row.observations[0].metrics if row else None
    return metrics.total_reconnects if metrics else 0


@pytest.mark.parametrize("interval", [0.0, -1.0, 3601.0, float("nan")])
async def test_an_interval_out_of_bounds_is_refused(interval: float) -> None:
    async with Hub() as hub, Socket(hub.url) as socket:
        with pytest.raises(ValueError, match="expected 1 to 3600 seconds"):
            report_health(socket, socket.channel("health:services"), service="x", interval=interval)
