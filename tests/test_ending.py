"""Who is told of an end, and when."""

from __future__ import annotations

import signal

from tui.ending import End


def test_the_first_word_holds_and_everybody_is_told_once() -> None:
    end = End()
    told: list[str] = []

    def fail() -> None:
        told.append("fails")
        raise RuntimeError("its loop is closed")

    with end.telling(lambda: told.append("never")):
        pass
    with end.telling(lambda: told.append("early")), end.telling(fail):
        assert not end.is_asked
        end.ask(143, "ended by SIGTERM")
        end.ask(0, "left")
        assert sorted(told) == ["early", "fails"]
    with end.telling(lambda: told.append("late")):
        assert told[-1] == "late"
    assert (end.status, end.words, len(told)) == (143, "ended by SIGTERM", 3)


def test_a_signal_means_something_else_for_a_while_and_nothing_after_the_end() -> None:
    end = End()
    heard: list[str] = []
    with end.on(signal.SIGHUP, lambda: heard.append("outer")):
        with end.on(signal.SIGHUP, lambda: heard.append("inner")):
            end._take(signal.SIGHUP)
        end._take(signal.SIGHUP)
        assert (heard, end.is_asked) == (["inner", "outer"], False)
        end.ask(0)
        end._take(signal.SIGHUP)
    assert heard == ["inner", "outer"]
