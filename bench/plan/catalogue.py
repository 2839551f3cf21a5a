"""Lists what there is, suites, methods, engines, scenarios, tiers, and what of it can run here. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.data.suites import load_suite, suite_names
from bench.files.cache import cache_dir
from bench.machine.threads import usable_cores
from bench.models.base import model_for
from bench.plan.calibration import known_defaults
from bench.plan.engines import backend_of, load_engines
from bench.plan.recipes import default_recipes, recipes_for
from bench.plan.request import SCENARIOS
from bench.plan.studies import load_study, study_names
from bench.plan.tiers import load_tier, tier_names
from bench.types import ModelSet, Recipe

MODEL_SETS: tuple[ModelSet, ...] = ("small", "published")


def known_names(what: str) -> list[str]:
    """Every name an option accepts, for shell completion."""
    if what == "suites":
        return suite_names()
    if what == "methods":
        return sorted(
            {
                name
                for models in MODEL_SETS
                for recipe in recipes_for(models)
                for name in (recipe.id, recipe.method, recipe.row)
                if name
            }
        )
    if what == "engines":
        return list(load_engines())
    return list(SCENARIOS)


def catalogue(device: str) -> dict[str, Any]:
    """Everything `bench list` shows, JSON-able."""
    return {
        "suites": [_suite(name) for name in suite_names()],
        "methods": [_method(recipe, models) for models in MODEL_SETS for recipe in default_recipes(models)],
        "studies": [_study(name) for name in study_names()],
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
    return {
        "id": recipe.id,
        "row": recipe.row,
        "method": recipe.method,
        "title": recipe.title,
        "models": models,
        "base_models": bases,
        "stands_for": recipe.stands_for,
        "params": recipe.params,
        "needs": recipe.needs,
    }


def recipe_list(models: ModelSet | None, file: Path | None) -> list[dict[str, Any]]:
    """Everything `bench list --recipes` shows, JSON-able: every recipe of one model set or of both."""
    chosen = MODEL_SETS if models is None else (models,)
    return [_method(recipe, one) for one in chosen for recipe in recipes_for(one, file)]


def _study(name: str) -> dict[str, Any]:
    study = load_study(name)
    return {
        "name": name,
        "title": study.title,
        "axis": study.axis,
        "row": study.row,
        "methods": list(study.methods),
        "values": [variant.name for variant in study.variants] or [f"{study.seeds} seeds"],
    }


def engine_states(device: str) -> list[dict[str, Any]]:
    """Each engine: whether it is ready on this device, its version, else why not and what would make it ready."""
    defaults = set(known_defaults(cache_dir(), device, usable_cores()))
    states = []
    for engine in load_engines().values():
        backend = backend_of(engine)
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
