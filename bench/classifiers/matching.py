"""Reads a text together with what each class means: pairs for cross-encoders, all labels for GLiClass.

Both take right-padded input_ids and attention_mask int64 (b, t) of the text alone and return logits float32 (b, k).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.classifiers.sequence import SequenceModule
from bench.errors import AssetError, NotAvailable
from bench.types import Record

GLICLASS = "GLiClass"


class PairFrame(Record):
    """The tokens around a text in its pair with one class, and their segments (token types)."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    before_types: tuple[int, ...]
    after_types: tuple[int, ...]
    text_type: int = Field(ge=0)


class PairsModule(nn.Module):
    """A sequence classification model reads each text beside each class's sentence: one score a class.

    `lead` and `trail` special tokens stand around a text alone; each frame has its own in their place. `column`: the
    output that speaks for the class ("entailment", or a reranker's only one); the softmax is over it alone.
    """

    def __init__(self, model: Any, frames: Sequence[PairFrame], lead: int, trail: int, column: int) -> None:
        super().__init__()
        self.scorer = SequenceModule(model)
        self.lead, self.trail, self.column = lead, trail, column
        self.reads_types = getattr(model.config, "type_vocab_size", 0) > 1
        self.text_types = [frame.text_type for frame in frames]
        self.widest = max(len(frame.before) + len(frame.after) for frame in frames)
        for at, frame in enumerate(frames):
            for name in ("before", "after", "before_types", "after_types"):
                self.register_buffer(f"{name}_{at}", torch.tensor(getattr(frame, name), dtype=torch.long), False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        lengths = attention_mask.sum(dim=1, keepdim=True) - self.lead - self.trail
        pairs = [self._pair(at, input_ids, lengths) for at in range(len(self.text_types))]
        ids, types, mask = (torch.stack(parts, dim=1).flatten(0, 1) for parts in zip(*pairs, strict=True))
        inputs = {"token_type_ids": types} if self.reads_types else {}
        logits = self.scorer.logits(mask, input_ids=ids, **inputs)
        return logits[:, self.column].reshape(-1, len(self.text_types)).float()

    def _pair(self, at: int, input_ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids, segments and mask int64 (b, w) of the texts beside class `at`; w is the same for all classes."""
        before, after = getattr(self, f"before_{at}"), getattr(self, f"after_{at}")
        text = input_ids[:, self.lead :]
        rows = text[:, :1]
        spare = self.widest - len(before)
        ids = torch.cat([_rows(before, rows), text, _rows(after.new_zeros(spare), rows)], dim=1)
        types = torch.cat(
            [
                _rows(getattr(self, f"before_types_{at}"), rows),
                torch.full_like(text, self.text_types[at]),
                _rows(after.new_zeros(spare), rows),
            ],
            dim=1,
        )
        places = len(before) + lengths + torch.arange(len(after), device=ids.device)
        ids = ids.scatter(1, places, _rows(after, rows))
        types = types.scatter(1, places, _rows(getattr(self, f"after_types_{at}"), rows))
        mask = (torch.arange(ids.shape[1], device=ids.device) < len(before) + lengths + len(after)).long()
        return ids * mask, types * mask, mask


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    """The same values (n,) for every row of (b, 1): (b, n)."""
    return values.unsqueeze(0) + torch.zeros_like(rows)


class LabelsModule(nn.Module):
    """GLiClass (Stepanov et al. 2025): one pass over the labels and the text, a score for each label."""

    def __init__(self, model: Any, classes: int) -> None:
        super().__init__()
        self.model = model
        self.classes = classes

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask, max_num_classes=self.classes).logits
        return logits[:, : self.classes].float()


def load_gliclass(folder: Path) -> Any:
    """A GLiClass model of its own package, from safetensors.

    Raises NotAvailable where the package is missing, or the model is of a shape that is not served here; its package
    would fetch and run the code of an encoder that transformers does not know, so that is refused before.
    """
    try:
        import gliclass
    except ImportError as error:
        raise NotAvailable("GLiClass needs its package: pip install 'text-classifier-bench[gliclass]'") from error
    from transformers.models.auto import CONFIG_MAPPING

    config = json.loads((folder / "config.json").read_bytes())
    encoder = (config.get("encoder_config") or {}).get("model_type", "deberta-v2")
    if config.get("model_type") != GLICLASS:
        raise NotAvailable(f"{folder.name} is a {config.get('model_type')} model, no GLiClass model")
    if encoder not in CONFIG_MAPPING:
        raise NotAvailable(f"{folder.name}: transformers has no {encoder}, and code of a model's own is never run")
    if config.get("architecture_type", "uni-encoder") != "uni-encoder":
        raise NotAvailable(f"{folder.name}: {config['architecture_type']} is not served, uni-encoder models are")
    model, loading = gliclass.GLiClassModel.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, output_loading_info=True, dtype=torch.float32
    )
    if loading["missing_keys"]:
        raise AssetError(f"{folder} lacks {sorted(loading['missing_keys'])[0]}, which GLiClass reads")
    return model.eval()
