"""An ONNX file opened where it was asked to run, as a forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.batched import Forward
from bench.errors import NotAvailable

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(model: Path, device: str, threads: int) -> Any:
    """An InferenceSession on the device's provider: `threads` threads inside an operator, one operator at a time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["cpu"])))
    session = onnxruntime.InferenceSession(str(model), options, providers=providers)
    check_provider(session.get_providers(), device)
    return session


def check_provider(providers: list[str], device: str) -> None:
    """Raise NotAvailable when the session does not run where it was asked to; ONNX Runtime itself only logs that."""
    wanted = PROVIDERS[device]
    if not providers or providers[0] != wanted:
        got = providers[0] if providers else "no provider"
        raise NotAvailable(f"onnxruntime fell back from {wanted} to {got}; check its CUDA and cuDNN libraries")


def onnx_forward(session: Any) -> Forward:
    """Numpy in, numpy out."""
    names = [node.name for node in session.get_inputs()]

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: np.ndarray = session.run(["logits"], {name: feeds[name] for name in names})[0]
        return logits

    return forward
