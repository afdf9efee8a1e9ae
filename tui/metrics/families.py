"""Metric families of the OpenMetrics conventions, bounded, and the text that they become.

Needs the extra ``metrics``; without it the import fails with an :class:`ImportError` that names it. The
library writes the text; what is here keeps hostile values from making a page that is refused as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from tui.system.installation import needs
from tui.text.printable import printable

try:
    from prometheus_client import exposition as classic_format
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
        Metric,
        StateSetMetricFamily,
        SummaryMetricFamily,
    )
    from prometheus_client.openmetrics import exposition as openmetrics_format
    from prometheus_client.registry import Collector
    from prometheus_client.samples import Sample
except ImportError as error:
    raise ImportError(f"OpenMetrics {needs('metrics')}") from error

CONTENT_TYPE = openmetrics_format.CONTENT_TYPE_LATEST
CLASSIC_CONTENT_TYPE = classic_format.CONTENT_TYPE_PLAIN_0_0_4

PREFIX = "overlay_supervisor_"

MOST_LABEL = 120
"""Characters of a label's value; a longer one is cut, and marked so that no two become one."""

T = TypeVar("T")
Values = Iterable[tuple[Sequence[str], float | None]]
"""Samples: the values of their labels, and their own; None is left out."""
AddFamily = Callable[[str, str, Sequence[str], Values, str], None]
"""Name, words, labels, samples and unit."""


class Families(Collector):
    """Collects metric families, as the library's encoders want them; leaves out those without a sample."""

    def __init__(self, created: float | None) -> None:
        self._created = created
        self._families: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        return [family for family in self._families if family.samples]

    def gauge(self, name: str, words: str, labels: Sequence[str], values: Values, unit: str = "") -> None:
        self._add(GaugeMetricFamily(PREFIX + name, words, labels=labels, unit=unit), values)

    def counter(self, name: str, words: str, labels: Sequence[str], values: Values, unit: str = "") -> None:
        family = CounterMetricFamily(PREFIX + name, words, labels=labels, unit=unit)
        self._add(family, values, created=self._created)

    def states(
        self,
        name: str,
        words: str,
        labels: Sequence[str],
        states: Sequence[str],
        values: Iterable[tuple[Sequence[str], str]],
    ) -> None:
        sets = ((of, {each: each == state for each in states}) for of, state in values)
        self._add(StateSetMetricFamily(PREFIX + name, words, labels=labels), sets)

    def info(
        self,
        name: str,
        words: str,
        labels: Sequence[str],
        values: Iterable[tuple[Sequence[str], dict[str, str]]],
    ) -> None:
        self._add(InfoMetricFamily(PREFIX + name, words, labels=labels), values)

    def _add(self, family: Any, values: Iterable[tuple[Sequence[str], Any]], **more: Any) -> None:
        for of, value in values:
            if value is not None:
                family.add_metric(of, value, **more)
        self._families.append(family)

    def quantiles(
        self,
        name: str,
        words: str,
        labels: Sequence[str],
        values: Iterable[tuple[Sequence[str], dict[float, float | None]]],
        unit: str,
    ) -> None:
        """A summary of quantiles alone: the sum of all observations is not known."""
        family = SummaryMetricFamily(PREFIX + name, words, labels=labels, unit=unit)
        for of, quantiles in values:
            for part, value in quantiles.items():
                if value is not None:
                    at = dict(zip(labels, of, strict=True)) | {"quantile": str(part)}
                    family.samples.append(Sample(family.name, at, value))
        self._families.append(family)

    def text(self, *, classic: bool = False) -> bytes:
        """The page in UTF-8: OpenMetrics, or the classic text format."""
        encode: Callable[[Collector], bytes] = openmetrics_format.generate_latest
        return classic_format.generate_latest(self) if classic else encode(self)


def distinct(
    things: Iterable[T], names: Callable[[T], Sequence[str]], most: int
) -> tuple[list[tuple[tuple[str, ...], T]], int]:
    """The first ``most`` things with the values of their labels, no two alike; how many are left out.

    A page on which one series stands twice is refused as a whole.
    """
    known: dict[tuple[str, ...], T] = {}
    left_out = 0
    for thing in things:
        values = tuple(map(label, names(thing)))
        if values in known or len(known) >= most:
            left_out += 1
        else:
            known[values] = thing
    return list(known.items()), left_out


def label(text: str) -> str:
    """A label's value: at most :data:`MOST_LABEL` characters that can be seen; escaping is the encoder's."""
    if len(text) <= MOST_LABEL and text.isascii() and text.isprintable():
        return text
    shown = printable(text, MOST_LABEL)
    if shown == text:
        return text
    mark = hashlib.blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{shown[: MOST_LABEL - 9]}~{mark}"
