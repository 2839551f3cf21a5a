"""What a good engineer writes for one engine and one model: no harness, the same threads, precision and model file.

Each `load_...` takes a classifier's folder and returns a function from texts to labels, which tokenises and pads what
it is given as one batch. ONNX Runtime and OpenVINO read the file that the harness exported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.classifiers.folder import load_classifier
from bench.files.cache import cache_dir

Classify = Callable[[Sequence[str]], list[int]]


def load_script(engine: str, folder: Path, threads: int) -> Classify:
    """The script for an engine of bench/plan/engines.toml; raises KeyError for another."""
    return SCRIPTS[engine](folder, threads)


def tokenizer_of(folder: Path) -> Callable[[Sequence[str]], Any]:
    """Texts to padded numpy arrays, with the library's own tokenizer class."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
    longest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["max_length"]
    return lambda texts: tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="np")


def load_eager(folder: Path, threads: int, compiled: bool = False) -> Classify:
    """transformers' model in fp32, compiled once for all shapes or not."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(threads)
    tokenize = tokenizer_of(folder)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    if compiled:
        model = torch.compile(model, dynamic=True, options={"freezing": True})

    def classify(texts: Sequence[str]) -> list[int]:
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(value) for name, value in tokenize(texts).items()}
            labels: list[int] = model(**inputs).logits.argmax(1).tolist()
            return labels

    return classify


def load_compile(folder: Path, threads: int) -> Classify:
    """torch.compile with inductor, weights frozen."""
    return load_eager(folder, threads, compiled=True)


def load_onnx(folder: Path, threads: int, precision: str = "fp32") -> Classify:
    """An InferenceSession with all optimisations, which are its default."""
    import onnxruntime

    from backends.onnx.export import export_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    model = export_onnx(load_classifier(folder), precision, cache_dir())
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    tokenize = tokenizer_of(folder)

    def classify(texts: Sequence[str]) -> list[int]:
        inputs = tokenize(texts)
        logits = session.run(None, {name: inputs[name] for name in names})[0]
        labels: list[int] = logits.argmax(1).tolist()
        return labels

    return classify


def load_onnx_int8(folder: Path, threads: int) -> Classify:
    """The same on the file quantised per channel."""
    return load_onnx(folder, threads, "int8")


def load_openvino(folder: Path, threads: int, precision: str = "f32") -> Classify:
    """A compiled model, asked batch by batch."""
    import openvino

    from backends.onnx.export import export_onnx

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    model = export_onnx(load_classifier(folder), "fp32", cache_dir())
    compiled = openvino.Core().compile_model(str(model), "CPU", settings)
    names = [port.get_any_name() for port in compiled.inputs]
    tokenize = tokenizer_of(folder)

    def classify(texts: Sequence[str]) -> list[int]:
        inputs = tokenize(texts)
        labels: list[int] = compiled({name: inputs[name] for name in names})[0].argmax(1).tolist()
        return labels

    return classify


def load_openvino_bf16(folder: Path, threads: int) -> Classify:
    """The same with bf16 products."""
    return load_openvino(folder, threads, "bf16")


def load_vllm(folder: Path, threads: int) -> Classify:
    """vLLM's LLM.classify on texts, in this process, with the limits that the harness gives it."""
    import os

    import torch

    from backends.vllm.model import GIB, SETTINGS
    from bench.plan.engines import load_engines

    os.environ.update(SETTINGS)
    from vllm import LLM

    options = load_engines()["vllm"].options
    longest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["max_length"]
    llm = LLM(
        model=str(folder),
        runner="pooling",
        convert="classify",
        dtype="float32",
        enforce_eager=True,
        max_model_len=longest,
        max_num_seqs=options["max_num_seqs"],
        max_num_batched_tokens=options["max_num_batched_tokens"],
        kv_cache_memory_bytes=options["cpu_cache_gib"] * GIB,
    )
    torch.set_num_threads(threads)

    def classify(texts: Sequence[str]) -> list[int]:
        outputs = llm.classify(list(texts), use_tqdm=False)
        return [max(range(len(o.outputs.probs)), key=o.outputs.probs.__getitem__) for o in outputs]

    return classify


SCRIPTS: dict[str, Callable[[Path, int], Classify]] = {
    "eager": load_eager,
    "compile": load_compile,
    "onnx": load_onnx,
    "onnx-int8": load_onnx_int8,
    "openvino": load_openvino,
    "openvino-bf16": load_openvino_bf16,
    "vllm": load_vllm,
}
