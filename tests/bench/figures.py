"""What a benchmark hands back: figures with an aim, and how they are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One quantity measured several times."""

    values: tuple[float, ...]
    better: Better = "lower"

    @property
    def median(self) -> float:
        """The middle one; half the machine's disturbances do not move it."""
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        """The one that was disturbed least."""
        return min(self.values) if self.better == "lower" else max(self.values)

    @property
    def worst(self) -> float:
        """The other end."""
        return max(self.values) if self.better == "lower" else min(self.values)

    def to_json(self) -> dict[str, Any]:
        """Median, best and worst beside the values."""
        return {"median": self.median, "best": self.best, "worst": self.worst, "values": list(self.values)}


def sample(values: Sequence[float], better: Better = "lower") -> Sample:
    """A sample of ``values``."""
    return Sample(values=tuple(values), better=better)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a figure should be."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether ``value`` is within it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report.

    Attributes:
        value: what the aim is about; with ``bare`` it is the ratio of the two medians, ours first.
        value_unit: of ``value`` and of the aim.
        ours, bare: the samples, in ``unit``.
        note: how it was measured, in words.
        void: why the figure does not count, if it does not.
    """

    name: str
    what: str
    value: float
    value_unit: str
    aim: Aim | None
    unit: str
    ours: Sample
    bare: Sample | None = None
    note: str = ""
    void: str | None = None
    more: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One word, and why where it is not clear from the figures."""
        if self.void is not None:
            return f"does not count: {self.void}"
        if self.aim is None:
            return "no aim"
        return "holds" if self.aim.holds(self.value) else "falls short"

    def to_json(self) -> dict[str, Any]:
        """Everything, with the verdict."""
        return {
            "name": self.name,
            "what": self.what,
            "value": self.value,
            "valueUnit": self.value_unit,
            "aim": None if self.aim is None else {**asdict(self.aim), "text": str(self.aim)},
            "verdict": self.verdict,
            "unit": self.unit,
            "ours": self.ours.to_json(),
            "bare": None if self.bare is None else self.bare.to_json(),
            "more": self.more,
            "note": self.note,
        }


def ratio(name: str, what: str, *, ours: Sample, bare: Sample, aim: Aim, unit: str, **more: Any) -> Figure:
    """A figure about ours divided by bare."""
    extra = {"ratio of the best": ours.best / bare.best, **more.pop("more", {})}
    return Figure(
        name=name,
        what=what,
        value=ours.median / bare.median,
        value_unit="times bare",
        aim=aim,
        unit=unit,
        ours=ours,
        bare=bare,
        more=extra,
        **more,
    )


def as_text(figure: Figure) -> str:
    """Three or four lines for a terminal."""
    aim = "" if figure.aim is None else f"  (aim {figure.aim})"
    lines = [f"{figure.name}: {_short(figure.value)} {figure.value_unit}{aim}  {figure.verdict}"]
    lines.append(f"    {figure.what}")
    parts = [f"ours {_spread(figure.ours)}"]
    if figure.bare is not None:
        parts.append(f"bare {_spread(figure.bare)}")
    lines.append(f"    {', '.join(parts)} {figure.unit}; median (best .. worst)")
    extras = [f"{what} {_short(value)}" for what, value in figure.more.items()]
    if extras or figure.note:
        lines.append(f"    {'; '.join([*extras, *filter(None, [figure.note])])}")
    return "\n".join(lines)


def as_markdown(figures: Sequence[Figure]) -> str:
    """A table for a document."""
    rows = ["| What | Ours | Bare loop | Aim | Measured | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for figure in figures:
        bare = "" if figure.bare is None else f"{_short(figure.bare.median)} ({_short(figure.bare.best)})"
        ours = f"{_short(figure.ours.median)} ({_short(figure.ours.best)}) {figure.unit}"
        aim = "" if figure.aim is None else str(figure.aim)
        rows.append(
            f"| {figure.what} | {ours} | {bare} | {aim} | {_short(figure.value)} {figure.value_unit} "
            f"| {figure.verdict} |"
        )
    return "\n".join(rows)


def _spread(of: Sample) -> str:
    return f"{_short(of.median)} ({_short(of.best)} .. {_short(of.worst)})"


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
