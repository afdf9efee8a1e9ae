"""How this program was installed, and the command that adds to it what it lacks.

Told from what installers leave behind: where a distribution came from (PEP 610) and who installed it. A
package of our name that an index may have is another's unless ours came from there.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

NAME = "overlay-supervisor"

Extra = Literal["http", "metrics", "socks"]

_PACKAGES: Mapping[Extra, Mapping[str, str]] = {
    "http": {"httpx": "httpx", "httpcore": "httpcore"},
    "metrics": {"prometheus_client": "prometheus-client"},
    "socks": {"python_socks": "python-socks"},
}
"""The modules of each extra and the packages that bring them."""


def is_installed(extra: Extra) -> bool:
    """Whether every module of an extra is there; none is imported."""
    return all(map(_is_there, _PACKAGES[extra]))


def needs(extra: Extra, *beside: Extra) -> str:
    """What is missing and the command that mends it, in words; it brings the extras ``beside`` it too."""
    packages = " and ".join(_PACKAGES[extra].values())
    command = command_for((extra, *beside))
    return f"needs {packages}; install with: {command}" if command else f"needs {packages}"


def command_for(extras: Sequence[Extra], prefix: Path | None = None) -> str | None:
    """The command for a shell that adds extras to this installation; None where no installer is known."""
    prefix = prefix or Path(sys.prefix)
    try:
        ours = distribution(NAME)
    except PackageNotFoundError:
        ours = None
    wanted = sorted({*extras, *filter(is_installed, _PACKAGES)})
    packages = [each for extra in sorted({*extras}) for each in _requirements(ours, extra)]
    if (prefix / "pipx_metadata.json").exists():
        # Beside the program, and kept when it is upgraded, wherever it came from.
        return shlex.join(["pipx", "inject", prefix.name, *packages])
    installer = ((ours and ours.read_text("INSTALLER")) or "").strip()
    source = _source(ours, wanted, installer) if ours else None
    if (prefix / "uv-receipt.toml").exists() and source:
        return shlex.join(["uv", "tool", "install", "--force", *source])
    if _is_there("pip"):
        return shlex.join([sys.executable, "-m", "pip", "install", *(source or packages)])
    if installer == "uv" or shutil.which("uv"):
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, *(source or packages)])
    return None


def _source(ours: Distribution, extras: Sequence[str], installer: str) -> list[str] | None:
    """What an installer is told to get ours, with extras, from where it came; None where that is gone."""
    suffix = f"[{','.join(extras)}]"
    origin: dict[str, Any] | None = json.loads(ours.read_text("direct_url.json") or "null")
    if origin is None:
        return [f"{NAME}{suffix}=={ours.version}"] if installer in ("pip", "uv") else None
    url = str(origin["url"])
    if urlsplit(url).scheme == "file":
        path = unquote(urlsplit(url).path)
        if not Path(path).exists():
            return None
        if "dir_info" in origin:
            editable = ["-e"] if origin["dir_info"].get("editable") else []
            return [*editable, f"{path}{suffix}"]
    if "vcs_info" in origin:
        noted = origin["vcs_info"]
        url = f"{noted['vcs']}+{url}@{noted.get('requested_revision') or noted['commit_id']}"
    if "subdirectory" in origin:
        url = f"{url}#subdirectory={origin['subdirectory']}"
    return [f"{NAME}{suffix} @ {url}"]


def _requirements(ours: Distribution | None, extra: Extra) -> list[str]:
    """What an extra asks for, by the program's own metadata where there is one."""
    asked = (each.partition(";") for each in (ours and ours.requires) or ())
    marker = re.compile(rf"""\bextra\s*==\s*["']{extra}["']""")
    found = [name.strip() for name, _, when in asked if marker.search(when)]
    return found or list(_PACKAGES[extra].values())


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        # It was imported, in some way of its own.
        return sys.modules.get(module) is not None
