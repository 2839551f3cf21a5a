"""Runs, opens and judges benchmarks from Python: what `import bench` offers; no more than the commands do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import registry
from bench.errors import NotAvailable
from bench.execution.model import Answer, Model
from bench.execution.predict import Predictor
from bench.gates.baseline import Baseline, make_baseline, open_baseline
from bench.gates.check import check_run
from bench.gates.quality_rules import DEFAULT_RULE, QualityRule
from bench.machine.companions import unfit_companions_hidden
from bench.plan.keywords import SPREAD, AnyPath, Names, make_request, take_spread
from bench.plan.request import DEFAULT_SCENARIOS
from bench.results import store
from bench.results.leaderboards import Leaderboard, file_in, make_leaderboard, write_leaderboard
from bench.results.records import Result, StoredRun
from bench.results.verdicts import Check, CheckedResult, Verdict
from bench.types import ModelSet, WeightsChoice

if TYPE_CHECKING:
    import pandas as pd

    from bench.execution.spread import Executor
__all__ = ["Answer", "CheckedRun", "Model", "Results", "Run", "check", "load", "open_run", "run"]


class Results(tuple[Result, ...]):
    """The records of a run, one a result of its leaderboards, in the leaderboards' order of cells."""

    run: StoredRun

    @classmethod
    def of(cls, run: StoredRun) -> Results:
        """The results of a stored run."""
        results = cls(run.results)
        results.run = run
        return results

    def to_pandas(self) -> pd.DataFrame:
        """A data frame, the columns of `bench export --format csv`; what was not measured is missing.

        Raises NotAvailable where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise NotAvailable("to_pandas() needs pandas; pip install pandas") from error
        return pd.DataFrame(registry.find("report", "rows")(self.run))


@dataclass(frozen=True)
class Run:
    """A run folder: its results, its leaderboards and its trained classifiers, read from the files alone."""

    folder: Path

    @cached_property
    def stored(self) -> StoredRun:
        """Everything the folder holds: settings, environment, results, predictions."""
        return store.open_run(self.folder)

    def results(self) -> Results:
        """One record a classifier and engine, failed and skipped ones too; `.to_pandas()` makes a table of them."""
        return Results.of(self.stored)

    def leaderboard(self, language: str = "en") -> Leaderboard:
        """The leaderboards, "en" or "zh": tables in a notebook, `.markdown` every table, `.to_dict()` every figure."""
        return make_leaderboard(self.stored, language)

    def classifiers(self) -> dict[str, Path]:
        """The folder of each trained classifier by its name, such as agnews.tfidf.s0, for `bench.load`."""
        folder = self.folder / "classifiers"
        return {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}

    def _repr_html_(self) -> str:
        return self.leaderboard()._repr_html_()


def run(
    suites: Names = (),
    *,
    data: AnyPath | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    label_map: Mapping[str, str] | None = None,
    drop_empty: bool = False,
    language: str | None = None,
    methods: Names | None = None,
    recipes: AnyPath | None = None,
    settings: Mapping[str, object] | None = None,
    study: str | None = None,
    bases: Names | None = None,
    prompts: Names | None = None,
    question: str | None = None,
    label_words: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
    backends: Names | None = None,
    backends_file: AnyPath | None = None,
    endpoint: str | None = None,
    endpoint_model: str | None = None,
    endpoint_key_env: str | None = None,
    concurrency: int | None = None,
    scenarios: Names = DEFAULT_SCENARIOS,
    p99_limit_ms: float | None = None,
    models: ModelSet | None = None,
    weights: WeightsChoice = "trained",
    tier: str | None = None,
    seeds: int | None = None,
    limit: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    price_per_hour: float | None = None,
    out: AnyPath | None = None,
    cell_limit_s: float | None = None,
    retry: bool = False,
    autotune: bool = False,
    recalibrate: bool = False,
    budget_s: float | None = None,
    shard: str | None = None,
    store: AnyPath | None = None,
    jobs: int | None = None,
    devices: Names | None = None,
    executor: Executor = "local",
    ray_address: str | None = None,
    ray_accelerator: str | None = None,
    with_classifiers: bool = False,
    progress: bool = True,
) -> Run:
    """Train, serve and measure every cell that has no result yet, as `bench run` does; returns the run.

    The parameters are those of `bench run`; None means the default for this machine and this data. Names may be one
    string ("agnews,weibo") or several. settings: other values of hyperparameters, such as {"epochs": 3}. bases:
    base models in place of the recipes'. prompts: one template or several, with {text} in each; label_words and
    descriptions by class. progress: whether to show a bar and a line a finished job (in a notebook, too). budget_s:
    seconds for all of it, the cheap first; what does not fit is SKIPPED, with the reason. shard ("3/16"), store,
    jobs, devices, executor and ray_*: many workers, as docs/scale.md says.

    A cell that fails does not stop the run: its result says why (`status`, `reason`). Raises UsageError for a name
    that does not exist, DataError for texts that cannot be used, StoreError for a folder that holds something else.

        run = bench.run(suites=["agnews"], methods=["tfidf", "lora"], backends=["eager", "onnx-int8"])
        run.leaderboard()
    """
    return _run(dict(locals()))


def _run(given: dict[str, Any]) -> Run:
    from bench.execution.console import RunConsole
    from bench.execution.spread import Spread, run_request

    progress = given.pop("progress")
    spread = Spread(**take_spread({name: given.pop(name) for name in SPREAD}))

    def write_page(folder: Path) -> None:
        write_leaderboard(folder, page=file_in(folder, "en", "html"))

    with _environment_kept(), RunConsole(quiet=not progress) as console:
        plan, results = run_request(make_request(given), console, spread, write_page)
    if spread.shard is None or results:
        write_page(plan.out)
    return Run(plan.out)


def open_run(folder: AnyPath) -> Run:
    """A run folder that is there already; raises StoreError when it cannot be read.

    bench.open_run("runs/agnews").results()[0].quality.macro_f1.value
    """
    opened = Run(Path(folder))
    opened.stored  # noqa: B018 - reads the folder, so that a wrong one is refused here
    return opened


@dataclass(frozen=True)
class CheckedRun:
    """What `bench.check` found: a verdict for the whole and one a result of the baseline."""

    check: Check

    @property
    def verdict(self) -> Verdict:
        """PASS, REGRESSED or INCONCLUSIVE: the worst of the results."""
        return self.check.verdict

    @property
    def passed(self) -> bool:
        """Whether every result passed."""
        return self.verdict is Verdict.PASS

    @property
    def rows(self) -> tuple[CheckedResult, ...]:
        """The results of the baseline, each with its verdict and the reason."""
        return self.check.rows

    def markdown(self, language: str = "en") -> str:
        """The verdicts as `bench check --markdown` writes them."""
        text: str = registry.find("report", "check")(self.check, language).markdown
        return text

    def _repr_markdown_(self) -> str:
        return self.markdown()


def check(
    run: Run | AnyPath,
    baseline: Run | AnyPath,
    *,
    margin_points: float = 100 * DEFAULT_RULE.margin,
    seed_spread_points: float = 100 * DEFAULT_RULE.seed_spread,
) -> CheckedRun:
    """Judge a run against a baseline, item by item, as `bench check` does.

    run: a run or its folder. baseline: a file of `bench baseline`, another run or its folder. margin_points: what a
    result may lose of accuracy or macro F1. seed_spread_points: the standard deviation between trainings of one recipe,
    for retrained results with fewer than 3 seeds; 0 judges the very classifiers. Raises NotComparable where the two are
    of other data, labels or classes, StoreError for what cannot be read.

        assert bench.check(run, "bench-baseline.json").passed
    """
    head = run if isinstance(run, Run) else open_run(run)
    base: Baseline = make_baseline(baseline.stored) if isinstance(baseline, Run) else open_baseline(Path(baseline))
    return CheckedRun(check_run(head.stored, base, QualityRule.of_points(margin_points, seed_spread_points)))


def load(
    classifier: AnyPath, engine: str | None = None, *, device: str | None = None, threads: int | None = None
) -> Model:
    """Load a classifier folder into an engine of this process.

    classifier: a folder of `bench train`, or of a run (`run.classifiers()`). engine: the reference engine of its kind
    by default. threads: of every library in this process; all cores by default. Raises NotAvailable where the engine
    cannot run here or does not serve it, UsageError for an engine that does not exist, StoreError for a damaged folder.

        bench.load("models/agnews.full-finetune.s0", engine="onnx-int8").predict(["Stocks fall"])[0].label
    """
    predictor = Predictor([Path(classifier)], engine, device, threads)
    with unfit_companions_hidden():
        return Model(predictor.__enter__())


@contextmanager
def _environment_kept() -> Iterator[None]:
    """The process's environment variables are the user's again afterwards; a run sets threads for its own processes."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
