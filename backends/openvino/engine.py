"""Serves exported classifiers in OpenVINO: fp32, bf16 where the CPU has it, int8 where that is the faster."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from backends.onnx.engine import NO_WRITING
from backends.shared.batched import BatchedSession, BatchLimits, Forward, batching_details
from bench.errors import NotAvailable
from bench.machine.memory import keep_freed_memory
from bench.machine.precision import has_fast_bf16, weight_bits
from bench.text.tokens import load_tokenizer
from bench.types import Availability, Backend, Classifier, EngineSpec, SessionInfo

EXTRA = "pip install -e '.[openvino]'"


class OpenvinoBackend(Backend):
    """Reads the ONNX export that the onnx engine makes and checks."""

    kinds = frozenset({"sequence", "embedding", "network", "matching", "options"})
    unserved = {"generate": NO_WRITING}  # noqa: RUF012 - never changed

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs openvino and a CPU, for bf16 one with instructions for it."""
        try:
            installed = version("openvino")
        except PackageNotFoundError:
            return Availability(False, reason="openvino is not installed", remedy=EXTRA)
        if spec.precision == "int8" and find_spec("nncf") is None:
            return Availability(False, installed, "nncf, which quantises to int8, is not installed", EXTRA)
        if device != "cpu":
            return Availability(False, installed, "OpenVINO runs on CPUs here", "bench run --device cpu")
        if spec.precision == "bf16" and not has_fast_bf16("cpu"):
            reason = "this CPU has no bf16 instructions (avx512_bf16 or AMX)"
            return Availability(False, installed, reason, "choose an fp32 engine, or a newer CPU")
        return Availability(True, installed)

    def load(self, classifier: Classifier) -> BatchedSession:
        """Export, or take the export from the cache, and compile it for any batch size and length."""
        from backends.onnx.files import file_bytes

        started = perf_counter()
        model = self._model(classifier)
        compiling = perf_counter()
        kept = keep_freed_memory()
        tokenizer = load_tokenizer(classifier)
        compiled = compile_for_cpu(model, self.spec.precision, self.threads)
        limits = BatchLimits.of(self.spec, self.device)
        info = SessionInfo(
            load_s=perf_counter() - compiling,
            convert_s=compiling - started,
            precision=self.spec.precision,
            device=self.device,
            threads=self.threads,
            artifact_bytes=file_bytes(model),
            details={
                "openvino": version("openvino"),
                "dtype": self.spec.precision,
                "quantisation": "static, calibrated on training texts" if self.spec.precision == "int8" else None,
                "weight_bits": weight_bits(self.spec),
                "not_quantised_in": computed_in(self.spec.precision) if self.spec.precision == "int8" else None,
                "threads_in_force": compiled.get_property("INFERENCE_NUM_THREADS"),
                "keeps_freed_memory": kept,
                **batching_details(limits),
            },
        )
        return BatchedSession(tokenizer, openvino_forward(compiled), limits, info, len(classifier.class_names))

    def _model(self, classifier: Classifier) -> Path:
        bits = weight_bits(self.spec)
        if bits is not None:
            from backends.openvino.int8 import quantise

            return quantise(classifier, self.cache, bits)
        from backends.onnx.export import export_onnx

        return export_onnx(classifier, "fp32", self.cache)


def computed_in(precision: str) -> str:
    """OpenVINO's name of the precision of all that is not quantised."""
    if precision == "int8":
        return "bf16" if has_fast_bf16("cpu") else "f32"
    return {"fp32": "f32", "bf16": "bf16"}[precision]


def compile_for_cpu(model: Path, precision: str, threads: int) -> Any:
    """One request at a time with `threads` threads; raises NotAvailable when another precision is in force."""
    import openvino

    wanted = computed_in(precision)
    settings = {
        "INFERENCE_PRECISION_HINT": wanted,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(model)), "CPU", settings)
    given = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if given != wanted:
        raise NotAvailable(f"OpenVINO computes in {given} where {wanted} was asked for")
    return compiled


def openvino_forward(compiled: Any) -> Forward:
    """Numpy in, numpy out, through one request that is used again."""
    request = compiled.create_infer_request()
    names = [port.get_any_name() for port in compiled.inputs]

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        request.infer({name: feeds[name] for name in names}, share_inputs=True)
        logits: np.ndarray = request.get_output_tensor(0).data.copy()  # the request writes its next answer there
        return logits

    return forward
