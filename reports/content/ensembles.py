"""Forms a task's possible ensembles: pairs and triples of its best classifiers, and all seeds of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from bench.quality.ensembles import average, ensemble_rate
from bench.quality.ranking import paired_difference
from bench.quality.scores import macro_scores, measure_quality
from bench.results.records import Interval
from reports.content.members import Member, members_by_machine
from reports.content.results import TaskResults

MOST_MEMBERS = 5  # the best on validation, of which pairs and triples are formed


@dataclass(frozen=True)
class Ensemble:
    """Rows of one machine; best: the member of the highest macro F1 on validation, and what is gained over it on test.

    validation_f1: the ensemble's there, by which it is chosen. Rates in 1/s.
    """

    members: tuple[Member, ...]
    best: Member
    validation_f1: float
    macro_f1: Interval
    accuracy: Interval
    gain: Interval
    rate_rps: float

    @property
    def name(self) -> str:
        return " + ".join(member.name for member in self.members)


def ensembles_of(task: TaskResults) -> list[Ensemble]:
    """The best on validation first; test has no part in the choice."""
    if "ensembles" not in task.counted:
        found = [ensemble for members in members_by_machine(task) for ensemble in _ensembles(task, members)]
        task.counted["ensembles"] = sorted(found, key=lambda each: (each.validation_f1, each.rate_rps), reverse=True)
    ensembles: list[Ensemble] = task.counted["ensembles"]
    return ensembles


def _ensembles(task: TaskResults, members: list[Member]) -> Iterator[Ensemble]:
    classes = len(task.data.class_names)
    scores = {}
    for member in members:
        answers = task.validation[member.result.cell.id]
        if member.result.cell.id in task.answers and len(answers.ids):
            scores[member.name] = macro_scores(answers.labels, answers.prediction.labels, classes).f1
    ranked = sorted((each for each in members if each.name in scores), key=lambda each: -scores[each.name])
    for chosen in {tuple(member.name for member in each): each for each in _choices(ranked)}.values():
        cells = [member.result.cell.id for member in chosen]
        validated = average([task.validation[cell] for cell in cells])
        tested = average([task.answers[cell] for cell in cells])
        if not len(validated.ids) or not len(tested.ids):
            continue
        quality = measure_quality(tested, task.data.class_names)
        yield Ensemble(
            members=chosen,
            best=chosen[0],
            validation_f1=macro_scores(validated.labels, validated.prediction.labels, classes).f1,
            macro_f1=quality.macro_f1,
            accuracy=quality.accuracy,
            gain=paired_difference(tested, task.answers[cells[0]], classes),
            rate_rps=ensemble_rate([member.load.rate_rps for member in chosen]),
        )


def _choices(ranked: list[Member]) -> Iterator[tuple[Member, ...]]:
    """Members, the best on validation first in each."""
    for recipe in dict.fromkeys(member.group.recipe for member in ranked):
        seeds = tuple(member for member in ranked if member.group.recipe == recipe)
        if len(seeds) > 1:
            yield seeds
    for size in (2, 3):
        yield from combinations(ranked[:MOST_MEMBERS], size)
