"""Content hashes of all that changes a result: what `bench run` looks up before it does anything again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.machine.environment import TRAINING_PACKAGES, hardware_fingerprint, package_versions
from bench.machine.precision import weight_bits
from bench.plan.tiers import Tier
from bench.types import SCHEMA_VERSION, BaseWeights, Classifier, Dataset, EngineSpec, Recipe, Scenario

_ROOT = Path(__file__).resolve().parents[2]
_FOUNDATION = (
    "bench/classifiers",
    "bench/data/cuts.py",
    "bench/execution/hardness.py",
    "bench/machine/threads.py",
    "bench/text",
)
_MEASURING = ("bench/execution/jobs.py", "bench/plan/tiers.py", "bench/quality", "bench/speed")


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
            "base": base and [base.sha256, base.pooling, base.prefix, base.max_length],
            "seed": seed,
            "device": device,
            "threads": threads,
            "hardware": hardware_fingerprint(),
            "versions": {name: package_versions()[name] for name in TRAINING_PACKAGES},
            "code": source_digest("trainers", *_FOUNDATION),
        }
    )


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
            "code": source_digest("backends", *_FOUNDATION, *_MEASURING),
        }
    )


@cache
def source_digest(*parts: str) -> str:
    """Hex sha256 over the Python source of folders (all below them) and files, named from the project's root."""
    digest = sha256()
    for path in _source_files(parts):
        digest.update(path.relative_to(_ROOT).as_posix().encode("utf-8"))
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_files(parts: Iterable[str]) -> Iterator[Path]:
    for part in parts:
        if (_ROOT / part).is_dir():
            yield from sorted((_ROOT / part).rglob("*.py"))
        else:
            yield _ROOT / part
