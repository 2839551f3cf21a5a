"""Content hashes of all that changes a result: what `bench run` looks up before it does anything again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.machine.environment import TRAINING_PACKAGES, hardware_fingerprint, package_versions
from bench.plan.tiers import Tier
from bench.types import SCHEMA_VERSION, BaseWeights, Classifier, Dataset, EngineSpec, Recipe, Scenario

_ROOT = Path(__file__).resolve().parents[2]
_MODULES = (
    "modules",
    "pretrained",
    "pooling",
    "sequence",
    "embedding",
    "networks",
    "options",
    "generation",
    "adapters",
)
_FOUNDATION = (
    "tokens",
    "batching",
    "prompts",
    "linear",
    "threads",
    "artifacts",
    "cuts",
    "hardness",
    "endpoints",
    *_MODULES,
)
_MEASURING = (
    "jobs",
    "load",
    "server",
    "server_capacity",
    "server_points",
    "batcher",
    "rate_search",
    "flops",
    "limits",
    "quality",
    "stats",
    "parity",
    "tiers",
)


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
            "code": source_digest(("trainers",), _FOUNDATION),
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
            "tier": tier.model_dump(),
            "scenarios": scenarios,
            "device": device,
            "threads": threads,
            "hardware": hardware_fingerprint(),
            "versions": package_versions(),
            "code": source_digest(("backends",), (*_FOUNDATION, *_MEASURING)),
        }
    )


@cache
def source_digest(packages: tuple[str, ...], modules: tuple[str, ...]) -> str:
    """Hex sha256 over the source of whole packages and of single modules of bench."""
    digest = sha256()
    for path in _source_files(packages, modules):
        digest.update(path.name.encode("utf-8"))
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_files(packages: Iterable[str], modules: Iterable[str]) -> Iterable[Path]:
    for package in packages:
        yield from sorted((_ROOT / package).glob("*.py"))
    for module in modules:
        yield _ROOT / "bench" / f"{module}.py"
