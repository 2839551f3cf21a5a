"""Classifier modules: the answers do not depend on padding, batch or how a label word is cut into tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_models import tiny_bert, tiny_gpt2, tiny_llama, tiny_qwen3
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
)

from bench.classifiers.embedding import EmbeddingModule, SentenceEncoder, make_head
from bench.classifiers.folder import save_classifier
from bench.classifiers.modules import load_module
from bench.classifiers.networks import TextCnn
from bench.classifiers.option_scoring import OptionsModule
from bench.classifiers.pretrained import load_pretrained, load_with_new_head
from bench.classifiers.sequence import SequenceModule
from bench.errors import AssetError, NotAvailable, UsageError
from bench.types import Classifier, FitRecord, Manifest, Recipe

ROWS = [[2, 5, 9, 3], [2, 7, 3], [2, 11, 12, 13, 14, 15, 16, 17, 3], [2, 0, 3]]
LABEL_TOKENS = [[20], [21, 22], [21, 23, 24]]
MODELS = {"bert": tiny_bert, "llama": tiny_llama, "gpt2": tiny_gpt2}


def padded(rows: list[list[int]], extra: int = 0, pad_id: int = 0) -> tuple[Tensor, Tensor]:
    length = max(map(len, rows)) + extra
    ids = torch.tensor([row + [pad_id] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return ids, mask


def make_module(kind: str, folder: Path) -> nn.Module:
    torch.manual_seed(1)
    if kind == "network":
        return TextCnn(classes=3, vocabulary_size=80, width=16, filters=8, windows=(3, 4, 5), dropout=0.5).eval()
    family = kind.rpartition("-")[2]
    base = MODELS[family](folder)
    if kind.startswith("sequence"):
        return SequenceModule(load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)[0]).eval()
    if kind.startswith("options"):
        return OptionsModule(load_pretrained(AutoModelForCausalLM, base.path), LABEL_TOKENS, "sum").eval()
    _, pooling, _ = kind.split("-")
    encoder = SentenceEncoder(load_pretrained(AutoModel, base.path), pooling, normalise=True)
    return EmbeddingModule(encoder, make_head({"0.weight": torch.randn(3, 32), "0.bias": torch.randn(3)})).eval()


KINDS = (
    "network",
    "sequence-bert",
    "sequence-llama",
    "sequence-gpt2",
    "embedding-mean-bert",
    "embedding-cls-bert",
    "embedding-last-llama",
    "options-llama",
    "options-gpt2",
)


@pytest.mark.parametrize("kind", KINDS)
def test_one_by_one_equals_batch_whatever_the_padding(kind: str, tmp_path: Path) -> None:
    module = make_module(kind, tmp_path)
    with torch.inference_mode():
        single = torch.cat([module(*padded([row])) for row in ROWS])
        assert single.dtype == torch.float32
        assert single.shape == (4, 3)
        for extra, pad_id in ((0, 0), (7, 0), (3, 9)):
            torch.testing.assert_close(module(*padded(ROWS, extra, pad_id)), single, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_token_decides_too(kind: str, tmp_path: Path) -> None:
    """A module that pooled at a wrong place, or that lost a row's end, would answer equally for both."""
    module = make_module(kind, tmp_path)
    with torch.inference_mode():
        first, other = module(*padded([[2, 5, 9, 30], [2, 5, 9, 31]]))
    assert not torch.allclose(first, other, atol=1e-4)


def plain_log_likelihood(model: nn.Module, prompt: list[int], word: list[int]) -> float:
    """The definition: the whole sequence through the whole model, one word at a time."""
    ids = torch.tensor([prompt + word])
    with torch.inference_mode():
        log_probabilities = model(input_ids=ids).logits[0].log_softmax(-1)
    return sum(float(log_probabilities[len(prompt) - 1 + row, token]) for row, token in enumerate(word))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("label_tokens", [LABEL_TOKENS, [[20], [21], [22]], [[5, 6, 7, 8], [5, 6, 7, 9]]])
def test_options_are_the_log_likelihoods_of_the_words(
    family: str, label_tokens: list[list[int]], tmp_path: Path
) -> None:
    model = load_pretrained(AutoModelForCausalLM, MODELS[family](tmp_path).path).eval()
    expected = np.array([[plain_log_likelihood(model, row, word) for word in label_tokens] for row in ROWS])
    lengths = np.array([len(word) for word in label_tokens])
    content_free = [-float(number) for number in range(len(label_tokens))]
    with torch.inference_mode():
        ids, mask = padded(ROWS, extra=2)
        answers = {
            name: OptionsModule(model, label_tokens, name, content_free).eval()(ids, mask).numpy()
            for name in ("sum", "per-token", "calibrated")
        }
    np.testing.assert_allclose(answers["sum"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(answers["per-token"], expected / lengths, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(answers["calibrated"], expected - content_free, rtol=1e-4, atol=1e-4)


def test_options_refuse_what_cannot_be_scored(tmp_path: Path) -> None:
    model = load_pretrained(AutoModelForCausalLM, tiny_llama(tmp_path).path)
    with pytest.raises(UsageError, match="normalisation 'mean'"):
        OptionsModule(model, LABEL_TOKENS, "mean")
    with pytest.raises(NotAvailable, match="no tokens"):
        OptionsModule(model, [[1], []], "sum")
    with pytest.raises(UsageError, match="log-likelihood to take away"):
        OptionsModule(model, LABEL_TOKENS, "calibrated")


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=12), min_size=1, max_size=6),
    extra=st.integers(0, 9),
)
def test_text_cnn_ignores_padding(rows: list[list[int]], extra: int) -> None:
    torch.manual_seed(0)
    network = TextCnn(classes=2, vocabulary_size=50, width=8, filters=4, windows=(2, 5), dropout=0.0).eval()
    with torch.inference_mode():
        single = torch.cat([network(*padded([row])) for row in rows])
        torch.testing.assert_close(network(*padded(rows, extra, pad_id=7)), single, rtol=1e-4, atol=1e-5)


def saved(folder: Path, kind: str, settings: dict[str, object]) -> Classifier:
    manifest = Manifest(
        kind=kind,  # type: ignore[arg-type]
        class_names=("a", "b", "c"),
        language="en",
        recipe=Recipe(id="test", title="test", method="test"),
        seed=0,
        data_fingerprint="",
        fit=FitRecord(fit_s=0.0),
        settings=settings,
    )
    return save_classifier(folder, manifest)


def test_saved_folders_load_as_the_module_that_was_saved(tmp_path: Path) -> None:
    ids, mask = padded(ROWS)
    network = make_module("network", tmp_path)
    folder = tmp_path / "network"
    folder.mkdir()
    save_file(network.state_dict(), folder / "network.safetensors")
    shape = {"vocabulary_size": 80, "width": 16, "filters": 8, "windows": [3, 4, 5], "dropout": 0.5}
    loaded = {"network": load_module(saved(folder, "network", {"architecture": "cnn", "network": shape}))}

    embedding = make_module("embedding-cls-bert", tmp_path / "embedding")
    assert isinstance(embedding, EmbeddingModule)
    save_file(embedding.head.state_dict(), tmp_path / "embedding" / "head.safetensors")
    loaded["embedding"] = load_module(saved(tmp_path / "embedding", "embedding", {"pooling": "cls", "normalise": True}))

    sequence = make_module("sequence-llama", tmp_path / "sequence")
    assert isinstance(sequence, SequenceModule)
    sequence.model.save_pretrained(tmp_path / "sequence")  # type: ignore[operator]
    loaded["sequence"] = load_module(saved(tmp_path / "sequence", "sequence", {}))
    with torch.inference_mode():
        for kind, module in (("network", network), ("embedding", embedding), ("sequence", sequence)):
            assert not loaded[kind].training
            torch.testing.assert_close(loaded[kind](ids, mask), module(ids, mask), rtol=0, atol=0)


def test_a_folder_that_does_not_fit_its_settings_is_an_asset_error(tmp_path: Path) -> None:
    network = make_module("network", tmp_path)
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    shape = {"vocabulary_size": 81, "width": 16, "filters": 8, "windows": [3, 4, 5], "dropout": 0.5}
    with pytest.raises(AssetError, match="train the classifier again"):
        load_module(saved(tmp_path, "network", {"architecture": "cnn", "network": shape}))
    with pytest.raises(AssetError, match="width"):
        load_module(saved(tmp_path, "network", {"architecture": "cnn", "network": {"vocabulary_size": 80}}))
    with pytest.raises(UsageError, match="no torch module"):
        load_module(saved(tmp_path, "linear", {}))


def test_code_in_a_model_folder_is_never_run(tmp_path: Path) -> None:
    tiny_bert(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path).to_dict()
    config["auto_map"] = {"AutoModel": "evil.Evil"}
    AutoConfig.for_model(**config).save_pretrained(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    assert type(load_pretrained(AutoModel, tmp_path)).__name__ == "BertModel"


def test_the_last_token_of_right_padded_rows_is_that_of_left_padded_ones(tmp_path: Path) -> None:
    """Qwen3-Embedding's card pads on the left; its vector is the same."""
    model = load_pretrained(AutoModel, tiny_qwen3(tmp_path).path).eval()
    ids, mask = padded(ROWS)
    left_ids, left_mask = torch.zeros_like(ids), torch.zeros_like(mask)
    for at, row in enumerate(ROWS):
        left_ids[at, -len(row) :], left_mask[at, -len(row) :] = torch.tensor(row), 1
    positions = (left_mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.inference_mode():
        theirs = model(input_ids=left_ids, attention_mask=left_mask, position_ids=positions).last_hidden_state[:, -1]
        ours = SentenceEncoder(model, "last", normalise=False)(ids, mask)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
