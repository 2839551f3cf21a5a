"""Draws dropout from eight random bits a number; torch on a CPU draws a word of a Mersenne twister for each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class ByteDropout:
    """Inverted dropout; the probability is rounded to 1/256 (0.1 becomes 0.1016), and the scale goes with it."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.Generator(np.random.SFC64(seed))

    @classmethod
    def seeded(cls) -> ByteDropout:
        """Seeded from torch's own random numbers."""
        return cls(int(torch.randint(2**31, ()).item()))

    def state(self) -> list[int]:
        """Where the stream of random numbers is, as plain numbers."""
        state = self.generator.bit_generator.state
        return [int(word) for word in (*state["state"]["state"], state["has_uint32"], state["uinteger"])]

    def set_state(self, state: list[int]) -> None:
        """Go on from a `state`."""
        *words, has_uint32, uinteger = state
        self.generator.bit_generator.state = {
            "bit_generator": "SFC64",
            "state": {"state": np.array(words, dtype=np.uint64)},
            "has_uint32": has_uint32,
            "uinteger": uinteger,
        }

    def __call__(self, values: Tensor, probability: float) -> Tensor:
        dropped = round(probability * 256)
        if dropped == 0:
            return values
        random = np.frombuffer(bytearray(self.generator.bytes(values.numel())), dtype=np.uint8)
        kept = torch.from_numpy(random).view(values.shape) >= dropped
        return values * kept.to(values.dtype).mul_(256 / (256 - dropped))
