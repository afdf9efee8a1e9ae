"""A failing evening made small: as few faults, orders and viewers as still bring the finding."""

from __future__ import annotations

from typing import NamedTuple

from tests.simulation.evening import run
from tests.simulation.plan import Plan

MOST_RUNS = 200


class Shrunk(NamedTuple):
    """The smallest evening that was found, and the words of its finding."""

    plan: Plan
    message: str
    is_early: bool

    def command(self, hours: float) -> str:
        """What brings it again."""
        plan = self.plan
        words = f"python -m tests.simulation --seed {plan.seed} --hours {hours:g} --dialect {plan.dialect}"
        words += f" --only {','.join(str(number) for number in sorted(plan.acts))}"
        return f"{words} --early" if self.is_early else words


def shrink(plan: Plan, name: str) -> Shrunk:
    """Make it small, as long as a finding of that name is left."""
    runs = 0

    def fails(smaller: Plan) -> str | None:
        nonlocal runs
        runs += 1
        return next((one for one in run(smaller).findings if named(one) == name), None)

    words = fails(plan)
    assert words is not None, "it does not come again"
    ends = float(words.split()[0])
    cut = plan.only({number for number, act in plan.acts.items() if act.at < ends})
    if (found := fails(cut)) is not None:
        plan, words = cut, found
    is_early = False
    if (found := fails(plan.early())) is not None:
        plan, words, is_early = plan.early(), found, True
    for part in ("fault", "person", "viewer", None):
        size = len(plan.acts) // 2
        while size and runs < MOST_RUNS:
            is_smaller = False
            numbers = [number for number, act in plan.acts.items() if part in (None, act.part)]
            for start in range(0, len(numbers), size):
                if runs >= MOST_RUNS:
                    break
                smaller = plan.only(plan.acts.keys() - set(numbers[start : start + size]))
                if len(smaller.acts) < len(plan.acts) and (found := fails(smaller)) is not None:
                    plan, words, is_smaller = smaller, found, True
            if not is_smaller or size > 1:
                size //= 2
        if (found := fails(plan.early())) is not None:
            plan, words, is_early = plan.early(), found, True
    return Shrunk(plan, words, is_early)


def named(finding: str) -> str:
    """The name of the check that found it."""
    return finding.partition(" ")[2].partition(":")[0]
