"""Converts pickled weights to safetensors in a process of its own: unpickle.py OUT.safetensors PART.bin ...

Imports nothing of the project and is run by its path. torch.load(weights_only=True) builds tensors alone; whatever else
a file asks for is an error. What was written is read again and compared bit for bit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def convert(target: str, parts: Sequence[str]) -> None:
    """Write all tensors of the parts into one file; raises an error for anything that is no named tensor."""
    import torch
    from safetensors.torch import load_file, save_file

    weights: dict[str, torch.Tensor] = {}
    for part in parts:
        content = torch.load(part, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or not content:
            raise ValueError("it holds no table of weights")
        for name, tensor in content.items():
            if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
                raise TypeError(f"its entry {str(name)[:60]!r} is no weight but a {type(tensor).__name__}")
            if name in weights:
                raise ValueError(f"{name} stands in two of its parts")
            weights[name] = tensor.detach().clone().contiguous()  # tied weights share memory, which safetensors refuses
    save_file(weights, target, metadata={"format": "pt"})
    again = load_file(target)
    if set(again) != set(weights) or not all(_same(weights[name], again[name]) for name in weights):
        raise ValueError("what was written is not what was read")


def _same(first: object, second: object) -> bool:
    import torch

    assert isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)  # noqa: S101 - both are weights
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return first.numel() == 0 or torch.equal(first.reshape(-1).view(torch.uint8), second.reshape(-1).view(torch.uint8))


if __name__ == "__main__":
    try:
        convert(sys.argv[1], sys.argv[2:])
    except Exception as error:  # whatever a file of a stranger's makes torch raise is told in one line
        lines = [line for line in str(error).splitlines() if line.strip()]
        sys.exit(f"{type(error).__name__}: {lines[0] if lines else ''}"[:300])
