"""int8 weights that no kernel of this CPU multiplies wrongly, and those that a CPU without VNNI would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from saturation import LARGEST_SUM, MatMulInteger, saturating_product
from tiny_classifiers import sequence_bert, sequence_gpt2, sequence_llama, sequence_qwen3, tiny_texts

from backends.onnx.export import export_onnx
from backends.onnx.session import onnx_forward, open_session
from bench import registry
from bench.classifiers.modules import load_module
from bench.errors import UsageError
from bench.machine import instructions, precision
from bench.machine.precision import LARGEST_WEIGHTS, WeightBits, weight_bits
from bench.plan.engines import load_engines, read_engines
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, Prediction, Workplace

pytestmark = pytest.mark.kernels

TEXTS = tiny_texts(30)
MAKERS = [sequence_bert, sequence_gpt2, sequence_llama, sequence_qwen3]
ENGINES = ["onnx-int8", "openvino-int8", "ctranslate2-int8"]


def spec_of(name: str, **options: Any) -> EngineSpec:
    spec = load_engines()[name]
    return spec.model_copy(update={"options": {**spec.options, **options}})


# ---------------------------------------------------------------- the arithmetic


def test_7_bits_are_the_most_that_16_bits_hold() -> None:
    assert 2 * 255 * LARGEST_WEIGHTS[7] <= LARGEST_SUM < 2 * 255 * (LARGEST_WEIGHTS[7] + 1)


@given(
    arrays(np.uint8, (3, 7)),
    arrays(np.int8, (7, 4), elements=st.integers(-LARGEST_WEIGHTS[7], LARGEST_WEIGHTS[7])),
)
def test_products_with_7_bit_weights_never_saturate(activations: np.ndarray, weights: np.ndarray) -> None:
    np.testing.assert_array_equal(
        saturating_product(activations, weights), activations.astype(np.int32) @ weights.astype(np.int32)
    )


def worst_case(largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations at their end and weights at theirs, in both signs: nothing is summed higher."""
    signs = np.random.default_rng(0).choice([-1, 1], (64, 48))
    signs[:, 0] = 1
    return np.full((16, 64), 255, dtype=np.uint8), (signs * largest).astype(np.int8)


def test_products_with_8_bit_weights_do() -> None:
    """The worst case is short of half of the sum; random operands come out as wrong as on a machine with AVX2 only."""
    activations, weights = worst_case(LARGEST_WEIGHTS[8])
    right = activations.astype(np.int32) @ weights.astype(np.int32)
    assert saturating_product(activations, weights)[0, 0] == 32 * LARGEST_SUM < 0.51 * right[0, 0]
    generator = np.random.default_rng(0)
    activations = generator.integers(0, 256, (16, 64)).astype(np.uint8)
    weights = generator.integers(-128, 128, (64, 48)).astype(np.int8)
    right = activations.astype(np.int32) @ weights.astype(np.int32)
    assert 0.6 < (saturating_product(activations, weights) != right).mean() < 0.8


def products_of_onnx_runtime(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    names = {"a": (TensorProto.UINT8, activations), "b": (TensorProto.INT8, weights)}
    values = [helper.make_tensor_value_info(name, kind, array.shape) for name, (kind, array) in names.items()]
    result = helper.make_tensor_value_info("y", TensorProto.INT32, [None, None])
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], "one", values, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    products: np.ndarray = session.run(None, {"a": activations, "b": weights})[0]
    return products


def test_this_cpu_multiplies_the_weights_that_it_gets_right() -> None:
    """The choice, against the kernels of this very machine; .ci/run does this under a CPU with AVX2 only, too."""
    bits = weight_bits(spec_of("onnx-int8"))
    assert bits is not None
    activations, weights = worst_case(LARGEST_WEIGHTS[bits])
    for rows in (1, 16):
        expected = activations[:rows].astype(np.int32) @ weights.astype(np.int32)
        np.testing.assert_array_equal(products_of_onnx_runtime(activations[:rows], weights), expected)


# ---------------------------------------------------------------- the choice


@pytest.mark.parametrize(
    ("features", "arm", "bits"),
    [
        ({"avx2"}, False, 7),
        ({"avx2", "avx512f", "avx512bw"}, False, 7),  # Skylake
        ({"avx2", "avx512f", "avx512bw", "avx512_vnni"}, False, 8),
        ({"avx2", "avx_vnni"}, False, 8),  # Alder Lake
        ({"avx2", "avx512f", "avx512bw", "avx_vnni"}, False, 7),  # its kernels are those for AVX-512
        ({"asimd"}, True, 8),
        (set(), True, 8),
        (set(), False, 7),  # an x86 CPU whose features nobody lists
    ],
)
def test_the_bits_are_what_the_cpu_multiplies_right(
    features: set[str], arm: bool, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_features", lambda: frozenset(features))
    monkeypatch.setattr(precision, "is_arm", lambda: arm)
    assert [weight_bits(spec_of(name)) for name in ENGINES] == [bits] * 3
    assert weight_bits(spec_of("onnx-int8", weight_bits=15 - bits)) == 15 - bits
    assert weight_bits(spec_of("onnx")) is None


def test_other_bits_are_refused_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "engines.toml"
    file.write_text('[mine]\nbackend = "onnx"\nprecision = "int8"\noptions = { weight_bits = 4 }\n')
    with pytest.raises(UsageError, match="engine 'mine': weight_bits = 4; choose 7 or 8"):
        read_engines(file)


def test_a_smaller_cpu_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    own = frozenset({"fma", "avx2", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16"})
    monkeypatch.setattr(instructions, "_own_features", lambda: own)
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "CT2_FORCE_CPU_ISA"):
        monkeypatch.setenv(name, "as it was")
    monkeypatch.delenv(instructions.PLAYED, raising=False)
    instructions.play_smaller_cpu()
    assert instructions.os.environ["ONEDNN_MAX_CPU_ISA"] == "as it was"
    assert instructions.cpu_features() == own
    monkeypatch.setenv(instructions.PLAYED, "AVX2")
    instructions.play_smaller_cpu()
    assert instructions.os.environ["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert instructions.cpu_features() == {"fma", "avx2"}
    assert not precision.has_fast_bf16("cpu")
    monkeypatch.setenv(instructions.PLAYED, "AVX512_CORE")
    assert instructions.cpu_features() == {"fma", "avx2", "avx512f", "avx512bw"}
    monkeypatch.setenv(instructions.PLAYED, "SSE9")
    with pytest.raises(UsageError, match="BENCH_MAX_CPU_ISA=SSE9: no CPU of that name can be played; choose AVX2 or"):
        instructions.cpu_features()


# ---------------------------------------------------------------- converted models


def quantised_weights(model: Path) -> dict[str, np.ndarray]:
    """The int8 weights of every matrix product of an ONNX file."""
    graph = onnx.load(model).graph
    arrays_of = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    return {node.name: arrays_of[node.input[1]] for node in products}


def highest_pair(weights: np.ndarray) -> int:
    """The largest sum of two products in the kernels' order, with the activations that make it so."""
    rows = weights.astype(np.int32)[: len(weights) // 2 * 2].reshape(-1, 2, weights.shape[1])
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    return 255 * int(max(positive.max(), negative.max()))


@pytest.mark.parametrize("make", MAKERS)
def test_every_weight_of_an_export_keeps_to_its_bits(make: Callable[[Path], Classifier], tmp_path: Path) -> None:
    classifier = make(tmp_path / "classifier")
    narrow = export_onnx(classifier, "int8", tmp_path / "cache", bits=7)
    wide = export_onnx(classifier, "int8", tmp_path / "cache", bits=8)
    assert narrow != wide
    kept = quantised_weights(narrow)
    assert kept
    assert max(highest_pair(weights) for weights in kept.values()) <= LARGEST_SUM
    assert max(int(np.abs(weights.astype(int)).max()) for weights in kept.values()) == LARGEST_WEIGHTS[7]
    assert all(highest_pair(weights) > LARGEST_SUM for weights in quantised_weights(wide).values())


@pytest.mark.parametrize("make", [sequence_gpt2, sequence_llama, sequence_qwen3])
def test_a_whole_export_under_saturating_arithmetic(make: Callable[[Path], Classifier], tmp_path: Path) -> None:
    """With 7 bits a CPU without VNNI gives the logits that this machine gives; with 8 bits it gives others."""
    classifier = make(tmp_path / "classifier")
    tokenizer = load_tokenizer(classifier)
    ids, mask = pad(tokenizer.encode(TEXTS).ids, np.arange(len(TEXTS)), tokenizer.pad_id)
    found = {}
    for bits in (7, 8):
        model = export_onnx(classifier, "int8", tmp_path / "cache", bits=bits)
        evaluator = ReferenceEvaluator(str(model), new_ops=[MatMulInteger])
        names = evaluator.input_names
        feeds = {"input_ids": ids, "attention_mask": mask}
        saturated = evaluator.run(["logits"], {name: feeds[name] for name in names})[0]
        whole = ReferenceEvaluator(str(model)).run(["logits"], {name: feeds[name] for name in names})[0]
        found[bits] = float(np.abs(saturated - whole).max())
    assert found[7] == 0
    assert found[8] > 0.05
    model = export_onnx(classifier, "int8", tmp_path / "cache", bits=7)
    with_7_bits = onnx_forward(open_session(model, "cpu", threads=1))(ids, mask)
    module = load_module(classifier)
    np.testing.assert_allclose(with_7_bits, eager_logits(module, ids, mask), atol=0.5)


def eager_logits(module: Any, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        logits: np.ndarray = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    return logits


def through(engine: EngineSpec, classifier: Classifier, cache: Path) -> tuple[Prediction, dict[str, Any]]:
    session = registry.find("backend", engine.backend)(engine, Workplace("cpu", 1, cache)).load(classifier)
    prediction = session.predict(TEXTS)
    details = dict(session.info.details)
    session.close()
    return prediction, details


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_says_its_bits_and_answers_right_with_7(name: str, tmp_path: Path) -> None:
    """ONNX Runtime, OpenVINO and CTranslate2, each with its own way to the same weights."""
    if not registry.find("backend", load_engines()[name].backend).availability(load_engines()[name], "cpu").ok:
        pytest.skip(f"{name} cannot run here")
    classifier = replace(sequence_bert(tmp_path / "classifier"), examples=tuple(TEXTS))
    expected, _ = through(load_engines()["eager"], classifier, tmp_path)
    _, details = through(spec_of(name), classifier, tmp_path)
    assert details["weight_bits"] == weight_bits(spec_of(name))
    seven, details = through(spec_of(name, weight_bits=7), classifier, tmp_path)
    assert details["weight_bits"] == 7
    assert np.abs(seven.probabilities - expected.probabilities).max() < 0.04


@pytest.mark.skipif(find_spec("ctranslate2") is None, reason="pip install -e '.[ctranslate2]'")
@pytest.mark.parametrize("bits", [7, 8])
def test_ctranslate2_stores_weights_of_these_bits(bits: WeightBits, tmp_path: Path) -> None:
    from ctranslate2.specs import common_spec, model_spec

    from backends.ctranslate2.encoder import encoder_spec, quantise

    encoder = load_module(sequence_bert(tmp_path / "classifier")).model.bert
    whole = encoder.encoder.layer[0].output.dense.weight.detach().numpy().copy()  # quantising writes into the module's
    spec = encoder_spec(encoder)
    spec.validate()
    quantise(spec, "int8_float32", bits)
    layers: dict[str, Any] = {}
    model_spec.visit_spec(
        spec,
        lambda layer, name, _: layers.update({name: layer}) if isinstance(layer, common_spec.LinearSpec) else None,
    )
    stored = {name: layer for name, layer in layers.items() if name.endswith("/weight")}
    assert len(stored) == 4 * encoder.config.num_hidden_layers
    for layer in stored.values():
        assert np.abs(layer.weight.numpy().astype(int)).max() == LARGEST_WEIGHTS[bits]
    output = spec.encoder.layer[0].ffn.linear_1
    scales = output.weight_scale.numpy()[:, None]
    np.testing.assert_allclose(output.weight.numpy() / scales, whole, atol=float(0.51 / scales.min()))
