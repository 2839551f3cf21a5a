"""`bench selftest`: planted faults that the machinery of every run has to find, and that it does not cry wolf."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import bench
from bench.cache import cache_dir
from bench.console import RunConsole
from bench.datasets import Limits, prepare_own_dataset
from bench.environment import git_state, hardware_fingerprint
from bench.errors import BenchError
from bench.gate import Verdict, judge_answers
from bench.plan import Plan, TaskPlan, store_dataset
from bench.recipes import recipes_for
from bench.results import Result, Status
from bench.run import run_plan
from bench.selftest_record import SelfCheck, SelfTest
from bench.selftest_store import store_selftest
from bench.speed_check import MOST_TURNS, Side, SpeedWorker, take_turns
from bench.speed_gate import judge_turns
from bench.speed_worker import WorkerTask
from bench.tiers import load_tier
from bench.types import EngineSpec

SAMPLE = Path(__file__).parent / "samples" / "agnews.tsv"
REAL_ENGINE = "eager"
STALL_S, STALL_EVERY = 1.0, 80  # more than 1 % of the queries, so it is p99 that has to show it
QUERIES = 700  # p99 is printed from 662 on
CEILING_RPS = 10_000.0  # less than 0.1 ms of a query's time is the harness's
ITEMS, DISCORDANCE = 7600, 0.02
SLOWDOWNS = (0.0, 0.05, 0.1, 0.2)
TRIALS = 1000
SPEED_TRIALS = 200
NEAR = 0.05

ENGINES: dict[str, dict[str, Any]] = {
    "honest": {"fault": "none"},
    "does-nothing": {"fault": "does-nothing"},
    "stalls": {"fault": "stalls", "stall_s": STALL_S, "every": STALL_EVERY},
    "flips": {"fault": "flips", "share": 0.05},
    "caches": {"fault": "caches"},
    "truncates": {"fault": "truncates", "words": 5},
}


def run_selftest(console: RunConsole) -> SelfTest:
    """Train a small network on the built-in sample, serve it through faulty engines, judge; keep the result."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-selftest-") as scratch:
        plan = _plan(Path(scratch) / "run")
        results = {str(result.cell.engine): result for result in run_plan(plan, console)}
        checks = [*engine_checks(results), *accuracy_checks()]
        console.start("planted slowdowns")
        checks += slowdown_checks(_turns(plan, console))
    record = SelfTest(
        harness=bench.__version__,
        commit=(git_state() or {}).get("commit"),
        hardware_sha256=hardware_fingerprint(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_s=time.monotonic() - started,
        checks=tuple(checks),
    )
    store_selftest(record)
    return record


def _plan(out: Path) -> Plan:
    """A run like any other, but for its engines."""
    data = prepare_own_dataset(SAMPLE, None, None, Limits(), None)
    tier = load_tier("sample").model_copy(update={"min_queries": QUERIES})
    recipe = next(recipe for recipe in recipes_for("small") if recipe.id == "textcnn")
    return Plan(
        tasks=(TaskPlan(data=data, data_folder=store_dataset(data), tier=tier),),
        recipes=(recipe,),
        engines=tuple(map(_faulty, ENGINES)),
        engines_were_chosen=True,
        scenarios=("single",),
        models="small",
        study=None,
        seeds=1,
        limit=None,
        device="cpu",
        threads=1,
        price_per_hour=None,
        out=out,
        cell_limit_s=120.0,
        retry=False,
        autotune=False,
    )


def _faulty(name: str, **fault: Any) -> EngineSpec:
    options = {"engine": REAL_ENGINE, **(fault or ENGINES[name])}
    return EngineSpec(name=name, title=name, backend="faulty", precision="fp32", options=options)


# ---------------------------------------------------------------- engines


def engine_checks(results: dict[str, Result]) -> Iterator[SelfCheck]:
    """What the rows of the faulty engines say; raises BenchError when the run itself failed."""
    for name in ENGINES:
        if name not in results or results[name].parity is None:
            reason = results[name].reason if name in results else next(iter(results.values())).reason
            raise BenchError(f"the self-test's engine '{name}' has no row to judge: {reason}")
    yield _honest(results["honest"])
    yield _ceiling(results["does-nothing"])
    yield _certificate("an engine that reads nothing", results["does-nothing"])
    yield _certificate("an engine that flips 5 % of the labels", results["flips"])
    yield _certificate("an engine that reads 5 words", results["truncates"], tokens=True)
    yield _cached(results["caches"])
    yield _stall(results["stalls"])


def _honest(row: Result) -> SelfCheck:
    passed = row.status is Status.OK and row.parity is not None and row.parity.passed
    return SelfCheck(
        name="an honest engine", expected="OK, same answers", found=f"{row.status}, {_answers(row)}", passed=passed
    )


def _answers(row: Result) -> str:
    parity = row.parity
    if parity is None:
        return "no certificate"
    tokens = "" if parity.same_tokens is not False else ", other tokens"
    return f"{'same answers' if parity.passed else 'changes answers'} ({parity.equal_labels:.1%} equal{tokens})"


def _ceiling(row: Result) -> SelfCheck:
    rate = row.load["single"].rate_rps
    return SelfCheck(
        name="what the harness costs: an engine that does nothing",
        expected=f">= {CEILING_RPS:,.0f} queries/s",
        found=f"{rate:,.0f} queries/s",
        passed=rate >= CEILING_RPS,
    )


def _certificate(name: str, row: Result, tokens: bool = False) -> SelfCheck:
    parity = row.parity
    caught = parity is not None and not parity.passed and (not tokens or parity.same_tokens is False)
    expected = "changes answers, other tokens" if tokens else "changes answers"
    return SelfCheck(name=name, expected=expected, found=_answers(row), passed=caught)


def _cached(row: Result) -> SelfCheck:
    caught = row.status is Status.INVALID and "from a cache" in (row.reason or "")
    found = f"{row.status}: {row.reason}" if row.reason else str(row.status)
    return SelfCheck(name="an engine that caches answers", expected="INVALID", found=found, passed=caught)


def _stall(row: Result) -> SelfCheck:
    p50, p99 = row.load["single"].p50_ms or 0.0, row.load["single"].p99_ms or 0.0
    return SelfCheck(
        name=f"a stall of {STALL_S:g} s at every {STALL_EVERY}th query",
        expected="p99 >= 1,000 ms, p50 below",
        found=f"p99 {p99:,.0f} ms, p50 {p50:.1f} ms",
        passed=p99 >= 1000 * STALL_S > p50,
    )


# ---------------------------------------------------------------- accuracy


def accuracy_checks() -> Iterator[SelfCheck]:
    """The quality gate on seeded trials of 7,600 answers, 2 % of them right in one of the two only.

    The rates are those of benchmarks/gate_power.md, with room for chance in 1,000 trials.
    """
    yield _accuracy(0.0, Verdict.REGRESSED, "<=", 0.01)
    yield _accuracy(0.002, Verdict.REGRESSED, "<=", 0.1)
    yield _accuracy(0.005, Verdict.PASS, "<=", 0.05)
    yield _accuracy(0.01, Verdict.REGRESSED, ">=", 0.95)


def _accuracy(loss: float, verdict: Verdict, relation: str, bound: float) -> SelfCheck:
    counts = Counter(_judge_loss(loss, seed) for seed in range(TRIALS))
    share = counts[verdict] / TRIALS
    name = f"an accuracy loss of {100 * loss:.1f} points" if loss else "no accuracy loss"
    return SelfCheck(
        name=f"{name}, {TRIALS:,} trials",
        expected=f"{verdict} {relation} {bound:.0%}",
        found=_shares(counts, TRIALS),
        passed=share >= bound if relation == ">=" else share <= bound,
    )


def _judge_loss(loss: float, seed: int) -> Verdict:
    rng = np.random.default_rng([seed, round(1e4 * loss)])
    labels, chance = rng.integers(0, 4, ITEMS), rng.random(ITEMS)
    old_wrong = chance < (DISCORDANCE - loss) / 2
    new_wrong = chance > 1 - (DISCORDANCE + loss) / 2
    return judge_answers(labels, (labels + old_wrong) % 4, (labels + new_wrong) % 4).verdict


def _shares(counts: Counter[Verdict], trials: int) -> str:
    return ", ".join(f"{verdict} {counts[verdict] / trials:.1%}" for verdict in Verdict if counts[verdict])


# ---------------------------------------------------------------- speed


def _turns(plan: Plan, console: RunConsole) -> np.ndarray:
    """Seconds a text, float (turns, 2 + slowdowns): base, base again, then the same engine slowed by each share."""
    classifier = next((plan.out / "classifiers").iterdir()).resolve()
    engines = [_faulty("honest")] * 2 + [_faulty("slower", fault="slower", share=share) for share in SLOWDOWNS]
    with ExitStack() as stack:
        workers = []
        for engine in engines:
            task = WorkerTask(
                classifier=classifier,
                engine=engine.name,
                engine_spec=engine,
                data_folder=plan.tasks[0].data_folder,
                items=len(plan.tasks[0].data.test),
                device=plan.device,
                threads=plan.threads,
                cache=cache_dir(),
            )
            workers.append(stack.enter_context(SpeedWorker(Side(task), plan.out / "logs" / "turns.log")))
        return take_turns(workers, "single", MOST_TURNS, console.progress)


def slowdown_checks(turns: np.ndarray) -> Iterator[SelfCheck]:
    """The speed gate on what was measured, and on seeded trials that draw its turns anew.

    10 % is the bar itself: either verdict is right there, but it must be measured as about that.
    """
    yield _slowdown(turns, 0.0, Verdict.REGRESSED, "<=", 0.0)
    yield _slowdown(turns, 0.05, Verdict.REGRESSED, "<=", 0.01)
    yield _slowdown(turns, 0.1, None, ">=", 0.0)
    yield _slowdown(turns, 0.2, Verdict.REGRESSED, ">=", 0.99)


def _slowdown(turns: np.ndarray, share: float, verdict: Verdict | None, relation: str, bound: float) -> SelfCheck:
    chosen = turns[:, [0, 1, 2 + SLOWDOWNS.index(share)]]
    rng = np.random.default_rng(round(100 * share))
    trials = (chosen[rng.integers(0, len(chosen), len(chosen))] for _ in range(SPEED_TRIALS))
    counts = Counter(judge_turns("single", *trial.T).verdict for trial in trials)
    measured = judge_turns("single", *chosen.T)
    found = f"{measured.slowdown.value:+.1%} measured; {_shares(counts, SPEED_TRIALS)}"
    if verdict is None:
        expected = f"measured {share - NEAR:+.0%} to {share + NEAR:+.0%}; any verdict at the bar"
        passed = abs(measured.slowdown.value - share) <= NEAR
    else:
        rate = counts[verdict] / SPEED_TRIALS
        expected, passed = f"{verdict} {relation} {bound:.0%}", rate >= bound if relation == ">=" else rate <= bound
    name = f"a slowdown of {share:.0%}" if share else "no slowdown"
    return SelfCheck(name=f"{name}, {SPEED_TRIALS} trials", expected=expected, found=found, passed=passed)
