"""The command that adds an extra to this installation, by what installers leave behind."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tui.system import installation
from tui.system.installation import command_for, is_installed

PIP = f"{shlex.quote(sys.executable)} -m pip install "
GIT = "https://x/y.git"
METADATA = """Metadata-Version: 2.1
Name: overlay-supervisor
Version: 1.2.3
Requires-Dist: msgspec
Requires-Dist: httpx<1,>=0.28; extra == "http"
Requires-Dist: httpcore<2,>=1.0; extra == 'http'
Requires-Dist: prometheus-client; extra == 'metrics'
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metadata of an installation that has no extras, found before any other."""
    info = tmp_path / "site" / "overlay_supervisor-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "INSTALLER").write_text("pip\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.setattr(installation, "is_installed", lambda extra: False)
    return info


def test_from_an_index_by_its_name(site: Path, tmp_path: Path) -> None:
    assert command_for(["http"], tmp_path) == f"{PIP}'overlay-supervisor[http]==1.2.3'"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ({"dir_info": {}}, "'FOLDER[http]'"),
        ({"dir_info": {"editable": True}}, "-e 'FOLDER[http]'"),
        ({"archive_info": {}}, "'overlay-supervisor[http] @ file://FOLDER'"),
        (
            {
                "url": GIT,
                "vcs_info": {"vcs": "git", "commit_id": "a1", "requested_revision": "v1"},
            },
            "'overlay-supervisor[http] @ git+https://x/y.git@v1'",
        ),
        (
            {
                "url": GIT,
                "vcs_info": {"vcs": "git", "commit_id": "a1"},
                "subdirectory": "sub",
            },
            "'overlay-supervisor[http] @ git+https://x/y.git@a1#subdirectory=sub'",
        ),
        ({"url": "https://x/y.whl", "archive_info": {}}, "'overlay-supervisor[http] @ https://x/y.whl'"),
        ({"url": "file:///gone", "dir_info": {}}, "'httpx<1,>=0.28' 'httpcore<2,>=1.0'"),
    ],
)
def test_from_where_it_came(site: Path, tmp_path: Path, origin: dict[str, object], source: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    url = f"file://{str(folder).replace(' ', '%20')}"
    (site / "direct_url.json").write_text(json.dumps({"url": url} | origin))
    expected = source.replace("file://FOLDER", url).replace("FOLDER", str(folder))
    assert command_for(["http"], tmp_path) == PIP + expected


def test_what_is_there_stays(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "is_installed", lambda extra: extra == "metrics")
    (site / "direct_url.json").write_text(json.dumps({"url": tmp_path.as_uri(), "dir_info": {}}))
    (tmp_path / "uv-receipt.toml").touch()
    assert command_for(["http"], tmp_path) == f"uv tool install --force '{tmp_path}[http,metrics]'"


def test_as_a_tool_of_pipx_or_of_uv(site: Path, tmp_path: Path) -> None:
    (site / "direct_url.json").write_text(
        json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    )
    (tmp_path / "uv-receipt.toml").touch()
    assert command_for(["http"], tmp_path) == f"uv tool install --force -e '{tmp_path}[http]'"
    (tmp_path / "pipx_metadata.json").touch()
    assert (
        command_for(["http"], tmp_path) == f"pipx inject {tmp_path.name} 'httpx<1,>=0.28' 'httpcore<2,>=1.0'"
    )


def test_one_command_for_all_that_is_missing(site: Path, tmp_path: Path) -> None:
    expected = f"{PIP}'overlay-supervisor[http,metrics]==1.2.3'"
    assert command_for(["metrics", "http", "metrics"], tmp_path) == expected


def test_in_an_environment_of_uv_without_pip(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "INSTALLER").write_text("uv")
    monkeypatch.setattr(installation, "_is_there", lambda module: False)
    python = shlex.quote(sys.executable)
    assert (
        command_for(["http"], tmp_path)
        == f"uv pip install --python {python} 'overlay-supervisor[http]==1.2.3'"
    )


def test_by_another_installer_the_name_on_an_index_may_be_anothers(site: Path, tmp_path: Path) -> None:
    (site / "INSTALLER").write_text("dpkg")
    assert command_for(["metrics"], tmp_path) == f"{PIP}prometheus-client"


def test_this_very_installation_is_told_from_where_it_came() -> None:
    assert is_installed("http")
    command = command_for(["http"])
    assert command is not None
    words = shlex.split(command)
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert "overlay-supervisor[" not in words[-1] or " @ " in words[-1], "it came from no index"
