"""Puts a classification head on a transformer: token ids in, logits out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.classifiers.body import WithBody, at_last_token
from bench.errors import UsageError

# The last linear layer of a classification model by the names that architectures give it.
HEAD_NAMES = ("classifier.out_proj", "classifier", "score", "head")


def find_head(module: nn.Module) -> nn.Linear:
    """The linear layer that gives the logits; raises UsageError for a model that has none by a known name."""
    layers = dict(module.named_modules())
    for name in HEAD_NAMES:
        for prefix in ("model.", ""):
            layer = layers.get(prefix + name)
            if isinstance(layer, nn.Linear):
                return layer
    raise UsageError(f"{type(module).__name__} has no linear head by a known name: {', '.join(HEAD_NAMES)}")


class SequenceModule(WithBody):
    """A transformers sequence classification model; decoders are pooled at the last real token."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        # transformers' decoders share this head; their own forward looks for the padding id, which a text may end on
        self.pools_last = isinstance(getattr(model, "score", None), nn.Linear)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.logits(attention_mask, input_ids=input_ids)

    def logits(self, attention_mask: Tensor, **inputs: Any) -> Tensor:
        """Logits float32 (b, k) of whatever the model reads: input_ids or inputs_embeds."""
        if not self.pools_last:
            return self.model(attention_mask=attention_mask, **inputs).logits.float()
        hidden = self.body(attention_mask=attention_mask, use_cache=False, **inputs).last_hidden_state
        return self.model.score(at_last_token(hidden, attention_mask)).float()
