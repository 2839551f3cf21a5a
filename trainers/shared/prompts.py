"""A task's prompt as the two fixed halves around a text."""

from __future__ import annotations

from bench.errors import UsageError
from bench.types import Prompt

TEXT = "{text}"
OPTIONS = "{options}"


def prompt_halves(prompt: Prompt) -> tuple[str, str]:
    """What stands before and after the text; {options} becomes the label words."""
    if prompt.template.count(TEXT) != 1:
        raise UsageError(f"the prompt must hold {TEXT} exactly once; it is: {prompt.template!r}")
    words = [word.strip() for word in prompt.label_words]
    listed = f"{', '.join(words[:-1])} or {words[-1]}"
    before, after = prompt.template.split(TEXT)
    return before.replace(OPTIONS, listed), after.replace(OPTIONS, listed)
