"""What must hold, all the while: each a small check with a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tests.simulation.committed import DiskTruth
from tests.simulation.lines import LineTruth
from tests.simulation.truth import LinkTruth
from tests.simulation.world import OVERLAYS, EngineHost, World, settings
from tui.alerts.alert import Alert, decode
from tui.alerts.store_file import Row
from tui.model.alerts import TEST_SOURCE, TESTS
from tui.model.snapshot import Snapshot
from tui.simulation.network import Line
from tui.simulation.page import Page

KEPT_WITHIN = 61.0
"""Seconds of life with a disk that answers."""
MOST_NOTED = 4
MOST_RECENT = 50
CUT = 0.5
"""Seconds by which a page and an engine may differ on an end."""
PUBLISHED = 0.4
"""Seconds in which what the engine knows is published."""
IDLE = 12.0
"""Seconds in which what may stand on a page ends, and the next one is shown."""
SOON = 10.0
"""Seconds in which what is asked of a hub that is there, and tells of it, is done."""


_VIEWER = re.compile(rb'"(viewer\d+)"')


@dataclass
class _Unkept:
    """An event without a row yet, the engine that it reached, and the seconds in which it must have one."""

    engine: EngineHost
    left: float


class Watch:
    """Sees everything that passes, and notes what must not be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[str] = []
        self._noted: dict[str, set[str]] = {}
        self.was_on: dict[str, float] = {}
        """Alerts that the page of the settings had on, and when it began."""
        self._on_before: dict[str, dict[str, float]] = {}
        self.alerts = 0
        """How many there were."""
        self._rows: dict[str, Row] = {}
        self._kept: dict[str, Alert] = {}
        self._ended: dict[str, float] = {}
        self._idle_since: float | None = None
        self._page_gone_at: float | None = 0.0
        self._joined_at: float | None = None
        self._calm_since = 0.0
        self._link = LinkTruth(world, self.find)
        self._disk = DiskTruth(world, self.find)
        self._lines = LineTruth(self.find)
        self._unkept: dict[str, _Unkept] = {}
        self._ids: dict[str, str] = {}
        self._came_to: dict[str, tuple[EngineHost | None, float]] = {}
        self._pushed_unwell: dict[str, EngineHost] = {}
        """What left last while the disk took nothing, and by whom."""
        self._same_id_window = settings(world.plan)[1].same_id_window
        world.page_changed = self._page_changed
        world.rows_put = self._rows_put
        world.network.taps.append(self._tapped)

    def find(self, name: str, words: str, key: str = "") -> None:
        """Something is not as it must be; told once for each key, a few times for each name."""
        told = self._noted.setdefault(name, set())
        if key not in told and len(told) < MOST_NOTED:
            told.add(key)
            self.findings.append(f"{self.world.loop.now - 1000:.2f} {name}: {words}")

    def trouble(self) -> None:
        """A fault begins, or lasts: what depends on a hub that answers has its time from now on."""
        self._calm_since = self.world.loop.now

    def disturbed(self) -> None:
        """A person does something to the connection, or the machine sleeps."""
        self._link.disturbed_at = self.world.loop.now

    def forget(self, before: float) -> None:
        """What had ended by then, in epoch seconds, so that days without end need no memory without end."""
        gone = {id for id, row in self._rows.items() if not row.open and row.changed_at < before}
        for known in (self._rows, self._kept, self.was_on, self._ended, self._came_to, self._pushed_unwell):
            for id in gone & known.keys():
                del known[id]
        self._ids = {who: id for who, id in self._ids.items() if id not in gone}
        self._disk.forget(gone)
        self.world.journal[:] = [entry for entry in self.world.journal if entry.timestamp >= before]

    # What is seen

    def alert(self, id: str) -> Alert | None:
        """An alert's latest row, written or not."""
        found = self._kept.get(id)
        if found is None and (row := self._rows.get(id)) is not None:
            found = self._kept[id] = decode(row.data)
        return found

    def _committed(self, id: str) -> str | None:
        """How it stands on the disk: ``open``, or its outcome."""
        found = self.world.disk.read(f"SELECT open, outcome FROM alerts WHERE id = '{id}'")
        if not found:
            return None
        is_open, outcome = found[0]
        return "open" if is_open else str(outcome)

    def _rows_put(self, rows: tuple[Row, ...], *, is_awaited: bool) -> Callable[[], None]:
        self._see_rows(rows)
        return self._disk.put(rows, is_awaited=is_awaited)

    def _see_rows(self, rows: tuple[Row, ...]) -> None:
        for row in rows:
            if row.type.startswith("(") and row.type != TESTS:
                continue
            if row.id not in self._rows:
                self.alerts += 1
                self._came(row)
            self._rows[row.id] = row
            if row.open:
                self._ended.pop(row.id, None)
            else:
                self._ended.setdefault(row.id, self.world.loop.now)
            self._kept.pop(row.id, None)
            if row.outcome == "shown" and row.id not in self.was_on:
                alert = decode(row.data)
                self.find("shown unseen", f"{self._name(row.id)}: {alert.reason}", row.id)
            if row.outcome == "shown" and not self.world.plan.is_vouched_for:
                self.find("shown without a voucher", self._name(row.id), row.id)
            elif row.outcome == "collapsed":
                self._collapsed(decode(row.data))

    def _came(self, row: Row) -> None:
        alert = decode(row.data)
        if alert.who.startswith("viewer") and alert.requeued_from is None:
            other, engine, now = self._ids.get(alert.who), self.world.engine, self.world.loop.now
            if other is not None:
                came_to, came_at = self._came_to[other]
                is_forgotten = came_to is not engine and self._is_forgotten(other, engine)
                # What lay on its way while the machine slept may come too late to be known.
                if is_forgotten or now - came_at > self._same_id_window:
                    other = None
            self._ids[alert.who] = other or row.id
            self._came_to[row.id] = engine, now
            if other is not None:
                self.find("two alerts of one event", f"{self._name(row.id)} and {self._name(other)}", row.id)

    def _is_forgotten(self, id: str, engine: EngineHost | None) -> bool:
        """It died with the memory that held it, or the disk has not told of it yet."""
        return self._committed(id) is None or (engine is not None and not engine.store.restored.done())

    def _collapsed(self, alert: Alert) -> None:
        into = None if alert.into is None else self.alert(alert.into)
        if into is not None and (alert.source == TEST_SOURCE) != (into.source == TEST_SOURCE):
            words = f"{alert.source}: {self._name(alert.id)}, grew {into.source}: {self._name(into.id)}"
            self.find("tests apart", words, into.id)

    def _page_changed(self, page: Page) -> None:
        now = self.world.loop.now
        on = list(page.has_on)
        if page is self.world.page:
            for id in on:
                self.was_on.setdefault(id, now)
        on = [id for id in on if not self._died_with_its_push(id)]
        if len(on) > 1:
            told = f"{page.name}: " + " beside ".join(self._name(id) for id in on)
            self.find("two on the page", f"{told}", " ".join(sorted(on)))
        self._cut_short(page, now)

    def _died_with_its_push(self, id: str) -> bool:
        """Only a memory that is gone knew that it was pushed; the next run cannot."""
        engine = self._pushed_unwell.get(id)
        return engine is not None and engine.is_dead

    def _cut_short(self, page: Page, now: float) -> None:
        """Where the hub keeps no stack, one takes the place of another."""
        before = self._on_before.get(page.name, {})
        self._on_before[page.name] = dict(page.has_on)
        if self.world.hub.landale is not None:
            return
        for id in before:
            if self._died_with_its_push(id):
                continue
            if page.has_on and id not in page.has_on and id not in page.found and before[id] - now > CUT:
                words = f"{self._name(id)}, {before[id] - now:.1f} s before its end"
                self.find("cut short", f"{words}, by {self._name(next(iter(page.has_on)))}", id)

    def _name(self, id: str) -> str:
        alert = self.alert(id)
        if alert is None:
            return id
        words = [f"{alert.type} of {alert.who}", alert.outcome or alert.state]
        words += [f"{alert.count} in one"] if alert.count > 1 else []
        words += [f"pushed {alert.tries} times"] if alert.tries > 1 else []
        return ", ".join([*words, alert.reason] if alert.reason else words)

    def _tapped(self, line: Line, is_up: bool, message: bytes) -> None:
        engine = self.world.engine
        if engine is None or line.name != engine.name:
            return
        self._link.tapped(line, is_up, message)
        if not is_up:
            self._noted_of_viewers(message, engine)
        elif b'"force_content"' in message:
            id = msgspec.json.decode(message)[4]["data"]["id"]
            self._pushed(id, engine)

    def _noted_of_viewers(self, message: bytes, engine: EngineHost) -> None:
        """An event reaches the engine; it must have a row."""
        found = _VIEWER.search(message)
        if found is None or b'"events:all"' not in message or b'"is_gift":true' in message:
            return
        who = found[1].decode()
        if who not in self._ids and self._is_joined("events:all"):
            self._unkept.setdefault(who, _Unkept(engine, KEPT_WITHIN))

    def _pushed(self, id: str, engine: EngineHost) -> None:
        """An alert leaves for the hub."""
        now = self.world.loop.now
        alert = self.alert(id)
        row = self._rows.get(id)
        if self.world.disk.is_well:
            self._pushed_unwell.pop(id, None)
        else:
            self._pushed_unwell[id] = engine
        if row is not None and not row.open:
            self.find("pushed after its end", self._name(id), id)
        elif (stands := self._committed(id)) != "open":
            # One that was brought back is on the disk as it was. That it is held is soon published.
            self.world.network.call_at(now + PUBLISHED, self._must_be_kept, id, stands, engine)
        gone, joined = self._page_gone_at, self._joined_at
        plan = self.world.plan
        if (
            plan.waits
            and plan.params
            and plan.dialect == "telemetry"
            and gone is not None
            and not self.world.page.is_joined
            and joined is not None
            and now - max(gone, joined, self._calm_since) > SOON
            and alert is not None
        ):
            self.find("pushed to nobody", f"{self._name(id)}, no page for {now - gone:.0f} s", id)

    def _must_be_kept(self, id: str, stood: str | None, engine: EngineHost) -> None:
        # One that was killed meanwhile had no time to show it.
        if not engine.is_dead and self._committed(id) == stood and not self._is_held(id):
            self.find("pushed unwritten", self._name(id), id)

    def _is_held(self, id: str) -> bool:
        snapshot = self.world.snapshot
        if snapshot is None or snapshot.alerts is None:
            return False
        alerts = snapshot.alerts
        open = [*([alerts.playing] if alerts.playing else []), *alerts.beside, *alerts.waiting]
        return alerts.store_fails or any(each.id == id and each.held for each in open)

    # Looked at from time to time

    def poll(self) -> None:
        """All that can be seen at any moment."""
        world, now = self.world, self.world.loop.now
        if world.page.is_joined:
            self._page_gone_at = None
        elif self._page_gone_at is None:
            self._page_gone_at = now
        joined = self._is_joined(OVERLAYS)
        if not joined:
            self._joined_at = None
        elif self._joined_at is None:
            self._joined_at = now
        self._taken_off(now)
        self._disk.poll()
        engine, snapshot = world.engine, world.snapshot
        if engine is None or snapshot is None or world.is_asleep:
            return
        if snapshot.stopped is not None:
            self.find("a mistake", f"the engine ended: {snapshot.stopped}")
            return
        if not engine.supervisor.started.is_set():
            return
        self._link.poll(snapshot, engine, self._calm_since)
        self._rows_kept(engine)
        self._lines.poll(engine, world.loop.now)
        self._bounds(snapshot)
        self._goes_on(snapshot, world.loop.now)

    def _goes_on(self, snapshot: Snapshot, now: float) -> None:
        """What waits is shown, where nobody stopped it and somebody sees it."""
        alerts = snapshot.alerts
        assert alerts is not None
        is_stopped = alerts.mode in ("paused", "held") or not self.world.page.is_joined
        # A hub that tells of its pages now and then is believed for a minute.
        plan = self.world.plan
        is_stopped |= plan.waits and plan.dialect == "plain" and alerts.mode != "playing"
        is_calm = self._joined_at is not None and now - max(self._joined_at, self._calm_since) > SOON
        shows = alerts.playing is not None or bool(alerts.beside)
        if is_stopped or shows or not is_calm or not alerts.waiting:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > IDLE:
            words = f"{len(alerts.waiting)} wait for {IDLE:g} s, {alerts.mode}: {alerts.message}"
            self.find("stands still", words, str(self._idle_since))

    def _rows_kept(self, engine: EngineHost) -> None:
        """What reached an engine that lives, with a disk that answers, has a row in time."""
        for who, unkept in list(self._unkept.items()):
            if unkept.engine is not engine:
                del self._unkept[who]  # it died with what it had in memory
            elif who in self._ids and self._committed(self._ids[who]) is not None:
                del self._unkept[who]
            if who in self._unkept and self.world.disk.is_well:
                unkept.left -= 1.0
                if unkept.left < 0:
                    del self._unkept[who]
                    words = "is not committed" if who in self._ids else "has no row"
                    self.find("no row", f"what {who} did {words}", who)

    def _bounds(self, snapshot: Snapshot) -> None:
        alerts = snapshot.alerts
        assert alerts is not None
        open = len(alerts.waiting) + len(alerts.beside) + (alerts.playing is not None)
        ended = sum(sum(by_outcome.values()) for by_outcome in alerts.counts.values())
        if alerts.accepted + alerts.restored != open + ended:
            words = f"{alerts.accepted} accepted, {alerts.restored} restored: {open} open, {ended} ended"
            self.find("counters", words, "alerts")
        if len(alerts.waiting) > alerts.most_waiting or len(alerts.recent) > MOST_RECENT:
            self.find("bounds", f"{len(alerts.waiting)} wait, {len(alerts.recent)} ended lately")
        # The loop's timers may have slept; the queue looks once a second.
        is_awake = self.world.loop.now - self._link.disturbed_at > 2.0
        end = alerts.playing.ends_at if is_awake and alerts.playing is not None else None
        if end is not None and end < snapshot.taken_at - PUBLISHED:
            self.find("ages", f"what plays was to end {snapshot.taken_at - end:.1f} s ago")

    def _is_joined(self, topic: str) -> bool:
        snapshot = self.world.snapshot
        if snapshot is None or snapshot.stopped is not None:
            return False
        return any(
            channel.topic == topic and channel.state == "joined"
            for connection in snapshot.connections
            for channel in connection.channels
        )

    def _taken_off(self, now: float) -> None:
        if self._joined_at is None or now - max(self._joined_at, self._calm_since) < SOON:
            return
        page = self.world.page
        if not page.is_joined:
            return
        for id in page.has_on:
            alert = self.alert(id)
            if alert is None or alert.outcome not in ("skipped", "removed"):
                continue
            if now - self._ended.get(id, now) > SOON / 2:
                came_back = "came back" if id == page.shows else "is held"
                self.find("taken off, and there", f"{self._name(id)} {came_back}", id)

    def end(self) -> None:
        """What must be so when the evening is over and all was well for a while."""
        left = self.world.disk.read(
            "SELECT id FROM alerts WHERE open AND (type NOT LIKE '(%' OR type = '(test)')"
        )
        for (id,) in left:
            self.find("no outcome", self._name(str(id)), str(id))
        self._disk.poll(is_over=True)
        for mistake in self.world.mistakes:
            self.find("a mistake", mistake, mistake)
