"""Puts a person's own prompts into the recipes that ask a language model, one variant a template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.plan.recipes import vary
from bench.plan.studies import Study, Variant
from bench.text.prompts import IN_QUESTION, check_template, reword
from bench.types import Dataset, Recipe, Record, Wording

ASKING = ("zero-shot", "generate", "sft", "served")  # methods whose hyperparameters are a prompt's
SHOWN_CHARACTERS = 32
AXIS = "prompt"


class OwnPrompts(Record):
    """--prompt (each one template), --question, --label-words and --descriptions."""

    templates: tuple[str, ...] = ()
    question: str | None = None
    label_words: dict[str, str] | None = None
    descriptions: dict[str, str] | None = None

    @property
    def shared(self) -> dict[str, Any]:
        """The hyperparameters that every template goes with."""
        given = self.model_dump(exclude={"templates"})
        return {name: value for name, value in given.items() if value is not None}


def read_template(given: str) -> str:
    """A template, or that of a file; raises UsageError for a wrong place in it."""
    template = given.replace("\\n", "\n")  # as a shell passes a line end that was typed
    if "{" not in given:
        try:
            template = Path(given).read_text(encoding="utf-8-sig").rstrip("\n")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--prompt {given}: neither a template with {{text}} in it nor a readable file ({error})"
            ) from error
    try:
        return check_template(template)
    except ValueError as error:
        raise UsageError(f"--prompt: {error}") from error


def read_question(given: str) -> str:
    """A question; raises UsageError for a wrong place in it."""
    try:
        return check_template(given, IN_QUESTION)
    except ValueError as error:
        raise UsageError(f"--question: {error}") from error


def read_by_class(option: str, given: Sequence[str]) -> dict[str, str]:
    """CLASS=TEXT of each time that the option was given, or the JSON files that it names."""
    found: dict[str, str] = {}
    for one in given:
        if one.lower().endswith(".json"):
            found |= _read_json(option, Path(one))
            continue
        name, equals, text = one.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise UsageError(f"{option} {one}: write CLASS=TEXT, or name a JSON file")
        found[name.strip()] = text.strip()
    return found


def _read_json(option: str, path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {path}: no readable JSON file ({error})") from error
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise UsageError(f'{option} {path}: expected {{"class": "text", ...}}')
    return content


def set_prompts(recipes: Iterable[Recipe], own: OwnPrompts) -> list[Recipe]:
    """The recipes, those that ask a language model with the own prompts; UsageError where none does."""
    recipes = list(recipes)
    if not own.templates and not own.shared:
        return recipes
    if not any(recipe.method in ASKING for recipe in recipes):
        chosen = ", ".join(recipe.id for recipe in recipes)
        raise UsageError(
            f"--prompt and its kin are for methods that ask a language model ({', '.join(ASKING)}): {chosen}"
        )
    changed: list[Recipe] = []
    for recipe in recipes:
        if recipe.method not in ASKING:
            changed.append(recipe)
            continue
        for variant in _variants(own):
            changed += vary([recipe], variant.name, variant.params)
    return changed


def study_of(own: OwnPrompts, study: Study | None) -> Study | None:
    """The study that several templates are; raises UsageError where another one is asked for beside it."""
    if len(own.templates) < 2:
        return study
    if study is not None:
        raise UsageError("--prompt given several times is a study of its own: leave --study out, or give one prompt")
    return Study(name="prompts", title="How much does the prompt decide?", axis=AXIS)


def check_words(recipes: Iterable[Recipe], tasks: Iterable[Dataset]) -> None:
    """Raise UsageError where a recipe's words are not those of a task's classes."""
    for recipe in recipes:
        words = {name: recipe.params[name] for name in ("label_words", "descriptions") if recipe.params.get(name)}
        if recipe.method not in ASKING or not words:
            continue
        for data in tasks:
            try:
                reword(data.prompt, Wording.model_validate(words), data.class_names)
            except UsageError as error:
                raise UsageError(f"{data.name}, recipe '{recipe.id}': {error}") from error


def _variants(own: OwnPrompts) -> list[Variant]:
    if not own.templates:
        return [Variant(name=_short(json.dumps(own.shared, ensure_ascii=False)), params=own.shared)]
    return [Variant(name=_short(text, own.shared), params={**own.shared, "template": text}) for text in own.templates]


def _short(template: str, rest: dict[str, Any] | None = None) -> str:
    """What a person recognises the prompt by, and what keeps two of the same beginning apart."""
    digest = sha256(json.dumps([template, rest or {}], sort_keys=True).encode("utf-8")).hexdigest()[:6]
    return f"{' '.join(template.split())[:SHOWN_CHARACTERS]} #{digest}"
