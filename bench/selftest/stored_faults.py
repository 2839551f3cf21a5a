"""Plants faults in what is stored or compared: a repaired tokenizer, a hostile run folder, a rank by another metric."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.errors import BenchError, StoreError
from bench.execution.fit_job import prepare_base
from bench.execution.processes import Outcome, Workers
from bench.messages import message
from bench.plan.keys import classifier_key
from bench.plan.plan import TaskPlan
from bench.quality.ranking import Comparison, rank
from bench.results.merging import merge_runs
from bench.results.records import Answers, Status
from bench.results.selftest import SelfCheck
from bench.results.store import open_run
from bench.selftest.planted_model import plant_model, repair_tokenizer
from bench.types import Prediction, Recipe

JOB_LIMIT_S = 120.0
FREQUENT, RARE = 1900, 100
# right in one of the two classifiers alone: of the rare class, and of the frequent one
ONLY_FIRST, ONLY_SECOND = 47, 85
SECRET = b"what lies beside the run folder"


def stored_checks(task: TaskPlan, recipe: Recipe, run: Path, scratch: Path) -> Iterator[SelfCheck]:
    """All of them; `run` is a finished run folder, `scratch` an empty place to plant in."""
    yield stale_tokenizer(task, recipe, scratch / "model")
    yield cross_metric_rank()
    yield hostile_folder(run, scratch)


# ---------------------------------------------------------------- a repaired tokenizer


def stale_tokenizer(task: TaskPlan, recipe: Recipe, folder: Path) -> SelfCheck:
    """The key that a run looks a trained classifier up by, before and after a word of the tokenizer was repaired."""
    workers, log = Workers(1), folder.parent / "model.log"

    def done(job: Callable[..., object], argument: object) -> Outcome:
        outcome = workers.run(job, (argument,), JOB_LIMIT_S, log, lambda *_: None)
        if outcome.status is not Status.OK:
            raise BenchError(f"the self-test's planted model: {outcome.reason}")
        return outcome

    def key() -> str:
        base = done(prepare_base, str(folder)).payload
        return classifier_key(task.data, recipe, base, None, 0, "cpu", 1)

    done(plant_model, folder)
    first, again = key(), key()
    repair_tokenizer(folder)
    return judge_keys(first, again, key())


def judge_keys(first: str, again: str, repaired: str) -> SelfCheck:
    """The same model must be found again, a repaired one must not be taken for it."""
    if again != first:
        found = message("trained anew although nothing changed")
    else:
        found = message("trained anew") if repaired != first else message("the old classifier, delivered again")
    return SelfCheck(
        name=message("a base model whose tokenizer.json is repaired"),
        expected=message("trained anew"),
        found=found,
        passed=again == first != repaired,
    )


# ---------------------------------------------------------------- a rank by another metric


def cross_metric_rank() -> SelfCheck:
    """One classifier is better by macro F1, which sorts, the other by accuracy: who is better is said by what sorts."""
    truth = np.repeat([0, 1], [FREQUENT, RARE])
    first, second = truth.copy(), truth.copy()
    first[:ONLY_SECOND] = 1
    second[FREQUENT : FREQUENT + ONLY_FIRST] = 0
    ranking = rank({"A": _answers(truth, first), "B": _answers(truth, second)}, 2)
    return judge_rank(ranking.comparisons[0], ranking.rows[0])


def judge_rank(found: Comparison, best: str) -> SelfCheck:
    """Whoever is called better must be the result that stands first, by a p that is not accuracy's."""
    by_accuracy = abs(np.log(max(found.p, 1e-300)) - np.log(max(found.accuracy_p, 1e-300))) < np.log(1.2)
    if found.ahead != best:
        said = message("the lower result called better")
    else:
        said = message("tested by accuracy") if by_accuracy else message("tested by macro F1")
    return SelfCheck(
        name=message("two classifiers, one ahead in macro F1, the other in accuracy"),
        expected=message("tested by macro F1"),
        found=said,
        passed=found.ahead == best and not by_accuracy,
    )


def _answers(truth: np.ndarray, given: np.ndarray) -> Answers:
    n = len(truth)
    prediction = Prediction(np.eye(2)[given], given, np.ones(n, np.int32), np.zeros(n, bool))
    return Answers(np.arange(n), truth, prediction)


# ---------------------------------------------------------------- a hostile folder


def hostile_folder(run: Path, scratch: Path) -> SelfCheck:
    """A run whose cells name places outside, and one that links to a file outside: nothing is read or written there."""
    place = scratch / "strangers"
    secret = place / "secret"
    spoilers = {"named": _name_places, "linked": _link_to}
    refused = True
    for name, spoil in spoilers.items():
        hostile = place / "deep" / name
        shutil.copytree(run, hostile, ignore=shutil.ignore_patterns(".*", "logs", "loadgen"))
        secret.write_bytes(SECRET)
        spoil(hostile, secret)
        refused = _refuses(run, hostile, place / "merged") and refused
    return judge_folder(refused, _left_alone(place, secret, set(spoilers)))


def judge_folder(refused: bool, left_alone: bool) -> SelfCheck:
    """Both must hold: a sentence instead of a table, and nothing touched outside."""
    found = message("refused, nothing outside touched")
    if not left_alone:
        found = message("read or wrote outside")
    elif not refused:
        found = message("taken for a run")
    return SelfCheck(
        name=message("a run folder of a stranger that names files outside"),
        expected=message("refused, nothing outside touched"),
        found=found,
        passed=refused and left_alone,
    )


def _name_places(hostile: Path, secret: Path) -> None:
    """Every cell says that its files lie where the secret does."""
    for file in (hostile / "cells").glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        content["cell"]["id"] = f"../../{secret.name}"
        content["predictions_file"] = f"../../{secret.name}"
        file.write_text(json.dumps(content), encoding="utf-8")


def _link_to(hostile: Path, secret: Path) -> None:
    """The answers are links to the secret."""
    for file in (hostile / "predictions").glob("*.parquet"):
        file.unlink()
        file.symlink_to(secret)


def _refuses(honest: Path, hostile: Path, merged: Path) -> bool:
    """Whether neither reading nor merging takes it."""
    taken = []
    for use in (lambda: open_run(hostile), lambda: merge_runs([honest, hostile], merged)):
        try:
            use()
        except StoreError:
            continue
        taken.append(use)
    return not taken


def _left_alone(place: Path, secret: Path, planted: set[str]) -> bool:
    """Whether the secret is as it was, and nothing lies in the place but what was planted."""
    beside = {path.name for path in place.iterdir()} | {path.name for path in (place / "deep").iterdir()}
    return secret.read_bytes() == SECRET and beside == {"deep", secret.name, *planted}
