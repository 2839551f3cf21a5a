"""Exports classifiers as ONNX files: straight from the torch module, checked against it, kept in the cache.

optimum-onnx does not fit transformers 5. Of torch's two exporters the TorchScript one is used: on MiniLM with 2 cores
its graph answered 124 texts/s, the dynamo one's 117 (one by one 90 and 95), and that needs onnxscript; on SmolLM2-135M
both took the same time within 2 % (768 tokens in 1.65 s on one core), and the dynamo one three times as long to export.

Other precisions are made from the fp32 export: of a module cast to 16 bits the exporter writes no valid graph.
"""

from __future__ import annotations

import json
import warnings
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from backends.onnx.files import collect_weights, quantise
from backends.onnx.precision import to_16_bits
from backends.onnx.session import onnx_forward, open_session
from backends.shared.lean_encoder import lighten
from bench.classifiers.modules import load_module
from bench.errors import NotAvailable
from bench.files.cache import whole_folder
from bench.machine.precision import WeightBits
from bench.text.batching import pad
from bench.text.tokens import TextTokenizer, load_tokenizer
from bench.types import Classifier

MODEL = "model.onnx"
OPSET = 17
LAYOUT = 4  # of the exported folder: raised when an older export must not be taken from the cache
VERSIONS = ("onnx", "onnxruntime", "torch", "transformers")
# of a logit, in 16 bits as a share of the largest; exports of trained models stayed within 1e-5 in fp32
TOLERANCE = {"fp32": 1e-3, "fp16": 0.02, "bf16": 0.1}
CHECK_TEXTS = ("one", "two words", "a text of some more words than the others", "and a last one", "five")
INPUTS = ("input_ids", "attention_mask")


def export_onnx(
    classifier: Classifier, precision: str, cache: Path, device: str = "cpu", bits: WeightBits | None = None
) -> Path:
    """The classifier's model.onnx at a precision, made where the cache has none; checked on the device.

    `bits`: of int8 weights; 7, which every CPU multiplies right, by default. Raises NotAvailable when torch cannot
    export the module, or the export gives other logits.
    """
    bits = (bits or 7) if precision == "int8" else None
    key = [classifier.sha256, precision, bits, OPSET, LAYOUT, {name: version(name) for name in VERSIONS}]
    digest = sha256(json.dumps(key).encode("utf-8")).hexdigest()
    folder = cache / "onnx" / digest[:32]
    if not folder.exists():
        with whole_folder(folder) as scratch:
            _make(classifier, precision, scratch / MODEL, cache, device, bits)
    return folder / MODEL


def _make(
    classifier: Classifier, precision: str, target: Path, cache: Path, device: str, bits: WeightBits | None
) -> None:
    if precision == "fp32":
        export_checked(
            lighten(_module(classifier), classifier), _module(classifier), load_tokenizer(classifier), target
        )
        return
    whole = export_onnx(classifier, "fp32", cache)
    if bits is not None:
        quantise(whole, target, bits)
        return
    to_16_bits(whole, target, precision)
    check(target, _module(classifier), load_tokenizer(classifier), precision, device)


def _module(classifier: Classifier) -> nn.Module:
    """The eager module; option scoring without its kept prefix, as a graph computes every prompt whole."""
    module = load_module(classifier)
    if classifier.kind == "options":
        module.prefix_ids = ()  # type: ignore[assignment]
    return module


def export_checked(lean: nn.Module, module: nn.Module, tokenizer: TextTokenizer, target: Path) -> None:
    """Export with free batch size and length, then compare logits with the module's, also at other shapes."""
    ids = tokenizer.encode(CHECK_TEXTS).ids
    export(lean, *pad(ids, np.array([0, 1]), tokenizer.pad_id), target)
    collect_weights(target)
    check(target, module, tokenizer)


def check(
    model: Path, module: nn.Module, tokenizer: TextTokenizer, precision: str = "fp32", device: str = "cpu"
) -> None:
    """Raise NotAvailable where the graph, computed on the device, gives other logits than the fp32 module."""
    ids = tokenizer.encode(CHECK_TEXTS).ids
    forward = onnx_forward(open_session(model, device, threads=1), device)
    for rows in ([2], [0, 3, 2, 1, 4]):
        inputs = pad(ids, np.array(rows), tokenizer.pad_id)
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, inputs)).numpy()
        difference = float(np.abs(forward(*inputs) - expected).max())
        scale = 1.0 if precision == "fp32" else max(1.0, float(np.abs(expected).max()))
        if not difference <= TOLERANCE[precision] * scale:
            raise NotAvailable(f"the ONNX export differs from the torch module by {difference:.2g} in a logit")


def export(module: nn.Module, input_ids: np.ndarray, attention_mask: np.ndarray, target: Path) -> None:
    """Write the module's graph as traced on this batch; raises NotAvailable when torch cannot."""
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # tracing warns about every shape it turns into a constant; the check finds those
            torch.onnx.export(
                module,
                (torch.from_numpy(input_ids), torch.from_numpy(attention_mask)),
                str(target),
                input_names=list(INPUTS),
                output_names=["logits"],
                dynamic_axes={**{name: {0: "batch", 1: "length"} for name in INPUTS}, "logits": {0: "batch"}},
                opset_version=OPSET,
                dynamo=False,
            )
    except (RuntimeError, TypeError, ValueError, torch.onnx.errors.OnnxExporterError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NotAvailable(f"torch cannot export this module to ONNX: {reason}") from error
