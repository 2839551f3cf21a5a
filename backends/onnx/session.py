"""Opens an ONNX file where it was asked to run, as a forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.shared.batched import Forward
from bench.errors import NotAvailable

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# TF32 would round the factors of an fp32 product to 10 bits
SETTINGS: Mapping[str, Mapping[str, str]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}
RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
# where the time goes; arithmetic on shapes is placed on the CPU by ONNX Runtime's own rules
PRODUCTS = frozenset({"MatMul", "Gemm", "FusedMatMul", "MatMulInteger", "DynamicQuantizeMatMul", "Conv"})


def open_session(model: Path, device: str, threads: int, provider: tuple[str, Mapping[str, str]] | None = None) -> Any:
    """An InferenceSession with `threads` threads inside an operator, one operator at a time.

    It runs on the device's own provider, or on another one for that device, given with its settings. Raises
    NotAvailable when ONNX Runtime cannot load it there, or put a matrix product elsewhere.
    """
    import onnxruntime

    if device == "cuda":
        onnxruntime.preload_dlls()  # CUDA and cuDNN from the packages of torch or NVIDIA
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(RECORD_PLACEMENT, "1")
    wanted = PROVIDERS[device] if provider is None else provider[0]
    settings = SETTINGS if provider is None else {**SETTINGS, provider[0]: provider[1]}
    names = list(dict.fromkeys((wanted, PROVIDERS[device], PROVIDERS["cpu"])))
    try:
        session = onnxruntime.InferenceSession(
            str(model), options, providers=[(name, dict(settings.get(name, {}))) for name in names]
        )
    except _refusals() as error:
        reason = " ".join(str(error).split())[:200]
        raise NotAvailable(f"onnxruntime cannot run this model on {wanted}: {reason}") from error
    check_provider(session.get_providers(), wanted)
    check_placement(placement(session), wanted)
    return session


def _refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a graph that it has no kernel for or does not understand."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return state.NotImplemented, state.Fail, state.InvalidGraph


def check_provider(providers: list[str], wanted: str) -> None:
    """Raise NotAvailable when the session does not run where it was asked to; ONNX Runtime itself only logs that."""
    if not providers or providers[0] != wanted:
        got = providers[0] if providers else "no provider"
        raise NotAvailable(f"onnxruntime fell back from {wanted} to {got}; check its CUDA and cuDNN libraries")


def placement(session: Any) -> dict[str, Counter[str]]:
    """How many nodes of each operator ONNX Runtime put on each provider."""
    placed: dict[str, Counter[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        placed.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    return placed


def check_placement(placed: Mapping[str, Counter[str]], wanted: str) -> None:
    """Raise NotAvailable when matrix products run on another provider than the one asked for."""
    for name, operators in placed.items():
        strayed = {operator: count for operator, count in operators.items() if operator in PRODUCTS}
        if name != wanted and strayed:
            counts = ", ".join(f"{count} {operator}" for operator, count in sorted(strayed.items()))
            raise NotAvailable(f"onnxruntime put {counts} on {name} instead of {wanted}")


def onnx_forward(session: Any, device: str = "cpu") -> Forward:
    """Numpy in, numpy out; on a GPU through buffers bound there, so that nothing but ids and logits is copied."""
    names = [node.name for node in session.get_inputs()]
    if device != "cpu":
        return bound_forward(session, names, device)

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: np.ndarray = session.run(["logits"], {name: feeds[name] for name in names})[0]
        return logits

    return forward


def bound_forward(session: Any, names: list[str], device: str) -> Forward:
    """Inputs copied to the device once a batch, logits left there until the one copy back."""
    import onnxruntime

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        binding = session.io_binding()
        for name in names:
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(feeds[name], device, 0))
        binding.bind_output("logits", device)
        session.run_with_iobinding(binding)
        logits: np.ndarray = binding.copy_outputs_to_cpu()[0]
        return logits

    return forward
