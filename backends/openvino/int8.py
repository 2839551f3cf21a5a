"""Quantises weights and activations to int8 for OpenVINO, by NNCF on texts like those that will be read."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from backends.onnx.export import export_onnx
from bench.errors import NotAvailable
from bench.files.cache import whole_folder
from bench.machine.precision import WeightBits
from bench.text.batching import pack, pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier

MODEL = "model.xml"
CALIBRATION_TEXTS = 256
TOKEN_BUDGET = 512
NO_REPORTING = "NNCF_CI"  # set, NNCF does not tell its makers about every call


def quantise(classifier: Classifier, cache: Path, bits: WeightBits) -> Path:
    """The classifier's model.xml in int8, made where the cache has none.

    The ranges of the activations are those on the classifier's examples; raises NotAvailable when it has none.
    """
    texts = classifier.examples[:CALIBRATION_TEXTS]
    if not texts:
        raise NotAvailable("int8 is calibrated on training texts, and none came with the classifier; use `bench run`")
    versions = {name: version(name) for name in ("openvino", "nncf", "torch", "transformers")}
    source = export_onnx(classifier, "fp32", cache)
    digest = sha256(json.dumps([source.parent.name, bits, *texts, versions]).encode("utf-8")).hexdigest()
    folder = cache / "openvino" / digest[:32]
    if not folder.exists():
        with whole_folder(folder) as scratch:
            _quantise(classifier, texts, source, scratch / MODEL, bits)
    return folder / MODEL


def _quantise(classifier: Classifier, texts: Sequence[str], source: Path, target: Path, bits: WeightBits) -> None:
    os.environ.setdefault(NO_REPORTING, "1")
    import nncf
    import openvino

    logging.getLogger("nncf").setLevel(logging.ERROR)
    tokenizer = load_tokenizer(classifier)
    encoded = tokenizer.encode(texts)
    batches = [
        dict(zip(("input_ids", "attention_mask"), pad(encoded.ids, rows, tokenizer.pad_id), strict=True))
        for rows in pack(encoded.lengths, TOKEN_BUDGET, len(texts))
    ]
    model = openvino.Core().read_model(str(source))
    names = {port.get_any_name() for port in model.inputs}
    feeds = [{name: batch[name] for name in names} for batch in batches]
    result = nncf.quantize(
        model,
        nncf.Dataset(feeds),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(feeds),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE if bits == 7 else nncf.OverflowFix.DISABLE
        ),
    )
    openvino.save_model(result, str(target), compress_to_fp16=False)
