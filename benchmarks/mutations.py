"""Changes the code that makes figures in small ways, one at a time, and asks whether its tests notice.

    python benchmarks/mutations.py [--named] [--modules PART,...] [--most 20] [--seed 0] [--out benchmarks/mutations.md]

First the mutations of named_mutations.toml, which survived once: each must be killed by the tests that stand beside it.
Then every module's own mutants, or a seeded sample of `--most` a module. A mutant is killed when a test fails (or
hangs); those that no test kills are listed, with the reason where mutations.toml gives one. The tests run in forks of
one process, which compiles the changed module in place of the file: nothing is written, and tests that start the
harness in another process see the code as it is. Whole, it takes hours.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

from mutants import Mutant, Named, mutants_of, mutated

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_suffix(".toml")
NAMED = Path(__file__).with_name("named_mutations.toml")
LOADED_ONCE = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "sklearn.metrics",
    "hypothesis",
    "pytest",
    "rich",
    "torch",
    "mlperf_loadgen",
)
PATIENCE = 4.0  # times as long as the tests take on the code as it is
LEAST_S = 30.0
# the modules that make figures, and the tests that must notice
MODULES: dict[str, tuple[str, ...]] = {
    "bench/quality/stats.py": ("tests/quality/test_stats.py",),
    "bench/quality/scores.py": ("tests/quality/test_quality.py",),
    "bench/quality/differences.py": ("tests/quality/test_differences.py",),
    "bench/quality/intervals.py": ("tests/quality/test_intervals.py",),
    "bench/quality/randomisation.py": ("tests/quality/test_randomisation.py",),
    "bench/quality/methods.py": ("tests/quality/test_methods.py",),
    "bench/quality/letters.py": ("tests/quality/test_letters.py", "tests/quality/test_ranking.py"),
    "bench/quality/parity.py": ("tests/quality/test_parity.py", "tests/classifiers/test_permitted_answers.py"),
    "bench/quality/ranking.py": ("tests/quality/test_ranking.py",),
    "bench/quality/across.py": ("tests/quality/test_across.py",),
    "bench/quality/cascades.py": ("tests/quality/test_cascades.py",),
    "bench/quality/chance.py": ("tests/quality/test_chance.py",),
    "bench/quality/selective.py": ("tests/quality/test_selective.py",),
    "bench/quality/slices.py": ("tests/quality/test_slices.py",),
    "bench/quality/trends.py": ("tests/quality/test_trends.py",),
    "bench/gates/quality_rules.py": ("tests/gates/test_quality_rules.py",),
    "bench/gates/speed_rules.py": ("tests/quality/test_stats.py", "tests/gates/test_speed_rules.py"),
    "bench/gates/turn_texts.py": ("tests/gates/test_speed_rules.py",),
    "bench/gates/check.py": ("tests/gates/test_gates.py",),
    "bench/gates/baseline.py": ("tests/gates/test_gates.py",),
    "bench/execution/cells.py": ("tests/execution/test_cells.py", "tests/execution/test_shards.py"),
    "bench/machine/crowding.py": ("tests/machine/test_crowding.py",),
    "bench/machine/memory.py": ("tests/execution/test_memory.py",),
    "bench/execution/autotune.py": ("tests/execution/test_autotune.py",),
    "bench/speed/loadgen.py": ("tests/speed/test_load.py",),
    "bench/speed/figures.py": ("tests/speed/test_figures.py", "tests/speed/test_load.py"),
    "bench/speed/warmup.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/mlperf.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/points.py": ("tests/speed/test_figures.py", "tests/speed/test_server.py"),
    "bench/speed/limits.py": ("tests/speed/test_figures.py", "tests/speed/test_flops.py"),
    "bench/speed/flops.py": ("tests/speed/test_flops.py",),
    "bench/speed/rate_search.py": ("tests/speed/test_rate_search.py",),
    "bench/text/batching.py": ("tests/text/test_batching.py",),
    "bench/plan/keys.py": ("tests/plan/test_key_parts.py",),
    "trainers/loop/optimisers.py": ("tests/trainers/test_checkpoint_choice.py",),
    "reports/columns/costs.py": ("tests/reports/test_training_rate.py", "tests/reports/test_report_tables.py"),
    "reports/content/pareto.py": ("tests/reports/test_beside_others.py", "tests/reports/test_reports.py"),
    "reports/advice/candidates.py": ("tests/reports/test_advice.py",),
    "reports/advice/advice.py": ("tests/reports/test_advice.py",),
}


def main() -> None:
    arguments = _arguments()
    chosen = [name for name in MODULES if any(part in name for part in arguments.modules.split(","))]
    for name in LOADED_ONCE:
        importlib.import_module(name)
    sys.path[:0] = [str(ROOT), *(str(ROOT / part) for part in ("tests/support", "benchmarks", "benchmarks/gpu"))]
    os.chdir(ROOT)
    fates = [(each, _fate(each)) for each in read_named()]
    found: list[Found] = []
    for name in () if arguments.named else chosen:
        found.append(_judge_module(name, arguments.most, arguments.seed))
        arguments.out.write_text(render(fates, found, arguments.most, arguments.seed), encoding="utf-8")
    arguments.out.write_text(render(fates, found, arguments.most, arguments.seed), encoding="utf-8")
    print(arguments.out.read_text(encoding="utf-8"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--named", action="store_true", help="the named mutations alone")
    parser.add_argument("--modules", default="", help="only those whose path has one of these parts, with commas")
    parser.add_argument("--most", type=int, help="a seeded sample of so many mutants a module; default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser.parse_args()


def read_named() -> list[Named]:
    """The mutations of named_mutations.toml."""
    entries = tomllib.loads(NAMED.read_text(encoding="utf-8"))["mutation"]
    return [Named(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def _fate(each: Named) -> str:
    source = (ROOT / each.module).read_text(encoding="utf-8")
    passed, took_s = _tests_pass(each.module, compile(source, each.module, "exec"), each.tests, 3600.0)
    if passed:
        limit_s = LEAST_S + PATIENCE * took_s
        survives, _ = _tests_pass(each.module, each.code(source), each.tests, limit_s)
        fate = "SURVIVES" if survives else "killed"
    else:
        fate = "its tests do not pass on the code as it is"
    print(f"{each.name}: {fate}", flush=True)
    return fate


@dataclass(frozen=True)
class Found:
    """What became of a module's mutants."""

    module: str
    mutants: int
    tried: int
    survivors: tuple[Mutant, ...]
    note: str = ""


def _judge_module(module: str, most: int | None, seed: int) -> Found:
    source = (ROOT / module).read_text(encoding="utf-8")
    tests = [path for path in MODULES[module] if (ROOT / path).exists()]
    mutants = list(mutants_of(module, source))
    passed, took_s = _tests_pass(module, compile(source, module, "exec"), tests, 3600.0)
    if not passed:
        return Found(module, len(mutants), 0, (), "its tests do not pass on the code as it is")
    tried = mutants if most is None else random.Random(seed).sample(mutants, min(most, len(mutants)))
    survivors = []
    for number, mutant in enumerate(tried):
        passed, _ = _tests_pass(module, mutated(module, source, mutant.number), tests, LEAST_S + PATIENCE * took_s)
        if passed:
            survivors.append(mutant)
        print(f"{number + 1}/{len(tried)} {'SURVIVES' if passed else 'killed'}: {mutant.key}", flush=True)
    return Found(module, len(mutants), len(tried), tuple(survivors))


# ---------------------------------------------------------------- tests


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from code in memory."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Only for that module."""
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """As usual."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code instead of the file's."""
        exec(self._code, module.__dict__)  # noqa: S102 - our own source, changed


def _tests_pass(module: str, code: CodeType, tests: Sequence[str], limit_s: float) -> tuple[bool, float]:
    """Whether a fork's tests pass with this code in the module's place, and the seconds they took."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()  # so that a mutant that hangs is ended with what it started
        os._exit(_run_tests(module, code, tests))
    while time.monotonic() - started < limit_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0, time.monotonic() - started
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, limit_s


def _run_tests(module: str, code: CodeType, tests: Sequence[str]) -> int:
    import pytest

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    name = module.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, Instead(name, ROOT / module, code))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", "--hypothesis-seed=0"]
    try:
        importlib.import_module(name)  # before pytest, whose own import hook would read the file
        return int(pytest.main([*options, *tests]))
    except BaseException:
        return 1


# ---------------------------------------------------------------- table


def render(fates: Sequence[tuple[Named, str]], found: Sequence[Found], most: int | None, seed: int) -> str:
    """The named mutations, modules with their counts, then every survivor with its reason."""
    reasons: dict[str, str] = tomllib.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    sample = "all mutants" if most is None else f"a sample of {most} mutants a module (seed {seed})"
    lines = [
        "# Mutations of the code that makes figures",
        "",
        "Made by `python benchmarks/mutations.py` (`make mutate`). Killed: a test failed with the change made.",
        "",
        "## Mutations that survived once",
        "",
        "| mutation | module | tests | fate |",
        "|---|---|---|---|",
        *(f"| {each.name} | {each.module} | {_tests_of(each)} | {fate} |" for each, fate in fates),
        "",
        "## Every module's own mutants",
        "",
        f"Operators, comparisons, numbers, names of statistics and conditions: {sample}.",
        "",
        "| module | mutants | tried | killed | survive |",
        "|---|--:|--:|--:|--:|",
    ]
    for each in found:
        killed = each.note or str(each.tried - len(each.survivors))
        lines.append(f"| {each.module} | {each.mutants} | {each.tried} | {killed} | {len(each.survivors)} |")
    lines += ["", "## Survivors", "", "The reason says why a change is no hole in the tests, or that it is one.", ""]
    for each in found:
        for mutant in each.survivors:
            reason = reasons.get(mutant.key, "no reason yet: a test is missing")
            lines.append(
                f"- `{mutant.module}:{mutant.line}` {mutant.function}: `{mutant.before}` -> `{mutant.after}`: {reason}"
            )
    return "\n".join([*lines, ""])


def _tests_of(each: Named) -> str:
    return ", ".join(test.rpartition("/")[2] for test in each.tests)


if __name__ == "__main__":
    main()
