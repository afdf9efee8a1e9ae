"""The program's log: JSON lines in the state folder, rotated by size, written by a thread."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tui.store.appending import AppendedFile
from tui.store.repeats import LeftOut, Repeats
from tui.store.writer import Writer
from tui.system.output import PROGRAM, complain
from tui.system.private_files import anything_goes, private_folder
from tui.text.secret_values import masked

FILE_NAME = "overlay-supervisor.log"
MAX_BYTES = 5_000_000
"""Bytes of one file; a line that would pass it goes into a new one."""
FILES = 5
"""Files that are kept: the log and ``.1`` (the latest) to ``.4``."""
MAX_MESSAGE = 4_000
"""Characters of one message; the rest is cut."""
MAX_TRACEBACK = 16_000
"""Characters of one traceback; its beginning is cut, since its end says what happened."""

LogLevel = Literal["debug", "info", "warning", "error"]


class RotatingFile:
    """A file that makes room for a new one when it is full. Opened at the first line."""

    def __init__(
        self,
        path: Path,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        require: Callable[[], None] = anything_goes,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        self._file = AppendedFile(require)

    def open(self) -> None:
        """Open or create the file, and its folder with mode 0700, or raise OSError."""
        self._file.check()
        private_folder(self._path.parent, may_be_link=True)
        self._file.open(self._path)

    def write(self, data: bytes) -> None:
        self._file.check()
        size = self._file.size
        if size and size + len(data) > self._max_bytes:
            self._rotate()
        if self._file.size is None:
            self.open()
        self._file.append(data)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._files - 2, -1, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def close(self) -> None:
        self._file.close()


class JsonLinesHandler(logging.Handler):
    """Makes each record a JSON line, in the caller's thread, and hands it to a writer. Never waits.

    Repetitions are told once a minute, by their number, so that no trouble drives out all that was before.
    """

    def __init__(self, writer: Writer, repeats: Repeats | None = None) -> None:
        super().__init__()
        self._writer = writer
        self._repeats = repeats or Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        self._note(self._repeats.over())
        try:
            if not self._repeats.is_noted(record, record.getMessage()):
                return
            line = log_line(record)
        except Exception as error:  # noqa: BLE001 - arguments of a record may raise anything when shown
            line = _json_line(
                record.created,
                "error",
                record.name,
                f"a log record could not be formatted: {type(error).__name__}",
            )
        self._writer.write(line)

    def close(self) -> None:
        """Tell what is untold of repetitions."""
        self.acquire()
        try:
            self._note(self._repeats.all())
        finally:
            self.release()
        super().close()

    def _note(self, left_out: Iterable[LeftOut]) -> None:
        for each in left_out:
            often = "once" if each.times == 1 else f"{each.times} times"
            message = f"{often} more within a minute, at last: {each.message}"
            self._writer.write(_json_line(each.created, each.level, each.logger, message))


def log_line(record: logging.LogRecord) -> str:
    """One record as a JSON line: time (ISO 8601, UTC), timestamp (epoch seconds), level, logger, message.

    ``connection`` is added where the record carries it (``extra={"connection": name}``), and
    ``traceback`` where it carries an error.
    """
    more: dict[str, Any] = {}
    connection = getattr(record, "connection", None)
    if connection is not None:
        more["connection"] = str(connection)[:MAX_MESSAGE]
    if record.exc_info and record.exc_info[0] is not None:
        text = masked("".join(traceback.format_exception(*record.exc_info)))
        more["traceback"] = text if len(text) <= MAX_TRACEBACK else f"[cut]{text[-MAX_TRACEBACK:]}"
    return _json_line(record.created, record.levelname.lower(), record.name, record.getMessage(), **more)


def _json_line(timestamp: float, level: str, logger: str, message: str, **more: Any) -> str:
    if len(message) > MAX_MESSAGE:
        message = f"{masked(message[:MAX_MESSAGE])} [{len(message) - MAX_MESSAGE} characters cut]"
    else:
        message = masked(message)
    moment = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")
    line = {
        "time": moment,
        "timestamp": round(timestamp, 3),
        "level": level,
        "logger": logger,
        "message": message,
        **more,
    }
    # ASCII: control characters and what a terminal might obey are escaped.
    return json.dumps(line, ensure_ascii=True)


class LogFile:
    """Takes the log of the whole process to ``overlay-supervisor.log`` in ``folder``.

    A folder or disk that cannot be written to is told once, on standard error, and the program goes on;
    each later line tries again.
    """

    def __init__(
        self, folder: Path, level: LogLevel = "info", require: Callable[[], None] = anything_goes
    ) -> None:
        self.path = folder / FILE_NAME
        sink = RotatingFile(self.path, require=require)
        try:
            sink.open()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            complain(PROGRAM, f"no log file, going on without: {self.path}: {reason}")
        self._writer = Writer(sink, note_dropped=_missing_lines, name="log writer")
        self._handler = JsonLinesHandler(self._writer)
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(level.upper())
        # At these levels the library logs headers and whole frames, which hold tokens.
        logging.getLogger("websockets").setLevel(max(logging.WARNING, root.level))
        logging.captureWarnings(True)

    @property
    def dropped(self) -> int:
        return self._writer.dropped

    def close(self, timeout: float = 1.0) -> bool:
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()
        return self._writer.close(timeout)


def _missing_lines(count: int) -> str:
    return _json_line(time.time(), "warning", __name__, f"{count} log lines are missing here")
