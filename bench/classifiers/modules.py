"""Opens classifier folders as torch modules: token ids in, logits out, the same for trainers and for every engine.

All modules take right-padded `input_ids` and `attention_mask`, int64 (b, t), and return logits float32 (b, k) whose
softmax is the class distribution. The last real token of a row is found through the mask, never through the padding id.

What the kinds read from their folder (weights are safetensors, nothing else) and from manifest.settings:

sequence   config.json, model.safetensors: a transformers sequence classification model; or, where settings has
           adapter (see adapters.py), the base model as it was and trained.safetensors: adapter and head
embedding  config.json, model.safetensors: an encoder; head.safetensors: see make_head.
           settings: pooling "mean" | "cls" | "last", normalise bool
network    network.safetensors. settings: architecture, network (the keyword arguments of bench/classifiers/networks.py)
matching   config.json, model.safetensors: a model that reads text and classes together (matching.py).
           settings: reads "pairs" (frames, lead, trail, column) or "labels"
options    config.json, model.safetensors: a causal language model.
           settings: label_token_ids, a non-empty list of ids for each class; normalisation (see option_scoring.py);
           content_free, k log-likelihoods (nats) where the normalisation takes them away;
           prefix_ids, the tokens that every prompt starts with

A `generate` classifier is no such module: bench/classifiers/generation.py reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from safetensors.torch import load_file
from torch import nn

from bench.classifiers.adapters import TRAINED, SwitchedAdapters, add_adapter, load_trained
from bench.classifiers.embedding import EmbeddingModule, SentenceEncoder, make_head
from bench.classifiers.matching import LabelsModule, PairFrame, PairsModule, load_gliclass
from bench.classifiers.networks import make_network
from bench.classifiers.option_scoring import OptionsModule, longest_sequence
from bench.classifiers.pretrained import load_pretrained, load_with_new_head
from bench.classifiers.sequence import SequenceModule
from bench.errors import AssetError, UsageError
from bench.types import Classifier


def load_module(classifier: Classifier) -> nn.Module:
    """Rebuild the module of a classifier, float32, in evaluation mode.

    Raises UsageError for a kind that is no torch module, AssetError when weights and settings do not fit.
    """
    loader = _LOADERS.get(classifier.kind)
    if loader is None:
        raise UsageError(f"{classifier.path}: kind '{classifier.kind}' is no torch module of logits")
    try:
        module = loader(classifier)
    except (KeyError, TypeError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AssetError(f"{classifier.path} cannot be loaded ({reason}); train the classifier again") from error
    return module.float().eval()


def load_switched(classifiers: Sequence[Classifier]) -> SwitchedAdapters:
    """Several adapters on one base model in memory; raises UsageError where they do not share it."""
    if len({shared_base(classifier) for classifier in classifiers}) != 1 or shared_base(classifiers[0]) is None:
        raise UsageError("only adapters kept beside the same base model, built alike, can be switched")
    trained = [load_file(classifier.path / TRAINED) for classifier in classifiers]
    return SwitchedAdapters(load_module(classifiers[0]), trained)


def shared_base(classifier: Classifier) -> str | None:
    """What classifiers have in common that can be switched on one base; None for one that has its own weights."""
    adapter = classifier.manifest.settings.get("adapter")
    if adapter is None:
        return None
    base = {
        name: digest for name, digest in classifier.manifest.files.items() if name not in (TRAINED, "tokenizer.json")
    }
    return json.dumps([base, adapter, len(classifier.class_names)], sort_keys=True)


def _load_sequence(classifier: Classifier) -> nn.Module:
    from transformers import AutoModelForSequenceClassification

    settings = classifier.manifest.settings.get("adapter")
    if settings is None:
        return SequenceModule(load_pretrained(AutoModelForSequenceClassification, classifier.path))
    model, fresh = load_with_new_head(
        AutoModelForSequenceClassification, classifier.path, num_labels=len(classifier.class_names)
    )
    module = add_adapter(model, settings)
    trained = load_file(classifier.path / TRAINED)
    untrained = sorted(name for name in fresh if f"model.{name}" not in trained)
    if untrained:
        raise AssetError(f"{classifier.path}/{TRAINED} lacks {untrained[0]}; train the classifier again")
    load_trained(module, trained)
    return module


def _load_embedding(classifier: Classifier) -> nn.Module:
    from transformers import AutoModel

    settings = classifier.manifest.settings
    encoder = load_pretrained(AutoModel, classifier.path)
    sentence_encoder = SentenceEncoder(encoder, settings["pooling"], settings["normalise"])
    return EmbeddingModule(sentence_encoder, make_head(load_file(classifier.path / "head.safetensors")))


def _load_network(classifier: Classifier) -> nn.Module:
    settings = classifier.manifest.settings
    network = make_network(settings["architecture"], len(classifier.class_names), settings["network"])
    network.load_state_dict(load_file(classifier.path / "network.safetensors"))
    return network


def _load_matching(classifier: Classifier) -> nn.Module:
    from transformers import AutoModelForSequenceClassification

    settings = classifier.manifest.settings
    if settings["reads"] == "labels":
        return LabelsModule(load_gliclass(classifier.path), len(classifier.class_names))
    return PairsModule(
        load_pretrained(AutoModelForSequenceClassification, classifier.path),
        [PairFrame.model_validate(frame) for frame in settings["frames"]],
        settings["lead"],
        settings["trail"],
        settings["column"],
    )


def _load_options(classifier: Classifier) -> nn.Module:
    from transformers import AutoModelForCausalLM

    settings = classifier.manifest.settings
    return OptionsModule(
        load_pretrained(AutoModelForCausalLM, classifier.path),
        settings["label_token_ids"],
        settings["normalisation"],
        settings.get("content_free"),
        settings.get("prefix_ids", ()),
        longest_sequence(classifier.manifest.max_length, settings["label_token_ids"]),
    )


_LOADERS: dict[str, Callable[[Classifier], nn.Module]] = {
    "sequence": _load_sequence,
    "embedding": _load_embedding,
    "network": _load_network,
    "matching": _load_matching,
    "options": _load_options,
}
