"""Puts a classifier's torch module behind the batched session: eager, compiled or rewritten, all load through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch
import transformers
from torch import nn

from backends.shared.batched import BatchedSession, BatchLimits, Forward, batching_details
from backends.shared.padding import padding_counts
from bench.classifiers.modules import load_module
from bench.machine.memory import keep_freed_memory
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, SessionInfo

S = TypeVar("S", bound=BatchedSession)
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def load_torch_session(
    classifier: Classifier,
    spec: EngineSpec,
    device: str,
    threads: int,
    convert: Callable[[nn.Module], Any],
    details: Mapping[str, Any] | None = None,
    recompiles: Callable[[], int] | None = None,
    module: nn.Module | None = None,
    forward_of: Callable[[Any, torch.device], Forward] | None = None,
    session_type: type[S] = BatchedSession,  # type: ignore[assignment]
) -> S:
    """Load the module at the engine's precision, turn it into what computes, and put the batching in front.

    `module` is one that several sessions share, by default the classifier's own. convert takes the module on the device
    and returns a callable of the same signature; its time is conversion. A session of another type, whose batches look
    otherwise, brings `forward_of`: what convert returned and the device to the session's forward.
    """
    started = perf_counter()
    kept = start_torch(device, threads)
    tokenizer = load_tokenizer(classifier)
    limits = BatchLimits.of(spec, device)
    if module is None:
        module = load_module(classifier)
        if padding_counts(classifier, module, tokenizer):
            limits = replace(limits, equal_lengths=True, length_multiple=1)
    module = to_precision(module, DTYPES[spec.precision]).to(device)
    loaded = perf_counter()
    with torch.inference_mode():
        computing = convert(module)
    info = torch_info(
        classifier,
        spec,
        device,
        threads,
        load_s=loaded - started,
        convert_s=perf_counter() - loaded,
        details={
            "attention": attention_of(module),
            "dtype": spec.precision,
            "keeps_freed_memory": kept,
            **batching_details(limits),
            **(details or {}),
        },
    )
    forward = (forward_of or torch_forward)(computing, torch.device(device))
    return session_type(tokenizer, forward, limits, info, len(classifier.class_names), recompiles)


def start_torch(device: str, threads: int) -> bool:
    """Settle how torch computes in this process; whether freed memory is kept for the next batch."""
    torch.set_num_threads(threads)
    return device == "cpu" and keep_freed_memory()


def torch_info(
    classifier: Classifier,
    spec: EngineSpec,
    device: str,
    threads: int,
    load_s: float,
    convert_s: float,
    details: Mapping[str, Any],
) -> SessionInfo:
    """What every session over a torch module says of itself; `details` come behind the versions."""
    return SessionInfo(
        load_s=load_s,
        convert_s=convert_s,
        precision=spec.precision,
        device=device,
        threads=threads,
        artifact_bytes=classifier.artifact_bytes,
        details={"torch": torch.__version__, "transformers": transformers.__version__, **details},
    )


def to_precision(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Cast the weights; buffers (rotary frequencies, offsets) and a head on pooled float32 vectors stay float32."""
    body = getattr(module, "sentence_encoder", module)
    for parameter in body.parameters():
        parameter.data = parameter.data.to(dtype)
    return module


def torch_forward(module: Callable[..., torch.Tensor], device: torch.device) -> Forward:
    """Numpy in, numpy out, without gradients; from a GPU, which goes on computing, a tensor there."""

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray | torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = module(
                on_device(input_ids, device), attention_mask=on_device(attention_mask, device)
            )
            return logits.float().numpy() if device.type == "cpu" else logits.float()

    return forward


def on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array as a tensor; to a GPU from pinned memory, because a copy from other memory waits for all kernels."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def attention_of(module: nn.Module) -> str | None:
    """Transformers' attention implementation in a module, None where there is no attention."""
    configs = (getattr(part, "config", None) for part in module.modules())
    found = (getattr(config, "_attn_implementation", None) for config in configs)
    return next((name for name in found if name), None)
