"""Scores each class's answer as the continuation of a prompt, with a causal language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bench.classifiers.body import WithBody, at_last_token
from bench.classifiers.layers import honours_tree
from bench.errors import NotAvailable, UsageError

NORMALISATIONS = ("sum", "per-token", "calibrated", "pmi")
TAKEN_AWAY = ("calibrated", "pmi")
OUTPUT_TOLERANCE = 1e-3
SHORTEST_PREFIX = 8  # tokens; below, copying its keys and values into each batch costs more than computing them


def adjustment(
    label_token_ids: Sequence[Sequence[int]], normalisation: str, content_free: Sequence[float] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What is taken away from the log-likelihood (nats) of every answer, and what it is then divided by.

    Raises UsageError for an unknown normalisation or nothing to take away where it must be, NotAvailable for an answer
    without tokens.
    """
    if normalisation not in NORMALISATIONS:
        raise UsageError(f"unknown normalisation '{normalisation}'; known: {', '.join(sorted(NORMALISATIONS))}")
    if not all(label_token_ids):
        raise NotAvailable("a label word has no tokens; give every class a word that the tokenizer can write")
    nothing, once = (0.0,) * len(label_token_ids), (1.0,) * len(label_token_ids)
    if normalisation not in TAKEN_AWAY:
        return nothing, tuple(float(len(word)) for word in label_token_ids) if normalisation == "per-token" else once
    if content_free is None or len(content_free) != len(label_token_ids):
        raise UsageError(f"{normalisation} options need one log-likelihood to take away for each class")
    return tuple(content_free), once


def _behind_outputs(text: Any) -> tuple[float, float | None]:
    """What some families do to the output layer's logits: a factor, and a cap by tanh (Gemma, Cohere, Granite ...)."""
    factor = getattr(text, "logit_scale", None) or getattr(text, "lm_head_multiplier", None) or 1.0
    cap = getattr(text, "final_logit_softcapping", None) or getattr(text, "logits_soft_cap", None)
    return float(factor) / float(getattr(text, "logits_scaling", None) or 1.0), cap


def longest_sequence(max_length: int | None, label_token_ids: Sequence[Sequence[int]]) -> int | None:
    """Tokens of the longest prompt and all but the last token of the longest answer."""
    return None if max_length is None else max_length + max(map(len, label_token_ids)) - 1


class OptionsModule(WithBody):
    """One forward pass a text: a prompt in, the log-likelihood of every class's answer out.

    Logits are log-likelihoods in nats: summed over the answer's tokens ("sum"), their mean ("per-token"), or with those
    after another prompt taken away (`content_free`): "calibrated", after content-free texts (contextual calibration,
    Zhao et al. 2021), or "pmi", after the prompt's end alone (domain-conditional PMI, Holtzman et al. 2021).

    All but the last token of every answer follow the padded prompt as branches of a tree: each sees the prompt and its
    own answer only, at the position it would have, so that one pass is exact for answers of any length. `prefix_ids`,
    which every prompt starts with, are computed once and kept as keys and values; prompts that start otherwise are
    computed whole.

    Where a layer does not honour such a mask over `longest` tokens (layers.py), every answer follows a prompt of its
    own in the batch, and nothing is kept: as exact, with a pass an answer.
    """

    branch_positions: Tensor
    branch_ids: Tensor
    branch_sight: Tensor
    first_ids: Tensor
    answer_ids: Tensor
    answer_lengths: Tensor

    def __init__(
        self,
        model: Any,
        label_token_ids: Sequence[Sequence[int]],
        normalisation: str,
        content_free: Sequence[float] | None = None,
        prefix_ids: Sequence[int] = (),
        longest: int | None = None,
    ) -> None:
        super().__init__(model)
        self.scale, self.cap = _behind_outputs(model.config.get_text_config())
        self.as_tree = honours_tree(model.config, longest)
        # plain numbers, not buffers: a module cast to bf16 must not round them
        self.offset, self.divisor = adjustment(label_token_ids, normalisation, content_free)
        lengths = [len(word) for word in label_token_ids]
        self.branches = tuple((label, depth) for label, length in enumerate(lengths) for depth in range(length - 1))
        self.next_ids = tuple(label_token_ids[label][depth + 1] for label, depth in self.branches)
        sight = [[mine[0] == other[0] and other[1] <= mine[1] for other in self.branches] for mine in self.branches]
        self.prefix_ids = tuple(prefix_ids) if self.as_tree and len(prefix_ids) >= SHORTEST_PREFIX else ()
        self._prefix: list[tuple[Tensor, Tensor]] = []
        self.register_buffer("first_ids", torch.tensor([word[0] for word in label_token_ids]))
        padded = [[*word, *[0] * (max(lengths) - len(word))] for word in label_token_ids]
        self.register_buffer("answer_ids", torch.tensor(padded))
        self.register_buffer("answer_lengths", torch.tensor(lengths))
        self.register_buffer("branch_ids", torch.tensor([label_token_ids[a][b] for a, b in self.branches]).long())
        self.register_buffer("branch_positions", torch.tensor([depth for _, depth in self.branches]).long())
        self.register_buffer("branch_sight", torch.tensor(sight).bool())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        scores = self.log_likelihoods(input_ids, attention_mask)
        return (scores - scores.new_tensor(self.offset)) / scores.new_tensor(self.divisor)

    def log_likelihoods(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Summed log-likelihood of every answer, nats, float32 (b, k)."""
        known = len(self.prefix_ids) if self._starts_with_prefix(input_ids, attention_mask) else 0
        inputs: dict[str, Any] = {"use_cache": False}
        if known:
            inputs = {"use_cache": True, "past_key_values": self._prefix_cache(len(input_ids))}
        body, width = self.body, input_ids.shape[1] - known
        if not self.branches:
            hidden = body(input_ids=input_ids[:, known:], attention_mask=attention_mask, **inputs).last_hidden_state
            return self._log_probabilities(at_last_token(hidden, attention_mask[:, known:]))[:, self.first_ids]
        if not self.as_tree:
            return self._one_by_one(input_ids, attention_mask)
        ids, positions, bias = self._tree(input_ids, attention_mask)
        hidden = body(
            input_ids=ids[:, known:],
            attention_mask=bias[:, None, known:],
            position_ids=positions[:, known:],
            **inputs,
        ).last_hidden_state
        prompt_end = at_last_token(hidden[:, :width], attention_mask[:, known:])
        scores = self._log_probabilities(prompt_end)[:, self.first_ids]
        inner = self._log_probabilities(hidden[:, width:])
        columns: list[Tensor] = list(scores.unbind(dim=1))
        for branch, ((label, _), next_id) in enumerate(zip(self.branches, self.next_ids, strict=True)):
            columns[label] = columns[label] + inner[:, branch, next_id]
        return torch.stack(columns, dim=1)

    def _one_by_one(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The same from a row for each answer: its tokens behind the prompt's last, padding behind both."""
        batch, length = input_ids.shape
        classes, longest = self.answer_ids.shape
        ends = attention_mask.sum(dim=1, keepdim=True).repeat_interleave(classes, dim=0)
        counts = self.answer_lengths.repeat(batch).unsqueeze(1)
        answers = self.answer_ids.repeat(batch, 1)
        at = torch.arange(length + longest - 1, device=input_ids.device).unsqueeze(0)
        prompts = torch.nn.functional.pad(input_ids, (0, longest - 1)).repeat_interleave(classes, dim=0)
        ids = torch.where(at < ends, prompts, answers.gather(1, (at - ends).clamp(0, longest - 1)))
        mask = (at < ends + counts - 1).to(attention_mask.dtype)
        hidden = self.body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        steps = torch.arange(longest, device=input_ids.device).unsqueeze(0)
        readers = (ends - 1 + steps).unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        scores = self._log_probabilities(hidden.gather(1, readers)).gather(2, answers.unsqueeze(-1)).squeeze(-1)
        return scores.masked_fill(steps >= counts, 0.0).sum(dim=1).view(batch, classes)

    def _tree(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ids and positions (b, t + branches) of prompts and branches, and who sees whom as a bias on the scores."""
        batch, length = input_ids.shape
        real = attention_mask.bool()
        lengths = attention_mask.sum(dim=1, keepdim=True)
        ids = torch.cat([input_ids, self.branch_ids.expand(batch, -1)], dim=1)
        prompt_positions = torch.arange(length, device=input_ids.device).expand(batch, -1)
        positions = torch.cat([prompt_positions, lengths + self.branch_positions], dim=1)
        causal = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).tril()
        of_prompt = torch.nn.functional.pad(causal & real[:, None, :], (0, len(self.branches)))
        of_branches = torch.cat(
            [real[:, None, :].expand(-1, len(self.branches), -1), self.branch_sight.expand(batch, -1, -1)], dim=2
        )
        sight = torch.cat([of_prompt, of_branches], dim=1)
        dtype = self.model.get_input_embeddings().weight.dtype
        bias = torch.zeros(sight.shape, dtype=dtype, device=sight.device).masked_fill(~sight, torch.finfo(dtype).min)
        return ids, positions, bias

    def _starts_with_prefix(self, input_ids: Tensor, attention_mask: Tensor) -> bool:
        """Whether every row is the prefix and something more; never in training, where the weights move."""
        known = len(self.prefix_ids)
        if not known or self.training or int(attention_mask.sum(dim=1).min()) <= known:
            return False
        return bool((input_ids[:, :known] == input_ids.new_tensor(self.prefix_ids)).all())

    def _prefix_cache(self, batch: int) -> Any:
        """Keys and values of the prefix for every row of a batch, computed at the first call."""
        from transformers import DynamicCache

        if not self._prefix:
            ids = self.first_ids.new_tensor(self.prefix_ids).unsqueeze(0)
            cache = self.body(input_ids=ids, use_cache=True).past_key_values
            self._prefix = [(layer.keys, layer.values) for layer in cache.layers]
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self._prefix):
            cache.update(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1), number)
        return cache

    def _log_probabilities(self, hidden: Tensor) -> Tensor:
        logits = self.model.get_output_embeddings()(hidden).float() * self.scale
        if self.cap is not None:
            logits = self.cap * torch.tanh(logits / self.cap)
        return logits.log_softmax(dim=-1)

    @torch.no_grad()
    def check_outputs(self) -> None:
        """Raise NotAvailable where the model makes other probabilities of its states than this module does."""
        ids = self.first_ids.new_tensor([[0, 1, 2, 1]])
        mask = torch.ones_like(ids)
        ours = self._log_probabilities(self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state)
        theirs = self.model(input_ids=ids, attention_mask=mask).logits.float().log_softmax(dim=-1)
        difference = float((ours - theirs).abs().max())
        if not difference <= OUTPUT_TOLERANCE * max(1.0, float(theirs.abs().max())):
            raise NotAvailable(
                f"option scoring does not know what {type(self.model).__name__} does behind its output layer: log-"
                f"probabilities differ by {difference:.2g}; take method generate"
            )
