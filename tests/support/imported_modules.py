"""Trains or loads in a fresh process and tells which of the harness's modules that imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.machine.companions import hide_unfit_companions
from bench.types import BaseWeights, Dataset, Recipe, Workplace

OWN = frozenset({"bench", "backends", "reports", "trainers"})


def modules_of(job: Callable[..., None], *arguments: Any) -> set[str]:
    """The dotted names of our own modules in a process that did nothing but the job."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, job, arguments).result()


def _run(job: Callable[..., None], arguments: tuple[Any, ...]) -> set[str]:
    hide_unfit_companions()  # as in every process of the harness
    job(*arguments)
    return {name for name in sys.modules if name.partition(".")[0] in OWN}


def train(recipe: Recipe, base: BaseWeights | None, data: Dataset, out: Path) -> None:
    """As a training's own process does, without the folders around it."""
    import bench.execution.fit_job  # noqa: F401 - what the process starts with
    from bench import registry

    out.mkdir(parents=True)
    trainer = registry.find("trainer", recipe.method)(recipe, base, Workplace("cpu", 1, out.parent / "cache"))
    trainer.fit(data, 0, out, lambda _what, _done, _total: None)


def serve(folder: Path, engine: str, texts: list[str]) -> None:
    """As a measuring process does, without LoadGen."""
    import bench.execution.cells
    import bench.execution.measure_job  # noqa: F401 - what the process starts with
    from bench.classifiers.folder import load_classifier
    from bench.execution.sessions import open_session
    from bench.plan.engines import load_engines

    place = Workplace("cpu", 1, folder.parent / "cache")
    session = open_session(load_classifier(folder), load_engines()[engine], place)
    session.predict(texts)
    session.close()
