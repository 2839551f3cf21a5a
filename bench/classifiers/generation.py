"""Lets a causal language model write, and reads a class from what it wrote: `generate` classifiers.

settings: before, after (the prompt around a text); answers, one for each class; answer_kind "letters" | "words";
mention, which name in it counts (written_answers.py), "settled" where it is not there; max_new_tokens; think_tokens,
the budget of a think block that the prompt leaves open (0: there is none); permitted, for constrained classifiers
alone: each class's answer as it follows the prompt, the only ones that may be written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from bench.classifiers.layers import ignores_padding
from bench.classifiers.permitted_answers import most_tokens, read_permitted
from bench.classifiers.permitted_tokens import OnlyPermitted, PermittedTokens
from bench.classifiers.pretrained import load_pretrained
from bench.classifiers.written_answers import END_OF_THOUGHT, AnswerReader, Written
from bench.types import Classifier, Ending


class Writer(ABC):
    """What is asked of a language model that writes, whatever engine continues its prompts."""

    def __init__(self, classifier: Classifier, tokenizer: Any, configs: Iterable[Any]) -> None:
        """`tokenizer` is of the tokenizers library; `configs` are those that name the ids which end a text."""
        settings = classifier.manifest.settings
        self.tokenizer = tokenizer
        self.max_new_tokens: int = settings["max_new_tokens"]
        self.think_tokens: int = settings["think_tokens"]
        self.permitted: tuple[str, ...] = tuple(settings.get("permitted", ()))
        self._reader = AnswerReader(settings["answers"], settings.get("mention", "settled"))
        self.stops = _stop_ids(configs, tokenizer)
        self.end_of_thought = tokenizer.token_to_id(END_OF_THOUGHT)

    def read(self, written: Written, free: bool = False) -> tuple[int, Ending]:
        """The label meant, -1 for none, and how the answer ended; what was constrained is a label's as it stands."""
        if self.permitted and not free:
            return read_permitted(written, self.permitted)
        return self._reader.read_ending(written)

    def write(self, ids: Sequence[Sequence[int]], free: bool = False) -> list[Written]:
        """What the model writes after each prompt; a thought that goes over its budget is closed for it.

        free: without the constraint that the classifier may have.
        """
        if not self.think_tokens:
            return self._answers(ids, free)
        stops = [*self.stops, *([self.end_of_thought] if self.end_of_thought is not None else [])]
        thoughts = self._decode(self.continuations(ids, self.think_tokens, stops))
        closed = [thought.partition(END_OF_THOUGHT)[0] + END_OF_THOUGHT + "\n\n" for thought in thoughts]
        return self._answers(
            [
                [*prompt, *self.tokenizer.encode(thought, add_special_tokens=False).ids]
                for prompt, thought in zip(ids, closed, strict=True)
            ],
            free,
        )

    def _answers(self, ids: Sequence[Sequence[int]], free: bool) -> list[Written]:
        constrained = bool(self.permitted) and not free
        new_tokens = most_tokens(self.permitted) if constrained else self.max_new_tokens
        continued = self.continuations(ids, new_tokens, self.stops, constrained)
        cut = [not row or row[-1] not in self.stops for row in continued]
        if constrained:
            continued = [row if short else row[:-1] for row, short in zip(continued, cut, strict=True)]
        return [Written(text, short) for text, short in zip(self._decode(continued), cut, strict=True)]

    @abstractmethod
    def continuations(
        self, ids: Sequence[Sequence[int]], new_tokens: int, stops: list[int], constrained: bool = False
    ) -> list[list[int]]:
        """Greedily chosen ids after each prompt, at most `new_tokens`; the first stop is the last of them.

        constrained: only the permitted answers may be written.
        """

    def _decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        return list(self.tokenizer.decode_batch([list(row) for row in ids], skip_special_tokens=False))


class Generator(Writer):
    """Greedy decoding in batches, padded on the left and masked, so that a batch writes what each text alone would.

    Where a layer would read the padding all the same (layers.py), each prompt is continued alone; transformers' RWKV
    writes other tokens even in an unpadded batch.
    """

    def __init__(self, classifier: Classifier, tokenizer: Any, dtype: torch.dtype, device: str) -> None:
        from transformers import AutoModelForCausalLM

        self.model = load_pretrained(AutoModelForCausalLM, classifier.path).to(dtype).to(device).eval()
        self.device = device
        super().__init__(classifier, tokenizer, (self.model.generation_config, self.model.config))
        self._permitted_tokens: PermittedTokens | None = None
        if self.permitted:
            vocabulary = self.model.config.get_text_config().vocab_size
            self._permitted_tokens = PermittedTokens(self.permitted, tokenizer, self.stops, vocabulary)

    def continuations(
        self, ids: Sequence[Sequence[int]], new_tokens: int, stops: list[int], constrained: bool = False
    ) -> list[list[int]]:
        """See Writer."""
        permitted = self._permitted_tokens if constrained else None
        if ignores_padding(self.model.config):
            return self._continued(ids, new_tokens, stops, permitted)
        return [self._continued([prompt], new_tokens, stops, permitted)[0] for prompt in ids]

    def _continued(
        self, ids: Sequence[Sequence[int]], new_tokens: int, stops: list[int], permitted: PermittedTokens | None
    ) -> list[list[int]]:
        width = max(map(len, ids))
        pad_id = stops[0] if stops else 0
        rows = torch.empty((len(ids), width), dtype=torch.int64)
        mask = torch.zeros((len(ids), width), dtype=torch.int64)
        for row, prompt in enumerate(ids):
            # masked, but a repetition penalty reads the padding too: a token of the prompt changes nothing for it
            rows[row, : width - len(prompt)] = prompt[0]
            rows[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode():
            whole = self.model.generate(
                input_ids=rows.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=new_tokens,
                do_sample=False,
                num_beams=1,
                eos_token_id=stops or None,
                pad_token_id=pad_id,
                logits_processor=[OnlyPermitted(permitted, width, stops)] if permitted else None,
                temperature=None,
                top_p=None,
                top_k=None,
            )
        return [_until_stop(written, stops) for written in whole[:, width:].tolist()]


def _until_stop(ids: list[int], stops: list[int]) -> list[int]:
    """Up to the first stop, which is kept where it ends a thought: what follows in a batch is padding."""
    for at, token in enumerate(ids):
        if token in stops:
            return ids[: at + 1]
    return ids


def _stop_ids(configs: Iterable[Any], tokenizer: Any) -> list[int]:
    """The ids that end a text: the configs' and those of known names."""
    ids: list[int] = []
    for config in configs:
        found = getattr(config, "eos_token_id", None)
        ids += [found] if isinstance(found, int) else list(found or ())
    for name in ("<|im_end|>", "<|eot_id|>", "<end_of_turn>"):
        token = tokenizer.token_to_id(name)
        ids += [token] if token is not None else []
    return list(dict.fromkeys(ids))
