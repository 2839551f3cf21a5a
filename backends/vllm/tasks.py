"""Asks vLLM by classifier kind: class logits, log-likelihoods of answers, or written answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from backends.shared.answers import answers, certain
from backends.vllm.lora import lora_folders
from backends.vllm.model import open_model
from bench.classifiers.generation import Writer
from bench.classifiers.option_scoring import adjustment
from bench.classifiers.permitted_answers import most_tokens
from bench.classifiers.written_answers import Written
from bench.text.tokens import TextTokenizer
from bench.types import Backend, Classifier

Answers = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]
MOST_CANDIDATES = 128  # vLLM's own limit of logprob_token_ids


@dataclass(frozen=True)
class Served:
    """A model in vLLM: `compute` takes the ids of n texts, `read` makes probabilities (n, k) and labels (n,) of it.

    Of written answers `read` gives endings (n,) too; freely: the same two without a classifier's constraint.
    """

    llm: Any
    compute: Callable[[Sequence[Sequence[int]]], Any]
    read: Callable[[Any], Answers]
    freely: tuple[Callable[[Sequence[Sequence[int]]], Any], Callable[[Any], Answers]] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    convert_s: float = 0.0


def serve_sequence(classifier: Classifier, tokenizer: TextTokenizer, engine: Backend) -> Served:
    """A head on an encoder's first or a decoder's last token; LoRA kept beside its base stays unmerged."""
    from vllm import PoolingParams

    started = perf_counter()
    folder, adapter = lora_folders(classifier, engine.cache)
    convert_s = perf_counter() - started
    lora: dict[str, Any] = {}
    if adapter is not None:
        lora = {"enable_lora": True, "max_loras": 1, "max_lora_rank": _vllm_rank(adapter.rank)}
    llm = open_model(
        folder,
        "pooling",
        engine,
        convert="classify",
        max_model_len=tokenizer.max_length,
        enable_prefix_caching=False,
        **lora,
    )
    raw = PoolingParams(use_activation=False)
    request = adapter.request() if adapter is not None else None

    def compute(ids: Sequence[Sequence[int]]) -> Any:
        return llm.classify(prompts(ids), pooling_params=raw, lora_request=request, use_tqdm=False)

    def read(outputs: Any) -> Answers:
        return answers(_rows([output.outputs.probs for output in outputs], len(classifier.class_names)))

    return Served(llm, compute, read, None, {"lora": None if adapter is None else "unmerged"}, convert_s)


def serve_options(classifier: Classifier, tokenizer: TextTokenizer, engine: Backend) -> Served:
    """One request for each place of the tree of answers: the prompt, and the prompt with the start of an answer."""
    settings = classifier.manifest.settings
    words: list[list[int]] = settings["label_token_ids"]
    taken, parts = adjustment(words, settings["normalisation"], settings.get("content_free"))
    offset, divisor = np.asarray(taken, np.float32), np.asarray(parts, np.float32)
    reads = answer_reads(words)
    llm = _open_decoder(classifier.path, engine, tokenizer.max_length + max(map(len, words)))
    sampling = [_reads(candidates) for _, candidates in reads]

    def compute(ids: Sequence[Sequence[int]]) -> list[list[dict[int, float]]]:
        outputs = _generate(llm, [[*prompt, *start] for prompt in ids for start, _ in reads], sampling * len(ids))
        known = [{token: found.logprob for token, found in output.outputs[0].logprobs[0].items()} for output in outputs]
        return [known[row : row + len(reads)] for row in range(0, len(known), len(reads))]

    def read(outputs: list[list[dict[int, float]]]) -> Answers:
        scores = [likelihoods(words, reads, found) for found in outputs]
        return answers((_rows(scores, len(words)) - offset) / divisor)

    return Served(llm, in_waves(compute), read, None, {"requests_per_text": len(reads), "prefix_caching": True})


def serve_generate(classifier: Classifier, tokenizer: TextTokenizer, engine: Backend) -> Served:
    """Greedy continuations, read as every engine's are."""
    settings = classifier.manifest.settings
    permitted = settings.get("permitted", ())
    # a thought is read again with its end written behind it, which may take other tokens than it was written in
    written = max(settings["max_new_tokens"], most_tokens(permitted or [""]))
    room = written + 2 * settings["think_tokens"] + 32
    # the grammar of a constraint is made of the tokenizer's texts
    llm = _open_decoder(classifier.path, engine, tokenizer.max_length + room, skip_tokenizer_init=not permitted)
    writer = VllmWriter(classifier, tokenizer.tokenizer, llm)
    decoding = "greedy, constrained" if permitted else "greedy"
    return Served(
        llm,
        in_waves(writer.write),
        partial(_read_written, writer, len(classifier.class_names)),
        (
            in_waves(partial(writer.write, free=True)),
            partial(_read_written, writer, len(classifier.class_names), free=True),
        ),
        {"decoding": decoding, "prefix_caching": True},
    )


def _read_written(writer: Writer, classes: int, written: Sequence[Written], free: bool = False) -> Answers:
    read = [writer.read(answer, free) for answer in written]
    labels = np.array([label for label, _ in read], dtype=np.int64)
    return certain(labels, classes), labels, np.array([ending for _, ending in read], dtype=np.uint8)


class VllmWriter(Writer):
    """Continuations from vLLM, with the settings of generation_config.json that move a greedy choice."""

    def __init__(self, classifier: Classifier, tokenizer: Any, llm: Any) -> None:
        from transformers import AutoConfig, GenerationConfig

        config = AutoConfig.from_pretrained(classifier.path, local_files_only=True, trust_remote_code=False)
        generation = GenerationConfig.from_model_config(config)
        if (classifier.path / "generation_config.json").exists():
            generation = GenerationConfig.from_pretrained(classifier.path, local_files_only=True)
        super().__init__(classifier, tokenizer, (generation, config))
        self._llm = llm
        self._repetition_penalty = float(generation.repetition_penalty or 1.0)

    def continuations(
        self, ids: Sequence[Sequence[int]], new_tokens: int, stops: list[int], constrained: bool = False
    ) -> list[list[int]]:
        """See Writer."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        sampling = SamplingParams(
            temperature=0.0,
            max_tokens=new_tokens,
            stop_token_ids=stops,
            ignore_eos=True,  # the stops have every end there is
            repetition_penalty=self._repetition_penalty,
            detokenize=False,
            structured_outputs=StructuredOutputsParams(choice=list(self.permitted)) if constrained else None,
        )
        outputs = _generate(self._llm, ids, [sampling] * len(ids))
        return [list(output.outputs[0].token_ids) for output in outputs]


# ---------------------------------------------------------------- option scores


def answer_reads(words: Sequence[Sequence[int]]) -> list[tuple[tuple[int, ...], list[int]]]:
    """Starts of answers, each with the tokens that may follow: what has to be read to know every answer's likelihood.

    The empty start is the first; one with more candidates than vLLM reads at once stands there several times.
    """
    following: dict[tuple[int, ...], list[int]] = {}
    for word in words:
        for depth, token in enumerate(word):
            candidates = following.setdefault(tuple(word[:depth]), [])
            if token not in candidates:
                candidates.append(token)
    return [
        (start, candidates[first : first + MOST_CANDIDATES])
        for start, candidates in following.items()
        for first in range(0, len(candidates), MOST_CANDIDATES)
    ]


def likelihoods(
    words: Sequence[Sequence[int]],
    reads: Sequence[tuple[tuple[int, ...], list[int]]],
    found: Sequence[Mapping[int, float]],
) -> list[float]:
    """The log-likelihood (nats) of every answer from those of its tokens; found has one mapping for each read."""
    known = {
        (start, token): logprobs[token]
        for (start, candidates), logprobs in zip(reads, found, strict=True)
        for token in candidates
    }
    return [sum(known[tuple(word[:depth]), token] for depth, token in enumerate(word)) for word in words]


def _reads(candidates: list[int]) -> Any:
    from vllm import SamplingParams

    return SamplingParams(
        temperature=0.0, max_tokens=1, logprob_token_ids=candidates, ignore_eos=True, detokenize=False
    )


# ---------------------------------------------------------------- requests


def prompts(ids: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
    """Token ids as vLLM takes them."""
    return [{"prompt_token_ids": list(row)} for row in ids]


def _open_decoder(folder: Path, engine: Backend, longest: int, skip_tokenizer_init: bool = True) -> Any:
    return open_model(
        folder,
        "generate",
        engine,
        max_model_len=longest,
        enable_prefix_caching=True,
        block_size=engine.spec.options["block_size"],
        skip_tokenizer_init=skip_tokenizer_init,
    )


def in_waves(compute: Callable[[list[Sequence[int]]], Sequence[Any]]) -> Callable[[Sequence[Sequence[int]]], list[Any]]:
    """The same, with equal prompts in calls of their own.

    A benchmark asks the same texts again, and an answer out of the prefix cache would be no work at all: each call
    starts with an empty cache (see _generate), which then holds what different prompts share.
    """

    def compute_all(ids: Sequence[Sequence[int]]) -> list[Any]:
        results: list[Any] = [None] * len(ids)
        for rows in waves(ids):
            for row, result in zip(rows, compute([ids[row] for row in rows]), strict=True):
                results[row] = result
        return results

    return compute_all


def waves(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Positions of all first occurrences, then of all second ones, and so on."""
    seen: Counter[tuple[int, ...]] = Counter()
    found: list[list[int]] = []
    for row, prompt in enumerate(map(tuple, ids)):
        if seen[prompt] == len(found):
            found.append([])
        found[seen[prompt]].append(row)
        seen[prompt] += 1
    return found


def _generate(llm: Any, ids: Sequence[Sequence[int]], sampling: list[Any]) -> list[Any]:
    """vLLM's outputs in the order of the prompts; what earlier calls computed is forgotten first."""
    if not llm.reset_prefix_cache():
        raise RuntimeError("vLLM did not empty its prefix cache")
    outputs: list[Any] = llm.generate(prompts(ids), sampling, use_tqdm=False)
    return outputs


def _rows(scores: Sequence[Sequence[float]], classes: int) -> np.ndarray:
    return np.asarray(scores, dtype=np.float32).reshape(len(scores), classes)


def _vllm_rank(rank: int) -> int:
    """vLLM keeps room for adapters of these ranks only."""
    return next(known for known in (8, 16, 32, 64, 128, 256, 320, 512) if rank <= known)
