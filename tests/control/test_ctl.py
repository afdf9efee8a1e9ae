"""The shell commands, as processes, on a running engine and on none."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.control.conftest import ctl, environment, serving
from tests.engine.conftest import connection, eventually, state_of
from tests.pace import processor_seconds
from tui.channels.errors import ReplyError
from tui.channels.health import ConnectionDetails, HealthMetrics
from tui.channels.wire import Reply
from tui.cli.ctl import main as command
from tui.cli.ctl.words import LINE_COLUMNS, short_line
from tui.connections.connection import MAX_REPLY, result_of
from tui.demo.hub import Hub
from tui.model.snapshot import ChannelSnapshot, CommandResult, ConnectionSnapshot, Snapshot, Trouble
from tui.text.printable import columns


async def test_every_command_in_text_and_json(hub: Hub, folder: Path) -> None:
    stage = connection("stage", hub.url, "stream:overlays")
    with serving(folder, stage, connection("events", hub.url)) as run:
        for name in ("stage", "events"):
            await eventually(lambda name=name: state_of(run.engine, name) == "connected", "connected")
        await eventually(lambda: run.engine.snapshot().connections[0].channels[0].joins, "joined")

        status = await ctl(folder, "status")
        assert (status.status, status.err) == (0, "")
        first, *rest = status.out.splitlines()
        assert first.startswith(f"● 2/2 up   engine {os.getpid()}, version ")
        assert rest[0].startswith("● events  connected")
        assert rest[1].startswith("● stage   connected         1/1")
        report = json.loads((await ctl(folder, "--json", "status")).out)
        assert report["engine"]["pid"] == os.getpid()
        assert [each["name"] for each in report["connections"]] == ["stage", "events"]
        assert report["connections"][0]["channels"] == {"stream:overlays": "joined"}
        assert report["connections"][0]["metrics"]["connectionState"] == "connected"

        metrics = json.loads((await ctl(folder, "metrics", "stage", "--json")).out)
        assert metrics == run.engine.snapshot().connections[0].metrics.to_camel() | {
            "lastHeartbeat": metrics["lastHeartbeat"]
        }
        assert set(json.loads((await ctl(folder, "metrics", "--json")).out)) == {"stage", "events"}
        text = (await ctl(folder, "metrics")).out
        assert "stage\n  connectionState       connected\n" in text
        assert "\n\nevents\n" in text
        unknown = await ctl(folder, "metrics", "nope")
        assert (unknown.status, unknown.out) == (1, "")
        assert unknown.err == "overlayctl: no connection nope; there are: stage, events\n"

        assert (await ctl(folder, "state", "stage")).out == "connected\n"
        assert json.loads((await ctl(folder, "state", "--json")).out) == {
            "stage": "connected",
            "events": "connected",
        }
        assert (await ctl(folder, "state")).out == "stage   connected\nevents  connected\n"
        assert (await ctl(folder, "state", "nope")).status == 1

        gone = await ctl(folder, "disconnect", "stage")
        assert (gone.status, gone.out) == (0, "stage: disconnected until you connect it\n")
        await eventually(lambda: state_of(run.engine, "stage") == "disconnected", "disconnected")
        assert (await ctl(folder, "line")).out == "○ 1 disconnected stage 1/2\n"
        refused = await ctl(folder, "push", "stage", "stream:overlays", "ping", "--json")
        assert refused.status == 1
        assert json.loads(refused.out)["ok"] is False
        back = await ctl(folder, "--json", "connect", "--all")
        assert json.loads(back.out) == {"ok": True, "message": "all 2: connecting"}
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected again")
        await eventually(lambda: run.engine.snapshot().connections[0].channels[0].joins == 2, "joined again")
        assert (await ctl(folder, "reconnect", "events")).status == 0
        pushed = await ctl(folder, "push", "stage", "stream:overlays", "ping", '{"a":1}')
        assert pushed.status == 0
        assert "pong" in pushed.out
        reload = await ctl(folder, "reload")
        assert (reload.status, reload.out) == (1, "")
        assert "read anew" in reload.err
        assert (await ctl(folder, "logs")).out == f"{folder}/overlay-supervisor.log\n"


async def test_reload_says_what_it_did(folder: Path) -> None:
    def reload() -> CommandResult:
        return CommandResult(ok=True, message="1 added\n\x1b[31m2 changed")

    with serving(folder, reload=reload):
        done = await ctl(folder, "reload")
        assert (done.status, done.out) == (0, "1 added\n␛[31m2 changed\n")


async def test_watch_prints_changes_until_interrupted(hub: Hub, folder: Path) -> None:
    with serving(folder, connection("stage", hub.url)) as run:
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected")
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tui.cli.ctl.main", "watch", *more,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(folder),
            )
            for more in ((), ("--json",))
        ]  # fmt: skip
        await eventually(lambda: len(run.server._watchers) == 2, "watching")
        await run.engine.disconnect("stage")
        text, line = [
            await asyncio.wait_for(process.stdout.readline(), 10) for process in processes if process.stdout
        ]
        assert text.decode().endswith(" stage disconnected, was connected\n")
        event = json.loads(line)
        assert event.pop("timestamp") == pytest.approx(time.time(), abs=20)
        assert event == {
            "type": "state",
            "connection": "stage",
            "oldState": "connected",
            "newState": "disconnected",
            "error": None,
        }
        processes[0].send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(processes[0].communicate(), 10)
        assert (processes[0].returncode, out, err) == (130, b"", b"")
        run.server.close(5)
        _, err = await asyncio.wait_for(processes[1].communicate(), 10)
        assert processes[1].returncode == 1
        assert err == b"overlayctl: the engine went away\n"


async def test_a_closed_pipe_ends_quietly(hub: Hub, folder: Path) -> None:
    with serving(folder, connection("stage", hub.url)) as run:
        await eventually(lambda: state_of(run.engine, "stage") == "connected", "connected")
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{sys.executable} -m tui.cli.ctl.main watch | head -n 1",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(folder),
        )  # fmt: skip
        await eventually(lambda: run.server._watchers, "watching")

        async def change() -> None:
            # Two changes may be written before head has ended: only what comes later finds the pipe closed.
            while True:
                await run.engine.disconnect("stage")
                await run.engine.connect("stage")
                await asyncio.sleep(0.05)

        changing = asyncio.create_task(change())
        out, err = await asyncio.wait_for(process.communicate(), 10)
        changing.cancel()
        assert out.count(b"\n") == 1
        assert err == b""


async def test_without_an_engine(folder: Path) -> None:
    for arguments in (["status"], ["metrics"], ["reconnect", "--all"], ["watch"], ["reload"]):
        ran = await ctl(folder, *arguments)
        assert (ran.status, ran.out) == (3, "")
        hint = "start one with: overlay-supervisor run"
        assert ran.err == f"overlayctl: no engine is running in {folder}: {hint}\n"
    line = await ctl(folder, "line")
    assert (line.status, line.out, line.err) == (3, "○ no engine\n", "")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "control.sock"))
    stale = await ctl(folder, "status")
    assert stale.status == 3
    assert "its socket was left behind" in stale.err
    assert (await ctl(folder, "line")).out == "○ no engine\n"
    long = await ctl(folder, "status", "--socket", f"/tmp/{'s' * 200}")
    assert long.status == 1
    assert "205 bytes, 107 are allowed" in long.err
    assert (await ctl(folder, "line", "--socket", f"/tmp/{'s' * 200}")).out.count("\n") == 1


async def test_an_engine_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "control.sock"))
        listening.listen()
        began = time.monotonic()
        line = await ctl(folder, "line")
        assert (line.status, line.out) == (1, "? engine does not answer\n")
        assert time.monotonic() - began < 5


async def test_usage_mistakes(folder: Path) -> None:
    for arguments in (
        [],
        ["explode"],
        ["connect"],
        ["connect", "stage", "--all"],
        ["push", "stage", "topic", "event", "{"],
        ["logs", "-n", "0"],
    ):
        ran = await ctl(folder, *arguments)
        assert ran.status == 2, arguments
        assert ran.out == ""


async def test_the_socket_may_be_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "elsewhere" / "s"
    with serving(folder, path=path):
        assert (await ctl(folder, "line", "--socket", str(path))).out == "? no connections\n"
        assert (await ctl(folder, "line")).status == 3
        monkeypatch.setenv("OVERLAY_SUPERVISOR_SOCKET", str(path))
        monkeypatch.setenv("OVERLAY_SUPERVISOR_STATE", "/nonexistent")
        assert command.main(["line"]) == 0


async def test_the_end_of_the_log(folder: Path) -> None:
    path = folder / "overlay-supervisor.log"
    missing = await ctl(folder, "logs", "-n", "3")
    assert missing.status == 1
    assert "No such file" in missing.err

    def line(number: int, **more: object) -> str:
        record = {"timestamp": time.time(), "level": "warning", "message": f"line {number} \x1b[2J", **more}
        return json.dumps(record) + "\n"

    path.write_text(line(3) + line(4, connection="stage", traceback="Trace\n  boom") + "half of a l")
    path.with_name(path.name + ".1").write_text(line(1) + line(2))
    ran = await ctl(folder, "logs", "-n", "4")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0].endswith(" warning line 2 ␛[2J")
    assert lines[2].endswith(" warning stage: line 4 ␛[2J")
    assert lines[3:] == ["    Trace", "      boom", "half of a l"]
    as_json = (await ctl(folder, "logs", "-n", "2", "--json")).out.splitlines()
    assert json.loads(as_json[0])["connection"] == "stage"


def test_nothing_heavy_is_imported_and_it_is_quick(folder: Path) -> None:
    code = (
        "import sys; sys.argv = ['overlayctl', 'line']; from tui.cli.ctl.main import main; status = main();"
        "heavy = ['asyncio', 'textual', 'pydantic', 'websockets', 'tui.channels.socket', 'ssl'];"
        "heavy += ['csv', 'tui.engine.supervisor'];"
        "print([each for each in heavy if each in sys.modules], status)"
    )
    with serving(folder):
        process = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment(folder), check=True
        )
        assert process.stdout == "? no connections\n[] 0\n"
        status = (sys.executable, "-m", "tui.cli.ctl.main", "status")
        best = min(processor_seconds(status, environment(folder)) for _ in range(5))
        # Of the processor, which others can take away but not use up; alone it takes less than a tenth.
        assert best < 0.5


# The line -----------------------------------------------------------------------------------------


def shown(*connections: ConnectionSnapshot, **more: object) -> str:
    snapshot = Snapshot(sequence=1, taken_at=1000.0, started_at=0.0, connections=connections)
    snapshot = msgspec.structs.replace(snapshot, **more)
    line = short_line(msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot), 1001.0)
    assert "\n" not in line
    assert columns(line) <= LINE_COLUMNS
    return line


def one(name: str, state: str = "connected", **more: object) -> ConnectionSnapshot:
    metrics = HealthMetrics(connection_state=state)  # type: ignore[arg-type]  # every state by its name
    plain = ConnectionSnapshot(
        name=name, label=name, address="h:1", metrics=metrics, details=ConnectionDetails()
    )
    return msgspec.structs.replace(plain, **more)


def test_the_line_tells_the_worst() -> None:
    assert shown(one("a"), one("b")) == "● 2/2 up"
    assert shown() == "? no connections"
    assert shown(one("a"), one("phononmaser_in", "failed")) == "✗ 1 down phononmaser_in 1/2"
    assert shown(one("a", "failed"), one("b", "reconnecting"), one("c", "failed")) == "✗ 2 down a c 0/3"
    assert shown(one("a"), one("b", "reconnecting")) == "◐ 1 reconnecting b 1/2"
    assert shown(one("a", "disconnected"), one("b")) == "○ 1 disconnected a 1/2"
    channels = (ChannelSnapshot(topic="t", state="joined"), ChannelSnapshot(topic="u"))
    assert shown(one("a", channels=channels)) == "◐ 1 channel not joined a 1/1"
    probing = Trouble(state="failed", circuit_open=True, message="breaker", since=0.0, state_since=0.0)
    assert shown(one("a", "connecting", trouble=probing)) == "✗ 1 down a 0/1"
    assert shown(one("a"), taken_at=990.0).startswith("? engine silent since ")
    assert shown(one("a"), stopped="it was\nasked to") == "? engine stopped: it was␊asked to"


def test_the_line_stays_within_its_columns() -> None:
    many = [one(f"connection_{number}", "failed") for number in range(40)]
    line = shown(*many)
    assert line.startswith("✗ 40 down connection_0 connection_1 ")
    assert line.endswith("… 0/40")
    shown(one("宽" * 100, "failed"), one("\x1b[2J\n", "failed"))
    shown(one("a"), stopped="x" * 500)


# What a push was answered -------------------------------------------------------------------------


async def test_a_reply_is_whole_to_a_pipe_json_with_json_and_cut_on_a_terminal(
    hub: Hub, folder: Path
) -> None:
    sent = {"n": [2**63, 1e300, 0.1, -0.0], "text": "\u2028\x9b\u202e日" + "x" * 5000}
    with serving(folder, connection("stage", hub.url, "echo:1")) as run:
        await eventually(lambda: run.engine.snapshot().connections[0].channels[0].joins, "joined")
        push = ("push", "stage", "echo:1", "echo", json.dumps(sent))
        plain = await ctl(folder, *push)
        assert (plain.status, plain.err) == (0, "")
        assert json.loads(plain.out) == sent
        assert plain.out.isascii()
        as_json = json.loads((await ctl(folder, *push, "--json")).out)
        assert as_json["ok"] is True
        assert as_json["reply"] == sent

        reader, writer = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui.cli.ctl.main", *push),
            stdout=writer,
            stderr=asyncio.subprocess.PIPE,
            env=environment(folder),
        )
        _, told = await asyncio.wait_for(process.communicate(), 20)
        os.close(writer)
        shown = os.read(reader, 65536).decode()
        os.close(reader)
        assert len(shown.strip()) == 1000
        assert shown.strip().endswith("…")
        size = len(msgspec.json.encode(sent).decode())
        assert told.decode() == f"(the first 1000 of {size} characters; all of them to a pipe or a file)\n"


def test_a_reply_that_is_too_long_to_be_passed_on_says_so() -> None:
    short = result_of(Reply("ok", b'"' + b"x" * MAX_REPLY + b'"'))
    assert short.reply is None
    assert short.message.startswith(
        f'the reply has {MAX_REPLY + 2} bytes, more than {MAX_REPLY}; it begins: "x'
    )
    long = result_of(Reply("ok", b'"' + b"x" * 70_000 + b'"'))
    assert long.message.endswith("x… (the first 65536 of 70002 characters)")
    assert len(long.reply or "") == 70_002


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b'{"a":null,"b":[true,"\\u00e9"]}', '{"a":null,"b":[true,"é"]}'),
        (b"[1.5]", "[1.5]"),
        (b"null", "null"),
    ],
)
def test_a_refusal_is_told_as_json_and_not_as_python_has_it(response: bytes, words: str) -> None:
    assert str(ReplyError("push of x", Reply("error", response))) == f"push of x: error: {words}"
