"""Keeps requests to an endpoint in flight: texts in, answers put together in the order of the texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np

from backends.endpoint.client import EndpointClient, TextRefused
from backends.shared.answers import certain
from bench.errors import EndpointFailed
from bench.types import Ending, Prediction, SessionInfo, StageClock


@dataclass(frozen=True)
class Questions:
    """What is sent for each text; tokens int32 (n,) where they were counted here; truncated bool (n,)."""

    items: list[Any]
    truncated: np.ndarray
    tokens: np.ndarray | None = None


@dataclass(frozen=True)
class Replies:
    """Answers to the texts of one request: probabilities float32 (n, k), labels int64 (n,), -1 = no valid answer.

    tokens: of all its prompts together, as the server counted them; None where it did not say. endings uint8 (n,): an
    `Ending` each, None where nothing is written.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    tokens: int | None = None
    endings: np.ndarray | None = None


def joined(replies: Sequence[Replies]) -> Replies:
    """The answers of several requests as those of one."""
    tokens = [reply.tokens for reply in replies if reply.tokens is not None]
    written = any(reply.endings is not None for reply in replies)
    endings = [reply.endings if reply.endings is not None else _whole(len(reply.labels)) for reply in replies]
    return Replies(
        np.concatenate([reply.probabilities for reply in replies]),
        np.concatenate([reply.labels for reply in replies]),
        sum(tokens) if tokens else None,
        np.concatenate(endings) if written else None,
    )


def _whole(texts: int) -> np.ndarray:
    return np.full(texts, Ending.WHOLE, dtype=np.uint8)


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


@runtime_checkable
class FreeAsker(Protocol):
    """An asker of written answers, which can leave a classifier's constraint out."""

    def ask_freely(self, client: EndpointClient, items: Sequence[Any]) -> Replies | None:
        """As `ask`, without the constraint."""
        ...


Ask = Callable[[EndpointClient, Sequence[Any]], Replies | None]


class EndpointSession:
    """As many requests in flight as the options say, one where a single request holds all texts.

    A text without an answer has label -1 and is counted, and so is, apart, one that the server refuses to answer; after
    too many failures in a row predict raises EndpointFailed.
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
        return self._predict(texts, self._asker.ask)

    def predict_freely(self, texts: Sequence[str]) -> Prediction:
        """As `predict`, without the constraint that the classifier may have."""
        return self._predict(texts, self._asker.ask_freely if isinstance(self._asker, FreeAsker) else self._asker.ask)

    def _predict(self, texts: Sequence[str], ask: Ask) -> Prediction:
        clock, started = self.clock, perf_counter()
        questions = self._asker.prepare(texts)
        prepared = perf_counter()
        clock.tokenise_s += prepared - started
        size = self._texts_per_request(len(texts))
        parts = [slice(start, min(start + size, len(texts))) for start in range(0, len(texts), size)]
        try:
            replies = self._ask([questions.items[part] for part in parts], ask)
        finally:
            answered = perf_counter()
            clock.forward_s += answered - prepared
            for counted, counts in zip(
                (clock.failed_requests, clock.retried_requests), self._client.take_counts(), strict=True
            ):
                for reason, count in counts.items():
                    counted[reason] = counted.get(reason, 0) + count
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

    def _ask(self, requests: Sequence[Sequence[Any]], ask: Ask) -> list[Replies | None]:
        replies = list((map if len(requests) == 1 else self._pool.map)(partial(self._reply, ask), requests))
        if requests:
            self._client.check_answered()
        if self._client.gave_up:
            answered = sum(len(items) for items, reply in zip(requests, replies, strict=True) if reply is not None)
            total = sum(map(len, requests))
            raise EndpointFailed(
                f"{self._client.options.url} stopped answering after {answered} of {total} texts; "
                f"failed requests: {self._client.why()}"
            )
        return replies

    def _reply(self, ask: Ask, items: Sequence[Any]) -> Replies | None:
        """One request's answers; where it is refused, its texts are asked one by one to find out for which."""
        try:
            return ask(self._client, items)
        except TextRefused:
            if len(items) == 1:
                return self._refused()
        replies = [self._reply(ask, [item]) for item in items]
        answered = [reply for reply in replies if reply is not None]
        return joined(answered) if len(answered) == len(replies) else None

    def _refused(self) -> Replies:
        labels = np.full(1, -1, dtype=np.int64)
        endings = np.full(1, Ending.REFUSED, dtype=np.uint8)
        return Replies(certain(labels, self._classes), labels, None, endings)

    def _put_together(
        self, questions: Questions, parts: Sequence[slice], replies: Sequence[Replies | None]
    ) -> Prediction:
        n = len(questions.items)
        probabilities = np.full((n, self._classes), 1 / self._classes, dtype=np.float32)
        labels = np.full(n, -1, dtype=np.int64)
        tokens = np.zeros(n, dtype=np.int32) if questions.tokens is None else questions.tokens
        written = any(reply is not None and reply.endings is not None for reply in replies)
        endings = _whole(n)
        for part, reply in zip(parts, replies, strict=True):
            if reply is None:
                self.clock.unanswered += part.stop - part.start
                continue
            probabilities[part], labels[part] = reply.probabilities, reply.labels
            if reply.endings is not None:
                endings[part] = reply.endings
            if questions.tokens is None and reply.tokens is not None:
                tokens[part] = _shared_out(reply.tokens, part.stop - part.start)
        self.clock.refused += int((endings == Ending.REFUSED).sum())
        return Prediction(probabilities, labels, tokens, questions.truncated, endings if written else None)

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
