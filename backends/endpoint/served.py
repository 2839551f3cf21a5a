"""Asks a server for a classifier that exists behind it alone: in texts, which it tokenises itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backends.endpoint.answers import classify_url, read_choices, read_classes, read_prompt_tokens, read_written
from backends.endpoint.client import EndpointClient
from backends.endpoint.constraints import Constraint
from backends.endpoint.options import LISTED_TEXTS, EndpointOptions
from backends.endpoint.session import Asker, Questions, Replies, joined
from backends.shared.answers import answers, certain
from bench.classifiers.written_answers import BEGIN_OF_THOUGHT, END_OF_THOUGHT, AnswerReader, Written
from bench.errors import EndpointFailed
from bench.text.neighbours import read_examples
from bench.types import Classifier, Ending

TOP_LOGPROBS = 20  # the most that hosted servers and vLLM give unless told otherwise


def asker_for(classifier: Classifier) -> Callable[[Classifier, EndpointOptions], Asker]:
    """The way that the classifier's recipe chose."""
    settings = classifier.manifest.settings
    if settings["api"] == "classify":
        return ServedClassify
    return ServedScoring if settings["reading"] == "logprobs" else ServedWriting


class TextAsker:
    """Sends texts, cut at a number of characters; the server counts the tokens."""

    texts_per_request = 1

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        self.settings = classifier.manifest.settings
        self.examples = read_examples(classifier)
        self.classes = len(classifier.class_names)
        self.url = options.url
        self.class_names = classifier.class_names

    def check(self, client: EndpointClient) -> None:
        """The server has the model."""
        client.check_model()

    def prepare(self, texts: Sequence[str]) -> Questions:
        """The texts, none longer than the recipe allows."""
        limit = self.settings["max_characters"]
        truncated = np.fromiter((len(text) > limit for text in texts), dtype=bool, count=len(texts))
        return Questions([text[:limit] for text in texts], truncated)

    def token_sha256(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 - the protocol's signature
        """The tokens are the server's own."""
        return None


class ServedClassify(TextAsker):
    """vLLM's /classify; what is too long for the model is cut by the server."""

    texts_per_request = LISTED_TEXTS

    def ask(self, client: EndpointClient, items: Sequence[str]) -> Replies | None:
        """Probabilities of every text."""
        body = {"input": list(items), "use_activation": False, "truncate_prompt_tokens": -1}
        return client.post(classify_url(self.url), body, lambda answer: self._read(answer, len(items)))

    def _read(self, answer: Any, texts: int) -> Replies:
        probabilities, labels = answers(read_classes(answer, texts, self.classes))
        for row, label in zip(sorted(answer["data"], key=lambda row: row["index"]), labels, strict=True):
            self._check_order(row.get("label"), int(label))
        return Replies(probabilities, labels, read_prompt_tokens(answer))

    def _check_order(self, name: str | None, label: int) -> None:
        """A model trained elsewhere may count the classes in another order."""
        known = [class_name.casefold() for class_name in self.class_names]
        if name is not None and name.casefold() in known and known.index(name.casefold()) != label:
            raise EndpointFailed(
                f"the endpoint's class {label} is '{name}', here class {known.index(name.casefold())}: other order"
            )


class AskedText(TextAsker):
    """A prompt around the text, as a message of a chat or as it is."""

    def ask(self, client: EndpointClient, items: Sequence[str]) -> Replies | None:
        """The answers; a chat takes one text a request."""
        return self._ask(client, items, self._wanted(), self._read)

    def _ask(
        self,
        client: EndpointClient,
        items: Sequence[str],
        wanted: dict[str, Any],
        read: Callable[[Any, int], Replies],
    ) -> Replies | None:
        before, after = self.settings["before"], self.settings["after"]
        shown = [self.examples.before_text(text) if self.examples else "" for text in items]
        prompts = [f"{before}{examples}{text}{after}" for examples, text in zip(shown, items, strict=True)]
        if self.settings["api"] == "completions":
            body = {"prompt": prompts, "temperature": 0, **wanted}
            return client.post(f"{self.url}/completions", body, lambda answer: read(answer, len(items)))
        replies = []
        for prompt in prompts:
            body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, **wanted}
            reply = client.post(f"{self.url}/chat/completions", body, lambda answer: read(answer, 1))
            if reply is None:
                return None
            replies.append(reply)
        return joined(replies)

    @abstractmethod
    def _wanted(self) -> dict[str, Any]:
        """The fields that ask for what is read."""

    @abstractmethod
    def _read(self, answer: Any, prompts: int) -> Replies: ...


class ServedWriting(AskedText):
    """The class is read from what the model wrote after its thought, which servers keep apart or leave in the text.

    Where the classifier is constrained, the server is told which answers are permitted.
    """

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        super().__init__(classifier, options)
        self._reader = AnswerReader(self.settings["answers"], self.settings.get("mention", "settled"))
        self._constraint: Constraint | None = None

    def check(self, client: EndpointClient) -> None:
        """The server has the model, and takes the constraint."""
        super().check(client)
        if "permitted" in self.settings:
            self._constraint = Constraint(self.settings["permitted"], client, self.settings["api"] == "chat")

    def ask(self, client: EndpointClient, items: Sequence[str]) -> Replies | None:
        """The answers, constrained where the classifier is."""
        if self._constraint is None:
            return self.ask_freely(client, items)
        wanted = {**self._wanted(), **self._constraint.fields}
        return self._ask(client, items, wanted, self._read_constrained)

    def ask_freely(self, client: EndpointClient, items: Sequence[str]) -> Replies | None:
        """The answers without the classifier's constraint."""
        return super().ask(client, items)

    def _wanted(self) -> dict[str, Any]:
        think = self.settings["think"]
        wanted: dict[str, Any] = {"max_tokens": self.settings["max_new_tokens"] + self.settings["think_tokens"]}
        if think != "none":
            wanted["chat_template_kwargs"] = {"enable_thinking": think == "open"}
        return wanted

    def _read(self, answer: Any, prompts: int) -> Replies:
        written = [self._behind_thought(read_written(choice)) for choice in read_choices(answer, prompts)]
        return self._replies(answer, [self._reader.read_ending(each) for each in written])

    def _read_constrained(self, answer: Any, prompts: int) -> Replies:
        if self._constraint is None:
            return self._read(answer, prompts)
        written = map(read_written, read_choices(answer, prompts))
        return self._replies(answer, [self._constraint.read(each) for each in written])

    def _replies(self, answer: Any, read: Sequence[tuple[int, Ending]]) -> Replies:
        labels = np.array([label for label, _ in read], dtype=np.int64)
        endings = np.array([ending for _, ending in read], dtype=np.uint8)
        return Replies(certain(labels, self.classes), labels, read_prompt_tokens(answer), endings)

    def _behind_thought(self, written: Written) -> Written:
        """A thought that the server's template opened shows its end alone: cut off before that, all is thought."""
        open_still = self.settings["think"] == "open" and written.cut and END_OF_THOUGHT not in written.text
        return Written(f"{BEGIN_OF_THOUGHT}{written.text}", True) if open_still and written.text else written


class ServedScoring(AskedText):
    """The first token's likelihood of every class, over all spellings of it among the likeliest tokens.

    A class that is not among them counts as the least likely of those shown, which it is at most; where none is, there
    is no valid answer.
    """

    def _wanted(self) -> dict[str, Any]:
        if self.settings["api"] == "chat":
            return {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return {"max_tokens": 1, "logprobs": TOP_LOGPROBS}

    def _read(self, answer: Any, prompts: int) -> Replies:
        scores = [self._scores(_top_tokens(choice["logprobs"])) for choice in read_choices(answer, prompts)]
        probabilities, labels = answers(np.array(scores, dtype=np.float32))
        return Replies(probabilities, labels, read_prompt_tokens(answer))

    def _scores(self, top: Sequence[tuple[str, float]]) -> list[float]:
        found: list[list[float]] = [[] for _ in range(self.classes)]
        for token, logprob in top:
            label = self._class_of(token)
            if label is not None:
                found[label].append(logprob)
        if not any(found):
            return [float("nan")] * self.classes
        least = min(logprob for _, logprob in top)
        return [float(np.logaddexp.reduce(logprobs)) if logprobs else least for logprobs in found]

    def _class_of(self, token: str) -> int | None:
        """The one class whose answer the token is, or for words begins."""
        said = token.strip()
        if self.settings["answer_kind"] == "letters":
            named = [label for label, letter in enumerate(self.settings["answers"]) if letter == said]
        else:
            start = said.casefold()
            named = [
                n for n, word in enumerate(self.settings["answers"]) if start and word.casefold().startswith(start)
            ]
        return named[0] if len(named) == 1 else None


def _top_tokens(logprobs: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The first token's likeliest alternatives: OpenAI's chat form, or its older one for completions."""
    if "content" in logprobs:
        return [(top["token"], float(top["logprob"])) for top in logprobs["content"][0]["top_logprobs"]]
    return [(token, float(value)) for token, value in logprobs["top_logprobs"][0].items()]
