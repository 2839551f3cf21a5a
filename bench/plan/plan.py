"""Makes a plan of a request: names checked, defaults chosen, data prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.assembly import Limits
from bench.data.checks.checks import with_check
from bench.data.datasets import prepare_dataset, prepare_own_dataset, prepare_own_suite
from bench.data.prepared import save_dataset
from bench.data.suites import OwnSuite, Suite, is_own, load_own_suite, load_suite
from bench.errors import UsageError
from bench.files.cache import cache_dir, file_name, whole_folder
from bench.machine.threads import usable_cores
from bench.plan.choices import check_request, choose_engines
from bench.plan.keys import content_hash
from bench.plan.prompts import check_words
from bench.plan.request import RunRequest
from bench.plan.studies import Study
from bench.plan.tiers import Tier, load_tier
from bench.types import Dataset, EngineSpec, ModelSet, Progress, Recipe, Scenario


@dataclass(frozen=True)
class TaskPlan:
    """One task of the run: its data, where the jobs find it, and the tier it is measured at."""

    data: Dataset
    data_folder: Path
    tier: Tier


@dataclass(frozen=True)
class Plan:
    """A run whose every name exists. `beside`: whether others train on the machine's other cores meanwhile."""

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
    beside: bool = False

    @property
    def few_engines(self) -> bool:
        """Whether every task's tier leaves all but the reference and the fastest engine out of the defaults."""
        return all(task.tier.few_engines for task in self.tasks)

    def engines_of(self, family: str | None) -> tuple[EngineSpec, ...]:
        """The engines of a family of models: those chosen by name, else this machine's defaults for the family."""
        names = self.family_engines.get(family or "")
        return self.engines if names is None else tuple(engine for engine in self.engines if engine.name in names)


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


def default_out(tasks: Iterable[TaskPlan]) -> Path:
    """runs/ and the names of the tasks, so that the same command finds its own results again."""
    return Path("runs") / file_name("+".join(task.data.name for task in tasks), 200)


def _sources(request: RunRequest) -> Iterable[Callable[[Limits, Progress], Dataset]]:
    if not request.suites and request.data is not None:
        return [_own_source(request, request.data)]
    own = _own_suites(request)
    return [
        _described_source(request, own[name]) if name in own else _suite_source(request, load_suite(name))
        for name in dict.fromkeys(request.suites)
    ]


def _own_suites(request: RunRequest) -> dict[str, OwnSuite]:
    """The user's suites by the path that names them."""
    own = {name: load_own_suite(Path(name).expanduser()) for name in request.suites if is_own(name)}
    if own and request.data is not None:
        raise UsageError(f"--data {request.data}: {next(iter(own))} names its own data; leave --data out")
    first: dict[str, str] = {}
    for path, suite in own.items():
        if first.setdefault(suite.name, path) != path:
            raise UsageError(f"--suite {path}: {first[suite.name]} has the same name; rename one of them")
    return own


def _own_source(request: RunRequest, data: Path) -> Callable[[Limits, Progress], Dataset]:
    def prepare(limits: Limits, progress: Progress) -> Dataset:
        return prepare_own_dataset(data, request.reading, limits, progress)

    return prepare


def _described_source(request: RunRequest, suite: OwnSuite) -> Callable[[Limits, Progress], Dataset]:
    def prepare(limits: Limits, progress: Progress) -> Dataset:
        return prepare_own_suite(suite, request.reading, limits, progress)

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
