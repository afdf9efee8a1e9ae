"""For each invariant of the evenings one deliberate fault, which it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bites import Bite, bitten, chosen, still_fit

PERSISTENCE = "tui/alerts/persistence.py"
FILE = "tui/alerts/store_file.py"
PLAYER = "tui/alerts/player.py"
ENDINGS = "tui/alerts/endings.py"
LIFECYCLE = "tui/channels/lifecycle.py"
HEARTBEAT = "tui/channels/heartbeat.py"

BITES = (
    Bite(
        "a mistake",
        PERSISTENCE,
        "    def _written(self, write: _Write) -> None:\n",
        '    def _written(self, write: _Write) -> None:\n        raise ValueError("deliberate")\n',
    ),
    Bite(
        "no row",
        PERSISTENCE,
        "        store.put(rows, lambda: self._on_loop(self._written, write))\n",
        "        pass\n",
    ),
    Bite(
        "pushed unwritten",
        FILE,
        '            self._connection.execute("COMMIT")\n        except BaseException as error:',
        '            self._connection.execute("ROLLBACK")\n        except BaseException as error:',
    ),
    Bite(
        "written, and gone",
        FILE,
        "self._connection.executemany(_PUT, values)",
        "self._connection.executemany(_PUT, values[:-1])",
    ),
    Bite(
        "no outcome",
        PERSISTENCE,
        'open=alert.state != "ended"',
        "open=True",
    ),
    Bite(
        "two on the page",
        "tui/alerts/page.py",
        "return max(others, default=-math.inf)",
        "return -math.inf",
    ),
    Bite(
        "cut short",
        "tui/alerts/page.py",
        "self._settled = max(self._settled, now + flight[1])",
        "self._settled = max(self._settled, now + flight[1] / 2)",
    ),
    Bite(
        "pushed after its end",
        "tui/alerts/dispatcher.py",
        "            player.delivered(alert.id, alert.tries, sent.item)\n",
        "            player.delivered(alert.id, alert.tries, sent.item)\n"
        "            await asyncio.sleep(30)\n"
        "            await delivery.show(alert, 1.0)\n",
    ),
    Bite(
        "pushed to nobody",
        PLAYER,
        "self.stops.paused or self.stops.is_held(self.now) or self.unseen_words",
        "self.stops.paused or self.stops.is_held(self.now)",
    ),
    Bite(
        "shown unseen",
        ENDINGS,
        "        if entry.alert.confirmed:\n            return self.end",
        "        if True:\n            return self.end",
    ),
    Bite(
        "shown without a voucher",
        ENDINGS,
        "        if entry.alert.confirmed:\n            return self.end",
        "        if True:\n            return self.end",
    ),
    Bite(
        "taken off, and there",
        "tui/alerts/page.py",
        "if listed.asked_at + ASK_AGAIN <= now:",
        "if False:",
    ),
    Bite(
        "tests apart",
        "tui/alerts/waiting.py",
        "return alert.type, alert.source == TEST_SOURCE",
        "return alert.type, False",
    ),
    Bite(
        "two alerts of one event",
        "tui/alerts/recent.py",
        "return at is not None and at + self.window > now",
        "return False",
    ),
    Bite(
        "not emptied",
        "tui/alerts/page.py",
        "return max(others, default=-math.inf)",
        "return max(others, default=math.inf)",
    ),
    Bite(
        "stands still",
        "tui/alerts/page.py",
        "return max(others, default=-math.inf)",
        "return max(others, default=math.inf)",
    ),
    Bite(
        "told again and again",
        "tui/alerts/service.py",
        "            self.settle()\n        self._note_store()\n",
        '            self.settle()\n        self._note_store()\n        self.note("still here")\n',
    ),
    Bite(
        "bounds",
        PLAYER,
        "while len(self.waiting) > self.options.most_waiting:",
        "while len(self.waiting) > self.options.most_waiting + 1:",
    ),
    Bite(
        "counters",
        "tui/alerts/recent.py",
        "        self.accepted += 1\n",
        "        self.accepted += 2\n",
    ),
    Bite(
        "connected",
        LIFECYCLE,
        "            self._callbacks.connection_opened()\n",
        "            self._callbacks.connection_opened()\n            self._become_connected()\n",
    ),
    Bite(
        "dead, and connected",
        HEARTBEAT,
        "return max(self._timeout, allowance) if",
        "return 10 * max(self._timeout, allowance) if",
    ),
    Bite(
        "unanswered",
        HEARTBEAT,
        "        return self._unanswered[0]\n",
        "        return None\n",
    ),
    Bite(
        "dropped alive",
        HEARTBEAT,
        "return max(self._timeout, allowance) if",
        "return max(self._timeout, allowance) / 2 if",
    ),
    Bite(
        "ages",
        LIFECYCLE,
        "        self.since_monotonic = self._clock.monotonic()\n        self._callbacks",
        "        self._callbacks",
    ),
    Bite(
        "channels",
        "tui/channels/channel.py",
        '            self.state = "errored"\n            self.reason = "not connected"\n',
        '            self.reason = "not connected"\n',
    ),
    Bite(
        "counters",
        LIFECYCLE,
        "        self.counts.attempts_begun += 1\n",
        "        self.counts.attempts_begun += 2\n",
    ),
)

FIRST = {
    "two on the page": (7, 0.15),
    "cut short": (4, 0.15),
    "pushed to nobody": (2, 0.3),
    "shown unseen": (4, 0.15),
    "tests apart": (7, 0.15),
    "two alerts of one event": (7, 0.15),
    "bounds": (12, 0.15),
    "connected": (3, 0.15),
    "dead, and connected": (3, 0.15),
    "unanswered": (3, 0.15),
    "dropped alive": (2, 0.15),
}
"""The evening in which it is found, and its hours, where that is not the first one."""


def evenings(bite: Bite) -> tuple[str, ...]:
    """The evenings in which it is looked for, until it is found."""
    first, hours = FIRST.get(bite.finding, (1, 0.15))
    words = f"--evenings 12 --hours {hours} --seed {first} --until"
    return *words.split(), bite.finding


def test_each_of_the_faults_can_be_put_in() -> None:
    assert still_fit(BITES)


@pytest.mark.parametrize("bite", chosen(BITES), ids=lambda bite: bite.finding)
def test_each_invariant_finds_the_fault_that_is_meant_for_it(bite: Bite, tmp_path: Path) -> None:
    told = bitten(bite, tmp_path, "tests.simulation", *evenings(bite))
    assert f" {bite.finding}: " in told, told
