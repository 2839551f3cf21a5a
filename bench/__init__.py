"""Measures text classifiers: which model, method and engine to deploy.

`import bench` loads nothing and changes nothing; the names below are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Answer, CheckedRun, Model, Results, Run, check, load, open_run, run

__version__ = "0.2.0"

__all__ = ["Answer", "CheckedRun", "Model", "Results", "Run", "__version__", "check", "load", "open_run", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("bench.api"), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
