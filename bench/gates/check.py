"""Judges a run against a baseline: every result on the items both answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from bench.errors import NotComparable
from bench.gates.baseline import Baseline, BaselineResult, JudgedAnswers, decode_answers, judged_answers
from bench.gates.quality_rules import DEFAULT_RULE, QualityRule, Sides, judge, measure_spread, unchanged
from bench.results.records import Cell, Result, StoredRun
from bench.results.verdicts import Check, CheckedResult, Judgement, Reason, SeedSpread, Verdict
from bench.types import DataCard, SplitSizes

Key = tuple[str, str, str | None, int, str | None, str | None, str | None]


@dataclass(frozen=True)
class _Pair:
    """A result of the baseline and the run's result of that name, with the answers of both."""

    kept: BaselineResult
    result: Result
    old: JudgedAnswers
    new: JudgedAnswers

    @property
    def same_classifier(self) -> bool:
        """Whether it is known to be: a model behind an endpoint may be another one under the same name."""
        known = self.result.classifier_sha256 is not None and not self.result.without_reference
        return known and self.result.classifier_sha256 == self.kept.classifier_sha256

    @property
    def retrained(self) -> bool:
        """Whether a training made another classifier, so that its luck is part of the difference."""
        fit = self.result.fit
        return not self.same_classifier and fit is not None and fit.trainable_parameters != 0


@dataclass(frozen=True)
class _Question:
    """What is to be judged of a result: the sides' answers, and how far trainings differ where it was retrained."""

    sides: Sides
    unchanged: bool
    spread: SeedSpread | None


def check_run(run: StoredRun, baseline: Baseline, rule: QualityRule = DEFAULT_RULE) -> Check:
    """Judge every result of the baseline by a rule.

    Raises NotComparable when a task both have is of other data or other labels, they have no task in
    common, or the run has a result twice; StoreError for a damaged baseline.
    """
    _refuse_other_data(run, baseline)
    results = results_by_key(run)
    pairs = _pairs(run, baseline, results)
    questions = _questions(pairs, rule.seed_spread)
    judged_together = len({id(question) for question in questions.values() if not question.unchanged})
    judgements = {
        cell_id: unchanged(len(question.sides.labels), rule.margin)
        if question.unchanged
        else judge(question.sides, rule.margin, judged_together, question.spread)
        for cell_id, question in questions.items()
    }
    known = {result_key(kept.cell) for kept in baseline.rows}
    hardware = run.environment.get("hardware_sha256")
    return Check(
        baseline_commit=baseline.commit,
        run_commit=(run.environment.get("git") or {}).get("commit"),
        same_hardware=hardware is not None and hardware == baseline.hardware_sha256,
        margin=rule.margin,
        rows=tuple(_conclude(kept.cell, results.get(result_key(kept.cell)), run, judgements) for kept in baseline.rows),
        new_rows=tuple(result.cell for key, result in results.items() if key not in known and result.quality),
    )


def _pairs(run: StoredRun, baseline: Baseline, results: Mapping[Key, Result]) -> list[_Pair]:
    """The results that both have answers of."""
    answers, found = decode_answers(baseline), []
    for kept in baseline.rows:
        result = results.get(result_key(kept.cell))
        if result is not None and result.cell.id in run.answers:
            found.append(_Pair(kept, result, answers[kept.cell.id], judged_answers(run, result.cell.id)))
    return found


def _questions(pairs: Iterable[_Pair], seed_spread: float) -> dict[str, _Question]:
    """By the baseline's cell id; the seeds of what was trained again are one question that stands for each."""
    groups: dict[Key, list[_Pair]] = {}
    for pair in pairs:
        cell = pair.kept.cell
        groups.setdefault(result_key(cell.model_copy(update={"seed": -1}) if pair.retrained else cell), []).append(pair)
    found = {}
    for group in groups.values():
        sides = _sides(group)
        if sides is None:
            continue
        same = not sides.changed and all(pair.same_classifier for pair in group)
        trained_otherwise = sides.changed and any(pair.retrained for pair in group)
        question = _Question(sides, same, measure_spread(sides, seed_spread) if trained_otherwise else None)
        found.update({pair.kept.cell.id: question for pair in group})
    return found


def _sides(group: Sequence[_Pair]) -> Sides | None:
    """The answers of all seeds to the items that all of them answered; None where there is no such item."""
    everyone = [answers for pair in group for answers in (pair.old, pair.new)]
    ids = reduce(np.intersect1d, (each.ids for each in everyone))
    if not len(ids):
        return None
    labels, *others = (each.labels[np.searchsorted(each.ids, ids)] for each in everyone)
    if not all(np.array_equal(labels, other) for other in others):
        task = group[0].kept.cell.task
        raise NotComparable(f"{task}: the same test items have other labels than in the baseline")
    given = [each.predictions[np.searchsorted(each.ids, ids)] for each in everyone]
    return Sides(labels, given[::2], given[1::2], len(group[0].result.data.class_names))


def _conclude(cell: Cell, result: Result | None, run: StoredRun, judgements: Mapping[str, Judgement]) -> CheckedResult:
    if result is None:
        return CheckedResult(cell=cell, verdict=Verdict.MISSING, reason=Reason.NOT_IN_RUN)
    if result.cell.id not in run.answers:
        return CheckedResult(
            cell=cell,
            verdict=Verdict.FAILED,
            reason=Reason.NO_ANSWERS,
            status=result.status.value,
            detail=result.reason,
        )
    judgement = judgements.get(cell.id)
    if judgement is None:
        return CheckedResult(cell=cell, verdict=Verdict.MISSING, reason=Reason.NO_COMMON_ITEM)
    return CheckedResult(cell=cell, verdict=judgement.verdict, judgement=judgement)


def _refuse_other_data(run: StoredRun, baseline: Baseline) -> None:
    old = {task.data.task: task.data for task in baseline.tasks}
    common = [result.data for result in run.results if result.data.task in old]
    if not common:
        there, wanted = ", ".join(sorted({result.data.task for result in run.results})), ", ".join(sorted(old))
        raise NotComparable(
            f"{run.folder} has the tasks {there or '(none)'}, the baseline has {wanted}; nothing to compare"
        )
    for new in common:
        _refuse_other_card(old[new.task], new)


def _refuse_other_card(old: DataCard, new: DataCard) -> None:
    if new.class_names != old.class_names:
        raise NotComparable(f"{old.task}: the classes are not those of the baseline, or in another order")
    if new.fingerprint != old.fingerprint:
        raise NotComparable(
            f"{old.task}: other data than the baseline's (fingerprint {new.fingerprint[:12]}, not "
            f"{old.fingerprint[:12]}: {_sizes(new.sizes)}, not {_sizes(old.sizes)}); run on the same data, or "
            "write a new baseline"
        )


def _sizes(sizes: SplitSizes) -> str:
    return f"{sizes.train:,} + {sizes.validation:,} + {sizes.test:,} texts"


def results_by_key(run: StoredRun) -> dict[Key, Result]:
    """The run's results by what names them in every run; raises NotComparable where two have one name."""
    found: dict[Key, Result] = {}
    for result in run.results:
        other = found.setdefault(result_key(result.cell), result)
        if other is not result:
            raise NotComparable(
                f"{run.folder} has the same result twice ({other.cell.id} and {result.cell.id}); drop one"
            )
    return found


def result_key(cell: Cell) -> Key:
    """What names a result in every run; the id also holds code and versions, which may change."""
    return (cell.task, cell.recipe, cell.base_model, cell.seed, cell.engine, cell.precision, cell.machine)
