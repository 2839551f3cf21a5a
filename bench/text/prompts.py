"""Fills prompt templates: named places in braces become text, every other brace stays as it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.errors import UsageError
from bench.types import Prompt, Wording

TEXT = "text"
PLACES = (TEXT, "options", "descriptions", "question")
IN_QUESTION = ("options", "descriptions")
# {name} is a place; {{name}} is written for a {name} that shall stay; all other braces (JSON, code) are plain text
_PLACE = re.compile(r"\{\{([^\W\d]\w*)\}\}|\{([^\W\d]\w*)\}")


def check_template(template: str, places: Sequence[str] = PLACES) -> str:
    """The template itself; raises ValueError for a place of another name, and where {text} is not there once."""
    found = _places(template)
    for name in found:
        if name not in places:
            known = ", ".join(f"{{{place}}}" for place in places)
            raise ValueError(f"unknown placeholder {{{name}}}; known: {known} ({{{{{name}}}}} keeps it as it stands)")
    if TEXT in places and found.count(TEXT) != 1:
        raise ValueError(f"a prompt must hold {{text}} exactly once; it is: {template!r}")
    return template


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its places filled, in one pass: braces within the values are never read."""

    def written(match: re.Match[str]) -> str:
        return f"{{{match[1]}}}" if match[1] else values[match[2]]

    return _PLACE.sub(written, template)


def halves(template: str, values: Mapping[str, str]) -> tuple[str, str]:
    """What stands before and after the text; raises UsageError as check_template does."""
    try:
        check_template(template)
    except ValueError as error:
        raise UsageError(str(error)) from error
    at = next(match for match in _PLACE.finditer(template) if match[2] == TEXT)
    return fill(template[: at.start()], values), fill(template[at.end() :], values)


def needs(template: str, place: str) -> bool:
    """Whether the template has such a place."""
    return place in _places(template)


def _places(template: str) -> list[str]:
    return [match[2] for match in _PLACE.finditer(template) if match[2]]


def reword(prompt: Prompt, wording: Wording, class_names: Sequence[str]) -> Prompt:
    """The prompt with what the wording changes; raises UsageError for words that are not one a class."""
    changes: dict[str, object] = {}
    if wording.template is not None:
        changes |= {"template": wording.template, "exact": True}
    if wording.question is not None:
        changes["question"] = wording.question
    if wording.noun is not None:
        changes["noun"] = wording.noun
    if wording.label_words is not None:
        changes["label_words"] = _by_class("label words", wording.label_words, class_names, prompt.label_words)
    if wording.descriptions is not None:
        nothing = prompt.descriptions or ("",) * len(class_names)
        changes["descriptions"] = _by_class("descriptions", wording.descriptions, class_names, nothing)
    changed = prompt.model_copy(update=changes)
    words = [word.strip() for word in changed.label_words]
    if wording.label_words is not None and (not all(words) or len(set(words)) < len(words)):
        raise UsageError(f"label words must be there and differ from each other: {', '.join(map(repr, words))}")
    return changed


def _by_class(
    what: str, given: tuple[str, ...] | dict[str, str], class_names: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    """One a class, in the classes' order; `others` are those of the classes that a table does not name."""
    if not isinstance(given, dict):
        if len(given) != len(class_names):
            raise UsageError(f"{len(given)} {what} for {len(class_names)} classes: {', '.join(class_names)}")
        return tuple(given)
    for name in given:
        if name not in class_names:
            raise UsageError(f"{what}: '{name}' is no class; the classes are {', '.join(class_names)}")
    return tuple(given.get(name, other) for name, other in zip(class_names, others, strict=True))
