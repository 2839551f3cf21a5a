"""Reads studies, the same recipes at several settings or cuts of train, from studies.toml or a user's file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.errors import unknown_name
from bench.files.toml import check_fields, read_toml, read_users_toml
from bench.plan.recipes import vary
from bench.types import Recipe, Record, TrainCut


class Variant(Record):
    """One value along a study's axis; `without` are hyperparameters of the recipe that go back to their defaults."""

    name: str
    without: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    cut: TrainCut = TrainCut()


class Study(Record):
    """What is varied and over which values; `methods` are its recipes when none are named."""

    name: str
    title: str
    axis: str
    row: str | None = None
    methods: tuple[str, ...] = ()
    seeds: int = 1
    variants: tuple[Variant, ...] = ()

    def expand(self, recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
        """Every recipe at every value, recipe by recipe; a study without variants leaves them as they are."""
        if not self.variants:
            return recipes
        return tuple(
            one
            for recipe in recipes
            for variant in self.variants
            for one in vary([_without(recipe, variant.without)], variant.name, variant.params, variant.cut)
        )


def _without(recipe: Recipe, names: tuple[str, ...]) -> Recipe:
    left = {name: value for name, value in recipe.params.items() if name not in names}
    return recipe.model_copy(update={"params": left})


def study_names() -> list[str]:
    """Every study that comes with the harness."""
    return list(_built_in())


def load_study(name: str) -> Study:
    """The study of that name, or the one in a TOML file of that path; raises UsageError when there is neither."""
    if name in _built_in():
        return _built_in()[name]
    if not name.endswith(".toml"):
        raise unknown_name("study", name, study_names())
    path = Path(name)
    return _study(str(path), path.stem, read_users_toml(path, "--study"))


@cache
def _built_in() -> dict[str, Study]:
    path = Path(__file__).parent / "studies.toml"
    content = read_toml(path)
    return {name: _study(str(path), name, fields) for name, fields in content.items()}


def _study(where: str, name: str, fields: dict[str, Any]) -> Study:
    return check_fields(Study, {"name": name, **fields}, f"{where}: study '{name}'")
