"""Holds what every trainer is made of: a recipe, a base model, a place to work."""

from __future__ import annotations

from bench.errors import UsageError
from bench.types import BaseWeights, Recipe, Workplace
from trainers.params import Params, read_params


class RecipeTrainer:
    """Base of the trainers; construction only stores. `params_type` has the hyperparameters it knows."""

    params_type: type[Params]

    def __init__(self, recipe: Recipe, base: BaseWeights | None, place: Workplace) -> None:
        self.recipe = recipe
        self.base = base
        self.place = place

    def require_base(self) -> BaseWeights:
        """The base model; raises UsageError when the recipe names none."""
        if self.base is None:
            raise UsageError(f"recipe '{self.recipe.id}' needs a base model; give it a role or a base_model")
        return self.base

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Raise UsageError when a hyperparameter of the recipe has a wrong name or an impossible value."""
        read_params(recipe, cls.params_type)
