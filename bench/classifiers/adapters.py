"""Builds small trained parts beside a frozen transformer from their settings, loads and switches them.

settings["kind"] and what else it takes:

lora            r, alpha, dropout, targets: low-rank updates of linear layers (Hu et al. 2021), by peft
bottleneck      width: a small network with a residual after every block (Houlsby et al. 2019)
virtual-tokens  count: learnt vectors in the input, of prompt tuning (Lester et al. 2021) and p-tuning (Liu et al. 2021)
prefix          count: learnt keys and values in front of every layer (Li and Liang 2021), decoders only

`trained.safetensors` holds what training moved, by the names of the built module: adapter, head, and layers that the
base model had no weights for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.classifiers.body import at_last_token
from bench.classifiers.sequence import SequenceModule
from bench.errors import AssetError, NotAvailable, UsageError

TRAINED = "trained.safetensors"


def add_adapter(model: Any, settings: Mapping[str, Any]) -> SequenceModule:
    """Build an untrained adapter into a transformers classification model; its base weights are not trained."""
    kind = settings["kind"]
    if kind not in _KINDS:
        raise UsageError(f"unknown adapter '{kind}'; known: {', '.join(sorted(_KINDS))}")
    model.requires_grad_(False)
    return _KINDS[kind](model, {name: value for name, value in settings.items() if name != "kind"})


def trained_weights(module: nn.Module) -> dict[str, Tensor]:
    """What training moved, by name."""
    return {name: weight.detach().contiguous() for name, weight in module.named_parameters() if weight.requires_grad}


def load_trained(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put trained weights into a built module; raises AssetError when they are another adapter's."""
    parameters = dict(module.named_parameters())
    unknown = sorted(set(weights) - set(parameters))
    if unknown:
        raise AssetError(f"{TRAINED} holds {unknown[0]}, which the adapter of the manifest has no place for")
    with torch.no_grad():
        for name, weight in weights.items():
            if parameters[name].shape != weight.shape:
                found, wanted = tuple(weight.shape), tuple(parameters[name].shape)
                raise AssetError(f"{TRAINED}: {name} is {found}, the adapter of the manifest needs {wanted}")
            parameters[name].copy_(weight)


class SwitchedAdapters:
    """One base model in memory and the trained parts of several classifiers, exchanged at run time.

    All have the same base model, adapter settings and number of classes.
    """

    def __init__(self, module: nn.Module, trained: Sequence[Mapping[str, Tensor]]) -> None:
        self.module = module
        self.trained = trained
        self.current: int | None = None

    def use(self, number: int) -> nn.Module:
        """The module with the weights of one classifier in it."""
        if number != self.current:
            load_trained(self.module, self.trained[number])
            self.current = number
        return self.module

    def view(self, number: int) -> Callable[..., Tensor]:
        """A callable of the module's signature that switches to its classifier when it is called."""

        def forward(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return self.use(number)(input_ids, attention_mask=attention_mask)

        return forward


# ---------------------------------------------------------------- low-rank updates


def _add_lora(model: Any, settings: Mapping[str, Any]) -> SequenceModule:
    add_lora(model, **settings)
    return SequenceModule(model)


def add_lora(model: Any, r: int, alpha: int, dropout: float, targets: Sequence[str]) -> None:
    """Put low-rank updates on the named linear layers, in place."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
    inject_adapter_in_model(config, model)


def merge_lora(model: Any) -> Any:
    """Add the updates to the weights they stand beside and take the adapter layers out, in place."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            base = layer.get_base_layer()
            with torch.no_grad():
                base.weight += layer.get_delta_weight("default").to(base.weight.dtype)  # type: ignore[attr-defined]
            owner, _, child = name.rpartition(".")
            setattr(model.get_submodule(owner), child, base)
    return model


# ---------------------------------------------------------------- bottleneck adapters


class Bottleneck(nn.Module):
    """Down to `width`, ReLU, up again, added to its input.

    Down starts as N(0, 0.01), up near zero and the biases at it, so that the model starts as it was.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)
        nn.init.normal_(self.down.weight, std=0.01)
        nn.init.normal_(self.up.weight, std=1e-3)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.up(torch.relu(self.down(hidden)))


def _add_bottleneck(model: Any, settings: Mapping[str, Any]) -> SequenceModule:
    for block in find_blocks(model):
        block.add_module("bottleneck", Bottleneck(model.config.hidden_size, settings["width"]))
        block.register_forward_hook(_through_bottleneck)
    return SequenceModule(model)


def _through_bottleneck(block: Any, _arguments: Any, output: Any) -> Any:
    if isinstance(output, tuple):
        return (block.bottleneck(output[0]), *output[1:])
    return block.bottleneck(output)


def find_blocks(model: Any) -> list[nn.Module]:
    """The transformer's blocks, in order; raises UsageError for a model that has no such list."""
    count = model.config.num_hidden_layers
    for layers in model.modules():
        if isinstance(layers, nn.ModuleList) and len(layers) == count:
            return list(layers)
    raise UsageError(f"bottleneck adapters: {type(model).__name__} has no list of {count} blocks to put them after")


# ---------------------------------------------------------------- virtual tokens


class VirtualTokens(SequenceModule):
    """Learnt vectors among the input's: after the first token of an encoder, which its head reads; before a decoder's.

    peft puts them before an encoder's first token too, where the head then reads a virtual token instead of [CLS].
    `encoder` turns the vectors into what the model reads (p-tuning); `settle` leaves its results in their place.
    """

    def __init__(self, model: Any, count: int) -> None:
        super().__init__(model)
        table = model.get_input_embeddings().weight
        rows = torch.randint(len(table), (count,))
        self.vectors = nn.Parameter(table.detach()[rows].clone())
        self.encoder: nn.Module | None = None

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        vectors = self.vectors if self.encoder is None else self.encoder(self.vectors)
        read = self.model.get_input_embeddings()(input_ids)
        batch = read.shape[0]  # not len(): an export would take it for a constant
        learnt = vectors.to(read.dtype).expand(batch, -1, -1)
        ones = attention_mask.new_ones(batch, learnt.shape[1])
        first = 0 if self.pools_last else 1
        inputs = torch.cat([read[:, :first], learnt, read[:, first:]], dim=1)
        mask = torch.cat([attention_mask[:, :first], ones, attention_mask[:, first:]], dim=1)
        return self.logits(mask, inputs_embeds=inputs)

    @torch.no_grad()
    def settle(self) -> None:
        """Put what the encoder makes of the vectors in their place and drop the encoder."""
        if self.encoder is not None:
            self.vectors.copy_(self.encoder(self.vectors))
            self.encoder = None


def _add_virtual_tokens(model: Any, settings: Mapping[str, Any]) -> SequenceModule:
    return VirtualTokens(model, settings["count"])


# ---------------------------------------------------------------- prefixes


class Prefix(SequenceModule):
    """Learnt keys and values that every token of a decoder attends to, in every layer."""

    def __init__(self, model: Any, count: int) -> None:
        super().__init__(model)
        if not self.pools_last:
            raise NotAvailable(
                f"prefix tuning needs past_key_values, and {type(model).__name__} is an encoder that takes none; "
                "take a decoder, or p-tuning"
            )
        config = model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.count = count
        self.keys_values = nn.Parameter(torch.randn(config.num_hidden_layers, 2, heads, count, width) * 0.02)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        from transformers import DynamicCache

        batch = input_ids.shape[0]  # not len(): an export would take it for a constant
        dtype = self.model.get_input_embeddings().weight.dtype
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self.keys_values.to(dtype)):
            cache.update(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1), number)
        mask = torch.cat([attention_mask.new_ones(batch, self.count), attention_mask], dim=1)
        inputs = {"input_ids": input_ids, "attention_mask": mask, "past_key_values": cache}
        hidden = self.body(**inputs, use_cache=True).last_hidden_state
        return self.model.score(at_last_token(hidden, attention_mask)).float()


def _add_prefix(model: Any, settings: Mapping[str, Any]) -> SequenceModule:
    return Prefix(model, settings["count"])


_KINDS: dict[str, Callable[[Any, Mapping[str, Any]], SequenceModule]] = {
    "lora": _add_lora,
    "bottleneck": _add_bottleneck,
    "virtual-tokens": _add_virtual_tokens,
    "prefix": _add_prefix,
}
