"""Classifier folders as torch modules: token ids in, logits out, the same for trainers and for every engine.

All modules take right-padded `input_ids` and `attention_mask`, int64 (b, t), and return logits float32 (b, k) whose
softmax is the class distribution. The last real token of a row is found through the mask, never through the padding id.

What the kinds read from their folder (weights are safetensors, nothing else) and from manifest.settings:

sequence   config.json, model.safetensors: a transformers sequence classification model
embedding  config.json, model.safetensors: an encoder; head.safetensors: weight float32 (k, d), bias float32 (k,).
           settings: pooling "mean" | "cls" | "last", normalise bool
network    network.safetensors. settings: NETWORK_SETTINGS
options    config.json, model.safetensors: a causal language model.
           settings: label_token_ids, a non-empty list of ids for each class;
           normalisation "sum" | "per-token" | "calibrated"; content_free, k log-likelihoods (nats) where calibrated
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import AssetError, UsageError
from bench.types import Classifier

NETWORK_SETTINGS = ("vocabulary_size", "width", "filters", "windows", "dropout")


def load_module(classifier: Classifier) -> nn.Module:
    """Rebuild the module of a classifier, float32, in evaluation mode.

    Raises UsageError for a kind that is no torch module, AssetError when weights and settings do not fit.
    """
    loader = _LOADERS.get(classifier.kind)
    if loader is None:
        raise UsageError(f"{classifier.path}: kind '{classifier.kind}' is no torch module; serve it with sklearn")
    try:
        module = loader(classifier)
    except (KeyError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AssetError(f"{classifier.path} cannot be loaded ({reason}); train the classifier again") from error
    return module.float().eval()


def load_pretrained(auto_class: Any, folder: Path, **options: Any) -> Any:
    """A transformers model from a local folder: float32, safetensors, no code from the folder.

    Attention is transformers' own choice for the architecture: sdpa where it has one.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # the harness has its own
    logging.set_verbosity_error()  # a new head's missing weights are meant
    return auto_class.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, **options
    )


class SequenceModule(nn.Module):
    """A transformers sequence classification model; decoders are pooled at the last real token."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        # transformers' decoders share this head; their own forward looks for the padding id, which a text may end on
        self.pools_last = isinstance(getattr(model, "score", None), nn.Linear)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if not self.pools_last:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits.float()
        hidden = _hidden_states(self.model.base_model, input_ids, attention_mask, use_cache=False)
        return self.model.score(at_last_token(hidden, attention_mask)).float()  # type: ignore[operator]


class SentenceEncoder(nn.Module):
    """An encoder and its pooling: sentence vectors float32 (b, d)."""

    def __init__(self, encoder: Any, pooling: str, normalise: bool) -> None:
        super().__init__()
        if pooling not in _POOLING:
            raise UsageError(f"unknown pooling '{pooling}'; known: {', '.join(sorted(_POOLING))}")
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # its output is not used, and some checkpoints have no weights for it
        self.encoder = encoder
        self.pool = _POOLING[pooling]
        self.normalise = normalise

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = _hidden_states(self.encoder, input_ids, attention_mask)
        vectors = self.pool(hidden, attention_mask).float()
        return nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


class EmbeddingModule(nn.Module):
    """Sentence vectors and a linear head."""

    def __init__(self, sentence_encoder: SentenceEncoder, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.sentence_encoder = sentence_encoder
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        self.head.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        vectors = self.sentence_encoder(input_ids, attention_mask)
        return self.head(vectors.to(self.head.weight.dtype)).float()


class TextCnn(nn.Module):
    """Convolutions over word vectors and max over time (Kim 2014); every window that touches a token counts."""

    def __init__(
        self, *, classes: int, vocabulary_size: int, width: int, filters: int, windows: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, filters, size, padding=size - 1) for size in windows)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(windows), classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.to(self.embedding.weight.dtype).unsqueeze(1)
        vectors = self.embedding(input_ids).transpose(1, 2) * mask
        features = [_max_over_time(convolution, vectors, mask) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(features, dim=1))).float()


def _max_over_time(convolution: nn.Module, vectors: Tensor, mask: Tensor) -> Tensor:
    activations = torch.relu(convolution(vectors))
    reach = activations.shape[-1] - mask.shape[-1]
    ends = torch.arange(activations.shape[-1], device=mask.device)
    touches_text = ends < mask.sum(dim=-1, keepdim=True) + reach
    return (activations * touches_text.to(activations.dtype)).amax(dim=-1)


class OptionsModule(nn.Module):
    """A causal language model that scores each class's label word as the continuation of the prompt.

    Logits are log-likelihoods in nats: summed over the word's tokens, per token, or with those of a content-free prompt
    taken away (contextual calibration, Zhao et al. 2021). All but the last token of every word follow the padded prompt
    as branches of a tree: each sees the prompt and its own word only, at the position it would have, so that one pass
    is exact for words of any length.
    """

    branch_positions: Tensor
    branch_ids: Tensor
    branch_sight: Tensor
    first_ids: Tensor

    def __init__(
        self,
        model: Any,
        label_token_ids: Sequence[Sequence[int]],
        normalisation: str,
        content_free: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if normalisation not in ("sum", "per-token", "calibrated"):
            raise UsageError(f"unknown normalisation '{normalisation}'; known: calibrated, per-token, sum")
        if not all(label_token_ids):
            raise UsageError("a label word has no tokens; give every class a word that the tokenizer can write")
        if normalisation == "calibrated" and (content_free is None or len(content_free) != len(label_token_ids)):
            raise UsageError("calibrated options need one content-free log-likelihood for each class")
        self.model = model
        lengths = [len(word) for word in label_token_ids]
        self.branches = tuple((label, depth) for label, length in enumerate(lengths) for depth in range(length - 1))
        self.next_ids = tuple(label_token_ids[label][depth + 1] for label, depth in self.branches)
        sight = [[mine[0] == other[0] and other[1] <= mine[1] for other in self.branches] for mine in self.branches]
        # plain numbers, not buffers: a module cast to bf16 must not round them
        self.offset = tuple(content_free) if normalisation == "calibrated" and content_free is not None else None
        self.divisor = tuple(lengths) if normalisation == "per-token" else None
        self.register_buffer("first_ids", torch.tensor([word[0] for word in label_token_ids]))
        self.register_buffer("branch_ids", torch.tensor([label_token_ids[a][b] for a, b in self.branches]).long())
        self.register_buffer("branch_positions", torch.tensor([depth for _, depth in self.branches]).long())
        self.register_buffer("branch_sight", torch.tensor(sight).bool())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        scores = self.log_likelihoods(input_ids, attention_mask)
        if self.offset is not None:
            return scores - scores.new_tensor(self.offset)
        return scores if self.divisor is None else scores / scores.new_tensor(self.divisor)

    def log_likelihoods(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Summed log-likelihood of every label word, nats, float32 (b, k)."""
        if not self.branches:
            hidden = _hidden_states(self.model.base_model, input_ids, attention_mask, use_cache=False)
            return self._log_probabilities(at_last_token(hidden, attention_mask))[:, self.first_ids]
        hidden = self._hidden_of_tree(input_ids, attention_mask)
        prompt_length = input_ids.shape[1]
        scores = self._log_probabilities(at_last_token(hidden[:, :prompt_length], attention_mask))[:, self.first_ids]
        inner = self._log_probabilities(hidden[:, prompt_length:])
        columns: list[Tensor] = list(scores.unbind(dim=1))
        for branch, ((label, _), next_id) in enumerate(zip(self.branches, self.next_ids, strict=True)):
            columns[label] = columns[label] + inner[:, branch, next_id]
        return torch.stack(columns, dim=1)

    def _hidden_of_tree(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        batch, length = input_ids.shape
        total = length + len(self.branches)
        real = attention_mask.bool()
        lengths = attention_mask.sum(dim=1, keepdim=True)
        ids = torch.cat([input_ids, self.branch_ids.expand(batch, -1)], dim=1)
        prompt_positions = torch.arange(length, device=input_ids.device).expand(batch, -1)
        positions = torch.cat([prompt_positions, lengths + self.branch_positions], dim=1)
        sight = torch.zeros(batch, total, total, dtype=torch.bool, device=input_ids.device)
        causal = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).tril()
        sight[:, :length, :length] = causal & real[:, None, :]
        sight[:, length:, :length] = real[:, None, :]
        sight[:, length:, length:] = self.branch_sight
        dtype = self.model.get_input_embeddings().weight.dtype
        bias = torch.zeros(sight.shape, dtype=dtype, device=sight.device).masked_fill(~sight, torch.finfo(dtype).min)
        return _hidden_states(self.model.base_model, ids, bias[:, None], position_ids=positions, use_cache=False)

    def _log_probabilities(self, hidden: Tensor) -> Tensor:
        return self.model.get_output_embeddings()(hidden).float().log_softmax(dim=-1)


def at_last_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The state of each row's last real token: (b, t, d) -> (b, d)."""
    last = attention_mask.sum(dim=1) - 1
    index = last.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
    return hidden.gather(1, index).squeeze(1)


def _mean_of_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    weights = attention_mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1)


def _first_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:  # noqa: ARG001 - one signature for all poolings
    return hidden[:, 0]


def _hidden_states(model: Any, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
    return model(input_ids=input_ids, attention_mask=attention_mask, **options).last_hidden_state


_POOLING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean_of_tokens,
    "cls": _first_token,
    "last": at_last_token,
}


def _load_sequence(classifier: Classifier) -> nn.Module:
    from transformers import AutoModelForSequenceClassification

    return SequenceModule(load_pretrained(AutoModelForSequenceClassification, classifier.path))


def _load_embedding(classifier: Classifier) -> nn.Module:
    from transformers import AutoModel

    settings = classifier.manifest.settings
    head = load_file(classifier.path / "head.safetensors")
    encoder = load_pretrained(AutoModel, classifier.path)
    return EmbeddingModule(
        SentenceEncoder(encoder, settings["pooling"], settings["normalise"]), head["weight"], head["bias"]
    )


def _load_network(classifier: Classifier) -> nn.Module:
    chosen = {name: classifier.manifest.settings[name] for name in NETWORK_SETTINGS}
    network = TextCnn(classes=len(classifier.class_names), **chosen)
    network.load_state_dict(load_file(classifier.path / "network.safetensors"))
    return network


def _load_options(classifier: Classifier) -> nn.Module:
    from transformers import AutoModelForCausalLM

    settings = classifier.manifest.settings
    model = load_pretrained(AutoModelForCausalLM, classifier.path)
    return OptionsModule(model, settings["label_token_ids"], settings["normalisation"], settings.get("content_free"))


_LOADERS: dict[str, Callable[[Classifier], nn.Module]] = {
    "sequence": _load_sequence,
    "embedding": _load_embedding,
    "network": _load_network,
    "options": _load_options,
}
