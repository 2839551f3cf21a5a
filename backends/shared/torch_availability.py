"""Tells whether torch can serve here, found without loading it where that is possible."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from bench.machine.precision import has_fast_bf16
from bench.types import Availability, EngineSpec


def torch_availability(spec: EngineSpec, device: str) -> Availability:
    """Version, device and precision; a reason and its remedy where one of them is missing."""
    try:
        torch_version = version("torch")
    except PackageNotFoundError:
        return Availability(False, reason="torch is not installed", remedy="pip install torch")
    if device != "cpu":
        return _on_device(spec, device, torch_version)
    if spec.precision == "bf16" and not has_fast_bf16("cpu"):
        return Availability(
            False,
            torch_version,
            "this CPU has no bf16 instructions (avx512_bf16 or AMX)",
            "choose an fp32 engine, or a newer CPU",
        )
    return Availability(True, torch_version)


def _on_device(spec: EngineSpec, device: str, torch_version: str) -> Availability:
    import torch

    if not torch.cuda.is_available():
        return Availability(
            False, torch_version, f"torch {torch_version} sees no {device} device", "install a CUDA build of torch"
        )
    if spec.precision == "bf16" and not has_fast_bf16(device):
        return Availability(False, torch_version, "this GPU has no bf16 arithmetic", "choose an fp32 engine")
    return Availability(True, torch_version)
