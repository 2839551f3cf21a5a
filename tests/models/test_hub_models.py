"""Models of the hub by name, from a stand-in of its HTTP API; weights in PyTorch's pickled format alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_server import HubServer, commit_of, serve_hub
from safetensors.torch import load_file
from tiny_models import tiny_bert, tiny_llama, tiny_modernbert, tiny_roberta, toy_dataset
from tiny_trainings import FAST, fit, logits_of, recipe

from bench.errors import AssetError, NotAvailable, UsageError
from bench.models.base import base_weights
from bench.plan.choices import choose_recipes
from bench.plan.request import RunRequest


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "hub", tmp_path / "hf", monkeypatch) as server:
        yield server


def repository(server: HubServer, name: str) -> Path:
    folder = server.root / name
    folder.mkdir(parents=True)
    return folder


def pickle_weights(folder: Path, shards: int = 1) -> None:
    """The layout of a repository from before safetensors."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    if shards == 1:
        torch.save(weights, folder / "pytorch_model.bin")
        return
    parts = {f"pytorch_model-{at + 1:05}-of-{shards:05}.bin": names[at::shards] for at in range(shards)}
    for file, held in parts.items():
        torch.save({name: weights[name] for name in held}, folder / file)
    weight_map = {name: file for file, held in parts.items() for name in held}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")


def test_a_model_by_its_name_is_what_its_files_say(server: HubServer) -> None:
    folder = repository(server, "org/encoder")
    tiny_roberta(folder)
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 40}', encoding="utf-8")
    (folder / "flax_model.msgpack").write_bytes(b"never fetched")
    base = base_weights("org/encoder", None)
    assert base.origin.startswith(f"hub org/encoder@{commit_of('org/encoder')[:8]}: cls pooling")
    assert (base.max_length, base.positions, base.pooling) == (40, 65, "cls")
    assert not any("msgpack" in path for path in server.asked)
    trained = fit(recipe("full-finetune", **FAST), toy_dataset(), server.root / "c", base)
    assert logits_of(trained, toy_dataset().test.texts).shape == (24, 3)


def test_a_model_that_is_in_the_hubs_cache_needs_no_hub(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_modernbert(repository(server, "org/encoder"))
    base = base_weights("org/encoder", None)
    asked = len(server.asked)
    shutil.rmtree(base.path)
    assert base_weights("org/encoder", None).sha256 == base.sha256
    assert len(server.asked) == asked


def test_a_revision_is_taken_as_named(server: HubServer) -> None:
    tiny_llama(repository(server, "org/decoder"))
    for revision in ("v1", commit_of("org/decoder")):
        base = base_weights(f"org/decoder@{revision}", None)
        assert (base.name, base.pooling) == (f"org/decoder@{revision}", "last")
    with pytest.raises(NotAvailable, match="org/decoder cannot be had from the hub"):
        base_weights("org/decoder@nope", None)


def test_sentence_settings_come_with_the_model(server: HubServer) -> None:
    folder = repository(server, "org/sentences")
    tiny_bert(folder)
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 32}', encoding="utf-8")
    prompts = {"prompts": {"classification": "classify: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}', encoding="utf-8")
    base = base_weights("org/sentences", None)
    assert (base.pooling, base.prefix, base.max_length, base.normalise) == ("mean", "classify: ", 32, False)


def test_a_repository_that_is_not_there_or_no_model(server: HubServer) -> None:
    with pytest.raises(NotAvailable, match="there is no such folder, and from the hub: org/none"):
        base_weights("org/none", None)
    (repository(server, "org/data") / "README.md").write_text("no model", encoding="utf-8")
    with pytest.raises(AssetError, match=r"org/data has no config\.json"):
        base_weights("org/data", None)


@pytest.mark.parametrize("shards", [1, 2])
def test_pickled_weights_are_converted_once(server: HubServer, shards: int) -> None:
    plain, folder = repository(server, "org/plain"), repository(server, "org/pickled")
    tiny_bert(plain)
    tiny_bert(folder)
    pickle_weights(folder, shards)
    base = base_weights("org/pickled", None)
    assert "converted from pytorch_model" in base.origin
    assert not list(base.path.glob("*.bin*"))
    ours, theirs = load_file(base.path / "model.safetensors"), load_file(plain / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class Harmful:
    """What a stranger's file may ask to be run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (str(self.path),))  # type: ignore[return-value]


def test_a_file_that_is_more_than_weights_is_refused_and_not_run(server: HubServer, tmp_path: Path) -> None:
    folder = repository(server, "org/harmful")
    tiny_bert(folder)
    (folder / "model.safetensors").unlink()
    ran = tmp_path / "ran"
    torch.save({"weight": Harmful(ran)}, folder / "pytorch_model.bin")
    with pytest.raises(AssetError, match=r"org/harmful/pytorch_model\.bin cannot be converted to safetensors"):
        base_weights("org/harmful", None)
    assert not ran.exists()
    assert not list((tmp_path / "cache" / "models").glob("own-*"))


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {}])
def test_a_file_without_weights_is_refused(server: HubServer, content: object) -> None:
    folder = repository(server, "org/other")
    tiny_bert(folder)
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin")
    with pytest.raises(AssetError, match="cannot be converted to safetensors"):
        base_weights("org/other", None)


def test_base_models_of_the_command_line_take_the_recipes_place() -> None:
    request = RunRequest(suites=("agnews",), methods=("tfidf", "frozen-head"), bases=("org/one@v1", "./two"))
    tfidf, one, two = choose_recipes(request, "small", None)
    assert (tfidf.id, tfidf.base_model) == ("tfidf", None)
    assert (one.base_model, one.role, one.variant_of) == ("org/one@v1", None, "frozen-head")
    assert two.base_model == "./two"
    with pytest.raises(UsageError, match="--base: none of these has a base model: tfidf"):
        choose_recipes(request.model_copy(update={"methods": ("tfidf",)}), "small", None)


def deberta_layout(folder: Path) -> None:
    """microsoft/deberta-v3-base's files: pytorch_model.bin, spm.model, and no class of tokenizer by name."""
    from sentencepiece import SentencePieceTrainer
    from transformers import DebertaV2Config, DebertaV2Model

    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(f"the quick brown fox {at} jumps over words" for at in range(300)), encoding="utf-8")
    special = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    pieces = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "spm"), vocab_size=60, minloglevel=2, **special, **pieces
    )
    corpus.unlink()
    (folder / "spm.vocab").unlink()
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}', encoding="utf-8")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = DebertaV2Config(vocab_size=61, **small, max_position_embeddings=64, relative_attention=True)
    model = DebertaV2Model(config)
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


def test_a_sentencepiece_model_becomes_a_fast_tokenizer(server: HubServer) -> None:
    pytest.importorskip("sentencepiece")
    deberta_layout(repository(server, "org/deberta"))
    base = base_weights("org/deberta", None)
    assert "converted from pytorch_model.bin" in base.origin
    assert "tokenizer made of spm.model; 1,000 of 1,000 texts read as the slow one does" in base.origin
    trained = fit(recipe("lora", **FAST, targets=["query_proj", "value_proj"]), toy_dataset(), server.root / "c", base)
    assert trained.manifest.base_origin == base.origin


def test_the_named_deberta_comes_in_that_layout_too(server: HubServer) -> None:
    pytest.importorskip("sentencepiece")
    deberta_layout(repository(server, "microsoft/deberta-v3-base"))
    base = base_weights("deberta-v3-base", None)
    assert "converted from pytorch_model.bin; tokenizer made of spm.model" in base.origin
    assert not list(base.path.glob("*.bin"))


def test_a_vocabulary_becomes_a_fast_tokenizer(server: HubServer) -> None:
    folder = repository(server, "org/bert")
    tiny_bert(folder)
    (folder / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdef")]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    assert "tokenizer made of vocab.txt; 1,000 of 1,000 texts" in base_weights("org/bert", None).origin


def test_a_tokenizer_that_reads_otherwise_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from bench.models.slow_tokenizer import compare_with_slow

    pytest.importorskip("sentencepiece")
    deberta_layout(tmp_path)
    wrong = Tokenizer(models.WordLevel({"[UNK]": 3, "the": 5}, unk_token="[UNK]"))  # noqa: S106 - a token, no password
    wrong.pre_tokenizer = pre_tokenizers.Whitespace()
    wrong.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(AssetError, match=r"the fast tokenizer made of spm\.model reads"):
        compare_with_slow(tmp_path, "mine")
