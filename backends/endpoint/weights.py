"""Asks a server for a classifier whose weights are here too: in token ids, so that both read the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from backends.endpoint.answers import classify_url, read_choices, read_classes, read_written
from backends.endpoint.client import ANSWER_BYTES, EndpointClient
from backends.endpoint.constraints import Constraint
from backends.endpoint.options import LISTED_TEXTS, EndpointOptions
from backends.endpoint.session import Asker, Questions, Replies
from backends.shared.answers import answers, certain
from bench.classifiers.option_scoring import TAKEN_AWAY
from bench.classifiers.written_answers import END_OF_THOUGHT, AnswerReader, Written
from bench.errors import EndpointFailed
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Ending

Ids = list[int]

FIRST_LOGPROBS = 20  # as many as vLLM gives without being told otherwise
MORE_LOGPROBS = 1000
BYTES_A_LOGPROB = 200


class WeightsAsker:
    """Tokenises as every engine does; the prompts of a request are lists of ids."""

    texts_per_request = 1

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        self.classifier = classifier
        self.classes = len(classifier.class_names)
        self.tokenizer = load_tokenizer(classifier)
        self.url = options.url

    def check(self, client: EndpointClient) -> None:
        """The server has the model."""
        client.check_model()

    def prepare(self, texts: Sequence[str]) -> Questions:
        """Token ids of every text, cut as for every engine."""
        encoded = self.tokenizer.encode(texts)
        return Questions(encoded.ids, encoded.truncated, encoded.lengths)

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the ids sent."""
        return self.tokenizer.encode(texts).sha256


class ClassifyAsker(WeightsAsker):
    """vLLM's /classify, which stands beside /v1; it is asked for logits, the softmax is ours as for every engine."""

    texts_per_request = LISTED_TEXTS

    def ask(self, client: EndpointClient, items: Sequence[Ids]) -> Replies | None:
        """Logits of every text."""
        body = {"input": list(items), "use_activation": False}
        logits = client.post(
            classify_url(self.url), body, lambda answer: read_classes(answer, len(items), self.classes)
        )
        return None if logits is None else Replies(*answers(logits))


class OptionsAsker(WeightsAsker):
    """The log-likelihood of every answer from the logprobs of next tokens.

    An answer of several tokens takes one prompt more for each place where answers part. vLLM returns exactly the tokens
    asked for; another server its most likely ones, so it is asked again for more until every answer is among them.
    """

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        super().__init__(classifier, options)
        settings = classifier.manifest.settings
        self.label_ids: list[Ids] = settings["label_token_ids"]
        self.normalisation: str = settings["normalisation"]
        self.content_free: list[float] | None = settings.get("content_free")
        starts = {tuple(ids[:depth]) for ids in self.label_ids for depth in range(len(ids))}
        self.starts = {start: self._next_ids(start) for start in sorted(starts)}
        self.all_ids = sorted({token for ids in self.label_ids for token in ids})
        self.enough = FIRST_LOGPROBS  # what the texts so far needed: asking again computes the prompt again
        self.vocabulary = self.tokenizer.tokenizer.get_vocab_size()

    def _next_ids(self, start: tuple[int, ...]) -> frozenset[int]:
        depth = len(start)
        return frozenset(ids[depth] for ids in self.label_ids if len(ids) > depth and tuple(ids[:depth]) == start)

    def ask(self, client: EndpointClient, items: Sequence[Ids]) -> Replies | None:
        """Scores of every text, normalised as the classifier wants."""
        contexts = [([*ids, *start], wanted) for ids in items for start, wanted in self.starts.items()]
        found = self._logprobs(client, contexts)
        if found is None:
            return None
        width = len(self.starts)
        scores = [self._score(found[row : row + width]) for row in range(0, len(found), width)]
        return Replies(*answers(np.array(scores, dtype=np.float32)))

    def _logprobs(
        self, client: EndpointClient, contexts: Sequence[tuple[Ids, frozenset[int]]]
    ) -> list[dict[int, float]] | None:
        """For each context the logprobs, by id, of the tokens that may follow; None when the server gave none."""
        found: list[dict[int, float]] = [{} for _ in contexts]
        lacking = list(range(len(contexts)))
        for many in sorted((FIRST_LOGPROBS, MORE_LOGPROBS, self.vocabulary)):
            if many < self.enough:
                continue
            body = {
                "prompt": [contexts[row][0] for row in lacking],
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": many,
                "logprob_token_ids": self.all_ids,
                "return_tokens_as_token_ids": True,
            }
            rows = client.post(
                f"{self.url}/completions",
                body,
                partial(_read_next_tokens, prompts=len(lacking)),
                ANSWER_BYTES + many * len(lacking) * BYTES_A_LOGPROB,
            )
            if rows is None:
                return None
            for row, logprobs in zip(lacking, rows, strict=True):
                found[row] = logprobs
            lacking = [row for row in lacking if not contexts[row][1] <= found[row].keys()]
            if not lacking:
                self.enough = max(self.enough, many)
                return found
        raise EndpointFailed("the endpoint gives no logprobs for some of the answers' tokens, only for likelier ones")

    def _score(self, found: Sequence[Mapping[int, float]]) -> list[float]:
        at = dict(zip(self.starts, found, strict=True))
        scores = [sum(at[tuple(ids[:depth])][ids[depth]] for depth in range(len(ids))) for ids in self.label_ids]
        if self.normalisation in TAKEN_AWAY and self.content_free is not None:
            return [score - offset for score, offset in zip(scores, self.content_free, strict=True)]
        if self.normalisation == "per-token":
            return [score / len(ids) for score, ids in zip(scores, self.label_ids, strict=True)]
        return scores


def _read_next_tokens(answer: Any, prompts: int) -> list[dict[int, float]]:
    """Logprobs by token id of each choice's first token: vLLM's form ("token_id:7") or llama.cpp's ("id": 7)."""
    rows = []
    for choice in read_choices(answer, prompts):
        logprobs = choice["logprobs"]
        if "content" in logprobs:
            rows.append({int(top["id"]): float(top["logprob"]) for top in logprobs["content"][0]["top_logprobs"]})
        else:
            top = logprobs["top_logprobs"][0]
            rows.append({int(token.removeprefix("token_id:")): float(value) for token, value in top.items()})
    return rows


class WritingAsker(WeightsAsker):
    """A written answer, and before it a thought that goes on up to its budget."""

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        super().__init__(classifier, options)
        self.settings = classifier.manifest.settings
        self._reader = AnswerReader(self.settings["answers"], self.settings.get("mention", "settled"))
        self._constraint: Constraint | None = None

    def check(self, client: EndpointClient) -> None:
        """The server has the model, and takes the constraint."""
        super().check(client)
        if "permitted" in self.settings:
            self._constraint = Constraint(self.settings["permitted"], client, chat=False)

    def ask(self, client: EndpointClient, items: Sequence[Ids]) -> Replies | None:
        """The labels read from what was written, constrained where the classifier is."""
        if self._constraint is None:
            return self.ask_freely(client, items)
        return self._ask(client, items, self._constraint.read, self._constraint.fields)

    def ask_freely(self, client: EndpointClient, items: Sequence[Ids]) -> Replies | None:
        """The labels without the classifier's constraint."""
        return self._ask(client, items, self._reader.read_ending, {"max_tokens": self.settings["max_new_tokens"]})

    def _ask(
        self,
        client: EndpointClient,
        items: Sequence[Ids],
        read: Callable[[Written], tuple[int, Ending]],
        wanted: dict[str, Any],
    ) -> Replies | None:
        asked: list[Ids] | None = list(items)
        if self.settings["think_tokens"]:
            asked = self._after_thought(client, items)
        written = None if asked is None else self._write(client, asked, **wanted)
        if written is None:
            return None
        found = [read(each) for each in written]
        labels = np.array([label for label, _ in found], dtype=np.int64)
        endings = np.array([ending for _, ending in found], dtype=np.uint8)
        return Replies(certain(labels, self.classes), labels, endings=endings)

    def _after_thought(self, client: EndpointClient, items: Sequence[Ids]) -> list[Ids] | None:
        """The prompts with the model's thought behind them, closed where it went over its budget."""
        thoughts = self._write(client, items, max_tokens=self.settings["think_tokens"], stop=[END_OF_THOUGHT])
        if thoughts is None:
            return None
        encode = self.tokenizer.tokenizer.encode
        closed = [thought.text.partition(END_OF_THOUGHT)[0] + END_OF_THOUGHT + "\n\n" for thought in thoughts]
        return [
            [*ids, *encode(thought, add_special_tokens=False).ids] for ids, thought in zip(items, closed, strict=True)
        ]

    def _write(self, client: EndpointClient, prompts: Sequence[Ids], **wanted: Any) -> list[Written] | None:
        body = {"prompt": list(prompts), "temperature": 0, "skip_special_tokens": False, **wanted}
        return client.post(f"{self.url}/completions", body, partial(_read_texts, prompts=len(prompts)))


def _read_texts(answer: Any, prompts: int) -> list[Written]:
    return [read_written(choice) for choice in read_choices(answer, prompts)]


ASKERS: dict[str, Callable[[Classifier, EndpointOptions], Asker]] = {
    "sequence": ClassifyAsker,
    "options": OptionsAsker,
    "generate": WritingAsker,
}
