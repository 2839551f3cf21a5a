"""Checks the hyperparameters of a recipe against those its trainer knows."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import UsageError, unknown_name
from bench.types import Recipe


class Params(BaseModel):
    """Base of a trainer's hyperparameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


AnyParams = TypeVar("AnyParams", bound=Params)


def read_params(recipe: Recipe, kind: type[AnyParams]) -> AnyParams:
    """The recipe's params; raises UsageError for an unknown name (with the nearest) or an impossible value."""
    for name in recipe.params:
        if name not in kind.model_fields:
            raise unknown_name(f"parameter of recipe '{recipe.id}'", name, kind.model_fields)
    try:
        return kind.model_validate(recipe.params)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        named = f"{where} = {first['input']!r}: " if where else ""
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"recipe '{recipe.id}': {named}{said}") from error
