"""How the face was left comes back, and nothing that stands in its file can stop a start."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from tui.app.remembered import FILE_NAME, MAX_BYTES, MAX_TEXT, Remembered, read, write


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    left = Remembered(theme="light", order="name", filter="état ✗", selection="hub")
    write(tmp_path, left)
    assert read(tmp_path) == left
    write(tmp_path, Remembered())
    assert read(tmp_path) == Remembered()


def test_the_file_is_private_and_alone(tmp_path: Path) -> None:
    # What a crash left behind under the name that is written to first changes nothing.
    left_behind = tmp_path / f".{FILE_NAME}.{os.getpid()}"
    left_behind.write_text("half a fi")
    left_behind.chmod(0o644)
    write(tmp_path, Remembered(order="name"))
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_first_start_is_nothing_to_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read(tmp_path) == Remembered()
    assert read(tmp_path / "no such folder") == Remembered()
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"theme": 5}',
        b'{"theme": "\xff"}',
        b'{"theme": "\\ud800"}',
        b"[" * MAX_BYTES,
        b'{"theme": ' + b"[" * 10_000,
        json.dumps({"filter": "x" * (MAX_TEXT + 1)}).encode(),
        b" " * (MAX_BYTES + 1),
        b"{}" + b" " * 10_000_000,
    ],
    ids=lambda content: f"{content[:12]!r}, {len(content)} bytes",
)
def test_a_file_that_cannot_be_used_is_logged_and_left_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read(tmp_path) == Remembered()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    write(tmp_path, Remembered(order="name"))
    assert read(tmp_path) == Remembered(order="name")


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"order": "name", "columns": ["rtt"]}')
    assert read(tmp_path) == Remembered(order="name")


def test_what_is_no_file_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    pipe.mkdir()
    os.mkfifo(pipe / FILE_NAME)
    (folder / FILE_NAME).mkdir(parents=True)
    assert read(pipe) == read(folder) == Remembered()
    assert len(caplog.records) == 2


def test_long_texts_and_halves_of_characters_are_kept_as_far_as_they_go(tmp_path: Path) -> None:
    write(tmp_path, Remembered(filter="x" * 100_000, selection="half \ud800"))
    assert read(tmp_path) == Remembered(filter="x" * MAX_TEXT, selection="half ?")


def test_what_cannot_be_written_is_an_oserror_and_leaves_the_old(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "gone", Remembered())
    in_the_way = tmp_path / FILE_NAME
    in_the_way.mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path, Remembered(order="name"))
    assert list(tmp_path.iterdir()) == [in_the_way]
