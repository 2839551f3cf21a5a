"""The batched session: windows of texts, devices that answer later, and what happens when their memory runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_classifiers import finish, sequence_bert, tiny_texts
from tiny_models import TINY, save_tokenizer
from transformers import AutoModelForSequenceClassification, BertConfig, ConvBertConfig, FNetConfig

from backends.eager import EagerBackend
from backends.shared.batched import BatchedSession, BatchLimits, batching_details
from backends.shared.torch_session import torch_forward
from bench.classifiers.modules import load_module
from bench.plan.engines import load_engines
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, SessionInfo, Workplace

TEXTS = tiny_texts(50)
LIMITS = BatchLimits(token_budget=256, max_batch=16)


@pytest.fixture()
def classifier(tmp_path: Path) -> Classifier:
    return sequence_bert(tmp_path)


class Device:
    """A forward pass on a device with memory for `most` tokens; what it computes is a tensor, as on a GPU."""

    def __init__(self, classifier: Classifier, most: int) -> None:
        self._forward = torch_forward(load_module(classifier), torch.device("cpu"))
        self.most = most
        self.sizes: list[int] = []

    def __call__(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> torch.Tensor:
        self.sizes.append(input_ids.size)
        if input_ids.size > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return torch.from_numpy(self._forward(input_ids, attention_mask))


def session_on(device: Any, classifier: Classifier, limits: BatchLimits = LIMITS) -> BatchedSession:
    info = SessionInfo(load_s=0.0, details=batching_details(limits))
    return BatchedSession(load_tokenizer(classifier), device, limits, info, len(classifier.class_names))


def test_windows_and_late_answers_change_nothing(classifier: Classifier) -> None:
    whole = session_on(Device(classifier, 10**6), classifier).predict(TEXTS)
    limits = BatchLimits(token_budget=256, max_batch=16, window=7)
    windowed = session_on(Device(classifier, 10**6), classifier, limits).predict(TEXTS)
    np.testing.assert_allclose(windowed.probabilities, whole.probabilities, atol=1e-6)
    np.testing.assert_array_equal(windowed.token_counts, whole.token_counts)
    np.testing.assert_array_equal(windowed.truncated, whole.truncated)


def test_batches_are_halved_once_when_memory_runs_out(classifier: Classifier) -> None:
    device = Device(classifier, 200)
    session = session_on(device, classifier)
    prediction = session.predict(TEXTS)
    expected = session_on(Device(classifier, 10**6), classifier).predict(TEXTS)
    np.testing.assert_allclose(prediction.probabilities, expected.probabilities, atol=1e-6)
    assert max(device.sizes) > 200, "the first batch was too large"
    assert session.info.details["token_budget"] == 128
    assert session.info.details["max_batch"] == 8
    assert session.info.details["halved"] == "out of memory"
    device.sizes.clear()
    session.predict(TEXTS)
    assert max(device.sizes) <= 128, "and stays halved"


def test_what_does_not_fit_halved_fails(classifier: Classifier) -> None:
    session = session_on(Device(classifier, 20), classifier)
    with pytest.raises(torch.OutOfMemoryError):
        session.predict(TEXTS)


def test_other_errors_are_not_tried_again(classifier: Classifier) -> None:
    calls = []

    def broken(input_ids: np.ndarray, _: np.ndarray) -> np.ndarray:
        calls.append(len(input_ids))
        raise RuntimeError("device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        session_on(broken, classifier).predict(TEXTS)
    assert len(calls) == 1


def test_a_device_has_limits_of_its_own() -> None:
    spec = EngineSpec(
        name="e", title="e", backend="eager", precision="fp32", options={"token_budget": 100, "cuda": {"max_batch": 7}}
    )
    assert BatchLimits.of(spec, "cpu") == BatchLimits(token_budget=100)
    assert BatchLimits.of(spec, "cuda") == BatchLimits(token_budget=100, max_batch=7)
    for engine in load_engines().values():
        if "cuda" in engine.options:
            assert BatchLimits.of(engine, "cuda").token_budget > BatchLimits.of(engine, "cpu").token_budget, engine.name


def test_padding_is_counted_as_it_is_computed(classifier: Classifier) -> None:
    device = Device(classifier, 10**6)
    session = session_on(device, classifier)
    given = session.predict(TEXTS)
    assert session.clock.real_tokens == given.token_counts.sum()
    assert session.clock.padded_tokens == sum(device.sizes) > session.clock.real_tokens


MIXING = {
    "fnet": FNetConfig(vocab_size=80, hidden_size=32, num_hidden_layers=1, intermediate_size=64, num_labels=3),
    "convbert": ConvBertConfig(**TINY, num_labels=3),
    "bert": BertConfig(**TINY, num_labels=3),
}


@pytest.mark.parametrize("family", MIXING)
def test_a_text_is_answered_alike_alone_and_beside_longer_ones(family: str, tmp_path: Path) -> None:
    """Fourier transforms and convolutions mix padding into the texts, which are then batched by their lengths."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(MIXING[family])
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    session = EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(finish(tmp_path, "sequence"))
    texts = tuple(f"goal {'team ' * (number % 7)}coach" for number in range(20))
    together = session.predict(texts)
    assert session.clock.batches == (1 if family == "bert" else 7)
    assert ("equal_lengths" in session.info.details) == (family != "bert")
    alone = np.concatenate([session.predict([text]).probabilities for text in texts])
    np.testing.assert_allclose(together.probabilities, alone, atol=1e-5)
