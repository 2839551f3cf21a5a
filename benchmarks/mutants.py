"""Makes mutants of a module: every small change of what it computes, or one that is written down.

A change replaces an operator, a comparison, a number, the name of a statistic or a condition.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType

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


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source."""
    for number, (function, line, before, after, _) in enumerate(_changes(ast.parse(source))):
        yield Mutant(module, number, function, line, before, after)


def mutated(module: str, source: str, number: int) -> CodeType:
    """The module with one change made."""
    tree = ast.parse(source)
    *_, change = next(each for place, each in enumerate(_changes(tree)) if place == number)
    change()
    return compile(ast.fix_missing_locations(tree), module, "exec")


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


@dataclass(frozen=True)
class Named:
    """A mutation that once survived: what it is, where, the code before and after, the tests that must kill it."""

    name: str
    module: str
    before: str
    after: str
    tests: tuple[str, ...]

    def code(self, source: str) -> CodeType:
        """The module with the change made; raises ValueError where the code before does not stand there once."""
        if source.count(self.before) != 1:
            raise ValueError(f"{self.name}: {self.module} has {self.before!r} {source.count(self.before)} times")
        return compile(source.replace(self.before, self.after), self.module, "exec")
