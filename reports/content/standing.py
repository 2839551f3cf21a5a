"""Says what the paired tests tell of a task's classifiers, and of its methods over their seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.quality.methods import MethodComparison, compare_methods
from bench.quality.ranking import Comparison, Ranking, rank
from bench.results.records import Answers, Result
from reports.content.results import Group, TaskResults

METHOD_SEEDS = 3


@dataclass(frozen=True)
class Standing:
    """The ranking of every result that has answers (None where no result has), and the comparisons of methods."""

    ranking: Ranking | None
    methods: tuple[MethodComparison, ...] = ()

    @property
    def ranks(self) -> Mapping[str, int]:
        """The best rank that each result may have."""
        return self.ranking.ranks if self.ranking else {}

    @property
    def letters(self) -> Mapping[str, str]:
        """Rows with a letter in common are not told apart."""
        return self.ranking.letters if self.ranking else {}

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return self.ranking.comparisons if self.ranking else ()

    @property
    def smallest_difference(self) -> float | None:
        return self.ranking.smallest_difference if self.ranking else None

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The order of the results."""
        return {name: place for place, name in enumerate(self.ranking.rows)} if self.ranking else {}

    @property
    def speakers(self) -> Mapping[str, str]:
        """The result that speaks for each result's classifier, in the order of the results."""
        return {name: self.ranking.stands_for[name] for name in self.ranking.rows} if self.ranking else {}

    def rank_range(self, name: str) -> str | None:
        """A result's rank, or the ranks it may have; None for a result without one."""
        if self.ranking is None or name not in self.ranks:
            return None
        first, last = self.ranking.ranks[name], self.ranking.last_ranks[name]
        return str(first) if first == last else f"{first}-{last}"


def standing_of(task: TaskResults) -> Standing:
    """Rank the classifiers of a task by their predictions files."""
    if not task.answers:
        return Standing(None)
    class_count = len(task.data.class_names)
    return Standing(
        rank(task.answers, class_count, _speakers(task)),
        compare_methods(_seeds_of_methods(task), class_count),
    )


def _speakers(task: TaskResults) -> dict[str, str]:
    """The result that speaks for each result's classifier: the shown one where the engine keeps its answers, or itself.

    The same trained classifier on two machines is one.
    """
    speakers: dict[str, str] = {}
    by_weights: dict[str, str] = {}
    for group in task.groups:
        shown = group.shown
        if shown is None or shown.cell.id not in task.answers:
            continue
        speaker = by_weights.setdefault(shown.classifier_sha256 or shown.cell.id, shown.cell.id)
        for result in group.results:
            if result.cell.id in task.answers:
                speakers[result.cell.id] = speaker if result is shown or _keeps_answers(result) else result.cell.id
    return speakers


def _keeps_answers(result: Result) -> bool:
    return result.parity is not None and result.parity.passed


def _seeds_of_methods(task: TaskResults) -> dict[str, list[Answers]]:
    """The answers of every method that was trained with seeds enough to speak of it."""
    methods: dict[str, list[Answers]] = {}
    for group in task.groups:
        if group.shown and group.shown.cell.id in task.answers:
            methods.setdefault(method_of(group), []).append(task.answers[group.shown.cell.id])
    return {name: seeds for name, seeds in methods.items() if len(seeds) >= METHOD_SEEDS}


def method_of(group: Group) -> str:
    """What its seeds have in common: the recipe, in a merged run the machine, and the base model where it has one."""
    return " ".join(filter(None, (group.method_name, group.short_base and f"({group.short_base})")))
