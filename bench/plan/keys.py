"""Hashes all that changes a result: what `bench run` looks up before it does anything again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench import registry
from bench.classifiers.folder import MANIFEST
from bench.files.cache import file_sha256
from bench.machine.environment import TRAINING_PACKAGES, hardware_fingerprint, package_versions
from bench.machine.precision import weight_bits
from bench.plan.engines import load_engines
from bench.plan.import_graph import digest_of, source_digest
from bench.plan.tiers import Tier
from bench.types import SCHEMA_VERSION, BaseWeights, Classifier, Dataset, EngineSpec, Recipe, Scenario

# what runs in a training's and in a measurement's own process, and what makes the result of the parts
_FIT_JOB = "bench.execution.fit_job"
# what is asked of them; it imports trainings too, whose code changes no cell
_ASKS = {name: Path(__file__).parents[1] / "execution" / name for name in ("entries.py", "measuring.py")}
_MEASURE_JOBS = ("bench.execution.measure_job", "bench.execution.memory_job", "bench.execution.cells")


def content_hash(content: Any) -> str:
    """Hex sha256 of JSON-able content, independent of key order."""
    return sha256(json.dumps(content, sort_keys=True, default=str).encode("utf-8")).hexdigest()


def classifier_key(
    data: Dataset,
    recipe: Recipe,
    base: BaseWeights | None,
    scorer: BaseWeights | None,
    seed: int,
    device: str,
    threads: int,
) -> str:
    """Equal for equal training: data, recipe, base weights, seed, machine, versions and the trainers' code."""
    return content_hash(
        {
            "schema": SCHEMA_VERSION,
            "train": data.train.fingerprint,
            "validation": data.validation.fingerprint,
            "classes": data.class_names,
            "language": data.language,
            "prompt": data.prompt.model_dump(),
            "recipe": recipe.model_dump(exclude={"row", "needs", "stands_for"}),
            "scorer": scorer and scorer.sha256,
            "base": base and [base.sha256, base.pooling, base.prefix, base.max_length, base.positions, base.normalise],
            "files": _files_of(recipe),
            "seed": seed,
            "device": device,
            "threads": threads,
            "hardware": hardware_fingerprint(),
            "versions": package_versions(TRAINING_PACKAGES),
            "code": source_digest(training_modules(recipe)),
        }
    )


def _files_of(recipe: Recipe) -> dict[str, str]:
    """The content of every file that a hyperparameter names, such as vectors_file, and of a teacher's manifest."""
    named = {
        name: Path(str(value)).expanduser() for name, value in recipe.params.items() if name.endswith("_file") and value
    }
    if recipe.params.get("teacher"):
        named["teacher"] = Path(str(recipe.params["teacher"])).expanduser() / MANIFEST
    return {name: file_sha256(path) for name, path in named.items() if path.is_file()}


def cell_key(
    classifier: Classifier,
    data: Dataset,
    items: int,
    engine: EngineSpec,
    tier: Tier,
    scenarios: tuple[Scenario, ...],
    device: str,
    threads: int,
) -> str:
    """Equal for equal measurement: classifier, test items, engine, tier, scenarios, machine, versions and code."""
    return content_hash(
        {
            "schema": SCHEMA_VERSION,
            "classifier": classifier.sha256,
            "test": data.test.fingerprint,
            "items": items,
            "engine": engine.model_dump(),
            "weight_bits": weight_bits(engine),
            "tier": tier.model_dump(),
            "scenarios": scenarios,
            "device": device,
            "threads": threads,
            "hardware": hardware_fingerprint(),
            "versions": package_versions(),
            "code": source_digest(measuring_modules(engine)),
            "asked": digest_of(_ASKS),
        }
    )


def training_modules(recipe: Recipe) -> tuple[str, ...]:
    """The modules that a training's process imports by name; the rest follows from their imports."""
    scoring = recipe.cut.selection != "stratified"
    methods = (recipe.method, "zero-shot") if scoring else (recipe.method,)
    return (_FIT_JOB, *(registry.module_of("trainer", method) for method in methods))


def measuring_modules(engine: EngineSpec) -> tuple[str, ...]:
    """The modules that a measuring process imports by name; an engine that wraps another names it in its options."""
    wrapped = load_engines().get(str(engine.options.get("engine")))
    backends = (engine.backend, wrapped.backend) if wrapped else (engine.backend,)
    return (*_MEASURE_JOBS, *(registry.module_of("backend", name) for name in backends))
