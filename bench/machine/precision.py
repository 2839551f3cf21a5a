"""Tells which precisions this machine computes fast, and how many bits of int8 weights it multiplies right."""

from __future__ import annotations

from typing import Literal

from bench.errors import UsageError
from bench.machine.instructions import cpu_features, is_arm
from bench.types import EngineSpec

FAST_BF16_FEATURES = frozenset({"avx512_bf16", "amx_bf16"})
WeightBits = Literal[7, 8]
# a sum of two products with 8-bit activations, 2 x 255 x 64, has to fit into 16 bits
LARGEST_WEIGHTS: dict[WeightBits, int] = {7: 64, 8: 127}


def has_fast_bf16(device: str) -> bool:
    """Whether bf16 runs on instructions of its own: avx512_bf16 or AMX on a CPU, compute capability 8 on a GPU."""
    if device == "cpu":
        return bool(FAST_BF16_FEATURES & cpu_features())
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8)


def sums_int8_in_32_bits() -> bool:
    """Whether no kernel for unsigned activations and signed weights adds two products in 16 bits, as vpmaddubsw does.

    VNNI has an instruction that does not; a CPU with AVX-512 but without its VNNI computes in AVX-512. ARM's kernels
    widen first. False where the features of an x86 CPU are not known.
    """
    features = cpu_features()
    return is_arm() or "avx512_vnni" in features or ("avx_vnni" in features and "avx512bw" not in features)


def weight_bits(engine: EngineSpec) -> WeightBits | None:
    """The bits of an int8 engine's weights: its option `weight_bits`, or what this CPU multiplies right; else None.

    Raises UsageError for an option that is neither 7 nor 8.
    """
    if engine.precision != "int8":
        return None
    bits: WeightBits = engine.options.get("weight_bits") or (8 if sums_int8_in_32_bits() else 7)
    if bits not in LARGEST_WEIGHTS:
        raise UsageError(
            f"engine '{engine.name}': weight_bits = {bits!r}; choose {' or '.join(map(str, LARGEST_WEIGHTS))}"
        )
    return bits
