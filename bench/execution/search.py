"""Searches hyperparameters with Optuna: trainings chosen by validation, the best one written down as a recipe."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.errors import BenchError, NotAvailable, UsageError
from bench.execution.context import Context
from bench.execution.training import train
from bench.files.toml import check_fields, read_users_toml
from bench.plan.plan import TaskPlan
from bench.plan.recipes import vary
from bench.results.records import Result
from bench.types import Classifier, Recipe, Record


class Range(Record):
    """The values a hyperparameter may take: between two numbers, or one of several."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = Field(default=())


def load_space(method: str, file: Path | None) -> dict[str, Range]:
    """What to search for a method: the user's file, or search.toml; raises UsageError when neither has it."""
    path = file or Path(__file__).parent / "search.toml"
    content = read_users_toml(path, "--space")
    if method not in content:
        raise UsageError(f"{path} has no table [{method}]; known: {', '.join(content)}; give a file with --space")
    return {name: check_fields(Range, fields, f"{path}: [{method}] {name}") for name, fields in content[method].items()}


def search(context: Context, task: TaskPlan, recipe: Recipe, space: dict[str, Range], trials: int) -> Recipe:
    """The recipe with the hyperparameters whose training has the best validation macro F1; test is never read.

    The sampler is seeded and trainings are cached: the same command again goes on where it stopped. Raises NotAvailable
    without Optuna, BenchError when every training failed.
    """
    if find_spec("optuna") is None:
        raise NotAvailable("bench tune needs Optuna: pip install 'text-classifier-bench[tune]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    failures: list[str] = []
    for _ in range(trials):
        trial = study.ask()
        params = {name: _suggest(trial, name, one) for name, one in space.items()}
        trained = train(context, task, _trial(recipe, params, trial.number), seed=0)
        if isinstance(trained, Result):
            failures.append(trained.reason or "no reason given")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            score = validation_f1(trained.classifier)
            study.tell(trial, score)
            context.console.line(f"trial {trial.number}: validation F1 {score:.4f}: {_shown(params)}")
    if len(failures) == trials:
        raise BenchError(f"every trial failed; the last: {failures[-1]}")
    return recipe.model_copy(update={"params": {**recipe.params, **study.best_params}})


def _trial(recipe: Recipe, params: dict[str, Any], number: int) -> Recipe:
    [one] = vary([recipe], f"trial{number}", params)
    return one


def _suggest(trial: Any, name: str, one: Range) -> Any:
    if one.choices:
        return trial.suggest_categorical(name, list(one.choices))
    if one.low is None or one.high is None:
        raise UsageError(f"search space: {name} needs low and high, or choices")
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def validation_f1(classifier: Classifier) -> float:
    """Macro F1 on validation of the checkpoint that was kept."""
    fit = classifier.manifest.fit
    points = [point.f1 for point in fit.curve if fit.chosen_step in (point.step, None)]
    if not points:
        raise UsageError(f"{classifier.manifest.recipe.method} trains nothing that could be tuned")
    return points[-1]


def recipe_toml(recipe: Recipe) -> str:
    """The recipe as a file for --recipes."""
    lines = [
        f"[{json.dumps(recipe.id + '-tuned')}]",
        f"title = {json.dumps(recipe.title + ', tuned', ensure_ascii=False)}",
        f"method = {json.dumps(recipe.method)}",
        *([f"role = {json.dumps(recipe.role)}"] if recipe.role else []),
        *([f"base_model = {json.dumps(recipe.base_model)}"] if recipe.base_model else []),
        f"params = {{ {', '.join(f'{name} = {_value(value)}' for name, value in recipe.params.items())} }}",
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """TOML writes strings, numbers, booleans and lists of them as JSON does."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _shown(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items()
    )
