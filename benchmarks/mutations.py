"""Changes the code that makes figures in small ways, one at a time, and asks whether its tests notice.

    python benchmarks/mutations.py [--modules PART,...] [--most 20] [--seed 0] [--out benchmarks/mutations.md]

A mutant is one changed operator, comparison, number, name of a statistic or condition. It is killed when a test of
its module fails (or hangs); mutants that no test kills survive and are listed, with the reason where
benchmarks/mutations.toml gives one. The tests run in forks of one process, which compiles the changed module in place
of the file: nothing is written. Whole, it takes hours; `--most` takes a seeded sample of each module's mutants.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_suffix(".toml")
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
    "bench/quality/stats.py": ("tests/quality",),
    "bench/quality/scores.py": ("tests/quality",),
    "bench/quality/differences.py": ("tests/quality/test_differences.py",),
    "bench/quality/intervals.py": ("tests/quality",),
    "bench/quality/randomisation.py": ("tests/quality",),
    "bench/quality/methods.py": ("tests/quality",),
    "bench/quality/letters.py": ("tests/quality",),
    "bench/quality/parity.py": ("tests/quality",),
    "bench/quality/ranking.py": ("tests/quality",),
    "bench/gates/quality_rules.py": ("tests/gates/test_quality_rules.py",),
    "bench/gates/speed_rules.py": ("tests/quality/test_stats.py", "tests/gates/test_speed_rules.py"),
    "bench/gates/turn_texts.py": ("tests/gates/test_speed_rules.py",),
    "bench/gates/check.py": ("tests/gates/test_gates.py",),
    "bench/gates/baseline.py": ("tests/gates/test_gates.py",),
    "bench/execution/cells.py": ("tests/execution/test_cells.py",),
    "bench/execution/autotune.py": ("tests/execution/test_autotune.py",),
    "bench/speed/loadgen.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/mlperf.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/warmup.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/figures.py": ("tests/speed/test_load.py", "tests/speed/test_figures.py"),
    "bench/speed/points.py": ("tests/speed/test_figures.py", "tests/speed/test_server.py"),
    "bench/speed/limits.py": ("tests/speed/test_figures.py", "tests/speed/test_flops.py"),
    "bench/speed/flops.py": ("tests/speed/test_flops.py",),
    "bench/speed/rate_search.py": ("tests/speed/test_rate_search.py",),
    "bench/text/batching.py": ("tests/text/test_batching.py",),
    "reports/advice/candidates.py": ("tests/reports/test_advice.py",),
    "reports/advice/advice.py": ("tests/reports/test_advice.py",),
}
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "mean": "median", "median": "mean", "min": "max", "max": "min", "ceil": "floor", "floor": "ceil",
    "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any", "argmax": "argmin", "sum": "prod",
    "cdf": "sf", "sf": "cdf", "sqrt": "abs", "sorted": "list",
}  # fmt: skip
Change = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """The number of a change in the order of the source, where it is and what it does."""

    module: str
    number: int
    function: str
    line: int
    before: str
    after: str

    @property
    def key(self) -> str:
        """What it is called in the list of reasons: no line numbers, which move."""
        return f"{self.module} {self.function}: {self.before} -> {self.after}"


def main() -> None:
    arguments = _arguments()
    chosen = [name for name in MODULES if any(part in name for part in arguments.modules.split(","))]
    for name in LOADED_ONCE:
        importlib.import_module(name)
    sys.path[:0] = [str(ROOT), *(str(ROOT / part) for part in ("tests/support", "benchmarks", "benchmarks/gpu"))]
    os.chdir(ROOT)
    found: list[Found] = []
    for name in chosen:
        found.append(_judge_module(name, arguments.most, arguments.seed))
        arguments.out.write_text(render(found, arguments.most, arguments.seed), encoding="utf-8")
    print(arguments.out.read_text(encoding="utf-8"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modules", default="", help="only those whose path has one of these parts, with commas")
    parser.add_argument("--most", type=int, help="a seeded sample of so many mutants a module; default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser.parse_args()


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


# ---------------------------------------------------------------- mutants


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source."""
    for number, (function, line, before, after, _) in enumerate(_changes(ast.parse(source))):
        yield Mutant(module, number, function, line, before, after)


def mutated(module: str, source: str, number: int) -> CodeType:
    """The module with one change made."""
    tree = ast.parse(source)
    *_, change = next(each for place, each in enumerate(_changes(tree)) if place == number)
    change()
    return compile(ast.fix_missing_locations(tree), str(ROOT / module), "exec")


def _changes(tree: ast.Module) -> Iterator[tuple[str, int, str, str, Change]]:
    """Function, line, the code before and after, and what makes the change in the tree."""
    for function, node in _places(tree, "module"):
        for replace, undo in _replacements(node):
            before = ast.unparse(node)
            replace()
            after = ast.unparse(node)
            undo()
            yield function, getattr(node, "lineno", 0), before, after, replace


def _places(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node that runs, with the name of its function: no annotations, docstrings and decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            ):
                continue
            inner = child.name if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else function
            yield inner, child
            yield from _places(child, inner)


def _replacements(node: ast.AST) -> Iterator[tuple[Change, Change]]:
    """What may be changed of a node alone, each with its undoing."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in COMPARISONS:
                yield _item(node.ops, place, COMPARISONS[type(operator)]())
    elif (
        isinstance(node, ast.BinOp)
        and type(node.op) in OPERATORS
        and not isinstance(node.left, ast.Constant | ast.JoinedStr)
    ):
        yield _field(node, "op", OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield _field(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        plain = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        yield (
            _field(node, "op", plain)
            if isinstance(node.op, ast.USub)
            else _field(node, "operand", ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand)))
        )
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield _field(node, "value", node.value + 1 if isinstance(node.value, int) else node.value * 2 + 0.125)
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield _field(node, "value", not node.value)
    elif isinstance(node, ast.Call):
        yield from _renamed(node.func)
    elif isinstance(node, ast.IfExp):
        yield _swapped(node, "body", "orelse")


def _renamed(function: ast.expr) -> Iterator[tuple[Change, Change]]:
    if isinstance(function, ast.Name) and function.id in NAMES:
        yield _field(function, "id", NAMES[function.id])
    elif isinstance(function, ast.Attribute) and function.attr in NAMES:
        yield _field(function, "attr", NAMES[function.attr])


def _field(node: ast.AST, name: str, value: object) -> tuple[Change, Change]:
    before = getattr(node, name)
    return lambda: setattr(node, name, value), lambda: setattr(node, name, before)


def _item(items: list, place: int, value: ast.AST) -> tuple[Change, Change]:
    before = items[place]
    return lambda: items.__setitem__(place, value), lambda: items.__setitem__(place, before)


def _swapped(node: ast.AST, one: str, other: str) -> tuple[Change, Change]:
    def swap() -> None:
        first, second = getattr(node, one), getattr(node, other)
        setattr(node, one, second)
        setattr(node, other, first)

    return swap, swap


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


def render(found: Sequence[Found], most: int | None, seed: int) -> str:
    """Modules with their counts, then every survivor with its reason."""
    reasons: dict[str, str] = tomllib.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    sample = "all mutants" if most is None else f"a sample of {most} mutants a module (seed {seed})"
    lines = [
        "# Mutations of the code that makes figures",
        "",
        f"Made by `python benchmarks/mutations.py`: {sample}. A survivor is a change that no test of its module "
        "noticed; the reason says why that is no hole, or that it is one.",
        "",
        "| module | mutants | tried | killed | survive |",
        "|---|--:|--:|--:|--:|",
    ]
    for each in found:
        killed = each.note or str(each.tried - len(each.survivors))
        lines.append(f"| {each.module} | {each.mutants} | {each.tried} | {killed} | {len(each.survivors)} |")
    lines += ["", "## Survivors", ""]
    for each in found:
        for mutant in each.survivors:
            reason = reasons.get(mutant.key, "no reason yet: a test is missing")
            lines.append(
                f"- `{mutant.module}:{mutant.line}` {mutant.function}: `{mutant.before}` -> `{mutant.after}`: {reason}"
            )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
