"""The int8 product of CPUs without VNNI, in numpy: vpmaddubsw adds two products in 16 bits, and those saturate."""

from __future__ import annotations

import numpy as np
from onnx.reference.op_run import OpRun

LARGEST_SUM = 2**15 - 1


def saturating_product(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """uint8 (..., n, k) times int8 (k, m) to int32 (..., n, m): rows k, k + 1 summed in 16 bits, their sums in 32."""
    if weights.shape[0] % 2:
        weights = np.concatenate([weights, np.zeros_like(weights[:1])])
        activations = np.concatenate([activations, np.zeros_like(activations[..., :1])], axis=-1)
    left, right = activations.astype(np.int32), weights.astype(np.int32)
    total = np.zeros((*left.shape[:-1], right.shape[1]), dtype=np.int32)
    for row in range(0, right.shape[0], 2):
        pair = left[..., row : row + 2] @ right[row : row + 2]
        total += np.clip(pair, -LARGEST_SUM - 1, LARGEST_SUM)
    return total


class MatMulInteger(OpRun):
    """ONNX's operator as a CPU without VNNI computes it, zero points subtracted from the sums as ONNX Runtime does."""

    op_domain = ""

    def _run(
        self,
        a: np.ndarray,
        b: np.ndarray,
        a_zero_point: np.ndarray | None = None,
        b_zero_point: np.ndarray | None = None,
    ) -> tuple[np.ndarray]:
        assert a.dtype == np.uint8
        assert b.dtype == np.int8
        assert b_zero_point is None or not b_zero_point.any(), "weights are quantised symmetrically"
        shift = 0 if a_zero_point is None else int(a_zero_point) * b.astype(np.int32).sum(axis=0)
        return (saturating_product(a, b) - shift,)
