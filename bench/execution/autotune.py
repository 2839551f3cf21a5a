"""Searches the settings of every engine: token budget, batch size, threads, and one precision a backend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from bench import registry
from bench.execution.context import Context
from bench.execution.training import Trained
from bench.execution.trial import TrialTask, try_settings
from bench.files.cache import file_name, write_whole
from bench.files.toml import read_toml
from bench.machine.environment import hardware_fingerprint, package_versions
from bench.plan.engines import with_options
from bench.plan.import_graph import source_digest
from bench.plan.keys import content_hash
from bench.quality.parity import REQUIRED
from bench.results.autotuned import THREADS, Trial, Tried, Tuning
from bench.results.records import Status
from bench.types import EngineSpec, Workplace

FASTER = 1.05  # smaller differences of a short look are noise
SEARCH_TOML = Path(__file__).with_name("autotune.toml")


@dataclass(frozen=True)
class Tuned:
    """An engine with the settings found for a classifier; `left_out` says why another precision is measured instead."""

    engine: EngineSpec
    threads: int
    tuning: Tuning | None = None
    left_out: str | None = None


@cache
def search_space() -> dict[str, dict[str, list[int]]]:
    """The values to try, by backend and option, from small to large."""
    return read_toml(SEARCH_TOML)


def search_settings(
    context: Context, trained: Trained, reference: EngineSpec | None, engines: Sequence[EngineSpec]
) -> dict[str, Tuned]:
    """Each engine's settings by its name; of a backend's precisions all but the fastest are left out.

    The reference engine is tuned too, and always kept. An engine that cannot be loaded keeps its settings: its result
    says why.
    """
    ordered = sorted(engines, key=lambda engine: engine != reference)
    found: dict[str, Tuned] = {}
    texts = None
    for engine in ordered:
        found[engine.name] = tuned = _search_engine(context, trained, engine, texts)
        if texts is None and tuned.tuning:
            texts = len(tuned.tuning.trial.labels)
    return _one_precision_a_backend(found, reference)


def _search_engine(context: Context, trained: Trained, engine: EngineSpec, texts: int | None) -> Tuned:
    path = context.cache / "tuned" / f"{_key(context, trained, engine, texts)}.json"
    try:
        tuning = Tuning.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        searched = _search(context, trained, engine, texts)
        if searched is None:
            return Tuned(engine, context.plan.threads)
        tuning = searched
        write_whole(path, tuning.model_dump_json(indent=1).encode("utf-8"))
    spec = with_options(engine, context.plan.device, tuning.options)
    threads = tuning.settings.get(THREADS, context.plan.threads)
    context.console.line(f"{trained.name} {engine.name}: {_found(tuning)}")
    return Tuned(spec, threads, tuning)


def _key(context: Context, trained: Trained, engine: EngineSpec, texts: int | None) -> str:
    return content_hash(
        {
            "classifier": trained.classifier.sha256,
            "texts": [trained.task.data.train.fingerprint, texts],
            "engine": engine.model_dump(),
            "space": search_space().get(engine.backend),
            "place": [context.plan.device, context.plan.threads, hardware_fingerprint()],
            "versions": package_versions(),
            "code": source_digest((__name__, "bench.execution.trial", registry.module_of("backend", engine.backend))),
        }
    )[:32]


def _search(context: Context, trained: Trained, engine: EngineSpec, texts: int | None) -> Tuning | None:
    """One option after the other, each from the best so far; None when the engine's own settings do not work.

    The best of many noisy looks is better than it is: in the end it has to beat the engine's own settings once more.
    """
    usual = settings = _start(context, engine)
    first = _try(context, trained, engine, settings, texts)
    if first is None:
        return None
    best, texts, tried = first, len(first.labels), [Tried(settings=settings, rate_rps=first.rate_rps)]
    for option, ladder in _ladders(context, engine).items():
        for direction in (1, -1):
            climbed = False
            for value in _beyond(ladder, settings[option], direction):
                changed = {**settings, option: value}
                trial = _try(context, trained, engine, changed, texts)
                tried.append(Tried(settings=changed, rate_rps=trial.rate_rps if trial else None))
                if trial is None or trial.rate_rps < best.rate_rps * FASTER:
                    break
                best, settings, climbed = trial, changed, True
            if climbed:
                break
    if best is not first:
        usual_again, best_again = (_try(context, trained, engine, one, texts) for one in (usual, settings))
        if not _is_faster(best_again, usual_again):
            settings, best = usual, first
    return Tuning(settings=settings, trial=best, default_rate_rps=first.rate_rps, tried=tuple(tried))


def _is_faster(trial: Trial | None, usual: Trial | None) -> bool:
    """Whether what the search took for a gain is there a second time."""
    return trial is not None and usual is not None and trial.rate_rps >= usual.rate_rps * FASTER


def _start(context: Context, engine: EngineSpec) -> dict[str, int]:
    defaults = {"length_multiple": 1}
    given = with_options(engine, context.plan.device, {}).options
    options = {name: given.get(name, defaults.get(name)) for name in search_space().get(engine.backend, {})}
    return {**{name: value for name, value in options.items() if value}, THREADS: context.plan.threads}


def _ladders(context: Context, engine: EngineSpec) -> dict[str, list[int]]:
    start = _start(context, engine)
    ladders = {name: ladder for name, ladder in search_space().get(engine.backend, {}).items() if name in start}
    if engine.backend == "endpoint" or context.plan.device != "cpu":
        return ladders
    halves = [context.plan.threads // 2**power for power in range(int(math.log2(context.plan.threads)), -1, -1)]
    return {**ladders, THREADS: halves}


def _beyond(ladder: list[int], start: int, direction: int) -> Iterator[int]:
    """The values above a start, going up, or those below it, going down."""
    yield from sorted((value for value in ladder if (value - start) * direction > 0), reverse=direction < 0)


def _try(
    context: Context, trained: Trained, engine: EngineSpec, settings: dict[str, int], texts: int | None
) -> Trial | None:
    options = {name: value for name, value in settings.items() if name != THREADS}
    task = TrialTask(
        classifier_folder=trained.classifier.path,
        engine=with_options(engine, context.plan.device, options),
        data_folder=trained.task.data_folder,
        texts=texts,
        place=Workplace(context.plan.device, settings[THREADS], context.cache),
    )
    limit_s = context.plan.cell_limit_s or trained.task.tier.cell_limit_s
    title = f"{trained.name} {engine.name} with {_shown(settings)}"
    log_name = f"{trained.name}.{file_name(engine.name, 40)}.autotune"
    outcome = context.run(title, try_settings, task, limit_s, log_name, alone=True)
    return outcome.payload if outcome.status is Status.OK else None


def _one_precision_a_backend(found: dict[str, Tuned], reference: EngineSpec | None) -> dict[str, Tuned]:
    trials = {name: tuned.tuning.trial for name, tuned in found.items() if tuned.tuning}
    expected = trials[reference.name].labels if reference and reference.name in trials else None
    kept = dict(found)
    for backend in dict.fromkeys(tuned.engine.backend for tuned in found.values()):
        group = [name for name in trials if found[name].engine.backend == backend]
        rates = {name: trials[name].rate_rps for name in group if _agrees(found[name].engine, trials[name], expected)}
        fastest = max(rates, key=lambda name: rates[name]) if rates else None
        for name in group:
            if fastest and name != fastest and not found[name].engine.reference:
                left_out = _why_left_out(name, fastest, rates, len(trials[name].labels))
                kept[name] = replace(found[name], left_out=left_out)
    return kept


def _agrees(engine: EngineSpec, trial: Trial, expected: tuple[int, ...] | None) -> bool:
    """As many equal labels as the certificate asks for, rounded in the engine's favour: the sample is small."""
    if expected is None:
        return True
    flips = sum(label != wanted for label, wanted in zip(trial.labels, expected, strict=True))
    return flips <= math.ceil(round((1 - REQUIRED[engine.precision]) * len(expected), 6))


def _why_left_out(name: str, fastest: str, rates: dict[str, float], texts: int) -> str:
    if name not in rates:
        return f"--autotune: too many of {texts} labels differ from the reference's; {fastest} is measured"
    return f"--autotune: {fastest} was {rates[fastest] / rates[name]:.1f} times as fast on {texts} texts"


def _found(tuning: Tuning) -> str:
    faster = tuning.trial.rate_rps / tuning.default_rate_rps
    return f"{_shown(tuning.settings)}: {faster:.2f}x the rate of the usual settings ({len(tuning.tried)} tried)"


def _shown(settings: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
