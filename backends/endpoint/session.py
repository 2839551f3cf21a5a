"""The session of an endpoint: texts in, requests in flight, answers put together in the order of the texts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from backends.endpoint.client import EndpointClient
from bench.errors import EndpointFailed
from bench.types import Prediction, SessionInfo, StageClock


@dataclass(frozen=True)
class Questions:
    """What is sent for each text; tokens int32 (n,) where they were counted here; truncated bool (n,)."""

    items: list[Any]
    truncated: np.ndarray
    tokens: np.ndarray | None = None


@dataclass(frozen=True)
class Replies:
    """Answers to the texts of one request: probabilities float32 (n, k), labels int64 (n,), -1 = no valid answer.

    tokens: of all its prompts together, as the server counted them; None where it did not say.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    tokens: int | None = None


class Asker(Protocol):
    """How one kind of classifier is asked over HTTP; texts_per_request where the options do not say it."""

    texts_per_request: int

    def check(self, client: EndpointClient) -> None:
        """Raise EndpointFailed where the server is down or has another model."""
        ...

    def prepare(self, texts: Sequence[str]) -> Questions:
        """What is sent for each text."""
        ...

    def ask(self, client: EndpointClient, items: Sequence[Any]) -> Replies | None:
        """The answers to one request's texts; None when the server gave none in the end."""
        ...

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids sent; None where texts are sent."""
        ...


class EndpointSession:
    """As many requests in flight as the options say, one where a single request holds all texts.

    A text without an answer has label -1 and is counted; after too many failures in a row predict raises
    EndpointFailed.
    """

    def __init__(self, asker: Asker, client: EndpointClient, classes: int, info: SessionInfo) -> None:
        self.clock = StageClock()
        self.info = info
        self._asker = asker
        self._client = client
        self._classes = classes
        self._pool = ThreadPoolExecutor(client.options.concurrency, thread_name_prefix="endpoint")

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts. Raises EndpointFailed when the server is gone."""
        clock, started = self.clock, perf_counter()
        questions = self._asker.prepare(texts)
        prepared = perf_counter()
        clock.tokenise_s += prepared - started
        size = self._texts_per_request(len(texts))
        parts = [slice(start, min(start + size, len(texts))) for start in range(0, len(texts), size)]
        try:
            replies = self._ask([questions.items[part] for part in parts])
        finally:
            answered = perf_counter()
            clock.forward_s += answered - prepared
            for reason, count in self._client.take_failures().items():
                clock.failed_requests[reason] = clock.failed_requests.get(reason, 0) + count
        prediction = self._put_together(questions, parts, replies)
        clock.real_tokens += int(prediction.token_counts.sum())
        clock.batches += len(parts)
        clock.post_s += perf_counter() - answered
        return prediction

    def _texts_per_request(self, texts: int) -> int:
        """As the options say; the default is less where else some of the requests in flight would have no text."""
        options = self._client.options
        if options.texts_per_request is not None:
            return options.texts_per_request
        return max(1, min(self._asker.texts_per_request, -(-texts // options.concurrency)))

    def _ask(self, requests: Sequence[Sequence[Any]]) -> list[Replies | None]:
        if len(requests) == 1:
            replies = [self._asker.ask(self._client, requests[0])]
        else:
            replies = list(self._pool.map(lambda items: self._asker.ask(self._client, items), requests))
        if self._client.gave_up:
            answered = sum(len(items) for items, reply in zip(requests, replies, strict=True) if reply is not None)
            total = sum(map(len, requests))
            raise EndpointFailed(
                f"{self._client.options.url} stopped answering after {answered} of {total} texts; "
                f"failed requests: {self._client.why()}"
            )
        return replies

    def _put_together(
        self, questions: Questions, parts: Sequence[slice], replies: Sequence[Replies | None]
    ) -> Prediction:
        n = len(questions.items)
        probabilities = np.full((n, self._classes), 1 / self._classes, dtype=np.float32)
        labels = np.full(n, -1, dtype=np.int64)
        tokens = np.zeros(n, dtype=np.int32) if questions.tokens is None else questions.tokens
        for part, reply in zip(parts, replies, strict=True):
            if reply is None:
                self.clock.unanswered += part.stop - part.start
                continue
            probabilities[part], labels[part] = reply.probabilities, reply.labels
            if questions.tokens is None and reply.tokens is not None:
                tokens[part] = _shared_out(reply.tokens, part.stop - part.start)
        return Prediction(probabilities, labels, tokens, questions.truncated)

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids sent; None where texts are sent."""
        return self._asker.token_sha256(texts)

    def recompiles(self) -> int | None:
        """Whatever the server compiles, it does not say."""
        return None

    def close(self) -> None:
        """End the requests under way and close the connections."""
        self._client.close()
        self._pool.shutdown(cancel_futures=True)


def _shared_out(tokens: int, texts: int) -> np.ndarray:
    """A server counts the tokens of a request, not of each of its texts; int32 (texts,) with the same sum."""
    shares = np.full(texts, tokens // texts, dtype=np.int32)
    shares[: tokens % texts] += 1
    return shares
