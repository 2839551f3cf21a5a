"""Every engine answers as the reference does, whatever the batch; planted faults are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tiny_classifiers import CLASSIFIERS, MAX_LENGTH, sequence_relu, tiny_texts

from backends.packed.engine import exchange_encoder
from backends.shared.answers import answers
from backends.shared.batched import BatchedSession, BatchLimits
from backends.shared.lean_encoder import LeanEncoder, lighten
from backends.shared.torch_session import load_torch_session, torch_forward
from bench import registry
from bench.classifiers.modules import load_module
from bench.errors import NotAvailable
from bench.plan.engines import load_engines
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, Prediction, Session, SessionInfo, Workplace

pytestmark = pytest.mark.kernels

TEXTS = tiny_texts(70)
# largest difference of a probability from the reference's; random weights of a width of 32 are a hard case for int8
TOLERANCE = {"fp32": 1e-5, "bf16": 0.1, "int8": 0.2}
REFERENCES = {kind: engine for engine in ("eager", "sklearn") for kind in registry.find("backend", engine).kinds}
DECODERS = ("sequence-gpt2", "sequence-llama", "sequence-qwen3")
UNSERVED = (
    {("packed", "sequence-gpt2"), ("packed-bf16", "sequence-gpt2")}
    | {(engine, name) for engine in ("ctranslate2", "ctranslate2-int8") for name in DECODERS}
    | {
        (engine, name)
        for engine in ("unpadded-bf16", "unpadded-compile-bf16")
        for name in ("sequence-gpt2", "options-llama")  # the second has answers of several tokens
    }
)
COMPILED = ("sequence-bert", "sequence-gpt2", "embedding-mean", "network")  # compiling takes up to half a minute each


def _compiles(engine: EngineSpec) -> bool:
    return engine.backend == "compile" or bool(engine.options.get("compile"))


def _served() -> Iterator[object]:
    """Every engine that can run here with every classifier of its kinds; of those that compile, a choice."""
    for engine in load_engines().values():
        backend = registry.find("backend", engine.backend)
        if engine.backend == "vllm" or not backend.availability(engine, "cpu").ok:
            continue  # vLLM serves no heads as narrow as these: tests/backends/test_vllm.py
        compiles = _compiles(engine) or engine.name == "openvino-int8"
        for name in COMPILED if compiles else CLASSIFIERS:
            if name.partition("-")[0] in backend.kinds and (engine.name, name) not in UNSERVED:
                marks = [pytest.mark.slow] if compiles else []
                yield pytest.param(engine.name, name, marks=marks, id=f"{engine.name}-{name}")


SERVED = tuple(_served())


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Classifier]:
    root = tmp_path_factory.mktemp("classifiers")
    return {name: replace(make(root / name), examples=tuple(TEXTS)) for name, make in CLASSIFIERS.items()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def open_engine(name: str, classifier: Classifier, cache: Path, **options: int) -> Session:
    spec = load_engines()[name]
    spec = spec.model_copy(update={"options": {**spec.options, **options}})
    session: Session = registry.find("backend", spec.backend)(spec, Workplace("cpu", 1, cache)).load(classifier)
    return session


def reference(classifier: Classifier, cache: Path, texts: list[str]) -> Prediction:
    return open_engine(REFERENCES[classifier.kind], classifier, cache).predict(texts)


@pytest.mark.parametrize(("engine", "name"), SERVED)
def test_an_engine_keeps_the_contract(engine: str, name: str, classifiers: dict[str, Classifier], cache: Path) -> None:
    classifier = classifiers[name]
    expected = reference(classifier, cache, TEXTS)
    session = open_engine(engine, classifier, cache)
    prediction = session.predict(TEXTS)

    assert prediction.probabilities.dtype == np.float32
    assert prediction.probabilities.shape == (len(TEXTS), 3)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-6)
    assert prediction.labels.dtype == np.int64
    assert prediction.labels.tolist() == prediction.probabilities.argmax(axis=1).tolist()
    assert prediction.token_counts.dtype == np.int32
    assert prediction.token_counts.tolist() == expected.token_counts.tolist()
    assert prediction.truncated.tolist() == expected.truncated.tolist()

    precision = load_engines()[engine].precision
    np.testing.assert_allclose(prediction.probabilities, expected.probabilities, atol=TOLERANCE[precision])
    if precision == "fp32":
        assert prediction.labels.tolist() == expected.labels.tolist()
    assert session.token_sha256(TEXTS) == open_engine(REFERENCES[classifier.kind], classifier, cache).token_sha256(
        TEXTS
    )

    assert session.info.precision == precision
    assert session.info.threads == 1
    assert session.info.artifact_bytes
    assert session.info.details["dtype"] == precision
    clock = session.clock
    assert clock.tokenise_s > 0
    assert clock.forward_s > 0
    assert clock.post_s > 0
    assert clock.real_tokens == prediction.token_counts.sum() <= clock.padded_tokens
    clock.reset()
    assert clock.batches == clock.forward_s == 0
    session.close()


@pytest.mark.parametrize(("engine", "name"), SERVED)
def test_answers_depend_on_no_batch(engine: str, name: str, classifiers: dict[str, Classifier], cache: Path) -> None:
    """Alone, in batches of 32 and in the reverse order; then no text at all, and an empty one."""
    session = open_engine(engine, classifiers[name], cache, token_budget=32 * MAX_LENGTH)
    together = session.predict(TEXTS).probabilities
    compiled = session.recompiles()
    # int8 scales a batch's activations together, and bf16 kernels sum in an order that depends on the shape
    tolerance = {"fp32": 1e-5, "bf16": 0.03, "int8": 0.15}[load_engines()[engine].precision]
    alone = np.concatenate([session.predict([text]).probabilities for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=tolerance)
    np.testing.assert_allclose(session.predict(TEXTS[::-1]).probabilities[::-1], together, atol=tolerance)
    assert session.predict([]).probabilities.shape == (0, 3)
    assert session.predict([""]).labels[0] >= 0
    assert session.recompiles() == compiled
    assert (compiled is not None) == _compiles(load_engines()[engine])


@pytest.mark.parametrize("name", ["sequence-bert", "sequence-roberta", "embedding-mean", "embedding-cls"])
def test_packed_equals_eager_for_every_attention_it_has(
    name: str, classifiers: dict[str, Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short and long texts, with and without padding, one row and several take different ways through the encoder."""
    module = load_module(classifiers[name])
    first = name.startswith("sequence") or name.endswith("cls")
    packed = exchange_encoder(load_module(classifiers[name]), first)
    generator = torch.Generator().manual_seed(0)
    for longest_for_products in (256, 4):
        monkeypatch.setattr("backends.packed.bert.LONGEST_FOR_PRODUCTS", longest_for_products)
        for rows in (1, 5):
            ids = torch.randint(1, 80, (rows, 11), generator=generator)
            for lengths in ([11] * rows, list(range(2, 2 + rows))):
                mask = (torch.arange(11) < torch.tensor(lengths)[:, None]).long()
                with torch.inference_mode():
                    torch.testing.assert_close(packed(ids, mask), module(ids, mask), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sequence-bert", "sequence-roberta", "embedding-mean", "embedding-cls"])
def test_the_lean_encoder_is_the_encoder(name: str, classifiers: dict[str, Classifier]) -> None:
    module = load_module(classifiers[name])
    lean = lighten(load_module(classifiers[name]), classifiers[name])
    assert any(isinstance(part, LeanEncoder) for part in lean.modules())
    ids = torch.randint(1, 80, (5, 11), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(11) < torch.tensor([11, 2, 3, 4, 5])[:, None]).long()
    with torch.inference_mode():
        torch.testing.assert_close(lean(ids, mask), module(ids, mask), rtol=1e-4, atol=1e-5)


def test_other_modules_are_not_lightened(classifiers: dict[str, Classifier], tmp_path: Path) -> None:
    for classifier in (classifiers["sequence-gpt2"], classifiers["network"], sequence_relu(tmp_path / "relu")):
        lean = lighten(load_module(classifier), classifier)
        assert not any(isinstance(part, LeanEncoder) for part in lean.modules())


@pytest.mark.parametrize(("name", "reason"), [("sequence-gpt2", "not gpt2"), ("sequence-relu", "this one has relu")])
def test_packed_refuses_what_it_would_answer_wrongly(name: str, reason: str, tmp_path: Path) -> None:
    make = {**CLASSIFIERS, "sequence-relu": sequence_relu}[name]
    with pytest.raises(NotAvailable, match=reason):
        open_engine("packed", make(tmp_path / name), tmp_path)


# ---------------------------------------------------------------- planted faults


def faulty_session(classifier: Classifier, fault: str) -> BatchedSession:
    """The eager engine with one of the usual mistakes."""
    module, tokenizer = load_module(classifier), load_tokenizer(classifier)
    if fault == "wrong pooling":
        module.sentence_encoder.pool = lambda hidden, mask: hidden[:, 0]
    if fault == "other truncation":
        tokenizer.max_length //= 2
    right = torch_forward(module, torch.device("cpu"))

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        if fault == "left padding":
            shifts = input_ids.shape[1] - attention_mask.sum(axis=1)
            input_ids = np.stack([np.roll(row, shift) for row, shift in zip(input_ids, shifts, strict=True)])
            attention_mask = attention_mask[:, ::-1].copy()
        if fault == "padding is read":
            attention_mask = np.ones_like(attention_mask)
        logits = right(input_ids, attention_mask)
        return logits[::-1] if fault == "rows in the order of another batch" else logits

    info = SessionInfo(load_s=0.0)
    return BatchedSession(tokenizer, forward, BatchLimits(), info, len(classifier.class_names))


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("left padding", "sequence-bert"),
        ("left padding", "sequence-gpt2"),
        ("left padding", "options-llama"),
        ("padding is read", "sequence-bert"),
        ("padding is read", "embedding-mean"),
        ("wrong pooling", "embedding-mean"),
        ("other truncation", "sequence-bert"),
        ("rows in the order of another batch", "sequence-bert"),
    ],
)
def test_a_planted_fault_changes_answers(
    fault: str, name: str, classifiers: dict[str, Classifier], cache: Path
) -> None:
    """The comparison that engines pass within 1e-5 fails for these: it does look at what it should."""
    classifier = classifiers[name]
    wrong, right = faulty_session(classifier, fault), faulty_session(classifier, "none")
    expected = reference(classifier, cache, TEXTS).probabilities
    np.testing.assert_allclose(right.predict(TEXTS).probabilities, expected, atol=1e-6)
    assert np.abs(wrong.predict(TEXTS).probabilities - expected).max() > 0.01
    assert (wrong.token_sha256(TEXTS) != right.token_sha256(TEXTS)) == (fault == "other truncation")


def test_an_overflow_is_no_valid_answer(classifiers: dict[str, Classifier]) -> None:
    """Weights of a half-precision model that overflowed: NaN logits get the label -1, and only they."""
    spec = EngineSpec(name="overflow", title="overflow", backend="eager", precision="fp32")

    def spoil(module: torch.nn.Module) -> torch.nn.Module:
        rows = load_tokenizer(classifiers["network"]).encode(["goal"]).ids[0]
        module.embedding.weight.data[rows[1]] = torch.inf
        return module

    session = load_torch_session(classifiers["network"], spec, "cpu", 1, spoil)
    prediction = session.predict(["goal goal", "bank"])
    assert prediction.labels[0] == -1
    assert prediction.labels[1] >= 0
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-6)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.floats(width=32),
    )
)
def test_rows_always_sum_to_one_and_a_broken_row_has_no_label(logits: np.ndarray) -> None:
    probabilities, labels = answers(logits)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    valid = np.isfinite(logits.max(axis=1))
    assert (labels[~valid] == -1).all()
    assert (logits[valid, labels[valid]] == logits[valid].max(axis=1)).all()


def test_softmax_equals_torchs() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (200, 7)).astype(np.float32)
    np.testing.assert_allclose(answers(logits)[0], torch.from_numpy(logits).softmax(-1).numpy(), atol=1e-6)


def test_a_closed_session_answers_nothing(classifiers: dict[str, Classifier], cache: Path) -> None:
    session = open_engine("eager", classifiers["network"], cache)
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.predict(["goal"])
