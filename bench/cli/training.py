"""Trains classifiers and searches their hyperparameters: the commands train and tune."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import csv_option, json_option, quiet_option, recipe_options, training_options
from bench.cli.parameters import SectionedCommand, section
from bench.cli.run import make_request

if TYPE_CHECKING:
    from bench.execution.context import Context


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (train, tune):
        cli.add_command(command)


@click.command(cls=SectionedCommand)
@section("What to train")
@csv_option("--suite", "suites", "Suites to train on.", "suites")
@recipe_options
@click.option("--seeds", type=int, help="Training seeds a method, 1 by default.")
@training_options
@section("Output")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True, help="Target folder."
)
@quiet_option
@json_option
def train(quiet: bool, as_json: bool, **choices: Any) -> None:
    """Train classifiers and put each into a folder of its own, ready for `bench predict`."""
    from bench.errors import CellsFailed

    out: Path = choices["out"]
    with _prepare(choices, quiet, out / ".logs") as context:
        trained, failed = _train_all(context, out)
    if as_json:
        sys.stdout.write(json.dumps([str(folder) for folder in trained]) + "\n")
    else:
        sys.stdout.writelines(f"{folder}\n" for folder in trained)
    if failed:
        raise CellsFailed("; ".join(failed))


def _train_all(context: Context, out: Path) -> tuple[list[Path], list[str]]:
    """The folders of those that came out, and what the others say."""
    from bench.execution.training import check_recipes
    from bench.execution.training import train as train_classifier
    from bench.results.records import Result

    trained, failed = [], []
    plan = context.plan
    check_recipes(context)
    for task in plan.tasks:
        for recipe in plan.recipes:
            for seed in range(plan.seeds):
                outcome = train_classifier(context, task, recipe, seed)
                if isinstance(outcome, Result):
                    failed.append(f"{outcome.cell.task} {outcome.cell.recipe}: {outcome.reason}")
                else:
                    trained.append(_deliver(outcome.classifier.path, out / outcome.name))
    return trained, failed


@click.command(cls=SectionedCommand)
@section("What to search")
@csv_option("--suite", "suites", "The suite to search on.", "suites")
@recipe_options
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Trainings to try.")
@click.option(
    "--space", type=click.Path(path_type=Path), help="TOML file of what to search, like bench/execution/search.toml."
)
@training_options
@section("Output")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("tuned.toml"), show_default=True, help="Recipe file."
)
@quiet_option
@json_option
def tune(quiet: bool, as_json: bool, **choices: Any) -> None:
    """Search one recipe's hyperparameters by validation; write the best for `bench run --recipes`. Needs Optuna."""
    from bench.errors import UsageError
    from bench.execution.search import load_space, recipe_toml, search
    from bench.execution.training import check_recipes
    from bench.files.cache import write_whole

    out, trials, space = choices.pop("out"), choices.pop("trials"), choices.pop("space")
    with _prepare(choices, quiet, out.parent / f".{out.stem}-logs") as context:
        plan = context.plan
        if len(plan.tasks) != 1 or len(plan.recipes) != 1:
            named = ", ".join(recipe.id for recipe in plan.recipes)
            raise UsageError(f"bench tune takes one task and one recipe; --methods chose: {named}")
        check_recipes(context)
        [recipe] = plan.recipes
        best = search(context, plan.tasks[0], recipe, load_space(recipe.method, space), trials)
    write_whole(out, recipe_toml(best).encode("utf-8"))
    if as_json:
        sys.stdout.write(json.dumps({"file": str(out), "params": best.params}) + "\n")
    else:
        sys.stdout.write(f"{out}\n{recipe_toml(best)}")


@contextmanager
def _prepare(choices: dict[str, Any], quiet: bool, logs: Path) -> Iterator[Context]:
    """A plan with its data, and what trains it."""
    from bench.execution.console import RunConsole
    from bench.execution.context import Context
    from bench.execution.processes import Workers
    from bench.files.cache import cache_dir
    from bench.plan.plan import make_plan

    request = make_request(choices)
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        plan = make_plan(request, console.progress)
        yield Context(plan, console, Workers(plan.threads), cache_dir(), logs=logs)


def _deliver(source: Path, target: Path) -> Path:
    """A folder that stands alone: nothing in it points into the cache, and no file in it is one of the cache's."""
    from bench.classifiers.folder import load_classifier
    from bench.files.cache import clone_or_copy, whole_folder

    if target.exists():
        load_classifier(target)
        shutil.rmtree(target)
    with whole_folder(target) as scratch:
        for file in source.rglob("*"):
            if file.is_file():
                clone_or_copy(file, scratch / file.relative_to(source))
    return target
