"""CTranslate2 for real: encoders of every family as eager computes them, named reasons for the rest.

Needs `pip install -e '.[ctranslate2]'`, which the test extra holds; without it only what needs none is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from tiny_classifiers import CLASSIFIERS, finish, network, sequence_relu, tiny_texts
from transformers import AutoModelForSequenceClassification

from backends.ctranslate2 import engine as ctranslate2_engine
from bench import registry
from bench.errors import NotAvailable
from bench.plan.engines import load_engines
from bench.types import Availability, Classifier, Session, Workplace

pytestmark = pytest.mark.kernels

TEXTS = tiny_texts(70)

real = pytest.mark.skipif(find_spec("ctranslate2") is None, reason="pip install -e '.[ctranslate2]'")


def sequence_distilbert(folder: Path) -> Classifier:
    base = tiny_models.tiny_distilbert(folder)
    AutoModelForSequenceClassification.from_pretrained(base.path, num_labels=3).save_pretrained(folder)
    return finish(folder, "sequence")


SERVED = {name: CLASSIFIERS[name] for name in CLASSIFIERS if name in ("sequence-bert", "sequence-roberta")}
SERVED |= {name: CLASSIFIERS[name] for name in ("embedding-mean", "embedding-cls")}
SERVED["sequence-distilbert"] = sequence_distilbert


def open_engine(name: str, classifier: Classifier, cache: Path) -> Session:
    spec = load_engines()[name]
    session: Session = registry.find("backend", spec.backend)(spec, Workplace("cpu", 1, cache)).load(classifier)
    return session


@real
@pytest.mark.parametrize("name", SERVED)
def test_every_family_answers_as_eager_does(name: str, tmp_path: Path) -> None:
    classifier = SERVED[name](tmp_path / "classifier")
    expected = open_engine("eager", classifier, tmp_path).predict(TEXTS)
    session = open_engine("ctranslate2", classifier, tmp_path)
    found = session.predict(TEXTS)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert found.labels.tolist() == expected.labels.tolist()
    assert session.info.details["compute_type"] == "float32"

    quantised = open_engine("ctranslate2-int8", classifier, tmp_path)
    assert quantised.info.artifact_bytes < session.info.artifact_bytes / 2
    assert (quantised.info.precision, quantised.info.details["dtype"]) == ("int8", "int8")
    answers = quantised.predict(TEXTS)
    limits = {8: (0.05, 0.95), 7: (0.1, 0.9)}  # half the steps, twice the rounding
    largest, fewest = limits[quantised.info.details["weight_bits"]]
    assert 0 < np.abs(answers.probabilities - expected.probabilities).max() < largest
    assert (answers.labels == expected.labels).mean() > fewest


@real
def test_a_conversion_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.ctranslate2 import encoder as ctranslate2_encoder

    classifier = SERVED["sequence-bert"](tmp_path / "classifier")
    first = open_engine("ctranslate2", classifier, tmp_path).predict(TEXTS)

    def fail(encoder: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(ctranslate2_encoder, "encoder_spec", fail)
    again = open_engine("ctranslate2", classifier, tmp_path).predict(TEXTS)
    np.testing.assert_array_equal(again.probabilities, first.probabilities)
    with pytest.raises(AssertionError, match="converted again"):
        open_engine("ctranslate2-int8", classifier, tmp_path)


def with_adapter(folder: Path) -> Classifier:
    tiny_models.tiny_bert(folder)
    return finish(folder, "sequence", adapter={"kind": "bottleneck", "width": 4})


@real
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (CLASSIFIERS["sequence-gpt2"], "not gpt2"),
        (CLASSIFIERS["sequence-qwen3"], "not qwen3"),
        (sequence_relu, "this one has relu"),
        (with_adapter, "kept beside its base"),
        (network, "a model of another kind"),
    ],
)
def test_what_it_would_answer_wrongly_is_refused(
    make: Callable[[Path], Classifier], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(NotAvailable, match=reason):
        open_engine("ctranslate2", make(tmp_path / "classifier"), tmp_path)


def test_where_it_cannot_run_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ctranslate2_engine.Ctranslate2Backend
    spec = load_engines()["ctranslate2"]
    monkeypatch.setattr(ctranslate2_engine, "version", lambda name: "4.8.5")
    assert backend.availability(spec, "cpu").ok
    assert backend.availability(spec, "cuda").reason == "CTranslate2 runs on CPUs here"
    bf16 = spec.model_copy(update={"precision": "bf16"})
    assert "fp32 and int8, not bf16" in str(backend.availability(bf16, "cpu").reason)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ctranslate2_engine, "version", missing)
    available: Availability = backend.availability(spec, "cpu")
    assert (available.ok, available.remedy) == (False, "pip install -e '.[ctranslate2]'")
