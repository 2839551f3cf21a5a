"""Keeps the house in order: functions and files that one can read, modules that say what they do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bench

ROOT = Path(bench.__file__).parents[1]
PACKAGES = ("bench", "backends", "trainers", "reports")
LONGEST_FUNCTION = 60  # lines, without the docstring
LONGEST_FILE = 300
NO_VERB = re.compile(
    r"(a|an|the|this|what|which|how|where|whether|from|one|each|every|several|small|own|other|[\w-]+'s|.*:|"
    r"[\w-]*(classifiers|models|networks|transformers|texts|files|archives|errors|losses|heads|hyperparameters|weights|"
    r"columns|plots|pages|numbers|engines|packages|suites|results|recipes|studies|tiers))"
)


def modules() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From its first line to its last, without its docstring."""
    assert function.end_lineno
    docstring = function.body[0] if ast.get_docstring(function) else None
    said = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return function.end_lineno - function.lineno + 1 - said


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name_of(file)}: {node.name} has {lines_of(node)} lines"
        for file in modules()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines_of(node) > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    long = [name_of(file) for file in modules() if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE]
    assert long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_begins_with_what_it_does(package: str) -> None:
    """Its docstring's first word is a verb; of a test's reach: no article, question word, plural or title."""
    said = {
        name_of(file): (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        for file in modules()
        if file.is_relative_to(ROOT / package)
    }
    assert len(said) > 10
    assert {
        name: line for name, line in said.items() if not line or NO_VERB.fullmatch(line.split(" ")[0].lower())
    } == {}
