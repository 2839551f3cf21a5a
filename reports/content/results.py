"""Groups a task's results as its tables need them: by trained classifier, in the plan's order."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.results.records import Answers, Result, StoredRun
from bench.types import DataCard, FitRecord


@dataclass(frozen=True)
class Group:
    """One trained classifier (a recipe and a seed, on one machine) and its results, one an engine."""

    name: str
    recipe: str
    method: str
    base_model: str | None
    seed: int
    results: tuple[Result, ...]
    system: str | None = None
    stands_for: str | None = None
    variant_of: str | None = None
    variant: str | None = None
    machine: str | None = None

    @property
    def method_name(self) -> str:
        """What its seeds have in common: the recipe, and in a merged run the machine."""
        return f"{self.recipe} @{self.machine}" if self.machine else self.recipe

    @property
    def short_base(self) -> str | None:
        """The base model without its owner."""
        return self.base_model and self.base_model.rstrip("/").rsplit("/", 1)[-1]

    @property
    def reference(self) -> Result | None:
        """The result that the others' parity certificates are measured against; None where it was not run."""
        return next((result for result in self.results if is_reference(result)), None)

    @property
    def shown(self) -> Result | None:
        """The result whose answers stand for the classifier: the reference's, else the first that has some."""
        answered = [result for result in self.results if result.quality]
        return next((result for result in answered if is_reference(result)), answered[0] if answered else None)

    @property
    def kind(self) -> str | None:
        """The classifier's kind; None where it never came to an engine."""
        return next((result.classifier_kind for result in self.results if result.classifier_kind), None)

    @property
    def fit(self) -> FitRecord | None:
        return next((result.fit for result in self.results if result.fit), None)


@dataclass(frozen=True)
class TaskResults:
    """Everything the tables of one task are made of; `validation`: the classifier's answers there, by each result's id.

    `counted` keeps figures that several tables print.
    """

    data: DataCard
    groups: tuple[Group, ...]
    answers: dict[str, Answers]
    price_per_hour: float | None
    study: str | None = None
    study_axis: str | None = None
    validation: Mapping[str, Answers] = field(default_factory=dict)
    counted: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def cells(self) -> Iterator[tuple[Group, Result]]:
        """Every result with its classifier, in the plan's order."""
        for group in self.groups:
            for result in group.results:
                yield group, result


def is_reference(result: Result) -> bool:
    """Whether the result's own engine is the one its certificate compares it with."""
    return result.parity is not None and result.parity.reference == result.cell.engine


def tasks_of(run: StoredRun) -> list[TaskResults]:
    """The run cut into tasks; the same task on other data is another task."""
    by_task: dict[tuple[str, str], list[Result]] = {}
    for result in run.results:
        by_task.setdefault((result.cell.task, result.data.fingerprint), []).append(result)
    return [_task(results, run) for results in by_task.values()]


def _task(results: list[Result], run: StoredRun) -> TaskResults:
    answers = {
        result.cell.id: run.answers[result.cell.id]
        for result in results
        if result.cell.id in run.answers and result.quality
    }
    settings = run.settings
    return TaskResults(
        results[0].data,
        tuple(_groups(results)),
        answers,
        settings.price_per_hour,
        settings.study,
        settings.study_axis,
        run.validation,
    )


def _groups(results: Iterable[Result]) -> Iterator[Group]:
    by_classifier: dict[tuple[str, str | None, int, str | None], list[Result]] = {}
    for result in results:
        cell = result.cell
        by_classifier.setdefault((cell.recipe, cell.base_model, cell.seed, cell.machine), []).append(result)
    several_seeds = len({seed for _, _, seed, _ in by_classifier}) > 1
    for (recipe, base_model, seed, machine), of_classifier in by_classifier.items():
        cell = of_classifier[0].cell
        yield Group(
            name=recipe + (f" s{seed}" if several_seeds else "") + (f" @{machine}" if machine else ""),
            recipe=recipe,
            method=cell.method,
            base_model=base_model,
            seed=seed,
            results=tuple(of_classifier),
            system=cell.row,
            stands_for=cell.stands_for,
            variant_of=cell.variant_of,
            variant=cell.variant,
            machine=machine,
        )
