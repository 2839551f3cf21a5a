"""A task's prompt as the two fixed halves around a text, and its label words as token ids."""

from __future__ import annotations

from pathlib import Path

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


def label_token_ids(prompt: Prompt, tokenizer_json: Path) -> list[list[int]]:
    """Token ids of each label word as it follows the prompt: with the space that stands before a word.

    Raises UsageError when two classes would be scored by the same tokens.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    words = [f" {word.strip()}" for word in prompt.label_words]
    ids: list[list[int]] = [tokenizer.encode(word, add_special_tokens=False).ids for word in words]
    if len({tuple(word) for word in ids}) < len(ids):
        raise UsageError(f"two label words have the same tokens; give each class a word of its own: {words}")
    return ids
