"""Wraps a transformer whose body another can stand in for, and pools its states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


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


def at_last_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The state of each row's last real token: (b, t, d) -> (b, d)."""
    last = attention_mask.sum(dim=1) - 1
    index = last.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
    return hidden.gather(1, index)[:, 0]


def mean_of_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    weights = attention_mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1)


def first_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all poolings
    return hidden[:, 0]


def hidden_states(model: Any, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
    return model(input_ids=input_ids, attention_mask=attention_mask, **options).last_hidden_state


POOLING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_of_tokens,
    "cls": first_token,
    "last": at_last_token,
}
