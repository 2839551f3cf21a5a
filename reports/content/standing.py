"""What the paired tests say of a task's rows, and of its methods over their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.quality.ranking import Comparison, Ranking, rank
from reports.content.rows import Group, TaskRows


@dataclass(frozen=True)
class Standing:
    """The ranking of every row that has answers; None where no row has."""

    ranking: Ranking | None

    @property
    def ranks(self) -> Mapping[str, int]:
        return self.ranking.ranks if self.ranking else {}

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return self.ranking.comparisons if self.ranking else ()

    @property
    def smallest_difference(self) -> float | None:
        return self.ranking.smallest_difference if self.ranking else None

    def p_of_methods(self, ahead: Sequence[Group], behind: Sequence[Group]) -> float | None:
        """The largest adjusted p over the seeds that both methods have; None where the tests cannot tell them apart.

        A method is ahead only if it is with every seed: the weakest seed speaks for the claim.
        """
        behind_of = {group.seed: group for group in behind}
        pairs = [(group, behind_of[group.seed]) for group in ahead if group.seed in behind_of]
        if not pairs:
            return None
        p_values = [self._p_of(first, second) for first, second in pairs]
        if any(p is None for p in p_values):
            return None
        return max(p for p in p_values if p is not None)

    def _p_of(self, ahead: Group, behind: Group) -> float | None:
        """Adjusted p of the two classifiers' shown rows; None when it is not significant or says the opposite."""
        first, second = ahead.shown, behind.shown
        if self.ranking is None or first is None or second is None:
            return None
        names = (first.cell.id, second.cell.id)
        if not set(names) <= set(self.ranks) or not self.ranking.apart(*names):
            return None
        ordered = self.ranking.rows.index(names[0]) < self.ranking.rows.index(names[1])
        return self.ranking.p_value(*names) if ordered else None


def standing_of(task: TaskRows) -> Standing:
    """Rank the rows of a task by their predictions files."""
    return Standing(rank(task.answers, len(task.data.class_names)) if task.answers else None)
