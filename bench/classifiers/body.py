"""A module around a transformer whose body another can stand in for."""

from __future__ import annotations

from typing import Any

from torch import nn


class WithBody(nn.Module):
    """Base of the modules that turn the states of a transformer's body into logits."""

    model: Any

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._body: Any = None

    @property
    def body(self) -> Any:
        """What turns tokens into states: the model's own body, or what stands in for it."""
        return self.model.base_model if self._body is None else self._body

    def use_body(self, body: Any) -> None:
        """Compute through `body`, which shares the model's weights, from now on; None: through the model's own."""
        self._body = body
