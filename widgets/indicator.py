"""The connection indicator: one connection's state in a symbol, a word and a colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from widgets.lines import Line, LineView, Span, Tone

State = Literal["disconnected", "connecting", "connected", "reconnecting", "failed"]

SYMBOLS: dict[State, str] = {
    "connected": "●",
    "connecting": "◐",
    "reconnecting": "◐",
    "failed": "✗",
    "disconnected": "○",
}
UNKNOWN_SYMBOL = "?"

_TONES: dict[State, Tone] = {
    "connected": "good",
    "connecting": "busy",
    "reconnecting": "busy",
    "failed": "bad",
    "disconnected": "bad",
}


@dataclass(frozen=True)
class IndicatorValue:
    """What the indicator shows of one connection."""

    state: State = "disconnected"
    circuit_open: bool = False
    attempts: int = 0
    """Retries since the connection was last stable."""
    reconnects: int = 0
    heartbeat_failures: int = 0
    circuit_trips: int = 0
    failed_reconnects: int = 0
    heartbeat_failed: bool = False
    """A heartbeat failed and the connection has not been stable since."""
    known: bool = True
    """False when nobody observes the connection any more: the state is the last one seen."""
    detail: str = ""
    """Why, and what comes next."""
    remark: str = ""
    """What the state must not be told without; it is not well then."""
    debug: bool = False

    @property
    def symbol(self) -> str:
        """The state as a symbol that no terminal draws as an emoji."""
        if not self.known:
            return UNKNOWN_SYMBOL
        if self.remark and not self.circuit_open and self.state == "connected":
            return SYMBOLS["connecting"]
        return SYMBOLS["failed"] if self.circuit_open else SYMBOLS[self.state]

    @property
    def message(self) -> str:
        """The state in words; an open breaker beats every state."""
        words = "Circuit Breaker Open" if self.circuit_open else self._state_words()
        return words if self.known else f"was {words}"

    @property
    def tone(self) -> Tone:
        """The colour: green, yellow or red."""
        if not self.known:
            return "dim"
        if self.circuit_open:
            return "bad"
        return "busy" if self.remark and self.state == "connected" else _TONES[self.state]

    @property
    def shown(self) -> bool:
        """Whether there is a reason to show it: debugging, or something wrong."""
        return (
            self.debug
            or not self.known
            or self.state != "connected"
            or self.circuit_open
            or self.attempts > 0
            or self.heartbeat_failed
            or self.remark != ""
        )

    @property
    def counts(self) -> tuple[str, ...]:
        """What stands below it: only the counts above zero."""
        counts = (
            ("reconnects", self.reconnects),
            ("heartbeat failures", self.heartbeat_failures),
            ("circuit trips", self.circuit_trips),
            ("failed reconnects", self.failed_reconnects),
        )
        return tuple(f"{label} {count:,}" for label, count in counts if count > 0)

    def _state_words(self) -> str:
        match self.state:
            case "connected":
                return f"Connected, {self.remark}" if self.remark else "Connected"
            case "connecting":
                return "Connecting..."
            case "reconnecting":
                return f"Reconnecting ({self.attempts})" if self.attempts else "Reconnecting"
            case "failed":
                return "Connection Failed"
            case "disconnected":
                return "Disconnected"


class ConnectionIndicator(LineView):
    """The indicator as a widget of one or two lines."""

    DEFAULT_CSS = "ConnectionIndicator { padding: 0 1; }"

    @staticmethod
    def rows_of(value: IndicatorValue) -> int:
        """How many rows ``value`` takes; 0 when it is not to be shown."""
        return (2 if value.counts else 1) if value.shown else 0

    def show(self, value: IndicatorValue) -> None:
        """Show ``value``."""
        if not value.shown:
            self.set_lines(())
            return
        head: Line = (Span(f"{value.symbol} {value.message}", value.tone),)
        if value.detail:
            head = (*head, Span(f"  {value.detail}"))
        lines = [head]
        if value.counts:
            lines.append((Span(f"  {'  '.join(value.counts)}", "dim"),))
        self.set_lines(lines)
