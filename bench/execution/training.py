"""Gets a classifier for a recipe: from the cache, or trained once for all engines."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bench.classifiers.folder import load_classifier
from bench.errors import AssetError, UsageError
from bench.execution import fit_job
from bench.execution.cells import failed_result, new_cell
from bench.execution.context import Context
from bench.execution.processes import Outcome
from bench.models.base import model_for
from bench.plan.keys import classifier_key, content_hash
from bench.plan.plan import TaskPlan
from bench.results.names import classifier_name
from bench.results.records import Cell, Result, Status
from bench.results.store import read_result, result_path, write_record
from bench.types import BaseWeights, Classifier, ModelSet, Recipe, WeightsChoice, Workplace

BASE_LIMIT_S = 3600.0


@dataclass(frozen=True)
class Trained:
    """A classifier ready to be measured; `fit_wall_s`: what its training took now, None for one from the cache."""

    task: TaskPlan
    recipe: Recipe
    seed: int
    base_name: str | None
    classifier: Classifier
    fit_wall_s: float | None = None

    @property
    def name(self) -> str:
        return _name(self.task, self.recipe, self.seed)


def _name(task: TaskPlan, recipe: Recipe, seed: int) -> str:
    return classifier_name(task.data.name, recipe.id, seed)


def check_recipes(context: Context) -> None:
    """Stop before anything is trained when a hyperparameter is wrong; in a process of its own, which loads torch."""
    outcome = context.run(
        "checking the recipes", fit_job.check_recipes, context.plan.recipes, BASE_LIMIT_S, "recipes", True
    )
    if outcome.status is not Status.OK:
        raise UsageError(outcome.reason or "the recipes cannot be read")


def train(context: Context, task: TaskPlan, recipe: Recipe, seed: int) -> Trained | Result:
    """The trained classifier, or the result that says why there is none."""
    title = f"{task.data.name} {recipe.id} s{seed}"
    base_name = _base_name(recipe, task.data.language, context.plan.models)
    prepared = _prepare_base(context, base_name, recipe.weights)
    if prepared.status is not Status.OK:
        key = content_hash([task.data.fingerprint, recipe.model_dump(), base_name, seed])
        cell = new_cell(task.data, recipe, base_name, seed, None, key)
        context.console.line(f"{title}: {prepared.status.lower()}: {prepared.reason}")
        over = prepared.over_budget
        return failed_result(cell, task.data.card, prepared.status, prepared.reason, over_budget=over)
    base: BaseWeights | None = prepared.payload
    scorer = _scorer(context, task, recipe)
    if isinstance(scorer, Outcome):
        cell = new_cell(
            task.data, recipe, base_name, seed, None, content_hash([task.data.fingerprint, recipe.id, seed])
        )
        return failed_result(cell, task.data.card, scorer.status, f"choosing texts: {scorer.reason}")
    key = classifier_key(task.data, recipe, base, scorer, seed, context.plan.device, context.plan.threads)
    cell = new_cell(task.data, recipe, base_name, seed, None, key)
    name = f"{_name(task, recipe, seed)}-{key[:12]}"
    ready = _Ready(title, task, recipe, seed, base_name, base, scorer, context.cache / "classifiers" / name, cell)
    return _train_in_turn(context, ready) if context.sharing else _train_here(context, ready)


@dataclass(frozen=True)
class _Ready:
    """A training with everything it needs; `cell` is the result that says why it failed, if it does."""

    title: str
    task: TaskPlan
    recipe: Recipe
    seed: int
    base_name: str | None
    base: BaseWeights | None
    scorer: BaseWeights | None
    folder: Path
    cell: Cell


def _train_in_turn(context: Context, ready: _Ready) -> Trained | Result:
    """Train it where no other worker did or does, and let all have it."""
    sharing, cell_id = context.sharing, ready.cell.id
    assert sharing is not None  # noqa: S101 - asked by the caller
    if not context.plan.retry and sharing.fetch_classifier(ready.folder):
        return _train_here(context, ready)
    with sharing.turn(ready.folder.name, f"{ready.title} training"):
        sharing.fetch_cell(context.out, cell_id, settled=context.plan.retry)
        fetched = sharing.fetch_classifier(ready.folder)
        made = _train_here(context, ready)
        if isinstance(made, Trained) and not fetched:
            sharing.publish_classifier(ready.folder)
            return replace(made, classifier=load_classifier(ready.folder))
        if isinstance(made, Result) and not made.over_budget:
            write_record(result_path(context.out, cell_id), made)
            sharing.publish_cell(context.out, ready.cell, made, again=context.plan.retry)
        return made


def _train_here(context: Context, ready: _Ready) -> Trained | Result:
    task, recipe, seed, cell = ready.task, ready.recipe, ready.seed, ready.cell
    if result_path(context.out, cell.id).exists() and not context.plan.retry:
        failed = read_result(context.out, cell.id)
        if failed is not None and not failed.over_budget:
            return failed
    outcome = _ensure_trained(context, ready.title, task, recipe, ready.base, ready.scorer, seed, ready.folder)
    if outcome.status is not Status.OK:
        reason, over = f"training: {outcome.reason}", outcome.over_budget
        return failed_result(cell, task.data.card, outcome.status, reason, outcome.wall_s, over_budget=over)
    return Trained(task, recipe, seed, ready.base_name, load_classifier(ready.folder), outcome.wall_s or None)


def left_out(context: Context, task: TaskPlan, recipe: Recipe, seed: int, reason: str) -> Result:
    """The result of a classifier that is not even trained, because the time given has no room for it."""
    base_name = _base_name(recipe, task.data.language, context.plan.models)
    key = content_hash(["left out", task.data.fingerprint, recipe.model_dump(), base_name, seed])
    cell = new_cell(task.data, recipe, base_name, seed, None, key)
    return failed_result(cell, task.data.card, Status.SKIPPED, reason, over_budget=True)


def _scorer(context: Context, task: TaskPlan, recipe: Recipe) -> BaseWeights | Outcome | None:
    """The language model that finds hard texts; None where the recipe does not select by them."""
    if recipe.cut.selection == "stratified":
        return None
    prepared = _prepare_base(context, model_for("causal", task.data.language, context.plan.models))
    found: BaseWeights | None = prepared.payload
    return prepared if found is None else found


def _base_name(recipe: Recipe, language: str, models: ModelSet) -> str | None:
    if recipe.base_model is not None or recipe.role is None:
        return recipe.base_model
    return model_for(recipe.role, language, models)


def _prepare_base(context: Context, name: str | None, weights: WeightsChoice = "trained") -> Outcome:
    """Fetched and converted in a process of its own, so that this one never loads torch."""
    if name is None:
        return Outcome(Status.OK)
    log_name = f"base.{name.replace('/', '-')}"
    job = fit_job.prepare_base if weights == "trained" else fit_job.prepare_random
    return context.run(f"preparing {name}", job, name, BASE_LIMIT_S, log_name)


def _ensure_trained(
    context: Context,
    title: str,
    task: TaskPlan,
    recipe: Recipe,
    base: BaseWeights | None,
    scorer: BaseWeights | None,
    seed: int,
    folder: Path,
) -> Outcome:
    if folder.exists():
        try:
            load_classifier(folder)
            return Outcome(Status.OK)
        except AssetError as error:
            context.console.line(f"{title}: training again, the cached classifier is damaged: {error}")
            shutil.rmtree(folder)
    plan = context.plan
    place = Workplace(plan.device, plan.threads, context.cache)
    beside = plan.beside and plan.device == "cpu"  # a GPU is each worker's own
    fit = fit_job.FitTask(task.data_folder, recipe, base, scorer, seed, folder, place, beside)
    limit_s = plan.cell_limit_s or task.tier.fit_limit_s
    outcome = context.run(title, fit_job.fit, fit, limit_s, f"fit.{folder.name}", alone=not beside)
    if outcome.status is Status.OK:
        context.console.line(f"{title}: trained in {outcome.wall_s:.1f} s")
    else:
        context.console.line(f"{title}: training {outcome.status}: {outcome.reason}")
    return outcome
