"""Asks Text Embeddings Inference (Hugging Face) through its /predict, which takes texts, not ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.endpoint.client import EndpointClient
from backends.endpoint.options import LISTED_TEXTS, EndpointOptions
from backends.endpoint.session import Questions, Replies
from backends.shared.answers import answers
from bench.errors import EndpointFailed, NotAvailable
from bench.text.tokens import load_tokenizer
from bench.types import Classifier


class TeiAsker:
    """Sends texts, cut where the classifier's tokenizer cuts them; the server's own tokens are not known.

    Scores come sorted, each with its label: which class that is, /info says (label2id).
    """

    texts_per_request = LISTED_TEXTS

    def __init__(self, classifier: Classifier, options: EndpointOptions) -> None:
        if classifier.kind != "sequence":
            raise NotAvailable(f"TEI's /predict serves sequence classifiers, not {classifier.kind}")
        self.class_names = classifier.class_names
        self.tokenizer = load_tokenizer(classifier)
        self.url = options.url.removesuffix("/v1")
        self.class_of: dict[str, int] = {}

    def check(self, client: EndpointClient) -> None:
        """Read /info; raises EndpointFailed for a server that is none of TEI's, or has another model."""
        info = client.look_up(f"{self.url}/info")
        kind = info.get("model_type")
        if not isinstance(kind, dict):
            raise EndpointFailed(f"{self.url} is no TEI server: its /info names no model type")
        if "classifier" not in kind:
            raise EndpointFailed(f"the model at {self.url} is a TEI {next(iter(kind), 'model')}, not a classifier")
        self.class_of = {str(name): int(label) for name, label in kind["classifier"]["label2id"].items()}
        if sorted(self.class_of.values()) != list(range(len(self.class_names))):
            found, wanted = len(self.class_of), len(self.class_names)
            raise EndpointFailed(f"the endpoint's model has {found} classes, the classifier {wanted}")
        for name, label in self.class_of.items():
            if name in self.class_names and self.class_names.index(name) != label:
                raise EndpointFailed(
                    f"the endpoint's class {label} is '{name}', here class {self.class_names.index(name)}: other order"
                )

    def prepare(self, texts: Sequence[str]) -> Questions:
        """The texts, those over the classifier's maximum length without what it would not read."""
        encoded = self.tokenizer.encode(texts)
        items = [
            self.tokenizer.cut_text(text) if cut else text for text, cut in zip(texts, encoded.truncated, strict=True)
        ]
        return Questions(items, encoded.truncated, encoded.lengths)

    def ask(self, client: EndpointClient, items: Sequence[str]) -> Replies | None:
        """Logits of every text; the softmax is ours as for every engine."""
        body = {"inputs": [[text] for text in items], "raw_scores": True, "truncate": True}
        logits = client.post(f"{self.url}/predict", body, lambda answer: self._read(answer, len(items)))
        return None if logits is None else Replies(*answers(logits))

    def _read(self, answer: Any, texts: int) -> np.ndarray:
        if len(answer) != texts:
            raise ValueError(f"{len(answer)} answers to {texts} texts")
        logits = np.full((texts, len(self.class_names)), np.nan, dtype=np.float32)
        for row, scores in enumerate(answer):
            for score in scores:
                logits[row, self.class_of[score["label"]]] = score["score"]
        if np.isnan(logits).any():
            raise ValueError("a class without a score")
        return logits

    def token_sha256(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 - the protocol's signature
        """The server tokenises."""
        return None
