"""Zero-shot by what each class means: the tokens of every pair, the scores of the libraries' own calls, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import CLASS_NAMES, TINY, save_tokenizer, tiny_bert, toy_dataset
from tiny_trainings import fit, logits_of, recipe
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from bench.classifiers.modules import load_module
from bench.errors import NotAvailable, UsageError
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import BaseWeights, Classifier
from trainers.matching import speaking_column

pytestmark = pytest.mark.kernels
SENTENCE = "topic about {label} :"
TEXTS = ("goal match", "stock", "chip " * 100, "")


def cross_encoder(folder: Path, labels: dict[int, str]) -> BaseWeights:
    base = tiny_bert(folder)
    torch.manual_seed(1)
    config = BertConfig(**TINY, pad_token_id=0, num_labels=len(labels))
    config.id2label, config.label2id = labels, {name: at for at, name in labels.items()}
    BertForSequenceClassification(config).save_pretrained(folder)
    return replace(base, max_length=48)


def together(classifier: Classifier, texts: tuple[str, ...]) -> np.ndarray:
    """All texts in one padded batch."""
    module, tokenizer = load_module(classifier), load_tokenizer(classifier)
    encoded = tokenizer.encode(texts)
    ids, mask = pad(encoded.ids, np.arange(len(texts)), tokenizer.pad_id)
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy())


@pytest.mark.parametrize("first", ["text", "label"])
@pytest.mark.parametrize("labels", [{0: "contradiction", 1: "neutral", 2: "entailment"}, {0: "LABEL_0"}])
def test_a_pair_is_what_the_library_makes_of_text_and_sentence(
    tmp_path: Path, first: str, labels: dict[int, str]
) -> None:
    base = cross_encoder(tmp_path / "base", labels)
    made = recipe("pairs", template=SENTENCE, first=first, label_words={"science": "science ?"})
    classifier = fit(made, toy_dataset(), tmp_path / "c", base)
    assert classifier.kind == "matching"
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(base.path / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
    model = BertForSequenceClassification.from_pretrained(base.path).eval()
    words = ("sports", "money", "science ?")
    texts = TEXTS if first == "text" else TEXTS[:-1]  # the library takes an empty second text for none
    expected = np.empty((len(texts), 3), np.float32)
    for row, text in enumerate(texts):
        for at, word in enumerate(words):
            sentence = SENTENCE.replace("{label}", word)
            cut = " ".join(text.split()[: classifier.manifest.max_length - 2])
            pair = (cut, sentence) if first == "text" else (sentence, cut)
            inputs = tokenizer(*pair, return_tensors="pt", return_token_type_ids=True)
            assert inputs["input_ids"].shape[1] <= 48
            with torch.inference_mode():
                expected[row, at] = model(**inputs).logits[0, max(labels)]
    np.testing.assert_allclose(together(classifier, texts), expected, atol=1e-4)
    np.testing.assert_allclose(logits_of(classifier, texts), expected, atol=1e-4)


def test_the_output_that_speaks_for_a_class_is_named_or_asked_for() -> None:
    config = BertConfig(num_labels=2)
    with pytest.raises(UsageError, match=r"LABEL_0, LABEL_1, none named entailment; say which.*--set column"):
        speaking_column(config, "org/one", None)
    assert speaking_column(config, "org/one", 1) == 1
    with pytest.raises(UsageError, match="column = 2: org/one has 2 outputs"):
        speaking_column(config, "org/one", 2)


def test_similarity_is_the_cosine_to_each_classes_sentence_and_reads_no_text(tmp_path: Path) -> None:
    base = tiny_bert(tmp_path / "base")
    made = recipe("similarity", template=SENTENCE, scale=10.0)
    classifier = fit(made, toy_dataset(), tmp_path / "c", base)
    logits = logits_of(classifier, tuple(SENTENCE.replace("{label}", name) for name in CLASS_NAMES))
    assert np.diag(logits) == pytest.approx(10.0, rel=1e-4)
    assert (logits <= 10.0 + 1e-3).all()
    other = fit(made, toy_dataset(seed=1), tmp_path / "other", base)
    assert other.sha256 == classifier.sha256


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"template": "no place"}, "has {label} exactly once"),
        ({"says": "descriptions"}, "one for each class: --descriptions"),
        ({"label_words": ["a", "a", "b"]}, "differ from each other"),
        ({"template": "goal " * 60 + "{label}"}, "leave no room for a text in 48 tokens"),
    ],
)
def test_classes_that_say_nothing_are_refused(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit(recipe("pairs", **params), toy_dataset(), tmp_path / "c", cross_encoder(tmp_path / "b", {0: "LABEL_0"}))


def gliclass_base(folder: Path, prompt_first: bool = True) -> BaseWeights:
    gliclass = pytest.importorskip("gliclass")
    folder.mkdir(parents=True)
    save_tokenizer(folder)
    tokenizer_json = folder / "tokenizer.json"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.add_special_tokens(["<<LABEL>>", "<<SEP>>"])
    tokenizer.save(str(tokenizer_json))
    size = tokenizer.get_vocab_size()
    config = gliclass.GLiClassModelConfig(
        encoder_config=BertConfig(**(TINY | {"vocab_size": size}), pad_token_id=0),
        encoder_model="no/folder",
        class_token_index=size - 2,
        text_token_index=size - 1,
        prompt_first=prompt_first,
    )
    torch.manual_seed(0)
    gliclass.GLiClassModel(config).save_pretrained(folder)
    return BaseWeights(name="gliclass", path=folder, sha256="none", origin="test", max_length=64)


@pytest.mark.parametrize("prompt_first", [True, False])
def test_gliclass_gives_its_packages_scores(tmp_path: Path, prompt_first: bool) -> None:
    gliclass = pytest.importorskip("gliclass")
    base = gliclass_base(tmp_path / "base", prompt_first)
    classifier = fit(recipe("gliclass"), toy_dataset(), tmp_path / "c", base)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(base.path / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
    model = gliclass.GLiClassModel.from_pretrained(base.path).eval()
    pipeline = gliclass.ZeroShotClassificationPipeline(
        model, tokenizer, device="cpu", classification_type="single-label", max_length=64, progress_bar=False
    )
    texts = ["goal match", "stock market bank team"]
    inputs = pipeline.pipe.prepare_inputs(texts, list(CLASS_NAMES), True)
    with torch.inference_mode():
        expected = model(**inputs, max_num_classes=3).logits.numpy()
    np.testing.assert_allclose(logits_of(classifier, tuple(texts)), expected, atol=1e-4)


def test_code_of_a_models_own_is_never_run_for_gliclass(tmp_path: Path) -> None:
    base = gliclass_base(tmp_path / "base")
    config = json.loads((base.path / "config.json").read_bytes())
    config["encoder_config"]["model_type"] = "own-architecture"
    (base.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(NotAvailable, match="transformers has no own-architecture, and code"):
        fit(recipe("gliclass"), toy_dataset(), tmp_path / "c", base)
