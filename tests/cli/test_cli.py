"""The command as a user runs it: what it prints, where, and the exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pace import processor_seconds
from tui import __version__

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tui.cli.main"]
HEAVY = ("asyncio", "msgspec", "pydantic", "textual", "websockets")
SECRET = "s3cr3t-Value"

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment of a new user whose home is the test's folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERLAY_", "XDG_"))}
    # The folders of a test may be deeper than a Unix socket's path may be long.
    socket = f"/tmp/overlay-supervisor-test-{os.getpid()}.sock"
    return {**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OVERLAY_SUPERVISOR_SOCKET": socket}


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Runs the command with arguments, and more variables, and no terminal."""

    def run(*arguments: str, **more: str) -> Result:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def settings_of(home: Path) -> Path:
    return home / ".config" / "overlay-supervisor" / "config.toml"


def write_settings(home: Path, text: str) -> Path:
    path = settings_of(home)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


# Version and help


def test_version(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"overlay-supervisor {__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["config", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str], environ: dict[str, str]) -> None:
    code = f"""
import sys
from tui.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
print("imported:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_help_comes_at_once(environ: dict[str, str]) -> None:
    # The best of several: the limit is for the program, not for a busy machine.
    assert min(processor_seconds((*COMMAND, "--help"), environ) for _ in range(5)) < 0.15


def test_help_names_every_command_and_the_exit_status(run: Run) -> None:
    text = run("--help").stdout
    for words in ("run", "config", "demo", "selftest", "--state", "exit status: 0 ok, 1 failed, 2 usage"):
        assert words in text


# Nothing to run


def test_a_new_user_is_told_three_ways_to_go_on(run: Run) -> None:
    for arguments in ([], ["run"], ["--debug"], ["run", "--headless"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        lines = done.stderr.splitlines()
        assert [line.split("  ")[0] for line in lines] == [
            "overlay-supervisor demo",
            "overlay-supervisor config init",
            "overlay-supervisor --help",
        ]


def test_a_file_without_connections_is_named(run: Run, tmp_path: Path) -> None:
    path = write_settings(tmp_path, "debug = true\n")
    done = run()
    assert done.returncode == 2
    assert (
        done.stderr == f"overlay-supervisor: {path}: no connection; expected [connections.NAME] with a url\n"
    )


def test_without_a_terminal_headless_is_suggested(run: Run) -> None:
    for arguments in (["run", "ws://127.0.0.1:9/socket"], ["demo"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--headless" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_mistake_in_the_settings_comes_before_the_terminal(run: Run, tmp_path: Path) -> None:
    path = write_settings(tmp_path, f'[connections.hub]\nurl = "ws://me:{SECRET}@hub"\nauth_token = 5\n')
    done = run("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"overlay-supervisor: {path}:2: connections.hub.url: a URL must not hold a user or a password; "
        "put secrets into params or auth_token",
        f"overlay-supervisor: {path}:3: connections.hub.auth_token: "
        'expected text, { env = "NAME" } or { file = "path" }',
    ]


def test_a_mistake_in_a_variable_is_one_line(run: Run) -> None:
    done = run("run", OVERLAY_SUPERVISOR_CONNECTIONS__HUB__PARAMS=SECRET)
    assert done.returncode == 2
    # The variable makes a connection, which lacks its URL too.
    assert all(line.startswith("overlay-supervisor: ") for line in done.stderr.splitlines())
    assert "OVERLAY_SUPERVISOR_CONNECTIONS__HUB__PARAMS: expected a table of texts" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["run", "--no-such-option"],
        ["run", "-t", "room:1"],
        ["run", "--preset", "live"],
        ["run", "ws://hub", "--preset", "fast"],
        ["run", "ws://hub", "--headless", "--report-interval", "0"],
        ["run", "ws://hub", "--headless", "--report-interval", "nan"],
        ["run", "ws://hub", "--log-level", "loud"],
        ["demo", "--duration", "-1"],
        ["demo", "--theme", "green"],
        ["attach", "--theme", "green"],
        ["attach", "--headless"],
        ["run", "ws://hub", "--theme", "green"],
        ["config"],
        ["config", "chek"],
        ["--config", "/no/such/file"],
        ["selftest", "--url", "http://me:pw@hub"],
    ],
)
def test_mistakes_of_usage_end_with_status_2_and_no_traceback(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


# config


def test_init_writes_a_private_file_that_works(run: Run, tmp_path: Path) -> None:
    done = run("config", "init", "ws://hub.lan:4000/socket", "-t", "room:1", "-t", 'a "b" \\c')
    path = settings_of(tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [f"wrote {path}", f"{path}: ok, 1 connection(s): hub"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = run("config", "show").stdout
    assert 'connections.hub.url = "ws://hub.lan:4000/socket"' in shown
    assert 'connections.hub.topics = ["room:1", "a \\"b\\" \\\\c"]' in shown
    assert "connections.hub.heartbeat_interval = 5  # preset live" in shown


def test_init_without_a_url_writes_a_file_to_change(run: Run, tmp_path: Path) -> None:
    assert run("config", "init").returncode == 0
    text = settings_of(tmp_path).read_text()
    assert "ws://localhost:4000/socket" in text
    assert "[alerts]" in text


def test_init_leaves_a_file_as_it_is(run: Run, tmp_path: Path) -> None:
    path = write_settings(tmp_path, "# mine\n")
    done = run("config", "init", "ws://hub/socket")
    assert done.returncode == 2
    assert done.stderr == f"overlay-supervisor: {path}: already there, left as it is\n"
    assert path.read_text() == "# mine\n"


def test_init_writes_nothing_for_a_url_that_cannot_be_used(run: Run, tmp_path: Path) -> None:
    done = run("config", "init", f"ws://hub/socket?token={SECRET}")
    assert done.returncode == 2
    assert SECRET not in done.stderr
    assert not settings_of(tmp_path).exists()


def test_init_where_nothing_can_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("config", "init", "--config", str(tmp_path / "file" / "config.toml"))
    assert done.returncode == 1
    assert done.stderr.endswith("config.toml: File exists\n")


def test_check_warns_of_secrets_that_are_not_there(run: Run, tmp_path: Path) -> None:
    path = write_settings(
        tmp_path, '[connections.hub]\nurl = "ws://hub"\nauth_token = { env = "NOT_THERE" }\n'
    )
    done = run("config", "check")
    assert done.returncode == 0
    assert done.stdout == f"{path}: ok, 1 connection(s): hub\n"
    assert done.stderr == (
        "overlay-supervisor: warning: connections.hub.auth_token: environment variable NOT_THERE is not set\n"
    )


def test_check_reads_the_rules_of_the_alerts(run: Run, tmp_path: Path) -> None:
    text = '[connections.hub]\nurl = "ws://hub"\n[alerts]\nrules = "rules.toml"\n'
    path = write_settings(tmp_path, text)
    done = run("config", "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"overlay-supervisor: {path}:4: alerts.rules: no such file\n"
    rules = path.with_name("rules.toml")
    rules.write_text("[[rule]]\ntype = 'cheer'\nbits = 1\n")
    done = run("config", "check")
    assert done.returncode == 2
    assert done.stderr.startswith(f"overlay-supervisor: {rules}:3: rule 1: bits: unknown key")
    rules.write_text("[[rule]]\ntype = 'cheer'\n")
    assert run("config", "check").stdout == f"{path}: ok, 1 connection(s): hub\n"


def test_show_masks_secrets_and_says_where_values_come_from(run: Run, tmp_path: Path) -> None:
    path = write_settings(
        tmp_path,
        f'''[defaults]
preset = "live"
[connections.hub]
url = "ws://hub"
params = {{ token = "{SECRET}" }}
''',
    )
    done = run("config", "show", OVERLAY_SUPERVISOR_CONNECTIONS__HUB__AUTH_TOKEN=SECRET)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "debug = false  # default" in lines
    assert f'connections.hub.url = "ws://hub"  # {path}:4' in lines
    assert f"connections.hub.params = {{ token = *** }}  # {path}:5" in lines
    variable = "OVERLAY_SUPERVISOR_CONNECTIONS__HUB__AUTH_TOKEN"
    assert f"connections.hub.auth_token = ***  # environment variable {variable}" in lines
    assert "connections.hub.heartbeat_interval = 5  # preset live of [defaults]" in lines
    assert SECRET not in done.stdout + done.stderr


def test_path(run: Run, tmp_path: Path) -> None:
    done = run("config", "path")
    assert done.stdout == f"{settings_of(tmp_path)}\n"
    assert done.stderr == "(it is not there yet)\n"
    assert run("config", "path", OVERLAY_SUPERVISOR_CONFIG="/some/file").stdout == "/some/file\n"
    assert run("config", "path", "--config", "/other", OVERLAY_SUPERVISOR_CONFIG="/some").stdout == "/other\n"
    assert run("--config", "/other", "config", "path", OVERLAY_SUPERVISOR_CONFIG="/some").stdout == "/other\n"


def test_the_file_may_be_named_before_any_command_and_the_nearer_one_counts(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[connections.hub]\nurl = "ws://hub"\n')
    assert run("--config", str(path), "config", "check").stdout == f"{path}: ok, 1 connection(s): hub\n"
    done = run("--config", "/no/such/file", "config", "check", "--config", str(path))
    assert done.stdout == f"{path}: ok, 1 connection(s): hub\n"
    for arguments in (["run"], [], ["check"]):
        assert "/no/such/file: no such file" in run("--config", "/no/such/file", *arguments).stderr


def test_options_before_ctl_are_a_mistake_of_usage(run: Run) -> None:
    for arguments in (["ctl"], ["ctl", "status"]):
        done = run("--state", "/tmp", *arguments)
        assert done.returncode == 2
        assert done.stderr.endswith("options of ctl stand after it\n")


def test_keys_that_cannot_be_used_are_told_before_the_screen_is_opened(run: Run, tmp_path: Path) -> None:
    path = write_settings(
        tmp_path,
        """[connections.hub]
url = "ws://hub"

[keys]
connection.push = "r"
"connection.conect" = "c"
quit = []
help = ["f1", "hyper+h"]
""",
    )
    words = "overlay-supervisor: {}:{}: keys.{}: {}"
    expected = [
        words.format(path, 6, "connection.conect", "unknown action; nearest known: connection.connect"),
        words.format(path, 7, "quit", "quitting needs a key"),
        words.format(path, 8, "help", 'expected a key such as "r", "?", "f5", "ctrl+r" or "shift+tab"'),
    ]
    for arguments in (["run"], ["config", "check"]):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == expected
    path.write_text(path.read_text().split('"connection.conect"')[0])
    assert run("config", "check").stderr.splitlines() == [
        words.format(
            path,
            5,
            "connection.push",
            '"r" is the key of connection.reconnect too; give connection.reconnect another one',
        )
    ]
    variable = "OVERLAY_SUPERVISOR_KEYS"
    done = run("config", "check", **{variable: '{"connection.reconnect": "ctrl+r", "nonsense": "n"}'})
    assert f"environment variable {variable}: keys.nonsense: unknown action" in done.stderr
    done = run("config", "check", **{variable: '{"connection.reconnect": "ctrl+r"}'})
    assert done.returncode == 0
    shown = run("config", "show", **{variable: '{"connection.reconnect": "ctrl+r"}'}).stdout
    assert f'keys.connection.reconnect = "ctrl+r"  # environment variable {variable}\n' in shown
    assert f'keys.connection.push = "r"  # {path}:5\n' in shown
    assert 'app.on_hangup = "quit"  # default\n' in shown


def test_a_reader_that_has_enough_is_no_traceback(environ: dict[str, str], tmp_path: Path) -> None:
    tables = "".join(f'[connections.hub_{n}]\nurl = "ws://hub"\n' for n in range(200))
    write_settings(tmp_path, tables)
    with subprocess.Popen(
        [*COMMAND, "config", "show"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 1


# Running


def test_headless_prints_states_and_ends_with_status_0(environ: dict[str, str], tmp_path: Path) -> None:
    arguments = ["run", "ws://127.0.0.1:9/socket", "-t", "a:b", "--headless", "--report-interval", "0.2"]
    with subprocess.Popen(
        [*COMMAND, *arguments], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        kinds = []
        for line in process.stdout:
            message = json.loads(line)
            assert message["connection"] == "server"
            kinds.append(message["type"])
            if message["type"] == "metrics":
                break
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert kinds[0] == "state"
    assert (process.returncode, errors) == (0, "")
    log = tmp_path / ".local/state/overlay-supervisor/overlay-supervisor.log"
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    assert all(json.loads(line)["level"] for line in log.read_text().splitlines())


def test_the_state_folder_can_be_named(environ: dict[str, str], tmp_path: Path) -> None:
    # Before and after the command, and by a variable.
    for number, (before, after, variables) in enumerate(
        [(["--state"], [], {}), ([], ["--state"], {}), ([], [], {"OVERLAY_SUPERVISOR_STATE": ""})]
    ):
        folder = tmp_path / f"state {number}"
        before, after = ([*words, str(folder)] if words else [] for words in (before, after))
        arguments = [*before, "run", "ws://127.0.0.1:9/socket", "--headless", *after]
        with subprocess.Popen(
            [*COMMAND, *arguments],
            env={**environ, **dict.fromkeys(variables, str(folder))},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
        assert process.returncode == 0
        assert (folder / "overlay-supervisor.log").exists()


def test_one_stream_that_is_no_terminal_is_enough_to_say_so(environ: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0), open(theirs, "rb", buffering=0):
        done = subprocess.run(
            [*COMMAND, "demo"],
            env=environ,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 2
    assert "--headless" in done.stderr


def test_a_mistake_in_the_usage_or_settings_of_check_is_unknown_to_a_monitoring_system(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    for arguments in (["--timeout", "soon"], ["--nothing"], []):
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli.main", "check", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 3, done.stderr
        assert done.stderr


@pytest.mark.parametrize("words", [("config", "check"), ("run", "--headless"), ("run",)])
def test_what_cannot_be_started_is_a_mistake_at_the_check_and_at_the_start(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = write_settings(
        tmp_path, '[connections.hub]\nurl = "ws://127.0.0.1:9"\n[incidents]\ncommand = ["./no-such"]\n'
    )
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"overlay-supervisor: {path}:4: incidents.command: no such file\n"


def test_a_warning_of_what_others_can_read_is_told_by_the_check(run: Run, tmp_path: Path) -> None:
    write_settings(
        tmp_path, '[connections.hub]\nurl = "ws://127.0.0.1:9"\n[metrics]\nhost = "0.0.0.0"\nport = 9\n'
    )
    done = run("config", "check")
    assert done.returncode == 0
    assert "warning: " in done.stderr
    assert "anybody who reaches it" in done.stderr
