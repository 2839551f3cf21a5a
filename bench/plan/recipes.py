"""Reads recipes, one way each to make a classifier, from recipes.toml or a file of the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from bench.errors import UsageError
from bench.files.toml import check_fields, read_toml, read_users_toml
from bench.types import ModelSet, Recipe, Record, TrainCut


class SetChoice(Record):
    """What one model set changes of a recipe."""

    role: Literal["encoder", "causal"] | None = None
    base_model: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    needs: str | None = None


class RecipeSpec(Record):
    """A recipe as its file gives it: what the model sets share, what each adds; a set not named lacks the recipe."""

    title: str
    method: str
    row: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    cut: TrainCut = TrainCut()
    small: SetChoice | None = None
    published: SetChoice | None = None

    def recipe(self, name: str, models: ModelSet) -> Recipe | None:
        """The recipe for a model set; None where the set lacks it."""
        chosen: SetChoice | None = getattr(self, models)
        if chosen is None:
            return None
        return Recipe(
            id=name,
            title=self.title,
            method=self.method,
            row=self.row,
            needs=chosen.needs,
            role=chosen.role,
            base_model=chosen.base_model,
            stands_for=self._stands_for(models, chosen),
            params={**self.params, **chosen.params},
            cut=self.cut,
        )

    def _stands_for(self, models: ModelSet, chosen: SetChoice) -> str | None:
        """The published base model that a smaller one takes the place of; none where both are the same."""
        if models != "small" or self.published is None or not chosen.role:
            return None
        published = self.published.base_model
        return None if published == chosen.base_model else published


def recipes_for(models: ModelSet, file: Path | None = None) -> list[Recipe]:
    """The recipes of a model set, in the order of the file; those of the user's file behind, or in their place."""
    specs = {**_built_in()[1], **(read_recipes(file) if file else {})}
    found = (spec.recipe(name, models) for name, spec in specs.items())
    return [recipe for recipe in found if recipe is not None]


def default_recipes(models: ModelSet, file: Path | None = None) -> list[Recipe]:
    """What `bench run` trains when no method is named: a few that differ in kind, or all of the user's file."""
    wanted = list(read_recipes(file)) if file else _built_in()[0][models]
    return [recipe for recipe in recipes_for(models, file) if recipe.id in wanted]


def read_recipes(file: Path) -> dict[str, RecipeSpec]:
    """The recipes of a TOML file; raises UsageError that names the file, the recipe and the key."""
    content = read_users_toml(file, "--recipes")
    if not content:
        raise UsageError(f"--recipes {file} holds no recipe; one table each, as in bench/plan/recipes.toml")
    return {name: _of_user(file, name, fields) for name, fields in content.items()}


def _of_user(file: Path, name: str, fields: Any) -> RecipeSpec:
    """A user's recipe may leave the model sets out: `role` or `base_model` beside the title then hold for both."""
    if not isinstance(fields, dict):
        raise UsageError(f"--recipes {file}: '{name}' is no table; write [{name}] and its keys below")
    fields = dict(fields)
    if not fields.keys() & {"small", "published"}:
        choice = {key: fields.pop(key) for key in ("role", "base_model") if key in fields}
        fields |= {"small": choice, "published": choice}
    return _spec(f"--recipes {file}", name, fields)


def _spec(where: str, name: str, fields: dict[str, Any]) -> RecipeSpec:
    return check_fields(RecipeSpec, fields, f"{where}: recipe '{name}'")


@cache
def _built_in() -> tuple[dict[str, list[str]], dict[str, RecipeSpec]]:
    path = Path(__file__).parent / "recipes.toml"
    content = read_toml(path)
    defaults = content.pop("default")
    return defaults, {name: _spec(str(path), name, fields) for name, fields in content.items()}


def vary(
    recipes: Iterable[Recipe], name: str, params: dict[str, Any] | None = None, cut: TrainCut | None = None
) -> list[Recipe]:
    """The recipes with other hyperparameters or on another cut of train, each under an id that says so."""
    return [
        recipe.model_copy(
            update={
                "id": f"{recipe.id}@{name}",
                "params": {**recipe.params, **(params or {})},
                "cut": cut or recipe.cut,
                "variant_of": recipe.variant_of or recipe.id,
                "variant": name if recipe.variant is None else f"{recipe.variant}@{name}",
            }
        )
        for recipe in recipes
    ]


def parse_setting(text: str) -> tuple[str, Any]:
    """ "name=value" of --set, the value as TOML would read it, a bare word as text; raises UsageError without a "="."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text}: write NAME=VALUE, such as learning_rate=1e-4")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
