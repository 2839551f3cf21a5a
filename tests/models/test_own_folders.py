"""Folders of the user's own: taken as they say, or refused with the file and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_folders import POINTER, change, classifier_folder
from safetensors.torch import load_file, save_file
from tiny_models import (
    CLASS_NAMES,
    TINY,
    save_tokenizer,
    tiny_bert,
    tiny_deberta,
    tiny_distilbert,
    tiny_gpt2,
    tiny_llama,
    tiny_modernbert,
    tiny_roberta,
    toy_dataset,
)
from tiny_trainings import fit, logits_of, recipe
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    CamembertConfig,
    IBertConfig,
    LongformerConfig,
    MptConfig,
    MptForCausalLM,
    NystromformerConfig,
    OPTConfig,
    OPTForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from bench.errors import AssetError, NotAvailable
from bench.models.base import base_weights
from bench.text.tokens import TextTokenizer

pytestmark = pytest.mark.usefixtures("own_cache")


# ---------------------------------------------------------------- what is wrong is named, with the user's file


def _cut(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-200]) and None


def _put(file: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_bytes(content) and None


def _config(**fields: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **fields)


def _shards(broken: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
        if broken == "index":
            (folder / "model.safetensors.index.json").unlink()
        else:
            sorted(folder.glob("model-*.safetensors"))[1].unlink()

    return make


def _more_words(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"new{number}" for number in range(100)])
    tokenizer.save(str(folder / "tokenizer.json"))


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _tensorflow(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "tf_model.h5")


def _linked(folder: Path) -> None:
    """As a snapshot of the hub's cache that was copied without what it links to."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../../blobs/0123")


def _checkpoints(folder: Path) -> None:
    for step in ("checkpoint-100", "checkpoint-200"):
        (folder / step).mkdir()
        (folder / step / "config.json").write_text("{}")
    (folder / "model.safetensors").unlink()


def _packed(folder: Path) -> None:
    save_file({"a.qweight": torch.zeros(2, dtype=torch.int32)}, folder / "model.safetensors")


def _renamed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_lora.safetensors")


WRONG: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "lfs weights": (_put("model.safetensors", POINTER), AssetError, r"mine/model\.safetensors is a git-lfs pointer"),
    "lfs tokenizer": (_put("tokenizer.json", POINTER), AssetError, r"mine/tokenizer\.json is a git-lfs pointer"),
    "lfs config": (_put("config.json", POINTER), AssetError, r"mine/config\.json is a git-lfs pointer"),
    "empty": (_put("model.safetensors", b""), AssetError, r"mine/model\.safetensors is empty"),
    "cut": (_cut("model.safetensors"), AssetError, r"mine/model\.safetensors is cut off or damaged"),
    "cut tokenizer": (_cut("tokenizer.json"), AssetError, r"mine/tokenizer\.json is no JSON"),
    "cut config": (_cut("config.json"), AssetError, r"mine/config\.json is no JSON"),
    "a list": (_put("config.json", b"[]"), AssetError, r"mine/config\.json is no table of settings"),
    "no shard": (_shards("shard"), AssetError, r"mine: model-00002-of-.* is missing, one of the \d+ shards"),
    "no index": (_shards("index"), AssetError, r"is a shard, and model\.safetensors\.index\.json is missing"),
    "no pickle": (_pickled, AssetError, r"mine/pytorch_model\.bin cannot be converted to safetensors: "),
    "tensorflow": (
        _tensorflow,
        AssetError,
        r"mine has no safetensors, only tf_model\.h5; convert it with save_pretrained",
    ),
    "words": (_more_words, AssetError, r"mine: its tokenizer has 16\d tokens, its embedding only 80 rows"),
    "own code": (
        _config(model_type="strange", auto_map={"AutoConfig": "strange.Config"}),
        NotAvailable,
        r"mine needs code of its own \(strange\.Config\), and a model's code is never run",
    ),
    "unknown": (_config(model_type="strange"), AssetError, r"model_type 'strange' is unknown to transformers"),
    "gptq": (_config(quantization_config={"quant_method": "gptq"}), NotAvailable, r"packed \(gptq\).*bench\[vllm\]"),
    "awq": (_config(quantization_config={"quant_method": "awq", "bits": 4}), NotAvailable, r"packed \(awq\)"),
    "a dead link": (_linked, AssetError, r"mine/model\.safetensors is a link to \.\./\.\./blobs/0123, which is not"),
    "checkpoints": (_checkpoints, AssetError, r"has no safetensors; name one of its folders, such as checkpoint-200"),
    "old gptq": (_put("quantize_config.json", b"{}"), NotAvailable, r"mine: its weights are packed \(quantize_config"),
    "packed weights": (_packed, NotAvailable, r"mine/model\.safetensors holds packed weights \(a\.qweight\)"),
    "mlx": (_config(quantization={"bits": 4}), NotAvailable, r"mine: its weights are packed"),
    "another name": (_renamed, AssetError, r"by the name model\.safetensors: only pytorch_lora\.safetensors; rename"),
    "gaps": (_config(id2label={"0": "a", "2": "b"}), AssetError, r"mine/config\.json: id2label must name the outputs"),
    "twice": (_config(id2label={"0": "a", "1": "a"}), AssetError, r"id2label gives two outputs one name"),
    "text": (_config(id2label="neg, pos"), AssetError, r"id2label must name the outputs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_folder_is_said_before_anything_is_trained(case: str, tmp_path: Path) -> None:
    spoil, error, message = WRONG[case]
    folder = classifier_folder(tmp_path / "mine")
    spoil(folder)
    with pytest.raises(error, match=message) as caught:
        base_weights(str(folder), None)
    assert str(tmp_path / "cache") not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"base model ./none: there is no such folder"):
        base_weights("./none", None)


@pytest.mark.parametrize(
    "labels",
    [
        ["sports", "money", "science"],
        {"sports": 0, "money": 1, "science": 2},
        {"sports": "0", "money": "1", "science": "2"},
    ],
)
def test_id2label_as_a_list_or_turned_round_is_read_and_said(labels: Any, tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "mine")
    change(folder / "config.json", id2label=labels)
    base = base_weights(str(folder), None)
    assert "read as sports, money, science" in base.origin
    model = AutoModelForSequenceClassification.from_pretrained(base.path)
    assert tuple(model.config.id2label[at] for at in range(3)) == CLASS_NAMES
    assert fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base).class_names == CLASS_NAMES


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "mine")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes())
    base = base_weights(str(folder), None)
    assert fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base).kind == "sequence"


# ---------------------------------------------------------------- the copy, and what its hash covers


def test_a_copy_is_used_that_the_users_file_does_not_reach(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "mine", id2label=dict(enumerate(CLASS_NAMES)))
    base = base_weights(str(folder), None)
    classifier = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base)
    texts = toy_dataset().test.texts[:4]
    before = logits_of(classifier, texts)
    weights = load_file(folder / "model.safetensors")
    save_file({name: -values for name, values in weights.items()}, tmp_path / "other.safetensors", {"format": "pt"})
    (folder / "model.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes())
    np.testing.assert_array_equal(logits_of(classifier, texts), before)
    assert base_weights(str(folder), None).sha256 != base.sha256


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "chat_template.jinja", "generation_config.json"])
def test_every_file_that_loading_may_read_changes_the_hash(file: str, tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "mine").path
    before = base_weights(str(folder), None)
    if file == "chat_template.jinja":
        (folder / file).write_text("{{ messages }}")
    elif file == "generation_config.json":
        change(folder / file, eos_token_id=5)
    elif file == "config.json":
        change(folder / file, id2label={"0": "a", "1": "b"})
    else:
        content = json.loads((folder / file).read_text())
        words = content["model"]["vocab"]
        words["goal"], words["team"] = words["team"], words["goal"]
        (folder / file).write_text(json.dumps(content))
    after = base_weights(str(folder), None)
    assert after.sha256 != before.sha256
    assert after.path != before.path


def test_a_damaged_copy_is_made_again(tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "mine")
    base = base_weights(str(folder), None)
    (base.path / "tokenizer.json").write_text("{}")
    assert base_weights(str(folder), None) == base
    assert (base.path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


# ---------------------------------------------------------------- how many tokens there is room for


def tiny_opt(folder: Path) -> Any:
    config = OPTConfig(
        vocab_size=80, hidden_size=32, ffn_dim=64, num_hidden_layers=1, num_attention_heads=4,
        max_position_embeddings=40, word_embed_proj_dim=32,
    )  # fmt: skip
    OPTForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, special=False)


def padded_roberta(folder: Path) -> Any:
    """As published: the padding id is 1, so that positions begin at 2."""
    RobertaModel(RobertaConfig(**(TINY | {"max_position_embeddings": 66}), pad_token_id=1)).save_pretrained(folder)
    save_tokenizer(folder)


def tiny_mpt(folder: Path) -> Any:
    """Biases by distance instead of positions, in a table of a size of its own name."""
    MptForCausalLM(MptConfig(vocab_size=80, d_model=32, n_heads=4, n_layers=1, max_seq_len=40)).save_pretrained(folder)
    save_tokenizer(folder, special=False)


def encoder_of(config: type, positions: int, **fields: Any) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        made = config(**(TINY | {"max_position_embeddings": positions, "pad_token_id": 1} | fields))
        AutoModel.from_config(made).save_pretrained(folder)
        save_tokenizer(folder)

    return make


ROOM: dict[str, tuple[Callable[[Path], Any], int]] = {
    "bert": (tiny_bert, 64),
    "roberta, padding id 0": (tiny_roberta, 65),
    "roberta": (padded_roberta, 64),
    "distilbert": (tiny_distilbert, 64),
    "deberta": (tiny_deberta, 64),
    "modernbert": (tiny_modernbert, 64),
    "gpt2": (tiny_gpt2, 64),
    "llama": (tiny_llama, 64),
    "opt": (tiny_opt, 40),
    "mpt": (tiny_mpt, 40),
    "camembert": (encoder_of(CamembertConfig, 42), 40),
    "longformer": (encoder_of(LongformerConfig, 42, attention_window=8), 40),
    "nystromformer": (encoder_of(NystromformerConfig, 40, segment_means_seq_len=40, num_landmarks=8), 40),
    "ibert": (encoder_of(IBertConfig, 42), 40),
}


@pytest.mark.parametrize("family", ROOM)
def test_the_longest_text_that_is_read_fits_the_positions(family: str, tmp_path: Path) -> None:
    make, room = ROOM[family]
    make(tmp_path / "mine")
    base = base_weights(str(tmp_path / "mine"), None)
    assert base.max_length == base.positions == room
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", base.max_length)
    [ids] = tokenizer.encode(["goal " * 200]).ids
    assert len(ids) == room
    with torch.inference_mode():
        model = AutoModel.from_pretrained(base.path).eval()
        assert model(input_ids=torch.tensor([ids])).last_hidden_state.isfinite().all()


def test_the_tokenizers_limit_counts_too(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "mine")
    settings = {"model_max_length": 20, "tokenizer_class": "PreTrainedTokenizerFast"}
    (tmp_path / "mine" / "tokenizer_config.json").write_text(json.dumps(settings))
    base = base_weights(str(tmp_path / "mine"), None)
    assert base.max_length == 20
    assert "at most 20 tokens (model_max_length of the tokenizer)" in base.origin
    change(tmp_path / "mine" / "tokenizer_config.json", model_max_length=10**30)
    assert base_weights(str(tmp_path / "mine"), None).max_length == 64


@pytest.mark.parametrize("method", ["zero-shot", "generate"])
def test_an_answer_has_positions_behind_the_longest_prompt(method: str, tmp_path: Path) -> None:
    tiny_gpt2(tmp_path / "mine")
    base = base_weights(str(tmp_path / "mine"), None)
    data = toy_dataset()
    classifier = fit(recipe(method), data, tmp_path / "c", base)
    behind = 8 if method == "generate" else max(map(len, classifier.manifest.settings["label_token_ids"])) - 1
    assert classifier.manifest.max_length == 64 - behind
    if method == "zero-shot":
        assert np.isfinite(logits_of(classifier, ("goal " * 200,))).all()
