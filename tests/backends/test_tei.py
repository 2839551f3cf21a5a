"""Text Embeddings Inference, against a server built from its openapi.json (1.9.3): no real one can be had here.

What it accepts and how it answers is TEI's (router/src/http): inputs as a list of lists, scores sorted with their
labels, /info with the label ids. The answers are those of the classifier itself, on the texts as they arrive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from faulty_server import Body, Faulty, Reply, faulty_server
from pydantic import BaseModel, ValidationError
from tiny_classifiers import MAX_LENGTH, embedding_mean, sequence_bert, tiny_texts

from backends.endpoint import client as endpoint_client
from backends.endpoint.engine import EndpointBackend
from backends.shared.torch_session import torch_forward
from bench import registry
from bench.classifiers.modules import load_module
from bench.errors import EndpointFailed, NotAvailable
from bench.plan.engines import load_engines
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, Session, Workplace

TEXTS = tiny_texts(40)
LABELS = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}


class PredictRequest(BaseModel):
    """components.schemas.PredictRequest, of the three forms of inputs the batch."""

    inputs: list[list[str]]
    raw_scores: bool = False
    truncate: bool | None = False
    truncation_direction: Literal["Left", "Right"] = "Right"


def info(labels: dict[str, str] = LABELS, kind: str = "classifier") -> Reply:
    names = {"id2label": labels, "label2id": {name: int(number) for number, name in labels.items()}}
    return Reply(body={"model_id": "/data/tiny", "model_type": {kind: names}, "max_client_batch_size": 32})


def predicting(classifier: Classifier) -> Any:
    """What TEI answers: the model's scores of each text, highest first."""
    tokenizer, forward = load_tokenizer(classifier), torch_forward(load_module(classifier), torch.device("cpu"))

    def answer(_: int, body: Body) -> Reply:
        try:
            request = PredictRequest.model_validate(body)
        except ValidationError as error:
            return Reply(422, {"error": str(error), "error_type": "validation"})
        if len(request.inputs) > 32:
            return Reply(413, {"error": "batch size > maximum allowed batch size 32", "error_type": "validation"})
        assert request.raw_scores
        ids = tokenizer.encode([text for (text,) in request.inputs]).ids
        logits = forward(*pad(ids, np.arange(len(ids)), tokenizer.pad_id))
        rows = [[{"score": float(score), "label": LABELS[str(n)]} for n, score in enumerate(row)] for row in logits]
        return Reply(body=[sorted(row, key=lambda one: -one["score"]) for row in rows])

    return answer


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return sequence_bert(tmp_path / "classifier")


@pytest.fixture
def server(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    monkeypatch.setattr(endpoint_client, "FIRST_BACKOFF_S", 0.01)
    with faulty_server(predicting(classifier)) as running:
        running.models = info()
        yield running


@contextmanager
def opened(classifier: Classifier, server: Faulty, **options: Any) -> Iterator[Session]:
    options = {**server.options, "url": server.url.removesuffix("/v1"), "protocol": "tei", **options}
    spec = EngineSpec(name="tei", title="TEI", backend="endpoint", precision="unstated", options=options)
    session = EndpointBackend(spec, Workplace("cpu", 1, classifier.path)).load(classifier)
    try:
        yield session
    finally:
        session.close()


@pytest.mark.parametrize("texts_per_request", [1, 7])
def test_tei_answers_as_eager_does(classifier: Classifier, server: Faulty, texts_per_request: int) -> None:
    backend = registry.find("backend", "eager")
    expected = backend(load_engines()["eager"], Workplace("cpu", 1, classifier.path)).load(classifier).predict(TEXTS)
    assert expected.truncated.any()
    with opened(classifier, server, texts_per_request=texts_per_request) as session:
        found = session.predict(TEXTS)
        assert session.token_sha256(TEXTS) is None
        assert session.clock.failed_requests == {}
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.truncated.tolist() == expected.truncated.tolist()
    assert found.token_counts.tolist() == expected.token_counts.tolist()
    words = [len(text.split()) for body in server.asked for (text,) in body["inputs"]]
    assert max(words) == MAX_LENGTH - 2, "longer texts are sent without what the classifier would not read"


def test_an_overloaded_server_is_asked_again_and_counted(classifier: Classifier, server: Faulty) -> None:
    well = server.answer
    busy = Reply(429, {"error": "Model is overloaded", "error_type": "overloaded"})
    server.answer = lambda number, body: busy if number == 0 else well(number, body)
    with opened(classifier, server) as session:
        assert (session.predict(TEXTS[:4]).labels >= 0).all()
        assert session.clock.failed_requests == {}, "it was answered in the end"
        assert session.clock.retried_requests == {"HTTP 429": 1}


def test_a_batch_over_the_servers_limit_is_asked_text_by_text(
    classifier: Classifier, server: Faulty, capfd: pytest.CaptureFixture[str]
) -> None:
    with opened(classifier, server, texts_per_request=40) as session:
        assert (session.predict(TEXTS).labels >= 0).all()
        assert (session.clock.refused, session.clock.unanswered) == (0, 0)
    assert "maximum allowed batch size 32" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (info(kind="embedding"), "is a TEI embedding, not a classifier"),
        (info({"0": "LABEL_0", "1": "LABEL_1"}), "has 2 classes, the classifier 3"),
        (info({"0": "money", "1": "sports", "2": "science"}), "class 0 is 'money', here class 1: other order"),
        (Reply(body={"data": [{"id": "tiny"}]}), "is no TEI server"),
        (Reply(404, {"detail": "Not Found"}), "is no TEI server"),
    ],
)
def test_another_server_or_model_is_refused(reply: Reply, reason: str, classifier: Classifier, server: Faulty) -> None:
    server.models = reply
    with pytest.raises(EndpointFailed, match=reason), opened(classifier, server):
        pass


def test_what_is_no_sequence_classifier_is_refused(server: Faulty, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="not embedding"), opened(embedding_mean(tmp_path / "e"), server):
        pass
