"""Classifiers as ONNX files: exported straight from the torch module, checked against it, kept in the cache.

optimum-onnx does not fit transformers 5. Of torch's two exporters the TorchScript one is used: on MiniLM with 2 cores
its graph answered 124 texts/s, the dynamo one's 117 (one by one 90 and 95), and that needs onnxscript.
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

from backends.onnx_session import onnx_forward, open_session
from bench.batching import pad
from bench.cache import whole_folder
from bench.errors import NotAvailable
from bench.modules import load_module
from bench.tokens import TextTokenizer, load_tokenizer
from bench.types import Classifier

MODEL = "model.onnx"
OPSET = 17
VERSIONS = ("onnx", "onnxruntime", "torch", "transformers")
TOLERANCE = 1e-3  # of a logit; exports of trained models stayed within 1e-5
CHECK_TEXTS = ("one", "two words", "a text of some more words than the others", "and a last one", "five")
INPUTS = ("input_ids", "attention_mask")


def exported(classifier: Classifier, precision: str, cache: Path) -> Path:
    """The classifier's model.onnx at a precision, made where the cache has none.

    Raises NotAvailable when torch cannot export the module, or the export gives other logits.
    """
    key = [classifier.sha256, precision, OPSET, {name: version(name) for name in VERSIONS}]
    digest = sha256(json.dumps(key).encode("utf-8")).hexdigest()
    folder = cache / "onnx" / digest[:32]
    if not folder.exists():
        with whole_folder(folder) as scratch:
            if precision == "int8":
                quantise(exported(classifier, "fp32", cache), scratch / MODEL)
            else:
                export_checked(load_module(classifier), load_tokenizer(classifier), scratch / MODEL)
    return folder / MODEL


def export_checked(module: nn.Module, tokenizer: TextTokenizer, target: Path) -> None:
    """Export with free batch size and length, then compare logits at other shapes than it was traced with."""
    ids = tokenizer.encode(CHECK_TEXTS).ids
    _export(module, *pad(ids, np.array([0, 1]), tokenizer.pad_id), target)
    forward = onnx_forward(open_session(target, "cpu", threads=1))
    for rows in ([2], [0, 3, 2, 1, 4]):
        inputs = pad(ids, np.array(rows), tokenizer.pad_id)
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, inputs)).numpy()
        difference = float(np.abs(forward(*inputs) - expected).max())
        if not difference <= TOLERANCE:
            raise NotAvailable(f"the ONNX export differs from the torch module by {difference:.2g} in a logit")


def _export(module: nn.Module, input_ids: np.ndarray, attention_mask: np.ndarray, target: Path) -> None:
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


def quantise(model: Path, target: Path) -> None:
    """Weights of the matrix products to int8, one scale per output channel; activations are quantised as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        model, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8
    )
