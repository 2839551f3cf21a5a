"""Loads base models in 4 bits for QLoRA (Dettmers et al. 2023), and turns them back to plain weights afterwards."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.errors import NotAvailable


def load_quantised(auto_class: Any, folder: Path, device: str) -> Any:
    """A model with its linear layers in NF4, computed in bf16; raises NotAvailable without bitsandbytes."""
    if find_spec("bitsandbytes") is None:
        raise NotAvailable("4-bit training needs bitsandbytes: pip install 'text-classifier-bench[qlora]'")
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model = auto_class.from_pretrained(
        folder,
        quantization_config=config,
        dtype=torch.float32,
        device_map={"": device},
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    )
    from bitsandbytes.nn import Linear4bit

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            # else the first evaluation on a CPU repacks the weights into a form that training cannot go on from
            layer.support_avx512bf16_for_cpu = False
    return model


def dequantise(model: Any) -> Any:
    """Put plain float32 layers in the place of 4-bit ones, in place: the numbers that the 4 bits stand for."""
    if find_spec("bitsandbytes") is None or not getattr(model, "is_loaded_in_4bit", False):
        return model
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    for name, layer in list(model.named_modules()):
        if isinstance(layer, Linear4bit):
            weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
            plain = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None)
            plain.weight = nn.Parameter(weight, requires_grad=False)
            if layer.bias is not None:
                plain.bias = nn.Parameter(layer.bias.data.float(), requires_grad=False)
            owner, _, child = name.rpartition(".")
            setattr(model.get_submodule(owner), child, plain)
    for attribute in ("is_loaded_in_4bit", "is_quantized", "hf_quantizer", "quantization_method"):
        if hasattr(model, attribute):
            delattr(model, attribute)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model
