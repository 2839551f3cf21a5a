"""Reads how a language model is to be asked: from a suite's TOML file, or from the dataset.json of a user's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationError

from bench.errors import DataError, UsageError
from bench.text.prompts import IN_QUESTION, check_template, reword
from bench.types import Prompt, Wording, first_problem


class OwnPrompt(Wording):
    """`prompt` of dataset.json: what it changes of the prompt, and further ways to ask, by name."""

    wordings: dict[str, Wording] = Field(default_factory=dict)


def read_prompt(content: Any, where: str) -> OwnPrompt:
    """`prompt` of dataset.json; raises DataError for a misspelt key and a template with a wrong place."""
    try:
        own = OwnPrompt.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{where}: prompt: {first_problem(error)}") from error
    try:
        for name, wording in {"": own, **own.wordings}.items():
            _check_wording(wording, f"wording '{name}': " if name else "")
    except ValueError as error:
        raise DataError(f"{where}: prompt: {error}") from error
    return own


def own_wording(prompt: Prompt, own: OwnPrompt | None, class_names: Sequence[str], where: str) -> Prompt:
    """The prompt as the file `where` has it; raises DataError for words that are not one a class."""
    if own is None:
        return prompt
    try:
        changed = reword(prompt, own, class_names)
        for wording in own.wordings.values():
            reword(changed, wording, class_names)
    except UsageError as error:
        raise DataError(f"{where}: prompt: {error}") from error
    return changed.model_copy(update={"wordings": {**prompt.wordings, **own.wordings}})


def check_prompt(prompt: Prompt, class_names: Sequence[str], where: str) -> None:
    """Raise UsageError where a suite's prompt, or another wording of it, does not fit the suite's classes."""
    try:
        check_template(prompt.template)
        check_template(prompt.question, IN_QUESTION)
        for wording in prompt.wordings.values():
            _check_wording(wording, "")
            reword(prompt, wording, class_names)
    except (ValueError, UsageError) as error:
        raise UsageError(f"{where}: prompt: {error}") from error
    if len(prompt.label_words) != len(class_names):
        raise UsageError(f"{where}: the prompt needs one label word for each of the classes")


def _check_wording(wording: Wording, which: str) -> None:
    try:
        if wording.template is not None:
            check_template(wording.template)
        if wording.question is not None:
            check_template(wording.question, IN_QUESTION)
    except ValueError as error:
        raise ValueError(f"{which}{error}") from error
