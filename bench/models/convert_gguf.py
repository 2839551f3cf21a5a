"""Turns a GGUF file of a causal language model into a folder of float32 safetensors with its tokenizer."""

from __future__ import annotations

from pathlib import Path

from bench.errors import AssetError


def convert_gguf(source: Path, folder: Path) -> None:
    """Write config.json, model.safetensors (float32), tokenizer.json and the chat template.

    Raises AssetError when transformers cannot read the file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = str(source.parent)
    try:
        # Without `dequantize` the weights stay in GGUF blocks, which save_pretrained cannot write.
        model = AutoModelForCausalLM.from_pretrained(
            where,
            gguf_file=source.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=source.name, local_files_only=True)
    except (ValueError, KeyError, RuntimeError, OSError, ImportError) as error:
        raise AssetError(f"{source.name} cannot be converted: {(str(error).splitlines() or ['?'])[0]}") from error
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
