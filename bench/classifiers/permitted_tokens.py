"""Masks a language model's next tokens, so that only one of a list of answers can be written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import LogitsProcessor

from bench.errors import NotAvailable

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class PermittedTokens:
    """Which tokens may follow what is written so far, so that it stays the start of an answer.

    Every spelling of an answer in tokens is permitted, as the grammars of servers do; where the tokens of a tokenizer
    are no pieces of text (words between spaces), the spelling that it gives itself.
    """

    def __init__(self, answers: Sequence[str], tokenizer: Tokenizer, ends: Sequence[int], vocabulary: int) -> None:
        """ends: ids that end a text; vocabulary: how many logits the model has.

        Raises NotAvailable for a model that never ends a text.
        """
        if not ends:
            raise NotAvailable("this model has no token that ends a text, so that no answer can be constrained")
        self._ends = sorted(set(ends))
        self._spelt = [tuple(tokenizer.encode(answer, add_special_tokens=False).ids) for answer in answers]
        self._grammar = _text_grammar(answers, tokenizer, self._ends, vocabulary)
        self._known: dict[tuple[int, ...], list[int]] = {}

    def after(self, written: Sequence[int]) -> list[int]:
        """The ids that may come next; those that end a text where an answer is whole."""
        start = tuple(written)
        if start not in self._known:
            self._known[start] = self._by_text(start, *self._grammar) if self._grammar else self._by_spelling(start)
        return self._known[start]

    def _by_text(self, start: tuple[int, ...], tokenizer: Any, grammar: str) -> list[int]:
        from llguidance import LLMatcher

        matcher = LLMatcher(tokenizer, grammar, log_level=0)
        matcher.consume_tokens(list(start))
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        found: list[int] = np.flatnonzero(bits).tolist()
        return found or self._ends

    def _by_spelling(self, start: tuple[int, ...]) -> list[int]:
        depth = len(start)
        begun = [ids for ids in self._spelt if ids[:depth] == start]
        following = {ids[depth] for ids in begun if len(ids) > depth}
        whole = any(len(ids) == depth for ids in begun) or not begun
        return sorted(following | (set(self._ends) if whole else set()))


def _text_grammar(
    answers: Sequence[str], tokenizer: Tokenizer, ends: list[int], vocabulary: int
) -> tuple[Any, str] | None:
    """llguidance's tokenizer and grammar; None where it does not know what text the tokens are."""
    from llguidance import LLMatcher, LLTokenizer

    try:
        known = LLTokenizer(tokenizer.to_str(), n_vocab=vocabulary, eos_token=ends, slices=[])
    except ValueError:
        return None
    return known, LLMatcher.grammar_from_lark(
        "start: " + " | ".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
    )


class OnlyPermitted(LogitsProcessor):
    """Takes every other token from a greedy choice; `width`: tokens of the prompts before the answers."""

    def __init__(self, permitted: PermittedTokens, width: int, ends: Sequence[int]) -> None:
        self._permitted = permitted
        self._width = width
        self._ends = frozenset(ends)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        masked = torch.full_like(scores, float("-inf"))
        for row, written in enumerate(input_ids[:, self._width :].tolist()):
            ended = not self._ends.isdisjoint(written)
            allowed = list(self._ends) if ended else self._permitted.after(written)
            masked[row, allowed] = scores[row, allowed]
        return masked  # type: ignore[return-value]
