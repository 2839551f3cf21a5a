"""A run against a baseline: every row judged on the items both answered."""

from __future__ import annotations

import numpy as np

from bench.errors import NotComparable
from bench.gates.baseline import Baseline, BaselineRow, RowAnswers, row_answers, unpack
from bench.gates.rules import judge_answers
from bench.messages import message
from bench.results.records import Cell, Result, StoredRun
from bench.results.verdicts import Check, CheckedRow, Judgement, Verdict
from bench.types import SplitSizes

Key = tuple[str, str, str | None, int, str | None, str | None, str | None]


def check_run(run: StoredRun, baseline: Baseline) -> Check:
    """Judge every row of the baseline.

    Raises NotComparable when a task both have is of other data or other labels, they have no task in common, or the
    run has a row twice; StoreError for a damaged baseline.
    """
    _refuse_other_data(run, baseline)
    answers = unpack(baseline)
    results = rows_of(run)
    rows = []
    for row in baseline.rows:
        result, old = results.get(row_key(row.cell)), answers[row.cell.id]
        verdict, reason, judgement = _judge(run, result, old)
        rows.append(
            CheckedRow(
                cell=row.cell,
                verdict=verdict,
                reason=reason,
                macro_f1_difference=_macro_f1_difference(row, result, old, judgement),
                judgement=judgement,
            )
        )
    known = {row_key(row.cell) for row in baseline.rows}
    hardware = run.environment.get("hardware_sha256")
    return Check(
        baseline_commit=baseline.commit,
        run_commit=(run.environment.get("git") or {}).get("commit"),
        same_hardware=hardware is not None and hardware == baseline.hardware_sha256,
        rows=tuple(rows),
        new_rows=tuple(result.cell for key, result in results.items() if key not in known and result.quality),
    )


def _judge(run: StoredRun, result: Result | None, old: RowAnswers) -> tuple[Verdict, str | None, Judgement | None]:
    if result is None:
        return Verdict.MISSING, message("not in this run"), None
    if result.cell.id not in run.answers:
        reason = message(
            "{status}: {reason}", status=result.status.value, reason=result.reason or message("no answers")
        )
        return Verdict.FAILED, reason, None
    new = row_answers(run, result.cell.id)
    _, old_rows, new_rows = np.intersect1d(old.ids, new.ids, assume_unique=True, return_indices=True)
    if not len(old_rows):
        return Verdict.MISSING, message("no test item in common"), None
    labels = old.labels[old_rows]
    if not np.array_equal(labels, new.labels[new_rows]):
        raise NotComparable(f"{result.cell.task}: the same test items have other labels than in the baseline")
    judgement = judge_answers(labels, old.predictions[old_rows], new.predictions[new_rows])
    return judgement.verdict, None, judgement


def _macro_f1_difference(
    row: BaselineRow, result: Result | None, old: RowAnswers, judgement: Judgement | None
) -> float | None:
    if judgement is None or result is None or result.quality is None:
        return None
    if not judgement.n == result.quality.n == len(old.ids):
        return None
    return result.quality.macro_f1.value - row.macro_f1.value


def _refuse_other_data(run: StoredRun, baseline: Baseline) -> None:
    cards = {result.cell.task: result.data for result in run.results}
    common = [task.data for task in baseline.tasks if task.data.task in cards]
    if not common:
        there, wanted = ", ".join(sorted(cards)), ", ".join(sorted(task.data.task for task in baseline.tasks))
        raise NotComparable(f"{run.folder} has the tasks {there}, the baseline has {wanted}; nothing to compare")
    for old in common:
        new = cards[old.task]
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


def rows_of(run: StoredRun) -> dict[Key, Result]:
    """The run's results by their row; raises NotComparable where two results claim to be the same row."""
    found: dict[Key, Result] = {}
    for result in run.results:
        other = found.setdefault(row_key(result.cell), result)
        if other is not result:
            raise NotComparable(f"{run.folder} has the same row twice ({other.cell.id} and {result.cell.id}); drop one")
    return found


def row_key(cell: Cell) -> Key:
    """What makes two rows the same row in two runs; the id also holds code and versions, which may change."""
    return (cell.task, cell.recipe, cell.base_model, cell.seed, cell.engine, cell.precision, cell.machine)
