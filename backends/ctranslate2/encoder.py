"""Writes BERT-like encoders of transformers as models of CTranslate2, straight from their weights.

CTranslate2's own converter loads models itself and asks for settings that transformers 5 no longer has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.converters.utils import fuse_linear
from ctranslate2.specs import common_spec, model_spec, transformer_spec
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from bench.errors import NotAvailable
from bench.files.cache import whole_folder
from bench.machine.precision import LARGEST_WEIGHTS, WeightBits

FAMILIES = frozenset({"bert", "camembert", "distilbert", "roberta", "xlm-roberta"})
COUNT_FROM_PADDING = frozenset({"camembert", "roberta", "xlm-roberta"})  # their first token has position pad id + 1


def exchange_encoder(
    module: Any, folder: Path, compute_type: str, threads: int, bits: WeightBits | None = None
) -> nn.Module:
    """Put the converted encoder where the module has its own; `folder` keeps the conversion.

    `bits`: of int8 weights. Raises NotAvailable for an encoder of another family.
    """
    owner: Any = getattr(module, "sentence_encoder", None)
    name = "encoder"
    if owner is None:
        owner = getattr(module, "model", module)
        name = getattr(owner, "base_model_prefix", "")
    encoder = getattr(owner, name, None)
    _check(encoder)
    if not folder.exists():
        with whole_folder(folder) as scratch:
            spec = encoder_spec(encoder)
            spec.validate()
            quantise(spec, compute_type, bits)
            spec.save(str(scratch))
    setattr(owner, name, ConvertedEncoder(encoder, folder, compute_type, threads))
    return module


class ConvertedEncoder(nn.Module):
    """Stands in for transformers' encoder; the pooler, where there is one, stays torch's."""

    def __init__(self, encoder: Any, folder: Path, compute_type: str, threads: int) -> None:
        super().__init__()
        self.config = encoder.config
        self.pooler = getattr(encoder, "pooler", None)
        self.converted = ctranslate2.Encoder(
            str(folder), device="cpu", compute_type=compute_type, inter_threads=1, intra_threads=threads
        )
        if self.converted.compute_type != compute_type:
            raise NotAvailable(f"CTranslate2 computes in {self.converted.compute_type}, not in {compute_type}")

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Hidden states float32 (b, t, d) of right-padded ids; those of padding mean nothing."""
        ids, lengths = input_ids.int().numpy(), attention_mask.sum(dim=1).int().numpy()
        states = self.converted.forward_batch(*map(ctranslate2.StorageView.from_array, (ids, lengths)))
        hidden: Any = torch.from_numpy(np.array(states.last_hidden_state))
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden, pooler_output=self.pooler(hidden) if self.pooler else None
        )


def _check(encoder: Any) -> None:
    config = getattr(encoder, "config", None)
    family = getattr(config, "model_type", None) or "a model of another kind"
    if config is None or family not in FAMILIES or getattr(config, "is_decoder", False):
        raise NotAvailable(f"ctranslate2 serves encoders of the families {', '.join(sorted(FAMILIES))}, not {family}")
    activation = config.activation if family == "distilbert" else config.hidden_act
    if activation != "gelu":
        raise NotAvailable(f"ctranslate2 serves encoders with exact GELU here, this one has {activation}")


def encoder_spec(encoder: Any) -> Any:
    """The encoder's weights as a specification of CTranslate2, embeddings of the first token type in the positions'."""
    config, embeddings = encoder.config, encoder.embeddings
    layers = list(_layers(encoder))
    spec = transformer_spec.TransformerEncoderModelSpec(
        transformer_spec.TransformerEncoderSpec(
            len(layers),
            config.num_attention_heads,
            pre_norm=False,
            activation=common_spec.Activation.GELU,
            layernorm_embedding=True,
        )
    )
    spec.config.layer_norm_epsilon = embeddings.LayerNorm.eps
    vocabulary = embeddings.word_embeddings.num_embeddings
    words = [str(number) for number in range(vocabulary)]  # ids are given; there only have to be as many words
    spec.config.unk_token = words[0]
    spec.register_vocabulary(words)
    target = spec.encoder
    target.scale_embeddings = False
    target.embeddings[0].weight = _numbers(embeddings.word_embeddings.weight)
    positions = _numbers(embeddings.position_embeddings.weight)
    if config.model_type in COUNT_FROM_PADDING:
        positions = positions[config.pad_token_id + 1 :]
    if hasattr(embeddings, "token_type_embeddings"):
        positions = positions + _numbers(embeddings.token_type_embeddings.weight)[0]
    target.position_encodings.encodings = positions
    _norm(target.layernorm_embedding, embeddings.LayerNorm)
    for part, layer in zip(target.layer, layers, strict=True):
        fuse_linear(part.self_attention.linear[0], [_linear(common_spec.LinearSpec(), one) for one in layer.attention])
        _linear(part.self_attention.linear[1], layer.attended)
        _norm(part.self_attention.layer_norm, layer.attended_norm)
        _linear(part.ffn.linear_0, layer.up)
        _linear(part.ffn.linear_1, layer.down)
        _norm(part.ffn.layer_norm, layer.norm)
    return spec


def quantise(spec: Any, compute_type: str, bits: WeightBits | None) -> None:
    """Store the specification's numbers as the compute type wants them, products' weights with fewer bits if asked.

    CTranslate2 itself knows 8 bits, from -127 to 127, one scale a row; embeddings, which are looked up, keep them.
    """
    products: list[tuple[Any, np.ndarray]] = []
    if bits == 7:
        model_spec.visit_spec(spec, lambda layer, name, value: _collect(products, layer, name, value))
    spec.optimize(quantization=compute_type)
    for layer, whole in products:
        largest = np.abs(whole).max(axis=1)
        scale = LARGEST_WEIGHTS[7] / np.where(largest == 0, 1, largest)
        layer.weight = model_spec.NumpyVariable(np.rint(whole * scale[:, None]).astype(np.int8))
        layer.weight_scale = model_spec.NumpyVariable(scale.astype(np.float32))


def _collect(products: list[tuple[Any, np.ndarray]], layer: Any, name: str, value: Any) -> None:
    if isinstance(layer, common_spec.LinearSpec) and name.rpartition("/")[2] == "weight":
        products.append((layer, np.array(value.numpy(), dtype=np.float32)))


@dataclass(frozen=True)
class _Layer:
    """The parts of one layer, whatever its family calls them; attention: query, key, value."""

    attention: tuple[nn.Linear, nn.Linear, nn.Linear]
    attended: nn.Linear
    attended_norm: nn.LayerNorm
    up: nn.Linear
    down: nn.Linear
    norm: nn.LayerNorm


def _layers(encoder: Any) -> Iterator[_Layer]:
    if encoder.config.model_type == "distilbert":
        for layer in encoder.transformer.layer:
            own = layer.attention
            attention = (own.q_lin, own.k_lin, own.v_lin)
            unit = layer.ffn
            yield _Layer(attention, own.out_lin, layer.sa_layer_norm, unit.lin1, unit.lin2, layer.output_layer_norm)
        return
    for layer in encoder.encoder.layer:
        own, attended, down = layer.attention.self, layer.attention.output, layer.output
        attention = (own.query, own.key, own.value)
        up = layer.intermediate.dense
        yield _Layer(attention, attended.dense, attended.LayerNorm, up, down.dense, down.LayerNorm)


def _linear(spec: Any, layer: nn.Linear) -> Any:
    spec.weight, spec.bias = _numbers(layer.weight), _numbers(layer.bias)
    return spec


def _norm(spec: Any, layer: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _numbers(layer.weight), _numbers(layer.bias)


def _numbers(weight: Tensor) -> np.ndarray:
    numbers: np.ndarray = weight.detach().float().numpy()
    return numbers
