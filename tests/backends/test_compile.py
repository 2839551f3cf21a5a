"""torch.compile: nothing is compiled after loading, whatever the lengths; weights frozen or not, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_classifiers import finish, sequence_gpt2
from tiny_models import WORDS, save_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from backends.eager import EagerBackend
from backends.torch_compile import CompileBackend
from bench.plan.engines import load_engines
from bench.types import Classifier, Workplace

pytestmark = pytest.mark.kernels

LONGEST = 300  # tokens; the longest text of AG News has fewer


def long_bert(folder: Path) -> Classifier:
    """A BERT that reads as many tokens as AG News has."""
    config = BertConfig(
        vocab_size=80,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        num_labels=3,
        max_position_embeddings=LONGEST,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder)
    return finish(folder, "sequence", LONGEST)


def texts_of_every_length() -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, length)) for length in range(1, LONGEST)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "freezing", "tolerance"),
    [("compile", True, 1e-5), ("compile", False, 1e-5), ("compile-bf16", True, 0.03)],
)
def test_no_length_is_compiled_anew(engine: str, freezing: bool, tolerance: float, tmp_path: Path) -> None:
    spec = load_engines()[engine]
    spec = spec.model_copy(update={"options": {**spec.options, "freezing": freezing}})
    available = CompileBackend.availability(spec, "cpu")
    if not available.ok:
        pytest.skip(str(available.reason))
    classifier, texts = long_bert(tmp_path / "classifier"), texts_of_every_length()
    expected = EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(classifier).predict(texts)
    session = CompileBackend(spec, Workplace("cpu", 1, tmp_path)).load(classifier)
    assert session.info.details["freezing"] is freezing
    compiled = session.recompiles()
    assert compiled
    alone = np.concatenate([session.predict([text]).probabilities for text in texts])
    together = session.predict(texts)
    assert session.recompiles() == compiled
    np.testing.assert_allclose(alone, expected.probabilities, atol=tolerance)
    np.testing.assert_allclose(together.probabilities, expected.probabilities, atol=tolerance)
    np.testing.assert_array_equal(together.token_counts, expected.token_counts)


@pytest.mark.slow
def test_an_empty_text_compiles_nothing(tmp_path: Path) -> None:
    """GPT-2's tokenizer puts nothing around a text, so an empty one is a single token, alone or among others."""
    spec = load_engines()["compile"]
    available = CompileBackend.availability(spec, "cpu")
    if not available.ok:
        pytest.skip(str(available.reason))
    classifier = sequence_gpt2(tmp_path / "classifier")
    expected = (
        EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(classifier).predict(["", "goal"])
    )
    session = CompileBackend(spec, Workplace("cpu", 1, tmp_path)).load(classifier)
    compiled = session.recompiles()
    assert session.predict([""]).token_counts.tolist() == [1]
    alone, several = session.predict([""]), session.predict(["", "", "goal", "bank"])
    assert session.recompiles() == compiled
    np.testing.assert_allclose(alone.probabilities[0], expected.probabilities[0], atol=1e-5)
    np.testing.assert_allclose(several.probabilities[[0, 2]], expected.probabilities, atol=1e-5)
