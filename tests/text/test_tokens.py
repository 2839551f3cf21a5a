"""Token ids equal transformers' own; only the text is shortened, never what stands around it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_classifiers import MAX_LENGTH, options_llama, sequence_bert, tiny_texts
from tiny_models import WORDS, save_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from bench.classifiers.folder import load_classifier
from bench.errors import AssetError, DataError, NotAvailable
from bench.text.tokens import CACHED_WORDS, TextTokenizer, load_tokenizer, settle_caches

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(path)
    return path


def words_of(tokenizer_json: Path, ids: list[int]) -> list[str]:
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    return [tokenizer.id_to_token(token_id) for token_id in ids]


@pytest.mark.parametrize("max_length", [3, 8, 24, 512])
def test_ids_equal_transformers_own(folder: Path, max_length: int) -> None:
    texts = [*tiny_texts(60), "", "goal", "unheard-of words"]
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    expected = theirs(texts, truncation=True, max_length=max_length)["input_ids"]
    whole = theirs(texts)["input_ids"]
    encoded = TextTokenizer.from_file(folder / "tokenizer.json", max_length).encode(texts)
    assert encoded.ids == expected
    assert encoded.truncated.tolist() == [len(ids) > max_length for ids in whole]
    assert encoded.lengths.tolist() == [len(ids) for ids in expected]
    assert encoded.lengths.dtype == np.int32


def test_the_files_own_limits_do_not_count(folder: Path, tmp_path: Path) -> None:
    """Real tokenizer.json files come with a truncation and a fixed padding, MiniLM's with 128 of both."""
    content = json.loads((folder / "tokenizer.json").read_text())
    content["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    content["padding"] = {
        "strategy": {"Fixed": 16},
        "direction": "Left",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    plain = TextTokenizer.from_file(folder / "tokenizer.json", 12)
    limited = TextTokenizer.from_file(tmp_path / "tokenizer.json", 12)
    assert limited.encode(tiny_texts(20)).ids == plain.encode(tiny_texts(20)).ids


@given(st.lists(st.sampled_from(WORDS), max_size=40), st.integers(9, 30))
def test_what_stands_around_the_text_is_never_cut(folder: Path, words: list[str], max_length: int) -> None:
    tokenizer = TextTokenizer.from_file(folder / "tokenizer.json", max_length, "topic about ", " science :")
    encoded = tokenizer.encode([" ".join(words)])
    read = words_of(folder / "tokenizer.json", encoded.ids[0])
    assert read[:3] == ["[CLS]", "topic", "about"]
    assert read[-3:] == ["science", ":", "[SEP]"]
    room = max_length - 6
    assert read[3:-3] == words[:room]
    assert encoded.truncated[0] == (len(words) > room)


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.integers(7, 20))
def test_a_cut_text_is_read_as_the_whole_one(folder: Path, words: list[str], max_length: int) -> None:
    """For servers that take texts: what is left has the tokens that are read of the whole."""
    tokenizer = TextTokenizer.from_file(folder / "tokenizer.json", max_length, "topic about ", " science :")
    text = " ".join(words)
    cut = tokenizer.cut_text(text)
    assert text.startswith(cut)
    assert tokenizer.encode([cut]).ids == tokenizer.encode([text]).ids
    assert (cut == text) == (not tokenizer.encode([text]).truncated[0])
    assert not tokenizer.encode([cut]).truncated[0]


def test_a_token_across_the_seam_belongs_to_the_suffix(tmp_path: Path) -> None:
    vocabulary = {token: row for row, token in enumerate(["<pad>", "a", "b", "c", "ab"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoded = TextTokenizer.from_file(tmp_path / "tokenizer.json", 4, "c", "bc").encode(["cccccca"])
    assert words_of(tmp_path / "tokenizer.json", encoded.ids[0]) == ["c", "c", "ab", "c"]


def test_a_very_long_text_is_cut_like_any_other(folder: Path) -> None:
    encoded = TextTokenizer.from_file(folder / "tokenizer.json", 16).encode(["goal " * 20_000])
    assert encoded.ids[0][0] == CLS
    assert encoded.ids[0][-1] == SEP
    assert len(encoded.ids[0]) == 16
    assert encoded.truncated.all()


def test_a_text_without_tokens_is_read_as_one_padding_token(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, special=False)
    tokenizer = TextTokenizer.from_file(tmp_path / "tokenizer.json", 8)
    assert tokenizer.encode(["", "goal"]).ids[0] == [tokenizer.pad_id]


def test_no_texts_are_no_ids(folder: Path) -> None:
    encoded = TextTokenizer.from_file(folder / "tokenizer.json", 8).encode([])
    assert encoded.ids == []
    assert encoded.lengths.shape == encoded.truncated.shape == (0,)


def test_the_hash_sees_ids_order_and_where_a_text_ends(folder: Path) -> None:
    tokenizer = TextTokenizer.from_file(folder / "tokenizer.json", 8)
    assert tokenizer.encode(["goal", "bank"]).sha256 == tokenizer.encode(["goal", "bank"]).sha256
    hashes = {
        tokenizer.encode(texts).sha256 for texts in (["goal", "bank"], ["bank", "goal"], ["goal bank"], ["goal"], [])
    }
    assert len(hashes) == 5


@pytest.mark.parametrize(("text", "message"), [("a\ud800b", "text 1 is not valid Unicode"), (3, "text 1 is a int")])
def test_what_is_no_text_is_named(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TextTokenizer.from_file(folder / "tokenizer.json", 8).encode(["fine", text])


def test_a_prompt_without_room_for_a_text_is_refused(folder: Path) -> None:
    with pytest.raises(NotAvailable, match="the prompt alone has 5 tokens, no room for a text in 5"):
        TextTokenizer.from_file(folder / "tokenizer.json", 5, "topic about ", " goal")


def test_a_missing_or_damaged_tokenizer_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"tokenizer\.json is missing"):
        TextTokenizer.from_file(tmp_path / "tokenizer.json", 8)
    half = (folder / "tokenizer.json").read_text()[:100]
    (tmp_path / "tokenizer.json").write_text(half)
    with pytest.raises(AssetError, match="cannot be read"):
        TextTokenizer.from_file(tmp_path / "tokenizer.json", 8)


def test_a_classifier_brings_its_length_and_its_prompt(tmp_path: Path) -> None:
    plain = load_tokenizer(sequence_bert(tmp_path / "plain"))
    assert (plain.max_length, plain.before, plain.after) == (MAX_LENGTH, "", "")
    asked = load_tokenizer(options_llama(tmp_path / "asked"))
    read = words_of(tmp_path / "asked" / "tokenizer.json", asked.encode(["goal"]).ids[0])
    assert read == ["topic", "about", "goal", "topic", ":"]


def test_a_classifier_without_max_length_is_refused(tmp_path: Path) -> None:
    sequence_bert(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "max_length": None}))
    with pytest.raises(AssetError, match="has no max_length"):
        load_tokenizer(load_classifier(tmp_path))


class CountingModel:
    """A tokenizer's model whose cache is in sight: as many words as the library's, and none after those."""

    def __init__(self) -> None:
        self.cache: list[str] = []
        self.cleared = 0

    def _clear_cache(self) -> None:
        self.cleared += 1
        self.cache.clear()

    def tokenize(self, text: str) -> None:
        new = [word for word in text.split() if word not in self.cache] if len(self.cache) < CACHED_WORDS else []
        self.cache += new[: CACHED_WORDS - len(self.cache)]


class CountingTokenizer:
    """Stands in front of a real tokenizer and notes what its model's cache would hold."""

    def __init__(self, real: Tokenizer) -> None:
        self.real = real
        self.model = CountingModel()

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def encode(self, text: str) -> object:
        self.model.tokenize(text)
        return self.real.encode(text)


def test_a_settled_cache_holds_other_texts_words_and_takes_no_more(folder: Path) -> None:
    """What the parity pass left in it is gone, and a timed text that comes again finds nothing of its first time."""
    counting = CountingTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")))
    tokenizer = TextTokenizer(counting, 16)  # type: ignore[arg-type]
    counting.encode("answered before")
    settle_caches(["warm up", "up again"])
    kept = list(counting.model.cache)
    assert kept[:3] == ["warm", "up", "again"]
    assert not {"answered", "before"} & set(kept)
    assert len(kept) == CACHED_WORDS
    counting.encode("timed text")
    assert counting.model.cache == kept
    settle_caches(["warm up", "up again"])
    assert counting.model.cleared == 1
    tokenizer.settle_cache(["other texts"])
    assert counting.model.cache[:2] == ["other", "texts"]


@pytest.mark.parametrize("model", [models.BPE, models.Unigram])
def test_the_librarys_caches_can_be_emptied(model: type) -> None:
    """Without these the timed texts would be read from what was left of them."""
    assert callable(model()._clear_cache)
