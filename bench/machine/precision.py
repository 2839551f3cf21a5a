"""Which precisions this machine computes fast."""

from __future__ import annotations

from bench.machine.environment import cpu_card

FAST_BF16_FEATURES = frozenset({"avx512_bf16", "amx_bf16"})


def has_fast_bf16(device: str) -> bool:
    """Whether bf16 runs on instructions of its own: avx512_bf16 or AMX on a CPU, compute capability 8 on a GPU."""
    if device == "cpu":
        return bool(FAST_BF16_FEATURES & set(cpu_card()["features"]))
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8)
