"""Networks from scratch: padding, order of a batch and packing change no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import toy_dataset
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bench.classifiers.networks import ARCHITECTURES, Bidirectional, make_network
from bench.errors import DataError, UsageError
from trainers.network import NetworkParams
from trainers.shared.vocabulary import learn_vocabulary, load_vectors

SHAPES: dict[str, dict[str, Any]] = {
    "bag": {"width": 8, "ngrams": 3, "buckets": 40, "dropout": 0.5},
    "cnn": {"width": 8, "filters": 6, "windows": (2, 3), "dropout": 0.5},
    "lstm": {"width": 8, "hidden": 5, "dropout": 0.5},
    "gru": {"width": 8, "hidden": 5, "dropout": 0.5},
    "cnn+lstm": {"width": 8, "hidden": 5, "dropout": 0.5, "filters": 7},
    "attention-lstm": {"width": 8, "hidden": 5, "dropout": 0.5},
    "capsule-lstm": {"width": 8, "hidden": 5, "dropout": 0.5, "capsule": 4},
    "transformer": {"width": 8, "layers": 2, "heads": 2, "dropout": 0.5, "max_length": 40},
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return make_network(name, 3, {"vocabulary_size": 50, **SHAPES[name]}).eval()


def padded(rows: list[list[int]], extra: int, pad_id: int) -> tuple[Tensor, Tensor]:
    length = max(map(len, rows)) + extra
    ids = torch.tensor([row + [pad_id] * (length - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=12), min_size=1, max_size=5),
    extra=st.integers(0, 9),
    pad_id=st.integers(0, 49),
)
def test_no_answer_depends_on_padding_or_company(name: str, rows: list[list[int]], extra: int, pad_id: int) -> None:
    module = network(name)
    with torch.inference_mode():
        together = module(*padded(rows, extra, pad_id))
        alone = torch.cat([module(*padded([row], 0, 0)) for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_turning_rows_equals_packed_sequences(cell: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    ours = Bidirectional(cell, 6, 4)
    theirs = cell(6, 4, batch_first=True, bidirectional=True)  # type: ignore[call-arg]
    for name, weight in ours.forwards.state_dict().items():
        theirs.state_dict()[name].copy_(weight)
        theirs.state_dict()[f"{name}_reverse"].copy_(ours.backwards.state_dict()[name])
    lengths = torch.tensor([3, 7, 1, 5])
    vectors = torch.randn(4, 9, 6)
    mask = (torch.arange(9) < lengths[:, None]).long()
    packed, _ = theirs(pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True, total_length=9)
    torch.testing.assert_close(ours(vectors, mask), expected)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(UsageError, match="unknown network 'rnn'; known: cnn, lstm"):
        make_network("rnn", 2, {})


@pytest.mark.parametrize(("tokens", "longest"), [("word", 20), ("character", 200), ("subword", 200)])
def test_vocabularies_of_words_characters_and_subwords(tmp_path: Path, tokens: Any, longest: int) -> None:
    from tokenizers import Tokenizer

    data = toy_dataset()
    params = NetworkParams(architecture="cnn", tokens=tokens, min_frequency=1, vocabulary_size=80)
    size = learn_vocabulary(data, params, tmp_path / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    encoded = tokenizer.encode(data.train.texts[0])
    assert 2 < size <= 80
    assert 0 < len(encoded.ids) <= longest
    assert tokenizer.token_to_id("[UNK]") not in encoded.ids
    assert (max(map(len, encoded.tokens)) == 1) == (tokens == "character")


def test_word_vectors_from_a_file(tmp_path: Path) -> None:
    data = toy_dataset()
    params = NetworkParams(architecture="cnn", min_frequency=1)
    learn_vocabulary(data, params, tmp_path / "tokenizer.json")
    file = tmp_path / "vectors.txt"
    file.write_text("2 3\ngoal 1 2 3\nunheard 4 5 6\n", encoding="utf-8")
    rows, vectors = load_vectors(str(file), tmp_path / "tokenizer.json", 3)
    assert len(rows) == 1
    np.testing.assert_array_equal(vectors, [[1, 2, 3]])
    with pytest.raises(DataError, match="3 numbers, but width = 8; --set width=3"):
        load_vectors(str(file), tmp_path / "tokenizer.json", 8)
    file.write_text("goal 1 x 3\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no word vectors"):
        load_vectors(str(file), tmp_path / "tokenizer.json", 3)
    file.write_text("unheard 1 2 3\n", encoding="utf-8")
    with pytest.raises(DataError, match="knows no word"):
        load_vectors(str(file), tmp_path / "tokenizer.json", 3)
    with pytest.raises(DataError, match="No such file"):
        load_vectors(str(tmp_path / "none.txt"), tmp_path / "tokenizer.json", 3)
