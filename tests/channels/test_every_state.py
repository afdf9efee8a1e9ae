"""All that can happen to a connection in every state of its life, and that each check of it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bites import Bite, bitten, chosen, still_fit
from tests.channels.every_state import OPTIONS, Visit

LIFECYCLE = "tui/channels/lifecycle.py"
BREAKER = "tui/channels/breaker.py"
HEARTBEAT = "tui/channels/heartbeat.py"

BITES = (
    Bite(
        "two connections",
        LIFECYCLE,
        'self._end(f"{verb} was asked for", graceful=True)',
        "pass",
    ),
    Bite(
        "a heartbeat is sent where no connection is open",
        LIFECYCLE,
        "        self._callbacks.begin_opening()\n",
        "        self._callbacks.begin_opening()\n        self._callbacks.send_heartbeat()\n",
    ),
    Bite(
        "joins may follow before a heartbeat was sent",
        LIFECYCLE,
        "            self._send_heartbeat(now)\n            self._callbacks.connection_opened()\n",
        "            self._callbacks.connection_opened()\n            self._send_heartbeat(now)\n",
    ),
    Bite(
        "open, and no joins may follow",
        LIFECYCLE,
        "            self._callbacks.connection_opened()\n",
        "",
    ),
    Bite(
        "an attempt is made while the breaker is open",
        LIFECYCLE,
        "self.breaker.until is not None and now >= self.breaker.until",
        "self.breaker.until is not None and now >= self.breaker.until - 1",
    ),
    Bite(
        "what it says is there is not what there is",
        LIFECYCLE,
        "        self._end(words, graceful=graceful)\n        limit",
        "        limit",
    ),
    Bite(
        "the state's word is another one",
        LIFECYCLE,
        'self._change("connected", None)',
        'self._change("connecting", None)',
    ),
    Bite(
        "connected, though no heartbeat was answered",
        LIFECYCLE,
        "            self._callbacks.connection_opened()\n",
        "            self._callbacks.connection_opened()\n            self._become_connected()\n",
    ),
    Bite(
        "asks to be asked again at once",
        LIFECYCLE,
        'if verdict == "dead":',
        "if False:",
    ),
    Bite(
        "waits for nothing",
        LIFECYCLE,
        "            return self.breaker.until\n",
        "            return None\n",
    ),
    Bite(
        "waits longer than the cap",
        "tui/channels/backoff.py",
        "return min(delay, self._maximum)",
        "return delay",
    ),
    Bite(
        "not connected, and not given up in its time",
        HEARTBEAT,
        "if heard and self.answered:",
        "if heard:",
    ),
    Bite(
        "the breaker is open, or closed, where nobody waits for it",
        BREAKER,
        '        self.state = "half-open"\n',
        "",
    ),
    Bite(
        "stable, and its failures are not forgotten",
        LIFECYCLE,
        "            self.counts.reconnect_attempts = 0\n            self._revival = False\n",
        "            self._revival = False\n",
    ),
    Bite(
        "the counts of attempts do not add up",
        LIFECYCLE,
        "            self.counts.attempts_aborted += 1\n",
        "            pass\n",
    ),
    Bite(
        "a trip is counted that is none",
        BREAKER,
        'self.trips += self.state == "closed"',
        "self.trips += 1",
    ),
    Bite(
        "disconnected, and it goes on",
        LIFECYCLE,
        "            self.phase = Phase.IDLE\n",
        "            self.phase = Phase.GAVE_UP\n",
    ),
    Bite(
        "it connects though nobody asked",
        LIFECYCLE,
        "        if self.next_try is None:\n            return\n",
        "        if self.next_try is None:\n            self._begin(retry=False)\n            return\n",
    ),
    Bite(
        "a command does not re-arm all",
        LIFECYCLE,
        "        self.breaker.close()\n        self.counts.reconnect_attempts = 0\n",
        "        self.counts.reconnect_attempts = 0\n",
    ),
    Bite(
        "dropped for what nobody looked at",
        LIFECYCLE,
        "            self.heartbeat.start_anew()\n            self._send_heartbeat(now)\n",
        "            self.heartbeat.start_anew()\n",
    ),
    Bite(
        "given up though nobody looked",
        LIFECYCLE,
        "elif late and now >= self._open_deadline:",
        "elif False:",
    ),
    Bite(
        "no heartbeat is due in its time",
        HEARTBEAT,
        "return self._sent_at + (self._interval if self._proven",
        "return self._sent_at + (2 * self._interval if self._proven",
    ),
    Bite(
        "a change is told that is none",
        LIFECYCLE,
        "        if state == self.state:\n            return\n",
        "",
    ),
    Bite(
        "a change is told without its reason",
        LIFECYCLE,
        'self._change("reconnecting", words)',
        'self._change("reconnecting", None)',
    ),
    Bite(
        "a change is not told",
        LIFECYCLE,
        "old, self.state = self.state, state\n",
        'old, self.state = self.state, state\n        if state == "failed":\n            return\n',
    ),
    Bite(
        "no way back to stable",
        LIFECYCLE,
        "        self._lost = None\n        self._wait_until",
        "        self._wait_until",
    ),
)


@pytest.mark.parametrize("options", OPTIONS)
def test_in_every_state_all_that_can_happen_does_what_it_should(options: str) -> None:
    visit = Visit(OPTIONS[options])
    visit.run()
    assert visit.findings == []
    # They are all of them, and not a few because something ended early.
    assert len(visit.states) > 400
    assert visit.steps > 10_000


def test_each_of_the_faults_can_be_put_in() -> None:
    assert still_fit(BITES)


@pytest.mark.parametrize("bite", chosen(BITES), ids=lambda bite: bite.finding)
def test_each_of_its_checks_finds_the_fault_that_is_meant_for_it(bite: Bite, tmp_path: Path) -> None:
    told = bitten(bite, tmp_path, "tests.channels.every_state")
    assert f"FOUND {bite.finding}" in told, told
