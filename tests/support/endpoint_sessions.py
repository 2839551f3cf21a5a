"""Sessions of the endpoint engine against servers that misbehave, and the texts they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends.endpoint.engine import EndpointBackend
from backends.endpoint.session import EndpointSession
from bench.classifiers.folder import save_classifier
from bench.plan.tiers import Tier
from bench.types import Classifier, EngineSpec, FitRecord, Manifest, Recipe, Workplace

TEXTS = tuple(f"text {'x' * n}" for n in range(12))
SHORT = Tier(name="short", min_duration_s=0.2, min_queries=20, repeats=1, cell_limit_s=60, fit_limit_s=60)
SERVER = SHORT.model_copy(update={"server_percentile": 90.0, "server_probe_s": 1.5, "server_resolution": 0.3})
KEY = "sk-very-secret-0123456789"


def served(folder: Path, **settings: Any) -> Classifier:
    settings = {"api": "classify", "max_characters": 100} | settings
    manifest = Manifest(
        kind="served",
        class_names=("even", "odd"),
        language="en",
        recipe=Recipe(id="served", title="served", method="served"),
        seed=0,
        data_fingerprint="none",
        fit=FitRecord(fit_s=0.0),
        settings=settings,
    )
    folder.mkdir(exist_ok=True)
    return save_classifier(folder, manifest)


def spec(options: dict[str, Any]) -> EngineSpec:
    return EngineSpec(name="endpoint", title="endpoint", backend="endpoint", precision="unstated", options=options)


@contextmanager
def session(folder: Path, options: dict[str, Any], **settings: Any) -> Iterator[EndpointSession]:
    opened = EndpointBackend(spec(options), Workplace("cpu", 1, folder)).load(served(folder / "classifier", **settings))
    try:
        yield opened
    finally:
        opened.close()


EXPECTED = [len(text) % 2 for text in TEXTS]
WRITING = {
    "api": "chat",
    "reading": "written",
    "before": "Is it even or odd? ",
    "after": "",
    "answers": ["even", "odd"],
    "answer_kind": "words",
    "max_new_tokens": 8,
    "think": "open",
    "think_tokens": 64,
}
