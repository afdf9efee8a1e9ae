"""``python -m tests.terminal.crashing ARGUMENTS...``: the program with a face that soon crashes."""

from __future__ import annotations

from tui.__main__ import overlay_supervisor
from tui.app.app import OverlaySupervisorApp


class CrashingApp(OverlaySupervisorApp):
    """Crashes half a second after each start."""

    def on_mount(self) -> None:
        self.set_timer(0.5, self._crash)

    def _crash(self) -> None:
        raise RuntimeError("staged crash of the face")


if __name__ == "__main__":
    import tui.app.app

    tui.app.app.OverlaySupervisorApp = CrashingApp  # type: ignore[misc]  # it is to crash
    overlay_supervisor()
