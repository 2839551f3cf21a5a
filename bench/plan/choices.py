"""Finds every name of a request, and chooses what it leaves open: device, recipes, engines, scenarios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import UsageError, unknown_name
from bench.machine.environment import default_device
from bench.models.architectures import random_recipes
from bench.plan.engines import backend_of, default_engines, load_engines, read_engines
from bench.plan.prompts import OwnPrompts, set_prompts, study_of
from bench.plan.recipes import default_recipes, parse_setting, recipes_for, vary
from bench.plan.request import SCENARIOS, RunRequest
from bench.plan.studies import Study, load_study
from bench.plan.tiers import load_tier
from bench.types import EngineSpec, ModelSet, Recipe, Scenario

ENDPOINT = "endpoint"  # the engine that --endpoint fills in


@dataclass(frozen=True)
class Choices:
    """What a request asks for, every name found."""

    device: str
    models: ModelSet
    study: Study | None
    recipes: tuple[Recipe, ...]
    scenarios: tuple[Scenario, ...]


def check_request(request: RunRequest) -> Choices:
    """Find every name before anything costs time; raises UsageError."""
    if not request.suites and request.data is None:
        raise UsageError("nothing to run: name a suite (--suite agnews,weibo) or a data set (--data FILE)")
    if request.seeds is not None and request.seeds < 1:
        raise UsageError(f"--seeds {request.seeds}: at least 1 training seed is needed")
    if request.limit is not None and request.limit < 2:
        raise UsageError(f"--limit {request.limit}: at least 2 texts are needed")
    device = choose_device(request.device)
    models: ModelSet = request.models or ("small" if device == "cpu" else "published")
    study = study_of(request.prompts, load_study(request.study) if request.study else None)
    recipes = choose_recipes(request, models, study)
    choose_engines(request, device, few=False)
    scenarios = choose_scenarios(request.scenarios)
    if request.p99_limit_ms is not None and "server" not in scenarios:
        raise UsageError("--p99-limit-ms is the limit of the server scenario: add --scenario server")
    if request.tier:
        load_tier(request.tier)
    return Choices(device, models, study, recipes, scenarios)


def choose_device(name: str | None) -> str:
    """cpu or cuda; raises UsageError when cuda is asked for and cannot be used."""
    best = default_device()
    if name is None:
        return best
    if name == "cuda" and best != "cuda":
        raise UsageError("--device cuda: no GPU that the installed torch can use; `bench doctor` says why")
    return name


def choose_recipes(request: RunRequest, models: ModelSet, study: Study | None) -> tuple[Recipe, ...]:
    """The recipes named by method, id or system, the study's or the default ones; set and varied as asked for."""
    if request.weights == "random":
        return _random_recipes(request, study)
    recipes = recipes_for(models, request.recipes)
    wanted = request.methods or (study.methods if study and request.recipes is None else None)
    if wanted:
        known = {name for recipe in recipes for name in (recipe.id, recipe.method, recipe.row) if name}
        for name in wanted:
            if name not in known:
                raise unknown_name("method", name, known)
        chosen = [recipe for recipe in recipes if any(_is_named(recipe, name, recipes) for name in wanted)]
    else:
        chosen = default_recipes(models, request.recipes)
    if request.settings:
        changes = dict(map(parse_setting, request.settings))
        chosen = vary(chosen, ",".join(f"{name}={value}" for name, value in changes.items()), changes)
    chosen = set_prompts(_base(chosen, request.bases), request.prompts)
    return study.expand(tuple(chosen)) if study else tuple(chosen)


def _base(recipes: list[Recipe], bases: tuple[str, ...]) -> list[Recipe]:
    """The recipes once on every base named, those that have none as they are; UsageError where none has one."""
    if not bases:
        return recipes
    if not any(recipe.role or recipe.base_model for recipe in recipes):
        raise UsageError(f"--base: none of these has a base model: {', '.join(recipe.id for recipe in recipes)}")
    changed: list[Recipe] = []
    for recipe in recipes:
        own = {"role": None, "stands_for": None}
        changed += (
            [one.model_copy(update={**own, "base_model": base}) for base in bases for one in vary([recipe], base)]
            if recipe.role or recipe.base_model
            else [recipe]
        )
    return changed


def _random_recipes(request: RunRequest, study: Study | None) -> tuple[Recipe, ...]:
    """All architectures with random weights, or those named, with or without their random- prefix."""
    if study or request.recipes or request.settings or request.bases or request.prompts != OwnPrompts():
        raise UsageError(
            "--weights random measures rates: --study, --recipes, --base, --set and --prompt have nothing to change"
        )
    known = {recipe.id: recipe for recipe in random_recipes()}
    wanted = [name if name.startswith("random-") else f"random-{name}" for name in request.methods or known]
    for name in wanted:
        if name not in known:
            raise unknown_name(
                "architecture", name.removeprefix("random-"), [known[one].base_model or "" for one in known]
            )
    return tuple(known[name] for name in dict.fromkeys(wanted))


def _is_named(recipe: Recipe, name: str, recipes: list[Recipe]) -> bool:
    """An id names its recipe alone; a system or a method names all of it."""
    if any(one.id == name for one in recipes):
        return recipe.id == name
    return name in (recipe.row, recipe.method)


def choose_engines(request: RunRequest, device: str, few: bool) -> tuple[EngineSpec, ...]:
    """The engines named, those of the user's file and the endpoint given, or this machine's default ones.

    Each is asked whether it can run here, because that checks its options; raises UsageError for a wrong one.
    """
    of_user = read_engines(request.engines_file) if request.engines_file else {}
    known = {**load_engines(), **of_user}
    if endpoint := _endpoint(request):
        of_user = {**of_user, ENDPOINT: endpoint}
        known[ENDPOINT] = endpoint
    chosen = request.engines or tuple(of_user) or default_engines(device, few)
    if endpoint and ENDPOINT not in chosen:
        chosen = (*chosen, ENDPOINT)
    for name in chosen:
        if name not in known:
            raise unknown_name("engine", name, known)
    engines = tuple(known[name] for name in chosen)
    for engine in engines:
        backend_of(engine).availability(engine, device)
    return engines


def _endpoint(request: RunRequest) -> EngineSpec | None:
    """The engine `endpoint` with what the command line says of it; None where it names no address."""
    given = {"model": request.endpoint_model, "key_env": request.endpoint_key_env, "concurrency": request.concurrency}
    changes = {name: value for name, value in given.items() if value is not None}
    if request.endpoint is None:
        if changes:
            raise UsageError("which endpoint? Give its address too: --endpoint http://127.0.0.1:8000/v1")
        return None
    if request.endpoint_model is None:
        raise UsageError("--endpoint needs --endpoint-model NAME, the model's name there (GET /v1/models lists them)")
    engine = load_engines()[ENDPOINT]
    return engine.model_copy(update={"options": {**engine.options, **changes, "url": request.endpoint}})


def choose_scenarios(names: Iterable[str]) -> tuple[Scenario, ...]:
    """The scenarios named, in the harness's order."""
    wanted = set(names)
    for name in wanted:
        if name not in SCENARIOS:
            raise unknown_name("scenario", name, SCENARIOS)
    return tuple(scenario for scenario in SCENARIOS if scenario in wanted)
