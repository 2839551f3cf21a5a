"""What there is: suites, methods, engines, scenarios, tiers; and what of it can run here. Loads no torch."""

from __future__ import annotations

from typing import Any

from bench import registry
from bench.engines import default_engines, load_engines
from bench.models import model_for
from bench.plan import SCENARIOS
from bench.recipes import recipes_for
from bench.suites import load_suite, suite_names
from bench.tiers import load_tier, tier_names
from bench.types import ModelSet, Recipe

MODEL_SETS: tuple[ModelSet, ...] = ("small", "published")


def known_names(what: str) -> list[str]:
    """Every name an option accepts, for shell completion."""
    if what == "suites":
        return suite_names()
    if what == "methods":
        return sorted(
            {name for models in MODEL_SETS for recipe in recipes_for(models) for name in (recipe.id, recipe.method)}
        )
    if what == "engines":
        return list(load_engines())
    return list(SCENARIOS)


def catalogue(device: str) -> dict[str, Any]:
    """Everything `bench list` shows, JSON-able."""
    return {
        "suites": [_suite(name) for name in suite_names()],
        "methods": [_method(recipe, models) for models in MODEL_SETS for recipe in recipes_for(models)],
        "engines": engine_states(device),
        "scenarios": list(SCENARIOS),
        "tiers": [load_tier(name).model_dump() for name in tier_names()],
    }


def _suite(name: str) -> dict[str, Any]:
    suite = load_suite(name)
    return {"name": name, "title": suite.title, "language": suite.language, "classes": list(suite.class_names)}


def _method(recipe: Recipe, models: ModelSet) -> dict[str, Any]:
    bases = []
    if recipe.base_model:
        bases = [recipe.base_model]
    elif recipe.role:
        bases = sorted({model_for(recipe.role, language, models) for language in ("en", "zh")})
    return {"id": recipe.id, "method": recipe.method, "title": recipe.title, "models": models, "base_models": bases}


def engine_states(device: str) -> list[dict[str, Any]]:
    """Each engine: whether it is ready on this device, its version, else why not and what would make it ready."""
    defaults = set(default_engines(device))
    states = []
    for engine in load_engines().values():
        backend = registry.find("backend", engine.backend)
        available = backend.availability(engine, device)
        states.append(
            {
                "name": engine.name,
                "title": engine.title,
                "precision": engine.precision,
                "serves": sorted(backend.kinds),
                "default": engine.name in defaults,
                "ready": available.ok,
                "version": available.version,
                "reason": available.reason,
                "remedy": available.remedy,
            }
        )
    return states
