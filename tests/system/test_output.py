"""Every command prints in every locale and to every kind of output, and nothing that a terminal obeys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.control.queue_engine import QueueEngine, alert, ended, serving_queue
from tests.scripted_engine import connection, evening_incidents, incident, service
from tui.model.alerts import AlertContent, AlertsSnapshot
from tui.model.incidents import TimelineEntry
from tui.model.services import ServicesSnapshot
from tui.model.snapshot import CommandResult
from tui.store.journal import Entry, Journal
from tui.system import output
from tui.text.json_text import json_text
from tui.text.printable import ascii_only, obeyed_by_none, printable

ROOT = Path(__file__).parents[2]
HOSTILE = "日本 é \x1b[31m\x9b31m\x85\u2028\u202e\u2066 ✗…\x7f"
"""What no locale but UTF-8 can write, and what a terminal would obey."""

LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "unknown": {"LC_ALL": "xx_YY", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "ISO-8859-1": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "iso-8859-1"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "UTF-16": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-16:strict"},
}
ENCODINGS = {"C": "ascii", "unknown": "ascii", "ISO-8859-1": "latin-1", "UTF-8": "utf-8", "UTF-16": "utf-16"}
KINDS = ("pipe", "file", "terminal", "full", "closed", "gone")

SUPERVISOR, CONTROL = "overlay-supervisor", "overlayctl"
ASKED = (
    ["status"],
    ["metrics"],
    ["state"],
    ["line"],
    ["logs", "-n", "5"],
    ["alerts"],
    ["alerts", "history"],
    ["alerts", "show", "1"],
    ["alerts", "counts"],
    ["alerts", "export"],
    ["incidents"],
    ["incidents", "show", "i-7"],
    ["services"],
    ["push", "stage", "room:1", "ping", '{"a":1}'],
)
COMMANDS: tuple[tuple[str, list[str], int], ...] = (
    *((CONTROL, words, 0) for words in ASKED),
    *((CONTROL, [*words, "--json"], 0) for words in ASKED),
    (CONTROL, ["alerts", "export", "--format", "csv"], 0),
    (CONTROL, ["metrics", "--openmetrics"], 0),
    (CONTROL, ["logs"], 0),
    (CONTROL, ["reload"], 1),
    (CONTROL, ["--help"], 0),
    (CONTROL, ["alerts", "show", HOSTILE.replace("\x1b", "")], 1),
    (SUPERVISOR, ["--version"], 0),
    (SUPERVISOR, ["run", "--help"], 0),
    (SUPERVISOR, ["config", "show"], 0),
    (SUPERVISOR, ["config", "check"], 0),
    (SUPERVISOR, ["config", "path"], 0),
    (SUPERVISOR, ["journal"], 0),
    (SUPERVISOR, ["journal", "--json"], 0),
    (SUPERVISOR, ["journal", "--connection", HOSTILE], 1),
    (SUPERVISOR, ["check", "--timeout", "5"], 2),
    (SUPERVISOR, ["check", "--running"], 2),
    (SUPERVISOR, ["check", "--running", "--nonsense=" + HOSTILE], 3),
)
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Place(NamedTuple):
    folder: Path
    environ: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running engine, a journal, a log and settings that are hostile all through."""
    folder = tmp_path_factory.mktemp("o")
    keys = ["x" * 20, HOSTILE]
    engine = QueueEngine(
        AlertsSnapshot(
            mode="paused",
            message=HOSTILE,
            waiting=(alert(1, who=HOSTILE, title=HOSTILE, type=HOSTILE),),
            recent=(ended(5),),
            warning=HOSTILE,
            counts={HOSTILE: {"shown": 2}},
            delivers_to=HOSTILE,
        ),
        (ended(5, who=HOSTILE, message=HOSTILE * 60, reason=HOSTILE), ended(6)),
    )
    stage = connection("stage")
    stage = msgspec.structs.replace(
        stage, details=msgspec.structs.replace(stage.details, reason=HOSTILE, last_close_reason=HOSTILE)
    )
    engine.connections = (stage, connection("events", metrics={"connection_state": "failed"}))
    engine.contents[alert(1).id] = AlertContent(
        alert=alert(1, who=HOSTILE), payload=json.dumps(dict.fromkeys(keys, HOSTILE)), source_id=HOSTILE
    )
    incidents = evening_incidents()
    wrong = incident("i-7", message=HOSTILE, subject=HOSTILE)
    engine.incidents = msgspec.structs.replace(incidents, open=(wrong, *incidents.open[1:]), command=HOSTILE)
    engine.timelines["i-7"] = (
        TimelineEntry(timestamp=time.time(), kind="state", subject=HOSTILE, text=HOSTILE),
    )
    engine.services = ServicesSnapshot(services=(service(HOSTILE, message=HOSTILE, host=HOSTILE),))
    engine.answer = CommandResult(ok=True, message=HOSTILE, reply=json.dumps(HOSTILE, ensure_ascii=False))
    journal = Journal(folder)
    journal.add(Entry(timestamp=time.time(), kind="state", text=HOSTILE, connection="stage"))
    assert journal.close(10)
    (folder / "overlay-supervisor.log").write_text(
        f'{{"timestamp":1.0,"level":"info","message":{json_text(HOSTILE)}}}\n' + HOSTILE
    )
    settings = folder / "é.toml"
    settings.write_text(
        '[connections.hub]\nurl = "ws://127.0.0.1:9"\nlabel = "日本"\n'
        'topics = ["room:日本", { topic = "a", params = { "\\u009b日" = "x" } }]\n'
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OVERLAY_", "LC_"))}
    environ |= {
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "OVERLAY_SUPERVISOR_STATE": str(folder),
        "OVERLAY_SUPERVISOR_CONFIG": str(settings),
    }
    with serving_queue(folder, engine):
        yield Place(folder, environ)


def run_all(place: Place, locale: str, asked: list[tuple[str, str, list[str]]]) -> list[tuple[int, str, str]]:
    """Run commands in a locale; the status, output and errors of each, decoded as they were encoded."""
    answers = place.folder / "answers.json"
    subprocess.run(
        [sys.executable, "-m", "tests.every_output", answers],
        input=json.dumps(asked).encode(),
        env={**place.environ, **LOCALES[locale]},
        timeout=100,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(answers.read_text())
    encoding = ENCODINGS[locale]
    return [
        # OpenMetrics is UTF-8 by its own rules.
        (
            status,
            _decoded(out, "utf-8" if words[-1] == "--openmetrics" else encoding),
            _decoded(err, encoding),
        )
        for (status, out, err), (_, _, words) in zip(found, asked, strict=True)
    ]


def _decoded(text: str, encoding: str) -> str:
    return text.encode("latin-1").decode(encoding)


@pytest.fixture(scope="module")
def plain(place: Place) -> list[tuple[int, str, str]]:
    """The same in a locale that lacks nothing, into a file."""
    return run_all(place, "UTF-8", [("file", command, words) for command, words, _ in COMMANDS])


@pytest.mark.parametrize("locale", LOCALES)
def test_every_command_prints_in_every_locale_what_no_terminal_obeys(
    place: Place, plain: list[tuple[int, str, str]], locale: str
) -> None:
    found = run_all(place, locale, [("pipe", command, words) for command, words, _ in COMMANDS])
    for (_, words, expected), (status, out, err), (_, reference, _) in zip(
        COMMANDS, found, plain, strict=True
    ):
        assert "Traceback" not in err, (words, err)
        assert status == expected, (words, status, err)
        assert not OBEYED.search(out + err), (words, out, err)
        if words[-1] == "--json" or words[-2:] == ["alerts", "export"]:
            # A journal tells after a while that nobody writes it.
            for line, same in zip(out.splitlines(), reference.splitlines(), strict=False):
                assert _timeless(line) == _timeless(same), words
        elif words[0] == "config" or words[:2] == ["check", "--timeout"]:
            assert "room:" in out or words[1] in ("path", "check", "--timeout"), words


def _timeless(line: str) -> str:
    """A line of JSON without what ticks; one that is none, of a log that is not ours, as it is."""
    try:
        value = json.loads(line)
    except ValueError:
        return ascii_only(line)
    return re.sub(r'"(takenAt|since|lastHeartbeat|acceptedAt|endedAt)": [\d.e]+', "", json.dumps(value))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pipe"])
def test_every_command_ends_well_whatever_becomes_of_its_output(place: Place, kind: str) -> None:
    locale = "C" if kind == "terminal" else "UTF-8"
    asked = [(kind, command, words) for command, words, _ in COMMANDS]
    for (_, words, expected), (status, out, err) in zip(COMMANDS, run_all(place, locale, asked), strict=True):
        assert "Traceback" not in err, (words, err)
        assert "Exception ignored" not in err, (words, err)
        if kind in ("file", "terminal"):
            assert status == expected, (words, err)
            assert not OBEYED.search(out.replace("\r\n", "\n")), (words, out)
            continue
        # A mistake is told on standard error; the status of `check` is what it found, told or not.
        is_told = words[0] == "check" or expected != 0
        assert status == (expected if is_told else 1), (words, status, err)
        failed = err.splitlines()[-1:] if words[0] == "check" or not is_told else ["standard output: "]
        if kind == "gone":
            assert not any("standard output" in line for line in failed) or is_told, words
        elif words[-1].startswith("--nonsense"):
            assert status == 3
        else:
            assert "standard output: " in failed[0], (words, err)


@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_a_real_start_with_closed_streams_says_nothing_into_a_file_of_its_own(
    place: Place, tmp_path: Path, stream: str
) -> None:
    # The program's own files and connections would get the numbers of the closed ones.
    closing = {"stdout": ">&-", "stderr": "2>&-", "both": ">&- 2>&-"}[stream]
    for words in ("journal", "check --timeout 5", "config check"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" -m tui.cli.main {words} {closing}', sys.executable],
            env=place.environ,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert "Traceback" not in done.stdout + done.stderr
        expected = 2 if words.startswith("check") else 0 if stream == "stderr" else 1
        assert done.returncode == expected, (words, done)
        if stream == "stdout":
            assert "standard output: it is closed" in done.stderr


def test_an_output_that_others_made_non_blocking_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    waits = threading.Event()
    select = output.select.select

    def seen(*sets: Any) -> Any:
        waits.set()
        return select(*sets)

    monkeypatch.setattr(output.select, "select", seen)
    with open(reader, "rb") as pipe, output.Descriptor(writer, "w") as out:
        filled = out.write(b" " * 10_000_000)
        written = threading.Thread(target=out.write, args=(b"the last line",))
        written.start()
        assert waits.wait(10)
        assert pipe.read(filled).strip() == b""
        written.join(10)
        assert pipe.read(13) == b"the last line"


@pytest.mark.parametrize(
    "value",
    [HOSTILE, "\ud800 lone \udfff", {"\x9b": ["\u202e", 2**64 - 1, -(2**63), 1e308, 0.1, None, True]}, "😀"],
)
def test_json_is_ascii_and_the_same_value(value: Any) -> None:
    text = json_text(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value


def test_what_is_obeyed_becomes_a_sign_and_all_else_stays() -> None:
    assert obeyed_by_none("a\x1b[2J\x9b\u202e\u2028\ud800é日👩‍💻") == "a␛[2J��␤�é日👩‍💻"
    assert printable("👩‍💻" * 3, 2) == "👩…"


def test_what_an_encoding_lacks_becomes_ascii_of_as_many_columns() -> None:
    assert ascii_only("● ✗ … ▁█ ┌ 日 é") == "* x . _# + ?? ?"
    assert "é …".encode("latin-1", "overlay-supervisor.signs") == b"\xe9 ."


def test_a_mistake_on_the_command_line_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        output.Parser(prog="x").parse_args(["\x9b31m\u202e"])
    assert not OBEYED.search(capsys.readouterr().err)
