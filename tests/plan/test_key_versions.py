"""Every library that a training or a measurement may import counts by its version, or cannot change a figure."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from bench import registry
from bench.machine.environment import PACKAGES, TRAINING_PACKAGES
from bench.plan.engines import load_engines
from bench.plan.import_graph import imported_files
from bench.plan.keys import measuring_modules, training_modules
from bench.types import Recipe

PACKAGE_OF = {"sklearn": "scikit-learn", "ml_dtypes": "ml-dtypes", "mlperf_loadgen": "mlcommons-loadgen"}
OWN = {"bench", "backends", "trainers", "reports"}
# what reads and hands on: texts and labels are hashed after it, answers before it
HARMLESS = {
    *("charset_normalizer", "click", "datasketch", "huggingface_hub", "joblib", "optuna", "packaging", "pandas"),
    *("psutil", "pyarrow", "pydantic", "rich", "threadpoolctl", "yaml", "zstandard", "fsspec", "s3fs", "mlflow"),
}


def libraries_of(modules: tuple[str, ...]) -> set[str]:
    """The packages that the source of these modules, and of all that they import, names in imports."""
    found = set().union(*map(named_in, imported_files(modules).values()))
    return {PACKAGE_OF.get(name, name) for name in found - OWN - set(sys.stdlib_module_names)}


@cache
def named_in(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return frozenset(found)


@pytest.mark.parametrize("engine", load_engines())
def test_an_engine_s_libraries_are_in_the_key_of_its_cells(engine: str) -> None:
    assert libraries_of(measuring_modules(load_engines()[engine])) <= {*PACKAGES, *HARMLESS}


@pytest.mark.parametrize("method", registry.names("trainer"))
def test_a_method_s_libraries_are_in_the_key_of_its_classifiers(method: str) -> None:
    used = libraries_of(training_modules(Recipe(id="r", title="r", method=method)))
    assert used <= {*TRAINING_PACKAGES, *HARMLESS}, "its version must be in TRAINING_PACKAGES"
