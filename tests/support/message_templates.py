"""Every text of the pages, read out of the source: what a catalogue has to know."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import bench
import reports

FOLDER = Path(reports.__file__).parent
CORE = Path(bench.__file__).parent
ENGLISH_ONLY = ("benchmarks.py",)  # it shows somebody else's file
TABLES = {
    "Table": (0,),
    "Column": (0, 1),
    "numbers": (0, 1),
    "published_column": (0,),
    "message": (0,),
    "say": (0,),
}


def templates(file: Path, makers: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """The literal texts handed to the makers of tables and messages; a choice between two literals is both."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for position in makers.get(node.func.id, ()):
                if position < len(node.args):
                    yield from literals(node.args[position])


def literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from literals(value)


def all_templates() -> set[str]:
    pages = [file for file in FOLDER.rglob("*.py") if file.name not in ENGLISH_ONLY]
    core = (text for file in CORE.rglob("*.py") for text in templates(file, {"message": (0,)}))
    return {text for file in pages for text in templates(file, TABLES)}.union(core)


def script_templates() -> set[str]:
    """The literal texts that the page's scripts hand to `say`."""
    scripts = [file.read_text(encoding="utf-8") for file in (FOLDER / "web").glob("*.js")]
    found = re.findall(r'\bsay\(\s*("(?:[^"\\]|\\.)*")', "\n".join(scripts))
    return {json.loads(text) for text in found}
