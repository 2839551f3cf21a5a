"""Recipes: one way each to make a classifier, read from recipes.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from bench.types import ModelSet, Recipe


def recipes_for(model_set: ModelSet) -> list[Recipe]:
    """The recipes of a model set, in the order of the file."""
    return list(_recipes()[model_set])


@cache
def _recipes() -> dict[str, tuple[Recipe, ...]]:
    content = tomllib.loads((Path(__file__).parent / "recipes.toml").read_text(encoding="utf-8"))
    return {
        model_set: tuple(Recipe(id=name, **fields) for name, fields in recipes.items())
        for model_set, recipes in content.items()
    }
