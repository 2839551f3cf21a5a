"""Finds out whether padding changes a model's answers: then no text may be computed beside a longer one."""

from __future__ import annotations

import torch
from torch import nn

from bench.text.tokens import TextTokenizer
from bench.types import Classifier

# Families whose answers do not change; any other is asked once, with and without padding.
PROOF = frozenset(
    {
        *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "eurobert", "falcon"),
        *("gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_neox", "gpt_oss", "helium", "llama"),
        *("longformer", "ministral3", "mistral", "mixtral", "modernbert", "mpnet", "olmo", "olmo2", "olmo3", "opt"),
        *("phi", "phi3", "qwen2", "qwen3", "roberta", "smollm3", "stablelm", "starcoder2", "xlm-roberta"),
    }
)
PROBE = "The price of the small red house was never quite right."
PADDING = 8
TOLERANCE = 1e-3


def padding_counts(classifier: Classifier, module: nn.Module, tokenizer: TextTokenizer) -> bool:
    """Whether one text gets other logits with padding behind it than alone.

    So it is where tokens are mixed without a mask: Fourier transforms (FNet), convolutions (ConvBERT, MobileBERT's
    trigrams), landmarks of the whole length (Nystromformer).
    """
    config = next((part.config for part in module.modules() if hasattr(part, "config")), None)
    if classifier.kind not in ("sequence", "embedding") or getattr(config, "model_type", None) in (None, *PROOF):
        return False
    room = (classifier.manifest.max_length or 0) - PADDING
    if room < 2:
        return False
    ids = tokenizer.encode((PROBE,)).ids[0][:room]
    padded = [*ids, *[tokenizer.pad_id] * PADDING]
    alone, beside = (_logits(module, row, len(ids)) for row in (ids, padded))
    return bool((alone - beside).abs().max() > TOLERANCE * max(1.0, float(alone.abs().max())))


@torch.inference_mode()
def _logits(module: nn.Module, ids: list[int], real: int) -> torch.Tensor:
    mask = torch.zeros(1, len(ids), dtype=torch.long)
    mask[0, :real] = 1
    logits: torch.Tensor = module(torch.tensor([ids]), attention_mask=mask)
    return logits.float()
