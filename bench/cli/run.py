"""What the commands run, train and tune do, between the arguments and what is printed."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.classifiers.folder import load_classifier
from bench.cli.options import take_prompts, take_reading
from bench.cli.report import print_leaderboard
from bench.errors import CellsFailed, UsageError
from bench.execution.console import RunConsole
from bench.execution.context import Context
from bench.execution.processes import Workers
from bench.execution.run import run_plan
from bench.execution.schedule import Budget
from bench.execution.search import load_space, recipe_toml, search
from bench.execution.sharing import sharing_of, workplace
from bench.execution.training import check_recipes, train
from bench.files.cache import cache_dir, clone_or_copy, whole_folder, write_whole
from bench.machine.threads import usable_cores
from bench.plan.plan import RunRequest, check_request, make_plan
from bench.plan.shards import parse_shard
from bench.results.leaderboards import file_in
from bench.results.records import Result, Status

FAILED = frozenset({Status.CRASH, Status.OOM, Status.TIMEOUT})


@dataclass(frozen=True)
class Shown:
    """How a command shows what it found."""

    language: str
    full: bool
    quiet: bool
    as_json: bool


def run_command(choices: dict[str, Any], shown: Shown, shard: str | None, store: str | None) -> int:
    """Run, store and print; returns how many cells failed. `store`: what the parts of a run share."""
    part = parse_shard(shard) if shard else None
    if part and choices.get("autotune"):
        raise UsageError("--autotune and --shard: each shard would find settings of its own; leave one of them out")
    budget = Budget(choices.get("budget_s"))
    request = request_of(choices)
    check_request(request)
    with RunConsole(shown.quiet) as console:
        console.start("preparing the data")
        workers = Workers(request.threads or usable_cores())  # they import torch while the data is read
        plan = make_plan(request, console.progress)
        with sharing_of(plan.out, part, store) as sharing:
            plan = replace(plan, out=workplace(plan.out, part))
            results = run_plan(plan, console, workers, budget, sharing)
    if part is None or results:
        page = file_in(plan.out, shown.language, "html")
        print_leaderboard(plan.out, shown.as_json, page, shown.language, shown.full)
    return sum(_failed(result) for result in results)


def request_of(choices: dict[str, Any]) -> RunRequest:
    """The choices of a command line as a request."""
    reading, prompts = take_reading(choices), take_prompts(choices)
    return RunRequest(
        reading=reading, prompts=prompts, **{name: value for name, value in choices.items() if value is not None}
    )


def _failed(result: Result) -> bool:
    """An INVALID row without answers failed too: its endpoint gave none."""
    return result.status in FAILED or (result.status is Status.INVALID and result.quality is None)


def train_command(choices: dict[str, Any], quiet: bool, as_json: bool) -> None:
    """Train every classifier asked for and put each into a folder of its own; raises CellsFailed when one fails."""
    out: Path = choices["out"]
    request = request_of(choices)
    trained, failed = [], []
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        plan = make_plan(request, console.progress)
        context = Context(plan, console, Workers(plan.threads), cache_dir(), logs=out / ".logs")
        check_recipes(context)
        for task in plan.tasks:
            for recipe in plan.recipes:
                for seed in range(plan.seeds):
                    outcome = train(context, task, recipe, seed)
                    if isinstance(outcome, Result):
                        failed.append(outcome)
                    else:
                        trained.append(_deliver(outcome.classifier.path, out / outcome.name))
    if as_json:
        sys.stdout.write(json.dumps([str(folder) for folder in trained]) + "\n")
    else:
        sys.stdout.writelines(f"{folder}\n" for folder in trained)
    if failed:
        raise CellsFailed("; ".join(f"{row.cell.task} {row.cell.recipe}: {row.reason}" for row in failed))


def tune_command(choices: dict[str, Any], quiet: bool, as_json: bool) -> None:
    """Search the hyperparameters of one recipe on one task and write the best as a recipe file."""
    out, trials, space = choices.pop("out"), choices.pop("trials"), choices.pop("space")
    request = request_of(choices)
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        plan = make_plan(request, console.progress)
        if len(plan.tasks) != 1 or len(plan.recipes) != 1:
            named = ", ".join(recipe.id for recipe in plan.recipes)
            raise UsageError(f"bench tune takes one task and one recipe; --methods chose: {named}")
        context = Context(plan, console, Workers(plan.threads), cache_dir(), logs=out.parent / f".{out.stem}-logs")
        check_recipes(context)
        [recipe] = plan.recipes
        best = search(context, plan.tasks[0], recipe, load_space(recipe.method, space), trials)
    write_whole(out, recipe_toml(best).encode("utf-8"))
    if as_json:
        sys.stdout.write(json.dumps({"file": str(out), "params": best.params}) + "\n")
    else:
        sys.stdout.write(f"{out}\n{recipe_toml(best)}")


def _deliver(source: Path, target: Path) -> Path:
    """A folder that stands alone: nothing in it points into the cache, and no file in it is one of the cache's."""
    if target.exists():
        load_classifier(target)
        shutil.rmtree(target)
    with whole_folder(target) as scratch:
        for file in source.rglob("*"):
            if file.is_file():
                clone_or_copy(file, scratch / file.relative_to(source))
    return target
