"""The two programs from their first moment on: next to nothing is imported before signals are noted."""

from __future__ import annotations

import signal


def overlay_supervisor() -> None:
    """The command of this name; never returns."""
    _end_at_once()
    from tui.system.ending import End, carry_out

    def main(end: End) -> int:
        from tui.cli import main as cli

        return cli.main(end=end)

    carry_out(main)


def overlayctl() -> None:
    """The command of this name; never returns."""
    _end_at_once()
    from tui.system.ending import End, carry_out

    def main(end: End) -> int:
        from tui.cli.ctl import main as ctl

        return ctl.main()

    carry_out(main)


def _end_at_once() -> None:
    # The interpreter's own handler would show where it was among the imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    overlay_supervisor()
