"""The shell commands for the alert queue, against an engine that keeps what it was asked."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.control.conftest import serving, wait_until
from tests.control.queue_engine import HOSTILE, QueueEngine, alert, ended, serving_queue
from tests.scripted_engine import connection
from tui.alerts.options import AlertOptions
from tui.cli.ctl.shell import COLUMNS
from tui.cli.ctl.words import LINE_COLUMNS
from tui.model.alerts import AlertCommand, AlertContent, AlertsSnapshot, OverlayPage, SourceAway
from tui.model.snapshot import ChannelSnapshot, CommandResult
from tui.text.formats import time_of_day
from tui.text.printable import columns


def queue(**changes: Any) -> AlertsSnapshot:
    values: dict[str, Any] = {
        "mode": "paused",
        "waiting": (alert(1, who=HOSTILE), alert(2, type="sub", priority=5, count=3), alert(3, held=True)),
        "playing": alert(4, state="playing", phase="on air", ends_at=time.time() + 5),
        "recent": (ended(5), SourceAway(source="stage", since=1.0, until=2.0), ended(6)),
        "accepted": 6,
        "restored": 2,
        "counts": {"raid": {"shown": 2}},
        "delivers_to": "stage stream:overlays",
    }
    return AlertsSnapshot(**values | changes)


def test_the_queue_in_words(folder: Path, run: Any) -> None:
    until = time.time() + 600
    engine = QueueEngine(
        queue(
            mutes={"follow": until},
            away=(SourceAway(source="stage", since=until),),
            overlays=(OverlayPage(name="main", connected=False, reported_at=until),),
            store="disk full",
            unsaved=1,
            rules="rules.toml:3: " + "x" * 300,
            warning="the hub runs a queue of its own",
            unmapped={"hype_train\x1b": 12, "event:poll.begin": 1},
        )
    )
    with serving_queue(folder, engine):
        ran = run("alerts")
        counts = run("alerts", "counts")
        assert run("alerts", "list") == ran
        as_json = json.loads(run("alerts", "--json").out)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "paused   3 of 50 waiting   6 accepted, 2 taken up again   to stage stream:overlays"
    assert lines[1].startswith(" playing  p8   raid  viewer_4              on air until ")
    assert lines[1].endswith(", unconfirmed; viewer_4 raids with 20")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert lines[2].startswith("       1  p8   raid  ␛[31m=cmd|'/C calc'…  viewer_1 raids")
    assert lines[3].endswith("viewer_2 raids with 20 \N{MULTIPLICATION SIGN}3")
    assert "in memory alone; viewer_3 raids" in lines[4]
    moment = time_of_day(until, time.time())
    said = time_of_day(engine.queue.overlays[0].reported_at, time.time())
    assert lines[5:10] == [
        f"   muted  follow until {moment}",
        f"overlays  main away; the hub said so at {said}",
        f"    away  stage since {moment}: alerts in it are not seen",
        "unmapped  hype_train␛ \N{MULTIPLICATION SIGN}12, event:poll.begin \N{MULTIPLICATION SIGN}1",
        " warning  the store: disk full; 1 alert in memory alone",
    ]
    assert (
        "no source maps: hype_train␛ \N{MULTIPLICATION SIGN}12, event:poll.begin \N{MULTIPLICATION SIGN}1"
        in counts.out
    )
    assert as_json["unmapped"] == engine.queue.unmapped
    assert lines[11] == " warning  the hub runs a queue of its own"
    assert lines[10] == f" warning  the rules: rules.toml:3: {'x' * 300}", "what is wrong is told whole"
    assert all(columns(line) <= COLUMNS for line in lines if line is not lines[10])
    assert as_json["mutes"] == {"follow": until}
    assert as_json["deliversTo"] == "stage stream:overlays"
    assert [each["id"] for each in as_json["waiting"]] == [each.id for each in engine.queue.waiting]
    assert [each["kind"] for each in as_json["recent"]] == ["alert", "away", "alert"]


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["pause"], AlertCommand(verb="pause")),
        (["resume"], AlertCommand(verb="resume")),
        (["hold", "90"], AlertCommand(verb="hold", seconds=90)),
        (["skip"], AlertCommand(verb="skip")),
        (["remove", "3"], AlertCommand(verb="remove", id=alert(3).id)),
        (["remove", "01kb3x0004"], AlertCommand(verb="remove", id=alert(4).id)),
        (["move", "01kb3x0002", "1"], AlertCommand(verb="move", id=alert(2).id, position=1)),
        (["requeue", alert(5).id], AlertCommand(verb="requeue", id=alert(5).id)),
        (["requeue", "of_another_day"], AlertCommand(verb="requeue", id="of_another_day")),
        (["clear", "sub"], AlertCommand(verb="clear", type="sub")),
        (["clear", "--all"], AlertCommand(verb="clear", type=None)),
        (["mute", "follow", "1.5"], AlertCommand(verb="mute", type="follow", seconds=90)),
        (["mute", "follow", "0"], AlertCommand(verb="mute", type="follow", seconds=0)),
        (["mute", "folow", "5", "--force"], AlertCommand(verb="mute", type="folow", seconds=300, force=True)),
        (["panic"], AlertCommand(verb="panic")),
        (["undo"], AlertCommand(verb="undo")),
        (["test", "raid", "--count", "500"], AlertCommand(verb="test", type="raid", count=500)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_reach_the_queue(
    folder: Path, run: Any, arguments: list[str], command: AlertCommand
) -> None:
    engine = QueueEngine(queue())
    with serving_queue(folder, engine):
        engine.answer = CommandResult(ok=True, message="done\x07")
        done = run("alerts", *arguments)
        engine.answer = CommandResult(ok=False, message="nothing is playing")
        refused = run("--json", "alerts", *arguments)
    assert engine.commands == [command, command]
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("done␇\n")
    assert refused.status == 1
    assert json.loads(refused.out)["message"] == "nothing is playing"


def test_the_answer_says_which_alert_was_meant(folder: Path, run: Any) -> None:
    engine = QueueEngine(queue())
    with serving_queue(folder, engine):
        named = f"{alert(3).id}, raid of viewer_3\n"
        assert run("alerts", "remove", "3").out == f"3 is {named}done\n"
        assert run("alerts", "remove", "01kb3x0003").out == f"01kb3x0003 is {named}done\n"
        assert run("alerts", "remove", alert(3).id).out == "done\n"
        assert json.loads(run("alerts", "remove", "3", "--json").out)["alert"]["known"]["who"] == "viewer_3"
        engine.answer = CommandResult(ok=False, message="no such alert waits")
        refused = run("alerts", "move", "3", "1")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == f"overlayctl: 3 is {named}overlayctl: no such alert waits\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["remove", "4"], "no alert waits in place 4; 3 wait"),
        (["move", "0", "1"], "no alert waits in place 0"),
        (["requeue", "1"], "what ended is named by its id"),
        (["remove", "01kb3x"], "01kb3x may be any of 4 alerts: 01kb3x0001"),
        (["remove", "01k"], "at least 4 characters"),
    ],
)
def test_what_may_mean_several_does_nothing(folder: Path, run: Any, arguments: list[str], words: str) -> None:
    engine = QueueEngine(queue())
    with serving_queue(folder, engine):
        ran = run("alerts", *arguments)
    assert (ran.status, ran.out) == (1, "")
    assert words in ran.err
    assert engine.commands == []


def test_history_counts_and_one_alert(folder: Path, run: Any) -> None:
    away = SourceAway(source="stage", since=time.time() - 90, until=time.time() - 60)
    engine = QueueEngine(queue(), (ended(5, reason="sent;\x1b no"), away, ended(6)))
    engine.contents[alert(1).id] = AlertContent(
        alert=alert(1, who=HOSTILE), payload='{"a":"\\u001b[2J\\u2028x","b":[1]}', source_id="4711"
    )
    with serving_queue(folder, engine):
        ran = run("alerts", "history", "--type", "raid", "--outcome", "shown", "--limit", "2")
        assert engine.pages == [{"before": None, "limit": 2, "type": "raid", "outcome": "shown", "words": ()}]
        first, second = ran.out.splitlines()
        assert f"{ended(5).id}  shown        raid  viewer_5  sent;␛ no; viewer_5 raids" in first
        assert second.endswith(": alerts in it not seen")
        kinds = [each["kind"] for each in json.loads(run("alerts", "history", "--json").out)]
        assert kinds == ["alert", "away", "alert"]

        shown = run("alerts", "show", "1")
        assert shown.status == 0
        assert "  source        stage stream:events, 4711\n" in shown.out
        assert shown.out.endswith(
            '  payload\n    {\n      "a": "\\u001b[2J\\u2028x",\n      "b": [\n        1\n      ]\n    }\n'
        )
        assert "\x1b" not in shown.out
        assert json.loads(run("alerts", "show", "1", "--json").out)["sourceId"] == "4711"
        unknown = run("alerts", "show", "01kb3x0006")
        assert (unknown.status, unknown.err) == (1, f"overlayctl: no alert {ended(6).id}\n")

        counts = run("alerts", "counts").out.splitlines()
        assert counts[0].startswith("since the start: 6 accepted, 2 taken up again, 3 waiting, 1 playing;")
        assert counts[1:] == [
            "  raid               2  2 shown",
            "last 24 hours:",
            "  raid               3  2 shown, 1 skipped",
        ]
        engine.history_refused = CommandResult(ok=False, message="disk full")
        assert "last 24 hours: disk full\n" in run("alerts", "counts").out
        assert json.loads(run("alerts", "counts", "--json").out)["last24Hours"] is None
        for arguments in (["history"], ["export"], ["export", "--format", "csv"]):
            refused = run("alerts", *arguments)
            assert (refused.status, refused.out, refused.err) == (1, "", "overlayctl: disk full\n")


def test_the_history_is_searched_for_words(folder: Path, run: Any) -> None:
    engine = QueueEngine(queue(), (ended(1),))
    with serving_queue(folder, engine):
        assert run("alerts", "history", "--type", "raid", "Mira", "raids").status == 0
        assert engine.pages[-1]["type"] == "raid"
        assert engine.pages[-1]["words"] == ("Mira", "raids")


def test_the_export_is_whole_and_harmless(folder: Path, run: Any) -> None:
    away = SourceAway(source="@stage", since=0.0)
    texts = ("=1+1", "+1", "-1", "@a", " =1", "\t=1", 'a,"b"\r\n=c', "plain - text")
    known = (*(ended(number, title=text) for number, text in enumerate(texts)), away)
    engine = QueueEngine(queue(), (*known, *(ended(number) for number in range(100, 1200))))
    with serving_queue(folder, engine):
        lines = run("alerts", "export").out.splitlines()
        assert [json.loads(line).get("id") for line in lines] == [
            getattr(each, "id", None) for each in engine.ended
        ]
        assert [page["limit"] for page in engine.pages] == [500, 500, 500]
        engine.pages.clear()
        assert len(run("alerts", "export", "--json", "--limit", "501").out.splitlines()) == 501
        assert [page["limit"] for page in engine.pages] == [500, 1]
        text = run("alerts", "export", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(engine.ended)
    titles = [row["title"] for row in rows[: len(texts)]]
    assert titles == ["'=1+1", "'+1", "'-1", "'@a", "' =1", "␉=1", 'a,"b"␍␊=c', "plain - text"]
    assert rows[len(texts)]["kind"] == "away"
    assert rows[len(texts)]["source"] == "'@stage"
    assert rows[len(texts)]["accepted_at"] == "1970-01-01T00:00:00.000+00:00"


def test_usage_mistakes_reach_nobody(folder: Path, run: Any) -> None:
    engine = QueueEngine(queue())
    with serving_queue(folder, engine):
        for arguments in (
            ["explode"],
            ["clear"],
            ["clear", "sub", "--all"],
            ["hold"],
            ["hold", "nan"],
            ["hold", "90000"],
            ["mute", "follow"],
            ["mute", "follow", "-1"],
            ["move", "1", "0"],
            ["remove"],
            ["test", "raid", "--count", "501"],
            ["history", "--outcome", "lost"],
            ["history", "--limit", "0"],
            ["export", "--format", "csv", "--json"],
        ):
            assert run("alerts", *arguments).status == 2, arguments
    assert engine.commands == engine.pages == []


def test_what_is_not_the_present_is_not_told(folder: Path, run: Any) -> None:
    assert run("alerts").status == 3
    engine = QueueEngine(None)
    with serving_queue(folder, engine):
        assert "no alert queue is set up" in run("alerts").err
        engine.queue = queue()
        engine.silent_since = time.time() - 60
        for arguments in ([], ["counts"], ["remove", "1"]):
            ran = run("alerts", *arguments)
            assert (ran.status, ran.out) == (1, "")
            assert "engine silent since" in ran.err
    assert engine.commands == []


def test_status_and_line_tell_what_is_off(folder: Path, run: Any) -> None:
    engine = QueueEngine(queue(mode="playing", message="playing"))
    with serving_queue(folder, engine):
        assert run("line").out == "● 1/1 up\n"
        assert "alerts" not in run("status").out
        until = time.time() + 90
        held = f"held until {time_of_day(until, time.time())}"
        away = "waiting for overlays"
        for changes, line, words in (
            ({"mode": "paused"}, "alerts paused", "paused; 3 waiting"),
            ({"mode": "held", "held_until": until}, "alerts held", f"{held}; 3 waiting"),
            (
                {"mode": away, "message": "not\njoined"},
                "alerts wait",
                f"{away}: not␊joined; 3 waiting",
            ),
            (
                {"mode": "idle", "store": "locked", "store_fails": True},
                "alert store fails",
                "the store: locked; 3 waiting",
            ),
            (
                {"mode": "paused", "store": "x" * 500, "store_fails": True},
                "alerts paused, store fails",
                f"paused; the store: {'x' * 80}",
            ),
        ):
            engine.queue = queue(**changes)
            assert run("line").out == f"● 1/1 up, {line}\n"
            row = run("status").out.splitlines()[1]
            assert row.startswith(f"alerts: {words}")
            assert columns(row) <= COLUMNS
        report = json.loads(run("status", "--json").out)["alerts"]
        assert (report["mode"], report["waiting"]) == ("paused", 3)
        engine.connections = (connection("s" * 60, channels=(ChannelSnapshot(topic="t"),)),)
        line = run("line").out
        assert line.endswith("… 1/1, alerts paused, store fails\n")
        assert columns(line) - 1 <= LINE_COLUMNS


async def test_on_a_queue_that_runs(folder: Path, run: Any) -> None:
    def waiting() -> list[str]:
        return [each["id"] for each in json.loads(run("alerts", "--json").out)["waiting"]]

    with serving(folder, alerts=AlertOptions()):
        assert run("alerts", "pause").status == 0
        assert run("alerts", "test", "raid", "--count", "3").status == 0
        wait_until(lambda: len(waiting()) == 3, "three wait")
        first, second, third = waiting()
        assert run("alerts", "move", "3", "1").status == 0
        wait_until(lambda: waiting() == [third, first, second], "moved")
        gone = run("alerts", "remove", first)
        assert gone.status == 0
        wait_until(lambda: waiting() == [third, second], "removed")
        assert first in run("alerts", "show", first[:18]).out
        assert run("alerts", "undo").status == 0
        wait_until(lambda: waiting() == [third, first, second], "back in its place")
        assert run("alerts", "clear", "sub").status == 1
        assert run("alerts", "clear", "--all").status == 0
        wait_until(lambda: waiting() == [], "cleared")
        assert run("alerts", "requeue", second).status == 0
        wait_until(lambda: len(waiting()) == 1, "requeued")
