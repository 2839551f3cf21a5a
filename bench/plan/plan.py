"""From what was asked to what will be run: names checked, defaults chosen, data prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.assembly import Limits
from bench.data.checks.checks import with_check
from bench.data.datasets import prepare_dataset, prepare_own_dataset
from bench.data.prepared import save_dataset
from bench.data.reading import AS_IT_IS, Reading
from bench.data.suites import Suite, load_suite
from bench.errors import UsageError, unknown_name
from bench.files.cache import cache_dir, file_name, whole_folder
from bench.machine.environment import default_device
from bench.machine.threads import usable_cores
from bench.models.architectures import random_recipes
from bench.plan.engines import backend_of, default_engines, load_engines, read_engines
from bench.plan.keys import content_hash
from bench.plan.prompts import OwnPrompts, check_words, prompted, study_of
from bench.plan.recipes import default_recipes, parse_setting, recipes_for, varied
from bench.plan.studies import Study, load_study
from bench.plan.tiers import Tier, load_tier
from bench.types import Dataset, EngineSpec, ModelSet, Progress, Recipe, Record, Scenario, WeightsChoice

SCENARIOS: tuple[Scenario, ...] = ("single", "offline", "server")
DEFAULT_SCENARIOS: tuple[Scenario, ...] = ("single", "offline")
ENDPOINT = "endpoint"  # the engine that --endpoint fills in


class RunRequest(Record):
    """The choices of `bench run`; None means the default for this machine and this data."""

    suites: tuple[str, ...] = ()
    data: Path | None = None
    reading: Reading = AS_IT_IS
    methods: tuple[str, ...] | None = None
    recipes: Path | None = None
    settings: tuple[str, ...] = ()
    study: str | None = None
    prompts: OwnPrompts = OwnPrompts()
    engines: tuple[str, ...] | None = None
    engines_file: Path | None = None
    endpoint: str | None = None
    endpoint_model: str | None = None
    endpoint_key_env: str | None = None
    concurrency: int | None = None
    scenarios: tuple[str, ...] = DEFAULT_SCENARIOS
    p99_limit_ms: float | None = None
    models: ModelSet | None = None
    weights: WeightsChoice = "trained"
    tier: str | None = None
    seeds: int | None = None
    limit: int | None = None
    device: str | None = None
    threads: int | None = None
    price_per_hour: float | None = None
    out: Path | None = None
    cell_limit_s: float | None = None
    retry: bool = False
    autotune: bool = False
    recalibrate: bool = False
    budget_s: float | None = None


@dataclass(frozen=True)
class TaskPlan:
    """One task of the run: its data, where the jobs find it, and the tier it is measured at."""

    data: Dataset
    data_folder: Path
    tier: Tier


@dataclass(frozen=True)
class Plan:
    """A run whose every name exists."""

    tasks: tuple[TaskPlan, ...]
    recipes: tuple[Recipe, ...]
    engines: tuple[EngineSpec, ...]
    engines_were_chosen: bool
    scenarios: tuple[Scenario, ...]
    models: ModelSet
    study: Study | None
    seeds: int
    limit: int | None
    device: str
    threads: int
    price_per_hour: float | None
    out: Path
    cell_limit_s: float | None
    retry: bool
    autotune: bool
    recalibrate: bool = False
    budget_s: float | None = None
    family_engines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def few_engines(self) -> bool:
        """Whether every task's tier leaves all but the reference and the fastest engine out of the defaults."""
        return all(task.tier.few_engines for task in self.tasks)

    def engines_of(self, family: str | None) -> tuple[EngineSpec, ...]:
        """The engines of a family of models: those chosen by name, else this machine's defaults for the family."""
        names = self.family_engines.get(family or "")
        return self.engines if names is None else tuple(engine for engine in self.engines if engine.name in names)


@dataclass(frozen=True)
class _Checked:
    """What a request asks for, every name found."""

    device: str
    models: ModelSet
    study: Study | None
    recipes: tuple[Recipe, ...]
    scenarios: tuple[Scenario, ...]


def check_request(request: RunRequest) -> _Checked:
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
    return _Checked(device, models, study, recipes, scenarios)


def make_plan(request: RunRequest, progress: Progress) -> Plan:
    """Check every name first, then prepare the data; raises UsageError or DataError before anything is run."""
    asked = check_request(request)
    prepared = [_prepare(prepare, request, progress) for prepare in _sources(request)]
    check_words(asked.recipes, [task.data for task in prepared])
    return Plan(
        tasks=tuple(prepared),
        recipes=asked.recipes,
        engines=choose_engines(request, asked.device, few=all(task.tier.few_engines for task in prepared)),
        engines_were_chosen=bool(request.engines or request.engines_file or request.endpoint),
        scenarios=asked.scenarios,
        models=asked.models,
        study=asked.study,
        seeds=request.seeds or (asked.study.seeds if asked.study else 1),
        limit=request.limit,
        device=asked.device,
        threads=request.threads or usable_cores(),
        price_per_hour=request.price_per_hour,
        out=request.out or default_out(prepared),
        cell_limit_s=request.cell_limit_s,
        retry=request.retry,
        autotune=request.autotune,
        recalibrate=request.recalibrate,
        budget_s=request.budget_s,
    )


def choose_device(name: str | None) -> str:
    """cpu or cuda; raises UsageError when cuda is asked for and cannot be used."""
    best = default_device()
    if name is None:
        return best
    if name == "cuda" and best != "cuda":
        raise UsageError("--device cuda: no GPU that the installed torch can use; `bench doctor` says why")
    return name


def choose_recipes(request: RunRequest, models: ModelSet, study: Study | None) -> tuple[Recipe, ...]:
    """The recipes named by method, id or row, the study's or the default ones; set and varied as asked for."""
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
        chosen = varied(chosen, ",".join(f"{name}={value}" for name, value in changes.items()), changes)
    chosen = prompted(chosen, request.prompts)
    return study.expand(tuple(chosen)) if study else tuple(chosen)


def _random_recipes(request: RunRequest, study: Study | None) -> tuple[Recipe, ...]:
    """All architectures with random weights, or those named, with or without their random- prefix."""
    if study or request.recipes or request.settings or request.prompts != OwnPrompts():
        raise UsageError(
            "--weights random measures rates: there is nothing for --study, --recipes, --set or --prompt to change"
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
    """An id names its recipe alone; a row or a method names all of it."""
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


def default_out(tasks: Iterable[TaskPlan]) -> Path:
    """runs/ and the names of the tasks, so that the same command finds its own results again."""
    return Path("runs") / file_name("+".join(task.data.name for task in tasks), 200)


def _sources(request: RunRequest) -> Iterable[Callable[[Limits, Progress], Dataset]]:
    if not request.suites and request.data is not None:
        return [_own_source(request, request.data)]
    return [_suite_source(request, load_suite(name)) for name in dict.fromkeys(request.suites)]


def _own_source(request: RunRequest, data: Path) -> Callable[[Limits, Progress], Dataset]:
    def prepare(limits: Limits, progress: Progress) -> Dataset:
        return prepare_own_dataset(data, request.reading, limits, progress)

    return prepare


def _suite_source(request: RunRequest, suite: Suite) -> Callable[[Limits, Progress], Dataset]:
    def prepare(limits: Limits, progress: Progress) -> Dataset:
        return prepare_dataset(suite, request.data, limits, progress, request.reading)

    return prepare


def _prepare(prepare: Callable[[Limits, Progress], Dataset], request: RunRequest, progress: Progress) -> TaskPlan:
    """The built-in sample is measured at the short tier of its own, whatever real data would have."""
    tier = load_tier(request.tier or "quick")
    data = with_check(prepare(_limits(tier, request.limit), progress), progress)
    if request.tier is None and data.source.kind == "sample":
        tier = load_tier("sample")
    if request.p99_limit_ms is not None:
        tier = tier.model_copy(update={"latency_limit_ms": request.p99_limit_ms})
    return TaskPlan(data=data, data_folder=store_dataset(data), tier=tier)


def _limits(tier: Tier, limit: int | None) -> Limits:
    return Limits(train=_smaller(tier.train_items, limit), test=_smaller(tier.test_items, limit))


def _smaller(first: int | None, second: int | None) -> int | None:
    given = [number for number in (first, second) if number is not None]
    return min(given) if given else None


def store_dataset(data: Dataset) -> Path:
    """Keep the prepared texts in the cache, where the jobs' processes read them."""
    key = content_hash([data.card.model_dump(), data.prompt.model_dump()])[:16]
    folder = cache_dir() / "datasets" / f"{file_name(data.name)}-{key}"
    if not folder.exists():
        with whole_folder(folder) as scratch:
            save_dataset(data, scratch)
    return folder
