"""Settings from a text, and the lines of the error that it ends in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tui.config.load import CommandLine, Settings, SettingsError, load_settings

Load = Callable[..., Settings]
Lines = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads ``text`` as the settings file, with ``environ`` and command line beside it."""

    def load(text: str | None = None, environ: dict[str, str] | None = None, **given: Any) -> Settings:
        path = tmp_path / "config.toml"
        if text is not None:
            path.write_text(text)
        return load_settings(
            config=str(path) if text is not None else None,
            command_line=CommandLine(**given),
            environ={"HOME": str(tmp_path), **(environ or {})},
        )

    return load


@pytest.fixture
def lines(load: Load, tmp_path: Path) -> Lines:
    """The lines of the error that loading ends in, without the folder of the file."""

    def lines(*args: Any, **kwargs: Any) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(*args, **kwargs)
        assert str(caught.value) == "\n".join(caught.value.lines)
        return [line.replace(f"{tmp_path}/", "") for line in caught.value.lines]

    return lines
