"""Says where a text is cut earlier than a recipe asks for."""

from __future__ import annotations

from bench.types import BaseWeights, Recipe


def length_notes(recipe: Recipe, base: BaseWeights, read: int) -> tuple[str, ...]:
    """What the row says where the base model has room for fewer tokens than the recipe's own `max_length`."""
    wanted = recipe.params.get("max_length")
    if not isinstance(wanted, int) or read >= wanted:
        return ()
    return (f"reads {read:,} tokens, not the {wanted:,} asked for: {base.name} has room for no more",)
